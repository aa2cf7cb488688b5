# shellcheck shell=bash
# Sourced by the scripts here: what a world's files, namespaces, links and groups are called, and how time is told and
# processes are known again. It makes nothing; a second world needs another KAMSCALE_WORLD and KAMSCALE_WORLD_DIR only.
# shellcheck disable=SC2034 # the names are for who sources this

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPOSITORY=$(cd "$HERE/../.." && pwd)
WORLD=${KAMSCALE_WORLD:-kw}
DIR=${KAMSCALE_WORLD_DIR:-$REPOSITORY/target/world}
mkdir -p "$DIR/hosts"
DIR=$(cd "$DIR" && pwd)
SWITCH=$WORLD-switch
CGROUPS=/sys/fs/cgroup
# cpu has the quota; cpuacct, memory and pids count. Below the last two each systemd keeps its units, which have the same
# names in every host.
CONTROLLERS=(cpu cpuacct memory pids systemd unified)

die() {
    printf 'world: ERROR  %s\n' "$*" >&2
    exit 1
}

namespace_of() { echo "$WORLD-$1"; } # namespace_of HOST: also the name of its end of the cable at the switch
has_namespace() { [ -e "/run/netns/$WORLD-$1" ]; }

check_name() { # check_name HOST: a link's name has 15 characters at most
    [[ $1 =~ ^[a-z][a-z0-9-]*$ ]] || die "a host's name has small letters, digits and hyphens, not '$1'"
    [ $((${#WORLD} + 1 + ${#1})) -le 15 ] || die "host '$1': with the prefix '$WORLD-' more than 15 characters"
}

# --- groups: who runs in the world is told apart by them ---
group() { echo "$CGROUPS/$1/$WORLD/$2"; } # group CONTROLLER NAME

make_groups() { # make_groups NAME: before anything runs there, so that it sees its own
    local controller
    for controller in "${CONTROLLERS[@]}"; do mkdir -p "$(group "$controller" "$1")"; done
    # Otherwise the whole world would count as much as one process of this machine.
    echo 4096 >"$CGROUPS/cpu/$WORLD/cpu.shares"
}

enter_groups() { # enter_groups NAME: this process
    local controller
    for controller in "${CONTROLLERS[@]}"; do echo "$BASHPID" >"$(group "$controller" "$1")/cgroup.procs"; done
}

remove_groups() { # remove_groups NAME: what a host's own init made below goes first; fails while a process is left
    local controller path
    for controller in "${CONTROLLERS[@]}"; do
        path=$(group "$controller" "$1")
        if [ -d "$path" ]; then find "$path" -depth -type d -exec rmdir {} + || return 1; fi
    done
}

start_time() { # start_time PID: what tells it from a later process of the same number; nothing if it is gone
    local stat
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    stat=${stat##*) } # the name may have blanks
    # shellcheck disable=SC2086 # words
    set -- $stat
    [ "$1" != Z ] || return 1
    echo "${20}"
}

recorded_pid() { # recorded_pid FILE: the process that it names, "PID START-TIME", if it still runs
    local pid started
    read -r pid started 2>/dev/null <"$1" || return 1
    [ "$(start_time "$pid")" = "$started" ] || return 1
    echo "$pid"
}

await() { # await SECONDS WHAT CONDITION...
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        [ $SECONDS -lt $end ] || die "not within its time: $what"
        sleep 0.05
    done
}
