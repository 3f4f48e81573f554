# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Every system call of some commands killed, and failed by EIO, ENOMEM and ENOSPC, in turn. After each, one command brings
# a consistent state back, and the host is as it was. The points (process, call, place in the program, how often there)
# come from a trace of a run that nothing disturbs; tests/probe/inject.c hits exactly one of them.
#
# A kill before a call that changes nothing outside its process leaves the same as a kill before the next one that does:
# such calls are left out. A failure is tried wherever a call can fail. VNAS_TEST_MATRIX says how much is tried:
#
#   all      every point (tools/test --all)
#   sites    every kill, and one error per call site: which of them and in which round of a loop, by VNAS_TEST_SEED
#            (the continuous integration)
#   sample   of these, what fits into VNAS_TEST_MATRIX_SECONDS, by VNAS_TEST_SEED
#
# A test sources this file after lib.sh, and calls `kill_matrix PHASE…`.
matrix=${VNAS_TEST_MATRIX:-sample}
[[ ! ${VNAS_TEST_ALL:-} ]] || matrix=all
inject=$(dirname "$PROBE")/inject
budget=${VNAS_TEST_MATRIX_SECONDS:-120}
seed=${VNAS_TEST_SEED:-1}
sample=300 # by number too, so that a fast machine tries the same points as another one
errors='EIO:5 ENOMEM:12 ENOSPC:28'

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
	leak_state | grep -vE "^(pin (addresses|lookup|maps|progs)|file ($RUN/locks/|$RUN/bpf.lock|$RUN/.index|$LIB/ids|$LIB/servers/.*/(events|log|refusals)))" | LC_ALL=C sort
}

# points TRACE: "PROCESS CALL SITE HIT PROGRAM ACTION" for each point. A program of another package (mkfs) is one point:
# what it does on the way is its own matter.
points() {
	awk -v no_effect="^($no_effect)\$" -v cannot_fail="^($cannot_fail)\$" -v errors="$errors" '
		function hex(s, i, n) {
			for (i = 3; i <= length(s); i++) n = n * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
			return n + 0
		}
		function point(action) { print $1, $2, $3, $4, $5, action }
		BEGIN { n_errors = split(errors, error) }
		NF < 8 || $5 == "inject" { next }
		$5 !~ /^vnas/ {
			if (!($1 in foreign) && $2 != "brk") { foreign[$1] = 1; point("kill") }
			next
		}
		{
			# Opened neither for writing (bits 0 and 1) nor to be made (bit 6) or cut (bit 9).
			flags = hex($2 == "open" ? $7 : $8)
			reads = $2 ~ /^open(at)?$/ && flags % 4 == 0 && int(flags / 64) % 2 == 0 && int(flags / 512) % 2 == 0
			if ($2 !~ no_effect && !reads) point("kill")
			if ($2 !~ cannot_fail) for (i = 1; i <= n_errors; i++) point(error[i])
		}' "$1"
}

# shuffle: in an order that the seed decides.
shuffle() {
	sort -R --random-source=<(seq "$seed" $((seed + 5000000)))
}

# one_per_site: of all failures at one call site the first.
one_per_site() {
	awk '!seen[$5, $2, $3]++'
}

# choose FILE: those of its points that are tried, in their order.
choose() {
	local kills=$T/kills fails=$T/fails

	grep ' kill$' "$1" | shuffle >"$kills"
	if [[ $matrix == all ]]; then
		grep -v ' kill$' "$1" | shuffle | cat "$kills" -
		return
	fi
	grep -v ' kill$' "$1" | shuffle | one_per_site >"$fails"
	if [[ $matrix == sites ]]; then
		cat "$kills" "$fails"
		return
	fi
	# Two kills, then a failure, and so on.
	paste -d '\n' <(sed -n '1~2p' "$kills") <(sed -n '2~2p' "$kills") "$fails" | grep . | sed "$sample"q
}

# Each phase: how the state before it is made, what is traced, and the one command that repairs. "first" is the start
# that finds nothing of the gate's in the kernel: of its points those that are not in "start" too.
plain_k() {
	# shellcheck disable=SC2046 # words
	vnas $(command_create)
	conf_add k $'[smb]\nenabled = no'
}

made_k() { [[ -e $ETC/k.conf ]] || plain_k; }

prepare_create() { :; }
command_create() { echo create k --address "$NET4.11/24" --root-size 32M; }
repair_create() { vnas destroy k --purge || [[ $? -eq 4 ]]; }

