# shellcheck shell=bash
# Sourced after services.sh: what is made once per data directory before a service runs: databases, schemas, keys.

made() { [ -e "$MADE/$1" ]; }

make_once() { # make_once WHAT COMMAND...: with its output in a log of its own
    local what=$1
    shift
    made "$what" && return 0
    # In the background, because in a condition bash would go on after a command that failed.
    (set -e && HOME=$DIR/home && "$@") >"$LOG/make-$what.log" 2>&1 </dev/null 9>&- &
    if ! wait $!; then
        tail -n 15 "$LOG/make-$what.log" | cut -c 1-300 | sed 's/^/    /' >&2
        die "making $what failed; see $LOG/make-$what.log"
    fi
    touch "$MADE/$what"
    progress "made: $what"
}

make_mariadb() {
    rm -rf "$DATA/mariadb"
    local words=()
    if [ "$(id -u)" = 0 ]; then words=(--user=root); fi
    # No user but the one at the keyboard, by the socket, gets in without a password.
    mariadb-install-db --no-defaults "${words[@]}" --datadir="$DATA/mariadb" --skip-test-db \
        --auth-root-authentication-method=socket --auth-root-socket-user="$(id -un)"
}

make_keystone() {
    local manage=(keystone-manage --config-file "$ETC/keystone.conf") url=${VALUE[KEYSTONE]}
    local owner
    owner=(--keystone-user "$(id -un)" --keystone-group "$(id -gn)")
    (umask 077 && mkdir -p "$DATA/keystone/fernet-keys" "$DATA/keystone/credential-keys")
    "${manage[@]}" db_sync
    "${manage[@]}" fernet_setup "${owner[@]}"
    "${manage[@]}" credential_setup "${owner[@]}"
    OS_BOOTSTRAP_PASSWORD=${SECRET[admin]} "${manage[@]}" bootstrap --bootstrap-username admin \
        --bootstrap-project-name admin --bootstrap-role-name admin --bootstrap-service-name keystone \
        --bootstrap-region-id RegionOne --bootstrap-public-url "$url" --bootstrap-internal-url "$url" \
        --bootstrap-admin-url "$url"
}

make_heat() { heat-manage --config-file "$ETC/heat.conf" db_sync; }
make_gnocchi() { gnocchi-upgrade --config-file "$ETC/gnocchi.conf"; }
make_aodh() { aodh-dbsync --config-file "$ETC/aodh.conf"; }

# The whole list is pinned: nothing is resolved here.
make_aodh-pypi() {
    "$PYTHON" -m venv --clear "$AODH_OF_PYPI"
    "$AODH_OF_PYPI/bin/pip" install --quiet --no-deps -r "$HERE/aodh-requirements.txt"
    "$AODH_OF_PYPI/bin/aodh-dbsync" --config-file "$ETC/aodh.conf"
}
make_placement() { OS_PLACEMENT_CONFIG_DIR=$ETC placement-manage db sync; }
make_neutron() { neutron-db-manage --config-file "$ETC/neutron.conf" upgrade heads; }
make_glance() { glance-manage --config-file "$ETC/glance-api.conf" db_sync; }

make_nova() {
    local manage=(nova-manage --config-file "$ETC/nova.conf")
    "${manage[@]}" api_db sync
    "${manage[@]}" cell_v2 map_cell0 --database_connection "$(database_url nova_cell0)"
    "${manage[@]}" db sync
    "${manage[@]}" cell_v2 create_cell --name cell1 || [ $? = 2 ] # 2: it is there
}

aodh_schema() { if aodh_is_of_pypi; then echo aodh-pypi; else echo aodh; fi; }

make_rabbitmq() {
    mkdir -p "$DATA/rabbitmq"
    printf '%s' "${SECRET[erlang]}" >"$DATA/rabbitmq/.erlang.cookie"
    chmod 600 "$DATA/rabbitmq/.erlang.cookie"
}

make_data() { # make_data SERVICE: what it needs before its first start
    case $1 in
    mariadb | rabbitmq | keystone | placement | glance | neutron) make_once "$1" "make_$1" ;;
    aodh-*) make_once "$(aodh_schema)" "make_$(aodh_schema)" ;;
    heat-* | gnocchi-* | nova-*) make_once "${1%%-*}" "make_${1%%-*}" ;;
    esac
}
