#!/bin/bash
# Checks the Puppet module and tests every class: syntax, lint, whether REFERENCE.md is what the manifests say, rspec.
# Prints "ok  NAME" or "FAILED  NAME" per check. It starts no service and applies nothing.
#   puppet/run-tests.sh [rspec arguments]
#   puppet/run-tests.sh --bless     writes REFERENCE.md anew
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT
export HOME=$SCRATCH # Puppet keeps its state in homes, or as root in the machine's own places
FAILED=0

check() { # check NAME COMMAND...: silent if it succeeds
    local name=$1
    shift
    if "$@" >"$SCRATCH/out" 2>&1; then
        printf 'ok  puppet: %s\n' "$name"
    else
        cat "$SCRATCH/out"
        printf 'FAILED  puppet: %s\n' "$name"
        FAILED=1
    fi
}

PUPPET=(--confdir "$SCRATCH/puppet" --vardir "$SCRATCH/puppet" --color=false)
mapfile -t TEMPLATES < <(find templates -name '*.epp')

# puppet-lint finds by the directory's name whether a class is where it is looked for.
lint() {
    ln -s "$PWD" "$SCRATCH/kamscale"
    cd "$SCRATCH/kamscale" && puppet-lint --fail-on-warnings --relative manifests types functions
}

reference() { # reference FILE
    puppet strings generate --format markdown --out "$1" "${PUPPET[@]}" 'manifests/**/*.pp' 'types/**/*.pp' 'functions/**/*.pp' \
        'lib/puppet/**/*.rb' && ! grep -n '^\[warn\]' "$SCRATCH/out"
}
reference_is_new() {
    reference "$SCRATCH/REFERENCE.md" && diff -u REFERENCE.md "$SCRATCH/REFERENCE.md" ||
        { echo 'puppet/run-tests.sh --bless writes it anew'; return 1; }
}

if [ "${1:-}" = --bless ]; then
    reference "$PWD/REFERENCE.md" >"$SCRATCH/out" 2>&1 || { cat "$SCRATCH/out"; exit 1; }
    exit 0
fi

check 'manifests are valid' puppet parser validate "${PUPPET[@]}" manifests types functions
check 'templates are valid' puppet epp validate "${PUPPET[@]}" "${TEMPLATES[@]}"
check 'metadata.json and data are valid' ruby -rjson -ryaml -e 'JSON.parse(File.read("metadata.json")); Dir["data/**/*.yaml", "hiera.yaml"].each { |f| YAML.load_file(f) }'
check 'lint' lint
check 'REFERENCE.md says what the manifests say' reference_is_new

# One line per example, as the counting of tests has it.
rspec --require ./spec/line_formatter.rb --format LineFormatter "$@" || FAILED=1
[ "$FAILED" = 0 ]
