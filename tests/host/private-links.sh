#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The private stack on interfaces that are no bridge: macvlan, and an interface handed over whole, which comes back however the
# server ends; and every mistake about interfaces, before anything is made.
. "$(dirname "$0")/../lib.sh"

# A wire beside the Psv's bridge: wire0 and wire1 are the Psv's interfaces, and the far ends are ports of a switch elsewhere.
mkdir -p "$T/netns"
touch "$T/netns/switch"
unshare --net="$T/netns/switch" ip link set lo up
on switch ip link add sw type bridge forward_delay 0 mcast_snooping 0
on switch ip link set sw up
on switch ip addr add "$NET4.101/24" dev sw
on switch ip addr add "$NET6:101/64" dev sw nodad
for i in 0 1; do
	ip link add wire$i type veth peer name port$i netns "$T/netns/switch"
	on switch ip link set port$i master sw up
	ip link set wire$i up
done
wire_mac=$(cat /sys/class/net/wire1/address 2>/dev/null || ip -o link show wire1 | grep -oE 'ether [0-9a-f:]+' | cut -d' ' -f2)
# network_now: but for link-local addresses, which the kernel makes for an interface that is back.
network_now() { leak_network | grep -vE 'fe80|ff00::/8'; }
baseline=$(network_now)
answers() { on switch timeout 5 bash -c "exec 3<>/dev/tcp/$1/445"; }

# private NAME NUMBER INTERFACE [OPTION…]
private() {
	local name=$1 number=$2 interface=$3

	shift 3
	vsv "$name" "$number" --stack private --interface "$interface" "$@"
}

# --- mistakes ---
# bad STATUS PATTERN OPTION…: create is refused so.
bad() {
	local status=$1 pattern=$2

	shift 2
	check_status "create $*: refused" "$status" "$pattern" \
		vnas create x --root-size 32M --address "$NET4.30/24" --stack private "$@"
}
bad 2 "a private stack needs an 'interface'"
bad 1 'there is no interface nowhere$' --interface nowhere
bad 1 'the interfaces are: .*wire0' --interface nowhere
bad 2 "'lo' is no network interface" --interface lo
bad 2 'expected macvlan, ipvlan, veth, vlan or interface' --interface wire0 --link bridge
bad 1 "wire0 is no bridge, which 'link = veth'" --interface wire0 --link veth
bad 1 'mtu 9000 is larger than that of wire0, 1500' --interface wire0 --mtu 9000
bad 2 'six bytes' --interface wire0 --mac 02:00:00
bad 2 'an address of many hosts' --interface wire0 --mac 01:00:5e:00:00:01
bad 2 'is in no network' --interface wire0 --gateway 198.51.100.1
bad 1 'lan is a bridge, which cannot be handed over' --interface lan --link interface
bad 1 "does not tell VLANs apart|CONFIG_BRIDGE_VLAN" --interface lan --vlan 5
ip link set wire0 down
bad 1 'interface wire0 is down' --interface wire0
ip link set wire0 up
ip addr add 198.51.100.7/24 dev wire0
bad 5 'wire0 cannot be handed over: the address 198.51.100.7 is on it' --interface wire0 --link interface
check_status "the Psv's address on the same wire" 5 '198.51.100.7 is on wire0 of this machine already' \
	vnas create x --root-size 32M --address 198.51.100.7/24 --stack private --interface wire0
ip addr del 198.51.100.7/24 dev wire0
ip link set wire0 master lan
bad 5 'wire0 is a port of lan' --interface wire0
ip link set wire0 nomaster
ip link add link wire0 name upper0 type macvlan
bad 5 'wire0 cannot be handed over: others stand on it' --interface wire0 --link interface
ip link del upper0
# kernel_has CONFIG…: what cannot be known is tried.
kernel_has() { zgrep -qs "^$1=" /proc/config.gz || grep -qs "^$1=" "/boot/config-$(uname -r)"; }
for kind in ipvlan vlan; do
	config=CONFIG_${kind^^}
	[[ $kind != vlan ]] || config=CONFIG_VLAN_8021Q
	options=(--interface wire0 --link "$kind")
	[[ $kind != vlan ]] || options+=(--vlan 5)
	if kernel_has "$config"; then
		check "$kind: this kernel has it" vnas create x --root-size 32M --address "$NET4.30/24" --stack private "${options[@]}" --dry-run
	else
		bad 1 "the kernel has no $kind interfaces \($config\)" "${options[@]}"
	fi
done
check_status "a server of the shared stack has no interface" 2 "key 'interface'.*stack = private" \
	vnas create x --root-size 32M --interface wire0
refute "nothing was made" test -e "$ETC/x.conf"

# --- macvlan ---
private m 12 wire0 --mac 02:00:5e:10:00:12
check "start, macvlan" vnas start m
check_json "status" '.servers[0] | .link == "macvlan" and .interface == "wire0" and .state == "running"' vnas status m --json
check "a client connects" answers "$NET4.12"
check "over IPv6" answers "$NET6:12"
check_eq "the network knows it by its hardware address" "$(on switch ip neigh show "$NET4.12" | grep -oE 'lladdr [0-9a-f:]+')" \
	"lladdr 02:00:5e:10:00:12"
