#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What NFS 3 stands on: rpcbind, which is killed and knows all programs again by itself; and what its services find inside, which a
# tenant may have taken away.
. "$(dirname "$0")/../lib.sh"

host_add c1 101
vsv s1 11 --volume data=64M
check "share add" vnas share add s1 docs --nfs
check "start" vnas start s1
check "a file" vnas exec s1 -- sh -c "echo here >/srv/data/docs/which"

# known: what a client is told, without the order in which it was registered.
known() {
	on c1 rpcinfo "$NET4.11" | sort
}
# by_3: it asks rpcbind where mountd and nfsd are.
by_3() {
	on c1 nfs-cat "nfs://$NET4.11/docs/which?version=3"
}
reads() {
	[[ $(by_3 2>&1) == "$1" ]]
}
restarts() {
	vnas status s1 --json | jq '.servers[0].services[] | select(.name == "rpcbind").restarts'
}
killed() {
	(($(restarts) == $1))
}

check_eq "a client of version 3" "$(by_3)" here
before=$(known)
for program in 100003 100005 100021 100024; do
	check "program $program is known by UDP and TCP, IPv4 and IPv6" test "$(grep -cE "^ *$program +[134] +(tcp|udp|tcp6|udp6) " <<<"$before")" -ge 4
done
for n in 1 2; do
	kill -9 "$(vnas status s1 --json | jq '.servers[0].services[] | select(.name == "rpcbind").pid')"
	check "$n: rpcbind was killed and runs again" eventually 60 killed $n
	check "$n: a client of version 3" eventually 60 reads here
	check_eq "$n: it knows what it knew" "$(known)" "$before"
done
refute "the lists are not the inside's to change" vnas exec s1 -- sh -c 'rm -f /run/rpcbind/rpcbind.xdr || >/run/rpcbind/rpcbind.xdr'
check "Ganesha killed" kill -9 "$(vnas status s1 --json | jq '.servers[0].services[] | select(.name == "ganesha").pid')"
check "a client of version 3" eventually 60 reads here
as_before() {
	[[ $(known) == "$before" ]]
}
check "registered once more, it is known once" eventually 60 as_before

# What is not there is made at the next start.
check "things are taken away" vnas exec s1 -- sh -c \
	'rm -rf /etc/netconfig /var/lib/nfs /srv/data/docs && userdel _rpc && ln -s nowhere /etc/netconfig'
check "a reload that needs nothing new does not refuse for their sake" vnas reload s1
refute "nor looks for them" vnas exec s1 -- getent passwd _rpc
check "start without them" vnas restart s1
check "the folder of the share" vnas exec s1 -- sh -c "echo again >/srv/data/docs/which"
check "a client of version 3" eventually 60 reads again
check "the user of rpcbind" vnas exec s1 -- getent passwd _rpc
check "netconfig" vnas exec s1 -- grep -q udp6 /etc/netconfig
check "the folders of records" vnas exec s1 -- test -d /var/lib/nfs/sm -a -d /var/lib/nfs/sm.bak -a -d /var/lib/nfs/ganesha
hosts_remove
done_testing
