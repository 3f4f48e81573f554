#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: long
# Every system call of create, start, stop and destroy killed, and failed by EIO, ENOMEM and ENOSPC, in turn. After each, one
# command brings a consistent state back, and the host is as it was. The points (process, call, ordinal) come from a trace
# of a run that nothing disturbs; tests/probe/inject.c hits exactly one of them.
#
# A kill before a call that changes nothing outside its process leaves the same as a kill before the next one that does:
# such calls are left out. A failure is tried wherever a call can fail. By default a sample is taken that fits its time,
# by VNAS_TEST_SEED; --all takes every point.
. "$(dirname "$0")/../lib.sh"

inject=$(dirname "$PROBE")/inject
if [[ ! -x $inject ]]; then
	skip "the kill matrix" "inject knows x86-64 only"
	done_testing
fi
budget=${VNAS_TEST_MATRIX_SECONDS:-240}
seed=${VNAS_TEST_SEED:-1}
errors=(EIO:5 ENOMEM:12 ENOSPC:28)

# What a killed process cannot have changed: these are no points to kill at.
no_effect='read|pread64|fstat|newfstatat|stat|lstat|statx|lseek|mmap|munmap|mprotect|mremap|brk|madvise|getpid|gettid|getuid'
no_effect+='|geteuid|getgid|getegid|getppid|rt_sigaction|rt_sigprocmask|rt_sigreturn|access|faccessat|faccessat2|readlink'
no_effect+='|readlinkat|getdents64|poll|ppoll|select|pselect6|epoll_wait|epoll_create1|epoll_ctl|clock_gettime|clock_nanosleep|nanosleep'
no_effect+='|fcntl|statfs|fstatfs|uname|getcwd|getrandom|set_tid_address|set_robust_list|rseq|arch_prctl|prlimit64|sysinfo|futex'
no_effect+='|sched_getaffinity|getsockname|getsockopt|getxattr|dup|dup2|dup3|pipe2|umask|getrlimit|name_to_handle_at|wait4|waitid'
no_effect+='|exit|exit_group|getpgrp|getsid|capget|fadvise64|getpeername|recvmsg|recvfrom|pidfd_open|eventfd2|signalfd4|timerfd_create'
no_effect+='|timerfd_settime|alarm|socket|socketpair|restart_syscall|getitimer|setitimer|times|sched_yield'
# What cannot fail, or whose failure ends a program before its first line.
cannot_fail='exit|exit_group|brk|arch_prctl|set_tid_address|set_robust_list|rseq|getpid|gettid|getuid|geteuid|getgid|getegid'
cannot_fail+='|getppid|rt_sigreturn|rt_sigprocmask|rt_sigaction|munmap|mprotect|umask|getpgrp|alarm|clock_gettime|futex|restart_syscall'
cannot_fail+='|close|wait4|waitid|madvise|getcwd|sched_yield|nanosleep|clock_nanosleep|access|prlimit64|uname'

quick_snapshot() {
	leak_state | grep -vE "^(pin |file ($RUN/locks/|$RUN/bpf.lock|$RUN/.index|$LIB/ids|$LIB/servers/.*/(events|log)))" | LC_ALL=C sort
}

# points FILE: "PROCESS CALL ORDINAL ACTION" for each point of a trace. A program of another package (mkfs) is one point:
# what it does on the way is its own matter.
points() {
	awk -v no_effect="^($no_effect)\$" -v cannot_fail="^($cannot_fail)\$" '
		function hex(s, i, n) {
			for (i = 3; i <= length(s); i++) n = n * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
			return n + 0
		}
		$4 == "" || $4 == "inject" { next }
		$4 !~ /^vnas/ {
			if (!($1 in foreign) && $2 != "brk") { foreign[$1] = 1; print $1, $2, $3, "kill" }
			next
		}
		{
			# Opened neither for writing (bits 0 and 1) nor to be made (bit 6) or cut (bit 9).
			flags = hex($2 == "open" ? $6 : $7)
			reads = $2 ~ /^open(at)?$/ && flags % 4 == 0 && int(flags / 64) % 2 == 0 && int(flags / 512) % 2 == 0
			if ($2 !~ no_effect && !reads) print $1, $2, $3, "kill"
			if ($2 !~ cannot_fail) print $1, $2, $3, "fail"
		}' "$1"
}

# Each phase: what is traced, how the state before it is made, and the one command that repairs.
prepare_create() { :; }
command_create() { echo create k --address "$NET4.11/24" --root-size 32M; }
repair_create() { vnas destroy k --purge || [[ $? -eq 4 ]]; }

prepare_start() { [[ -e $ETC/k.conf ]] || plain_k; vnas stop k; }
command_start() { echo start k --no-probe; }
repair_start() { vnas start k --no-probe && vnas exec k -- true && vnas stop k; }

prepare_stop() { [[ -e $ETC/k.conf ]] || plain_k; vnas start k --no-probe; }
command_stop() { echo stop k; }
repair_stop() { vnas stop k; }

