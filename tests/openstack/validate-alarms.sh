# shellcheck shell=bash
# Sourced by validate.sh: Aodh's alarms over measures that two nodes push by hand. It makes, as admin, what an agent makes
# in Gnocchi when it is missing (archive policy and resource type `kamscale...`); it changes nothing that is there.

prepare_gnocchi() {
    local text='{"type": "string", "required": true, "min_length": 0, "max_length": 255}'
    # shellcheck disable=SC2034 # ask reads it
    local CLOUD=kamscale-admin
    ask POST "${URL[metric]}/v1/archive_policy" '{"name": "kamscale", "back_window": 60, "definition":
        [{"granularity": 1, "timespan": 3600}, {"granularity": 60, "timespan": 86400}],
        "aggregation_methods": ["count", "last", "max", "mean", "sum"]}' >/dev/null
    [[ $(status) == 201 || $(status) == 409 ]] || die "archive policy: $(status)"
    ask POST "${URL[metric]}/v1/resource_type" \
        "{\"name\": \"kamscale_pool\", \"attributes\": {\"instance\": $text, \"node\": $text, \"pool\": $text}}" >/dev/null
    [[ $(status) == 201 || $(status) == 409 ]] || die "resource type: $(status)"
}

make_node() { # make_node NODE POOL: the id of its resource
    local id
    id=$(</proc/sys/kernel/random/uuid)
    ask POST "${URL[metric]}/v1/resource/kamscale_pool" "{\"id\": \"$id\", \"instance\": \"test\", \"node\": \"$1\",
        \"pool\": \"$2\", \"metrics\": {\"kamscale.pool.load\": {\"archive_policy_name\": \"kamscale\"}}}" >/dev/null
    [ "$(status)" = 201 ] || die "resource of node $1: $(status)"
    echo "$id"
}

push() { # push ID=LOAD...: this second's measures
    local pair body='{}'
    for pair in "$@"; do
        body=$(jq -c --arg i "${pair%=*}" --argjson v "${pair#*=}" --arg t "$(date -u +%FT%TZ)" \
            '.[$i] = {"kamscale.pool.load": [{timestamp: $t, value: $v}]}' <<<"$body")
    done
    ask POST "${URL[metric]}/v1/batch/resources/metrics/measures" "$body" >/dev/null
    [ "$(status)" = 202 ] || die "measures: $(status)"
}

alarm() { ask GET "${URL[alarming]}/v2/alarms/$1"; }
is_in_state() { [ "$(alarm "$1" | jq -r .state)" = "$2" ]; }
push_until() { # push_until SECONDS WHAT "ID=LOAD..." CONDITION...: a measure a second until it holds
    local end=$((SECONDS + $1)) what=$2 pairs
    read -ra pairs <<<"$3"
    shift 3
    until "$@"; do
        [ $SECONDS -lt $end ] || die "not within its time: $what"
        push "${pairs[@]}"
        sleep 1
    done
}

alarms_with() { # alarms_with NAME GROUP PARAMETERS: a stack of alarms that signal the group
    create "$1" alarms-gnocchi.yaml "$(jq -n --argjson p "$3" --argjson o "$(output "$2" scale_out_url)" \
        --argjson i "$(output "$2" scale_in_url)" '$p + {scale_out_url: $o, scale_in_url: $i}')"
    await 60 "$1 is complete" is_complete "$1"
}

check_gnocchi_alarms() {
    local group=$PREFIX-aodh name=$PREFIX-alarms pool=validate-$RANDOM one two out in held
    log_in kamscale-admin
    log_in kamscale
    prepare_gnocchi
    one=$(make_node one "$pool")
    two=$(make_node two "$pool")
    create "$group" pool-autoscaling-group.yaml "$(with "{\"pool\": \"$pool\", \"min\": 1, \"max\": 3, \"desired\": 1,
        \"scale_out_cooldown_s\": 30, \"scale_in_cooldown_s\": 0}")" "$HEAT/pool-autoscaling-group.env.yaml"
    await 90 "$group is complete" is_complete "$group"
    alarms_with $name "$group" "{\"pool\": \"$pool\", \"nodes\": 2, \"granularity_s\": 1, \"scale_out_periods\": 2, \"scale_in_periods\": 3}"
    out=$(output $name scale_out_alarm | jq -r .)
    in=$(output $name scale_in_alarm | jq -r .)
    expect "alarms: threshold of two nodes, of this pool and project" \
        '.gnocchi_aggregation_by_resources_threshold_rule | .threshold == 0.35 and .aggregation_method == "mean"
            and (.query | contains("created_by_project_id") and contains("\"pool\": \"'"$pool"'\""))' "$(alarm "$out")"
    expect "alarms act only when in alarm, by a trust" '(.alarm_actions | length) == 1 and (.alarm_actions[0] | startswith("trust+"))
        and .ok_actions == [] and .insufficient_data_actions == []' "$(alarm "$out")"
    expect "alarms: no data, no opinion" '. == "insufficient data"' "$(alarm "$out" | jq .state)"
    push_until 60 "0.4 and 0.4 are more than 0.7" "$one=0.4 $two=0.4" is_in_state "$out" alarm
    await 60 "the alarm adds a member" has_members "$group" 2
    good "alarms: 0.4 on each of two nodes fires, and adds a member"
    push_until 60 "0.3 and 0.3 are no alarm" "$one=0.3 $two=0.3" is_in_state "$out" ok
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        push "$one=0.3"
        sleep 1
    done
    expect "alarms: 0.3 on one node, the other not heard: nothing is removed" '. == "ok"' "$(alarm "$in" | jq .state)"
    push_until 60 "0.1 and 0.1 are less than 0.5" "$one=0.1 $two=0.1" is_in_state "$in" alarm
    # The first signals may be dropped: the group still works, or the cooldown after the addition is not over.
    push_until 90 "the alarm removes a member, which is held" "$one=0.1 $two=0.1" is_held "$group"
    held=$(server_of "$group" "$(leaving "$group")")
    member_lives "$held" || die "alarms: the held member's process is gone"
    good "alarms: 0.1 on each of two nodes fires; the member is held"
    delete $name
    delete "$group"
    member_is_gone "$held" || die "alarms: server $held is left"
    for one in "$one" "$two"; do ask DELETE "${URL[metric]}/v1/resource/kamscale_pool/$one" >/dev/null; done
}
