#!/bin/bash
# Builds the module from the same source against Kamailio 6.0 and runs the end-to-end tests with that Kamailio.
#   scripts/test-6.0.sh            all of them
#   scripts/test-6.0.sh --short    those of the host's interfaces: routing, calls, RPC, statistics, scripts, health
#   scripts/test-6.0.sh NAME...    those with NAME in their name
# KAMSCALE_PROFILE=dev takes debug builds. Prints SKIPPED and ends well where Kamailio 6.0 cannot be had.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
export KAMSCALE_TARGET_6_0=${KAMSCALE_TARGET_6_0:-$TARGET/kamailio-6.0}
BASE=$KAMSCALE_TARGET_6_0
PROFILE=${KAMSCALE_PROFILE:-release}
FOLDER=$PROFILE
[ "$PROFILE" != dev ] || FOLDER=debug
SHORT=(versions:: smoke:: algorithms:: failover:: calls_are_counted:: rpc:: statistics:: kemi:: bad_input:: health:: events:: sticky:: nodes::)

scripts/kamailio-6.0.sh || {
    [ $? = 3 ] || exit 1
    exit 0
}
VERSION=$("$BASE/bin/kamailio" -v | sed -n 's/^version: kamailio \([^ ]*\).*/\1/p')

# The module alone depends on the server's version: tests and agent are those of the other steps.
CARGO_TARGET_DIR=$BASE KAMAILIO_BIN=$BASE/bin/kamailio cargo build --profile "$PROFILE" -p kamscale-module
cargo build --profile "$PROFILE" -p kamscale-agent
E2E=$(cargo test --profile "$PROFILE" -p kamscale-tests --test e2e --no-run --message-format=json |
    sed -n 's/.*"executable":"\([^"]*\/e2e-[^"]*\)".*/\1/p' | tail -n 1)
[ -x "$E2E" ] || {
    echo "test-6.0: cargo built no end-to-end tests" >&2
    exit 1
}
# The tests take what lies beside them.
RUN=$BASE/run
mkdir -p "$RUN"
cp "$E2E" "$RUN/e2e"
cp "$BASE/$FOLDER/libkamscale.so" "$TARGET/$FOLDER/kamscale-agent" "$TARGET/$FOLDER/kamscale" "$RUN/"

[ "${1:-}" != --short ] || set -- "${SHORT[@]}"
cd tests
PATH=$BASE/bin:$PATH KAMSCALE_KAMAILIO_VERSION=$VERSION "$RUN/e2e" --show-output "$@"
