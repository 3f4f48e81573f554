#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: long
# The private stack: the kinds of interface that this kernel has, what stands inside, what a client sees of it, the same
# addresses on two networks, and changes and faults while it runs.
. "$(dirname "$0")/../lib.sh"

# private NAME NUMBER INTERFACE [OPTION…]: one with a private stack there.
private() {
	local name=$1 number=$2 interface=$3

	shift 3
	vsv "$name" "$number" --stack private --interface "$interface" "$@"
}

# in_net NAME COMMAND…: a command of the Psv's in the network of a Vsv.
in_net() {
	local pid

	pid=$(server_json "$1" .init_pid)
	shift
	nsenter --net="/proc/$pid/ns/net" "$@"
}

put_probe() {
	vnas exec "$1" -- sh -c 'cat >/root/probe && chmod 755 /root/probe' <"$PROBE"
}

host_add client1 101
host_add client2 102
baseline=$(leak_network)

# --- veth on a bridge, and what it serves ---
private a 11 lan --volume data=32M
check "start, veth on a bridge" vnas start a
check_json "status" '.servers[0] | .state == "running" and .stack == "private" and .interface == "lan" and .link == "veth" and
	.host_interface == "vnas-a" and .warnings == []' vnas status a --json
check "user add" vnas user add a alice --password-stdin <<<"pw-a"
check "share add" vnas share add a docs --path /srv/data/docs --write alice
echo "hello from a" >"$T/a"
check "a client writes" smb client1 "$NET4.11" docs alice pw-a "put $T/a where"
check "and reads, over IPv6" smb client1 "$NET6:11" docs alice pw-a "get where $T/got"
check_eq "what it wrote" "$(cat "$T/got")" "hello from a"
check_json "sessions" '.sessions | type == "array"' vnas sessions a --json
check_eq "inside are its loopback and one interface" "$(in_net a ip -o link | sed -E 's/^[0-9]+: ([a-z0-9]+).*/\1/' | paste -sd' ')" "lo eth0"
check_eq "and its addresses alone" "$(in_net a ip -o addr show dev eth0 | awk '{ print $4 }' | paste -sd' ')" "$NET4.11/24 $NET6:11/64"
check_eq "it follows no router" "$(in_net a cat /proc/sys/net/ipv6/conf/eth0/{accept_ra,autoconf} | paste -sd' ')" "0 0"
mac=$(in_net a cat /proc/net/if_inet6 >/dev/null && in_net a ip -o link show eth0 | grep -oE 'ether [0-9a-f:]+')
check "the port names its server" ip -d link show vnas-a
check_eq "by an alias, and stands apart from other servers'" \
	"$(ip -d link show vnas-a | grep -oE 'isolated on|alias vnas a' | sort | paste -sd,)" "alias vnas a,isolated on"
refute "the port has no address of its own" bash -c "ip -o addr show dev vnas-a | grep -q inet"
check_eq "the Psv has none of its addresses, rules and routes" "$(leak_network | grep -c "$NET4\.11\|$NET6:11\b" || true)" 0

# --- the wildcard address is the kernel's own there ---
put_probe a
vnas address add a "$NET4.21/24"
vnas address add a "$NET6:21/64"
check_eq "address add" "$(in_net a ip -o addr show dev eth0 | wc -l)" 4
vnas exec a -- /root/probe listen_port=7021 serve >/dev/null </dev/null &
check "a listener on the wildcard address" eventually 60 on client1 timeout 15 bash -c "exec 3<>/dev/tcp/$NET4.11/7021"
for address in "$NET4.21" "$NET6:21"; do
	check "at $address too" on client1 timeout 15 bash -c "exec 3<>/dev/tcp/$address/7021"
	check "and what was running before serves at $address" smb client1 "$address" docs alice pw-a ls