prepare_destroy() { [[ -e $ETC/k.conf ]] || plain_k; }
command_destroy() { echo destroy k --purge; }
repair_destroy() { vnas destroy k --purge || [[ $? -eq 4 ]]; }

plain_k() {
	# shellcheck disable=SC2046 # words
	vnas $(command_create)
	conf_add k $'[smb]\nenabled = no'
}

# differs SNAPSHOT: what the host has more or less than that, after at most two seconds.
differs() {
	local i now

	for ((i = 0; i < 20; i++)); do
		now=$(quick_snapshot)
		[[ $now != "$1" ]] || return 1
		sleep 0.1
	done
	diff <(echo "$1") <(echo "$now") | grep '^[<>]'
}

# try PHASE PROCESS CALL ORDINAL ACTION BASELINE
try() {
	local phase=$1 process=$2 call=$3 ordinal=$4 action=$5 out status=0 what left

	what="$phase: $call $ordinal of process $process, $action"
	"prepare_$phase" >/dev/null 2>&1 || { not_ok "$what" "could not prepare"; return; }
	# shellcheck disable=SC2046 # words
	out=$(timeout 60 "$inject" "$process" "$call" "$ordinal" "${action#*:}" -- "$VNAS" $(command_"$phase") 2>&1 </dev/null) ||
		status=$?
	if ((status == 99)); then
		not_reached=$((not_reached + 1))
	fi
	if ((status == 124)); then
		not_ok "$what" "did not end in 60 s"$'\n'"$out"
	fi
	if ! out+=$'\n'$("repair_$phase" 2>&1); then
		not_ok "$what" "not repaired by the next command (status of the first: $status)"$'\n'"$out"
		give_up
		return
	fi
	if left=$(differs "$6"); then
		not_ok "$what" "left (>) or lost (<):"$'\n'"$left"$'\n'"$out"
		give_up
		return
	fi
	tried=$((tried + 1))
}

# After a failure: the next point starts from a clean host, whatever this takes.
give_up() {
	vnas recover k >/dev/null 2>&1 || true
	vnas stop k >/dev/null 2>&1 || true
	vnas destroy k --purge >/dev/null 2>&1 || true
}

# Which points there are.
total=0
for phase in create start stop destroy; do
	"prepare_$phase" >/dev/null
	# shellcheck disable=SC2046 # words
	"$inject" --list "$T/trace" -- "$VNAS" $(command_$phase) >/dev/null
	points "$T/trace" | while read -r process call ordinal action; do
		if [[ $action == kill ]]; then
			echo "$phase $process $call $ordinal kill"
			continue
		fi
		for error in "${errors[@]}"; do
			echo "$phase $process $call $ordinal $error"
		done
	done >"$T/points-$phase"
	n=$(wc -l <"$T/points-$phase")
	note "$phase: $(wc -l <"$T/trace") calls, $n points"
	total=$((total + n))
	check "there are points in $phase" test "$n" -gt 20
	"repair_$phase" >/dev/null
done
give_up

# The sample: all points shuffled by the seed; kills twice as often as failures.
shuffle() {
	sort -R --random-source=<(seed_stream)
}
seed_stream() {
	# Any endless stream that the seed decides.
	seq "$seed" $((seed + 5000000))
}
not_reached=0 tried=0 sample=400
begin=$SECONDS
for phase in destroy stop create start; do
	prepare_"$phase" >/dev/null
	give_up
	case $phase in
	create | destroy) baseline=$(quick_snapshot) ;;
	*)
		plain_k >/dev/null
		vnas start k --no-probe >/dev/null
		vnas stop k >/dev/null
		baseline=$(quick_snapshot)
		;;
	esac
	before=$tried
	share=$((budget / 4))
	phase_begin=$SECONDS count=0
	{
		grep ' kill$' "$T/points-$phase" | shuffle
		grep -v ' kill$' "$T/points-$phase" | shuffle
	} >"$T/order"
	if [[ ! ${VNAS_TEST_ALL:-} ]]; then
		# Two kills, then a failure, and so on.
		paste -d '\n' <(grep ' kill$' "$T/order" | sed -n '1~2p') <(grep ' kill$' "$T/order" | sed -n '2~2p') \
			<(grep -v ' kill$' "$T/order") | grep . >"$T/mixed"
		mv "$T/mixed" "$T/order"
	fi
	while read -r _ process call ordinal action <&8; do
		# By number too, so that a fast machine tries the same points as another one.
		if [[ ! ${VNAS_TEST_ALL:-} ]] && ((SECONDS - phase_begin >= share || ++count > sample)); then
			break
		fi
		try "$phase" "$process" "$call" "$ordinal" "$action" "$baseline"
	done 8<"$T/order"
	ok "$phase: $((tried - before)) of $(wc -l <"$T/points-$phase") points, each repaired by one command"
	give_up
done
note "seed $seed: $tried of $total points tried in $((SECONDS - begin)) s, $not_reached of them not reached in that run"
check "most points were reached" test "$not_reached" -le "$((tried / 4 + 5))"
done_testing
