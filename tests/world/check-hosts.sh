#!/bin/bash
# Shows that the hosts of the world are machines: they boot from the image, hear each other unless parted, have their own
# share of the processors and of memory, and leave nothing, however they end. It needs no OpenStack; a world of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export KAMSCALE_WORLD=kc KAMSCALE_WORLD_DIR=${KAMSCALE_WORLD_DIR:-../../target/world}-check
. ./lib.sh
FAILED=0
check() { # check NAME COMMAND...
    local name=$1
    shift
    if "$@"; then echo "ok  $name"; else
        echo "FAILED  $name"
        FAILED=1
    fi
}
not() { ! "$@"; }
hears() { ./host.sh exec "$1" ping -q -c 1 -W 1 "$2" >/dev/null; }
reads() { [ "$(./host.sh exec "$1" cat "$2")" = "$3" ]; } # reads HOST FILE CONTENT
only_its_own() { # only_its_own HOST: what runs in it is the init's, and no service of this machine
    [ "$(./host.sh exec "$1" systemctl list-units --type=service --state=running --no-legend --plain | cut -d ' ' -f 1 | xargs)" = \
        "dbus.service systemd-journald.service" ]
}
settles() { # settles HOST FILE CONTENT: within ten seconds
    local try
    for ((try = 0; try < 100; try++)); do
        if reads "$@"; then return 0; fi
        sleep 0.1
    done
    return 1
}
has_run() { ./host.sh exec "$1" test -e "$2"; }
nothing_is_left() { # nothing_is_left HOST
    [ "$(./host.sh state "$1")" = absent ] && [ ! -e "$DIR/hosts/$1" ] && ! compgen -G "$CGROUPS/*/$WORLD/$1" >/dev/null &&
        ! grep -q "$DIR/hosts/$1" /proc/self/mountinfo && ! ip -n "$SWITCH" link show "$(namespace_of "$1")" 2>/dev/null
}

finish() {
    local host
    for host in $(./host.sh list); do ./host.sh down "$host"; done
    ./net.sh down
    ./image.sh umount
    for host in "${CONTROLLERS[@]}"; do rmdir "$CGROUPS/$host/$WORLD" 2>/dev/null || true; done
    rm -rf "$SEED"
}
SEED=$(mktemp -d)
trap finish EXIT
./image.sh make
./image.sh mount
./net.sh up
printf 'instance-id: one\nlocal-hostname: seeded\n' >"$SEED/meta-data"
printf '#!/bin/sh\ntouch /run/user-data-ran\n' >"$SEED/user-data"
./host.sh up one 10.77.0.1 --cpu 0.5 --memory 256
./host.sh up two 10.77.0.2 --cpu 0.25 --seed "$SEED"
check "a host starts all of its units" ./host.sh wait one
check "a host with a seed, too" ./host.sh wait two
check "nothing of this machine is started" only_its_own one
check "the user data of the seed has run" has_run two /run/user-data-ran
check "a host has its name" reads one /etc/hostname one
check "a host sees its share of the processors" reads one /sys/fs/cgroup/cpu/cpu.cfs_quota_us 50000
check "with a seed, from the end of its first boot on" settles two /sys/fs/cgroup/cpu/cpu.cfs_quota_us 25000
check "a host sees its share of memory" reads one /sys/fs/cgroup/memory/memory.limit_in_bytes $((256 << 20))
check "hosts hear each other" hears one 10.77.0.2
./net.sh split one two
check "a parted pair does not" not hears one 10.77.0.2
./net.sh join one two
check "and does again" hears one 10.77.0.2
./net.sh cut two
check "a host that is cut off is not heard" not hears one 10.77.0.2
./net.sh heal two
check "and is again" hears one 10.77.0.2
./host.sh down one
check "a host that was shut down leaves nothing" nothing_is_left one
./host.sh kill two
check "a host that was killed leaves nothing" nothing_is_left two
exit $FAILED
