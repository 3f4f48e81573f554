#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: long
# Users from a department's LDAP server: a real slapd on a host of its own, with what goes wrong in such a department.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../directory.sh"

# shellcheck disable=SC2154 # directory.sh's
base=$ldap_base

host_add client1 101
host_add ldap1 31
host_add ldap2 32
D1=$NET4.31 D2=$NET4.32
ca_make dept
ca_make other
cert_make dept ldap1 "$D1"
cert_make dept ldap2 "$D2"
{
	ldap_user tanaka 5001 6001
	ldap_user müller 5002 6001
	ldap_user 田中 5003 6003
	ldap_group sales 6001
	ldap_group boss 6002 tanaka
	# The schema of memberUid is ASCII's alone.
	ldap_group 部門 6003
} >"$T/people.ldif"
ldap_make ldap1 "$D1" "$T/people.ldif"
ldap_make ldap2 "$D2" "$T/people.ldif"
ldap_start ldap1 "$D1"
install -m 600 /dev/null "$T/secret"
echo reader-secret >"$T/secret"
echo "a line" >"$T/one"
reader="cn=reader,$base"

vsv s1 11 --volume data=64M --hostname filesrv1

# What is wrong is said before anything is changed.
# shellcheck disable=SC2120 # by way of check
set_ldap() { vnas directory set s1 --type ldap --uri "ldaps://$D1" --base "$base" --bind-dn "$reader" \
	--secret-file "$T/secret" --ca "$T/ca/dept.pem" "$@"; }
conf=$(cat "$ETC/s1.conf")
check_status "nothing to set" 2 "nothing is to be set" vnas directory set s1
check_status "no server named" 2 "has no 'uri'" vnas directory set s1 --type ldap
check_status "TLS without certificates" 2 "has no 'ca'" vnas directory set s1 --type ldap --uri ldap://x --base dc=x
check_status "a certificate file that is none" 1 "holds no certificate" set_ldap --ca "$T/one"
cat "$T/ca/dept.pem" "$T/ca/dept.key" >"$T/both.pem"
check_status "a file with the key in it" 1 "holds a private key" \
	set_ldap --ca "$T/both.pem"
check_status "a secret file that is not there" 1 "cannot read the secret file" set_ldap --secret-file "$T/none"
chmod 644 "$T/secret"
check_status "a secret that all can read" 1 "others than root" set_ldap
chmod 600 "$T/secret"
check_eq "nothing of it is in the configuration" "$(cat "$ETC/s1.conf")" "$conf"
check "directory set" set_ldap
check "start" vnas start s1
check_json "directory show" '.directories[0] | .type == "ldap" and .bind_dn == "'"$reader"'" and .starttls' \
	vnas directory show s1 --json

# Users, of all languages.
check "a user is found" finds s1 tanaka
check_eq "with the directory's numbers" "$(vnas exec s1 -- id -u tanaka) $(vnas exec s1 -- id -Gn tanaka)" "5001 sales boss"
check_eq "an umlaut" "$(vnas exec s1 -- id -u müller)" 5002
check_eq "a Japanese name" "$(vnas exec s1 -- id -Gn 田中)" 部門
check_json "user list" '[.users[] | select(.source == "ldap") | .name] == ["müller", "tanaka", "田中"]' vnas user list s1 --json
check_json "says who lacks an SMB password" 'all(.users[]; .smb | not)' vnas user list s1 --json
check_json "group list" '.groups[] | select(.name == "boss") | .gid == 6002 and .members == ["tanaka"]' \
	vnas group list s1 --json
refute "the Psv does not know them" getent passwd tanaka
step_is s1 "the test says so too" "SMB account" warning "has no SMB password" --user tanaka

