#!/bin/bash
# Makes target/kamailio/<version>/ for the installed Kamailio: src (the headers), defs (the -D list of its
# build, one per line), complete (stamp); and points target/kamailio/current at it, where build.rs of
# kamailio-sys looks. Needs neither root nor a change in /etc/apt.
#   scripts/kamailio-headers.sh                        Debian's source of the installed package
#   scripts/kamailio-headers.sh VERSION SUITE          of this version of the package, from another suite of Debian
#   KAMAILIO_SRC=/path scripts/kamailio-headers.sh     the headers of this source tree (src/ below it, or itself)
# It must not build Kamailio, and must not write into a tree that it was given.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$ROOT/scripts/archives.sh"
BASE=${CARGO_TARGET_DIR:-$ROOT/target}/kamailio

die() {
    printf 'kamailio-headers: %s\n' "$*" >&2
    exit 1
}

need() { # need COMMAND PACKAGE
    command -v "$1" >/dev/null || die "$1 is missing. Install it: apt-get install $2"
}

# The -D list of one module's compile line, without what belongs to that module or to the optimizer.
print_defs() { # print_defs SRC (the directory with core/ and modules/)
    local line # all of make's output is read first: a closed pipe would end it with an error
    line=$(make -n -C "$1/modules/pv" quiet=verbose 2>/dev/null |
        awk '!found && /^(ccache )?[^ ]*(gcc|cc)(-[0-9]+)? / { print; found = 1 }')
    grep -oE -- "-D('[^']*'|\"[^\"]*\"|[^ '\"])+" <<<"$line" |
        grep -vE -- '^-D(PIC|_FORTIFY_SOURCE=.*|MOD_NAME(ID)?=.*)$'
}

# Same call as in debian/rules of the package: what Debian chose is what the installed server has.
configure_debian() { # configure_debian TREE
    local build=$1/debian/kamailio
    (
        cd "$1"
        export DEB_BUILD_MAINT_OPTIONS=hardening=+all
        LIBDIR=lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH) && export LIBDIR
        make cfg quiet=verbose prefix=/usr cfg_prefix="$build" cfg_target=/etc/kamailio/ \
            FLAVOUR=kamailio BASEDIR="$build" \
            CC_EXTRA_OPTS="$(dpkg-buildflags --get CPPFLAGS) $(dpkg-buildflags --get CFLAGS) -DVERSION_NODATE" \
            LD_EXTRA_OPTS="$(dpkg-buildflags --get LDFLAGS)" \
            skip_modules="bdb dbtext mono geoip" group_include="kstandard"
    )
}

# From a configured tree to the finished directory.
finish() { # finish SRC NAME
    print_defs "$1" >"$WORK/defs" || die "make -n -C $1/modules/pv shows no compile line"
    grep -q -- '-DVERSION=' "$WORK/defs" || die "no -DVERSION in the compile line of $1/modules/pv"
    mkdir "$WORK/src"
    (cd "$1" && find core lib modules -name '*.h' -print0 | tar -c --null -T -) | tar -x -C "$WORK/src"
    date -u +%FT%TZ >"$WORK/complete"
    rm -rf "${BASE:?}/$2"
    mkdir "$BASE/$2"
    mv "$WORK/src" "$WORK/defs" "$WORK/complete" "$BASE/$2/"
    ln -sfn "$2" "$BASE/current"
    printf 'kamailio-headers: %s, %s definitions\n' "$BASE/$2" "$(wc -l <"$BASE/$2/defs")"
}

