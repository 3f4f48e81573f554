#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is killed from outside: the supervisor, PID 1, smbd; and each step of the start made to fail.
. "$(dirname "$0")/../lib.sh"

host_add client1 101
vsv a 11 --volume data=64M
vnas start a
vnas user add a tanaka --password-stdin <<<"secret"
vnas share add a docs --path /srv/data/docs --smb --write tanaka
plain_vsv b 12
vnas start b

state_value() { jq -r ".$2" "$RUN/$1/state.json"; }
service_pid() { server_json "$1" '.services[] | select(.name == "smbd") | .pid'; }
serves() { smb client1 "$NET4.11" docs tanaka secret ls; }
check "it serves" eventually 60 serves

# smbd: PID 1 restarts it.
old=$(service_pid a)
kill -KILL "$old"
check "smbd killed: it serves again within 2 s" eventually 2 serves
refute "by another process" test "$(service_pid a)" = "$old"
check_eq "and the restart is counted" "$(server_json a '.services[] | select(.name == "smbd") | .restarts')" 1

# The supervisor: nothing opens, services go on, and the next one re-attaches.
supervisor=$(state_value a supervisor_pid)
init=$(state_value a init_pid)
check "there is a supervisor" test -d "/proc/$supervisor"
kill -KILL "$supervisor"
check "supervisor killed: it serves on" serves
check_eq "PID 1 is the same" "$(state_value a init_pid)" "$init"
vnas exec a -- sh -c 'cat >/root/probe && chmod 755 /root/probe' <"$PROBE"
check_eq "the gate stands" "$(vnas exec a -- /root/probe other4="$NET4.12" bind-other4)" "bind-other4 EADDRNOTAVAIL"
kill -KILL "$(service_pid a)"
check "PID 1 restarts smbd without it" eventually 60 serves
check "start re-attaches" vnas start a
check "a new supervisor is there" eventually 60 bash -c "[[ -d /proc/\$(jq -r .supervisor_pid $RUN/a/state.json) &&
	\$(jq -r .supervisor_pid $RUN/a/state.json) != $supervisor ]]"
check_eq "PID 1 is still the same" "$(state_value a init_pid)" "$init"
ip addr del "$NET4.11/32" dev lan
check "the new one watches the address" eventually 5 bash -c "ip -o addr show | grep -q '$NET4.11/32'"

# PID 1: the kernel ends all inside; the supervisor brings it up again.
kill -KILL "$init"
check "PID 1 killed: it serves again" eventually 10 serves
refute "with another PID 1" test "$(state_value a init_pid)" = "$init"
check_json "with an event" '.events | length > 0' vnas events a --json
check_eq "the neighbour was not touched" "$(vnas exec b -- echo here)" here

# Both at once: the next command finds and repairs.
kill -KILL "$(state_value b supervisor_pid)"
kill -KILL "$(state_value b init_pid)"
gone() { [[ $(server_json b .state) == failed ]]; }
check "both are dead" eventually 60 gone
check_json "a dead one is not shown as running" '.servers[] | select(.name == "b") | .state == "failed"' \
	vnas list --json
check "start repairs it" vnas start b
check_eq "and it runs" "$(vnas exec b -- echo here)" here
kill -KILL "$(state_value b supervisor_pid)"
kill -KILL "$(state_value b init_pid)"
check "both are dead again" eventually 60 gone
check "stop cleans it up" vnas stop b
check_eq "it is stopped" "$(server_json b .state)" stopped

# Each step in turn made to fail: start says which, and everything is undone.
snapshot() { leak_state | grep -vE '^(pin|file)' | LC_ALL=C sort; }
before=$(snapshot)
for step in $(vnas start b --dry-run | sed -nE 's/^([a-z0-9-]+):.*/\1/p' | uniq); do
	[[ $step != vnas ]] || continue
	check_status "step $step fails" 1 "$step" env VNAS_FAIL_STEP="$step" "$VNAS" start b
	for _ in {1..200}; do
		after=$(snapshot)
		[[ $after != "$before" ]] || break
		sleep 0.1
	done
	check_eq "  and is undone" "$(diff <(echo "$before") <(echo "$after"))" ""
done
check "then it starts" vnas start b

# SIGTERM to the supervisor in the foreground stops the Vsv.
vnas stop b
vnas run b >"$T/run.log" 2>&1 &
pid=$!
check "run starts it" eventually 60 vnas exec b -- true
kill -TERM $pid
check "SIGTERM ends run" eventually 10 bash -c "! kill -0 $pid"
wait $pid || true
check_eq "and the Vsv is stopped or serves on, as the manual says" \
	"$(server_json b .state | grep -cE '^(stopped|running)$')" 1

hosts_remove
done_testing