private n 13 wire0 --mac 02:00:5e:10:00:13
sed -i 's/^mac = .*/mac = 02:00:5e:10:00:12/' "$ETC/n.conf"
check_status "the same hardware address twice" 5 'hardware address 02:00:5e:10:00:12 belongs to m' vnas start n
sed -i 's/^mac = .*/mac = 02:00:5e:10:00:13/; s/\.13\/24/.12\/24/' "$ETC/n.conf"
check_status "the same address twice" 5 "address $NET4.12 belongs to m" vnas start n
sed -i "s/\.12\/24/.101\/24/" "$ETC/n.conf"
check_status "an address that is on the wire already" 5 "$NET4.101/24 answers on the network: .*has it" vnas start n
check_eq "a start that is refused leaves nothing" "$(server_json n .state)" stopped
sed -i "s/\.101\/24/.13\/24/" "$ETC/n.conf"
check "another one beside it" vnas start n
check "is reached" answers "$NET4.13"
check "by start --dry-run" vnas start n --dry-run
old=$(server_json m .init_pid)
kill -KILL "$old"
check "after the death of PID 1 it is started again" eventually 60 bash -c \
	"[[ \$($VNAS status m --json | jq '.servers[0] | select(.state == \"running\") | .init_pid') == [0-9]* ]] && ! kill -0 $old"
check "with the same hardware address" eventually 10 answers "$NET4.12"
ip link set wire0 down
state_is() { [[ $(vnas list --json | jq -r '.servers[] | select(.name == "m") | .state') == "$1" ]]; }
check "it is degraded when the machine's interface is down" eventually 15 state_is degraded
check_status "and says why" 0 'its interface has no carrier: see .ip link show wire0' vnas status m
ip link set wire0 up
check "and is not when it is up again" eventually 15 state_is running
check "nor has it lost anything" eventually 60 answers "$NET6:12"
check "stop" vnas stop m n
check_eq "nothing is left" "$(network_now | diff <(echo "$baseline") - || true)" ""

# --- an interface handed over ---
private h 14 wire1 --link interface
vnas start h --dry-run >"$T/steps"
check "a dry run says so" grep -q 'joined to wire1 by interface' "$T/steps"
check "start, an interface handed over" vnas start h
refute "the Psv has it no more" ip link show wire1
check "a client connects" answers "$NET4.14"
check_eq "at its own hardware address" "$(on switch ip neigh show "$NET4.14" | grep -oE 'lladdr [0-9a-f:]+')" "lladdr $wire_mac"
private i 15 wire0
sed -i 's/^interface = wire0/interface = wire1/' "$ETC/i.conf"
check_status "nobody else gets it" 5 'interface wire1 belongs to h, whole' vnas start i
sed -i 's/^interface = wire1/interface = wire0/' "$ETC/i.conf"
check "stop" vnas stop h
check_eq "it is back as it was" "$(network_now | diff <(echo "$baseline") - || true)" ""
ip link set wire1 down
check "start with one that is down" vnas start h
check "a client connects" answers "$NET4.14"
vnas stop h
check_eq "it is back, and down" "$(ip -o link show wire1 | grep -oE 'state [A-Z]+')" "state DOWN"
ip link set wire1 up
vnas start h
old=$(server_json h .init_pid)
kill -KILL "$old"
check "after the death of PID 1 it is started again" eventually 60 bash -c \
	"[[ \$($VNAS status h --json | jq '.servers[0] | select(.state == \"running\") | .init_pid') == [0-9]* ]] && ! kill -0 $old"
check "and has the interface" eventually 10 answers "$NET4.14"
init=$(server_json h .init_pid)
kill -KILL "$(server_json h .supervisor_pid)" "$init"
eventually 60 bash -c "! kill -0 $init"
check "when both are dead, it is not lost" test -e "$RUN/h/net"
check "stop" vnas stop h
check_eq "it is back" "$(network_now | diff <(echo "$baseline") - || true)" ""
check_status "a start that fails" 1 'made to fail' env VNAS_FAIL_STEP=init "$VNAS" start h
check_eq "gives it back" "$(network_now | diff <(echo "$baseline") - || true)" ""
vnas start h
: >"$RUN/h/state.json"
check "with a damaged state file a stop" vnas stop h
check_eq "gives it back too" "$(network_now | diff <(echo "$baseline") - || true)" ""
vnas start h
ip link add wire1 type veth peer name wire1b
check "when another one has its name" vnas stop h
check_eq "it comes back by another" "$(ip -o link | grep -c "$wire_mac")" 1
check_json "which is an event" '[.events[] | select(.event == "interface-renamed")] | length == 1' vnas events h --json
ip link del wire1
ip link del "$(ip -o link | grep "$wire_mac" | sed -E 's/^[0-9]+: ([^@:]+).*/\1/')"