from_tree() { # from_tree PATH
    local tree src
    tree=$(cd "$1" 2>/dev/null && pwd) || die "KAMAILIO_SRC=$1 is no directory"
    if [ -f "$tree/src/core/sr_module.h" ]; then
        src=$tree/src
    elif [ -f "$tree/core/sr_module.h" ]; then
        src=$tree
    else
        die "KAMAILIO_SRC=$1: neither src/core/sr_module.h nor core/sr_module.h is in it"
    fi
    if [ ! -f "$src/config.mak" ]; then # configure a copy: the tree is not ours
        cp -r "$tree" "$WORK/tree"
        src=$WORK/tree${src#"$tree"}
        printf 'kamailio-headers: %s has no config.mak: make cfg in a copy\n' "$1"
        make -C "$src" cfg quiet=verbose >"$WORK/cfg.log" 2>&1 ||
            die "make cfg failed: $(tail -3 "$WORK/cfg.log")"
    fi
    finish "$src" local
}

# Compares every file that was fetched with the hash in the signed index; a signature file (.asc) may be missing.
verify() { # verify URIS (the lines of apt-get source --print-uris)
    local uri name size sum
    while read -r uri name size sum; do
        case $name in *.asc) continue ;; esac
        [ -f "$name" ] || die "$name did not arrive from $uri"
        case $sum in
        SHA256:*) echo "${sum#SHA256:}  $name" | sha256sum --quiet --check - || die "$name ($size bytes) is damaged" ;;
        SHA512:*) echo "${sum#SHA512:}  $name" | sha512sum --quiet --check - || die "$name ($size bytes) is damaged" ;;
        *) die "apt knows no SHA-2 sum of $name" ;;
        esac
    done <"$1"
}

from_package() { # from_package VERSION [SUITE]
    local version=$1
    need dpkg-source dpkg-dev
    need xz xz-utils
    cd "$WORK"
    archives_open "$WORK" deb-src "${2:-}" ||
        die "apt has no archives configured; unpack Kamailio $version and set KAMAILIO_SRC"
    # Always with the version: without it apt takes the newest suite that it knows.
    "${APT[@]}" --print-uris --download-only source "kamailio=$version" 2>>apt.log |
        sed -n "s/^'\([^']*\)' /\1 /p" | grep . >uris ||
        die "no archive offers the source of kamailio $version: $(tail -3 apt.log)
Unpack it elsewhere and set KAMAILIO_SRC."
    "${APT[@]}" --download-only source "kamailio=$version" >>apt.log 2>&1 || true # a missing .asc is exit 100
    verify uris
    # --no-check: the .dsc may name the .asc that is missing; verify() has checked everything else
    # Debian builds with OpenSSL 3; Kamailio's makefiles would ask pkg-config for it, which may not be here.
    export LIBSSL_SET_MUTEX_SHARED=1
    dpkg-source --no-check -x ./*.dsc tree >dpkg.log 2>&1 || die "dpkg-source: $(tail -3 dpkg.log)"
    configure_debian "$WORK/tree" >cfg.log 2>&1 || die "make cfg failed: $(tail -3 cfg.log)"
    finish "$WORK/tree/src" "$version"
}

need make make
need gcc gcc
need tar tar
mkdir -p "$BASE"
if [ -z "${KAMAILIO_SRC:-}" ]; then
    VERSION=${1:-}
    if [ -z "$VERSION" ]; then
        need dpkg-query "dpkg (or set KAMAILIO_SRC to a source tree)"
        VERSION=$(dpkg-query -W -f '${Version}' kamailio 2>/dev/null) && [ -n "$VERSION" ] ||
            die "the package kamailio is not installed. Install it: apt-get install kamailio; or set KAMAILIO_SRC"
    fi
    if [ -f "$BASE/$VERSION/complete" ]; then
        if [ "$(readlink "$BASE/current")" != "$VERSION" ]; then
            ln -sfn "$VERSION" "$BASE/current"
            touch "$BASE/$VERSION/complete" # cargo must see that other headers are current now
        fi
        exit 0
    fi
fi
WORK=$(mktemp -d "$BASE/work.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
trap 'exit 130' INT TERM HUP
if [ -n "${KAMAILIO_SRC:-}" ]; then
    from_tree "$KAMAILIO_SRC"
else
    from_package "$VERSION" "${2:-}"
fi
