#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Samba in two Vsv on one machine, with the same share and the same user name, and clients on hosts of their own.
. "$(dirname "$0")/../lib.sh"

host_add client1 101
host_add client2 102
for n in 11 12; do
	vsv "s$n" $n --volume data=64M --hostname "FILESRV$n"
	check "start s$n" vnas start "s$n"
	check "user add s$n" vnas user add "s$n" tanaka --uid "20$n" --password-stdin <<<"secret-$n"
	check "share add s$n" vnas share add "s$n" docs --path /srv/data/docs --smb --write tanaka
done
echo "first" >"$T/one"
head -c 3000000 /dev/urandom >"$T/two"

for n in 11 12; do
	for address in "$NET4.$n" "$NET6:$n"; do
		check "put at $address" smb client1 "$address" docs tanaka "secret-$n" "put $T/one one-$n; put $T/two two"
		check "get at $address" smb client2 "$address" docs tanaka "secret-$n" "get two $T/two.back"
		check "it is the same" cmp "$T/two" "$T/two.back"
	done
	check_eq "it is the user's own number" "$(vnas exec "s$n" -- stat -c %u /srv/data/docs/two)" "20$n"
done
refute "the other's password" smb client1 "$NET4.11" docs tanaka secret-12 ls
refute "no password" smb client1 "$NET4.11" docs tanaka '' ls
check_eq "each has its own files" "$(vnas exec s11 -- ls /srv/data/docs)" $'one-11\ntwo'
check_json "status shows the service" '.servers[0].services[] | select(.name == "smbd") |
	.pid > 0 and (.uptime_seconds // .uptime_ms // 0) >= 0 and .restarts == 0' vnas status s11 --json

# Each has its own identity, which stays.
sid() { vnas exec "$1" -- net getlocalsid 2>/dev/null | grep -oE 'S-1-5-21-[0-9-]+'; }
first=$(sid s11)
check "a machine SID" test -n "$first"
refute "which is its own" test "$first" = "$(sid s12)"
vnas restart s11
check_eq "and stays" "$(sid s11)" "$first"
check "it serves again" smb client1 "$NET4.11" docs tanaka secret-11 ls

# NT ACLs are kept in user.NTACL.
check "an ACL is set" on client1 smbcacls --configfile="$T/smbclient.conf" -U tanaka%secret-11 "//$NET4.11/docs" one-11 \
	-a "ACL:Everyone:ALLOWED/0x0/READ"
check "and read back" bash -c "nsenter --net=$T/netns/client1 smbcacls --configfile=$T/smbclient.conf \
	-U tanaka%secret-11 //$NET4.11/docs one-11 | grep -q 'Everyone:ALLOWED'"
check "it lies in user.NTACL" bash -c "'$VNAS' exec s11 -- getfattr -d /srv/data/docs/one-11 | grep -q user.NTACL"

# Shares, users and groups on the running server.
check_json "share list" '.shares[0] | .name == "docs" and .path == "/srv/data/docs"' vnas share list s11 --json
check_json "user list" '.users[] | select(.name == "tanaka") | .uid == 2011' vnas user list s11 --json
vnas user add s11 suzuki --password-stdin <<<"secret-s"
refute "a user who is not named" smb client1 "$NET4.11" docs suzuki secret-s ls
check "group add" vnas group add s11 sales --member suzuki
check "share set" vnas share set s11 docs --write tanaka --write @sales
check "a member of a named group" smb client1 "$NET4.11" docs suzuki secret-s "put $T/one of-suzuki"
check "share set --read-only" vnas share set s11 docs --read-only
refute "writing to it" smb client1 "$NET4.11" docs tanaka secret-11 "put $T/one again"
check "reading from it" smb client1 "$NET4.11" docs tanaka secret-11 "get two $T/two.back"
check "user passwd" vnas user passwd s11 tanaka --password-stdin <<<"changed"
refute "the old password" smb client1 "$NET4.11" docs tanaka secret-11 ls
check "the new password" smb client1 "$NET4.11" docs tanaka changed ls
check "share remove" vnas share remove s11 docs
refute "a removed share" smb client1 "$NET4.11" docs tanaka changed ls
check_eq "its folder stays" "$(vnas exec s11 -- cat /srv/data/docs/one-11)" first
check "user remove" vnas user remove s11 suzuki
check "the neighbour serves all the time" smb client2 "$NET4.12" docs tanaka secret-12 ls
refute "a Psv's port 445" on client1 timeout 2 bash -c "exec 3<>/dev/tcp/$NET4.1/445"

# The Psv's own listener on the wildcard address takes the port from no server.
vnas stop s11 s12
socat TCP6-LISTEN:445,ipv6only=0,reuseaddr,fork - </dev/null &
listener=$!
check "a listener of the Psv on the wildcard address" eventually 60 bash -c "ss -lnt | grep -q ':445 '"
check "start beside it" vnas start s11
check "a share again" vnas share add s11 docs --path /srv/data/docs --smb --write tanaka
check "its clients reach the server" eventually 60 smb client1 "$NET4.11" docs tanaka changed ls
check "and others the Psv's listener" on client1 timeout 15 bash -c "exec 3<>/dev/tcp/$NET4.1/445"
kill $listener
wait $listener 2>/dev/null || true
vnas stop s11
# One that has the server's very address does.
socat TCP4-LISTEN:445,bind="$NET4.11",ip-freebind,reuseaddr,fork - </dev/null &
listener=$!
check "a listener of the Psv on the server's address" eventually 60 bash -c "ss -lnt | grep -q '$NET4.11:445 '"
check_status "start names its process" 5 "445.*socat|socat.*445" vnas start s11
kill $listener
wait $listener 2>/dev/null || true
check "start without it" vnas start s11


hosts_remove
done_testing
