#!/bin/bash
# Ends the world: every host, the cloud with its data, the switch, mounts and groups. What is kept is the image and Asterisk, so that
# the next one is up sooner; --wipe removes these, too.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
case ${1:-} in
'' | --wipe) ;;
*) die "usage: down.sh [--wipe]" ;;
esac

# The engine first: it would take hosts that vanish for its own business.
"$HERE/cloud.sh" down
for host in $("$HERE/net.sh" list); do
    if [ -d "$DIR/hosts/$host" ]; then KAMSCALE_WORLD_HALT_S=0 "$HERE/host.sh" down "$host" & fi
done
wait
await 20 "the phones are gone" remove_groups phones
"$HERE/net.sh" down
"$HERE/image.sh" umount
for controller in "${CONTROLLERS[@]}"; do
    if [ -d "$CGROUPS/$controller/$WORLD" ]; then rmdir "$CGROUPS/$controller/$WORLD"; fi
done
rm -rf "${DIR:?}"/{hosts,machines,ports,site,openstack,faults.json,up.json}
if [ "${1:-}" = --wipe ]; then rm -rf "${DIR:?}"/{image,asterisk,image.ext4,image.ext4.sources}; fi
