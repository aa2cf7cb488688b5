#!/bin/bash
# What is secret in a world, made at random once: passwords and keys of the platform, and with what its agents ask OpenStack. Written
# as Hiera data into WORLD/site, which each host finds over its files. Needs the cloud (cloud.sh up); prints nothing.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

DATA=$DIR/site/etc/puppet/code/environments/production/data
FILE=$DATA/secrets.yaml
[ ! -s "$FILE" ] || exit 0

word() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }
of_cloud() { tail -n +2 "$DIR/openstack/$1.yaml" | jq -c '{clouds: {kamscale: .clouds["kamscale-restricted"]}}'; }

umask 077
database=$(word)
mkdir -p "$DATA"
# JSON is YAML.
cat >"$FILE.part" <<END
---
kamscale::database::schema::password: $database
kamscale::role::ccp::database_password: $database
kamscale::dns::key_secret: $(head -c 32 /dev/urandom | base64)
kamscale::media::asterisk::manager_password: $(word)
kamscale::media::asterisk::ari_password: $(word)
kamscale::role::lb::topology_key: $(word)
kamscale::agent::clouds: $(of_cloud clouds)
kamscale::agent::clouds_secret: $(of_cloud secure)
END
mv "$FILE.part" "$FILE"
# The directories are the hosts', too: only the file is secret.
find "$DIR/site" -type d -exec chmod 755 {} +
