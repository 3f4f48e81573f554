#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A hostile root user in a Vsv tries every row of the table in docs/architecture.md: vnas verify has those that need no host
# beside, tests/probe the rest. The same program runs on the Psv first, where it succeeds: so a refusal inside is the Vsv's, and
# not the test's mistake. With STACK=private (isolation-private.sh)
# both have a private stack on the Psv's bridge, and c stands in the shared one beside them.
. "$(dirname "$0")/../lib.sh"

stack=${STACK:-shared}
options=(--volume data=32M)
[[ $stack == shared ]] || options+=(--stack private --interface lan)
host_add client1 101
plain_vsv a 11 "${options[@]}"
plain_vsv b 12 "${options[@]}"
vnas start a b

# The test's own services: a client that says who called, the Psv on all its addresses, the neighbour on its own.
on client1 socat TCP4-LISTEN:4000,fork,reuseaddr 'SYSTEM:echo ${SOCAT_PEERADDR}' 2>/dev/null &
on client1 socat TCP6-LISTEN:4000,fork,reuseaddr,ipv6only=1 'SYSTEM:echo ${SOCAT_PEERADDR}' 2>/dev/null &
on client1 socat "UDP4-RECVFROM:4000,fork" 'SYSTEM:head -c 1 >/dev/null; echo ${SOCAT_PEERADDR}' 2>/dev/null &
on client1 socat "UDP6-RECVFROM:4000,fork,ipv6only" 'SYSTEM:head -c 1 >/dev/null; echo ${SOCAT_PEERADDR}' 2>/dev/null &
socat TCP6-LISTEN:5000,fork,reuseaddr,ipv6only=0 'SYSTEM:echo psv' 2>/dev/null &
ipcmk -M 4096 >/dev/null
shm_id=$(awk 'NR == 2 { print $2 }' /proc/sysvipc/shm)
sleep 1000 &
psv_process=$!
for v in a b; do
	vnas exec $v -- sh -c 'cat >/root/probe && chmod 755 /root/probe' <"$PROBE"
done
vnas exec b -- /bin/sh -c 'exec sleep 1000' &
listening client1 t 4000 2
listening client1 u 4000 2
listening psv t 5000
eventually 60 vnas exec b -- pgrep -x sleep

device_of() {
	losetup --list --noheadings --output MAJ:MIN,BACK-FILE | awk -v p="/$1.root.img" 'index($2, p) { print $1; exit }'
}
parameters=(psv4="$NET4.1" psv6="$NET6:1" other4="$NET4.12" other6="$NET6:12" absent4="$NET4.200" absent6="$NET6:200"
	broadcast4="$NET4.255" client4="$NET4.101" client6="$NET6:101" client_port=4000 psv_port=5000 other_port=5001
	psv_pid="$psv_process")
# Each of the four groups, and two that are for nobody, where the own addresses stand and elsewhere.
inside=(interface=lan elsewhere=v-client1)
[[ $stack == shared ]] || inside=(interface=eth0 elsewhere=lo)
known=(mdns4 wsd4 mdns6 wsd6)

# --- the controls, on the Psv ---
# A private stack's addresses are not there; but whoever may, binds them all the same.
others=(bind-other4 bind-other6 udp-pktinfo4-other)
[[ $stack == shared ]] || others=(bind-other4-freebind)
"$PROBE" own4="$NET4.1" own6="$NET6:1" own_device="$(device_of a)" other_device="$(device_of b)" "${parameters[@]}" \
	bind-own4 bind-psv4 "${others[@]}" bind-absent4-freebind bind-other4-transparent bind-broadcast4 socket-raw4 socket-packet \
	connect-client4 connect-psv4 connect-loopback4 udp-client4 device-other-read signal-psv open-by-handle one-inotify \
	one-epoll >"$T/control" || true
"$PROBE" broadcast4="$NET4.255" interface=lan elsewhere=v-client1 send-broadcast4 \
	{bind,send,join}-{mdns4,wsd4,mdns6,wsd6,any4,any6} {send,join}-{mdns4,wsd4,mdns6,wsd6,any4,any6}-elsewhere >>"$T/control" || true
