#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The private stack: the kinds of interface that this kernel has, and what a client sees of them.
. "$(dirname "$0")/../lib.sh"

host_add client1 101

# private NAME NUMBER INTERFACE [OPTION…]: one with a private stack there.
private() {
	local name=$1 number=$2 interface=$3

	shift 3
	vsv "$name" "$number" --stack private --interface "$interface" "$@"
}

# --- veth on a bridge, and what it serves ---
private a 11 lan --volume data=32M
check "start" vnas start a
check_json "status" '.servers[0] | .state == "running" and .stack == "private"' vnas status a --json
check "user add" vnas user add a alice --password-stdin <<<"pw-a"
check "share add" vnas share add a docs --path /srv/data/docs --write alice
echo "hello from a" >"$T/a"
check "a client writes" smb client1 "$NET4.11" docs alice pw-a "put $T/a where"
check "and reads, over IPv6" smb client1 "$NET6:11" docs alice pw-a "get where $T/got"
check_eq "what it wrote" "$(cat "$T/got")" "hello from a"
check "stop" vnas stop a

# --- macvlan ---
private m 12 lan --link macvlan
check "start, macvlan" vnas start m
check "a client connects" on client1 timeout 5 bash -c "exec 3<>/dev/tcp/$NET4.12/445"
check "stop" vnas stop m
hosts_remove
done_testing
