# shellcheck shell=bash
# Sourced by validate.sh and by tests/world/: Heat, Gnocchi and Aodh of the testbed by plain REST, as the project's user. It
# asserts nothing.
# shellcheck disable=SC2034 # the names are for who sources this

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPOSITORY=$(cd "$HERE/../.." && pwd)
DIR=${KAMSCALE_OPENSTACK_DIR:-$REPOSITORY/target/openstack}
HEAT=$REPOSITORY/heat
ENVIRONMENT=$HERE/members.env.yaml # what servers are
MEMBERS=$DIR/members
WORK=$(mktemp -d)
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY

die() {
    printf 'heat: ERROR  %s\n' "$*" >&2
    exit 1
}

to_json() { # to_json FILE: of YAML
    /usr/bin/python3 -c 'import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1])), default=str))' "$1"
}

[ -s "$DIR/clouds.yaml" ] || die "$DIR/clouds.yaml is missing: make openstack-up"

# --- who asks ---
declare -A TOKEN URL
log_in() { # log_in CLOUD: by clouds.yaml, which is JSON after a comment; sets TOKEN[CLOUD], and URL by catalog type
    local cloud=$1 body type url
    body=$(jq -n --slurpfile c <(tail -n +2 "$DIR/clouds.yaml") --slurpfile s <(tail -n +2 "$DIR/secure.yaml") --arg cloud "$cloud" '
        ($c[0].clouds[$cloud].auth + $s[0].clouds[$cloud].auth) as $a | {auth: (
        if $a.application_credential_id then {identity: {methods: ["application_credential"], application_credential:
            {id: $a.application_credential_id, secret: $a.application_credential_secret}}}
        else {identity: {methods: ["password"], password: {user: {name: $a.username, password: $a.password,
            domain: {name: $a.user_domain_name}}}}, scope: {project: {name: $a.project_name, domain: {name: $a.project_domain_name}}}}
        end)}')
    curl -sS --max-time 30 -D "$WORK/head" -o "$WORK/token" -H 'Content-Type: application/json' -d "$body" \
        "$(tail -n +2 "$DIR/clouds.yaml" | jq -r --arg c "$cloud" '.clouds[$c].auth.auth_url')/auth/tokens"
    TOKEN[$cloud]=$(tr -d '\r' <"$WORK/head" | sed -n 's/^x-subject-token: //Ip')
    [ -n "${TOKEN[$cloud]}" ] || die "no token for $cloud: $(<"$WORK/token")"
    while read -r type url; do URL[$type]=$url; done < <(
        jq -r '.token.catalog[] | .type as $t | .endpoints[] | select(.interface == "public") | "\($t) \(.url)"' "$WORK/token")
}

CLOUD=kamscale
ask() { # ask METHOD URL [BODY]: the answer's body is printed, its status stands in STATUS
    local words=()
    if [ $# -gt 2 ]; then
        printf '%s' "$3" >"$WORK/body"
        words=(-H 'Content-Type: application/json' --data-binary "@$WORK/body")
    fi
    curl -sSL --max-time 90 -o "$WORK/answer" -w '%{http_code}' -X "$1" -H "X-Auth-Token: ${TOKEN[$CLOUD]}" \
        ${words[0]+"${words[@]}"} "$2" >"$WORK/status"
    cat "$WORK/answer"
}
status() { cat "$WORK/status"; }

heat() { # heat METHOD PATH [BODY]
    local method=$1 path=$2
    shift 2
    ask "$method" "${URL[orchestration]}$path" "$@"
}

# --- stacks ---
files() { # all templates and what they read, by the names under which they name each other
    local file
    for file in "$HEAT"/*.yaml "$HEAT"/*.sh; do jq -n --arg n "$(basename "$file")" --rawfile t "$file" '{($n): $t}'; done | jq -s add
}

environment() { # environment [FILE]: the tests' own, and that one merged into it
    if [ $# -gt 0 ]; then
        jq -s '.[0] * .[1]' <(to_json "$ENVIRONMENT") <(to_json "$1")
    else
        to_json "$ENVIRONMENT"
    fi
}

validate() { # validate TEMPLATE
    heat POST /validate "$(jq -n --rawfile t "$HEAT/$1" --argjson f "$(files)" --argjson e "$(environment)" \
        '{template: $t, files: $f, environment: $e}')"
}

create() { # create NAME TEMPLATE PARAMETERS [ENVIRONMENT-FILE]
    local name=$1 template=$2 parameters=$3
    shift 3
    heat POST /stacks "$(jq -n --arg n "$name" --rawfile t "$HEAT/$template" --argjson f "$(files)" \
        --argjson e "$(environment "$@")" --argjson p "$parameters" \
        '{stack_name: $n, template: $t, files: $f, environment: $e, parameters: $p, timeout_mins: 30}')" >"$WORK/created"
    [ "$(status)" = 201 ] || die "create $name: $(status) $(<"$WORK/created")"
}

stack() { heat GET "/stacks/$1" | jq -c .stack; }
stack_path() { stack "$1" | jq -r '"/stacks/\(.stack_name)/\(.id)"'; }
update() { # update NAME PARAMETERS
    heat PATCH "$(stack_path "$1")" "$(jq -n --argjson p "$2" '{parameters: $p}')" >"$WORK/updated"
    [ "$(status)" = 202 ] || die "update $1: $(status) $(<"$WORK/updated")"
}
output() { # output NAME KEY: as JSON
    stack "$1" | jq -c --arg k "$2" '.outputs[]? | select(.output_key == $k) | .output_value'
}
resources() { heat GET "/stacks/$1/resources?nested_depth=5" | jq -c '.resources[]?'; }
servers() { resources "$1" | jq -c 'select(.resource_type == "OS::Nova::Server")'; }

is_complete() { # is_complete NAME: false while in progress; an error if it failed
    local state
    state=$(stack "$1" | jq -r '"\(.stack_status) \(.stack_status_reason)"')
    [[ $state != *_FAILED* ]] || die "stack $1: $state"
    [[ $state == *_COMPLETE* ]]
}

# --- hooks ---
clear_hooks() { # clear_hooks STACK-PATH: every pre-delete hook on which something waits; Heat refuses those cleared before
    local url name
    heat GET "$1/events?nested_depth=5&sort_dir=desc&limit=200" | jq -r '.events[]?
        | select(.resource_status_reason // "" | contains("paused until Hook pre-delete"))
        | "\(.links[] | select(.rel == "stack") | .href) \(.resource_name)"' | sort -u |
        while read -r url name; do ask POST "$url/resources/$name/signal" '{"unset_hook": "pre-delete"}' >/dev/null; done
}

is_deleted() { # is_deleted STACK-PATH: clears the hooks on which it waits
    local state
    state=$(heat GET "$1" | jq -r '.stack.stack_status // "DELETE_COMPLETE"')
    [ "$state" != DELETE_COMPLETE ] || return 0
    [ "$state" != DELETE_FAILED ] || heat DELETE "$1" >/dev/null
    clear_hooks "$1"
    return 1
}

delete() { # delete NAME: nothing to do if there is none
    local path
    path=$(stack "$1" | jq -r 'select(.id) | "/stacks/\(.stack_name)/\(.id)"')
    [ -n "$path" ] || return 0
    heat DELETE "$path" >/dev/null
    await 120 "stack $1 is deleted" is_deleted "$path"
}

# --- waiting ---
await() { # await SECONDS WHAT CONDITION...
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        [ $SECONDS -lt $end ] || die "not within its time: $what"
        sleep 0.3
    done
}

# --- members: what the plug-in started ---
member_lives() { # member_lives SERVER-ID: its record is there and its process runs
    local pid
    pid=$(jq -r '.pid // empty' "$MEMBERS/$1.json" 2>/dev/null) && [ -n "$pid" ] && [ -e "/proc/$pid" ]
}
member_is_gone() { ! [ -e "$MEMBERS/$1.json" ]; }
