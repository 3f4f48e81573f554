#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: long
# What stands still or hits about itself: processes of a Vsv stopped by signals, everything inside killed, the task limit
# reached, an inside that answers nothing. Each verb ends in time, says what is wrong, and the next command repairs.
. "$(dirname "$0")/../lib.sh"

# Of a private stack, whose network is reached by PID 1: what stands still, is killed, and has no room.
stack=${STACK:-shared}
options=()
[[ $stack == shared ]] || options+=(--stack private --interface lan)

host_add client1 101
vsv a 11 --volume data=64M "${options[@]}"
echo $'[limits]\ntasks = 64' >>"$ETC/a.conf"
vnas start a
vnas user add a tanaka --password-stdin <<<secret
vnas share add a docs --path /srv/data/docs --smb --write tanaka

state_value() { jq -r ".$2" "$RUN/$1/state.json"; }
service_pid() { server_json "$1" '.services[] | select(.name == "smbd") | .pid'; }
serves() { smb client1 "$NET4.11" docs tanaka secret ls; }
check "it serves" eventually 60 serves

# timed NAME SECONDS COMMAND…: ends within that time, whatever its status is.
timed() {
	local name=$1 limit=$2 begin=$SECONDS status=0 out

	shift 2
	out=$(timeout -k 1 $((limit + 30)) "$@" 2>&1 </dev/null) || status=$?
	if ((SECONDS - begin <= limit)); then
		ok "$name ($((SECONDS - begin)) s, status $status: $(head -n 1 <<<"$out"))"
	else
		not_ok "$name" "$* took $((SECONDS - begin)) s; status $status"$'\n'"$out"
	fi
}

# A supervisor that is stopped.
supervisor=$(state_value a supervisor_pid)
kill -STOP "$supervisor"
check "supervisor stopped: it serves" serves
timed "supervisor stopped: status" 5 "$VNAS" status a
timed "supervisor stopped: exec" 5 "$VNAS" exec a -- true
timed "supervisor stopped: restart" 30 "$VNAS" restart a --no-probe
check "  and it serves" eventually 60 serves
refute "  the stopped one is gone" test -d "/proc/$supervisor"

# PID 1 that is stopped.
init=$(state_value a init_pid)
kill -STOP "$init"
timed "PID 1 stopped: status" 15 "$VNAS" status a
timed "PID 1 stopped: list" 5 "$VNAS" list
timed "PID 1 stopped: exec" 15 "$VNAS" exec a -- true
timed "PID 1 stopped: user add" 35 bash -c "'$VNAS' user add a suzuki --password-stdin <<<geheim"
timed "PID 1 stopped: stop" 45 "$VNAS" stop a
check_eq "PID 1 stopped: it is stopped" "$(server_json a .state)" stopped
check "  and starts" vnas start a --no-probe

# smbd that is stopped.
kill -STOP "$(service_pid a)"
timed "smbd stopped: status" 5 "$VNAS" status a
timed "smbd stopped: share add" 45 "$VNAS" share add a more --path /srv/data/more
timed "smbd stopped: restart" 45 "$VNAS" restart a --no-probe
check "  and it serves" eventually 60 serves

# directory_stopped: programs that vnas runs inside to ask the directory, each stopped by a hostile root as soon as it is there.
directory_stopped() {
	vsv b 12
	printf '[directory]\ntype = ldap\nuri = ldap://%s\nbase = dc=sales,dc=example\nstarttls = no\n' "$NET4.101" >>"$ETC/b.conf"
	vnas start b 2>/dev/null
	"$VNAS" exec b -- bash -c 'while :; do
		for p in /proc/[0-9]*; do
			read -r name 2>/dev/null <"$p/comm" || continue
			case $name in timeout | env | ldapwhoami) kill -STOP "${p#/proc/}" ;; esac
		done
	done' >/dev/null 2>&1 </dev/null &
	stopper=$!
	sleep 0.5
	timed "directory's programs stopped: status" 10 "$VNAS" status b
	check_json "  says so" '.servers[0].degraded | any(test("its directory: no answer within 5 s: `vnas directory test b`"))' \
		vnas status b --json
	timed "directory's programs stopped: status of all" 15 "$VNAS" status
	timed "directory's programs stopped: directory test" 45 "$VNAS" directory test b
	kill $stopper
	wait $stopper 2>/dev/null || true
	timed "directory's programs stopped: stop" 45 "$VNAS" stop b
	vnas destroy b --purge
}
[[ $stack != shared ]] || directory_stopped

# Everything inside that it can kill: PID 1 stays, and services come back.
init=$(state_value a init_pid)
vnas exec a -- sh -c 'kill -9 -1' >/dev/null 2>&1 || true
check "kill -9 -1 inside: it serves again" eventually 10 serves
check_eq "  under the same PID 1" "$(state_value a init_pid)" "$init"

"$VNAS" exec a -- sh -c 'cat >/root/probe && chmod 755 /root/probe' <"$PROBE"

