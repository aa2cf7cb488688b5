# shellcheck shell=bash
# First boot of a host of the platform: installs Puppet where it is missing, says by facts what the host is, and applies
# its role. The `install_script` of member.yaml; so it owns the way to the first run, and nothing that Puppet could do.
#
# What it reads, all of it optional but the pool; the templates set the first two, lines put before it set the others:
#   KAMSCALE_POOL            the host's pool: the fact kamscale_pool
#   KAMSCALE_ROLE            its role: the fact kamscale_role; otherwise that of the pool's name
#   KAMSCALE_FACTS           further facts, a JSON object
#   KAMSCALE_PUPPET          where the environment `production` comes from:
#                            image              the image has it (the default)
#                            https://..tar.gz   an archive of what belongs into its directory: manifests/ modules/ data/
#                            server:NAME        that Puppet server, which knows the host by its full name
#   KAMSCALE_PUPPET_SHA256   what the archive must be
#   KAMSCALE_PUPPET_PACKAGE  the first of these that there is: openvox-agent puppet-agent puppet
#   KAMSCALE_BOOT_TRIES      so often is tried what a network or a mirror that is not there yet may spoil (8)
#   KAMSCALE_REASON          the file into which the reason of a failure is written: the wait condition tells it
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive HOME=/root PATH=$PATH:/opt/puppetlabs/bin
TRIES=${KAMSCALE_BOOT_TRIES:-8}
FACTS=/etc/facter/facts.d
LOG=/var/log/kamscale-puppet.log

say() { printf 'kamscale: %s\n' "$*"; }

fail() { # fail REASON: on the console, and to whoever waits for this host
    say "ERROR  $*" >&2
    if [ -n "${KAMSCALE_REASON:-}" ]; then printf '%s\n' "$*" >"$KAMSCALE_REASON"; fi
    exit 1
}

patiently() { # patiently WHAT COMMAND...: again after 1, 2, 4, .. 30 s; fails when all tries did
    local what=$1 try pause=1
    shift
    for ((try = 1; try <= TRIES; try++)); do
        if "$@"; then return 0; fi
        [ "$try" -lt "$TRIES" ] || break
        say "$what: try $try of $TRIES failed; again in $pause s"
        sleep "$pause"
        pause=$((pause * 2 > 30 ? 30 : pause * 2))
    done
    fail "$what failed $TRIES times: ${WHY:-see the log}"
}

role_of() { # role_of POOL: what a pool's machines are when nobody said it
    case $1 in
    lb | ccp | dns | database | database_proxy | media) echo "$1" ;;
    conference | queue | voicemail | ivr) echo media ;;
    *) fail "nobody said which role pool '$1' has: set KAMSCALE_ROLE (the templates' parameter role)" ;;
    esac
}

# --- what the host is ---
write_facts() {
    mkdir -p "$FACTS"
    printf 'kamscale_role=%s\nkamscale_pool=%s\n' "$ROLE" "$KAMSCALE_POOL" >"$FACTS/kamscale.txt"
    [ -z "${KAMSCALE_FACTS:-}" ] || printf '%s\n' "$KAMSCALE_FACTS" >"$FACTS/kamscale-site.json"
}

# --- Puppet ---
has_puppet() { command -v puppet >/dev/null; }

install_package() { # leaves in WHY what apt says
    local package
    WHY=$(apt-get -q update 2>&1 | grep '^[EW]:' | tail -n 1) || true
    for package in ${KAMSCALE_PUPPET_PACKAGE:-openvox-agent puppet-agent puppet}; do
        apt-cache show "$package" >/dev/null 2>&1 || continue
        WHY=$(apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends "$package" 2>&1 | tail -n 1) || continue
        if has_puppet; then return 0; fi
    done
    return 1
}

# --- the environment ---
fetch_environment() { # an archive, whole or not at all; leaves in WHY what curl says
    local archive=/var/tmp/kamscale-puppet.tar.gz
    WHY=$(curl -fsSL --max-time 120 -o "$archive" "$KAMSCALE_PUPPET" 2>&1) || return 1
    if [ -n "${KAMSCALE_PUPPET_SHA256:-}" ]; then
        sha256sum --status -c <<<"$KAMSCALE_PUPPET_SHA256  $archive" || fail "$KAMSCALE_PUPPET is not the archive of KAMSCALE_PUPPET_SHA256"
    fi
    rm -rf "$ENVIRONMENT.new"
    mkdir -p "$ENVIRONMENT.new"
    tar -xzf "$archive" -C "$ENVIRONMENT.new" || fail "$KAMSCALE_PUPPET is no tar.gz"
    rm -rf "$ENVIRONMENT" "$archive"
    mv "$ENVIRONMENT.new" "$ENVIRONMENT"
}

# --- the run: 0 is "nothing to do", 2 is "done"; 1 is a catalog that cannot be made, which no second try mends ---
run_puppet() { # run_puppet WORDS...
    local code=0
    puppet "$@" --detailed-exitcodes --color false >"$LOG.run" 2>&1 || code=$?
    cat "$LOG.run" | tee -a "$LOG"
    case $code in 0 | 2) return 0 ;; esac
    WHY=$(grep -E '^(Error|Critical|Alert|Emergency):' "$LOG.run" | head -n 1 | cut -c 1-300) || true
    WHY=${WHY:-puppet ended with $code and said nothing}
    [ "$code" != 1 ] || [[ $1 = agent ]] || fail "role $ROLE: no catalog: $WHY"
    return 1
}

[ -n "${KAMSCALE_POOL:-}" ] || fail "KAMSCALE_POOL is not set: which pool is this host for?"
ROLE=${KAMSCALE_ROLE:-$(role_of "$KAMSCALE_POOL")}
KAMSCALE_PUPPET=${KAMSCALE_PUPPET:-image}
case $KAMSCALE_PUPPET in
image | http://?* | https://?* | server:?*) ;;
*) fail "KAMSCALE_PUPPET is '$KAMSCALE_PUPPET': it must be image, a URL, or server:NAME" ;;
esac
say "pool $KAMSCALE_POOL, role $ROLE, Puppet's environment from $KAMSCALE_PUPPET"
write_facts
has_puppet || patiently "installing Puppet" install_package
ENVIRONMENT=$(puppet config print environmentpath)/production
case $KAMSCALE_PUPPET in
server:*)
    # The certificate may have to be signed by a person: that is waited for, as a mirror is.
    patiently "role $ROLE" run_puppet agent --onetime --no-daemonize --no-splay --verbose --waitforcert 30 \
        --server "${KAMSCALE_PUPPET#server:}" --certname "$(hostname -f)"
    ;;
*)
    [ "$KAMSCALE_PUPPET" = image ] || patiently "fetching Puppet's environment" fetch_environment
    [ -d "$ENVIRONMENT/manifests" ] || fail "there is no $ENVIRONMENT/manifests: the image, or KAMSCALE_PUPPET, must bring it"
    patiently "role $ROLE" run_puppet apply --environment production "$ENVIRONMENT/manifests"
    ;;
esac
say "role $ROLE is applied"
