#!/bin/bash
# Makes a layer that gives a Debian 12 host the Asterisk which Debian 12 does not have: laid over the host's files (as a
# lower directory of an overlay) it looks like the package. Owns what is in the layer; how Asterisk is configured is the
# Puppet class kamscale::media::asterisk's.
#   usr/sbin/asterisk        starts the program by the loader and the libraries of its own release
#   opt/asterisk/            that program, its loader and libraries
#   usr/lib/asterisk/modules, usr/share/asterisk, var/lib/asterisk, etc/asterisk, the unit asterisk.service: the package's
# Debian 11's Asterisk 16; where it cannot be had, the 22 of Debian 14.
#   tests/world/asterisk.sh [DIR]     target/world/asterisk; what is there already is not made again
# Needs neither root nor a chroot. Prints DIR. Where no archive has an Asterisk it prints SKIPPED and ends with 3.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$ROOT/scripts/archives.sh"
BASE=${CARGO_TARGET_DIR:-$ROOT/target}/world
LAYER=${1:-$BASE/asterisk}
STAMP=$LAYER/opt/asterisk/complete

say() { printf 'asterisk: %s\n' "$*" >&2; }

skip() {
    printf 'SKIPPED: Asterisk: %s\n' "$*"
    exit 3
}

packages_of() { # packages_of SUITE
    echo asterisk asterisk-modules asterisk-core-sounds-en-gsm asterisk-moh-opsound-gsm
    case $1 in bullseye) echo asterisk-voicemail ;; esac # later a part of asterisk-modules
}

fetch() { # fetch SUITE: its packages and all that they need, the C library too, into $WORK/SUITE/cache/archives
    archives_open "$WORK/$1" deb "$1" || return 1
    # Not the suite's security archive (-t): of Debian 11 it lists a voicemail package that it does not have.
    # Debian 14 is not released: what its lists say of their age is no reason here.
    # shellcheck disable=SC2046 # words
    "${APT[@]}" -o Acquire::Check-Valid-Until=false -t "$1" --download-only --no-install-recommends -y \
        install $(packages_of "$1") >>"$WORK/$1/apt.log" 2>&1
}

unpack() { # unpack SUITE: into $TREE, and names the places in it
    local package
    TREE=$WORK/tree
    mkdir "$TREE"
    for package in "$WORK/$1"/cache/archives/*.deb; do dpkg-deb -x "$package" "$TREE"; done
    LIBRARIES=$(find "$TREE" -name 'lib*.so.*' -printf '%h\n' | sort -u | tr '\n' :)
    LOADER=$(find "$TREE" -name 'ld-linux*.so.*' -print -quit)
    MODULES=$(find "$TREE/usr/lib" -type d -path '*/asterisk/modules' -print -quit)
    [ -n "$LOADER" ] && [ -n "$MODULES" ]
}

libraries() { # the files that the program and its modules load
    local file
    for file in "$TREE/usr/sbin/asterisk" "$MODULES"/*.so; do
        "$LOADER" --library-path "$LIBRARIES" --list "$file" 2>/dev/null || true
    done | sed -n 's/.* => \([^ ]*\) .*/\1/p' | grep "^$TREE/" | sort -u
    # Loaded by name, to look up users and hosts.
    find "$TREE" -name 'libnss_files.so.2' -o -name 'libnss_dns.so.2' -o -name 'libresolv.so.2' -o -name 'libgcc_s.so.1'
}

assemble() { # the layer out of the tree
    local new=$WORK/layer own=$WORK/layer/opt/asterisk directory
    mkdir -p "$own"/{lib,sbin} "$new"/usr/{sbin,share,lib/asterisk,lib/systemd/system} "$new"/etc \
        "$new"/var/{lib,spool,log,cache}/asterisk
    libraries | while read -r file; do cp -L "$file" "$own/lib/"; done
    cp -L "$LOADER" "$own/lib/loader"
    cp "$TREE/usr/sbin/asterisk" "$own/sbin/"
    cp -a "$MODULES" "$new/usr/lib/asterisk/modules"
    for directory in usr/share/asterisk etc/asterisk var/lib/asterisk var/spool/asterisk; do
        [ ! -d "$TREE/$directory" ] || cp -a "$TREE/$directory/." "$(mkdir -p "$new/$directory" && echo "$new/$directory")"
    done
    # What the packages' own scripts would do: their user reads these, and the only English is the English.
    chmod -R a+rX "$new/etc/asterisk"
    ln -sfn en_US_f_Allison "$new/usr/share/asterisk/sounds/en"
    cp "$(find "$TREE" -path '*/systemd/system/asterisk.service' -print -quit)" "$new/usr/lib/systemd/system/"
    cat >"$new/usr/sbin/asterisk" <<'PROGRAM'
#!/bin/sh
# The Asterisk of another Debian release, by its own loader and libraries (tests/world/asterisk.sh).
exec /opt/asterisk/lib/loader --library-path /opt/asterisk/lib /opt/asterisk/sbin/asterisk "$@"
PROGRAM
    chmod 755 "$new/usr/sbin/asterisk"
}

make() { # make SUITE
    rm -rf "$WORK/tree" "$WORK/layer"
    say "fetching the Asterisk of Debian $1"
    fetch "$1" || return 1
    unpack "$1" || return 1
    assemble
    "$WORK/layer/opt/asterisk/lib/loader" --library-path "$WORK/layer/opt/asterisk/lib" \
        "$WORK/layer/opt/asterisk/sbin/asterisk" -V >"$WORK/layer/opt/asterisk/complete" || return 1
}

if [ ! -s "$STAMP" ]; then
    command -v apt-get >/dev/null || skip "there is no apt-get"
    command -v dpkg-deb >/dev/null || skip "there is no dpkg-deb"
    mkdir -p "$(dirname "$LAYER")"
    WORK=$(mktemp -d "$LAYER.XXXXXX")
    trap 'rm -rf "$WORK"' EXIT
    trap 'exit 130' INT TERM HUP
    # In the background: in a condition bash would go on after a command that failed.
    for suite in bullseye forky; do
        (make "$suite") &
        if wait $!; then break; fi
        say "Debian $suite: $(grep -E '^[EW]:' "$WORK/$suite/apt.log" | tail -n 1)"
    done
    [ -s "$WORK/layer/opt/asterisk/complete" ] || skip "no archive of Debian that apt knows has it"
    rm -rf "$LAYER"
    mv "$WORK/layer" "$LAYER"
    say "made: $(<"$STAMP"), $(du -sm "$LAYER" | cut -f 1) MB"
fi
echo "$LAYER"