# --- a bridge that is removed under a server, and made again ---
# Whoever makes it anew, it has the same hardware address: what its hosts have learned of it goes on to be true.
ip link add br9 address 02:00:00:00:09:01 type bridge forward_delay 0 mcast_snooping 0
ip link set br9 up
private p 15 br9
ip link set br9 type bridge stp_state 1 forward_delay 400
check_status "a bridge with spanning tree is warned of" 0 'br9 runs the spanning tree protocol: for 8 seconds' vnas start --dry-run p
ip link set br9 type bridge stp_state 0
vnas start p
ip link del br9
check_status "without its bridge a server is degraded" 0 'there is no bridge br9 any more: make it again' vnas status p
ip link add br9 address 02:00:00:00:09:01 type bridge forward_delay 0 mcast_snooping 0
ip link set br9 up
check "it is joined to the new one, apart as before" eventually 60 bash -c \
	"ip -d link show vnas-p | grep -q 'master br9' && ip -d link show vnas-p | grep -q 'isolated on'"
check "and runs" eventually 60 bash -c "$VNAS status p --json | jq -e '.servers[0].state == \"running\"'"
check_json "which is an event" '[.events[] | select(.event == "interface-restored")] | length == 1' vnas events p --json
host_add client9 109 br9
check "and it is reached" eventually 5 on client9 bash -c "exec 3<>/dev/tcp/$NET4.15/445"
# The gate knows a neighbour by the bridge that it comes from, also where somebody else was the first to make it a port again.
vnas exec p -- sh -c 'cat >/root/probe && chmod 755 /root/probe' <"$PROBE"
socat TCP4-LISTEN:5000,fork,reuseaddr 'SYSTEM:echo psv' 2>/dev/null &
psv_listener=$!
listening psv t 5000
reach() { vnas exec p -- /root/probe psv4="$NET4.1" psv_port=5000 connect-psv4; }
refused() { [[ $(reach) == "connect-psv4 ECONNREFUSED" ]]; }
ip route add "$NET4.15/32" dev br9
check "the Psv is none of its peers" eventually 60 refused
ip link del br9
ip link add br9 address 02:00:00:00:09:01 type bridge forward_delay 0 mcast_snooping 0
ip link set vnas-p master br9 up
ip link set br9 up
ip route add "$NET4.15/32" dev br9
check "nor on a bridge to which another has joined it" eventually 60 refused
check "and it is apart" eventually 60 bash -c "ip -d link show vnas-p | grep -q 'isolated on'"
kill "$psv_listener"

# A kill between "down" and "up" of the port leaves what the supervisor finds, and a port that somebody has set down it leaves so.
supervisor=$(server_json p .supervisor_pid)
kill -STOP "$supervisor"
left=''
for n in {1..60}; do
	ip link set vnas-p nomaster
	status=0
	strace -f -qqq -o /dev/null -e trace=sendto,sendmsg -e "inject=sendto,sendmsg:signal=KILL:when=$n" "$VNAS" reassert p 2>/dev/null || status=$?
	((status)) || break
	if ip link show vnas-p | grep -q 'master br9' && ! ip link show vnas-p | grep -q '[<,]UP[,>]'; then
		left+=" $n"
	fi
done
check "a kill can leave its port down" test "$left"
check "without a kill it is up" bash -c "ip link show vnas-p | grep -q '[<,]UP[,>].*master br9'"
ip link set vnas-p nomaster
strace -f -qqq -o /dev/null -e trace=sendto,sendmsg -e "inject=sendto,sendmsg:signal=KILL:when=${left##* }" "$VNAS" reassert p 2>/dev/null || true
check "it is left down" bash -c "! ip link show vnas-p | grep -q '[<,]UP[,>]'"
kill -CONT "$supervisor"
check "its supervisor finds that" eventually 60 bash -c "ip -d link show vnas-p | grep -q '[<,]UP[,>].*master br9' &&
	ip -d link show vnas-p | grep -q 'isolated on'"
check "and has taken the mark away" bash -c "! ip link show vnas-p | grep -q 'alias.* joins'"

# What has the bridge's name now may be no bridge: nobody tries again and again to join it.
ip link del br9
ip link add br9 type veth peer name br9-far
ip link set br9 up
check_status "an interface with its bridge's name is no bridge, and status says so" 0 'br9 is no bridge any more: give the name back' vnas status p
strace -f -qqq -o "$T/execs" -e trace=execve -p "$supervisor" 2>/dev/null &
tracer=$!
sleep 25
kill "$tracer"
wait "$tracer" || true
check_eq "its supervisor does not reassert for it" "$(grep -c '"reassert"' "$T/execs" || true)" 0
check "nor does a reassertion fail" vnas reassert p
ip link del br9
ip link add br9 address 02:00:00:00:09:01 type bridge forward_delay 0 mcast_snooping 0
ip link set br9 up
check "a bridge of that name is joined again" eventually 60 bash -c "ip link show vnas-p | grep -q 'master br9'"
vnas stop p
ip link del v-client9
umount "$T/netns/client9"
rm "$T/netns/client9"
ip link del br9

ip link del wire0
umount "$T/netns/switch"
rm "$T/netns/switch"
done_testing
