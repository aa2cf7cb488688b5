#!/bin/bash
# Boots anew a host that Heat made and that died: with an empty disk, from the user data it was made with, at its address. Heat does
# not notice, as it does not notice a death.
#   rebuild.sh HOST
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ $# = 1 ] || die "usage: rebuild.sh HOST"

record=$(cat "$DIR"/machines/*.json 2>/dev/null | jq -c --arg h "$1" 'select(.host == $h)')
[ -n "$record" ] || die "Heat made no host '$1'; it made: $(cat "$DIR"/machines/*.json 2>/dev/null | jq -r .host | xargs)"
field() { jq -r ".$1" <<<"$record"; }
mapfile -t limits < <(jq -r --arg f "$(field flavor)" '.flavors[$f] // {} | to_entries[] | "--\(.key)", .value' "$HERE/machines.json")
"$HERE/host.sh" down "$1"
exec "$HERE/host.sh" up "$1" "$(field address)" "${limits[@]}" --seed "$DIR/machines/$(field id).seed"
