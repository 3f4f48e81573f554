# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the tests of the tier "uml" stand on besides lib.sh: guests, each a user-mode Linux, which is a whole kernel of Debian's
# as one process, and so a real NFS and CIFS client on a machine whose own kernel has neither. A guest is on the bridge "lan" by
# a tap device, and its root is this test's tree, read-only. It shares processor and clock with the server.
#
#	guest_add c1 101                      starts it; a job that is given to it before it is up waits until then
#	guest c1 nfs 4.1 "$NET4.11:/docs" /mnt    runs that inside (a command, or a function of uml-guest.sh): output and status
#	guest_begin c1 load COMMAND…          the same beside others, under a name of the test's own
#	guest_end c1 load                     waits for it: output and status
#	guest_session c1 s                    a process (tests/client) that holds files open and locked
#	ask c1 s open f /mnt/x rw create      has it do something; prints its answer
#	guest_kill c1                         as if the plug was pulled
#	guests_remove                         at the end of a test
#
# Every guest ends after GUEST_LIMIT_S, whatever becomes of the test, and every job has to end within JOB_LIMIT_S.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

GUEST_LIMIT_S=${GUEST_LIMIT_S:-1200}
JOB_LIMIT_S=${JOB_LIMIT_S:-120}
GUEST_KERNEL=${GUEST_KERNEL:-/usr/bin/linux.uml}
GUEST_MODULES=${GUEST_MODULES:-/usr/lib/uml/modules}
CLIENT=${CLIENT:-${PROBE%/probe/probe}/client/client}
uml_guest=$(realpath "$(dirname "${BASH_SOURCE[0]}")/uml-guest.sh")

declare -A guest_pid=() guest_fd=()

if [[ ! -x $GUEST_KERNEL || ! -x $CLIENT ]]; then
	skip "everything with a kernel client" "there is no $GUEST_KERNEL or $CLIENT (tools/deps test)"
	done_testing
fi

