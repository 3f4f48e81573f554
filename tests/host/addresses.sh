#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Addresses of a Vsv: put on and taken away on a running one, put back when somebody flushes them, probed and announced,
# and never chosen by the Psv itself.
. "$(dirname "$0")/../lib.sh"

host_add client1 101
host_add client2 102

plain_vsv a 11
plain_vsv b 12
vnas start a b

# serve NAME PORT: a listener inside that says where it was reached.
serve() {
	vnas exec "$1" -- cat >/dev/null </dev/null
	vnas exec "$1" -- sh -c 'cat >/root/probe && chmod 755 /root/probe' <"$PROBE"
}
serve a
has() { ip -o addr show dev lan | grep -q " $1/"; }

check "IPv4 is on as /32" has "$NET4.11"
check_eq "with the whole prefix length" "$(ip -o -4 addr show dev lan to "$NET4.11" | grep -o "$NET4.11/[0-9]*")" "$NET4.11/32"
check_eq "IPv6 with preferred lifetime 0" \
	"$(ip -o -6 addr show dev lan to "$NET6:11" | grep -oE 'preferred_lft [0-9a-z]+')" "preferred_lft 0sec"
check_eq "the Psv's own source is its own" "$(ip route get "$NET4.101" | grep -oE 'src [0-9.]+')" "src $NET4.1"
check_eq "and for IPv6" "$(ip -6 route get "$NET6:101" | grep -oE 'src [0-9a-f:]+')" "src $NET6:1"

check "address add on a running one" vnas address add a "$NET4.21/24"
check "it is on" has "$NET4.21"
check_eq "a program inside can bind it" "$(vnas exec a -- /root/probe own4="$NET4.21" bind-own4)" "bind-own4 ok"
check_status "again is refused" 2 "doubled" vnas address add a "$NET4.21/24"
check_status "another's is refused" 5 'b' vnas address add a "$NET4.12/24"
check_status "one that answers is refused" 5 "$NET4.102" vnas address add a "$NET4.102/24"
check_json "address list" 'to_entries[0].value | length >= 1' vnas address list a --json
# A listener on the wildcard address that accepts nothing: the kernel holds the connections.
vnas exec a -- /root/probe listen_port=7021 serve >/dev/null </dev/null &
listening psv t 7021
mapfile -t servers < <(pgrep -f '^/root/probe listen_port=7021 serve')
kill -STOP "${servers[@]}"
# hold ADDRESS FILE: a client's connection; how it ended (1: by the other side; above 128: it lasted) into the file.
hold() {
	on client1 bash -c "exec 3<>/dev/tcp/$1/7021 && echo open >$2; read -r -t 20 <&3; echo \$? >$2"
}
hold "$NET4.21" "$T/gone" &
hold "$NET4.11" "$T/stays" &
check "two clients are connected" eventually 60 bash -c "test -s $T/gone -a -s $T/stays"
check "address remove" vnas address remove a "$NET4.21"
refute "it is off" has "$NET4.21"
if zgrep -qs 'CONFIG_INET_DIAG_DESTROY=y' /proc/config.gz || grep -qs 'CONFIG_INET_DIAG_DESTROY=y' "/boot/config-$(uname -r)"; then
	check "a connection to it ends at once" eventually 1 grep -qx 1 "$T/gone"
else
	skip "a connection to it ends at once" "this kernel has no CONFIG_INET_DIAG_DESTROY"
fi
check "one to another address lasts" grep -qx open "$T/stays"
kill -KILL "${servers[@]}"
check_eq "a program inside can bind it no more" "$(vnas exec a -- /root/probe own4="$NET4.21" bind-own4)" \
	"bind-own4 EADDRNOTAVAIL"
check "the neighbour's address is still on" has "$NET4.12"
check "its own first address too" has "$NET4.11"
check_status "an address that it does not have" 4 "$NET4.99" vnas address remove a "$NET4.99"

# As many as a server can have, of both families.
many=()
for ((i = 120; i < 152; i++)); do
	many+=(--address "$NET4.$i/24" --address "$NET6:$i/64")
done
vnas create many --root-size 64M "${many[@]}" >/dev/null
conf_add many $'[smb]\nenabled = no'
check "64 addresses: start" vnas start many
count() { ip -o addr show dev lan | grep -cE " ($NET4\.|$NET6:)1(2[0-9]|3[0-9]|4[0-9]|5[01])/"; }
check_eq "all are on" "$(count)" 64
check_json "status knows them all" '.servers[0] | .state == "running" and (.addresses | length) == 64' vnas status many --json
check_json "and what UDP is not reached at" '[.servers[0].warnings[] | select(test("UDP"))] | length == 1' vnas status many --json
vnas exec many -- sh -c 'cat >/root/probe && chmod 755 /root/probe' <"$PROBE"
vnas exec many -- /root/probe listen_port=7064 serve >/dev/null </dev/null &
check "its first address serves" eventually 60 on client1 timeout 15 bash -c "exec 3<>/dev/tcp/$NET4.120/7064"
check "and its last of IPv4" on client1 timeout 15 bash -c "exec 3<>/dev/tcp/$NET4.151/7064"
check "and of IPv6" on client1 timeout 15 bash -c "exec 3<>/dev/tcp/$NET6:151/7064"
check "stop" vnas stop many
check_eq "none is left" "$(count)" 0
check_eq "nor a rule" "$(ip rule show | grep -cE "from $NET4\.1[2-5][0-9] " || true)" 0
check_status "one more is refused" 2 "64" vnas address add many "$NET4.160/24" --no-probe
vnas destroy many --purge >/dev/null