prepare_first() { made_k && vnas stop k && { ! mountpoint -q "$RUN/bpf" || umount "$RUN/bpf"; }; }
command_first() { command_start; }
repair_first() { repair_start; }

prepare_start() { made_k && vnas stop k; }
command_start() { echo start k --no-probe; }
repair_start() { vnas start k --no-probe && vnas exec k -- true && vnas stop k; }

prepare_stop() { made_k && vnas start k --no-probe; }
command_stop() { echo stop k; }
repair_stop() { vnas stop k; }

prepare_destroy() { made_k; }
command_destroy() { echo destroy k --purge; }
repair_destroy() { repair_create; }

# differs SNAPSHOT: what the host has more or less than that, after at most ten seconds.
differs() {
	local i now

	for ((i = 0; i < 200; i++)); do
		now=$(quick_snapshot)
		[[ $now != "$1" ]] || return 1
		sleep 0.05
	done
	diff <(echo "$1") <(echo "$now") | grep '^[<>]'
}

# try BASELINE PHASE PROCESS CALL SITE HIT ACTION
try() {
	local baseline=$1 phase=$2 process=$3 call=$4 site=$5 hit=$6 action=$7 out status=0 what left

	what="$phase: $call at $site ($hit) of process $process, $action"
	"prepare_$phase" >/dev/null 2>&1 || { not_ok "$what" "could not prepare"; return; }
	# shellcheck disable=SC2046 # words
	out=$(timeout 60 "$inject" "$process" "$call" "$site" "$hit" "${action#*:}" -- "$VNAS" $(command_"$phase") 2>&1 </dev/null) ||
		status=$?
	if ((status == 99)); then
		missed=$((missed + 1))
		note "not reached: $what"
	fi
	if ((status == 124)); then
		not_ok "$what" "did not end in 60 s"$'\n'"$out"
	fi
	tried=$((tried + 1))
	if ! out+=$'\n'$("repair_$phase" 2>&1); then
		not_ok "$what" "not repaired by the next command (status of the first: $status)"$'\n'"$out"
		give_up
		return
	fi
	if left=$(differs "$baseline"); then
		not_ok "$what" "left (>) or lost (<):"$'\n'"$left"$'\n'"$out"
		give_up
	fi
}

# After a failure: the next point starts from a clean host, whatever this takes.
give_up() {
	vnas recover k >/dev/null 2>&1 || true
	vnas stop k >/dev/null 2>&1 || true
	vnas destroy k --purge >/dev/null 2>&1 || true
}

# phase NAME SECONDS: its points from a trace, and each that is chosen.
phase() {
	local name=$1 seconds=$2 begin=$SECONDS tried=0 missed=0 baseline n calls process call site hit action

	give_up
	# The first one on a Psv does more than the others.
	# shellcheck disable=SC2046 # words
	{ "prepare_$name" && vnas $(command_"$name") && "repair_$name" && "prepare_$name"; } >/dev/null 2>&1
	# shellcheck disable=SC2046 # words
	"$inject" --list "$T/trace" -- "$VNAS" $(command_"$name") >/dev/null </dev/null
	"repair_$name" >/dev/null
	baseline=$(quick_snapshot)
	points "$T/trace" >"$T/all-points"
	if [[ $name == first && -e $T/points-start ]]; then
		grep -vxFf "$T/points-start" "$T/all-points" >"$T/points"
	else
		mv "$T/all-points" "$T/points"
	fi
	cp "$T/points" "$T/points-$name"
	choose "$T/points" >"$T/order"
	calls=$(wc -l <"$T/trace") n=$(wc -l <"$T/points")
	check "$name: $calls calls, $n points, of which $(wc -l <"$T/order") are chosen ($matrix, seed $seed)" test "$n" -gt 20
	while read -r process call site hit _ action <&8; do
		[[ $matrix != sample ]] || ((SECONDS - begin < seconds)) || break
		try "$baseline" "$name" "$process" "$call" "$site" "$hit" "$action"
	done 8<"$T/order"
	note "$tried tried in $((SECONDS - begin)) s, $missed of them not reached in that run"
	check "$name: most points were reached" test "$missed" -le "$((tried / 20 + 5))"
	give_up
}

kill_matrix() {
	local name

	if [[ ! -x $inject ]]; then
		skip "the kill matrix" "inject needs an x86-64 processor and libunwind-dev"
		return
	fi
	for name in "$@"; do
		phase "$name" $((budget / $#))
	done
}
