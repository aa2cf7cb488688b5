#!/bin/bash
# Plays the scenarios of make openstack: starts the real services if they do not run, and stops what it started.
#   scripts/openstack.sh [--short] [WORD...]
#     --short   as a test: without what takes minutes; SKIPPED where the services cannot be installed
#     WORD      only scenarios in whose name it stands
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

if ! scripts/setup.sh openstack; then
    [[ " $* " == *" --short "* ]] || exit 1
    echo "SKIPPED: scenarios with real OpenStack services: packages are missing (see above)"
    exit 0
fi
# What ran before belongs to somebody who wants it to go on.
if ! tests/openstack/service.sh status keystone >/dev/null 2>&1; then
    trap 'tests/openstack/down.sh' EXIT
fi
cargo run --release -p kamscale-tests --bin openstack -- "$@"
