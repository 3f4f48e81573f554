#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One Vsv through its life: what each verb says, its exit status and JSON, and that doing it again changes nothing.
. "$(dirname "$0")/../lib.sh"

check_status "there is none yet" 0 '' vnas list
check_json "an empty list is a list" '.servers == []' vnas list --json
check_status "status of one that is not there" 4 'a: ' vnas status a
check_status "start of one that is not there" 4 'a: ' vnas start a
check_status "stop of one that is not there" 4 'a: ' vnas stop a
check_status "exec in one that is not there" 4 'a: ' vnas exec a -- true

check_json "create --dry-run prints steps" '.steps | length > 0' \
	vnas create a --address "$NET4.11/24" --root-size 64M --dry-run --json
check_eq "create --dry-run made nothing" "$(find "$ETC" -name 'a.conf')" ""

check "create" plain_vsv a 11 --volume data=32M
check_status "create again is refused" 5 'a: ' vnas create a
check_status "exec while it is stopped" 3 'a: ' vnas exec a -- true
check_status "shell while it is stopped" 3 'a: ' vnas shell a
check_status "stop while it is stopped" 0 '' vnas stop a
check_json "it is stopped" '.servers[0] | .name == "a" and .state == "stopped"' vnas list --json
check_json "start --dry-run prints steps" '.steps | length > 5' vnas start a --dry-run --json
check_eq "start --dry-run started nothing" "$(server_json a .state)" stopped

check "start" vnas start a
check_status "start again says so" 0 'already|running' vnas start a
check_json "it runs" '.servers[0].state == "running"' vnas list --json
check_json "status names everything" '.servers[0] |
	.name == "a" and .state == "running" and (.since | test("^20..-..-..T..:..:..Z$")) and
	(.addresses | length == 2) and .stack == "shared" and
	(.volumes | length == 2) and (.volumes[0] | .name and (.used | type == "number") and
		(.free | type == "number")) and
	(.limits | type == "object") and (.services | type == "array") and (.warnings | type == "array")' \
	vnas status a --json
check_json "volume list" '.volumes | length == 2 and ([.[].name] | sort == ["data", "root"])' vnas volume list a --json
check_json "address list" '.addresses // .servers | length > 0' vnas address list a --json
check_json "events of the start" '[.events[] | select(.server == "a")] | length > 0 and all(.time and .event)' \
	vnas events a --json
check "show" vnas show a
check_eq "the address answers on the Psv's network" "$(ip -4 -o addr show | grep -c "$NET4.11/32")" 1

init=$(vnas exec a -- cat /proc/1/comm)
check_eq "PID 1 inside is ours" "$init" vnas-init
check_eq "the host name is its own" "$(vnas exec a -- hostname)" a
vnas exec a -- sh -c 'echo kept >/root/kept; echo data >/srv/data/kept'

check "restart" vnas restart a
check_eq "its root volume keeps what was written" "$(vnas exec a -- cat /root/kept)" kept
check_eq "its data volume keeps what was written" "$(vnas exec a -- cat /srv/data/kept)" data
check "reload" vnas reload a

# What the starter is to the scheduler is nothing to a Vsv, and keeps it from nothing (v1's cpu controller takes no such process).
check "stop" vnas stop a
check "a start from a real-time process" chrt --fifo 1 "$VNAS" start --no-probe a
check_eq "PID 1 is none" "$(chrt --pid "$(server_json a .init_pid)" | sed -n 's/.*policy: //p')" SCHED_OTHER

# Its mount namespace is a copy of one that holds nothing; where that cannot be had, of the Psv's.
check "stop" vnas stop a
runs() { [[ $(server_json a .state) == running ]]; }
roots_of_start() {
	strace -f -I 1 -qq -e trace=setns,pivot_root,chroot -o "$T/roots" "$VNAS" start --no-probe a &
	tracer=$!
	eventually 60 runs || return
	kill "$tracer"
	wait "$tracer" || true
}
check "a start, looked at" roots_of_start
check "it takes the empty namespace" grep -q 'setns(.*CLONE_NEWNS.* = 0' "$T/roots"
refute "and leaves no root of the Psv's behind" grep -q pivot_root "$T/roots"
check "stop" vnas stop a
umount "$RUN/.base/mnt" "$RUN/.base"
rmdir "$RUN/.base"
ln -s / "$RUN/.base"
check "a start without it" roots_of_start
check "it leaves the Psv's root" grep -q 'pivot_root(.* = 0' "$T/roots"
check_eq "and has its own" "$(vnas exec a -- cat /root/kept)" kept
rm "$RUN/.base"
check "restart" vnas restart a
check "the empty namespace is there again" grep -q " $RUN/.base/mnt " /proc/self/mountinfo

