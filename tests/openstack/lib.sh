# shellcheck shell=bash
# Sourced by the scripts here: where files and ports are, and how a daemon is started, awaited and stopped without an
# init system. It must not know what the services are; that stands in services.sh.
# shellcheck disable=SC2034 # the names are for who sources this

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPOSITORY=$(cd "$HERE/../.." && pwd)
DIR=${KAMSCALE_OPENSTACK_DIR:-$REPOSITORY/target/openstack}
mkdir -p "$DIR"
DIR=$(cd "$DIR" && pwd)
ETC=$DIR/etc LOG=$DIR/log RUN=$DIR/run DATA=$DIR/data MADE=$DIR/made MEMBERS=$DIR/members
PYTHON=/usr/bin/python3
BEGIN=${EPOCHREALTIME/./}

# A proxy or a cloud of the person at the keyboard is none of the services' business.
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
unset "${!OS_@}"

progress() { # progress TEXT: with the seconds since the start
    local ms=$(((${EPOCHREALTIME/./} - BEGIN) / 1000))
    printf 'openstack: %3d.%d s  %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$*"
}

die() {
    printf 'openstack: ERROR  %s\n' "$*" >&2
    exit 1
}

# --- ports: one base, so that a second set needs one number only ---
PORT_NAMES=(keystone heat-api heat-api-cfn gnocchi-api aodh-api mariadb rabbitmq rabbitmq-nodes epmd etcd etcd-peers
    prometheus placement glance nova-api neutron)
declare -A PORT AT
set_ports() { # set_ports BASE: and where each listens; database and broker are nobody's but the services'
    local name number=$1
    for name in "${PORT_NAMES[@]}"; do
        PORT[$name]=$number
        AT[$name]=$ADDRESS
        number=$((number + 1))
    done
    for name in mariadb rabbitmq rabbitmq-nodes epmd; do AT[$name]=127.0.0.1; done
}

choose_ports() { # the data knows its ports and its address: the catalog is full of them
    local base known=""
    if [ -s "$DIR/address" ]; then known=$(<"$DIR/address"); fi
    ADDRESS=${KAMSCALE_OPENSTACK_ADDRESS:-${known:-127.0.0.1}}
    if [ -n "$known" ] && [ "$known" != "$ADDRESS" ]; then
        die "$DIR was made for the address $known, not $ADDRESS: unset KAMSCALE_OPENSTACK_ADDRESS, or run down.sh --wipe first"
    fi
    known=""
    if [ -s "$DIR/port" ]; then known=$(<"$DIR/port"); fi
    base=${KAMSCALE_OPENSTACK_PORT:-${known:-17000}}
    if [ -n "$known" ] && [ "$known" != "$base" ]; then
        die "$DIR was made for ports from $known, not $base: unset KAMSCALE_OPENSTACK_PORT, or run down.sh --wipe first"
    fi
    set_ports "$base"
}

# --- processes: $RUN/NAME.pid says "pid start-time"; the pid leads a session and a process group of its own ---
start_time() { # start_time PID: what tells it from a later process of the same number; nothing if it is gone
    local stat
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    stat=${stat##*) } # the name may have blanks
    # shellcheck disable=SC2086 # words
    set -- $stat
    [ "$1" != Z ] || return 1
    echo "${20}"
}

recorded_pid() { # recorded_pid NAME: of a daemon whose leader lives
    local pid started
    read -r pid started 2>/dev/null <"$RUN/$1.pid" || return 1
    [ "$(start_time "$pid")" = "$started" ] || return 1
    echo "$pid"
}

is_running() { recorded_pid "$1" >/dev/null; }

# A group may outlive its leader; while it has members its number is not given away.
group_of() {
    local pid started
    read -r pid started 2>/dev/null <"$RUN/$1.pid" || return 1
    if [ "$(start_time "$pid" || echo gone)" != "$started" ] && [ -e "/proc/$pid" ]; then return 1; fi
    pgrep -g "$pid" --runstates DRSTtWIK >/dev/null || return 1
    echo "$pid"
}

port_is_open() { # port_is_open NAME
    (exec 3<>"/dev/tcp/${AT[$1]}/${PORT[$1]}") 2>/dev/null
}

answers() { # answers NAME PATH: with a status of 2xx or 3xx, within 5 s
    local status
    status=$(
        exec 2>/dev/null
        exec 3<>"/dev/tcp/${AT[$1]}/${PORT[$1]}" || exit 1
        printf 'GET %s HTTP/1.0\r\nHost: %s:%s\r\nAccept: application/json\r\n\r\n' "$2" "${AT[$1]}" "${PORT[$1]}" >&3
        read -r -t 5 _ status _ <&3
        echo "$status"
    ) || return 1
    [[ $status == [23]* ]]
}

launch() { # launch NAME COMMAND...: not awaited; its log is continued, and what is new in it can be told from what is old
    local name=$1 pid
    shift
    stat -c %s "$LOG/$name.log" >"$RUN/$name.offset" 2>/dev/null || echo 0 >"$RUN/$name.offset"
    # 9 is the lock of the script that starts it.
    setsid "$@" >>"$LOG/$name.log" 2>&1 </dev/null 9>&- &
    pid=$!
    echo "$pid $(start_time "$pid" || echo 0)" >"$RUN/$name.pid"
}

new_log() { # new_log NAME: what it wrote since it was launched last
    tail -c +$(($(<"$RUN/$1.offset") + 1)) "$LOG/$1.log"
}

died() { # died NAME WHAT
    printf 'openstack: the last lines of %s:\n' "$LOG/$1.log" >&2
    new_log "$1" | tail -n 15 | cut -c 1-300 | sed 's/^/    /' >&2
    die "$1 $2; see $LOG/$1.log"
}

await() { # await NAME SECONDS CONDITION...: until it holds; an error when the daemon dies or the time is over
    local name=$1 end=$((SECONDS + $2))
    shift 2
    until "$@"; do
        is_running "$name" || died "$name" "ended instead of getting ready"
        [ $SECONDS -lt $end ] || died "$name" "did not get ready in time"
        sleep 0.1
    done
}

signal_group() { # signal_group SIGNAL NAME
    local group
    if group=$(group_of "$2"); then kill -s "$1" -- "-$group" 2>/dev/null || true; fi
}

all_gone() { # all_gone NAME...
    local name
    for name in "$@"; do if group_of "$name" >/dev/null; then return 1; fi; done
}

stop_all() { # stop_all NAME...: together: TERM, and KILL for what is there 10 s later
    local name end=$((SECONDS + 10))
    for name in "$@"; do
        signal_group CONT "$name"
        signal_group TERM "$name"
    done
    until all_gone "$@"; do
        if [ $SECONDS -ge $end ]; then
            kill_all_of "$@"
            break
        fi
        sleep 0.05
    done
    for name in "$@"; do rm -f "$RUN/$name.pid"; done
}

kill_all_of() { # kill_all_of NAME...: KILL, now
    local name end=$((SECONDS + 10))
    for name in "$@"; do
        if group_of "$name" >/dev/null; then
            progress "$name: KILL"
            signal_group KILL "$name"
        fi
    done
    until all_gone "$@"; do
        [ $SECONDS -lt $end ] || die "cannot kill one of: $*"
        sleep 0.05
    done
    for name in "$@"; do rm -f "$RUN/$name.pid"; done
}

one_at_a_time() { # the scripts of one directory wait for each other
    exec 9>"$DIR/lock"
    flock -w 600 9 || die "another up.sh or down.sh has held $DIR/lock for 10 minutes"
}