# An SMB password of the Vsv's own.
check "user passwd" vnas user passwd s1 tanaka --password-stdin <<<"pw-tanaka"
check "user passwd with an umlaut" vnas user passwd s1 müller --password-stdin <<<"pw-müller"
check "of a Japanese name" vnas user passwd s1 田中 --password-stdin <<<"pw-田中"
refute "of nobody" vnas user passwd s1 nobody-there --password-stdin <<<"x"
check_json "the list has it" '.users[] | select(.name == "tanaka") | .smb' vnas user list s1 --json
check "share add for a group of the directory" vnas share add s1 docs --write @boss --write @部門
check "share add for a user with an umlaut" vnas share add s1 mine --write müller
vnas share add s1 all
check "a logon" smb client1 "$NET4.11" docs tanaka pw-tanaka "put $T/one one"
check_eq "the file belongs to the directory's number" "$(vnas exec s1 -- stat -c %u /srv/data/docs/one)" 5001
check "a Japanese logon" smb client1 "$NET4.11" docs 田中 pw-田中 "put $T/one two"
check "an umlaut's" smb client1 "$NET4.11" mine müller pw-müller "put $T/one three"
refute "who is not in the group" smb client1 "$NET4.11" docs müller pw-müller ls
refute "a wrong password" smb client1 "$NET4.11" docs tanaka pw-wrong ls
check_json "directory test, all of it" '([.steps[] | select(.result == "ok") | .step] - ["doubled"]) ==
	["connection", "TLS", "bind", "users", "lookup", "groups", "SMB account", "SMB logon"]' \
	vnas directory test s1 --user tanaka --password-stdin --json <<<"pw-tanaka"
step_is s1 "a wrong SMB password" "SMB logon" failed "LOGON_FAILURE" --user tanaka --password-stdin <<<"pw-wrong"

# All of it leaves with the Vsv's own address, and the secret is nowhere to be seen.
check_eq "the server is asked from the Vsv's address alone" \
	"$(on ldap1 ss -Htn state established '( sport = :389 or sport = :636 )' | awk '{ print $4 }' | sed 's/.*\[\?\(::ffff:\)\?\(192[0-9.]*\).*/\2/' | sort -u)" \
	"$NET4.11"
refute "no secret in ps" bash -c "cat /proc/[0-9]*/cmdline | tr '\0' ' ' | grep -q 'reader-secre[t]'"
refute "nor in logs" bash -c "'$VNAS' logs s1 | grep -q reader-secret"
refute "nor in show" bash -c "{ '$VNAS' show s1; '$VNAS' show s1 --json; '$VNAS' directory show s1 --json; '$VNAS' status s1 --json; } |
	grep -q reader-secret"
vnas user add s1 local --password-stdin <<<"pw-local"
refute "nor for users inside" vnas exec s1 --user local -- cat /run/vnas/directory/secret
refute "in neither file" vnas exec s1 --user local -- cat /run/vnas/directory/sssd.conf

# Two places.
refute "a name of the directory's" vnas user add s1 tanaka --password-stdin <<<"x"
vnas exec s1 -- useradd -u 5555 müller 2>/dev/null || vnas exec s1 -- bash -c \
	'echo "müller:x:5555:100::/:/usr/sbin/nologin" >>/etc/passwd'
step_is s1 "in its own files and in the directory" doubled warning "müller .5555 here, 5002 there"
vnas exec s1 -- sed -i '/^müller/d' /etc/passwd
{ ldap_user suzuki 5001 6001; ldap_user sato 5010 6001 | sed 's/ou=people/ou=groups/'; ldap_user sato 5011 6001; } |
	sed 's/^dn:.*/&\nchangetype: add/' | ldap_change ldap1 "$D1"
step_is s1 "a name and a number twice in the directory" doubled warning "have number 5001; sato stands there twice"

# The server goes away, and comes back.
ldap_stop ldap1
check "who was known is known" smb client1 "$NET4.11" docs tanaka pw-tanaka "put $T/one four"
check "local users too" smb client1 "$NET4.11" all local pw-local ls
check "status says degraded" directory_is s1 degraded
check_json "and why" '.servers[0].degraded | any(test("its directory: ldaps://'"$D1"'"))' \
	vnas status s1 --json
