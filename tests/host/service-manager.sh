#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a service manager does to a Vsv: it ends the control group that `vnas start` was called from, runs `vnas run` in its
# own, and starts that again when it was killed.  The supervisor comes and goes, the server stays.
. "$(dirname "$0")/../lib.sh"

v2=$(awk '$0 ~ / - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
tag=$(psv_tag "$PREFIX")
unit=$v2/$tag-unit # stands for a unit's group

# in_unit COMMAND…: as a service manager would run it.  Becomes it: for check and & alone, which have a shell of their own.
in_unit() {
	exec bash -c 'echo $$ >"$0/cgroup.procs" && echo 300 >/proc/$$/oom_score_adj && exec "$@"' "$unit" "$@"
}

group_of() { # PID
	sed -n 's/^0:://p' "/proc/$1/cgroup"
}

plain_vsv a 11
mkdir "$unit"
check "start in a unit" in_unit "$VNAS" start a
supervisor=$(server_json a .supervisor_pid) init=$(server_json a .init_pid)
check_eq "the supervisor has a group of ours" "$(group_of "$supervisor")" "/$tag-supervisors/a"
check_eq "PID 1 has its own" "$(group_of "$init")" "/$tag/a"
check "the unit's group is empty" grep -qx 'populated 0' "$unit/cgroup.events"
echo 1 >"$unit/cgroup.kill"
check_eq "the unit's end spares the supervisor" "$(server_json a .supervisor_pid)" "$supervisor"

# Whoever calls, PID 1 is nothing special to the kernel when memory runs out, and what it starts goes before it.
check_eq "PID 1's score" "$(cat "/proc/$init/oom_score_adj")" 0
check_eq "a child's score" "$(vnas exec a -- cat /proc/self/oom_score_adj)" 50
check_status "nor PID 1's be made more" 2 "Read-only file system" vnas exec a -- sh -c 'echo 1000 >/proc/1/oom_score_adj'
refute "it cannot be made less than PID 1's" vnas exec a -- sh -c 'echo -1 >/proc/self/oom_score_adj'

check "stop" vnas stop a
# Since Linux 6.13 the kernel ends what is cloned into another group from one that was killed another number of times.
echo 1 >"$unit/cgroup.kill"
check "start in a unit that was killed before" in_unit "$VNAS" start a
check "  it runs" vnas exec a -- true
check_json "  with a supervisor" '.servers[0] | .supervisor_pid > 0 and .state == "running"' vnas status a --json
check "stop" vnas stop a
check_eq "no group is left" "$(psv_cgroups "$PREFIX" | grep -v "^$unit$")" ""

# --- vnas run, as ExecStart of a unit of Type=notify ---
heard=$T/notify run=
socat -u UNIX-RECV:"$heard.sock" OPEN:"$heard",creat,append &
listener=$!
check "the manager listens" eventually 60 test -S "$heard.sock"

run_server() {
	: >"$heard"
	NOTIFY_SOCKET=$heard.sock in_unit "$VNAS" run a </dev/null >"$T/run.out" 2>&1 &
	run=$!
	if eventually 10 supervises "$run"; then
		ok "$1"
	else
		not_ok "$1" "$(cat "$T/run.out")"
	fi
}

supervises() { # PID
	[[ $(tr '\0' '\n' <"/proc/$1/cmdline" | head -n 1) == vnas-supervise ]]
}

ended_with() { # NAME STATUS: of the run
	local status=0

	wait "$run" || status=$?
	check_eq "$1" "$status" "$2"
}

run_server "run"
check "it says when the server is ready" eventually 60 grep -q READY=1 "$heard"
check_eq "it is the supervisor" "$(server_json a .supervisor_pid)" "$run"
check_eq "it stays in the unit's group" "$(group_of "$run")" "/$tag-unit"
init=$(server_json a .init_pid)
check_eq "PID 1 does not" "$(group_of "$init")" "/$tag/a"

kill -KILL "$run"
ended_with "killed, it is gone" 137
check_eq "the server runs on" "$(vnas exec a -- cat /proc/1/comm)" vnas-init
run_server "run again"
check "which says so" eventually 60 grep -q READY=1 "$heard"
check_eq "to the same PID 1" "$(server_json a .init_pid)" "$init"
check_eq "a start finds it" "$(vnas start a 2>&1 && server_json a .supervisor_pid)" "vnas: a: is running already
$run"

# Told to end, it leaves a server that runs: with a status that has the manager start it again.
kill -TERM "$run"
ended_with "a mere signal: it is to be started again" 6
check "start gives it one of its own" vnas start a
supervisor=$(server_json a .supervisor_pid)
run_server "run takes over from that"
check_eq "which is gone" "$(server_json a .supervisor_pid)" "$run"
check_eq "with its group" "$(psv_cgroups "$PREFIX" | grep -c supervisors || true)" 0
kill -KILL "$run"
wait "$run" 2>/dev/null || true
check_status "a supervisor that cannot be made" 1 'cannot make a process in its control group' \
	strace -f -qqq -o /dev/null -e trace=clone3 -e inject=clone3:error=EAGAIN "$VNAS" start a
check_eq "leaves no group" "$(psv_cgroups "$PREFIX" | grep -c supervisors || true)" 0
run_server "run is begun again"

# A stop is meant: not to be started again.
check "stop while the manager watches" vnas stop a
ended_with "the manager is told that it is over" 0
kill $listener
wait $listener || true
rm -f "$heard.sock"

# A recovery that is started by the supervisor does not end it.
run_server "run once more"
kill -KILL "$(server_json a .init_pid)"
check "after PID 1's death it is there again" eventually 60 bash -c '"$VNAS" exec a -- true'
check_eq "with the same supervisor" "$(server_json a .supervisor_pid)" "$run"
check_status "a restart by hand says that the manager does not watch it any more" 0 "no more under .vnas run.: .systemctl start" vnas restart a
ended_with "and the manager is told so" 0
check_status "another one says nothing" 0 '^$' vnas restart a
check "stop" vnas stop a
rmdir "$unit"
done_testing
