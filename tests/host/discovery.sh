#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: long
# Servers beside each other in one subnet, each found under its own name with its own addresses alone: by mDNS, WS-Discovery and
# NetBIOS, over IPv4 and IPv6, on two links, in both stacks; a name that somebody else has; what is off says nothing.
. "$(dirname "$0")/../lib.sh"

MDNS=${PROBE%/*}/mdns
OTHER=198.51.100

ip link add lan2 type bridge forward_delay 0 mcast_snooping 0
ip link set lan2 up
ip addr add "$OTHER.1/24" dev lan2
host_add client1 101
host_add client2 102 lan2
on client2 ip addr add "$OTHER.102/24" dev eth0

# discover NAME WORDS: what NAME.conf says of it.
discover() {
	sed -i '/^discovery = /d' "$ETC/$1.conf"
	sed -i "/^\\[server\\]/a discovery = $2" "$ETC/$1.conf"
}

# asked HOST NAME TYPE [4|6 [MODE]]: the data of all answers, sorted, on one line.
asked() {
	on "$1" "$MDNS" ask eth0 "${4:-4}" 700 "$2" "$3" "${@:5:1}" | grep -F " answer $2 $3 " | cut -d' ' -f6- | sort -u | paste -sd' ' || true
}
# is_answer WANTED HOST NAME TYPE …
is_answer() {
	[[ $(asked "${@:2}") == "$1" ]]
}
# finds NAME WANTED HOST NAME TYPE …: soon; a record is told once a second at most.
finds() {
	if eventually 20 is_answer "$2" "${@:3}"; then ok "$1"; else not_ok "$1" "got: $(asked "${@:3}"); wanted: $2"; fi
}

# Everything that is said on the first link, from the first moment on.
on client1 "$MDNS" hear eth0 4 600000 >"$T/heard4" 2>&1 &
on client1 "$MDNS" hear eth0 6 600000 >"$T/heard6" 2>&1 &
on client1 socat -u "UDP4-RECV:3702,reuseaddr,ip-add-membership=239.255.255.250:eth0" "CREATE:$T/heard-wsd" &

vsv a 11 --address "$OTHER.11/24"
vsv b 12
plain_vsv c 13
plain_vsv d 14 --stack private --interface lan
plain_vsv e 15
discover a yes
discover b yes
for v in c d; do
	discover $v mdns
done
sed -i "/^address = $NET4.13/d" "$ETC/c.conf" # IPv6 alone
sed -i '/^\[server\]/a workgroup = R-D_1' "$ETC/b.conf"
discover d avahi
check_status "a kind that there is not" 1 "discovery.*expected yes, no, or some of netbios, wsd and mdns" vnas start d
discover d mdns

# --- the Psv's own daemons ---
socat -u UDP6-RECV:5353,ipv6only=1 /dev/null &
exclusive=$!
listening psv u 5353
check_status "a socket of the Psv's that keeps the port to itself" 5 "UDP port 5353: socat of this machine \(process $exclusive\)" vnas start c
kill $exclusive
wait $exclusive 2>/dev/null || true
socat -u UDP6-RECV:5353,reuseaddr,ipv6only=1 /dev/null &
check "one that shares it is no obstacle" vnas start c
check "all start" vnas start a b d e
check_json "three kinds are three services" '.servers[0].services | map(.name) | sort == ["mdns", "nmbd", "smbd", "wsd"]' vnas status a --json
check_json "one alone" '.servers[0].services | map(.name) == ["mdns"]' vnas status d --json

# --- mDNS ---
finds "a, by IPv4" "$NET4.11" client1 a.local A
finds "b" "$NET4.12" client1 b.local A
finds "c, which has no IPv4, by IPv6" "$NET6:13" client1 c.local AAAA 6
check_eq "and no address of IPv4" "$(asked client1 c.local A 6)" ""
finds "a, by IPv6" "$NET6:11" client1 a.local AAAA 6 qu
finds "d, in the private stack" "$NET4.14" client1 d.local A
finds "and by IPv6" "$NET6:14" client1 d.local AAAA 6
finds "a, by plain DNS" "$NET4.11" client1 a.local A 4 legacy
finds "by its address" "a.local" client1 11.2.0.192.in-addr.arpa PTR
finds "the other link hears the address that a has there" "$OTHER.11" client2 a.local A
check_eq "and nothing of b" "$(asked client2 b.local A)" ""
finds "those who serve SMB" "a._smb._tcp.local b._smb._tcp.local" client1 _smb._tcp.local PTR
finds "where" "a.local 445" client1 a._smb._tcp.local SRV
finds "what there is at all" "_device-info._tcp.local _smb._tcp.local" client1 _services._dns-sd._udp.local PTR
check "one host alone is asked" on client1 "$MDNS" direct "$NET4.12" 3000 b.local A
check "by IPv6" on client1 "$MDNS" direct "$NET6:12" 3000 b.local AAAA
refute "for another's name it says nothing" on client1 "$MDNS" direct "$NET4.12" 700 a.local A

# --- addresses come and go ---
check "address add" vnas address add b "$NET4.22/24"
finds "a second address" "$NET4.12 $NET4.22" client1 b.local A
check "address add, on another link" vnas address add b "$OTHER.12/24"
finds "is found there" "$OTHER.12" client2 b.local A
check "address remove" vnas address remove b "$OTHER.12/24"
finds "there is nothing any more" "" client2 b.local A
check "address remove" vnas address remove b "$NET4.22/24"
finds "the first address is left" "$NET4.12" client1 b.local A
check "the farewell was heard" eventually 60 grep -qE "^$NET4.12 answer b.local A 0 $NET4.22$" "$T/heard4"
check_json "all the while it was well" '.servers[0].state == "running"' vnas status b --json

# --- WS-Discovery ---
probe_xml() {
	printf '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:p="http://schemas.xmlsoap.org/ws/2006/02/devprof"><s:Header><a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action><a:MessageID>urn:uuid:%s</a:MessageID><a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header><s:Body><d:Probe><d:Types>p:Device</d:Types></d:Probe></s:Body></s:Envelope>' "$RANDOM$RANDOM"
}
# wsd_places HOST SOCAT-ADDRESS: the places of the descriptions of all who answer.
wsd_places() {
	probe_xml | on "$1" timeout 5 socat -t1.5 - "$2" | grep -oE '<wsd:XAddrs>[^<]*' | grep -oE 'http://[^ ]*' | sort -u | paste -sd' ' || true
}
uuid_of() { sed -n '/^\[volume root\]/,/^\[/ s/^uuid = //p' "$ETC/$1.conf"; }
group4=UDP4-DATAGRAM:239.255.255.250:3702,ip-multicast-if
on client1 ip -6 route add ff02::c/128 dev eth0 table local
place_a="http://$NET4.11:5357/$(uuid_of a)/" place_b="http://$NET4.12:5357/$(uuid_of b)/"
wsd_finds() { [[ $(wsd_places "$2" "$3") == "$1" ]]; }
check "both are found, at their own addresses" eventually 15 wsd_finds "$(printf '%s\n' "$place_a" "$place_b" | sort | paste -sd' ')" client1 "$group4=$NET4.101"
check "on the other link a alone" eventually 15 wsd_finds "http://$OTHER.11:5357/$(uuid_of a)/" client2 "$group4=$OTHER.102"
place_six="http://[$NET6:11]:5357/$(uuid_of a)/"
wsd_has() { [[ $(wsd_places "$2" "$3") == *"$1"* ]]; }
check "by IPv6" eventually 15 wsd_has "$place_six" client1 "UDP6-DATAGRAM:[ff02::c%eth0]:3702"

# described ADDRESS UUID: the description by HTTP.
described() {
	local body='<s:Envelope><s:Header><a:Action>http://schemas.xmlsoap.org/ws/2004/09/transfer/Get</a:Action><a:MessageID>urn:uuid:7</a:MessageID></s:Header><s:Body/></s:Envelope>'

	printf 'POST /%s/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s' "$2" ${#body} "$body" |
		on client1 timeout 30 socat -t20 - "TCP:$1:5357" | grep -oE '<pub:Computer>[^<]*' | cut -d'>' -f2 || true
}
check_eq "a's name and workgroup" "$(described "$NET4.11" "$(uuid_of a)")" "A/Workgroup:WORKGROUP"
check_eq "b's, at the same port" "$(described "$NET4.12" "$(uuid_of b)")" "B/Workgroup:R-D_1"
check_eq "by IPv6" "$(described "[$NET6:11]" "$(uuid_of a)")" "A/Workgroup:WORKGROUP"
check_eq "nothing under another's identifier" "$(described "$NET4.11" "$(uuid_of b)")" ""
check "Hello was heard" grep -q "discovery/Hello.*$(uuid_of a)" "$T/heard-wsd"

# --- NetBIOS ---
by_netbios() { on client1 nmblookup --configfile="$T/smbclient.conf" -B "$NET4.255" "$1" | grep -q "^$2 "; }
check "a, by NetBIOS" eventually 60 by_netbios A "$NET4.11"
check "b, whose addresses have changed" eventually 60 by_netbios B "$NET4.12"
# nmbd that is told to reload reads its configuration once a second at most, and then never learns of the last change.
for i in 1 2 3; do
	check "address add" vnas address add b "$NET4.22/24" --no-probe
	check "and remove" vnas address remove b "$NET4.22/24"
done
vnas exec b -- sh -c 'mv /run/samba /run/samba.kept && touch /run/samba'
check_status "who keeps it from coming back keeps no address from being added" 0 'service nmbd: nmbd ended [0-9]+ times .*; until it answers, it may serve as before' \
	vnas address add b "$NET4.22/24" --no-probe
finds "it is there" "$NET4.12 $NET4.22" client1 b.local A
vnas exec b -- sh -c 'rm /run/samba && mv /run/samba.kept /run/samba'
check "and remove" vnas address remove b "$NET4.22/24"
check_json "it answers at once" '.servers[0].state == "running"' vnas status b --json
check "and to its name a few seconds later" eventually 60 by_netbios B "$NET4.12"

# --- what is no message ---
for i in 1 2 3 4 5; do
	head -c $((i * 200)) /dev/urandom | on client1 timeout 2 socat -u - "UDP4-SENDTO:$NET4.11:5353"
	head -c $((i * 200)) /dev/urandom | on client1 timeout 2 socat -u - "UDP4-DATAGRAM:224.0.0.251:5353,ip-multicast-if=$NET4.101"
	head -c $((i * 200)) /dev/urandom | on client1 timeout 2 socat -u - "$group4=$NET4.101"
	head -c $((i * 200)) /dev/urandom | on client1 timeout 2 socat -u - "TCP:$NET4.11:5357" || true
done
# Connections that say nothing do not keep others out.
for i in {1..40}; do
	on client1 timeout 8 socat -u "TCP:$NET4.11:5357" - >/dev/null 2>&1 &
done
sleep 0.5
check_eq "who says nothing keeps nobody out" "$(described "$NET4.11" "$(uuid_of a)")" "A/Workgroup:WORKGROUP"
check_json "nothing of it ended a service" '.servers[0] | .state == "running" and ([.services[].restarts] | add == 0)' vnas status a --json

# --- a responder that does not answer ---
pid=$(vnas status a --json | jq '.servers[0].services[] | select(.name == "mdns").pid')
kill -STOP "$pid"
check_json "one that hangs is seen" '.servers[0] | .state == "degraded" and (.degraded[] | test("service mdns: it does not answer"))' vnas status a --json
kill -CONT "$pid"
check_json "and so is that it goes on" '.servers[0].state == "running"' vnas status a --json

# --- a name that another host has ---
on client1 "$MDNS" rival eth0 600000 e.local "$NET4.101" >/dev/null &
discover e mdns
check "a taken name keeps nobody from starting" vnas restart e
is_degraded() { vnas status e --json | jq -e '.servers[0] | .state == "degraded" and (.degraded[] | test("another host has the name e.local"))' >/dev/null; }
check "it is degraded, and says why" eventually 60 is_degraded
check "the log says who" bash -c "'$VNAS' logs e | grep -q 'e.local is the name of another host, $NET4.101'"
check_eq "it leaves the name to the other" "$(asked client1 e.local ANY)$(asked client1 e.local A)" ""
refute "and never announced itself" grep -q "^$NET4.15 answer e.local A 120" "$T/heard4"

# --- the end ---
check "stop" vnas stop a
check "the farewells were heard" eventually 60 grep -qE "^$NET4.11 answer a.local A 0 " "$T/heard4"
check "by IPv6" eventually 60 grep -qE "^$NET6:11 answer a.local AAAA 0 " "$T/heard6"
check "and Bye" eventually 60 grep -q "discovery/Bye.*$(uuid_of a)" "$T/heard-wsd"
check_eq "afterwards there is nothing" "$(asked client1 a.local A)" ""

# --- what is off says nothing ---
discover b no
check "discovery off" vnas restart b
: >"$T/heard4"
: >"$T/heard6"
: >"$T/heard-wsd"
check_eq "it is not found" "$(asked client1 b.local A)$(asked client1 b.local AAAA 6)$(wsd_places client1 "$group4=$NET4.101")" ""
refute "nor by NetBIOS" by_netbios B "$NET4.12"
discover b netbios
check "a reload does not begin it" vnas reload b
check "address add, while it is not there" vnas address add b "$NET4.22/24" --no-probe
check "and remove" vnas address remove b "$NET4.22/24"
discover b no
check "reload" vnas reload b
check "stop" vnas stop b
refute "and nothing came from it" grep -qE "^($NET4.12|$NET6:12) |$(uuid_of b)" "$T/heard4" "$T/heard6" "$T/heard-wsd"

# The Psv's own addresses were never told by anybody.
refute "nobody told the Psv's addresses" grep -qE " A [0-9]+ ($NET4|$OTHER)\.1$| AAAA [0-9]+ $NET6:1$" "$T"/heard[46]
for job in $(jobs -p); do
	kill "$job" 2>/dev/null || true
done
wait || true
vnas stop c d e
hosts_remove
ip link del lan2
done_testing
