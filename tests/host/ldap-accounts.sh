#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SMB accounts from the directory itself (ldapsam), as the servers of an old Samba domain had them, and a directory of
# 20,000 users with a group of 2,000.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../directory.sh"

# shellcheck disable=SC2154 # directory.sh's
base=$ldap_base
sid=S-1-5-21-1111111111-222222222-333333333

# samba_user NAME UID GID HASH: ldap_user with the NT hash of a password.
samba_user() {
	ldap_user "$1" "$2" "$3" | sed '/^$/d; s/^objectClass: posixAccount/&\nobjectClass: sambaSamAccount/'
	printf 'sambaSID: %s\nsambaNTPassword: %s\nsambaAcctFlags: [U          ]\n' \
		"$sid-$(($2 * 2 + 1000))" "$4"
	printf 'sambaPwdLastSet: 1700000000\n\n'
}

host_add client1 101
host_add ldap1 31
D1=$NET4.31
ca_make dept
cert_make dept ldap1 "$D1"
{
	# The NT hash of "password".
	samba_user tanaka 5001 6001 8846F7EAEE8FB117AD06BDD830B7586C
	ldap_user plain 5002 6001
	ldap_group sales 6001
	printf 'dn: sambaDomainName=FILESRV1,%s\nobjectClass: sambaDomain\nsambaDomainName: FILESRV1\nsambaSID: %s\n' "$base" "$sid"
	printf 'sambaAlgorithmicRidBase: 1000\n\n'
	for ((i = 0; i < 20000; i++)); do
		printf 'dn: uid=u%05d,ou=people,%s\nobjectClass: account\nobjectClass: posixAccount\nuid: u%05d\ncn: u%05d\n' \
			"$i" "$base" "$i" "$i"
		printf 'uidNumber: %d\ngidNumber: 7000\nhomeDirectory: /nonexistent\n\n' $((100000 + i))
	done
	ldap_group all 7000
	# shellcheck disable=SC2046 # words
	ldap_group many 7001 $(printf 'u%05d\n' $(seq 0 1999))
} >"$T/people.ldif"
ldap_make ldap1 "$D1" "$T/people.ldif"
ldap_start ldap1 "$D1"
install -m 600 /dev/null "$T/secret"
printf 'admin-secret' >"$T/secret"
echo "a line" >"$T/one"

vsv s1 11 --volume data=64M --hostname filesrv1
vnas directory set s1 --type ldap --uri "ldap://$D1" --ca "$T/ca/dept.pem" --base "$base" --bind-dn "cn=admin,$base" \
	--secret-file "$T/secret" --samba-accounts directory
check "start" vnas start s1
vnas share add s1 docs
check "a logon with the password of the directory" smb client1 "$NET4.11" docs tanaka password "put $T/one one"
refute "with another" smb client1 "$NET4.11" docs tanaka wrong ls
check_eq "the file belongs to the directory's number" "$(vnas exec s1 -- stat -c %u /srv/data/docs/one)" 5001
check_eq "the machine's SID is the domain's" "$(vnas exec s1 -- net getlocalsid 2>/dev/null | grep -o 'S-1-5-21-[0-9-]*')" "$sid"
step_is s1 "directory test" "SMB account" ok tanaka --user tanaka
step_is s1 "who has none there" "SMB account" failed "no Samba account of plain" --user plain
check "user passwd changes it in the directory" vnas user passwd s1 tanaka --password-stdin <<<"new-password"
check "and it counts" smb client1 "$NET4.11" docs tanaka new-password ls
refute "no secret in the configuration" grep -rq admin-secret "$ETC" "$RUN"

ldap_stop ldap1
check "it starts without the directory" vnas restart s1
check "degraded" directory_is s1 degraded
ldap_start ldap1 "$D1"
check "smbd comes when the directory does" eventually 60 smb client1 "$NET4.11" docs tanaka new-password ls

# Many.
began=${EPOCHREALTIME/./}
check_json "20,000 users" '[.users[] | select(.name | startswith("u"))] | length == 20000' vnas user list s1 --json
note "user list of 20,000: $(((${EPOCHREALTIME/./} - began) / 1000)) ms"
check_json "a group of 2,000" '.groups[] | select(.name == "many") | .members | length == 2000' vnas group list s1 --json
began=${EPOCHREALTIME/./}
check_eq "one of them" "$(vnas exec s1 -- id -Gn u01999)" "all many"
check_eq "one who is not in the group" "$(vnas exec s1 -- id -Gn u02000)" "all"
note "two users looked up: $(((${EPOCHREALTIME/./} - began) / 1000)) ms"
check_eq "the whole group" "$(vnas exec s1 -- getent group many | tr ',' '\n' | wc -l)" 2000
check "a share for the group" vnas share add s1 many --write @many
step_is s1 "all of them are counted" users ok "20002 users" --user u00001

hosts_remove
done_testing