check "stop" vnas stop a
umount "$RUN/.base/mnt"
# It can be pinned if it was made where this test's own was: the kernel goes by numbers, of which each processor has a range.
other=''
apart() { [[ $(readlink "/proc/$other/ns/mnt") != "$(readlink /proc/self/ns/mnt)" ]]; }
pin_another() {
	local cpu

	for cpu in $(seq 0 $(($(nproc --all) - 1))); do
		taskset -c "$cpu" unshare --mount --propagation=slave sleep 600 >/dev/null 2>&1 &
		other=$!
		eventually 60 apart || return
		! mount --bind "/proc/$other/ns/mnt" "$RUN/.base/mnt" 2>/dev/null || return 0
		kill "$other"
	done
	return 1
}
pin_another || not_ok "another namespace is pinned in its place"
check_status "it is not covered" 1 "not the one that was made" vnas start --no-probe a
umount "$RUN/.base/mnt"
kill "$other"
check "start" vnas start --no-probe a
# What is kept in the run folder takes no server's name.
plain_vsv base 13
check "one that is called base" vnas start --no-probe base
check_json "it runs" '.servers[0].state == "running"' vnas status base --json
check "stop" vnas stop base
check "destroy" vnas destroy base --purge

check_status "destroy of a running one is refused" 5 'a: ' vnas destroy a --purge
check "stop" vnas stop a
check_eq "it is stopped" "$(server_json a .state)" stopped
refute "its address is gone" grep -q "$NET4.11" <(ip -o addr show)
leak_check_running() {
	leak_state | grep -E '^(loop|mount .*psv|cgroup|process|address lan inet 192.0.2.11)' || true
}
check_eq "a stopped one holds nothing" "$(leak_check_running)" ""

plain_vsv b 12
check "several names at once" vnas start a b
check_json "both run" '[.servers[].state] == ["running", "running"]' vnas list --json
check "stop --all" vnas stop --all
check_json "both are stopped" '[.servers[].state] == ["stopped", "stopped"]' vnas list --json
check "start --all" vnas start --all
check_json "both run again" '[.servers[].state] == ["running", "running"]' vnas list --json
check_status "one of several names is wrong" 4 'nobody: ' vnas stop a nobody
check_json "stop of several: the others are done" '[.servers[] | select(.name == "a")][0].state == "stopped"' \
	vnas list --json
vnas stop --all

sed -i 's/^hostname.*//; /^\[server\]/a hostname = other-name' "$ETC/a.conf"
vnas start a
check_eq "a changed configuration holds at the next start" "$(vnas exec a -- hostname)" other-name

editor() { # FROM TO: an editor that changes one line
	printf '#!/bin/sh\nexec sed -i "s/%s/%s/" "$1"\n' "$1" "$2" >"$T/editor"
	chmod +x "$T/editor"
}
export EDITOR=$T/editor
editor '^hostname.*' 'hostname = third-name'
check "edit" vnas edit a
check_eq "edit changed the file" "$(sed -n 's/^hostname *= *//p' "$ETC/a.conf")" third-name
before=$(cat "$ETC/a.conf")
editor '^hostname.*' 'hostnam = x'
check_status "edit refuses a mistake" 1 'hostnam' vnas edit a
check_eq "and leaves the file as it was" "$(cat "$ETC/a.conf")" "$before"
rm -f "$RUN"/a.conf.* # what was written is kept for another try, and the message says where

# Nothing that a Vsv is made of goes away when its configuration is unreadable.
echo 'nonsense' >>"$ETC/b.conf"
check_status "a broken configuration of another" 0 '' vnas stop a
check_status "its own broken configuration" 1 'b.conf:[0-9]+' vnas start b
sed -i '/^nonsense$/d' "$ETC/b.conf"

done_testing
