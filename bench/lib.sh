# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the cases of tools/bench stand on: a host of their own (tests/lib.sh), samples for bench-stat, and the same file
# servers by hand.  tools/bench runs them; one by hand:
#
#   VNAS=PROGRAM BENCH=FOLDER-OF-BUILT-BENCHMARKS BENCH_SAMPLES=FILE [BENCH_QUICK=1] [VNAS_TEST_CACHE=DIR] bench/CASE
set -eu

: "${VNAS:?the program}" "${BENCH:?the folder of the built benchmarks}" "${BENCH_SAMPLES:?the file for the samples}"

. "$(dirname "${BASH_SOURCE[0]}")/../tests/${bench_base:-lib.sh}"

# Samba's client library reads the user's settings, which are none of ours.
mkdir -p "$T/home/.smb"
: >"$T/home/.smb/smb.conf"
export HOME=$T/home

# sample CASE STACK PEER UNIT VALUE PEER_VALUE and absent CASE STACK PEER REASON: as bench/stat.c has them.
sample() {
	printf 'sample\t%s\t%s\t%s\t%s\t%s\t%s\n' "$@" >>"$BENCH_SAMPLES"
}

absent() {
	printf 'absent\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$(tr '\t\n' '  ' <<<"$4")" >>"$BENCH_SAMPLES"
}

# remark CASE STACK PEER TEXT: what belongs to a result and is no number.
remark() {
	printf 'remark\t%s\t%s\t%s\t%s\n' "$@" >>"$BENCH_SAMPLES"
}

# pick QUICK FULL: the one that this run is.
pick() {
	if [[ ${BENCH_QUICK:-} ]]; then echo "$1"; else echo "$2"; fi
}

progress() {
	echo "--- $* ($SECONDS s, load $(cut -d ' ' -f 1-3 /proc/loadavg))"
}

# times COMMANDS…: bench-start's samples.  It ends by ROUNDS or SECONDS, whatever comes first.
times() {
	"$BENCH/bench-start" "$@" >>"$BENCH_SAMPLES"
}

# All that runs goes with the host.
bench_done() {
	# shellcheck disable=SC2034 # read by tests/lib.sh
	finished=1
	exit 0
}

# --- file servers by hand: on the Psv, as root, with the configuration that vnas made for a Vsv ------------------------

# They lie where other users may look, as guests are; the test's own folder is root's.
HAND=/mnt
hand_begin() {
	mount -t tmpfs -o mode=755,size=100% vnas-test "$HAND"
}

# hand_volume NAME NUMBER MIB: a data volume that vnas made, mounted at $HAND/NAME as it does it.  (The Vsv with that number
# is never started.)
hand_volume() {
	local dev image=$LIB/volumes/hand-$1.data.img

	mkdir -p "$HAND/$1"
	vsv "hand-$1" "$2" --volume "data=$3M"
	# A tmpfs has no direct I/O before Linux 6.6.
	dev=$(losetup --find --show --offset 1048576 --sector-size 4096 --direct-io=on "$image" 2>/dev/null) ||
		dev=$(losetup --find --show --offset 1048576 "$image")
	mount -o nosuid,nodev,errors=remount-ro "$dev" "$HAND/$1"
	# Cleared with the mount, which goes with the host.
	losetup --detach "$dev"
	mkdir -p -m 1777 "$HAND/$1/share"
}

# hand_smb_conf NAME VSV IPV4: the configuration of that Vsv's smbd for one by hand with folders and a share of its own.
hand_smb_conf() {
	local dir=$HAND/$1-run

	mkdir -p "$dir"/{lib,private,cache,run,log}
	vnas exec "$2" cat /run/vnas/samba/smb.conf |
		sed -E "s|^(\tinterfaces =).*|\1 $3|; s|^(\tbind interfaces only =).*|\1 yes|
			s|^(\tpath =).*|\1 $HAND/$1/share|
			s|= /var/lib/samba/private|= $dir/private|; s|= /var/lib/samba|= $dir/lib|; s|= /var/cache/samba|= $dir/cache|
			s|= /run/samba|= $dir/run|; s|^\tlogging = .*|&\n\tlog file = $dir/log/smbd|" >"$HAND/$1.smb.conf"
}

