#!/bin/bash
# The machines of the world: each boots a systemd of its own, with its own disk, network, processes and share of the
# processors. It knows no role; what a host becomes, its seed says (a NoCloud directory, for cloud-init).
#   host.sh up HOST ADDRESS [--cpu CORES] [--memory MB] [--seed DIRECTORY]    returns when its init runs; with a seed it may use all
#                               processors until its first boot is over, as clouds let small machines do
#   host.sh wait HOST           until it has started everything; fails if a unit failed
#   host.sh down HOST           an orderly shutdown, and everything of it is gone
#   host.sh kill HOST           as if the power failed
#   host.sh exec HOST COMMAND...
#   host.sh state HOST          running, dead (something is left of it), absent
#   host.sh memory [HOST...]    bytes that each takes, its disk included
#   host.sh list
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    sed -n '2,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

limit_cores() { # limit_cores HOST CORES
    awk -v cores="$2" 'BEGIN { printf "%d", cores * 100000 }' >"$(group cpu "$1")/cpu.cfs_quota_us"
}

processes() { # processes HOST: all that run in it, and what boots it
    local path
    path=$(group pids "$1")
    if [ -d "$path" ]; then find "$path" -name cgroup.procs -exec cat {} +; fi
}
is_empty() { [ -z "$(processes "$1")" ]; }

init_of() { # init_of HOST: the process that is number 1 there
    recorded_pid "$DIR/hosts/$1/init"
}

find_init() { # find_init HOST: and record it
    local pid
    for pid in $(processes "$1"); do
        if [[ $(sed -n 's/^NSpid:\t//p' "/proc/$pid/status" 2>/dev/null) =~ ^[0-9]+$'\t'1$ ]]; then
            # Until its program is systemd it is nspawn, which has not finished the host's root.
            [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = systemd ] || return 1
            echo "$pid $(start_time "$pid")" >"$DIR/hosts/$1/init"
            return 0
        fi
    done
    recorded_pid "$DIR/hosts/$1/boot" >/dev/null || {
        tail -n 5 "$DIR/hosts/$1/console.log" >&2
        die "host $1 did not boot; see $DIR/hosts/$1/console.log"
    }
    return 1
}

# All hosts are one user's, each init watches files, and a kernel allows a user 128 watchers: those of about fifteen hosts.
allow_watchers() {
    local limit=/proc/sys/fs/inotify/max_user_instances
    if [ "$(<$limit)" -lt 1024 ]; then echo 1024 >$limit; fi
}

up() { # up HOST ADDRESS [--cpu CORES] [--memory MB] [--seed DIRECTORY]
    local host=$1 address=$2 cores="" memory_mb="" seed=""
    shift 2
    while [ $# -gt 0 ]; do
        case $1 in
        --cpu) cores=$2 ;;
        --memory) memory_mb=$2 ;;
        --seed) seed=$(cd "$2" && pwd) ;;
        *) usage ;;
        esac
        shift 2
    done
    check_name "$host"
    [ "$(state "$host")" = absent ] || die "host $host is $(state "$host"): host.sh down $host"
    mountpoint -q "$DIR/image" || die "no image is mounted: image.sh make && image.sh mount"
    mkdir -p "$DIR/hosts/$host"
    allow_watchers
    "$HERE/net.sh" attach "$host" "$address"
    make_groups "$host"
    if [ -n "$cores" ]; then limit_cores "$host" "$([ -n "$seed" ] && nproc || echo "$cores")"; fi
    # On few processors a machine that boots must not take those of hosts that serve.
    [ -z "$seed" ] || echo 512 >"$(group cpu "$host")/cpu.shares"
    [ -z "$memory_mb" ] || echo "${memory_mb}M" >"$(group memory "$host")/memory.limit_in_bytes"
    (
        enter_groups "$host"
        exec setsid unshare --mount --propagation slave "$HERE/boot.sh" "$host" "$address" "$seed"
    ) >"$DIR/hosts/$host/console.log" 2>&1 </dev/null 9>&- &
    echo "$! $(start_time $!)" >"$DIR/hosts/$host/boot"
    await 60 "host $host boots" find_init "$host"
    if [ -n "$seed" ]; then setsid "$HERE/host.sh" settle "$host" "$cores" >/dev/null 2>&1 </dev/null 9>&- & fi
}

