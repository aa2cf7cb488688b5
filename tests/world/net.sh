#!/bin/bash
# The cables of the world: a switch (a bridge in a namespace of its own) and a namespace per host. Nothing of it is in the
# machine's own network. It starts no process and knows no role.
#   net.sh up | down            the switch; down takes every namespace of this world with it
#   net.sh attach HOST ADDRESS...   a namespace with these addresses (/16), on the switch
#   net.sh detach HOST
#   net.sh cut HOST | heal HOST     off the switch, and back
#   net.sh split HOST HOST | join HOST HOST     this pair alone cannot hear each other
#   net.sh list                 hosts with a namespace
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

in_switch() { nsenter --net="/run/netns/$SWITCH" "$@"; }

up() {
    [ ! -e "/run/netns/$SWITCH" ] || return 0
    ip netns add "$SWITCH"
    # A machine's own firewall has no business with frames of this bridge.
    ip -n "$SWITCH" -b - <<'END'
link set lo up
link add br0 type bridge forward_delay 0
link set br0 up
END
    in_switch nft -f - <<'END'
table bridge world {
    set split { type ifname . ifname; }
    chain forward { type filter hook forward priority 0; iifname . oifname @split drop; }
}
END
}

attach() { # attach HOST ADDRESS...
    local host=$1 address cable
    shift
    check_name "$host"
    [ -e "/run/netns/$SWITCH" ] || die "there is no switch: net.sh up"
    cable=$(namespace_of "$host")
    ! has_namespace "$host" || die "host $host is attached already: net.sh detach $host"
    ip netns add "$cable"
    ip -n "$SWITCH" link add "$cable" type veth peer name eth0 netns "$cable"
    ip -n "$SWITCH" link set "$cable" master br0 up
    {
        echo "link set lo up"
        for address in "$@"; do echo "address add $address/16 dev eth0"; done
        echo "link set eth0 up"
    } | ip -n "$cable" -b -
}

detach() { # detach HOST: nothing to do if there is none
    has_namespace "$1" || return 0
    # The cable goes now, and not when the last process has left the namespace.
    ip -n "$SWITCH" link delete "$(namespace_of "$1")" 2>/dev/null || true
    ip netns delete "$(namespace_of "$1")"
}

list() {
    local path
    for path in "/run/netns/$WORLD"-*; do
        if [ -e "$path" ] && [ "$path" != "/run/netns/$SWITCH" ]; then echo "${path#"/run/netns/$WORLD-"}"; fi
    done
}

down() {
    local host
    for host in $(list); do detach "$host"; done
    if [ -e "/run/netns/$SWITCH" ]; then ip netns delete "$SWITCH"; fi
}

pair() { # pair add|delete HOST HOST: both directions
    local a b
    a=$(namespace_of "$2") b=$(namespace_of "$3")
    in_switch nft "$1" element bridge world split "{ \"$a\" . \"$b\", \"$b\" . \"$a\" }"
}

known() { # known HOST...
    local host
    for host in "$@"; do has_namespace "$host" || die "there is no host '$host'; there are: $(list | xargs)"; done
}

case ${1:-} in
up | down | list) [ $# = 1 ] || usage ;;
attach) [ $# -ge 3 ] || usage ;;
detach) [ $# = 2 ] || usage ;;
cut | heal)
    [ $# = 2 ] || usage
    known "$2"
    ;;
split | join)
    [ $# = 3 ] || usage
    known "$2" "$3"
    ;;
*) usage ;;
esac
case $1 in
cut) ip -n "$SWITCH" link set "$(namespace_of "$2")" down ;;
heal) ip -n "$SWITCH" link set "$(namespace_of "$2")" up ;;
split) pair add "$2" "$3" ;;
join) pair delete "$2" "$3" ;;
*) "$@" ;;
esac
