#!/bin/bash
# Plays the stories of the world (docs/world.md): brings the whole platform up, and ends it.
#   scripts/world.sh [--short] [--running] [WORD...]
#     --short     as a test: one story without faults; SKIPPED where this machine cannot boot hosts
#     --running   in the world that runs, as it is
#     WORD        only runs in whose name it stands; --list has them
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

# What keeps this machine from booting hosts, in words; nothing if it can.
obstacle() {
    if [ "$(id -u)" != 0 ]; then
        echo "hosts are booted by root"
    elif ! command -v systemd-nspawn >/dev/null; then
        echo "systemd-nspawn is missing (scripts/setup.sh world)"
    elif ! grep -qw overlay /proc/filesystems; then
        echo "the kernel has no overlayfs"
    elif ! [ -d /sys/fs/cgroup/cpuacct ]; then
        echo "the control groups of processors are not mounted in /sys/fs/cgroup/cpuacct"
    elif ! unshare --net true 2>/dev/null; then
        echo "no network namespace may be made here"
    fi
}

is_test() { [[ " $* " == *" --short "* ]]; }

if ! scripts/setup.sh openstack world; then
    is_test "$@" || exit 1
    echo "SKIPPED: the world's stories: packages are missing (see above)"
    exit 0
fi
WHY=$(obstacle)
if [ -n "$WHY" ]; then
    echo "SKIPPED: the world's stories: $WHY"
    is_test "$@" || exit 1
    exit 0
fi
exec cargo run --release -p kamscale-tests --bin world -- "$@"
