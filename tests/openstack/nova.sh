# shellcheck shell=bash
# Sourced by up.sh for --nova: waits until nova may place servers, and has nova.py make what servers name.

host_is_mapped() {
    [ "$(database "SELECT COUNT(*) FROM nova_api.host_mappings WHERE host = 'kamscale'")" -gt 0 ] && return 0
    nova-manage --config-file "$ETC/nova.conf" cell_v2 discover_hosts >>"$LOG/make-nova-hosts.log" 2>&1 || true
    return 1
}

make_nova_content() {
    await nova-compute 240 host_is_mapped
    progress "nova's host has its cell"
    make_once nova-content "$PYTHON" "$HERE/nova.py" "$DIR"
}
