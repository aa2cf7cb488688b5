#!/bin/bash
# Everything that `make check` looks at, one step after the other, also when one fails; ends with one line per step
# that failed. The rules of our own are in scripts/check-rules.sh.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT" || exit 1
FAILED=()
PACKAGES=(kamscale-shm kamailio-sys kamailio kamscale-module kamscale-agent kamscale-tests)

step() { # step NAME COMMAND...
    local name=$1
    shift
    printf '\n=== %s\n' "$name"
    "$@" </dev/null || FAILED+=("$name")
}

# One package at a time: one that does not build must not hide what is wrong in the others.
lints() {
    local package status=0
    for package in "${PACKAGES[@]}"; do
        cargo clippy --quiet --locked --keep-going -p "$package" --all-targets -- -D warnings || status=1
    done
    return "$status"
}

# The same packages as libraries without the server, as their tests build them.
lints_without_kamailio() {
    cargo clippy --quiet --locked --keep-going -p kamailio -p kamscale-module --no-default-features \
        --all-targets -- -D warnings
}

# One package at a time: the module's library and the agent's program are both called kamscale. The contract and the
# safe layer are documented for their users, the others for who works on them.
documentation() {
    local package private flags status=0
    for package in "${PACKAGES[@]}"; do
        private=(--document-private-items) flags="-D warnings -A rustdoc::private_intra_doc_links"
        case $package in kamscale-shm | kamailio | kamailio-sys) private=() flags="-D warnings" ;; esac
        RUSTDOCFLAGS=$flags cargo doc --quiet --locked --no-deps -p "$package" ${private[0]+"${private[@]}"} || status=1
    done
    return "$status"
}

# Known vulnerabilities need a database from the network: without it that is said, and is no failure.
advisories() {
    local database
    if timeout 120 cargo deny fetch db >/dev/null 2>&1; then
        cargo deny check --hide-inclusion-graph advisories
        return
    fi
    for database in "${CARGO_HOME:-$HOME/.cargo}"/advisory-dbs/*/crates; do
        if [ -d "$database" ]; then
            echo "the database cannot be fetched now: checking against the copy of $(date -r "$database" +%F)"
            cargo deny check --disable-fetch --hide-inclusion-graph advisories
            return
        fi
    done
    echo "NOT CHECKED: the database of advisories cannot be fetched (cargo deny fetch db)"
}

step "formatting" cargo fmt --all --check
step "lints" lints
step "lints without Kamailio" lints_without_kamailio
step "documentation" documentation
step "dependencies, licences, sources" cargo deny --locked --all-features \
    check --hide-inclusion-graph bans licenses sources
step "advisories" advisories
step "rules of the house" scripts/check-rules.sh

if [ ${#FAILED[@]} -gt 0 ]; then
    printf '\ncheck: %s step(s) failed:\n' "${#FAILED[@]}"
    printf '  %s\n' "${FAILED[@]}"
    exit 1
fi
printf '\ncheck: everything is in order\n'
