#!/bin/bash
# The image that hosts boot: a layer over this machine's own files, so that a host has the packages that are installed
# here and starts nothing of them. The layer is a file system in a file, for a layer may not lie inside the one below it.
#   image.sh make       anew, when what it is made of is newer (target/release, puppet/, tests/world/)
#   image.sh mount | umount
# It boots nothing and holds no secret.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

IMAGE=$DIR/image.ext4
RELEASE=${CARGO_TARGET_DIR:-$REPOSITORY/target}/release
ASTERISK=${CARGO_TARGET_DIR:-$REPOSITORY/target}/world/asterisk # one for all worlds
MODULE=${KAMSCALE_WORLD_MODULE:-$REPOSITORY/puppet}
PROGRAMS=(kamscale.so kamscale-agent kamscale)
SITE=/etc/puppet/code/environments/production

sources() { # what the layer is made of
    local path
    for path in "$HERE"/{image,puppet,image.sh,asterisk.sh} "$MODULE" "${PROGRAMS[@]/#/$RELEASE/}"; do
        if [ -e "$path" ]; then find -L "$path" -type f -printf '%p %s %T@\n'; fi
    done | sort | sha256sum
}

# A host starts what its role enables: nothing is enabled but the first boot's own units.
disable_services() { # disable_services ROOT
    local root=$1
    systemctl --root="$root" --quiet preset-all 2>/dev/null || true
    # Scripts of System V without a unit would be started by these links.
    rm -rf "$root"/etc/rc?.d
    # Pulled in by others, and for a machine with disks, screens and a kernel of its own.
    systemctl --root="$root" --quiet mask console-getty.service systemd-logind.service systemd-resolved.service \
        systemd-networkd.service systemd-networkd-wait-online.service systemd-timesyncd.service \
        systemd-hwdb-update.service ldconfig.service systemd-update-done.service systemd-journal-catalog-update.service \
        systemd-firstboot.service systemd-journal-flush.service \
        cloud-config.service cloud-init-hotplugd.socket
}

install_site() { # install_site ROOT: what a site puts on its Puppet server, and what the module installs
    local root=$1 program
    mkdir -p "$root/opt/kamscale" "$root$SITE/modules"
    for program in "${PROGRAMS[@]}"; do
        [ -e "$RELEASE/$program" ] || die "$RELEASE/$program is missing: make build"
        cp -L "$RELEASE/$program" "$root/opt/kamscale/"
    done
    cp -rL "$MODULE" "$root$SITE/modules/kamscale"
    rm -rf "$root$SITE/modules/kamscale/spec"
    cp -r "$HERE/puppet/." "$root$SITE/"
}

make_in() { # make_in DIRECTORY: in a mount namespace of its own, so that no mount is left
    local place=$1 root=$1/root
    truncate -s 2G "$IMAGE.part"
    mke2fs -q -t ext4 -O ^has_journal "$IMAGE.part"
    mkdir -p "$place/image" "$root"
    mount -o loop "$IMAGE.part" "$place/image"
    mkdir "$place/image/layer" "$place/image/work"
    mount -t overlay -o "lowerdir=/,upperdir=$place/image/layer,workdir=$place/image/work" image "$root"
    if [ -d "$ASTERISK" ]; then cp -a "$ASTERISK/." "$root/"; fi
    cp -r "$HERE/image/." "$root/"
    disable_services "$root"
    install_site "$root"
    rm -f "$root/etc/machine-id" "$root/var/lib/dbus/machine-id"
    rm -rf "$root/var/lib/cloud" "$root"/var/lib/puppet/{state,cache} "$root"/etc/fstab
    umount "$root"
    rm -rf "$place/image/work"
    umount "$place/image"
}

make() {
    local place now
    now=$(sources)
    if [ -e "$IMAGE" ] && [ "$now" = "$(cat "$IMAGE.sources" 2>/dev/null)" ]; then return 0; fi
    "$HERE/asterisk.sh" "$ASTERISK" >/dev/null || [ $? = 3 ] # 3: it cannot be had; hosts with the role media will say so
    umount_image
    place=$(mktemp -d)
    unshare --mount --propagation private "$HERE/image.sh" make-in "$place"
    rm -rf "$place"
    mv "$IMAGE.part" "$IMAGE"
    echo "$now" >"$IMAGE.sources"
}

mount_image() {
    mkdir -p "$DIR/image"
    mountpoint -q "$DIR/image" || mount -o loop,ro "$IMAGE" "$DIR/image"
}

umount_image() { if mountpoint -q "$DIR/image"; then umount "$DIR/image"; fi; }

case ${1:-} in
make) make ;;
mount) mount_image ;;
umount) umount_image ;;
make-in) make_in "$2" ;;
*)
    sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