"$PROBE" mount-new >>"$T/control"
while read -r name result; do
	case $name in
	connect-client4) check_eq "control: $name" "$result" "$NET4.1" ;;
	udp-client4) check_eq "control: $name" "$result" "$NET4.1" ;;
	# It was sent; the answer goes to whose address it is.
	udp-pktinfo4-other) check_eq "control: $name" "$result" sent-no-answer ;;
	*) check_eq "control: $name" "$result" ok ;;
	esac
done <"$T/control"

# --- the attempts, inside ---
vnas exec a -- /root/probe own4="$NET4.11" own6="$NET6:11" own_device="$(device_of a)" other_device="$(device_of b)" \
	"${inside[@]}" "${parameters[@]}" >"$T/inside" </dev/null

# expect PATTERN NAME…: what each of these attempts must say, a whole extended regular expression.
declare -A tried=()
expect() {
	local pattern=$1 name got

	shift
	for name; do
		tried[$name]=1
		got=$(sed -n "s/^$name //p" "$T/inside")
		if [[ $got =~ ^($pattern)$ ]]; then
			ok "$name: $got"
		else
			not_ok "$name" "got: ${got:-nothing}; wanted: $pattern"
		fi
	done
}

# Row (a): the network.
expect ok bind-own4 bind-own6 bind-own4-udp bind-own6-udp bind-mapped-own4
expect EADDRNOTAVAIL bind-psv4 bind-other4 bind-other6 bind-other4-udp bind-mapped-other4 bind-other4-freebind bind-absent4-freebind
expect 'EPERM|EADDRNOTAVAIL' bind-other4-transparent bind-broadcast4
# The gate keeps up the appearance of the wildcard address; what it is bound to is seen from outside, below.
expect 0.0.0.0 wildcard4 wildcard4-udp
expect :: wildcard6-only wildcard6-udp wildcard6-dual
expect no-listen_port serve
expect 'listening|EPERM|EADDRNOTAVAIL' listen-unbound4
expect EPERM socket-raw4 socket-packet option-bindtodevice
expect "(::ffff:)?$NET4.11" connect-client4 connect-client4-from-any udp-client4 udp-client4-connected udp-pktinfo4-own
expect "(::ffff:)?$NET4.11|EPERM|EADDRNOTAVAIL|EINVAL" connect-client4-from-group
expect "\[?(2001:db8::11|2001:0db8:0000:0000:0000:0000:0000:0011)\]?" connect-client6 udp-client6
expect 'ECONNREFUSED|EPERM|EHOSTUNREACH|ENETUNREACH' connect-psv4 connect-psv6 connect-mapped-psv4 connect-other4 \
	connect-other6 connect-own4-psv-port connect-loopback4 connect-loopback6
expect ok own-loopback4 own-loopback6
expect 'EPERM|EADDRNOTAVAIL|EINVAL|ENETUNREACH' udp-pktinfo4-psv udp-pktinfo4-other udp-pktinfo4-psv-connected \
	udp-pktinfo6-psv udp-pktinfo6-other
expect EADDRNOTAVAIL "${known[@]/#/bind-}" bind-any4 bind-any6
expect EPERM "${known[@]/#/send-}" "${known[@]/#/join-}" {send,join}-any{4,6} {send,join}-{mdns4,wsd4,mdns6,wsd6,any4,any6}-elsewhere \
	send-broadcast4

# Rows (b), (c) and (d), as far as something must go on working, or a test beside shows it.
expect 'EPERM|EACCES' device-other-read
expect ok write-etc unshare-fs one-pty one-inotify one-epoll one-file one-process one-timer one-signal one-realtime-signal \
	one-flight one-datagram one-stream one-lock one-segment
expect 'EPERM|ENOSYS' mount-new open-by-handle xattr-trusted
expect 'set|dropped|EPERM' set-uid-program
expect '[0-9]+' one-pipe
expect 'ok|EPERM' one-user-process # where it may not become another user
expect ESRCH signal-psv
while read -r name _; do
	[[ ${tried[$name]:-} ]] || not_ok "$name has no expectation"
