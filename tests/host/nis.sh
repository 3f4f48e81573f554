#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: long
# Users from a department's NIS servers: real ypserv on hosts of their own; ypbind and rpcbind are the Vsv's own, beside
# those of another Vsv.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../directory.sh"

# shellcheck disable=SC2154 # directory.sh's
domain=$nis_domain

host_add client1 101
host_add nis1 41
host_add nis2 42
host_add nis3 43
deaf_to_psv nis1
N1=$NET4.41 N2=$NET4.42 N3=$NET4.43
cat >"$T/passwd" <<'END'
tanaka:$1$salt$hash:7001:8001:Tanaka:/home/tanaka:/bin/sh
müller:x:7002:8001:Müller:/home/mueller:/bin/sh
sato:x:7003:8001:Sato:/home/sato:/bin/sh
END
printf 'sales:x:8001:\nboss:x:8002:tanaka,müller\n' >"$T/group"
printf '192.0.2.200 printer\n' >"$T/hosts"
nis_make nis1 "$T/passwd" "$T/group" "$T/hosts"
nis_make nis2 "$T/passwd" "$T/group" "$T/hosts"
sed 's/:70/:90/; s/:8001/:9001/' "$T/passwd" >"$T/passwd3"
nis_make nis3 "$T/passwd3" "$T/group"
nis_start nis1
nis_start nis3
echo "a line" >"$T/one"

vsv s1 11 --volume data=64M
vsv s2 12 --volume data=64M
check_status "no domain" 2 "has no 'domain'" vnas directory set s1 --type nis --server "$N1"
check_status "no server" 2 "has no 'server'" vnas directory set s1 --type nis --domain "$domain"
check_status "keys of another type" 2 "belongs to 'type = ldap'" \
	vnas directory set s1 --type nis --domain "$domain" --server "$N1" --base dc=x
check "directory set" vnas directory set s1 --type nis --domain "$domain" --server "$N1" --server "$N2"
vnas directory set s2 --type nis --domain "$domain" --server "$N3"
check "start" vnas start s1
check "another with a ypbind and an rpcbind of its own" vnas start s2

check_eq "a user" "$(vnas exec s1 -- id -u tanaka) $(vnas exec s1 -- id -Gn tanaka)" "7001 sales boss"
check_eq "the same name in the other Vsv is another user" "$(vnas exec s2 -- id -u tanaka)" 9001
check_eq "an umlaut" "$(vnas exec s1 -- id -Gn müller)" "sales boss"
check_eq "hosts" "$(vnas exec s1 -- getent hosts printer | awk '{ print $1 }')" 192.0.2.200
check_json "user list" '[.users[] | select(.source == "nis") | .name] == ["müller", "sato", "tanaka"]' vnas user list s1 --json
check_json "says who lacks an SMB password" 'all(.users[]; .smb | not)' vnas user list s1 --json
check_json "group list" '.groups[] | select(.name == "boss") | .gid == 8002 and .members == ["tanaka", "müller"]' \
	vnas group list s1 --json
refute "the Psv does not know them" getent passwd tanaka
step_is s1 "directory test" "SMB account" warning "has no SMB password" --user tanaka
check "nothing of it was asked with the Psv's own address" psv_is_deaf "$N1" 111
check "user passwd" vnas user passwd s1 tanaka --password-stdin <<<"pw-1"
check "user passwd in the other" vnas user passwd s2 tanaka --password-stdin <<<"pw-2"
vnas share add s1 docs --write @boss
vnas share add s2 docs
check "a logon" smb client1 "$NET4.11" docs tanaka pw-1 "put $T/one one"
check_eq "the file belongs to its number" "$(vnas exec s1 -- stat -c %u /srv/data/docs/one)" 7001
check "a logon at the other" smb client1 "$NET4.12" docs tanaka pw-2 "put $T/one one"
check_eq "belongs to another number" "$(vnas exec s2 -- stat -c %u /srv/data/docs/one)" 9001
refute "the other's password" smb client1 "$NET4.11" docs tanaka pw-2 ls
# The second server is not there yet.
test_all() { vnas directory test s1 --user tanaka --password-stdin --json <<<pw-1 || true; }
check_json "directory test, all of it" '[.steps[] | select(.result == "ok") | .step] ==
	["connection", "bind", "users", "lookup", "groups", "doubled", "SMB account", "SMB logon"]' \
	test_all
refute "no rpcbind on the Psv's own addresses" rpcinfo -T tcp 127.0.0.1 portmapper
refute "a user of the directory's name" vnas user add s1 sato --password-stdin <<<"x"
vnas user add s1 local --password-stdin <<<"pw-local"
vnas share add s1 all
check "a user of its own" smb client1 "$NET4.11" all local pw-local ls

# Questions without end to the first department's server, from its own Vsv: the other one's users do not notice.
ten_logons() {
	local n began=${EPOCHREALTIME/./}

	for ((n = 0; n < 10; n++)); do
		smb client1 "$NET4.12" docs tanaka pw-2 ls >/dev/null || return 1
	done
	echo $(((${EPOCHREALTIME/./} - began) / 1000))
}
quiet=$(ten_logons)
vnas exec s1 -- bash -c 'while :; do ypcat passwd.byname; done' >/dev/null 2>&1 </dev/null &
flood=$!
sleep 0.5
flooded=$(ten_logons) || flooded=failed
check "the flood was one" kill $flood
wait $flood 2>/dev/null || true
note "ten logons at the other Vsv: $quiet ms, $flooded ms while the first one's directory is flooded"
check "the other Vsv serves on" test "$flooded" -lt $((quiet * 5))

# The first server goes away.
nis_start nis2
nis_stop nis1
check "the second one is asked" eventually 60 finds s1 sato
check "status is well" eventually 10 directory_is s1 ok
step_is s1 "the test names the one that is away" connection failed "$N1"
nis_stop nis2
check "none is there: degraded" eventually 60 directory_is s1 degraded
check "the other Vsv does not notice" finds s2 tanaka
check "and serves" smb client1 "$NET4.12" docs tanaka pw-2 ls
check "stop and start without a server" vnas restart s1
check "degraded" directory_is s1 degraded
nis_start nis1
check "it recovers by itself" eventually 90 finds s1 tanaka
check "status says so" eventually 10 directory_is s1 ok
check "and serves" smb client1 "$NET4.11" docs tanaka pw-1 ls

# A wrong domain.
check "another domain" vnas directory set s1 --domain no-such-domain
vnas restart s1
step_is s1 "the test says so" bind failed "domain no-such-domain: no server"
check "back to passwd" vnas directory set s1 --type passwd
vnas restart s1
refute "nobody of the directory is known" finds s1 tanaka

hosts_remove
done_testing