step_is s1 "the test says what to do" connection failed "$D1"
check_status "user list names its own" 0 "only its own are listed" vnas user list s1
check "stop and start without it" vnas restart s1
check "it is degraded" directory_is s1 degraded
check "local users can log on" smb client1 "$NET4.11" all local pw-local ls
check "who was known before is known still" smb client1 "$NET4.11" docs tanaka pw-tanaka "put $T/one five"
if [[ ${VNAS_TEST_ALL:-} ]]; then
	sleep 310 # longer than sssd takes what it knows for fresh
	check "also after an outage longer than the cache is fresh" smb client1 "$NET4.11" docs tanaka pw-tanaka "put $T/one five"
	check "  and another restart" vnas restart s1
	check "  who was known is known" smb client1 "$NET4.11" docs tanaka pw-tanaka "put $T/one five"
fi
ldap_start ldap1 "$D1"
check "it recovers by itself" eventually 60 finds s1 suzuki
check "status says so" directory_is s1 ok

# A second server.
check "a second server" set_ldap --uri "ldaps://$D2"
vnas restart s1
ldap_stop ldap1
ldap_start ldap2 "$D2"
check "it is asked when the first is away" eventually 60 finds s1 tanaka
check "status is well" directory_is s1 ok
ldap_stop ldap2
ldap_start ldap1 "$D1"

# StartTLS, wrong certificates, wrong passwords.
check "StartTLS" vnas directory set s1 --uri "ldap://$D1"
vnas restart s1
step_is s1 "is used" TLS ok "ldap://$D1: certificate until" --user tanaka
check "it finds users" eventually 10 finds s1 suzuki
check "no TLS, if that is wanted" vnas directory set s1 --uri "ldap://$D1" --starttls no
vnas restart s1
check "it finds users" eventually 10 finds s1 tanaka
step_is s1 "and binds" bind ok "as $reader" --user tanaka

check "a foreign authority" set_ldap --ca "$T/ca/other.pem"
vnas restart s1 2>/dev/null
step_is s1 "the certificate is not accepted" TLS failed "certificate is not accepted: .*unable to (get|verify)"
check "degraded" directory_is s1 degraded
set_ldap --ca "$T/ca/dept.pem"
cert_make dept ldap1 "$D1" "$(date -u -d '-2 years' +%Y%m%d%H%M%SZ)" "$(date -u -d '-1 day' +%Y%m%d%H%M%SZ)"
ldap_stop ldap1
ldap_start ldap1 "$D1"
vnas restart s1 2>/dev/null
step_is s1 "an expired certificate" TLS failed "has expired"
check "degraded" directory_is s1 degraded
cert_make dept ldap1 "$D1" "$(date -u -d '-1 day' +%Y%m%d%H%M%SZ)" "$(date -u -d '+20 days' +%Y%m%d%H%M%SZ)"
ldap_stop ldap1
ldap_start ldap1 "$D1"
step_is s1 "one that ends in 20 days" TLS warning "ends in (19|20) days"
check_json "status warns" '.servers[0].warnings | any(test("ends in (19|20) days"))' vnas status s1 --json
cert_make dept ldap1 "$NET4.99"
ldap_stop ldap1
ldap_start ldap1 "$D1"
step_is s1 "one for another address" TLS failed "mismatch"
cert_make dept ldap1 "$D1"
ldap_stop ldap1
ldap_start ldap1 "$D1"
echo wrong-secret >"$T/secret"
vnas restart s1 2>/dev/null
step_is s1 "a wrong password of bind dn" bind failed "does not accept 'bind dn'"
check "degraded" directory_is s1 degraded
echo reader-secret >"$T/secret"
check "restart with the right one" vnas restart s1
check "well" directory_is s1 ok

# Back to files: nobody of the directory is left.
check "back to passwd" vnas directory set s1 --type passwd
vnas restart s1
refute "nobody of the directory is known" finds s1 tanaka
check_json "only its own are listed" '[.users[].source] | unique == ["passwd"]' vnas user list s1 --json

hosts_remove
done_testing