done
vnas address add a "$NET4.23/24"
learns() { on client1 ip neigh show "$NET4.23" | grep -qF "${mac#ether }"; }
on client1 ip neigh replace "$NET4.23" lladdr 02:00:00:00:00:01 dev eth0 nud stale
check "who missed an address that was added hears of it again" eventually 10 learns
vnas address remove a "$NET4.23"
check_json "nothing is said of UDP" '.servers[0].warnings == []' vnas status a --json
check_status "one that answers on the network is refused" 5 "$NET4.102/24 answers on the network" vnas address add a "$NET4.102/24"
check_status "over IPv6" 5 "2001:db8::102/64 answers on the network" vnas address add a "$NET6:102/64"
check_status "the Psv's own is refused" 5 "$NET4.1 is on lan of this machine" vnas address add a "$NET4.1/24"
check "address remove of the first" vnas address remove a "$NET4.11"
check "the others serve on" smb client1 "$NET4.21" docs alice pw-a ls
check_eq "a program inside can bind it no more" "$(vnas exec a -- /root/probe own4="$NET4.11" bind-own4)" "bind-own4 EADDRNOTAVAIL"
check "and comes back" vnas address add a "$NET4.11/24"
sed -i "/^\[server\]/a gateway = $NET4.254" "$ETC/a.conf"
check "reload with a gateway" vnas reload a
check_eq "which is its default route" "$(in_net a ip route show default | grep -oE 'via [0-9.]+')" "via $NET4.254"
sed -i '/^gateway/d' "$ETC/a.conf"
check "and without" vnas reload a
check_eq "which it has no more" "$(in_net a ip route show default)" ""
sed -i 's/^interface = lan/interface = lan2/' "$ETC/a.conf"
ip link add lan2 type bridge forward_delay 0 mcast_snooping 0
ip link set lan2 up
check_status "another interface needs a restart" 0 '\[server\] interface' vnas reload a
sed -i 's/^interface = lan2/interface = lan/' "$ETC/a.conf"
sed -i '/^\[server\]/a peer = psv' "$ETC/a.conf"
check_status "so does its first peer: it is apart on the wire" 0 '\[server\] peer' vnas reload a
sed -i '/^peer = psv/d' "$ETC/a.conf"
check_status "and its last" 0 '\[server\] peer' vnas reload a

# --- what somebody else changes, and what the network says ---
in_net a ip addr del "$NET4.11/24" dev eth0
check "an address that somebody took away comes back" eventually 60 bash -c "vnas=$VNAS; \
	nsenter --net=/proc/$(server_json a .init_pid)/ns/net ip -o addr show dev eth0 | grep -q ' $NET4.11/'"
on client1 sysctl -qw net.ipv6.conf.all.accept_ra=2
on client2 sysctl -qw net.ipv6.conf.eth0.accept_ra=2
# A router advertisement: 64 hops, a lifetime of 1800 s, and 2001:db8:dead::/64 for addresses.
printf '\x86\x00\x00\x00\x40\x00\x07\x08\x00\x00\x00\x00\x00\x00\x00\x00\x03\x04\x40\xc0\x00\x00\x0e\x10\x00\x00\x0e\x10\x00\x00\x00\x00\x20\x01\x0d\xb8\xde\xad\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00' >"$T/advertisement"
advertise() { on client1 socat -u "OPEN:$T/advertisement" 'IP6-SENDTO:[ff02::1%eth0]:58,setsockopt-int=41:18:255'; }
listens() { advertise && on client2 ip -6 addr show dev eth0 | grep -q dead; }
check "control: a host follows a router's advertisement" eventually 60 listens
check_eq "it does not" "$(in_net a ip -6 addr show dev eth0 | grep -c dead || true)$(in_net a ip -6 route show default)" 0
ip link set vnas-a down
check "without a carrier it is degraded" eventually 10 bash -c "$VNAS list --json | jq -e '.servers[] | select(.name == \"a\") | .state == \"degraded\"'"
check_status "and says why" 0 'its interface has no carrier' vnas status a
ip link set vnas-a up
ip link set vnas-a nomaster
check_status "so it is when its port is none any more" 0 'vnas-a is no port of lan' vnas status a
check "until its supervisor has put it back, apart as before" eventually 60 bash -c \
	"ip -d link show vnas-a | grep -q 'master lan' && ip -d link show vnas-a | grep -q 'isolated on'"
