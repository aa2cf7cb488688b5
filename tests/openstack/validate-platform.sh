# shellcheck shell=bash
# Sourced by validate.sh: the platform's stack, a pool of each tier beside it, and the script with which hosts boot. What that
# script makes of a host is shown where there are hosts (tests/world).

names_of() { # names_of STACK: of its servers, sorted
    servers "$1" | jq -r .physical_resource_id | while read -r id; do jq -r .name "$MEMBERS/$id.json"; done | sort | xargs
}

check_platform() {
    local name=$PREFIX-platform script=$WORK/install.sh ids id pool template
    create $name platform.yaml "$(jq -n '{image: "kamscale", network: "test", wait_for_ready: false, facts: {kamscale_site: "test"}}
        + ({dns: 1, database: 1, database_proxy: 1, lb: 1} | with_entries(.key |= "flavor_" + .) | map_values("kamscale.small"))')"
    await 120 "$name is complete" is_complete $name
    expect "platform: addresses by tier" 'map_values(length) == {dns: 2, database: 3, database_proxy: 2, lb: 2}' "$(output $name addresses)"
    [ "$(names_of $name)" = "db1 db2 db3 dbproxy1 dbproxy2 dns1 dns2 lb1 lb2" ] || die "platform: its servers are $(names_of $name)"
    good "platform: nine servers by their names"
    output $name install_script | jq -r . >"$script"
    bash -n "$script" || die "platform: install_script is no shell script"
    expect "platform: install_script has the facts and fits" \
        '(contains("{\"kamscale_site\": \"test\"}") and contains("KAMSCALE_PUPPET=\u0027image\u0027")) and length < 12000' "$(output $name install_script)"
    for pool in ccp conference queue voicemail; do
        template="pool-resource-group.yaml"
        [ $pool != ccp ] || template="pool-autoscaling-group.yaml"
        create "$name-$pool" $template "$(jq -n --rawfile s "$script" \
            '{image: "kamscale", flavor: "kamscale.small", network: "test", wait_for_ready: false, install_script: $s}')" "$HEAT/tier-$pool.env.yaml"
    done
    for pool in ccp conference queue voicemail; do
        await 120 "$name-$pool is complete" is_complete "$name-$pool"
        expect "tier $pool: as many members as it begins with" ". == $([ $pool = ccp ] && echo 2 || echo 1)" "$(output "$name-$pool" size)"
    done
    ids=$(servers $name | jq -r .physical_resource_id)
    for pool in ccp conference queue voicemail; do delete "$name-$pool"; done
    delete $name
    for id in $ids; do member_is_gone "$id" || die "platform: server $id is left"; done
    good "platform: gone as a whole"
}

refuses() { # refuses WHAT PATTERN VARIABLE=VALUE...: the boot script ends, and its reason says why
    local what=$1 pattern=$2
    shift 2
    rm -f "$WORK/reason"
    if env KAMSCALE_REASON="$WORK/reason" "$@" bash -eo pipefail "$HEAT/install-puppet.sh" >"$WORK/boot.log" 2>&1; then
        die "boot script: $what is accepted"
    fi
    grep -q "$pattern" "$WORK/reason" || die "boot script: $what: the reason is '$(cat "$WORK/reason" "$WORK/boot.log")'"
    good "boot script: $what is refused with a reason"
}

check_boot_script() {
    refuses "no pool" "KAMSCALE_POOL is not set" KAMSCALE_ROLE=
    refuses "a pool whose role nobody said" "which role pool .nowhere. has" KAMSCALE_POOL=nowhere
    refuses "a strange place for Puppet's environment" "must be image, a URL, or server:NAME" KAMSCALE_POOL=ccp KAMSCALE_PUPPET=ftp://x
}