# hand_nfs_conf NAME VSV IPV4: the same for its Ganesha.
hand_nfs_conf() {
	local dir=$HAND/$1-nfs

	mkdir -p "$dir"/recovery/{v4recov,v4old}
	vnas exec "$2" cat /run/vnas/ganesha/idmapd.conf >"$dir/idmapd.conf"
	vnas exec "$2" cat /run/vnas/ganesha/graceless.conf |
		sed -E "s|^(\tPath =).*|\1 \"$HAND/$1/share\";|; s|^(\tRecoveryRoot =).*|\1 \"$dir/recovery\";|
			s|^(\tIdmapConf =).*|\1 \"$dir/idmapd.conf\";|; s|^\tNFS_Port.*|&\n\tBind_addr = $3;|" \
			>"$HAND/$1.ganesha.conf"
	# NFS 3 wants an rpcbind, which both know by a socket in /run.
	cat >"$dir/run" <<-END
		#!/bin/bash
		mount -t tmpfs vnas-test /run
		rpcbind -f -h $3 &
		until [[ -S /run/rpcbind.sock ]]; do sleep 0.01; done
		exec ganesha.nfsd -F -L STDERR -N NIV_EVENT -p $dir/pid -f $HAND/$1.ganesha.conf
	END
	chmod +x "$dir/run"
}

# hand_ganesha NAME [PREFIX…]: as hand_smbd.
hand_ganesha() {
	local name=$1

	shift
	"$@" setsid unshare --mount "$HAND/$name-nfs/run" </dev/null >"$HAND/$name.ganesha.log" 2>&1 &
}

# hand_smbd NAME [PREFIX…]: starts it; PREFIX runs it elsewhere (nsenter …).
hand_smbd() {
	local name=$1

	shift
	"$@" setsid /usr/sbin/smbd --foreground --no-process-group --configfile="$HAND/$name.smb.conf" </dev/null \
		>"$HAND/$name.log" 2>&1 &
}

# --- load ---------------------------------------------------------------------------------------------------------------------

# What bench-load runs with.
load_with=()

# streams_begin HOST CLIENTS MIB TARGET…: bench-load on that client host (psv: on none), connected to all targets.  Their files are
# written, and on the disk, before anything is measured.  Fails when one of them could not be had; bench-load has said which.
streams_begin() {
	local ready at=()

	[[ $1 == psv ]] || at=(on "$1")
	shift
	coproc LOAD { "${at[@]}" "${load_with[@]}" "$BENCH/bench-load" "$@"; }
	# The shell forgets a coprocess at once when it ends.
	load_pid=${LOAD_PID:-} load_answers=${LOAD[0]:-} load_orders=${LOAD[1]:-}
	[[ $load_answers && $load_orders ]] && read -r -u "$load_answers" ready && [[ $ready == ready ]] || return
	sync
}

# load TARGET PATTERN MS: one measurement, into OPS MIB P50 P99.
load() {
	echo "$*" >&"$load_orders" && read -r -u "$load_answers" OPS MIB P50 P99
}

# compare CASE PATTERN MS STACK…: one sample of each target beside the first.  The targets have these names, and behind them comes
# the first once more, with connections and files of its own, held against itself: the noise floor.  Each has two windows, there
# and back, so that nobody always comes behind the same one and pays for what that one left to be written; every sample begins
# with another.
compare_turn=0
compare() {
	local case=$1 pattern=$2 ms=$3 n i at unit=operations/s rates=() p50s=()

	shift 3
	n=$(($# + 1))
	[[ $pattern != *-seq ]] || unit=MiB/s
	for ((i = 0; i < 2 * n; i++)); do
		at=$(((compare_turn + (i < n ? i : 2 * n - 1 - i)) % n))
		load $at "$pattern" "$ms" || return
		[[ $unit != MiB/s ]] || OPS=$MIB
		rates[at]=${rates[at]:-}${rates[at]:+ }$OPS
		p50s[at]=${p50s[at]:-}${p50s[at]:+ }$P50
	done
	for ((i = 1; i < n; i++)); do
		at=$((i == n - 1 ? 1 : i + 1))
		sample "$case/throughput" "${!at}" "$1" "$unit" "$(mean "${rates[i]}")" "$(mean "${rates[0]}")"
		sample "$case/latency" "${!at}" "$1" ms "$(mean "${p50s[i]}")" "$(mean "${p50s[0]}")"
	done
	compare_turn=$((compare_turn + 1))
}

# mean "A B"
mean() {
	awk '{ printf "%.4f\n", ($1 + $2) / 2 }' <<<"$1"
}

streams_end() {
	eval "exec $load_orders>&-"
	wait "$load_pid"
}