done <"$T/inside"

# All the rest, from inside, in the control group alone, and as the Psv sees it; with services beside and a segment of memory.
status=0
vnas verify --json >"$T/probes" || status=$?
[[ $stack == shared || $status != 0 ]] || status=7 # a private stack leaves nothing open, where the kernel is new enough
check_eq "verify: nothing gets through" "$status $(jq -c '[.probes[] | select(.verdict == "through")]' "$T/probes")" "7 []"
check_eq "verify: the Psv's shared memory is not there" \
	"$(jq -r '[.probes[] | select(.probe == "ipc-keys") | .server + " " + .answer] | join(", ")' "$T/probes")" "a ENOENT, b ENOENT"

# What came of it outside.
check_eq "no hostname but its own was changed" "$(hostname)$(vnas exec b -- hostname)" "$(hostname)b"
check "the Psv's process lives" kill -0 $psv_process
check "the neighbour answers" vnas exec b -- true
check_json "refused attempts are counted" '.servers[0].refused | to_entries | map(.value) | add > 0' vnas status a --json

# With discovery: the four groups and the broadcast address, there and not elsewhere; and no other.
plain_vsv g 14 "${options[@]}"
sed -i '/^\[server\]/a discovery = yes' "$ETC/g.conf"
vnas start g
vnas exec g -- sh -c 'cat >/root/probe && chmod 755 /root/probe' <"$PROBE"
vnas exec g -- /root/probe broadcast4="$NET4.255" "${inside[@]}" bind-broadcast4 send-broadcast4 \
	{bind,send,join}-{mdns4,wsd4,mdns6,wsd6,any4,any6} {send,join}-{mdns4,wsd4,mdns6,wsd6}-elsewhere >"$T/inside" </dev/null
expect ok "${known[@]/#/bind-}" "${known[@]/#/send-}" "${known[@]/#/join-}" bind-broadcast4 send-broadcast4
expect 'EPERM|EADDRNOTAVAIL' {bind,send,join}-any{4,6}
[[ $stack != shared ]] || expect EPERM {send,join}-{mdns4,wsd4,mdns6,wsd6}-elsewhere
vnas stop g

# The wildcard address: the same port in two Vsv and not in the Psv, on all of a Vsv's own addresses and on no other.
for v in a b; do
	vnas exec $v -- /root/probe listen_port=7000 serve >/dev/null </dev/null &
done
ask() { on client1 timeout 3 socat -u "TCP:$1:7000,connect-timeout=1" - 2>/dev/null; }
# Of each both families: the last that is opened.
for v in 11 12; do
	eventually 20 ask "$NET4.$v" || true
	eventually 20 ask "[$NET6:$v]" || true
done
check_eq "a listener on the wildcard address at IPv4" "$(ask "$NET4.11")" "::ffff:$NET4.11"
check_eq "and at IPv6" "$(ask "[$NET6:11]")" "$NET6:11"
check_eq "the neighbour's on the same port" "$(ask "$NET4.12")" "::ffff:$NET4.12"
check_eq "nobody's at the Psv's address" "$(ask "$NET4.1")" ""
refute "a client does not reach the Psv's port at the Vsv's address" on client1 timeout 2 bash -c "exec 3<>/dev/tcp/$NET4.11/5000"
check "but at the Psv's own" on client1 timeout 15 bash -c "exec 3<>/dev/tcp/$NET4.1/5000"

# peer = psv opens what was refused, for that Vsv alone.
sed -i '/^\[server\]/a peer = psv' "$ETC/a.conf"
vnas reload a >/dev/null || vnas restart a
check_eq "peer = psv" "$(vnas exec a -- /root/probe psv4="$NET4.1" psv_port=5000 connect-psv4)" "connect-psv4 ok"
check_eq "for that one alone" "$(vnas exec b -- /root/probe psv4="$NET4.1" psv_port=5000 connect-psv4 | grep -c ok || true)" 0

ipcrm -m "$shm_id"
for job in $(jobs -p); do
	kill "$job" 2>/dev/null || true
done
wait || true
hosts_remove
done_testing