# pid_1_for_others: what PID 1 does for others, made to wait: descriptors sent to /dev/log, whose last close waits for an hour; and callers of
# epoll_create1 who do not run when they are answered.
pid_1_for_others() {
	for kind in closes=16 answers=40; do
		"$VNAS" exec a -- /root/probe "exhaust-${kind%=*}" >"$T/got" 2>&1 </dev/null &
		pid=$!
		check "PID 1, slow ${kind%=*}: begun" eventually 60 grep -qE "^exhaust-${kind%=*} [a-z]+=${kind#*=}$" "$T/got"
		sleep 1
		check "PID 1, slow ${kind%=*}: exec" timeout 5 "$VNAS" exec a -- true
		check "  and what comes later is in the log" bash -c "
			'$VNAS' exec a -- groupadd later-${kind%=*} && timeout 5 sh -c 'until \"$VNAS\" logs a | grep -q later-${kind%=*}; do sleep 0.1; done'"
		kill -KILL $pid 2>/dev/null || true
		wait $pid 2>/dev/null || true
		# Those that are still dying would leave room in the limit below.
		check "  and all of it ends with the command" eventually 10 bash -c "! '$VNAS' exec a -- pgrep -x probe"
	done

	# Every signal that ends, stops or wakes somebody, to PID 1, without a pause.
	"$VNAS" exec a -- bash -c 'for i in 1 2 3; do
		while :; do for s in ALRM CHLD TERM HUP STOP TSTP PIPE SEGV KILL RTMIN; do kill -$s 1; done; done &
	done; echo begun; wait' >"$T/got" 2>&1 </dev/null &
	pid=$!
	check "signals to PID 1: begun" eventually 10 grep -qx begun "$T/got"
	timed "signals to PID 1: exec" 10 "$VNAS" exec a -- true
	timed "signals to PID 1: status" 10 "$VNAS" status a
	check_eq "signals to PID 1: what it makes for others" "$(timeout 20 "$VNAS" exec a -- /root/probe one-epoll one-inotify)" $'one-inotify ok\none-epoll ok'
	check "signals to PID 1: and what comes over /dev/log" bash -c "
		'$VNAS' exec a -- groupadd later-signals && timeout 20 sh -c 'until \"$VNAS\" logs a | grep -q later-signals; do sleep 0.1; done'"
	check_eq "  it is the same PID 1" "$(state_value a init_pid) $(ps -o stat= -p "$(state_value a init_pid)" | sed 's/^[RD]/S/; s/^\(.\).*/\1/')" "$init S"
	kill -KILL $pid 2>/dev/null || true
	wait $pid 2>/dev/null || true
	check "  and all of it ends with the command" eventually 10 bash -c "! '$VNAS' exec a -- pgrep -f 'kill -'"

	# A crash feeds no program of the Psv's, and leaves no file: RLIMIT_CORE is 1, whatever anybody says.
	core_limit() { "$VNAS" exec a "$@" -- sh -c 'ulimit -c unlimited; ulimit -c 0; grep "^Max core" /proc/self/limits' 2>/dev/null; }
	for limit in "$(core_limit)" "$(core_limit --user nobody)" "$(grep '^Max core' "/proc/$(service_pid a)/limits")"; do
		check_eq "crash: the limit of cores" "$(tr -s ' ' <<<"$limit" | sed 's/ $//')" "Max core file size 1 1 bytes"
	done
	check_status "crash: one" 139 '' "$VNAS" exec a -- sh -c 'cd /root; ulimit -c unlimited; kill -SEGV $$'
	check_eq "  leaves nothing" "$("$VNAS" exec a -- sh -c 'ls -d /core* /root/core* 2>/dev/null')" ''
}
[[ $stack != shared ]] || pid_1_for_others

# The task limit.
"$VNAS" exec a -- /root/probe exhaust-processes >"$T/got" 2>&1 </dev/null &
pid=$!
check "task limit: it is reached" eventually 60 grep -q . "$T/got"
limit='as many processes as .tasks. in .limits.'
check_status "task limit: exec" 1 "$limit" timeout 20 "$VNAS" exec a -- true
check_status "task limit: user add" 1 "$limit" bash -c "timeout 50 '$VNAS' user add a suzuki --password-stdin <<<geheim"
check_status "task limit: share add" 1 "$limit" timeout 50 "$VNAS" share add a third --path /srv/data/third
check_status "task limit: the share is not there" 1 '' vnas share list a third
timed "task limit: status" 10 "$VNAS" status a
kill -KILL $pid 2>/dev/null || true
wait $pid 2>/dev/null || true
timed "task limit: restart" 45 "$VNAS" restart a --no-probe
check "  and it serves" eventually 60 serves

# passwd_is_a_pipe: an inside whose programs never end: a verb that must run one holds its lock for seconds, not for a minute.
passwd_is_a_pipe() {
	vnas exec a -- sh -c 'mkdir -p /root/x; rm -f /etc/passwd; mkfifo /etc/passwd'
	timed "passwd is a pipe: user list" 35 "$VNAS" user list a
	timed "passwd is a pipe: user add" 35 bash -c "'$VNAS' user add a suzuki --password-stdin <<<geheim"
	timed "passwd is a pipe: share add" 45 "$VNAS" share add a fourth --path /srv/data/fourth
	timed "passwd is a pipe: stop" 30 "$VNAS" stop a
}
[[ $stack != shared ]] || passwd_is_a_pipe

hosts_remove
done_testing
