# shellcheck shell=bash
# Sourced after lib.sh: what each service is: its command, what it needs, when it is ready, which configuration it reads.

BASE_SERVICES=(mariadb epmd rabbitmq keystone heat-api heat-api-cfn heat-engine gnocchi-api gnocchi-metricd
    aodh-api aodh-evaluator aodh-notifier)
NOVA_SERVICES=(placement glance neutron nova-api nova-conductor nova-scheduler nova-compute)
EXTRA_SERVICES=(etcd prometheus)
# In this order they are started; stopped are the others first, then RabbitMQ, then MariaDB.
ALL_SERVICES=("${BASE_SERVICES[@]}" "${NOVA_SERVICES[@]}" "${EXTRA_SERVICES[@]}")

is_service() { [[ " ${ALL_SERVICES[*]} " == *" $1 "* ]]; }

needs() { # needs NAME: what must be ready before it is started
    case $1 in
    mariadb | epmd | etcd | prometheus) ;;
    rabbitmq) echo epmd ;;
    keystone) echo mariadb ;;
    gnocchi-* | placement | glance) echo mariadb keystone ;;
    nova-conductor | nova-scheduler | nova-compute) echo mariadb rabbitmq keystone placement glance neutron ;;
    *) echo mariadb rabbitmq keystone ;;
    esac
}

configuration_of() { # configuration_of NAME: its file in $ETC, if it has one
    case $1 in
    mariadb) echo mariadb.sql ;;
    heat-*) echo heat.conf ;;
    gnocchi-*) echo gnocchi.conf ;;
    aodh-*) echo aodh.conf ;;
    nova-*) echo nova.conf ;;
    glance) echo glance-api.conf ;;
    keystone | placement | neutron) echo "$1.conf" ;;
    rabbitmq) echo rabbitmq.conf ;;
    prometheus) echo prometheus.yml ;;
    esac
}

# Which release of Aodh runs: the configuration that its services read says so.
aodh_is_of_pypi() { [ "$(<"$ETC/aodh-release")" = pypi ]; }
AODH_OF_PYPI=$DATA/aodh-pypi

# uwsgi's plain HTTP socket ends the connection after each answer: the header says so to clients that would reuse it.
uwsgi() { # uwsgi NAME THREADS WORDS...: sets COMMAND
    local name=$1 threads=$2
    shift 2
    COMMAND=(uwsgi_python3 --http-socket "${AT[$name]}:${PORT[$name]}" --master --die-on-term --enable-threads --lazy-apps
        --no-threads-wait --worker-reload-mercy 2 --buffer-size 65535 --disable-logging
        --add-header "Connection: close" --processes 1 --threads "$threads" --chdir / "$@")
}

command_of() { # command_of NAME: sets COMMAND
    local conf
    conf=$ETC/$(configuration_of "$1")
    case $1 in
    mariadb)
        # The socket's path counts from the data directory: it may have 107 characters at most.
        COMMAND=(mariadbd --no-defaults --datadir="$DATA/mariadb" --socket=mariadb.sock --bind-address=127.0.0.1
            --port="${PORT[mariadb]}" --pid-file="$RUN/mariadbd.pid" --init-file="$ETC/mariadb.sql"
            --innodb-buffer-pool-size=64M --innodb-log-file-size=32M --innodb-flush-log-at-trx-commit=0
            --skip-name-resolve --max-connections=400 --character-set-server=utf8mb3)
        if [ "$(id -u)" = 0 ]; then COMMAND+=(--user=root); fi
        ;;
    epmd) COMMAND=(epmd -address 127.0.0.1 -port "${PORT[epmd]}") ;;
    rabbitmq)
        COMMAND=(env HOME="$DATA/rabbitmq" ERL_EPMD_PORT="${PORT[epmd]}" ERL_EPMD_ADDRESS=127.0.0.1
            RABBITMQ_NODENAME=kamscale@localhost RABBITMQ_MNESIA_BASE="$DATA/rabbitmq" RABBITMQ_LOG_BASE="$LOG"
            RABBITMQ_CONFIG_FILE="$conf" RABBITMQ_ENABLED_PLUGINS_FILE="$ETC/rabbitmq-plugins"
            RABBITMQ_DIST_PORT="${PORT[rabbitmq-nodes]}" RABBITMQ_PID_FILE="$RUN/rabbitmq-erlang.pid"
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 2:2 -kernel inet_dist_use_interface {127,0,0,1}"
            /usr/lib/rabbitmq/bin/rabbitmq-server)
        ;;
    keystone)
        uwsgi keystone 8 --wsgi-file /usr/bin/keystone-wsgi-public
        COMMAND=(env OS_KEYSTONE_CONFIG_FILES="$conf" "${COMMAND[@]}")
        ;;
    gnocchi-api) uwsgi gnocchi-api 8 --wsgi gnocchi.rest.wsgi --pyargv "--config-file $conf" ;;
    aodh-*)
        local programs=/usr/bin words=()
        if aodh_is_of_pypi; then programs=$AODH_OF_PYPI/bin words=(--venv "$AODH_OF_PYPI"); fi
        if [ "$1" = aodh-api ]; then
            uwsgi aodh-api 8 "${words[@]}" --wsgi-file "$programs/aodh-api" --pyargv "--config-file $conf"
        else
            # The evaluator of Debian's release knows no Prometheus.
            COMMAND=(env PROMETHEUS_HOST="${AT[prometheus]}" PROMETHEUS_PORT="${PORT[prometheus]}" "$programs/$1" --config-file "$conf")
        fi
        ;;
    placement)
        uwsgi placement 8 --wsgi-file /usr/bin/placement-api
        COMMAND=(env OS_PLACEMENT_CONFIG_DIR="$ETC" "${COMMAND[@]}")
        ;;
    # One thread: it is made of green threads, whose locks do not know a second real one.
    neutron) uwsgi neutron 1 --wsgi-file /usr/bin/neutron-api --pyargv "--config-file $conf" ;;
    glance) COMMAND=(glance-api --config-file "$conf") ;;
    heat-engine)
        COMMAND=(env KAMSCALE_OPENSTACK_DIR="$DIR" heat-engine --config-file "$conf")
        ;;
    etcd)
        COMMAND=(etcd --name kamscale --data-dir "$DATA/etcd" --log-level warn
            --listen-client-urls "http://${AT[etcd]}:${PORT[etcd]}"
            --advertise-client-urls "http://${AT[etcd]}:${PORT[etcd]}"
            --listen-peer-urls "http://${AT[etcd-peers]}:${PORT[etcd-peers]}"
            --initial-advertise-peer-urls "http://${AT[etcd-peers]}:${PORT[etcd-peers]}"
            --initial-cluster "kamscale=http://${AT[etcd-peers]}:${PORT[etcd-peers]}")
        ;;
    prometheus)
        COMMAND=(prometheus --config.file="$conf" --storage.tsdb.path="$DATA/prometheus" --log.level=warn
            --web.listen-address="${AT[prometheus]}:${PORT[prometheus]}" --web.enable-lifecycle
            --web.enable-remote-write-receiver --query.lookback-delta=10s)
        ;;
    *) COMMAND=("$1" --config-file "$conf") ;;
    esac
}

