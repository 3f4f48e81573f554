# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Private stacks on what this kernel has and others may lack: ipvlan, VLAN, a bridge that tells VLANs apart.  Sourced by first-boot.sh.

mkdir -p "$T/netns"
touch "$T/netns/switch"
unshare --net="$T/netns/switch" ip link set lo up
ip link add wire0 type veth peer name port0 netns "$T/netns/switch"
ip link add lan5 type bridge forward_delay 0 mcast_snooping 0 vlan_filtering 1
ip link add trunk0 type veth peer name trunk1 netns "$T/netns/switch"
ip link set trunk0 master lan5
bridge vlan add dev trunk0 vid 6
for link in wire0 lan5 trunk0; do ip link set $link up; done
on switch ip link set port0 up
on switch ip link set trunk1 up
on switch ip link add link port0 name port0.5 type vlan id 5
on switch ip link add link trunk1 name trunk1.6 type vlan id 6
# There are three networks here, one behind each of these.
on switch ip addr add 198.51.100.101/25 dev port0
on switch ip addr add 198.51.100.201/26 dev port0.5
on switch ip addr add 203.0.113.101/24 dev trunk1.6
on switch ip link set port0.5 up
on switch ip link set trunk1.6 up
machine_state | sort >"$T/machine.begin"
# reached ADDRESS: where nobody listens, and the answer is that.
reached() { on switch timeout 60 bash -c "exec 3<>/dev/tcp/$1/9" 2>&1 | grep -q refused; }
# private NAME ADDRESS OPTION…
private() {
	vnas create "$1" --address "$2" --root-size 32M --stack private "${@:3}" || return 1
	conf_add "$1" $'[smb]\nenabled = no'
}
check "create on ipvlan" private ip1 198.51.100.11/25 --interface wire0 --link ipvlan
check "create in a VLAN" private vlan1 198.51.100.211/26 --interface wire0 --vlan 5
check "create in a VLAN of a bridge" private port1 203.0.113.11/24 --interface lan5 --vlan 6
for v in ip1 vlan1 port1; do
	check "start $v" vnas start $v
	minutes
done
check "ipvlan is reached" reached 198.51.100.11
check "the VLAN is reached" reached 198.51.100.211
check "the bridge's VLAN is reached" reached 203.0.113.11
check_eq "the port is in that VLAN alone" "$(bridge vlan show dev vnas-port1 | grep -oE '[0-9]+ PVID.*|[0-9]+ *Egress.*|[0-9]+ *$' | sed 's/ *$//')" \
	"6 PVID Egress Untagged"
check_json "each is joined as it should be" '[.servers[] | select(.stack == "private") | .link] == ["ipvlan", "veth", "vlan"]' vnas status --json
check_status "one server a VLAN" 5 'VLAN 5 of wire0 belongs to vlan1' \
	vnas create x --address 198.51.100.212/26 --root-size 32M --stack private --interface wire0 --vlan 5
check_status "an address that is on the wire" 5 '198.51.100.101/25 answers on the network' vnas address add ip1 198.51.100.101/25
if [[ -x $PROBE ]]; then
	vnas exec ip1 -- sh -c 'cat >/root/probe && chmod 755 /root/probe' <"$PROBE"
	vnas exec ip1 -- /root/probe own4=198.51.100.11 other4=198.51.100.12 bind-own4 bind-other4-freebind bind-other4-transparent \
		socket-raw4 socket-packet option-bindtodevice mount-new open-by-handle >"$T/inside" </dev/null || true
	check_eq "in its own network, too, a hostile root gets nowhere" "$(grep ' ok$' "$T/inside" | paste -sd,)" "bind-own4 ok"
	check_eq "by any of its attempts" "$(wc -l <"$T/inside")" 8
fi
minutes
for v in ip1 vlan1 port1; do
	check "stop $v" vnas stop $v
done
nothing_left "they leave nothing"
for v in ip1 vlan1 port1; do
	vnas destroy $v --purge
done
for link in wire0 trunk0 lan5; do ip link del $link; done
umount "$T/netns/switch"
rm "$T/netns/switch"
minutes
