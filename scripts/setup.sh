#!/bin/bash
# Installs what the make targets need and what is missing, on Debian 12; skips what is there.
#   scripts/setup.sh [build] [test] [demo] [bench] [plan] [check] [openstack] [nova] [puppet] [puppetserver] [world]
#   without a group: everything
# Needs a Rust toolchain and make; installs as root or with sudo. What it cannot install it names, with the command
# that would do it, and then ends with an error. It changes no apt sources and starts no service.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BASE=${CARGO_TARGET_DIR:-$ROOT/target}
CARGO_DENY=0.20.2
TESTED_KAMAILIO=5.6.3
POLICY=/usr/sbin/policy-rc.d
POLICY_MARK='# Kamscale scripts/setup.sh: no service starts while packages are installed. May be deleted.'

ok() { printf 'setup: ok       %s\n' "$*"; }
doing() { printf 'setup: install  %s\n' "$*"; }
note() { printf 'setup: note     %s\n' "$*"; }
missing() { # missing WHAT HOW: remembered until the end, so that all of it is named at once
    printf 'setup: MISSING  %s: %s\n' "$1" "$2" >&2
    UNMET=$((UNMET + 1))
}
UNMET=0

GROUPS_WANTED=("$@")
[ $# -gt 0 ] || GROUPS_WANTED=(build test demo bench check openstack nova puppet puppetserver world)
for group in "${GROUPS_WANTED[@]}"; do
    case $group in
    build | test | demo | bench | plan | check | openstack | nova | puppet | puppetserver | world) ;;
    *)
        echo "setup: unknown group '$group'; there are: build test demo bench plan check openstack nova puppet puppetserver world" >&2
        exit 2
        ;;
    esac
done

wanted() { # wanted GROUP...: is one of them asked for?
    local group want
    for group in "$@"; do
        for want in "${GROUPS_WANTED[@]}"; do
            [ "$group" != "$want" ] || return 0
        done
    done
    return 1
}

# --- probes: is it there, wherever it came from? ---
has_command() { command -v "$1" >/dev/null; }
has_file() { compgen -G "$1" >/dev/null; } # a pattern
has_kamailio() { has_command "${KAMAILIO_BIN:-kamailio}"; }
has_module() { has_file "/usr/lib*/*/kamailio/modules/$1.so" || has_file "/usr/local/lib*/kamailio/modules/$1.so"; }
has_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] || has_file '/usr/lib/llvm-*/lib/libclang*.so*' || has_file '/usr/lib*/libclang.so*'
}
has_clang() { has_command clang || has_file '/usr/bin/clang-[0-9]*'; }