database() { # database SQL: its answer, bare
    MYSQL_PWD=${SECRET[database]} mariadb --no-defaults -h 127.0.0.1 -P "${PORT[mariadb]}" -u kamscale -N -B -e "$1"
}

# The engine writes its row when its RPC server runs; an open port of the API says nothing about it.
engine_reported() {
    local since
    since=$(<"$RUN/heat-engine.since")
    [ "$(database "SET time_zone='+00:00'; SELECT COUNT(*) FROM heat.service
        WHERE created_at >= FROM_UNIXTIME($since)" 2>/dev/null)" -gt 0 ] 2>/dev/null
}

is_connected() { # is_connected NAME SERVICE: has one of its processes a connection to that service?
    local pids
    pids=$(pgrep -d '|' -g "$(group_of "$1")") &&
        ss -Htnp state established "dport = :${PORT[$2]}" | grep -qE "pid=($pids),"
}

# Neutron's first request must be for networks: before that one, those for ports fail (Port has no port_forwardings), because
# SQLAlchemy configures its classes with the first query. So that is what "ready" asks, with the admin's token.
knows_networks() {
    answers neutron / && "$PYTHON" "$HERE/nova.py" "$DIR" networks >>"$LOG/make-networks.log" 2>&1
}

new_log_says() { new_log "$1" 2>/dev/null | grep -q "$2"; }

is_ready() { # is_ready NAME
    case $1 in
    mariadb) database "SELECT 1" >/dev/null 2>&1 ;;
    epmd | rabbitmq) port_is_open "$1" ;;
    keystone) answers keystone /v3 ;;
    heat-api | heat-api-cfn | gnocchi-api | aodh-api | placement | nova-api) answers "$1" / ;;
    neutron) knows_networks ;;
    glance) answers glance /healthcheck || port_is_open glance ;;
    heat-engine) engine_reported ;;
    etcd) answers etcd /health ;;
    prometheus) answers prometheus /-/ready ;;
    nova-conductor | nova-scheduler | nova-compute) nova_reported "$1" ;;
    gnocchi-metricd) new_log_says gnocchi-metricd "Joined coordination group" ;;
    # These have neither a port nor a word to say when all is well.
    aodh-evaluator) is_connected aodh-evaluator mariadb ;;
    aodh-notifier) is_connected aodh-notifier rabbitmq ;;
    esac
}

nova_reported() {
    local since
    since=$(<"$RUN/$1.since")
    [ "$(database "SET time_zone='+00:00'; SELECT COUNT(*) FROM nova.services WHERE \`binary\` = '$1'
        AND deleted = 0 AND last_seen_up >= FROM_UNIXTIME($since)" 2>/dev/null)" -gt 0 ] 2>/dev/null
}

launch_service() { # launch_service NAME: not awaited; nothing if it runs
    is_running "$1" && return 0
    # What is left of a dead one would hold its port.
    if group_of "$1" >/dev/null; then kill_all_of "$1"; fi
    if [ -n "${PORT[$1]:-}" ] && port_is_open "$1"; then
        die "port ${PORT[$1]}, meant for $1, is taken: choose another base with KAMSCALE_OPENSTACK_PORT and KAMSCALE_OPENSTACK_DIR"
    fi
    command_of "$1"
    date +%s >"$RUN/$1.since"
    HOME=$DIR/home launch "$1" "${COMMAND[@]}"
}

start_service() { # start_service NAME: and what it needs; returns when it is ready
    local need
    is_running "$1" && is_ready "$1" && return 0
    for need in $(needs "$1"); do start_service "$need"; done
    make_data "$1"
    launch_service "$1"
    await "$1" 240 is_ready "$1"
    progress "$1 is ready"
}
