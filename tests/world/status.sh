#!/bin/bash
# What the world is doing: its hosts, its stacks, and what the agents say of the pools. It changes nothing.
#   status.sh             the table
#   status.sh serving     silent and 0 when calls are served: both load balancers answer, every pool has the members that it shall have;
#                         otherwise it names what is missing
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

BALANCERS=(10.77.0.41 10.77.0.42)
OPTIONS='OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP 10.77.0.3;rport;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\nFrom: <sip:operator@10.77.0.3>;tag=%s\r\nTo: <sip:%s>\r\nCall-ID: %s@10.77.0.3\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n'

answers() { # answers ADDRESS: something to SIP OPTIONS, asked from the operator's place
    local mark=$RANDOM$RANDOM
    # dd takes and gives whole datagrams; bash itself would write it line by line, and read it by the letter.
    # shellcheck disable=SC2016 # for the other shell
    nsenter --net="/run/netns/$(namespace_of operator)" bash -c 'exec 2>/dev/null 3<>"/dev/udp/$1/5060" || exit 1
        printf "$2" "$1" "$3" "$3" "$1" "$3" | dd bs=4k iflag=fullblock status=none >&3
        [[ $(timeout 0.5 dd bs=4k count=1 status=none <&3) == "SIP/2.0 "* ]]' bash "$1" "$OPTIONS" "$mark"
}

said() { # said HOST: its agent's status, as JSON; nothing if it says nothing
    "$HERE/host.sh" exec "$1" kamscale status --json 2>/dev/null || true
}

first_of() { # first_of PREFIX: a running host whose name begins so
    "$HERE/host.sh" list | grep "^$1" | head -n 1
}

# A pool that is scaled has all members that it wants, active; one that is not has what its configuration says.
short_of_members() { # short_of_members WHO: their words, one pool a line
    local host
    host=$(first_of "$1")
    if [ -z "$host" ]; then
        echo "no host $1"
        return
    fi
    said "$host" | jq -r --arg host "$host" '
        if .pools == null then "the agent of \($host) says nothing"
        elif .kamailio.attached | not then "\($host): \(.kamailio.problem // "no Kamailio")"
        else .pools | to_entries[] | select(.value.mode != "paused")
            | ([.value.members[] | select(.state == "active")] | length) as $active
            | select($active < (.value.min // 1)) | "\($host): pool \(.key) has \($active) active members of \(.value.min)" end'
    [ "$(said "$host")" != "" ] || echo "the agent of $host says nothing"
}

serving() {
    local address missing=()
    for address in "${BALANCERS[@]}"; do answers "$address" || missing+=("$address does not answer"); done
    mapfile -t -O ${#missing[@]} missing < <(
        short_of_members lb
        short_of_members ccp
    )
    [ ${#missing[@]} -gt 0 ] || return 0
    printf '%s\n' "${missing[@]}"
    return 1
}

hosts() {
    local host address
    for host in $("$HERE/host.sh" list); do
        address=$("$HERE/host.sh" exec "$host" hostname -i)
        printf '%s\t%s\t%s\t%d MB\t%.1f s\n' "$host" "$address" "$("$HERE/host.sh" state "$host")" \
            $(($("$HERE/host.sh" memory "$host" | awk '{ print $2 }') >> 20)) \
            "$(awk '{ print $1 / 1e9 }' "$CGROUPS/cpuacct/$WORLD/$host/cpuacct.usage")"
    done | (printf 'HOST\tADDRESS\tSTATE\tMEMORY\tPROCESSOR\n' && cat) | column -t -s $'\t'
}

pools() {
    local tier
    for tier in lb ccp; do
        said "$(first_of $tier)" | jq -r '.instance as $i | .pools | to_entries[] | .key as $pool | .value as $p
            | (["\($i): \($pool)", $p.mode, ($p.members | to_entries | map("\(.key) \(.value.state)") | join(", "))] | @tsv)'
    done | (printf 'POOL\tMODE\tMEMBERS\n' && cat) | column -t -s $'\t'
}

case ${1:-} in
'')
    hosts
    echo
    "$HERE/cloud.sh" run "$HERE/stacks.sh" show
    echo
    pools
    ;;
serving) serving ;;
*)
    sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
