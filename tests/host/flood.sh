#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 300 processes inside that call, without a pause, what the system call filter hands to PID 1: the Vsv's own status, commands,
# services and stop go on, its neighbour and the Psv notice nothing, and what is kept of it is bounded.
. "$(dirname "$0")/../lib.sh"

LIMIT_S=10 # of one verb, however busy the machine is; usually it takes a tenth of a second

timed() {
	local name=$1

	shift
	check "$name" timeout "$LIMIT_S" "$@"
}

# ticks PID: the processor time of a process of the Psv's, in hundredths of a second.
ticks() {
	awk '{ print $14 + $15 }' "/proc/$1/stat"
}

# Of a private stack: one kind that the gate would see too, and the one with a stop.
stack=${STACK:-shared}
kinds=(socket=300 keyctl=300 mount=300 inotify=300 epoll=300 dying=30)
options=()
if [[ $stack == private ]]; then
	kinds=(socket=300 mount=300)
	options+=(--stack private --interface lan)
fi

plain_vsv a 11 "${options[@]}"
plain_vsv b 12 "${options[@]}"
conf_add a $'[service web]\ncommand = /bin/sleep 100000'
conf_add a $'[limits]\ntasks = 500'
for v in a b; do
	vnas start $v --no-probe
	vnas exec $v -- sh -c 'cat >/srv/probe && chmod 755 /srv/probe' <"$PROBE"
done

web() {
	vnas status a --json | jq -r '.servers[0].services[] | select(.name == "web") | .pid // empty'
}

# begin KIND PROCESSES: leaves the command's number in pid.
begin() {
	"$VNAS" exec a -- /srv/probe processes="$2" "flood-$1" >"$T/got" 2>&1 </dev/null &
	pid=$!
	check "$1: begun" eventually 60 grep -qx "flood-$1 flooding=$2" "$T/got"
}

end() {
	kill -KILL "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
}

for kind in "${kinds[@]}"; do
	n=${kind#*=} kind=${kind%=*}
	begin "$kind" "$n"
	supervisor=$(server_json a .supervisor_pid)
	before=$(ticks "$supervisor")
	timed "$kind: status" "$VNAS" status a
	timed "$kind: a command" "$VNAS" exec a -- true
	timed "$kind: a command of another user" "$VNAS" exec a --user nobody -- true
	timed "$kind: one that asks PID 1 itself" "$VNAS" exec a -- /srv/probe own4=x one-epoll
	timed "$kind: its events" "$VNAS" events a
	old=$(web)
	check "$kind: a service is killed" vnas exec a -- kill -KILL "$(vnas exec a -- pgrep -x sleep)"
	again() { [[ $(web) && $(web) != "$old" ]]; }
	check "$kind:   and comes back" eventually "$LIMIT_S" again
	timed "$kind: the neighbour" "$VNAS" exec b -- true
	check "$kind: the Psv's supervisor has little of it" test $(($(ticks "$supervisor") - before)) -lt 100
	if [[ $kind == mount ]]; then
		timed "$kind: stop" "$VNAS" stop a
		check "  and start" vnas start a --no-probe
	fi
	end
	check "$kind: all of it ends with the command" eventually "$LIMIT_S" bash -c "! '$VNAS' exec a -- pgrep -x probe"
done

refused_lines() { wc -l <"$LIB/servers/a/refusals.jsonl"; }
check "what is kept is bounded" test "$(refused_lines)" -lt $((6 * 24 + 2 * SECONDS + 100))
check_json "and none is uncounted" '[.events[] | select(.kind == "call" and (.detail | endswith(" in a flood"))) | .count] | add > 10000' \
	vnas events a --json
check_json "the neighbour has none" '[.events[] | select(.event == "refused")] == []' vnas events b --json

done_testing