# One family alone, several addresses of it: smbd, which listens on the wildcard address of both, serves all of them and no others.
smb_answers() { on client1 smbclient --configfile="$T/smbclient.conf" -N -L "//$1" 2>/dev/null | grep -q IPC; }
vnas create four --root-size 64M --address "$NET4.31/24" --address "$NET4.32/24"
vnas create six --root-size 64M --address "$NET6:33/64" --address "$NET6:34/64"
check "start, IPv4 alone and IPv6 alone" vnas start four six
for address in "$NET4.31" "$NET4.32" "$NET6:33" "$NET6:34"; do
	check "SMB answers at $address" smb_answers "$address"
done
for address in "$NET4.1" "$NET6:1" "$NET4.11" "$NET6:11"; do
	refute "and not at $address, which is another's" on client1 timeout 2 bash -c "exec 3<>/dev/tcp/$address/445"
done
for address in "$NET4.35/24" "$NET6:35/64"; do
	vnas address add four "$address"
	vnas address add six "${address/35/36}"
done
for address in "$NET4.35" "$NET6:35" "$NET4.36" "$NET6:36"; do
	check "nor is a family that came later left out: $address" eventually 10 smb_answers "$address"
done
vnas stop four six

# What somebody else flushes comes back, a tenth of a second later on a machine that has time.
ip addr del "$NET4.11/32" dev lan
ip -6 addr del "$NET6:11/128" dev lan
check "a flushed IPv4 address comes back" eventually 5 has "$NET4.11"
check "a flushed IPv6 address comes back" eventually 5 has "$NET6:11"
rule=$(ip rule show | grep -F "from $NET4.11 " | sed 's/:.*//')
if [[ $rule ]]; then
	ip rule del priority "$rule" from "$NET4.11"
	check "a removed rule comes back" eventually 60 bash -c "ip rule show | grep -qF 'from $NET4.11 '"
else
	not_ok "a rule for its source address" "$(ip rule show)"
fi
check_json "with an event" '[.events[] | select(.event | test("address|reassert"))] | length > 0' vnas events a --json

# A client learns the new place of an address at once: client2 had it before.
vnas stop b
on client2 ip addr add "$NET4.12/24" dev eth0
on client1 socat -u OPEN:/dev/null "TCP4:$NET4.12:9,connect-timeout=1" 2>/dev/null || true
old=$(on client1 ip neigh show "$NET4.12" | grep -oE 'lladdr [0-9a-f:]+')
on client2 ip addr del "$NET4.12/24" dev eth0
vnas start b
new=$(on client1 ip neigh show "$NET4.12" | grep -oE 'lladdr [0-9a-f:]+' || true)
check_eq "an announced address is learnt" "$new" "lladdr $(cat /sys/class/net/lan/address 2>/dev/null ||
	ip -o link show lan | grep -oE 'ether [0-9a-f:]+' | cut -d' ' -f2)"
refute "it was another before" test "$old" = "$new"

# Whose descriptor of a packet socket is the last waits for the kernel: never the one of the command. (Each close takes 2 ms here.)
check "an announcement, looked at" strace -f -qq -o "$T/trace" -e trace=close,socket,exit_group \
	-e inject=close:delay_enter=2000 "$VNAS" announce b
check "it closes the socket before the process does that holds it" awk '
	/AF_PACKET/ { main = $1; fd = $NF }
	main && $1 == main && $0 ~ "close\\(" fd "[ )]" { closing = 1 }
	closing && !closed && $1 == main && /close.* = 0/ { closed = NR }
	main && $1 != main && /exit_group/ { ended = NR }
	END { exit !(closed && ended > closed) }' "$T/trace"

# Who missed it hears it again: the supervisor says it twice more, also of an address that is added.
mac=$(ip -o link show lan | grep -oE 'ether [0-9a-f:]+' | cut -d' ' -f2)
learns() { on client1 ip neigh show "$1" | grep -qF "$mac"; }
misses() { on client1 ip neigh replace "$1" lladdr 02:00:00:00:00:01 dev eth0 nud stale; }
vnas address add b "$NET4.22/24"
vnas address add b "$NET6:22/64"
for address in "$NET4.22" "$NET6:22"; do
	misses "$address"
	refute "it missed $address" learns "$address"
done
for address in "$NET4.22" "$NET6:22"; do
	check "and hears it again" eventually 10 learns "$address"
done

# Two Vsv in two subnets behind two routers.
ip link add lan2 type bridge forward_delay 0
ip link set lan2 up
ip addr add 198.51.100.1/24 dev lan2
host_add router 254
host_add far 77 lan2
on far ip addr add 203.0.113.9/32 dev lo
on router ip addr add 203.0.113.9/32 dev lo
vnas stop a
sed -i "/^\[server\]/a gateway = $NET4.254" "$ETC/a.conf"
vnas start a
on router ip route add 192.0.2.11/32 dev eth0 2>/dev/null || true
on router timeout 20 socat "TCP4-LISTEN:4000,bind=203.0.113.9,fork,reuseaddr" 'SYSTEM:echo $SOCAT_PEERADDR' &
listening router t 4000
check_eq "traffic of a Vsv leaves by its own gateway, from its own address" \
	"$(vnas exec a -- /root/probe client4=203.0.113.9 client_port=4000 connect-client4)" "connect-client4 $NET4.11"
refute "the Psv itself has no way there" timeout 2 bash -c 'exec 3<>/dev/tcp/203.0.113.9/4000'

vnas stop a b
refute "stop takes the address away" has "$NET4.11"
check "and leaves the Psv's own" has "$NET4.1"
wait
hosts_remove
ip link del lan2
done_testing
