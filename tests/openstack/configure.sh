# shellcheck shell=bash
# Sourced after services.sh: makes passwords once and writes the configuration from the templates in etc/. What changed
# stands in CHANGED afterwards, so that the services which read it can be started anew.

declare -A SECRET VALUE
CHANGED=()

random_hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

load_secrets() { # one password per use and data directory; heat's key must have 32 characters
    local name
    (umask 077 && mkdir -p "$ETC/secrets")
    for name in database rabbitmq erlang heat admin service stack-domain user application restricted; do
        [ -s "$ETC/secrets/$name" ] || (umask 077 && random_hex 16 >"$ETC/secrets/$name")
        SECRET[$name]=$(<"$ETC/secrets/$name")
    done
}

database_url() { # database_url NAME
    printf 'mysql+pymysql://kamscale:%s@127.0.0.1:%s/%s?charset=utf8' "${SECRET[database]}" "${PORT[mariadb]}" "$1"
}

set_values() { # what the templates may name
    local name
    for name in "${!PORT[@]}"; do VALUE[PORT_$name]=${PORT[$name]}; done
    for name in "${!SECRET[@]}"; do VALUE[SECRET_$name]=${SECRET[$name]}; done
    for name in keystone heat gnocchi placement glance neutron nova_api nova; do
        VALUE[DATABASE_$name]=$(database_url "$name")
    done
    VALUE[ADDRESS]=$ADDRESS
    VALUE[KEYSTONE]=http://$ADDRESS:${PORT[keystone]}
    VALUE[RABBITMQ]=rabbit://kamscale:${SECRET[rabbitmq]}@127.0.0.1:${PORT[rabbitmq]}/
    VALUE[DATA]=$DATA VALUE[ETC]=$ETC VALUE[RUN]=$RUN VALUE[DIR]=$DIR
    VALUE[PLUGINS]=$HERE/plugins,$HERE/plugins-debian
    VALUE[PLUGINS_SUM]=$(cat "$HERE"/plugins*/*.py | sha256sum | cut -c 1-16)
    VALUE[AUTH]="auth_type = password
auth_url = ${VALUE[KEYSTONE]}
project_name = service
project_domain_name = Default
user_domain_name = Default
password = ${SECRET[service]}
region_name = RegionOne"
    VALUE[TOKEN_S]=${KAMSCALE_TOKEN_S:-3600}
    set_aodh "${KAMSCALE_AODH:-debian}"
    VALUE[AODH_INTERVAL_S]=${KAMSCALE_AODH_INTERVAL:-1}
    VALUE[AODH_LAG_S]=${KAMSCALE_AODH_LAG:-4}
    VALUE[GNOCCHI_DELAY_S]=${KAMSCALE_GNOCCHI_DELAY:-1}
    VALUE[MAX_STACKS]=${KAMSCALE_MAX_STACKS:-512}
    VALUE[MAX_RESOURCES]=${KAMSCALE_MAX_RESOURCES:-1000}
}

set_aodh() { # set_aodh RELEASE: each has a database of its own
    local version
    VALUE[AODH]=$1
    case $1 in
    debian) VALUE[AODH_DATABASE]=$(database_url aodh) VALUE[AODH_PASTE]=/usr/share/aodh-common/api-paste.ini ;;
    pypi)
        VALUE[AODH_DATABASE]=$(database_url aodh_pypi)
        version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        VALUE[AODH_PASTE]=$AODH_OF_PYPI/lib/python$version/site-packages/aodh/api/api-paste.ini
        ;;
    *) die "KAMSCALE_AODH is debian or pypi, not $1" ;;
    esac
}

write_if_other() { # write_if_other FILE TEXT
    if [ ! -e "$1" ] || [ "$2" != "$(<"$1")" ]; then
        if [ -e "$1" ]; then CHANGED+=("$(basename "$1")"); fi
        (umask 077 && printf '%s\n' "$2" >"$1")
    fi
}

render() { # render TEMPLATE: into $ETC
    local text name
    text=$(<"$HERE/etc/$1")
    for name in "${!VALUE[@]}"; do text=${text//"@$name@"/"${VALUE[$name]}"}; done
    if [[ $text =~ @[A-Z][A-Za-z_-]*@ ]]; then die "etc/$1 names ${BASH_REMATCH[0]}, which configure.sh does not know"; fi
    write_if_other "$ETC/$1" "$text"
}

write_configuration() {
    local template project
    mkdir -p "$ETC" "$LOG" "$RUN" "$MADE" "$MEMBERS" "$DATA"/{gnocchi,glance,prometheus/targets,nova/instances,neutron} \
        "$ETC"/{heat-environment.d,heat-templates}
    chmod 700 "$DIR" "$ETC"
    printf '%s\n' "${PORT[keystone]}" >"$DIR/port"
    printf '%s\n' "$ADDRESS" >"$DIR/address"
    load_secrets
    set_values
    for template in "$HERE"/etc/*; do render "$(basename "$template")"; done
    # Its middleware looks for the file of a service in the home directory, whatever --config-file says.
    for project in heat gnocchi aodh nova neutron glance-api placement; do
        mkdir -p "$DIR/home/.${project%-api}"
        ln -sfn "$ETC/$project.conf" "$DIR/home/.${project%-api}/$project.conf"
    done
}
