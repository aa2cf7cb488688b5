#!/bin/bash
# Runs every test of the project, one runner after the other, also when one fails, and ends with one line,
# "N passed, N failed, N skipped". Fails if any test failed, or if a runner could not run or ran nothing.
#   scripts/run-tests.sh [STEP...]     without a step: all; a wrong name lists them
# How results are counted: scripts/count-tests.awk. Logs: target/reports/tests/STEP.log.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT" || exit 1
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
LOGS=$TARGET/reports/tests
STEPS=(shm kamailio-sys kamailio module-logic agent safe-layer puppet build puppet-real end-to-end kamailio-6.0 openstack world)
PASSED=0 FAILED=0 SKIPPED=0
REASONS=() # one line per skipped test
BROKEN=()  # one line per runner that failed

export CARGO_TERM_COLOR=never CARGO_TERM_PROGRESS_WHEN=never

# A runner that hangs must not swallow the results of the others. Not on a terminal: it would not see Ctrl-C.
LIMIT=()
[ -t 1 ] || LIMIT=(timeout --kill-after=10 "${KAMSCALE_STEP_SECONDS:-1500}")

# Test programs print what successful tests wrote too, so that SKIPPED lines are found; only those are shown.
filter() {
    sed -u -E '/^successes:$/,/^(failures:|test result: )/{ /^(SKIPPED:|failures:$|test result: )/!d; }'
}

# execute STEP TITLE COMMAND...: runs one command, shows and keeps its output, adds up its results
execute() {
    local log=$LOGS/$1.log title=$2 started=$SECONDS status passed failed skipped
    shift 2
    printf '\n=== %s: %s\n' "$title" "$*"
    "${LIMIT[@]}" "$@" </dev/null 2>&1 | tee "$log" | filter
    status=${PIPESTATUS[0]}
    read -r passed failed skipped < <(awk -f scripts/count-tests.awk "$log")
    if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
        failed=1 # it did not build, was killed, or ran out of time
        if [ "$status" -eq 124 ]; then title="$title ran out of time"; fi
        BROKEN+=("$title (exit $status): $*")
    elif [ "$failed" -gt 0 ]; then
        BROKEN+=("$title: $failed failed: $*")
    elif [ $((passed + skipped)) -eq 0 ] && [ "${MAY_BE_EMPTY:-}" != yes ]; then
        failed=1
        BROKEN+=("$title ran no test: $*")
    fi
    PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed)) SKIPPED=$((SKIPPED + skipped))
    while read -r line; do REASONS+=("$line"); done < <(awk -v reasons=1 -f scripts/count-tests.awk "$log")
    printf -- '--- %s: %s passed, %s failed, %s skipped, %s s\n' \
        "$title" "$passed" "$failed" "$skipped" "$((SECONDS - started))"
}

# cargo_test STEP TITLE ARGUMENT...
cargo_test() {
    local step=$1 title=$2
    shift 2
    execute "$step" "$title" cargo test --no-fail-fast "$@" -- --show-output
}

step_shm() { cargo_test shm "shared memory contract" -p kamscale-shm; }
step_kamailio-sys() { cargo_test kamailio-sys "match with the installed Kamailio" -p kamailio-sys; }
step_kamailio() { cargo_test kamailio "safe layer on its double" -p kamailio --no-default-features; }
step_module-logic() {
    cargo_test module-logic "module logic without Kamailio" -p kamscale-module --no-default-features
}
step_agent() { cargo_test agent "agent" -p kamscale-agent; }

# Every executable script there is a test; the others are sourced by them.
step_safe-layer() {
    local script found=0
    for script in kamailio-module/kamailio/tests/*.sh; do
        [ -x "$script" ] || continue
        found=1
        execute "safe-layer-$(basename "$script" .sh)" "safe layer in a real Kamailio" "$script"
    done
    if [ "$found" = 0 ]; then execute safe-layer "safe layer in a real Kamailio" false; fi
}

# Types of the Puppet module with what they talk to; the agent among them is the optimized build.
step_puppet-real() {
    local script
    for script in puppet/spec/real/*.sh; do
        [ -x "$script" ] || continue
        execute "puppet-real-$(basename "$script" .sh)" "Puppet types with real parts" "$script"
    done
}
step_puppet() { execute puppet "Puppet module: every class, lint, reference" puppet/run-tests.sh; }

# The end-to-end tests load and start what ships: the optimized build, which they find beside themselves.
step_build() {
    local MAY_BE_EMPTY=yes
    execute build-module "build of the module" cargo build --release -p kamscale-module
    execute build-agent "build of the agent" cargo build --release -p kamscale-agent
    # The name that `make build` gives it, and by which hosts load it.
    ln -sfn libkamscale.so "$TARGET/release/kamscale.so"
}
step_end-to-end() { cargo_test end-to-end "end to end with a real Kamailio" --release -p kamscale-tests; }
step_kamailio-6.0() { execute kamailio-6.0 "end to end with Kamailio 6.0" scripts/test-6.0.sh --short; }
step_openstack() {
    execute openstack-agent "agent with a real OpenStack" scripts/openstack-agent.sh
    execute openstack "end to end with a real OpenStack" scripts/openstack.sh --short
}
step_world() { execute world "a story of the whole platform" scripts/world.sh --short; }

[ $# -gt 0 ] || set -- "${STEPS[@]}"
for step in "$@"; do
    if ! declare -F "step_$step" >/dev/null; then
        echo "run-tests: no step '$step'; there are: ${STEPS[*]}" >&2
        exit 2
    fi
done
mkdir -p "$LOGS"
rm -f "$LOGS"/*.log
for step in "$@"; do "step_$step"; done

printf '\n=== results (logs: %s)\n' "${LOGS#"$ROOT"/}"
for line in ${REASONS[0]+"${REASONS[@]}"}; do printf '%s\n' "$line"; done
for line in ${BROKEN[0]+"${BROKEN[@]}"}; do printf 'FAILED: %s\n' "$line"; done
printf '%s passed, %s failed, %s skipped\n' "$PASSED" "$FAILED" "$SKIPPED"
[ "$FAILED" -eq 0 ]
