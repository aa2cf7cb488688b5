# shellcheck shell=bash
# Sourced by the scripts that fetch packages without installing them: apt with lists, cache and status of its own
# below a work directory. Needs neither root nor a change in /etc/apt; which archives there are, apt itself says.

# archives_list TYPE [SUITE]: the distribution's archives that apt has the installed packages from, as lines of TYPE
# (deb or deb-src); of another suite of the same archives if one is named.
archives_list() {
    local key site release component codename
    codename=$(. /etc/os-release 2>/dev/null && echo "${VERSION_CODENAME:-}")
    for key in /usr/share/keyrings/{debian,ubuntu}-archive-keyring.gpg; do
        [ -f "$key" ] && break
    done
    # shellcheck disable=SC2016 # the words are apt's
    apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
        while read -r site release component; do
            if [ -n "${2:-}" ]; then release=$2${release#"$codename"}; fi
            printf '%s [signed-by=%s] %s %s %s\n' "$1" "$key" "$site" "$release" "$component"
        done
}

# archives_open DIR TYPE [SUITE]: leaves in APT the command that works on these archives alone, and fetches their
# lists. Fails if apt knows no archive; an archive that cannot be reached is no reason to stop.
archives_open() {
    local dir=$1
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
    : >"$dir/status"
    archives_list "$2" "${3:-}" >"$dir/sources.list"
    [ -s "$dir/sources.list" ] || return 1
    APT=(apt-get -q -o "Dir::Etc::sourcelist=$dir/sources.list" -o Dir::Etc::sourceparts=-
        -o "Dir::State::Lists=$dir/lists" -o "Dir::Cache=$dir/cache" -o "Dir::State::status=$dir/status"
        -o "APT::Sandbox::User=$(id -un)" -o APT::Get::List-Cleanup=false)
    "${APT[@]}" update >"$dir/apt.log" 2>&1 || true
}
