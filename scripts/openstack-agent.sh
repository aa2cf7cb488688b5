#!/bin/bash
# Runs the agent's own tests that need real services: Keystone, Gnocchi and the Heat actuators. Starts the services
# if they do not run, and stops what it started. One test after the other: one of them stops a service.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

if ! scripts/setup.sh openstack; then
    echo "SKIPPED: the agent's tests with real OpenStack services: packages are missing (see above)"
    exit 0
fi
# What ran before belongs to somebody who wants it to go on.
if ! tests/openstack/service.sh status keystone >/dev/null 2>&1; then
    trap 'tests/openstack/down.sh' EXIT
fi
tests/openstack/up.sh
export KAMSCALE_OPENSTACK=${KAMSCALE_OPENSTACK_DIR:-$ROOT/target/openstack}
# shellcheck source=/dev/null
. "$KAMSCALE_OPENSTACK/endpoints.env"
export KAMSCALE_OPENSTACK_CLOUDS=$OS_CLIENT_CONFIG_FILE
status=0
cargo test -p kamscale-agent --lib tests::real:: -- --ignored --test-threads=1 --show-output || status=$?
cargo test -p kamscale-agent --test heat_real -- --show-output || status=$?
exit "$status"
