#!/bin/bash
# Shows on the real Heat, Gnocchi and Aodh of the testbed (make openstack-up) that every template in heat/ validates, can be
# created as shipped, gives the outputs that the agent reads, and does what its description says.
#   validate.sh [NAME...]   only these: the functions called check_NAME below
# Every stack is called kamscale-validate-...; those that an earlier run left are deleted first. It starts no service.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/heat.sh"
PREFIX=kamscale-validate
trap 'rm -rf "$WORK"' EXIT

good() { printf 'heat: ok     %s\n' "$*"; }
expect() { # expect WHAT EXPRESSION JSON: jq's expression must be true of it
    jq -e "$2" >/dev/null <<<"${3:-null}" || die "$1: ${3:-nothing} is not $2"
    good "$1"
}

# What every test passes; a name that Nova and Glance of the testbed know too, if they run.
BASE='{"image": "kamscale", "flavor": "kamscale.small", "network": "test", "wait_for_ready": false}'
with() { jq -n --argjson b "$BASE" --argjson p "$1" '$b + $p'; }

# --- what needs no stack ---
check_style() { # what a reader of a template may rely on
    local file faults
    for file in "$HEAT"/*.yaml; do
        head -n 1 "$file" | grep -q '^# ' || die "$file: no header"
        [ "$(wc -l <"$file")" -le 300 ] || die "$file: more than 300 lines"
        [[ $file != *.env.yaml ]] || continue
        faults=$(to_json "$file" | jq -r '
            ([.parameter_groups[]?.parameters[]]) as $grouped
            | (.parameters // {} | to_entries[]
                | select((.value.type and .value.description
                    and (.value.constraints or .value.type == "boolean") and ([.key] | inside($grouped))) | not)
                | "parameter \(.key): type, description, constraints or group is missing"),
              ($grouped - (.parameters | keys) | .[] | "parameter group: \(.) is no parameter"),
              (.outputs // {} | to_entries[] | select(.value.description | not) | "output \(.key): no description")')
        [ -z "$faults" ] || die "$(basename "$file"): $faults"
    done
    good "parameters are typed, described, constrained and grouped; outputs are described"
}

check_validate() {
    local file answer
    for file in "$HEAT"/*.yaml; do
        file=$(basename "$file")
        [[ $file != *.env.yaml ]] || continue
        answer=$(validate "$file")
        [ "$(status)" = 200 ] || die "$file: $(status) $answer"
        good "$file validates"
    done
}

check_prometheus() { # the alarms' conditions, with the defaults and two nodes, as rules: parsed, and tried on made-up series
    local rules=$WORK/rules.yml name
    command -v promtool >/dev/null || die "promtool is missing: scripts/setup.sh openstack"
    to_json "$HEAT/alarms-prometheus.yaml" | jq '
        (.parameters | map_values(.default) + {pool: "ccp", nodes: 2}) as $p
        | {groups: [{name: "alarms", rules: [.resources | to_entries[] | .value.properties as $a
            | {alert: .key, expr: ("(" + (reduce ($a.query.str_replace.params | to_entries[]) as $e ($a.query.str_replace.template;
                gsub($e.key; $p[$e.value.get_param] | tostring)))
                + ")" + {gt: " > ", lt: " < "}[$a.comparison_operator] + ($p[$a.threshold.get_param] | tostring))}]}]}' >"$rules"
    for name in scale_out_alarm scale_in_alarm; do grep -q "$name" "$rules" || die "alarms-prometheus.yaml: no $name"; done
    promtool check rules "$rules" >"$WORK/promtool" 2>&1 || die "$(<"$WORK/promtool")"
    # Minutes 0-10: 40 and 40 calls of 100; then 10 and 10; then one node is heard no more; then neither.
    jq -n '{rule_files: ["rules.yml"], evaluation_interval: "15s", tests: [{interval: "15s",
        input_series: [
            {series: "kamscale_pool_calls{pool=\"ccp\",instance=\"one\"}", values: "40x40 10x80 stale"},
            {series: "kamscale_pool_calls{pool=\"ccp\",instance=\"two\"}", values: "40x40 10x40 stale"},
            {series: "kamscale_pool_capacity_calls{pool=\"ccp\",instance=\"one\"}", values: "100x160"}],
        alert_rule_test: [
            {eval_time: "9m", alertname: "scale_out_alarm", exp_alerts: [{}]}, {eval_time: "9m", alertname: "scale_in_alarm"},
            {eval_time: "11m", alertname: "scale_out_alarm"}, {eval_time: "12m", alertname: "scale_in_alarm"},
            {eval_time: "19m", alertname: "scale_in_alarm", exp_alerts: [{}]}, {eval_time: "19m", alertname: "scale_out_alarm"},
            {eval_time: "22m", alertname: "scale_in_alarm"}, {eval_time: "28m", alertname: "scale_in_alarm"},
            {eval_time: "38m", alertname: "scale_in_alarm"}, {eval_time: "38m", alertname: "scale_out_alarm"}]}]}' >"$WORK/cases.yml"
    promtool test rules "$WORK/cases.yml" >"$WORK/promtool" 2>&1 || die "$(<"$WORK/promtool")"
    good "alarms-prometheus.yaml: the queries parse, act on load, and remove nothing when a node is not heard"
}

# --- one member ---
check_member() {
    local name=$PREFIX-member id
    create $name member.yaml "$(with '{"pool": "ccp", "name": "ccp-of-test"}')"
    await 60 "$name is complete" is_complete $name
    id=$(output $name OS::stack_id | jq -r .)
    expect "member: address" 'test("^127\\.")' "$(output $name address)"
    expect "member: name" '. == "ccp-of-test"' "$(output $name name)"
    member_lives "$id" || die "member: no process for server $id"
    delete $name
    member_is_gone "$id" || die "member: server $id is left"
    good "member: made, serving, gone"
}

is_waited_for() { [ -n "$(resources "$1" | jq 'select(.resource_name == "ready" and .resource_status == "CREATE_IN_PROGRESS")')" ]; }
check_ready() { # a member is complete when it says so, by the very command that stands in its user data
    local name=$PREFIX-ready notify
    create $name member.yaml "$(with '{"pool": "ccp", "wait_for_ready": true, "ready_timeout_s": 60}')"
    await 60 "$name waits" is_waited_for $name
    if is_complete $name; then die "ready: complete before it was signalled"; fi
    notify=$(heat GET "$(stack_path $name)/resources/ready_handle?with_attr=curl_cli" | jq -r .resource.attributes.curl_cli)
    [[ $notify == curl* ]] || die "ready: no command: $notify"
    # shellcheck disable=SC2001 # quotes are for a shell to read
    bash -c "$notify --silent --show-error --max-time 20 --data-binary '{\"status\": \"SUCCESS\"}'" >/dev/null
    await 60 "$name is complete" is_complete $name
    good "ready: complete only after the signal of its user data"
    delete $name
}

# --- groups ---
server_of() { # server_of STACK MEMBER: id of the server in that member of a group
    servers "$1" | jq -r --arg m "$2" 'select(.parent_resource == $m) | .physical_resource_id'
}

check_resource_group() {
    local name=$PREFIX-rg member
    declare -A server=()
    create $name pool-resource-group.yaml "$(with '{"pool": "ccp", "count": 3}')"
    await 90 "$name is complete" is_complete $name
    expect "resource group: members by name" 'keys == ["0", "1", "2"]' "$(output $name members)"
    expect "resource group: size" '. == 3' "$(output $name size)"
    for member in 0 1 2; do server[$member]=$(server_of $name $member); done
    update $name '{"count": 2, "remove": "1"}'
    await 90 "$name is updated" is_complete $name
    await 20 "server of 1 is gone" member_is_gone "${server[1]}"
    for member in 0 2; do member_lives "${server[$member]}" || die "resource group: $member went too"; done
    expect "resource group: exactly the named one went" 'keys == ["0", "2"]' "$(output $name members)"
    update $name '{"count": 3, "remove": "1"}'
    await 90 "$name is updated" is_complete $name
    expect "resource group: the name is not used again" 'keys == ["0", "2", "3"]' "$(output $name members)"
    update $name '{"count": 2, "remove": "1,3"}'
    await 90 "$name is updated" is_complete $name
    for member in 0 2; do member_lives "${server[$member]}" || die "resource group: $member went too"; done
    expect "resource group: the list names every hole" 'keys == ["0", "2"]' "$(output $name members)"
    delete $name
}

has_members() { [ "$(output "$1" members | jq length)" = "$2" ]; }
leaving() { # leaving STACK: names of members in deletion; the server itself still shows CREATE_COMPLETE while it is held
    resources "$1" | jq -r 'select(.resource_type == "member.yaml" and .resource_status == "DELETE_IN_PROGRESS") | .resource_name'
}
is_held() { [ -n "$(leaving "$1")" ]; }
has_servers() { [ "$(servers "$1" | wc -l)" = "$2" ]; }
is_held_by_signal() { # is_held_by_signal STACK URL
    is_held "$1" || { ask POST "$2" >/dev/null; is_held "$1"; }
}
check_autoscaling_group() {
    local name=$PREFIX-asg held before
    create $name pool-autoscaling-group.yaml "$(with '{"pool": "ccp", "min": 1, "max": 5, "desired": 2, "scale_out_cooldown_s": 0,
        "scale_in_cooldown_s": 0}')" "$HEAT/pool-autoscaling-group.env.yaml"
    await 90 "$name is complete" is_complete $name
    expect "autoscaling group: members" 'length == 2 and all(test("^127\\."))' "$(output $name members)"
    expect "autoscaling group: size" '. == 2' "$(output $name size)"
    ask POST "$(output $name scale_out_url | jq -r .)" >/dev/null
    await 60 "a signal adds a member" has_members $name 3
    good "autoscaling group: scale_out_url adds one"
    await 60 "$name rests" is_complete $name
    # Signals are dropped while the group still works, and nothing says until when: as an alarm, try again.
    await 60 "a deletion is held" is_held_by_signal $name "$(output $name scale_in_url | jq -r .)"
    held=$(server_of $name "$(leaving $name)")
    member_lives "$held" || die "autoscaling group: the held member's process is gone"
    update $name '{"desired": 3}'
    await 60 "a member is added while one is held" has_servers $name 4
    member_lives "$held" || die "autoscaling group: the held member went with an update"
    good "autoscaling group: held, and grows meanwhile"
    before=$(find "$MEMBERS" -maxdepth 1 -name '*.json' | wc -l)
    clear_hooks "$(stack_path $name)"
    await 60 "the held member goes" member_is_gone "$held"
    await 60 "$name is updated" is_complete $name
    expect "autoscaling group: one less after its hook was cleared" ". == $((before - 1))" \
        "$(find "$MEMBERS" -maxdepth 1 -name '*.json' | wc -l)"
    delete $name
}

check_stack_per_member() {
    local name=$PREFIX-unit id ids
    create $name stack-per-member.yaml "$(with '{"machines": {"presence": 1, "ccp": 2}, "types": {"presence": {"flavor": "kamscale.small"}}}')"
    await 90 "$name is complete" is_complete $name
    expect "unit: machines by pool" '(.ccp | length) == 2 and (.presence | length) == 1' "$(output $name machines)"
    expect "unit: name and address of each" '[.[][] | .address | test("^127\\.")] | all' "$(output $name machines)"
    expect "unit: address of the first" 'test("^127\\.")' "$(output $name address)"
    ids=$(servers $name | jq -r .physical_resource_id)
    delete $name
    for id in $ids; do member_is_gone "$id" || die "unit: server $id is left"; done
    good "unit: gone as a whole"
    create $name stack-per-member.yaml "$BASE"
    await 90 "$name is complete" is_complete $name
    expect "unit of one: its address is that of the machine" '.[0] == .[1].ccp[0].address' \
        "[$(output $name address), $(output $name machines)]"
    delete $name
}

. "$HERE/validate-alarms.sh"
. "$HERE/validate-platform.sh"

CHECKS=(style validate prometheus member ready resource_group autoscaling_group stack_per_member platform boot_script gnocchi_alarms)
log_in kamscale
for leftover in $(heat GET /stacks | jq -r --arg p $PREFIX '.stacks[]?.stack_name | select(startswith($p))'); do delete "$leftover"; done
[ $# -gt 0 ] || set -- "${CHECKS[@]}"
for check in "$@"; do
    [[ " ${CHECKS[*]} " == *" $check "* ]] || die "there is no check '$check'; there are: ${CHECKS[*]}"
    "check_$check"
done
good "all of: $*"
