#!/bin/bash
# The platform as stacks of Heat, from the templates as they ship: `platform` with what is not scaled, and a stack for each pool.
# Run in the cloud's network: cloud.sh run stacks.sh ...
#   stacks.sh create [agent|aodh]     and wait for them; who decides about the pools ccp and conference (agent)
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

create_platform() {
    create platform platform.yaml "$(jq -n --argjson c "$COMMON" '$c + (["dns", "database", "database_proxy", "lb"]
        | map({("flavor_" + .): ("world." + .)}) | add)')"
}

flavor_of() { case $1 in ccp) echo world.ccp ;; *) echo world.media ;; esac; } # flavor_of POOL

create_pool() { # create_pool POOL SCRIPT DECIDE
    local pool=$1 script=$2 template="pool-resource-group.yaml" env=$HEAT/tier-$1.env.yaml
    case $3:$pool in aodh:ccp | aodh:conference)
        template="pool-autoscaling-group.yaml"
        jq -s '.[0] * .[1]' <(to_json "$env") <(to_json "$HEAT/pool-autoscaling-group.env.yaml") >"$WORK/$pool.env"
        env=$WORK/$pool.env
        ;;
    esac
    create "$pool" "$template" "$(jq -n --argjson c "$COMMON" --arg f "$(flavor_of "$pool")" --rawfile s "$script" \
        '$c + {flavor: $f, install_script: $s}')" "$env"
}

# The way Aodh decides: an alarm for each direction, whose thresholds are those of the pool in the agents' configuration.
create_alarms() { # create_alarms POOL INSTANCE
    create "$1-alarms" alarms-gnocchi.yaml "$(jq -n --arg pool "$1" --arg instance "$2" \
        --argjson out "$(output "$1" scale_out_url)" --argjson in "$(output "$1" scale_in_url)" \
        '{pool: $pool, instance: $instance, nodes: 2, granularity_s: 1, scale_out_url: $out, scale_in_url: $in}')"
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
    create_platform
    await 120 "stack platform says with what hosts boot" has_script
    for pool in "${POOLS[@]}"; do create_pool "$pool" "$WORK/script" "$1"; done
    progress "stacks are made: ${STACKS[*]}"
    await "$TIMEOUT_S" "all stacks are complete" all_complete
    if [ "$1" = aodh ]; then
        create_alarms ccp lb
        create_alarms conference ccp
    fi
}

log_in kamscale
case ${1:-} in
create)
    case ${2:-agent} in agent | aodh) ;; *) die "who decides is agent or aodh, not $2" ;; esac
    create_all "${2:-agent}"
    ;;
delete) for name in conference-alarms ccp-alarms "${POOLS[@]}" platform; do delete "$name"; done ;;
show) heat GET /stacks | jq -r '.stacks[] | [.stack_name, .stack_status] | @tsv' | column -t ;;
*)
    sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
