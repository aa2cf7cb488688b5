#!/bin/bash
# Starts real OpenStack services on loopback, without an init system, and returns when they are ready.
#   up.sh                        Keystone, Heat, Gnocchi, Aodh with MariaDB and RabbitMQ
#   up.sh --nova                 also placement, glance, and nova with its fake driver
#   up.sh --with NAME            also that one: etcd, prometheus
#   up.sh NAME...                only these and what they need
# KAMSCALE_OPENSTACK_DIR (target/openstack) holds all files, KAMSCALE_OPENSTACK_PORT (17000) is the first port. What runs
# is left alone, unless its configuration is another one by now (docs/openstack-testbed.md lists the variables).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$HERE/services.sh"
. "$HERE/data.sh"
. "$HERE/configure.sh"

usage() {
    sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

NAMES=() EXTRA=()
while [ $# -gt 0 ]; do
    case $1 in
    --nova) EXTRA+=("${NOVA_SERVICES[@]}") ;;
    --with)
        is_service "${2:-}" || usage
        EXTRA+=("$2")
        shift
        ;;
    -*) usage ;;
    *)
        is_service "$1" || die "there is no service '$1'; there are: ${ALL_SERVICES[*]}"
        NAMES+=("$1")
        ;;
    esac
    shift
done
[ ${#NAMES[@]} -gt 0 ] || NAMES=("${BASE_SERVICES[@]}")
NAMES+=(${EXTRA[0]+"${EXTRA[@]}"})

with_needs() { # with_needs NAME...: one per line, what is needed first
    local name
    for name in "$@"; do
        # shellcheck disable=SC2046 # words
        with_needs $(needs "$name")
        echo "$name"
    done
}
mapfile -t NAMES < <(with_needs "${NAMES[@]}" | awk '!seen[$0]++')
wanted() { [[ " ${NAMES[*]} " == *" $1 "* ]]; }

check_programs() {
    local name missing=()
    for name in "${NAMES[@]}"; do
        case $name in
        mariadb) command -v mariadbd >/dev/null || missing+=(mariadb-server) ;;
        rabbitmq) [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || missing+=(rabbitmq-server) ;;
        epmd) command -v epmd >/dev/null || missing+=(erlang-base) ;;
        keystone) [ -e /usr/bin/keystone-wsgi-public ] || missing+=(keystone) ;;
        gnocchi-api) [ -e /usr/lib/python3/dist-packages/gnocchi/rest ] || missing+=(gnocchi-api) ;;
        placement) command -v placement-api >/dev/null || missing+=(placement-api) ;;
        glance) command -v glance-api >/dev/null || missing+=(glance-api) ;;
        neutron) command -v neutron-api >/dev/null || missing+=(neutron-server) ;;
        etcd) command -v etcd >/dev/null || missing+=(etcd-server) ;;
        *) command -v "$name" >/dev/null || missing+=("$name") ;;
        esac
    done
    [ ${#missing[@]} = 0 ] || die "not installed: ${missing[*]}; scripts/setup.sh openstack nova installs them"
}

stop_changed() { # services that run with a configuration which is another one by now
    local name file stale=()
    for name in "${ALL_SERVICES[@]}"; do
        file=$(configuration_of "$name")
        if [ -n "$file" ] && [[ " ${CHANGED[*]} " == *" $file "* ]] && is_running "$name"; then stale+=("$name"); fi
    done
    [ ${#stale[@]} -gt 0 ] || return 0
    progress "another configuration: stopping ${stale[*]}"
    stop_all "${stale[@]}"
}

all_ready() {
    local name
    for name in "${NAMES[@]}"; do is_running "$name" || return 1; done
    [ -s "$DIR/endpoints.env" ] && { ! wanted nova-api || made nova-content; }
}

make_schemas() { # in parallel; each only once
    local what failed=0 jobs=()
    for what in keystone heat gnocchi "$(aodh_schema)" placement glance neutron nova; do
        made "$what" && continue
        case $what in
        keystone | placement | glance | neutron) wanted "$what" || continue ;;
        gnocchi | heat | nova) wanted "$what-api" || continue ;;
        aodh | aodh-pypi) wanted aodh-evaluator || wanted aodh-api || continue ;;
        esac
        make_once "$what" "make_$what" &
        jobs+=($!)
    done
    for what in ${jobs[0]+"${jobs[@]}"}; do wait "$what" || failed=1; done
    [ $failed = 0 ] || die "the schemas could not be made"
}

fill_keystone() {
    local name words=()
    for name in "${PORT_NAMES[@]}"; do words+=("$name=${PORT[$name]}"); done
    "$PYTHON" "$HERE/bootstrap.py" "$DIR" "${VALUE[KEYSTONE]}" "${words[@]}"
    progress "users, roles, catalog, clouds.yaml"
}

choose_ports
one_at_a_time
check_programs
write_configuration
stop_changed
if all_ready; then
    progress "all of it runs already"
    exit 0
fi

for name in mariadb epmd; do
    wanted "$name" || continue
    make_data "$name"
    launch_service "$name"
done
if wanted rabbitmq; then
    await epmd 60 is_ready epmd
    make_data rabbitmq
    launch_service rabbitmq
fi
for name in etcd prometheus; do
    if wanted "$name"; then launch_service "$name"; fi
done
if wanted mariadb; then
    await mariadb 240 is_ready mariadb
    progress "mariadb is ready"
    make_schemas
fi
if wanted keystone; then
    start_service keystone
    # Also when it was made before: the files say what this copy of the script says.
    if [ ! -s "$DIR/endpoints.env" ] || [ "$HERE/bootstrap.py" -nt "$DIR/endpoints.env" ]; then
        fill_keystone
    fi
fi
if wanted rabbitmq; then
    await rabbitmq 240 is_ready rabbitmq
    progress "rabbitmq is ready"
fi
for name in "${NAMES[@]}"; do launch_service "$name"; done
for name in "${NAMES[@]}"; do
    await "$name" 240 is_ready "$name"
    case $name in mariadb | epmd | rabbitmq | keystone) ;; *) progress "$name is ready" ;; esac
done
if wanted nova-compute; then
    . "$HERE/nova.sh"
    make_nova_content
fi
progress "all of it runs; logs: $LOG, clouds: $DIR/clouds.yaml"
