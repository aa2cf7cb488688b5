#!/bin/bash
# Makes target/kamailio-6.0/: a Kamailio 6.0 (Debian 13's packages and all that they need, unpacked and never
# installed) beside the installed one, and what a module is built against for it.
#   root/        the packages
#   bin/         kamailio and kamcmd of that root, started by its own loader: the same files, addresses and user as here
#   kamailio/    its headers (scripts/kamailio-headers.sh)
#   complete     stamp: the version of the package
#   packages     stamp: which packages are unpacked
#   scripts/kamailio-6.0.sh        what is there already is not fetched again
# Needs neither root nor a chroot. Where Debian 13's archives cannot be reached it prints SKIPPED and ends with 3.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$ROOT/scripts/archives.sh"
BASE=${KAMSCALE_TARGET_6_0:-${CARGO_TARGET_DIR:-$ROOT/target}/kamailio-6.0}
SUITE=trixie
PACKAGES=(kamailio kamailio-extra-modules kamailio-lua-modules kamailio-mysql-modules kamailio-presence-modules
    kamailio-python3-modules kamailio-tls-modules)

say() { printf 'kamailio-6.0: %s\n' "$*"; }

skip() {
    printf 'SKIPPED: Kamailio 6.0: %s\n' "$*"
    exit 3
}

# The programs of a package file run by the loader and the libraries of their own root: those here are older.
write_program() { # write_program NAME PATH [OPTION...]
    local name=$1 path=$2 home
    shift 2
    home=$(find "$BASE/root/usr/lib" -maxdepth 1 -name 'python3.*' -print -quit)
    cat >"$BASE/bin/$name" <<PROGRAM
#!/bin/sh
# Made by scripts/kamailio-6.0.sh.
root=\$(dirname "\$(readlink -f "\$0")")/../root
lib=\$root/usr/lib/$TRIPLET
${home:+PYTHONHOME=\$root/usr PYTHONDONTWRITEBYTECODE=1
export PYTHONHOME PYTHONDONTWRITEBYTECODE
}exec "\$root/$LOADER" --library-path "\$lib:\$lib/kamailio" --argv0 $name "\$root/$path" $* "\$@"
PROGRAM
    chmod 755 "$BASE/bin/$name"
}

fetch() {
    say "fetching ${PACKAGES[*]} of Debian $SUITE"
    archives_open "$WORK" deb "$SUITE" || skip "apt has no archives of Debian configured"
    # With an empty status everything that the packages need is new, the C library too.
    "${APT[@]}" --download-only --no-install-recommends -y install "${PACKAGES[@]}" >>"$WORK/apt.log" 2>&1 ||
        skip "apt cannot fetch it: $(grep -E '^[EW]:' "$WORK/apt.log" | tail -n 1)"
    VERSION=$(dpkg-deb -f "$WORK"/cache/archives/kamailio_*.deb Version)
}

unpack() {
    local package
    say "unpacking kamailio $VERSION"
    rm -rf "${BASE:?}/root" "${BASE:?}/bin"
    mkdir -p "$BASE/root" "$BASE/bin"
    for package in "$WORK"/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$BASE/root" || skip "$(basename "$package") cannot be unpacked"
    done
    LOADER=$(cd "$BASE/root" && find usr lib* -name 'ld-linux*.so.*' -print -quit)
    [ -n "$LOADER" ] || skip "there is no loader in Debian's libc6"
    # shellcheck disable=SC2016 # the script's own words
    write_program kamailio usr/sbin/kamailio -L '"$lib/kamailio/modules/"'
    write_program kamcmd usr/sbin/kamcmd
}

command -v apt-get >/dev/null || skip "there is no apt-get"
command -v dpkg-deb >/dev/null || skip "there is no dpkg-deb"
mkdir -p "$BASE"
TRIPLET=$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -print-multiarch)
if [ -s "$BASE/complete" ] && [ "$(cat "$BASE/packages" 2>/dev/null)" = "${PACKAGES[*]}" ]; then
    VERSION=$(cat "$BASE/complete")
else
    WORK=$(mktemp -d "$BASE/work.XXXXXX")
    trap 'rm -rf "$WORK"' EXIT
    trap 'exit 130' INT TERM HUP
    fetch
    unpack
fi
HAVE=$("$BASE/bin/kamailio" -v | sed -n 's/^version: kamailio \([^ ]*\).*/\1/p')
[[ $VERSION = *"${HAVE:-nothing}"* ]] || skip "its program says version '$HAVE', its package $VERSION"
CARGO_TARGET_DIR=$BASE "$ROOT/scripts/kamailio-headers.sh" "$VERSION" "$SUITE" ||
    skip "the headers of kamailio $VERSION cannot be had"
echo "${PACKAGES[*]}" >"$BASE/packages"
echo "$VERSION" >"$BASE/complete"
say "kamailio $HAVE in $BASE"