check "and it runs" eventually 60 bash -c "$VNAS status a --json | jq -e '.servers[0].state == \"running\"'"
check_json "which is an event" '[.events[].event | select(test("interface-(degraded|recovered)"))] | length == 2' vnas events a --json
check "its supervisor is killed" kill -KILL "$(server_json a .supervisor_pid)"
check "a new one" vnas start a
in_net a ip addr del "$NET4.21/24" dev eth0
check "watches over the same network" eventually 60 smb client1 "$NET4.21" docs alice pw-a ls
old=$(server_json a .init_pid)
kill -KILL "$old"
check "after the death of PID 1 it is recovered" eventually 60 bash -c \
	"[[ \$($VNAS status a --json | jq '.servers[0] | select(.state == \"running\") | .init_pid') == [0-9]* ]] && ! kill -0 $old"
check "and serves" smb client1 "$NET4.11" docs alice pw-a ls
in_net a ip addr del "$NET4.21/24" dev eth0
check "and watched over again" eventually 60 smb client1 "$NET4.21" docs alice pw-a ls
check_eq "with the same hardware address" "$(in_net a ip -o link show eth0 | grep -oE 'ether [0-9a-f:]+')" "$mac"
check "restart" vnas restart a
check_eq "has the same one too" "$(in_net a ip -o link show eth0 | grep -oE 'ether [0-9a-f:]+')" "$mac"

# --- two servers with the same addresses on two networks, and one in the shared stack beside them ---
host_add other 101 lan2
private b 11 lan2 --volume data=32M --hostname a
vnas share add b export --nfs
check "start, the same address and name on another bridge, with NFS" vnas start b
check "a file made in it" vnas exec b -- sh -c 'echo by NFS >/srv/data/export/which'
for v in 3 4; do
	check_eq "NFS version $v" "$(on other nfs-cat "nfs://$NET4.11/export/which?version=$v")" "by NFS"
done
check "NFS over IPv6" on other rpcinfo -T tcp6 "$NET6:11" 100003 4
check "user add" vnas user add b alice --password-stdin <<<"pw-b"
check "share add" vnas share add b docs --path /srv/data/docs --write alice
echo "hello from b" >"$T/b"
check "its client writes" smb other "$NET4.11" docs alice pw-b "put $T/b where"
check "the first one's client reads" smb client1 "$NET4.11" docs alice pw-a "get where $T/got"
check_eq "what is there" "$(cat "$T/got")" "hello from a"
check "the other's" smb other "$NET6:11" docs alice pw-b "get where $T/got"
check_eq "what is there" "$(cat "$T/got")" "hello from b"
refute "and not with the first one's password" smb other "$NET4.11" docs alice pw-a ls
vsv s 12 --volume data=32M
check "a server of the shared stack" vnas start s
check "serves beside them" on client1 timeout 15 bash -c "exec 3<>/dev/tcp/$NET4.12/445"

# --- who reaches whom ---
socat TCP6-LISTEN:5000,fork,reuseaddr,ipv6only=0 'SYSTEM:echo psv' 2>/dev/null &
listener=$!
private c 13 lan
conf_add c $'[smb]\nenabled = no'
vnas start c
put_probe c
check_eq "a client is reached" "$(on client1 timeout 20 socat TCP4-LISTEN:4000,reuseaddr 'SYSTEM:echo ok' & listening client1 t 4000
	vnas exec c -- /root/probe client4="$NET4.101" client_port=4000 connect-client4)" "connect-client4 ok"
