#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: long
# Many Vsv at once (72; in the long run 300): what a start, a stop and a list ask of the kernel does not grow with the others, or by a
# fixed number of calls each, and nobody else is woken.  It counts calls, not time.
. "$(dirname "$0")/../lib.sh"

# More than hear at once of what becomes of their addresses (NET_LISTENERS_MAX of src/vsv/supervise.h).
few=4 n=72
[[ ! ${VNAS_TEST_ALL:-} ]] || n=300
mount -o remount,size=80% "$T"
ip addr add 10.86.0.1/16 dev lan

make() {
	vnas create "v$1" --address "10.86.$(($1 / 250)).$(($1 % 250 + 2))/16" --address "$NET6:a:$1/64" --root-size 32M &&
		conf_add "v$1" $'[smb]\nenabled = no\n[service small]\ncommand = /usr/bin/sleep infinity' &&
		vnas start "v$1" --no-probe
}
# calls COMMAND…: how many system calls vnas makes for it, without those of what it leaves behind.
calls() {
	strace -o "$T/trace" "$VNAS" "$@" >/dev/null || echo "failed: vnas $*" >&2
	wc -l <"$T/trace"
}
# once NAME: stops it and starts it again; into STOP and START.
once() {
	STOP=$(calls stop "$1") START=$(calls start --no-probe "$1")
}
# What has just changed is not remembered yet: a configuration that is younger than two seconds is read again by each.
settled() { [[ ! $(find "$ETC" -newerct '3 seconds ago') ]]; }
# Waiting for a process or a device takes a few calls more or less, so it is tried again.
no_more() {
	once "v$few"
	((START <= start_few + 20 && STOP <= stop_few + 20))
}

failed_starts=''
for ((i = 1; i <= few; i++)); do make $i >/dev/null 2>&1 || failed_starts+=" v$i"; done
eventually 30 settled || true
once "v$few"
start_few=$START stop_few=$STOP
list_few=$(calls list)
for ((i = few + 1; i <= n; i++)); do make $i >/dev/null 2>&1 || failed_starts+=" v$i"; done
check_eq "$n are started" "$failed_starts" ""

eventually 30 settled || true
check "a start and a stop beside $n make no more system calls than beside $few" eventually 60 no_more
# A configured service costs a start a few; what its template has is not looked for in dpkg's lists again.
check "a start makes fewer than 1,050, a stop fewer than 450" test $((START < 1050 && STOP < 450)) = 1
note "beside $few: start $start_few, stop $stop_few; beside $n: start $START, stop $STOP"
list_many=$(calls list)
check "list: at most 12 system calls for each" test $((list_many - list_few)) -le $((12 * (n - few) + 20))
note "list of $few: $list_few, of $n: $list_many"

# --- who is woken ---
pid=$(server_json v1 .supervisor_pid)
strace -p "$pid" -e trace=recvfrom,open -o "$T/woken" 2>"$T/strace" &
tracer=$!
check "a supervisor is looked at" eventually 10 grep -q attached "$T/strace"
vnas restart --no-probe "v$n" >/dev/null
vnas address remove v2 "$NET6:a:2/64" >/dev/null
vnas address add v2 "$NET6:a:2/64" >/dev/null
check_eq "it hears nothing of the starts, stops and addresses of others" "$(grep -c recvfrom "$T/woken" || true)" 0
looked() { (($(grep -c '/mountinfo"' "$T/woken") >= 2)); }
check "it looks after its volumes" eventually 60 looked
# The last look may not be at its end.
looks=$(grep -c '/mountinfo"' "$T/woken")
check "it looks once at each device, however often that is mounted" test "$(grep -c '/size"' "$T/woken")" -le "$looks"
ip addr del 10.86.0.3/32 dev lan
heard() { grep -q recvfrom "$T/woken"; }
check "it hears of its own address" eventually 10 heard
back() { ip -o addr show dev lan | grep -qF '10.86.0.3/32'; }
check "and puts it back" eventually 60 back
kill "$tracer" 2>/dev/null || true
wait "$tracer" 2>/dev/null || true

# --- beside many, a supervisor listens to little and looks for the rest ---
table=$((0x564e0000 + $(<"$LIB/servers/v$n/id"))) four=10.86.$((n / 250)).$((n % 250 + 2)) six=$NET6:a:$n
# What is asked for comes back, however it went: address, rule, route, the route of the broadcast address apart.
there() {
	ip -o addr show dev lan | grep -qF " $four/32" && ip -6 -o addr show dev lan | grep -qF " $six/128" &&
		ip rule show | grep -qF "from $four lookup" && ip -6 rule show | grep -qF "from $six lookup" &&
		ip route show table "$table" | grep -qF 10.86.0.0/16 && ip -6 route show table "$table" | grep -qF "$NET6:"
}
check "the last one has what it needs" there
# groups NAME: what its supervisor hears of, as bits: links 1, addresses 110, routes 440, rules 40080.
groups() { awk -v pid="$(server_json "$1" .supervisor_pid)" '$2 == 0 && $3 == pid && $4 != "00000000" { print $4 }' /proc/net/netlink; }
check_eq "the first supervisor hears of all" "$(groups v1)" 000405d1
check_eq "the last one of links" "$(groups "v$n")" 00000001
for gone in "addr del $four/32 dev lan" "-6 addr del $six/128 dev lan" "rule del from $four" "-6 rule del from $six" \
	"route flush table $table" "-6 route flush table $table"; do
	read -ra words <<<"$gone"
	ip "${words[@]}"
	check "it comes back within seconds: ip $gone" eventually 60 there
done

# --- what each needs ---
read -r kib processes < <(
	grep -lxE 'vnas-init|vnas-supervise' /proc/[0-9]*/comm 2>/dev/null | sed 's/comm$/smaps_rollup/' | xargs cat 2>/dev/null |
		awk '/^Pss:/ { sum += $2; n++ } END { print sum, n }'
)
check_eq "each has a PID 1 and a supervisor" "$processes" $((2 * n))
check "the two need less than 350 KiB together (PSS)" test $((kib / n)) -lt 350
note "PID 1 and supervisor: $((kib / n)) KiB"
ip addr del 10.86.0.1/16 dev lan
done_testing
