#!/bin/bash
# Run by host.sh in a mount namespace of its own: makes the host's disk (this machine, the image over it, and what the host
# writes in memory over both) and becomes the program that boots it. All mounts go with that namespace.
#   boot.sh HOST ADDRESS [SEED]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
HOST=$1 ADDRESS=$2 SEED=${3:-}
DISK=${KAMSCALE_WORLD_DISK:-4G}

make_disk() {
    ROOT=$DIR/hosts/$HOST/root
    mkdir -p "$ROOT"
    mount -t tmpfs -o "size=$DISK,mode=755" "$HOST" "$ROOT"
    mkdir "$ROOT"/{disk,work,root}
    mount -t overlay -o "lowerdir=$DIR/image/layer:/,upperdir=$ROOT/disk,workdir=$ROOT/work" "$HOST" "$ROOT/root"
    ROOT=$ROOT/root
}

name_it() { # what a cloud's own services tell a machine at its first boot
    echo "$HOST" >"$ROOT/etc/hostname"
    printf '127.0.0.1 localhost\n%s %s.%s %s\n' "$ADDRESS" "$HOST" "${KAMSCALE_WORLD_DOMAIN:-example.test}" "$HOST" >"$ROOT/etc/hosts"
    printf '%s:%s' "$HOST" "$DIR" | md5sum | cut -c 1-32 >"$ROOT/etc/machine-id"
    rm -f "$ROOT/etc/resolv.conf"
    printf 'search %s\noptions timeout:1 attempts:2\n' "${KAMSCALE_WORLD_DOMAIN:-example.test}" >"$ROOT/etc/resolv.conf"
    printf 'nameserver %s\n' ${KAMSCALE_WORLD_DNS:-10.77.0.10 10.77.0.11} >>"$ROOT/etc/resolv.conf"
    # What is secret, and of this world only; see secrets.sh.
    if [ -d "$DIR/site" ]; then cp -a "$DIR/site/." "$ROOT/"; fi
    if [ -n "$SEED" ]; then
        mkdir -p "$ROOT/var/lib/cloud/seed"
        cp -r "$SEED" "$ROOT/var/lib/cloud/seed/nocloud"
    else
        touch "$ROOT/etc/cloud/cloud-init.disabled"
    fi
}

make_disk
name_it
# Who boots is the namespace's, not this machine's: nspawn must not think of a unit or a machine manager here.
cd /
exec env -i PATH="$PATH" LANG=C.UTF-8 systemd-nspawn --quiet --boot --directory="$ROOT" --machine="$(namespace_of "$HOST")" --hostname="$HOST" \
    --network-namespace-path="/run/netns/$(namespace_of "$HOST")" --register=no --keep-unit --console=pipe \
    --link-journal=no --resolv-conf=off --timezone=off \
    --capability=CAP_NET_ADMIN,CAP_IPC_LOCK,CAP_SYS_NICE,CAP_SYS_RESOURCE