# package | what it is | probe | groups that need it
packages() {
    cat <<'TABLE'
gcc|the C compiler and linker|has_command gcc|build test demo bench plan check
libc6-dev|headers of the C library|has_file /usr/include/stdlib.h|build test demo bench plan check
kamailio|the SIP server|has_kamailio|build test demo bench check
dpkg-dev|unpacks the source that has Kamailio's headers|has_command dpkg-source|build test demo bench check
libclang-14-dev|reads Kamailio's headers (bindgen)|has_libclang|build test demo bench check
clang-14|tells bindgen where the compiler's headers are|has_clang|build test demo bench check
kamailio-extra-modules|further modules of the server, scripts in JavaScript|has_module app_jsdt|test demo bench
kamailio-mysql-modules|subscribers and registrations in a database|has_module db_mysql|test world puppet
kamailio-presence-modules|presence and busy lamps|has_module presence_dialoginfo|test world
kamailio-tls-modules|SIP over TLS|has_module tls|test world
kamailio-lua-modules|scripts in Lua|has_module app_lua|test
kamailio-python3-modules|scripts in Python|has_module app_python3|test
sip-tester|sipp, the SIP caller|has_command sipp|test demo bench openstack
iproute2|ip and ss|has_command ip|test demo bench openstack
procps|ps|has_command ps|test demo bench openstack
dnsmasq-base|a DNS server for tests of host names|has_command dnsmasq|test
openssl|certificates and a TLS phone for tests|has_command openssl|test
rtpengine-daemon|media by way of the load balancer, in user space|has_command rtpengine|test
python3|small SIP members and callers of tests|has_command python3|test openstack
git|says which commit a report is about|has_command git|demo bench plan
valgrind|callgrind counts instructions|has_command valgrind|bench
shellcheck|checks the shell scripts|has_command shellcheck|check
mariadb-server|the database of the OpenStack services and of the platform|has_command mariadbd|openstack test world puppet
rabbitmq-server|their message broker|has_file /usr/lib/rabbitmq/bin/rabbitmq-server|openstack
keystone|OpenStack: who may do what|has_file /usr/bin/keystone-wsgi-public|openstack
heat-api|OpenStack: stacks|has_command heat-api|openstack
heat-api-cfn|OpenStack: signals of stacks|has_command heat-api-cfn|openstack
heat-engine|OpenStack: makes what stacks name|has_command heat-engine|openstack
gnocchi-api|OpenStack: measures|has_file /usr/lib/python3/dist-packages/gnocchi/rest/wsgi.py|openstack
gnocchi-metricd|OpenStack: aggregates measures|has_command gnocchi-metricd|openstack
aodh-api|OpenStack: alarms|has_command aodh-api|openstack
aodh-evaluator|OpenStack: evaluates alarms|has_command aodh-evaluator|openstack
aodh-notifier|OpenStack: acts on alarms|has_command aodh-notifier|openstack
python3-venv|an environment of its own for a newer Aodh|has_file /usr/lib/python3*/ensurepip/__init__.py|openstack
etcd-server|keeps the lease of the deciding agent|has_command etcd|test openstack
prometheus|the other source of measures|has_command prometheus|test openstack
puppet|applies roles to hosts|has_command puppet|puppet puppetserver world
puppet-lint|checks manifests|has_command puppet-lint|puppet
puppet-strings|writes REFERENCE.md|has_file /usr/share/rubygems-integration/all/gems/puppet-strings-*|puppet
ruby-rspec-puppet|tests of manifests|has_file /usr/share/rubygems-integration/all/gems/rspec-puppet-*|puppet
ruby-puppetlabs-spec-helper|tests of types and providers|has_file /usr/share/rubygems-integration/all/gems/puppetlabs_spec_helper-*|puppet
puppet-module-puppetlabs-stdlib|the module that all others need|has_file /usr/share/puppet/modules*/*stdlib|puppet world puppetserver
bind9|the DNS server of the platform|has_command named|world puppet puppetserver
bind9-utils|tsig-keygen, nsupdate's companions|has_command tsig-keygen|world puppet puppetserver
bind9-dnsutils|dig, nsupdate|has_command nsupdate|world puppet puppetserver
haproxy|the way to the active database node|has_command haproxy|test world
galera-4|a cluster of databases|has_file /usr/lib/galera/libgalera_smm.so|world
rsync|how a database node gets its first copy|has_command rsync|world
jq|reads what the services say|has_command jq|world
curl|asks them|has_command curl|world
bsdextrautils|column: tables for who watches|has_command column|world
cloud-init|the first boot of a server|has_command cloud-init|world
systemd-container|boots hosts with an init of their own|has_command systemd-nspawn|world
nftables|parts a pair of hosts|has_command nft|world
iputils-ping|asks whether a host is heard|has_command ping|world
puppetserver|for sites with a Puppet server: the slow test|has_command puppetserver|puppetserver
puppetdb|for sites with exported resources: the slow test|has_command puppetdb|puppetserver
puppet-terminus-puppetdb|from the one to the other|has_file /usr/lib/ruby/vendor_ruby/puppet/indirector/catalog/puppetdb.rb|puppetserver
postgresql|the database of PuppetDB|has_file /usr/lib/postgresql/*/bin/initdb|puppetserver
placement-api|OpenStack: what nova's hosts have|has_command placement-api|nova
glance-api|OpenStack: images|has_command glance-api|nova
neutron-server|OpenStack: networks, which nova asks for|has_command neutron-server|nova
nova-api|OpenStack: servers|has_command nova-api|nova
nova-conductor|OpenStack: servers, the database's side|has_command nova-conductor|nova
nova-scheduler|OpenStack: servers, which host|has_command nova-scheduler|nova
nova-compute|OpenStack: servers, with its fake driver|has_command nova-compute|nova
TABLE
}

