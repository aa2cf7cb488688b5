#!/bin/bash
# The cloud of the world: the OpenStack of tests/openstack at an address on the switch, and what talks to it.
#   cloud.sh up | down          its services (and etcd); its data is under the world's directory and goes with it
#   cloud.sh run COMMAND...     in the cloud's network, with its variables; so are service.sh and every client run
# It makes no stack and knows no host.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

OPENSTACK=$REPOSITORY/tests/openstack
ADDRESS=${KAMSCALE_WORLD_CLOUD:-10.77.0.2}

# shellcheck disable=SC2317 # used by name
run() {
    has_namespace cloud || die "there is no cloud: cloud.sh up"
    nsenter --net="/run/netns/$(namespace_of cloud)" env KAMSCALE_WORLD="$WORLD" KAMSCALE_WORLD_DIR="$DIR" \
        KAMSCALE_OPENSTACK_DIR="$DIR/openstack" KAMSCALE_OPENSTACK_ADDRESS="$ADDRESS" "$@"
}

up() {
    has_namespace cloud || "$HERE/net.sh" attach cloud "$ADDRESS"
    make_groups cloud
    # It serves all hosts; but that it measures and makes others must not cost those that serve callers.
    echo 2048 >"$(group cpu cloud)/cpu.shares"
    (enter_groups cloud && run "$OPENSTACK/up.sh" --with etcd)
}

down() {
    has_namespace cloud || return 0
    # Nothing of it is there if this was broken off the last time.
    if [ -e "$DIR/openstack/endpoints.env" ]; then
        # It would mourn its broker for ten seconds.
        run "$OPENSTACK/service.sh" kill heat-engine
        run "$OPENSTACK/down.sh" --wipe
    fi
    # The last process may still be on its way out of the kernel.
    await 60 "the cloud's processes are gone" remove_groups cloud
    "$HERE/net.sh" detach cloud
    rm -rf "$DIR/openstack"
}

case ${1:-} in
up | down) "$1" ;;
run)
    shift
    run "$@"
    ;;
*)
    sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