settle() { # settle HOST CORES: its share, from the end of its first boot on
    local pid
    pid=$(init_of "$1") || return 0
    until [ -e "/proc/$pid/root/run/cloud-init/result.json" ]; do
        init_of "$1" >/dev/null || return 0
        sleep 0.5
    done
    echo 4096 >"$(group cpu "$1")/cpu.shares"
    if [ -n "$2" ]; then limit_cores "$1" "$2"; fi
}

state() { # state HOST
    if init_of "$1" >/dev/null; then
        echo running
    elif has_namespace "$1" || [ -d "$(group pids "$1")" ]; then
        echo dead
    else
        echo absent
    fi
}

# Its last process may still be on its way out of the kernel, and its mounts with it.
clear() { # clear HOST: what a host without processes leaves
    local pid
    for pid in $(processes "$1"); do kill -s KILL "$pid" 2>/dev/null || true; done
    await 20 "the processes of $1 are gone" is_empty "$1"
    remove_groups "$1"
    "$HERE/net.sh" detach "$1"
    rm -rf "${DIR:?}/hosts/$1"
}

down() { # down HOST: nothing to do if it is absent
    local pid end=$((SECONDS + ${KAMSCALE_WORLD_HALT_S:-20}))
    check_name "$1"
    if pid=$(init_of "$1"); then
        kill -s RTMIN+4 "$pid" # systemd: power off
        while init_of "$1" >/dev/null && [ $SECONDS -lt $end ]; do sleep 0.05; done
    fi
    clear "$1"
}

# With its init the kernel kills every process of the host at once.
kill_host() {
    local pid
    check_name "$1"
    pid=$(init_of "$1") || die "host $1 is $(state "$1")"
    kill -s KILL "$pid"
    clear "$1"
}

execute() { # execute HOST COMMAND...
    local pid
    pid=$(init_of "$1") || die "host $1 is $(state "$1"); running: $(list | xargs)"
    enter_groups "$1"
    shift
    exec nsenter --target "$pid" --cgroup --mount --uts --ipc --net --pid --root -- \
        env -i PATH="$PATH" HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" /bin/sh -c 'cd / && exec "$@"' sh "$@"
}

wait_for() { # wait_for HOST
    has_bus() { [ -e "/proc/$pid/root/run/systemd/private" ]; }
    local pid
    pid=$(init_of "$1") || die "host $1 is $(state "$1")"
    await 30 "the systemd of $1 answers" has_bus
    "$HERE/host.sh" exec "$1" systemctl is-system-running --quiet --wait ||
        die "$("$HERE/host.sh" exec "$1" systemctl --failed --no-legend --plain)"
}

list() {
    local path
    for path in "$DIR"/hosts/*/init; do
        if [ -e "$path" ]; then basename "$(dirname "$path")"; fi
    done
}

memory() {
    local host
    # shellcheck disable=SC2046 # words
    [ $# -gt 0 ] || set -- $(list)
    for host in "$@"; do
        printf '%-12s %d\n' "$host" "$(<"$(group memory "$host")/memory.usage_in_bytes")"
    done
}

[ $# -ge 1 ] || usage
ACTION=$1
shift
case $ACTION in
up | exec | settle) [ $# -ge 2 ] || usage ;;
down | kill | state | wait) [ $# = 1 ] || usage ;;
list | memory) ;;
*) usage ;;
esac
case $ACTION in
kill) kill_host "$1" ;;
exec) execute "$@" ;;
wait) wait_for "$1" ;;
*) "$ACTION" "$@" ;;
esac