# --- Rust: not ours to install, but said before a build fails ---
check_rust() {
    local want have
    want=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
    if ! has_command cargo || ! has_command rustc; then
        missing "Rust $want or newer (cargo, rustc)" "install it with rustup, https://rustup.rs"
        return
    fi
    have=$(cd "$ROOT" && rustc --version | awk '{ print $2 }')
    if [ "$(printf '%s\n' "$want" "${have%%-*}" | sort -V | head -n 1)" = "$want" ]; then
        ok "rustc $have (at least $want)"
    else
        missing "Rust $want or newer (this is $have)" "rustup update stable"
    fi
}

# --- Debian packages ---
as_root() { # as_root COMMAND...
    if [ "$(id -u)" = 0 ]; then "$@"; else "${SUDO[@]}" "$@"; fi
}

may_install() { # root, or sudo that works without asking, or with somebody there to be asked
    [ "$(id -u)" = 0 ] && return 0
    has_command sudo || return 1
    if sudo -n true 2>/dev/null; then
        SUDO=(sudo -n)
    elif [ -t 0 ]; then
        SUDO=(sudo)
    else
        return 1
    fi
}

is_debian_12() {
    [ "$(. /etc/os-release 2>/dev/null && echo "${ID:-} ${VERSION_ID:-}")" = "debian 12" ]
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get -q -o DPkg::Lock::Timeout=300 -o APT::Color=0 "$@" </dev/null
}

# Packages that start a server when they are installed, where there is an init system: kamailio, all of OpenStack's, the platform's.
starts_service() { # starts_service PACKAGE
    [ "$1" = kamailio ] || packages | awk -F '|' -v package="$1" '$1 == package && $4 ~ /openstack|nova|world|puppet/ { found = 1 } END { exit !found }'
}

# The file that forbids it stands there only while packages are unpacked, and an administrator's own is left alone.
hold_services() {
    if [ -f "$POLICY" ] && ! grep -qxF "$POLICY_MARK" "$POLICY"; then
        note "$POLICY exists: it decides whether the services of these packages are started"
        return
    fi
    printf '#!/bin/sh\n%s\nexit 101\n' "$POLICY_MARK" | as_root tee "$POLICY" >/dev/null
    as_root chmod 755 "$POLICY"
    trap release_services EXIT
    trap 'exit 130' INT TERM HUP
}

release_services() {
    if [ -f "$POLICY" ] && grep -qxF "$POLICY_MARK" "$POLICY"; then as_root rm -f "$POLICY"; fi
}

# Debian's OpenStack packages ask whether to make databases and endpoints. tests/openstack/ makes its own.
answer_questions() {
    local package question
    while read -r package question; do
        printf '%s %s boolean false\n' "$package" "$question"
    done <<'QUESTIONS' | as_root debconf-set-selections
keystone keystone/configure_db
keystone keystone/register-endpoint
heat-common heat/configure_db
heat-api heat/register-endpoint
heat-api heat-api/register-endpoint
heat-api-cfn heat-api-cfn/register-endpoint
gnocchi-common gnocchi/configure_db
gnocchi-api gnocchi/register-endpoint
aodh-common aodh/configure_db
aodh-api aodh/register-endpoint
placement-common placement/configure_db
placement-api placement/register-endpoint
glance-common glance/configure_db
glance-api glance/register-endpoint
neutron-common neutron/configure_db
neutron-api neutron/register-endpoint
neutron-api neutron-api/register-endpoint
nova-common nova/configure_db
nova-common novaapi/configure_db
nova-api nova/register-endpoint
nova-api nova-api/register-endpoint
QUESTIONS
}

