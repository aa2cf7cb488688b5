# @summary Role: a media server
#
# It carries conferences, queues, voicemail and IVR. Which of them a host is for, the pool that it is a member of says
# (fact `kamscale_pool`); all of them can do everything.
#
# @example
#   include kamscale::role::media
class kamscale::role::media {
  include kamscale
  contain kamscale::media
}
