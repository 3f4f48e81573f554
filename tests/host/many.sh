#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: alone
# vnas-test: long
# Many Vsv with smbd at once (12; in the long run 50): started in parallel, each answers and tells its clients of changes;
# one attacks every counter of the kernel's, and the others go on. Prints how long starts took and what each needs.
. "$(dirname "$0")/../lib.sh"

n=12
[[ ! ${VNAS_TEST_ALL:-} ]] || n=50
host_add client1 251
# What fits 50 on any machine that runs the tests.
mount -o remount,size=80% "$T"

ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
# each WORD FUNCTION: runs FUNCTION N for every Vsv, eight at a time, and checks that none failed.
each() {
	local what=$1 function=$2 i wrong='' pids

	rm -f "$T"/each-*
	pids=()
	for ((i = 1; i <= n; i++)); do
		((i <= 8)) || wait "${pids[i - 9]}" || true
		{ "$function" $i >"$T/log-$i" 2>&1 && touch "$T/each-$i"; } &
		pids+=($!)
	done
	wait "${pids[@]}" || true
	for ((i = 1; i <= n; i++)); do
		[[ -e $T/each-$i ]] || wrong+="v$i: $(tail -n 3 "$T/log-$i")"$'\n'
	done
	check_eq "$what" "$wrong" ""
}

create() { vsv "v$1" "$((10 + $1))" --memory 128M; }
start() { vnas start "v$1" --no-probe; }
account() {
	vnas user add "v$1" alice --password-stdin <<<"pw-$1" && vnas share add "v$1" docs --path /srv/docs --write alice
}
# Each has its own account: with its password one reads that server's own file.
serves() {
	echo "of v$1" >"$T/file-$1"
	smb client1 "$NET4.$((10 + $1))" docs alice "pw-$1" "timeout 20; put $T/file-$1 f; get f $T/back-$1" &&
		cmp "$T/file-$1" "$T/back-$1"
}
# A client that watches the folder is told of a file that was made beside smbd.
notified() {
	local out=$T/notify-$1 pid i

	(exec nsenter --net="$T/netns/client1" stdbuf -oL smbclient --configfile="$T/smbclient.conf" -U "alice%pw-$1" \
		"//$NET4.$((10 + $1))/docs" -c 'notify ""') >"$out" 2>&1 </dev/null &
	pid=$!
	for ((i = 0; i < 100; i++)); do
		# Again and again: nothing says when the client's request has arrived.
		"$VNAS" exec "v$1" -- touch "/srv/docs/beside-$1-$i" || break
		! grep -q "beside-$1-" "$out" || break
		sleep 0.1
	done
	kill -KILL "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	"$VNAS" exec "v$1" -- sh -c "rm -f /srv/docs/beside-*"
	grep -q "beside-$1-" "$out"
}
stop() { vnas stop "v$1"; }

each "create $n" create
begin=$(ms)
each "start $n in parallel" start
end=$(ms)
note "started $n in $((end - begin)) ms, $(((end - begin) / n)) ms each"
check_eq "all run" "$(vnas list --json | jq '[.servers[] | select(.state == "running")] | length')" $n
each "an account and a share in each" account
each "each serves" serves
each "each tells of changes" notified
check_eq "a start of the last one alone finds it running" "$(vnas start "v$n" 2>&1 | grep -c .)" 1

memory=()
for ((i = 1; i <= n; i++)); do
	memory+=("$(server_json "v$i" .limits.memory.used)")
done
mapfile -t memory < <(printf '%s\n' "${memory[@]}" | sort -n)
note "memory of one, page cache included: least $((memory[0] >> 10)), median $((memory[n / 2] >> 10)), most $((memory[n - 1] >> 10)) KiB"
pss=0 small=0
for f in /proc/[0-9]*/smaps_rollup; do
	kib=$(awk '/^Pss:/ { print $2 }' "$f" 2>/dev/null) || continue
	cmd=$(tr '\0' ' ' <"${f%/*}/cmdline" 2>/dev/null) || continue
	case $cmd in
	*vnas-init* | *vnas-supervise*) small=$((small + ${kib:-0})) ;;
	*smbd* | *samba* | *rpcd*) pss=$((pss + ${kib:-0})) ;;
	esac
done
note "of processes (PSS): smbd and its kin $((pss / n)) KiB each, PID 1 and supervisor $((small / n)) KiB each"

# --- one of them attacks ---
attacker=1
vnas exec v$attacker -- sh -c 'cat >/root/probe && chmod 755 /root/probe' <"$PROBE"
others() { (($1 == attacker)) || "$2" "$1"; }
others_serve() { others "$1" serves; }
others_notified() { others "$1" notified; }
# Some never say that they are done: they go on, or their own memory limit ends them.
begun() { [[ -s $T/got ]] || ! kill -0 "$pid"; }
for kind in inotify inotify-watches epoll files pipes ptys user-processes queues signals timers flight udp tcp locks; do
	"$VNAS" exec v$attacker -- /root/probe "exhaust-$kind" >"$T/got" 2>&1 </dev/null &
	pid=$!
	eventually 15 begun || true
	note "$kind: $(cat "$T/got")"
	each "$kind: the others serve" others_serve
	kill -KILL $pid 2>/dev/null || true
	wait $pid 2>/dev/null || true
done
"$VNAS" exec v$attacker -- /root/probe exhaust-inotify >"$T/got" 2>&1 </dev/null &
pid=$!
eventually 15 begun || true
each "inotify: the others tell of changes" others_notified
kill -KILL $pid 2>/dev/null || true
wait $pid 2>/dev/null || true
check "the attacker can be restarted" vnas restart v$attacker --no-probe
each "each serves again" serves
each "each tells of changes again" notified

begin=$(ms)
each "stop $n in parallel" stop
end=$(ms)
note "stopped $n in $((end - begin)) ms"
hosts_remove
done_testing
