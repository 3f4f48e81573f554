#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: alone
# vnas-test: long
# A hostile Vsv takes all that it can get of what the kernel counts by user or for the whole machine: the neighbour and the
# Psv keep working, and it can still be stopped. What it can take from them nevertheless is the table below, which
# docs/architecture.md has as well: a row that is no longer true fails too.
. "$(dirname "$0")/../lib.sh"

# Both have the stack $STACK; of a private one is tried what differs by stack, which are sockets, beside two that do not.
stack=${STACK:-shared}
kinds=(inotify inotify-watches epoll files pipes ptys processes user-processes queues signals timers flight udp tcp locks shm sockets memory)
options=()
if [[ $stack == private ]]; then
	kinds=(inotify processes flight udp tcp sockets memory)
	options+=(--stack private --interface lan)
fi

host_add client1 101
vsv b 12 --volume data=64M "${options[@]}"
vnas start b
vnas user add b tanaka --password-stdin <<<secret
vnas share add b docs --path /srv/data/docs --smb --write tanaka
# As many descriptors as everybody has. In the long run as much memory as it takes to reach epoll's limit, which is a 25th
# of the machine's memory and takes half a minute.
memory_mib=512
[[ ! ${VNAS_TEST_ALL:-} ]] || memory_mib=$(awk '/^MemTotal/ { print int($2 / 1024 / 8) }' /proc/meminfo)
plain_vsv a 11 --memory "${memory_mib}M" "${options[@]}"
sed -i '/^\[limits\]/a tasks = 300' "$ETC/a.conf"
vnas start a
for v in a b; do
	vnas exec $v -- sh -c 'cat >/root/probe && chmod 755 /root/probe' <"$PROBE"
done
# Large enough for what the network's buffers must carry on to carry.
head -c 16M /dev/urandom >"$T/file"

needs=(one-inotify one-epoll one-pty one-file one-pipe one-process one-user-process one-timer one-signal
	one-realtime-signal one-flight one-datagram one-stream one-lock one-segment)

# What an attack takes from a neighbour, and from the Psv's own root: else everything stays as it was.
declare -A from_neighbour=(
	[signals]="one-realtime-signal=EAGAIN one-timer=EAGAIN"
	[timers]="one-realtime-signal=EAGAIN one-timer=EAGAIN"
	[flight]="one-flight=ETOOMANYREFS"
	[pipes]="one-pipe=8192"
) from_psv=()

serves() {
	smb client1 "$NET4.12" docs tanaka secret "timeout 10; put $T/file f; get f $T/back" && cmp "$T/file" "$T/back"
}
neighbour_has() { "$VNAS" exec b -- /root/probe "${needs[@]}" </dev/null; }
psv_has() { timeout 20 "$PROBE" "${needs[@]}"; }
# expected FILE ROW: the file's lines, with those of the row in their place.
expected() {
	local word script=''

	for word in $2; do
		script+="s/^${word%%=*} .*/${word%%=*} ${word#*=}/;"
	done
	sed "$script" "$1"
}
check "before: the neighbour serves" serves
neighbour_has >"$T/neighbour.has"
psv_has >"$T/psv.has"
refute "before: the neighbour has one of each" grep -vE ' (ok|65536)$' "$T/neighbour.has"
refute "before: the Psv has one of each" grep -vE ' (ok|65536)$' "$T/psv.has"

init=
ended_by_its_limit() {
	[[ $(server_json a "[.limits.memory.killed > 0, .init_pid] | @text") == "[true,$init]" ]]
}

for kind in "${kinds[@]}"; do
	init=$(server_json a .init_pid)
	"$VNAS" exec a -- /root/probe "exhaust-$kind" >"$T/got" 2>"$T/errors" </dev/null &
	pid=$!
	eventually 50 grep -q . "$T/got" || true
	note "$kind: $(cat "$T/got" "$T/errors")" # nothing, where the memory limit ended it
	check "$kind: the neighbour serves" serves
	check_eq "$kind: the neighbour has what it had" "$(neighbour_has 2>&1)" \
		"$(expected "$T/neighbour.has" "${from_neighbour[$kind]:-}")"
	check_eq "$kind: the Psv has what it had" "$(psv_has 2>&1)" "$(expected "$T/psv.has" "${from_psv[$kind]:-}")"
	[[ $kind != memory ]] || check "memory: the hog is ended, PID 1 is not, and status says so" eventually 60 ended_by_its_limit
	kill -KILL $pid 2>/dev/null || true
	wait $pid 2>/dev/null || true
	check "$kind: it can be restarted" vnas restart a --no-probe
done

# The disk.
vnas exec a -- sh -c 'cat /dev/zero >/root/fill; cat /dev/zero >/tmp/fill; cat /dev/zero >/dev/fill' 2>/dev/null || true
check "disks: the neighbour serves" serves
check "disks: the Psv has room" test "$(df --output=avail -m /dev/shm | tail -n 1)" -gt 100
check "disks: it can be stopped" vnas stop a

hosts_remove
done_testing
