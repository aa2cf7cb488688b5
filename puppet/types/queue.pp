# @summary A queue: who answers its callers, and in which order
#
# Agents are subscribers; the core finds their phones.
type Kamscale::Queue = Struct[{
  'agents'               => Array[Pattern[/\A[A-Za-z0-9._+-]+\z/], 1],
  Optional['strategy']   => Enum['ringall', 'rrmemory', 'leastrecent', 'fewestcalls', 'random', 'linear'],
  Optional['ring_s']     => Integer[1],
  Optional['max_wait_s'] => Integer[1],
}]