reach() { vnas exec c -- /root/probe psv4="$NET4.1" psv6="$NET6:1" psv_port=5000 other4="$1" other_port=445 "$2"; }
check_eq "the Psv is not" "$(reach "$NET4.11" connect-psv4)" "connect-psv4 ECONNREFUSED"
check_eq "nor over IPv6" "$(reach "$NET4.11" connect-psv6)" "connect-psv6 ECONNREFUSED"
check_json "which is counted" '.servers[0].refused.ingress > 0' vnas status c --json
check_eq "nor a server of the shared stack" "$(reach "$NET4.12" connect-other4)" "connect-other4 EPERM"
check_eq "nor one of the private stack" "$(reach "$NET4.11" connect-other4)" "connect-other4 EPERM"
put_probe s
check_eq "nor does one of the shared stack reach it" "$(vnas exec s -- /root/probe other4="$NET4.11" other_port=445 connect-other4)" \
	"connect-other4 EPERM"
sed -i '/^\[server\]/a peer = psv\npeer = s\npeer = a' "$ETC/c.conf"
vnas restart c
check_eq "peer opens the Psv" "$(reach "$NET4.11" connect-psv4)" "connect-psv4 ok"
check_eq "and the one of the shared stack" "$(reach "$NET4.12" connect-other4)" "connect-other4 ok"
check_eq "and the other's port is a common one now" "$(ip -d link show vnas-c | grep -oE 'isolated o[nf]+')" "isolated off"
check_eq "and the private one" "$(reach "$NET4.11" connect-other4)" "connect-other4 ok"
vnas stop b s c
kill $listener

# --- the Psv's firewall ---
if type nft >/dev/null 2>&1; then
	nft -f - <<-END
		table netdev vnas-test {
			chain from-a { type filter hook ingress device "vnas-a" priority 0; ip daddr $NET4.102 drop; }
		}
	END
	on client2 socat TCP4-LISTEN:4001,fork,reuseaddr 'SYSTEM:echo ok' 2>/dev/null &
	listener=$!
	check_eq "a rule at the port holds" "$(vnas exec a -- /root/probe client4="$NET4.102" client_port=4001 connect-client4)" \
		"connect-client4 SIGNAL 14"
	check "and lets through what it does not name" smb client1 "$NET4.11" docs alice pw-a ls
	nft delete table netdev vnas-test
	nft -f - <<-END
		table bridge vnas-test {
			chain forward { type filter hook forward priority 0; iifname "vnas-a" ip daddr $NET4.102 drop; }
		}
	END
	check_eq "and one on the bridge" "$(vnas exec a -- /root/probe client4="$NET4.102" client_port=4001 connect-client4)" \
		"connect-client4 SIGNAL 14"
	nft delete table bridge vnas-test
	check_eq "without it, all" "$(vnas exec a -- /root/probe client4="$NET4.102" client_port=4001 connect-client4)" "connect-client4 ok"
	kill $listener
else
	skip "a rule at the port" "nftables is not installed"
fi
# What holds gate_inside on its namespace goes with a stop, or the stop fails.
pin=$RUN/bpf/inside-$(<"$LIB/servers/a/id")
check "its link is pinned" test -e "$pin"
check_status "a stop that cannot take it away says so" 1 "inside-" \
	strace -f -qq -o /dev/null -P "$pin" -e trace=unlink -e inject=unlink:error=ENOMEM "$VNAS" stop a
check "the next one does" vnas stop a
refute "it is gone" test -e "$pin"
check_eq "a stop leaves nothing of its network" "$(diff <(echo "$baseline") <(leak_network | grep -vE 'lan2|v-other') || true)" ""

# --- one family alone ---
vnas create four --address "$NET4.14/24" --root-size 64M --stack private --interface lan
vnas create six --address "$NET6:15/64" --root-size 64M --stack private --interface lan
check "start, IPv4 alone and IPv6 alone" vnas start four six
check "IPv4" on client1 timeout 15 bash -c "exec 3<>/dev/tcp/$NET4.14/445"
check "IPv6" on client1 timeout 15 bash -c "exec 3<>/dev/tcp/$NET6:15/445"
vnas stop four six


wait || true
hosts_remove
ip link del lan2
done_testing
