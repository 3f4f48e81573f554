# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# A network that is there for one test or demonstration only: a Psv with a bridge "lan", and client hosts on it. Expects
# that this shell has net and mount namespaces of its own, and in T a folder on a tmpfs of its own.
NET4=192.0.2
NET6=2001:db8:

# psv_tag PREFIX: the name of the control groups of a Psv below that prefix (psv_open() in src/psv/psv.c).
psv_tag() {
	local h=2166136261 i c

	for ((i = 0; i < ${#1}; i++)); do
		printf -v c '%d' "'${1:i:1}"
		h=$((((h ^ c) * 16777619) & 0xffffffff))
	done
	printf 'vnas-%08x\n' "$h"
}

# psv_cgroups PREFIX: all of them, in every hierarchy, deepest first; the last of each is the one that holds them.
psv_cgroups() {
	find /sys/fs/cgroup -depth -type d -path "*/$(psv_tag "$1")*" 2>/dev/null || true
}

# on NAME COMMAND…: runs a command on a client host.
on() {
	local name=$1

	shift
	nsenter --net="$T/netns/$name" "$@"
}

# host_add NAME NUMBER [BRIDGE]: a client host with the addresses $NET4.NUMBER and $NET6:NUMBER, joined to the bridge.
# Its name lies on the test's own tmpfs, so that it goes with the test.
host_add() {
	local name=$1 number=$2 bridge=${3:-lan}

	mkdir -p "$T/netns"
	touch "$T/netns/$name"
	unshare --net="$T/netns/$name" ip link set lo up
	ip link add "v-$name" type veth peer name eth0 netns "$T/netns/$name"
	ip link set "v-$name" master "$bridge" up
	on "$name" ip link set eth0 up
	on "$name" ip addr add "$NET4.$number/24" dev eth0
	on "$name" ip addr add "$NET6:$number/64" dev eth0 nodad
}

# hosts_remove: all of them, so that the network is as psv_network made it.
hosts_remove() {
	local f

	for f in "$T"/netns/*; do
		ip link del "v-${f##*/}"
		umount "$f"
		rm "$f"
	done
}

# psv_network: unless the machine has made it at its boot.
psv_network() {
	! ip link show lan >/dev/null 2>&1 || return 0
	ip link set lo up
	echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
	echo 0 >/proc/sys/net/ipv6/conf/default/accept_ra
	ip link add lan type bridge forward_delay 0 mcast_snooping 0
	ip link set lan up
	ip addr add "$NET4.1/24" dev lan
	ip addr add "$NET6:1/64" dev lan nodad
}

# eventually SECONDS COMMAND…: tries again until the command succeeds; fails when the time is over, with what the last try
# said. Until something is there, so much that a machine may be many times slower; of what is promised, what is promised.
eventually() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))

	shift
	while ! "$@" >/dev/null 2>&1; do
		if ((${EPOCHREALTIME/./} >= end)); then
			"$@" >&2
			return
		fi
		sleep 0.05
	done
}

# listening HOST t|u PORT [COUNT]: waits until so many sockets listen there, by TCP or UDP (psv: on the Psv; default: one).
listening() {
	eventually 60 has_listener "$@"
}
has_listener() {
	local at=()

	[[ $1 == psv ]] || at=(on "$1")
	(($("${at[@]}" ss -Hln"$2" "sport = $3" | wc -l) >= ${4:-1}))
}
