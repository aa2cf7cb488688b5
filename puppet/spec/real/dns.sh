#!/bin/bash
# kamscale_dns_zone and kamscale_dns_record with a real bind: records come, change and go, others' records stay,
# several hosts at once, and what each refusal says.
. "$(dirname "$0")/stage.sh"
need named dig nsupdate tsig-keygen
enter "$@"

mkdir "$STAGE/named"
tsig-keygen -a hmac-sha256 kamscale >"$STAGE/named/key.conf"
tsig-keygen -a hmac-sha256 reader >"$STAGE/named/reader.conf"
tsig-keygen -a hmac-sha256 stranger >"$STAGE/named/stranger.conf"
tsig-keygen -a hmac-sha256 kamscale >"$STAGE/named/other-secret.conf"
cat >"$STAGE/named/named.conf" <<CONF
include "$STAGE/named/key.conf";
include "$STAGE/named/reader.conf";
options {
    directory "$STAGE/named"; pid-file "$STAGE/named/pid"; session-keyfile "$STAGE/named/session.key";
    listen-on { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; notify no;
    allow-transfer { key kamscale; key reader; };
};
controls { };
zone "example.test" { type master; file "example.test.zone"; update-policy { grant kamscale zonesub ANY; }; };
CONF
cat >"$STAGE/named/example.test.zone" <<'ZONE'
$ORIGIN example.test.
$TTL 5
@     SOA ns admin 1 3600 600 86400 5
      NS  ns
ns    A   127.0.0.1
alias CNAME ns
ccp   A   192.0.2.9
www   A   192.0.2.80
ZONE
chown -R bind: "$STAGE/named"
named -u bind -c "$STAGE/named/named.conf" -g >"$STAGE/named.log" 2>&1 &
await dig @127.0.0.1 +time=1 +tries=1 example.test SOA
await grep -q ' running$' "$STAGE/named.log"

zone() { dig @127.0.0.1 -k "$STAGE/named/key.conf" +noall +answer +onesoa example.test AXFR; }
answer() { dig @127.0.0.1 +short "$@" | sort | paste -sd ' '; }
markers() { zone | grep -c '^_kamscale'; }
before=$(zone | grep -v SOA)

# site ZONE-ATTRIBUTES RECORD...
site() {
    local record
    printf "kamscale_dns_zone { 'example.test': %s }\n" "$1"
    printf "Kamscale_dns_record { zone => 'example.test', group => 'ccp', ttl => 5 }\n"
    shift
    for record in "$@"; do printf "kamscale_dns_record { '%s': }\n" "$record"; done
}
OURS="key_file => '$STAGE/named/key.conf', purge => true"
CCP1=('ccp1.example.test A 10.77.1.51' '_sip._udp.ccp.example.test SRV 10 100 5060 ccp1.example.test' 'ccp.example.test A 10.77.1.51')
CCP2=('ccp2.example.test A 10.77.1.52' '_sip._udp.ccp.example.test SRV 10 50 5060 CCP2.example.test.' 'ccp.example.test A 10.77.1.52')
NAPTR='ccp.example.test NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp.ccp.example.test'

site "$OURS" "${CCP1[@]}" "${CCP2[@]}" "$NAPTR" 'example.test TXT say "hi"; there' '51.1.77.10.example.test PTR ccp1.example.test' | apply
changes 'records come' 2
equal 'an address' 10.77.1.51 "$(answer ccp1.example.test A)"
equal 'two targets of a service' '10 100 5060 ccp1.example.test. 10 50 5060 ccp2.example.test.' "$(answer _sip._udp.ccp.example.test SRV)"
equal 'a NAPTR record' '10 10 "s" "SIP+D2U" "" _sip._udp.ccp.example.test.' "$(answer ccp.example.test NAPTR)"
equal 'a text with quotation marks' '"say \"hi\"; there"' "$(answer example.test TXT)"
equal 'the name of an address' 'ccp1.example.test.' "$(answer 51.1.77.10.example.test PTR)"
equal 'a marker for each' 9 "$(markers)"
site "$OURS" "${CCP1[@]}" "${CCP2[@]}" "$NAPTR" 'example.test TXT say "hi"; there' '51.1.77.10.example.test PTR ccp1.example.test' | apply
changes 'the second run changes nothing' 0

site "$OURS" "${CCP1[@]}" "$NAPTR" | apply --noop
equal 'a member that is gone stays with --noop' 10.77.1.52 "$(answer ccp2.example.test A)"
site "$OURS" "${CCP1[@]}" "$NAPTR" | apply
changes 'a member is gone' 2
equal 'its address is gone' '' "$(answer ccp2.example.test A)"
equal 'its service is gone, its sibling is not' '10 100 5060 ccp1.example.test.' "$(answer _sip._udp.ccp.example.test SRV)"
equal "others' address under the same name stays" '10.77.1.51 192.0.2.9' "$(answer ccp.example.test A)"

site "$OURS" "${CCP1[@]}" "$NAPTR" | sed 's/ttl => 5/ttl => 7/' | apply
changes 'another TTL' 2
equal 'is there' 7 "$(zone | awk '$1 == "ccp1.example.test." { print $2 }')"
site "$OURS" "${CCP1[@]}" "$NAPTR" | sed 's/ttl => 5/ttl => 7/' | apply
changes 'and changes nothing again' 0

site "$OURS" "${CCP1[@]/51/61}" "$NAPTR" | apply
changes 'a member with another address' 2
equal 'has only that' 10.77.1.61 "$(answer ccp1.example.test A)"

site "$OURS" "${CCP1[@]}" 'www.example.test A 192.0.2.80' | apply
site "$OURS" "${CCP1[@]}" | apply
equal 'what was there before it was declared is not ours' 192.0.2.80 "$(answer www.example.test A)"

site "key_file => '$STAGE/named/key.conf', purge => ['conference']" | apply
changes 'a group that is not named is not purged' 0
site "key_file => '$STAGE/named/key.conf', purge => true, owner => 'somebody'" | apply
changes 'what another owner added is not purged' 0
site "key_file => '$STAGE/named/key.conf'" | apply
changes 'nothing is purged unless that is wanted' 0

# Several hosts at once: each adds and removes the same.
run() { # run NUMBER RECORD...
    local number=$1
    shift
    site "$OURS" "$@" >"$STAGE/host$number.pp"
    puppet apply --confdir "$STAGE/conf$number" --vardir "$STAGE/var$number" --modulepath "$STAGE/modules" \
        --detailed-exitcodes "$STAGE/host$number.pp" >"$STAGE/host$number.log" 2>&1
}
codes=
for host in 1 2 3; do run $host "${CCP2[@]}" "$NAPTR" & hosts[host]=$!; done
for host in 1 2 3; do
    wait "${hosts[host]}"
    codes="$codes $((${?} & 4))"
done
equal 'three hosts at once do not fail' ' 0 0 0' "$codes"
equal 'and agree' '10 50 5060 ccp2.example.test.' "$(answer _sip._udp.ccp.example.test SRV)"
equal 'with one marker for each' 4 "$(markers)"

# The secret instead of a file.
secret=$(sed -n 's/.*secret "\(.*\)";/\1/p' "$STAGE/named/key.conf")
site "key_name => 'kamscale', key_secret => Sensitive('$secret'), purge => true" | apply --debug
changes 'all of ours goes' 2
equal 'the zone is what it was' "$(sort <<<"$before")" "$(zone | grep -v SOA | sort)"
check 'the secret is in no log' eval "! grep -qF '$secret' '$STAGE/apply.log'"

refused() { # refused NAME WORDS ZONE-ATTRIBUTES [RECORD]
    site "$3" "${4:-${CCP1[0]}}" | apply
    case $CODE in 4 | 6) check "$1" said "$2" ;; *) changes "$1" 4 ;; esac
}
refused 'a key that the server does not know' 'BADKEY: the server does not know this TSIG key' "key_file => '$STAGE/named/stranger.conf'"
refused 'a wrong secret' 'BADSIG: the secret of the TSIG key' "key_file => '$STAGE/named/other-secret.conf'"
refused 'a key that may only read' 'REFUSED: the server does not have this zone, or does not allow this key' "key_file => '$STAGE/named/reader.conf'"
refused 'no server' 'the server does not answer' "port => 54, key_file => '$STAGE/named/key.conf'"
refused 'a name with a CNAME' 'YXRRSET: a CNAME record has this name' "$OURS" 'alias.example.test A 10.0.0.1'
site "$OURS" | sed "s/'example.test':/'other.test':/" | apply
check 'a zone that the server does not have' said 'zone other.test on 127.0.0.1 port 53: REFUSED'
site "$OURS" 'www.other.test A 10.0.0.1' | apply
check 'a name outside of the zone' said 'www.other.test. is not in the zone example.test'
sed '/^kamscale_dns_zone/d' < <(site "$OURS" "${CCP1[@]}") | apply
check 'no zone' said 'Kamscale_dns_zone[example.test] is not in the catalog'
equal 'none of these changed anything' "$(sort <<<"$before")" "$(zone | grep -v SOA | sort)"
finish
