#!/bin/bash
# The rules of the house that no lint knows; CONTRIBUTING.md says why they are. All are checked, then it fails.
#   scripts/check-rules.sh [RULE...]      dependencies licences unsafe vocabulary files machine scripts
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT" || exit 1
RULES=(dependencies licences unsafe vocabulary files machine scripts)
FAILURES=0
LONG=500   # lines: beyond it a file must be split
NOTABLE=300

bad() { # bad RULE TEXT
    printf 'rule %-13s FAILED  %s\n' "$1" "$2"
    FAILURES=$((FAILURES + 1))
}
note() { printf 'rule %-13s note    %s\n' "$1" "$2"; }

# The files that are or would be committed; without git, all but what is built.
sources() {
    {
        git ls-files --cached --others --exclude-standard 2>/dev/null ||
            find . -name target -prune -o -name .git -prune -o -type f -print | sed 's:^\./::'
    } | sort -u | while read -r file; do if [ -f "$file" ]; then echo "$file"; fi; done
}
rust_sources() { sources | grep '\.rs$'; }

# Each line of stdin is one failure.
bad_lines() { # bad_lines RULE WHAT
    local line
    while read -r line; do bad "$1" "$2: $line"; done
}

# The packages that PACKAGE is built from, tests and build scripts included, one name per line.
closure() { # closure PACKAGE
    cargo tree --quiet --locked -p "$1" -e normal,build,dev --all-features --target all \
        --prefix none --no-dedupe -f '{p}' | awk '{ print $1 }' | sort -u
}

# module -> contract <- agent; only the agent and the tests know a runtime, HTTP or TLS.
rule_dependencies() {
    local package names forbidden
    local network='tokio|mio|async-std|smol|hyper|hyper-util|axum|reqwest|ureq|curl|http|h2|tower|rustls|openssl|native-tls'
    local kamscale='kamscale-.*'
    for package in kamscale-shm kamailio-sys kamailio kamscale-module kamscale-agent; do
        case $package in
        kamscale-shm) forbidden="$network|kamailio.*|kamscale-module|kamscale-agent|kamscale-tests" ;;
        kamailio-sys) forbidden="$network|kamailio|$kamscale" ;;
        kamailio) forbidden="$network|$kamscale" ;;
        kamscale-module) forbidden="$network|kamscale-agent|kamscale-tests" ;;
        kamscale-agent) forbidden="kamailio.*|kamscale-module|kamscale-tests" ;;
        esac
        if ! names=$(closure "$package"); then
            bad dependencies "cargo tree -p $package failed"
            continue
        fi
        grep -xE "$forbidden" <<<"$names" | grep -vxF "$package" |
            sed "s/^/$package depends on /" >"$SCRATCH"
        bad_lines dependencies "cargo tree -i shows the way" <"$SCRATCH"
    done
}

# What is linked into Kamailio must be under licences that GPL version 2 allows.
rule_licences() {
    local output
    if ! cargo deny --version >/dev/null 2>&1; then
        bad licences "cargo-deny is missing: scripts/setup.sh check"
        return
    fi
    output=$(cargo deny --manifest-path kamailio-module/Cargo.toml --locked --all-features --exclude-dev \
        --config scripts/deny-module.toml check --hide-inclusion-graph licenses 2>&1) ||
        bad licences "of what is linked into kamscale.so (scripts/deny-module.toml): $output"
}

# The word itself, comments aside; lints (`unsafe_code`) are other words.
unsafe_lines() { grep -nwH unsafe "$@" | grep -vE '^[^:]+:[0-9]+: *//' | sed -E 's,[[:space:]]//.*,,' | grep -w unsafe; }

# The map of all unsafe code: the mapping of the contract crate with the marker it needs, sys and the safe layer.
rule_unsafe() {
    local file
    rust_sources | grep -vE '^kamailio-module/(sys|kamailio)/|^kamscale-shm/src/(mapping|layout)\.rs$' |
        while read -r file; do unsafe_lines "$file"; done >"$SCRATCH"
    bad_lines unsafe "outside its places" <"$SCRATCH"
    unsafe_lines kamscale-shm/src/layout.rs | grep -vE 'unsafe (trait AllAtomic|impl .*AllAtomic for )' >"$SCRATCH"
    bad_lines unsafe "in layout.rs only AllAtomic and its two implementations" <"$SCRATCH"
    if [ "$(unsafe_lines kamscale-shm/src/layout.rs | grep -c 'unsafe impl')" -gt 2 ]; then
        bad unsafe "layout.rs implements AllAtomic for more than the two files"
    fi
}

# The safe layer is for any module: it knows nothing of this one.
rule_vocabulary() {
    sources | grep -E '^kamailio-module/(kamailio|sys)/' |
        xargs -r grep -niHE 'kamscale|(^|[^[:alnum:]])ks_' >"$SCRATCH"
    bad_lines vocabulary "a word of Kamscale in the layer below" <"$SCRATCH"
}

rule_files() {
    local file lines
    while read -r file; do
        [[ $(head -n 1 "$file") == '//!'* ]] || bad files "$file does not open with //! (what it owns, what it must not do)"
        lines=$(wc -l <"$file")
        if [ "$lines" -gt "$LONG" ]; then
            bad files "$file has $lines lines (more than $LONG)"
        elif [ "$lines" -gt "$NOTABLE" ]; then
            note files "$file has $lines lines (aim at $NOTABLE)"
        fi
    done < <(rust_sources)
}

# Nothing of the machine where it was written: no home directories, no hosts of package mirrors.
rule_machine() {
    local paths='(^|[^[:alnum:]_.}-])/(root|home|work)/'
    local hosts='(deb|ftp[a-z0-9.]*|security|snapshot|archive)\.debian\.[o]rg|[a-z0-9.-]*(artifactory|jfrog|mirror)[a-z0-9-]*\.[a-z0-9-]+\.[a-z]+|(static|index)\.crates\.[i]o|proxy\.golang\.[o]rg|pkg\.[d]ev'
    sources | xargs -r grep -nIHE "$paths" | cut -c 1-160 >"$SCRATCH"
    bad_lines machine "a path of one machine" <"$SCRATCH"
    sources | xargs -r grep -niIHE "$hosts" | cut -c 1-160 >"$SCRATCH"
    bad_lines machine "a host of packages" <"$SCRATCH"
}

rule_scripts() {
    local files
    mapfile -t files < <(sources | while read -r file; do
        if [[ $file == *.sh ]] || head -c 64 "$file" | head -n 1 | grep -qaE '^#!.*\b(ba|da)?sh\b'; then echo "$file"; fi
    done)
    if ! command -v shellcheck >/dev/null; then
        bad scripts "shellcheck is missing: scripts/setup.sh check"
        return
    fi
    shellcheck -s bash -x -S warning "${files[@]}" || bad scripts "shellcheck: see above (${#files[@]} files)"
}

SCRATCH=$(mktemp)
trap 'rm -f "$SCRATCH"' EXIT
[ $# -gt 0 ] || set -- "${RULES[@]}"
for rule in "$@"; do
    if ! declare -F "rule_$rule" >/dev/null; then
        echo "check-rules: no rule '$rule'; there are: ${RULES[*]}" >&2
        exit 2
    fi
    before=$FAILURES
    "rule_$rule"
    if [ "$FAILURES" = "$before" ]; then printf 'rule %-13s ok\n' "$rule"; fi
done
[ "$FAILURES" = 0 ]