install_packages() { # install_packages PACKAGE...
    local log package holds=()
    for package in "$@"; do if starts_service "$package"; then holds+=("$package"); fi; done
    log=$(mktemp)
    doing "apt-get update"
    apt update >"$log" 2>&1 || note "apt-get update: $(grep -E '^[EW]:' "$log" | head -n 1)"
    doing "apt-get install $*"
    if [ ${#holds[@]} -gt 0 ]; then hold_services; fi
    if wanted openstack nova; then answer_questions; fi
    if ! apt install -y --no-install-recommends "$@" >"$log" 2>&1; then
        sed 's/^/setup:   apt: /' <(tail -n 15 "$log") >&2
    fi
    release_services
    rm -f "$log"
}

check_packages() {
    local package what probe groups absent=() why=""
    while IFS='|' read -r package what probe groups; do
        # shellcheck disable=SC2086 # lists of words
        wanted $groups || continue
        # shellcheck disable=SC2086
        if $probe; then ok "$package: $what"; else absent+=("$package"); fi
    done < <(packages)
    [ ${#absent[@]} -gt 0 ] || return 0

    if ! is_debian_12; then
        why="this is not Debian 12, whose package is named here"
    elif ! may_install; then
        why="neither root nor a sudo that works without a terminal"
    else
        install_packages "${absent[@]}"
        why="apt-get could not install it"
    fi
    local lost=()
    while IFS='|' read -r package what probe groups; do
        [[ " ${absent[*]} " == *" $package "* ]] || continue
        # shellcheck disable=SC2086
        if $probe; then
            ok "$package: $what (new)"
            if [ -d /run/systemd/system ] && starts_service "$package"; then
                note "the service of $package was not started; it will be at the next boot, unless you say systemctl disable"
            fi
        else
            missing "$package" "$what ($why)"
            lost+=("$package")
        fi
    done < <(packages)
    [ ${#lost[@]} = 0 ] || printf 'setup: MISSING  on Debian 12, as root: apt-get install %s\n' "${lost[*]}" >&2
}

# --- Kamailio ---
check_kamailio() {
    local log version
    if ! has_kamailio && [ -z "${KAMAILIO_SRC:-}" ]; then
        missing "Kamailio's headers" "they follow the installed kamailio: scripts/kamailio-headers.sh"
        return
    fi
    if has_kamailio; then
        version=$("${KAMAILIO_BIN:-kamailio}" -v | sed -n 's/^version: kamailio \([^ ]*\).*/\1/p')
        [ "$version" = "$TESTED_KAMAILIO" ] || note "kamailio is $version; tested is $TESTED_KAMAILIO"
    fi
    log=$(mktemp)
    if "$ROOT/scripts/kamailio-headers.sh" >"$log" 2>&1 && [ -e "$BASE/kamailio/current/complete" ]; then
        ok "headers of $(readlink "$BASE/kamailio/current")"
    else
        sed 's/^/setup:   /' <(tail -n 15 "$log") >&2
        missing "Kamailio's headers" "scripts/kamailio-headers.sh (needs apt's archives), or KAMAILIO_SRC=/path/to/kamailio"
    fi
    rm -f "$log"
}

# --- make check ---
check_component() { # check_component SUBCOMMAND COMPONENT
    if cargo "$1" --version >/dev/null 2>&1; then
        ok "cargo $1"
    elif has_command rustup && doing "rustup component add $2" && rustup component add "$2" >/dev/null 2>&1; then
        ok "cargo $1 (new)"
    else
        missing "cargo $1" "rustup component add $2"
    fi
}

check_deny() {
    local have
    have=$(cargo deny --version 2>/dev/null | awk '{ print $2 }') || true
    if [ "$have" = "$CARGO_DENY" ]; then
        ok "cargo-deny $CARGO_DENY"
        return
    fi
    doing "cargo-deny $CARGO_DENY: cargo builds it, which takes minutes"
    if cargo install --quiet cargo-deny --version "$CARGO_DENY" --locked; then
        ok "cargo-deny $CARGO_DENY (new)"
    else
        missing "cargo-deny" "cargo install cargo-deny --version $CARGO_DENY --locked"
    fi
}

check_rust
check_packages
if wanted build test demo bench check; then check_kamailio; fi
if wanted check && has_command cargo; then
    check_component fmt rustfmt
    check_component clippy clippy
    check_deny
fi
if [ "$UNMET" -gt 0 ]; then
    printf 'setup: not complete: see the %s lines above\n' MISSING >&2
    exit 1
fi
