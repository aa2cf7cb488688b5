# @summary A menu: what callers hear, and where each key leads
#
# A key leads to whatever can be called: a subscriber, `queue-NAME`, `conf-ROOM`, `vm-BOX`, `ivr-NAME`.
type Kamscale::Ivr = Struct[{
  'prompts'             => Array[Pattern[/\A[\w\/-]+\z/], 1],
  'keys'                => Hash[Pattern[/\A[0-9*#]\z/], Pattern[/\A[A-Za-z0-9._+-]+\z/], 1],
  Optional['timeout_s'] => Integer[1],
  Optional['otherwise'] => Pattern[/\A[A-Za-z0-9._+-]+\z/],
}]
