# @summary A media server: what it offers, whichever program offers it
#
# Callers are sent here by the core with `conf-ROOM`, `queue-NAME`, `vm-BOX` (to leave a message), `vmmain-BOX` (to hear
# them), `ivr-NAME` or `echo` before the @. Rooms come into being by being called. What is special to a program stands in
# the class of its name (`kamscale::media::asterisk`).
#
# @example A conference server
#   include kamscale::media
#
# @example Hiera data of a site
#   kamscale::media::queues:
#     support:
#       agents: [alice, bob]
#   kamscale::media::ivrs:
#     main:
#       prompts: [press-1]
#       keys: { '1': queue-support }
#
# @param server
#   The program.
#
# @param address
#   The address that it serves by.
#
# @param port
#   Where it listens, over UDP and TCP.
#
# @param core
#   Where its own calls go (to a queue's agents, and where a menu's keys lead). Default: the DNS name ccp.DOMAIN, so
#   that it is any CCP.
#
# @param core_networks
#   From where calls are taken: addresses, with a mask or its length. Default: the network of this host.
#
# @param rtp_first
#   The first port for media; the security group opens the same.
#
# @param rtp_last
#   The last one.
#
# @param codecs
#   How voice is coded, the preferred first.
#
# @param room_max_members
#   So many fit into one room.
#
# @param queues
#   Queues, by name.
#
# @param mailboxes
#   Voicemail boxes, by number or name. A message stays on the server that took it: a pool of several servers needs one
#   place for all of them, such as a network file system below `voicemail_dir` of the program's class.
#
# @param ivrs
#   Menus, by name.
class kamscale::media (
  Enum['asterisk'] $server                                = 'asterisk',
  Stdlib::IP::Address::Nosubnet $address                  = $kamscale::address,
  Stdlib::Port $port                                      = 5060,
  Stdlib::Host $core                                      = "ccp.${kamscale::domain}",
  Array[Pattern[/\A[\h.:]+(\/[\d.]+)?\z/], 1] $core_networks = ["${facts['networking']['network']}/${facts['networking']['netmask']}"],
  Integer[1024, 65534] $rtp_first                         = 10000,
  Integer[1025, 65535] $rtp_last                          = 20000,
  Array[Enum['alaw', 'ulaw', 'g722', 'gsm'], 1] $codecs   = ['alaw', 'ulaw', 'g722'],
  Integer[2] $room_max_members                            = 200,
  Hash[Pattern[/\A[\w-]+\z/], Kamscale::Queue] $queues    = {},
  Hash[Pattern[/\A[\w.-]+\z/], Kamscale::Mailbox] $mailboxes = {},
  Hash[Pattern[/\A[\w-]+\z/], Kamscale::Ivr] $ivrs        = {},
) inherits kamscale {
  if $rtp_first >= $rtp_last {
    fail("kamscale::media: rtp_first ${rtp_first} must be below rtp_last ${rtp_last}")
  }
  contain "kamscale::media::${server}"
}
