#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A service that is killed is not missed: who connects while it is started again gets no answer, and asks again; Linux's file
# service clients wait three seconds after a refusal. What was ended on purpose, and what never was, is refused. In either stack.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../uml-checks.sh"

host_add client 101

# clients ADDRESS: connections to the port of SMB, one after the other, until the file $T/enough is there. Says "refused N of M", or what
# else went wrong. The one that stood in the queue of the listener that is killed is reset, now and then before its client has noticed
# that it stood.
clients() {
	# shellcheck disable=SC2016 # for the shell there
	on client timeout 60 bash -c '
		for ((n = refused = reset = 0; n == 0 || refused < 1000; n++)); do
			[[ ! -e $2 ]] || break
			{ : 3<>"/dev/tcp/$1/445"; } 2>"$2.error" && continue
			grep -q "Connection reset" "$2.error" && ((++reset <= 2)) && continue
			grep -q "Connection refused" "$2.error" || { cat "$2.error"; exit 1; }
			refused=$((refused + 1))
		done
		echo "refused $refused of $n"' - "$1" "$T/enough"
}

# answer ADDRESS PORT: what a client gets within two seconds: open, refused, silence.
answer() {
	local out

	out=$(on client timeout 2 bash -c "exec 3<>/dev/tcp/$1/$2" 2>&1) && echo open && return
	if [[ $out == *"Connection refused"* ]]; then echo refused; else echo silence; fi
}
answers() { [[ $(answer "$1" "$2") == "$3" ]]; }

# silent_when_killed VSV ADDRESS: a listener that nobody starts again.
silent_when_killed() {
	local pid

	vnas exec "$1" -- /root/probe listen_port=7021 serve >/dev/null </dev/null &
	eventually 5 answers "$2" 7021 open || return
	pid=$(pgrep -f "^/root/probe listen_port=7021" --nslist pid --ns "$(server_json "$1" .init_pid)") || return
	kill -KILL "$pid"
	wait "$!" || true
	answers "$2" 7021 silence
}

kill_smbd() {
	local before

	before=$(server_json "$1" '.services[] | select(.name == "smbd") | .pid')
	rm -f "$T/enough"
	clients "$2" >"$T/clients" 2>&1 &
	check "$stack: smbd is killed" service_kill "$1" smbd
	check "$stack: and comes back" eventually 60 again "$1" "$2" "$before"
	: >"$T/enough"
	wait "$!" || not_ok "$stack: clients went on"
	check "$stack: and none was refused" grep -q '^refused 0 of' "$T/clients"
	note "$stack: $(cat "$T/clients")"
}
again() {
	[[ $(server_json "$1" '.services[] | select(.name == "smbd") | .pid') != "$3" ]] && answers "$2" 445 open
}

for stack in shared private; do
	name=s$stack
	[[ $stack == shared ]] && number=11 || number=12
	stack_vsv $stack "$name" "$number" --volume data=32M
	vnas share add "$name" docs --path /srv/data/docs
	check "$stack: start" vnas start "$name"
	check "$stack: smbd answers" answers "$NET4.$number" 445 open
	kill_smbd "$name" "$NET4.$number"
	kill_smbd "$name" "$NET6:$number"
	vnas exec "$name" -- sh -c 'cat >/root/probe && chmod 755 /root/probe' <"$PROBE"
	check_eq "$stack: a port where nobody ever listened" "$(answer "$NET4.$number" 7020)" refused
	# A machine that has much to do can need more than the five seconds.
	check "$stack: one whose listener was killed is silent" eventually 60 silent_when_killed "$name" "$NET4.$number"
	check "$stack: and refused after a while" eventually 60 answers "$NET4.$number" 7021 refused
	conf_add "$name" $'[smb]\nenabled = no'
	check "$stack: SMB is switched off" vnas restart "$name"
	check_eq "$stack: which is refused at once" "$(answer "$NET4.$number" 445)" refused
done

# control: without the link it is the kernel that answers.
refused_when_killed() {
	silent_when_killed "$@" && return 1
	answers "$2" 7021 refused
}
rm -f "$RUN"/bpf/inside-*
vnas exec sprivate -- sh -c 'cat >/root/probe && chmod 755 /root/probe' <"$PROBE"
check "control: without the link clients are refused" eventually 60 refused_when_killed sprivate "$NET4.12"
check "restart" vnas restart sprivate

# What ends without an orderly end leaves nothing either.
pins() { find "$RUN/bpf" -maxdepth 1 -name 'inside-*' | wc -l; }
check_eq "the private one's link is pinned" "$(pins)" 1
kill -KILL "$(server_json sprivate .supervisor_pid)" "$(server_json sprivate .init_pid)"
check "start after the death of all" eventually 60 vnas start sprivate
check_eq "there is one again" "$(pins)" 1
check "stop" vnas stop sprivate
check_eq "it goes with the server" "$(pins)" 0
hosts_remove
done_testing
