#!/bin/bash
# The platform as stacks of Heat, from the templates as they ship: `platform` with what is not scaled, and a stack for each pool.
# Run in the cloud's network: cloud.sh run stacks.sh ...
#   stacks.sh create [agent|aodh]     and wait for them; who decides about the pools ccp and conference (agent)
#   stacks.sh alarms                  with which Aodh decides about them
#   stacks.sh delete                  all of them
#   stacks.sh show                    each with its state
set -euo pipefail
: "${KAMSCALE_WORLD_DIR:?run it by tests/world/cloud.sh run}"
. "$(dirname "${BASH_SOURCE[0]}")/../openstack/heat.sh"
trap 'rm -rf "$WORK"' EXIT
export ENVIRONMENT=$REPOSITORY/tests/world/env.yaml
POOLS=(ccp conference queue voicemail)
STACKS=(platform "${POOLS[@]}")
TIMEOUT_S=${KAMSCALE_WORLD_TIMEOUT_S:-600}
BEGIN=$EPOCHSECONDS

progress() { printf 'world: %4d s  %s\n' $((EPOCHSECONDS - BEGIN)) "$*"; }

# What every stack is told: there is one image, one network, and a flavor for each tier.
COMMON='{"image": "world", "network": "world", "ready_timeout_s": 300}'

create_platform() { # create_platform DECIDE: the hosts' data (tests/world/puppet) is told who decides
    create platform platform.yaml "$(jq -n --argjson c "$COMMON" --arg d "$1" '$c + {facts: {kamscale_decide: $d}} + (["dns", "database", "database_proxy", "lb"]
        | map({("flavor_" + .): ("world." + .)}) | add)')"
}

flavor_of() { case $1 in ccp) echo world.ccp ;; *) echo world.media ;; esac; } # flavor_of POOL

create_pool() { # create_pool POOL SCRIPT DECIDE
    local pool=$1 script=$2 template="pool-resource-group.yaml" env=$HEAT/tier-$1.env.yaml own="{}"
    case $3:$pool in aodh:ccp | aodh:conference)
        template="pool-autoscaling-group.yaml"
        jq -s '.[0] * .[1]' <(to_json "$env") <(to_json "$HEAT/pool-autoscaling-group.env.yaml") >"$WORK/$pool.env"
        env=$WORK/$pool.env
        own='{"max": 4, "scale_out_cooldown_s": 20, "scale_in_cooldown_s": 20}'
        ;;
    esac
    create "$pool" "$template" "$(jq -n --argjson c "$COMMON" --arg f "$(flavor_of "$pool")" --rawfile s "$script" --argjson o "$own" \
        '$c + $o + {flavor: $f, install_script: $s}')" "$env"
}

# The way Aodh decides: an alarm for each direction, with the thresholds that the agents have in tests/world/puppet/data.
create_alarms() { # create_alarms POOL TEMPLATE PARAMETERS
    create "$1-alarms" "$2" "$(jq -n --argjson p "$3" --arg pool "$1" --argjson out "$(output "$1" scale_out_url)" \
        --argjson in "$(output "$1" scale_in_url)" '$p + {pool: $pool, granularity_s: 1, scale_out_url: $out, scale_in_url: $in}')"
    await 60 "stack $1-alarms is complete" is_complete "$1-alarms"
}

has_script() { output platform install_script | jq -r '. // empty' >"$WORK/script" && [ -s "$WORK/script" ]; }

declare -A FINISHED=()
all_complete() { # says of each stack once that it is
    local name
    for name in "${STACKS[@]}"; do
        [ -z "${FINISHED[$name]:-}" ] || continue
        if is_complete "$name"; then
            FINISHED[$name]=1
            progress "stack $name is complete"
        fi
    done
    [ ${#FINISHED[@]} = ${#STACKS[@]} ]
}

create_all() { # create_all DECIDE
    local pool
    create_platform "$1"
    await 120 "stack platform says with what hosts boot" has_script
    for pool in "${POOLS[@]}"; do create_pool "$pool" "$WORK/script" "$1"; done
    progress "stacks are made: ${STACKS[*]}"
    await "$TIMEOUT_S" "all stacks are complete" all_complete
}

set_alarms() { # once the hosts are at rest: their boots would look like a flood
    create_alarms ccp alarms-gnocchi-hosts.yaml '{"scale_out_load": 0.5, "scale_in_load": 0.3, "scale_in_periods": 20}'
    create_alarms conference alarms-gnocchi.yaml \
        '{"instance": "ccp", "nodes": 2, "scale_out_load": 0.7, "scale_in_load": 0.5, "scale_in_periods": 20}'
}

log_in kamscale
case ${1:-} in
create)
    case ${2:-agent} in agent | aodh) ;; *) die "who decides is agent or aodh, not $2" ;; esac
    create_all "${2:-agent}"
    ;;
alarms) set_alarms ;;
delete) for name in conference-alarms ccp-alarms "${POOLS[@]}" platform; do delete "$name"; done ;;
show) heat GET /stacks | jq -r '.stacks[] | [.stack_name, .stack_status] | @tsv' | column -t ;;
*)
    sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
