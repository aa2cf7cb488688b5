# @summary A voicemail box: whose it is, and what opens it
type Kamscale::Mailbox = Struct[{
  'pin'            => Variant[Pattern[/\A\d{4,}\z/], Sensitive[Pattern[/\A\d{4,}\z/]]],
  Optional['name'] => Pattern[/\A[^,|\n]*\z/],
  Optional['mail'] => Pattern[/\A[^,|\s]+@[^,|\s]+\z/],
}]
