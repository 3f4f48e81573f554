#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: alone
# A hostile Vsv takes all that it can get of what the kernel counts by user or for the whole machine: the neighbour and the
# Psv keep working, and it can still be stopped.
. "$(dirname "$0")/../lib.sh"

host_add client1 101
vsv b 12 --volume data=64M
vnas start b
vnas user add b tanaka --password-stdin <<<secret
vnas share add b docs --path /srv/data/docs --smb --write tanaka
plain_vsv a 11 --memory 256M
sed -i '/^\[limits\]/a tasks = 300\nfiles = 1024' "$ETC/a.conf"
vnas start a
vnas exec a -- sh -c 'cat >/root/probe && chmod 755 /root/probe' <"$PROBE"
echo hello >"$T/file"

serves() { smb client1 "$NET4.12" docs tanaka secret "put $T/file f; get f $T/back"; }
# What smbd and the Psv's own programs need of each thing.
psv_works() {
	bash -c 'true' && exec 5</dev/null && exec 5<&- && timeout 5 "$PROBE" one-inotify one-pty >"$T/works" &&
		! grep -v ' ok$' "$T/works"
}
check "before: the neighbour serves" serves
check "before: the Psv works" psv_works

init=
ended_by_its_limit() {
	[[ $(server_json a "[.limits.memory.killed > 0, .init_pid] | @text") == "[true,$init]" ]]
}

for kind in inotify epoll files pipes ptys processes queues signals shm sockets memory; do
	init=$(server_json a .init_pid)
	"$VNAS" exec a -- /root/probe "exhaust-$kind" >"$T/got" 2>"$T/errors" </dev/null &
	pid=$!
	eventually 5 grep -q . "$T/got" || true
	note "$kind: $(cat "$T/got" "$T/errors")" # nothing, where the memory limit ended it
	check "$kind: the neighbour serves" serves
	check "$kind: the Psv works" psv_works
	check "$kind: the neighbour runs commands" vnas exec b -- true
	[[ $kind != memory ]] || check "memory: the hog is ended, PID 1 is not, and status says so" eventually 20 ended_by_its_limit
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