# guest_add NAME NUMBER: with the addresses $NET4.NUMBER and $NET6:NUMBER.
guest_add() {
	local name=$1 number=$2 box=$T/guests/$1 fd

	mkdir -p "$box"
	rm -f "$box"/*
	# What the guest has mounted at /tmp and /mnt can hide where these lie.
	cp "$uml_guest" "$CLIENT" "$box"
	[[ -p $T/guests/$name.in ]] || mkfifo "$T/guests/$name.in"
	ip tuntap add "t-$name" mode tap
	ip link set "t-$name" master lan up
	# Held open by the test, so that the guest never reads an end.
	exec {fd}<>"$T/guests/$name.in"
	guest_fd[$name]=$fd
	# Its memory is a file in TMPDIR, which has no name any more once it runs.
	TMPDIR=$T exec_guest "$GUEST_LIMIT_S" "$GUEST_KERNEL" "mem=${GUEST_MEMORY:-256M}" "umid=$name" "uml_dir=$T/guests/uml" \
		root=/dev/root rootfstype=hostfs rootflags=/ ro quiet panic=-1 noreboot "init=$uml_guest" \
		con=null con0=fd:0,fd:1 "vec0:transport=tap,ifname=t-$name,depth=64,gro=1,mac=52:54:00:00:$(printf '%02x:%02x' $((number / 256)) $((number % 256)))" \
		"GUEST_NAME=$name" "GUEST_BOX=$box" "GUEST_MODULES=$GUEST_MODULES" \
		"GUEST_IP4=$NET4.$number" "GUEST_IP6=$NET6:$number" <"$T/guests/$name.in" >"$T/guests/$name.log" 2>&1 &
	guest_pid[$name]=$!
}

# exec_guest SECONDS COMMAND…: in a session of its own, so that all of its processes can be ended by one number; what the test
# has open is not the guest's.
exec_guest() {
	local limit=$1 fd

	shift
	for fd in "${guest_fd[@]}"; do
		exec {fd}>&-
	done
	exec setsid timeout --kill-after=5 "$limit" "$@"
}

# guest_alive NAME: its kernel runs.
guest_alive() {
	kill -0 "${guest_pid[$1]}" 2>/dev/null
}

# guest_kernel NAME: the number of that process.
guest_kernel() {
	pgrep -P "${guest_pid[$1]}" || true
}

# guest_send NAME JOB COMMAND…: hands a job in.
guest_send() {
	local name=$1 job=$2 box=$T/guests/$1

	shift 2
	rm -f "$box/$job.status"
	{
		echo '. /run/box/uml-guest.sh'
		printf '%q ' "$@"
		echo
	} >"$box/$job.sh"
	echo "$job" >&"${guest_fd[$name]}"
}

# guest_end NAME JOB: waits for a job; prints its output, and has its status, or 124 if it does not end or the guest is no more.
guest_end() {
	local name=$1 job=$2 box=$T/guests/$1 end=$((SECONDS + JOB_LIMIT_S)) status

	while [[ ! -e $box/$job.status ]]; do
		if ((SECONDS > end)) || ! guest_alive "$name"; then
			cat "$box/$job.out" 2>/dev/null || true
			echo "guest $name: \"$(tail -n 1 "$box/$job.sh")\" did not end"
			guest_tell "$name"
			return 124
		fi
		nap
	done
	cat "$box/$job.out"
	read -r status <"$box/$job.status"
	return "$status"
}

# guest_tell NAME: what its console says, and what its kernel waits for.
guest_tell() {
	local box=$T/guests/$1

	tail -n 20 "$T/guests/$1.log"
	guest_alive "$1" || return 0
	guest_send "$1" tell bash -c 'echo w >/proc/sysrq-trigger; dmesg | tail -n 60'
	eventually 5 test -e "$box/tell.status" || return 0
	cat "$box/tell.out"
}

# nap: some milliseconds, without a process.
exec {nap_fd}<> <(:)
nap() {
	read -r -t 0.02 -u "$nap_fd" || true
}

guest_begin() {
	guest_send "$@"
}

# load_begin NAME JOB DIR KIND [again]: `client load`.  load_end NAME JOB: its line.
load_begin() {
	rm -f "$T/guests/$1/$2.stop"
	guest_send "$1" "$2" /run/box/client load "$3" "$4" "/run/box/$2.stop" ${5:+"$5"}
}

load_end() {
	touch "$T/guests/$1/$2.stop"
	guest_end "$1" "$2"
}

# guest_session NAME SESSION.  Its answers come as the words of a job, since a pipe does not reach through hostfs.
guest_session() {
	guest "$1" session_begin "$2"
}

# ask NAME SESSION COMMAND…: prints the answer, without "ok".
ask() {
	guest "$1" session_ask "$2" "${*:3}"
}

guest() {
	local job=j-$BASHPID-${EPOCHREALTIME/./}

	guest_send "$1" "$job" "${@:2}"
	guest_end "$1" "$job"
}

# guest_off NAME: ends it in order. What it has mounted stays mounted for the server, as with a machine that is shut off.
guest_off() {
	echo off >&"${guest_fd[$1]}"
	if eventually 10 guest_over "$1"; then
		guest_gone "$1"
	else
		guest_kill "$1"
	fi
}

guest_over() {
	! guest_alive "$1"
}

guest_kill() {
	local kernel

	# The kernel and its processes are a group of their own, once it runs; timeout(1) stands before it.
	for kernel in $(guest_kernel "$1"); do
		kill -KILL -- "-$kernel" 2>/dev/null || kill -KILL "$kernel" 2>/dev/null || true
	done
	kill -KILL "${guest_pid[$1]}" 2>/dev/null || true
	guest_gone "$1"
}

guest_gone() {
	local fd=${guest_fd[$1]}

	wait "${guest_pid[$1]}" 2>/dev/null || true
	exec {fd}>&-
	unset "guest_pid[$1]" "guest_fd[$1]"
	ip link del "t-$1"
}

guests_remove() {
	local name

	for name in "${!guest_pid[@]}"; do
		guest_kill "$name"
	done
}
