#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a server has of processors and disks when its neighbour wants them too: weights, bounds, reserves. The control groups say
# it, what is used shows it, nothing inside changes it, a reload does, and where the kernel has no such thing, start and
# status say so.
. "$(dirname "$0")/../lib.sh"

tag=$(psv_tag "$PREFIX")
# group_of CONTROLLER SERVER: its group, in v2 or v1.
group_of() {
	local v2 at

	v2=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	if grep -qw "$1" "$v2/cgroup.controllers"; then
		echo "$v2/$tag/$2"
		return
	fi
	at=$(awk -v w="${1/#io/blkio}" '$3 == "cgroup" && $4 ~ "(^|,)" w "(,|$)" { print $2; exit }' /proc/mounts)
	echo "$at/$tag/$2"
}
cpu_a=$(group_of cpu a) cpu_b=$(group_of cpu b)
blkio=$(group_of io '' | sed "s|/$tag/$||")
v1=''
[[ ! -e $blkio/blkio.throttle.write_bps_device ]] || v1=1
is_v2_cpu=''
[[ -e $(dirname "$(dirname "$cpu_a")")/cpu.shares ]] || is_v2_cpu=1

# weight SERVER: what the kernel has, as v2 counts.
weight() {
	local g=$cpu_a

	[[ $1 == a ]] || g=$cpu_b
	if [[ $(cat "$g/cpu.idle" 2>/dev/null) == 1 ]]; then
		echo idle
	elif [[ $is_v2_cpu ]]; then
		cat "$g/cpu.weight"
	else
		echo $(($(cat "$g/cpu.shares") * 100 / 1024))
	fi
}
bound() {
	local g=$cpu_a

	[[ $1 == a ]] || g=$cpu_b
	if [[ $is_v2_cpu ]]; then cut -d ' ' -f 1 "$g/cpu.max" | sed 's/max/-1/'; else cat "$g/cpu.cfs_quota_us"; fi
}
# limit SERVER KEY VALUE: of [limits], or without a VALUE no more.
limit() {
	sed -i "/^$2 *=/d" "$ETC/$1.conf"
	[[ -z ${3:-} ]] || sed -i "s/^\[limits\]$/&\n$2 = $3/" "$ETC/$1.conf"
}
device_of() { jq -r --arg v "$2" '.volumes[] | select(.name == $v) | "\(.major):\(.minor)"' "$RUN/$1/state.json"; }
used_us() { awk '$1 == "usage_usec" { print $2 }' "$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)/$tag/$1/cpu.stat"; }

plain_vsv a 11 --volume data=64M
plain_vsv b 12 --volume data=64M
for v in a b; do
	printf '[limits]\nmemory = 256M\n' >>"$ETC/$v.conf"
	limit $v "memory reserve" 32M
done
limit b "cpu weight" 400
limit b cpu 50%
limit b "disk write" 2M
limit b "disk read iops" 300
vnas start --no-probe a
"$VNAS" start --no-probe b 2>"$T/said"

# ---- what the control groups say ----

check_eq "who says nothing has the same as all" "$(weight a) $(bound a)" "100 -1"
check_eq "who says something has that" "$(weight b) $(bound b)" "400 50000"
check_eq "status says so" "$(server_json b '[.limits.cpu_weight, .limits.cpu] | map([.weight, .max, .enforced] | @text) | join(" ")')" \
	'[400,null,true] [null,0.5,true]'
check "and in words" bash -c "'$VNAS' status b | grep -qE '^disk write +2M a second, each volume$'"
disk=$(device_of b data)
disk_says() {
	if [[ $v1 ]]; then
		grep -qx "$disk $1" "$blkio/blkio.throttle.write_bps_device"
	else
		grep -qE "^$disk .*wbps=$1( |$)" "$(group_of io b)/io.max"
	fi
}
check "its volume is bounded" disk_says 2097152
check "status holds that against the kernel" test "$(server_json b '[.limits.disk_write.enforced, .limits.disk_read_iops.enforced] | all')" = true
if [[ $v1 ]]; then
	check "what v1 has not is said at the start" grep -q 'memory reserve is not enforced: only the memory controller of cgroup v2' "$T/said"
	check "and by status" test "$(server_json b .limits.memory_reserve.enforced)" = false
else
	check_eq "the reserve, and the sum of all" "$(cat "$(group_of memory b)/memory.low" "$(group_of memory b)/../memory.low")" \
		$'33554432\n67108864'
fi
check "a dry run says it" bash -c "'$VNAS' start --dry-run b 2>&1 | grep -q 'cpu weight 400, cpu 0.50, disk write 2M/s' ||
	'$VNAS' restart --help | grep -q ''"

# ---- what they use ----

# burn SECONDS A-RUNS B-RUNS: both on one processor, so that what else the machine does takes from both; microseconds into used_a, used_b,
# and how long that was into elapsed_us.
burn() {
	local before_a before_b begin pids=() v

	# b comes first: idle, it would not even come to its start beside the other one.
	for v in ${3:+b} ${2:+a}; do
		: >"$T/burns.$v"
		"$VNAS" exec "$v" -- timeout $(($1 + 240)) taskset -c 0 sh -c 'echo $$; while :; do :; done' >"$T/burns.$v" </dev/null 2>/dev/null &
		pids+=($!)
		eventually 60 test -s "$T/burns.$v"
	done
	begin=$(date +%s%N) before_a=$(used_us a) before_b=$(used_us b)
	sleep "$1"
	used_a=$(($(used_us a) - before_a)) used_b=$(($(used_us b) - before_b)) elapsed_us=$((($(date +%s%N) - begin) / 1000))
	for v in ${2:+a} ${3:+b}; do
		"$VNAS" exec "$v" -- kill -KILL "$(cat "$T/burns.$v")" </dev/null || true
	done
	wait "${pids[@]}" 2>/dev/null || true
}
between() { (($2 >= $1 && $2 <= $3)); }

limit b cpu
check "a bound is taken away by a reload" vnas reload b
check_eq "  and is gone" "$(bound b) $(weight b)" "-1 400"
burn 3 yes yes
note "weights 100 and 400: $used_a and $used_b microseconds"
check "four times the weight has four fifths" between 65 $((used_b * 100 / (used_a + used_b))) 92
limit b "cpu weight"
check "weights: a reload" vnas reload b
burn 3 yes yes
note "weights 100 and 100: $used_a and $used_b microseconds"
check "the same weight has a half" between 35 $((used_b * 100 / (used_a + used_b))) 65
limit b "cpu weight" idle
check "idle: a reload" vnas reload b
check_eq "  is idle" "$(weight b)" idle
burn 3 yes yes
note "weights 100 and idle: $used_a and $used_b microseconds"
check "idle has what is left" between 0 $((used_b * 100 / (used_a + used_b))) 8
burn 2 '' yes
check "and that may be much" test "$used_b" -gt 100000
limit b "cpu weight"
limit b cpu 0.2
check "a bound: a reload" vnas reload b
check_eq "  is back" "$(bound b) $(weight b)" "20000 100"
burn 3 '' yes
note "bound to 0.2 processors for $elapsed_us: $used_b microseconds"
check "it uses no more than its bound" between 0 "$used_b" $((elapsed_us * 23 / 100 + 50000))

# Nothing inside gets it out of that.
for attempt in 'nice -n -10 sleep 0 2>&1 | grep -q "Permission denied"' '! chrt --fifo 1 true' '! ionice -c 1 true' \
	'! chrt --deadline --sched-runtime 1000000 --sched-deadline 5000000 --sched-period 5000000 0 true' \
	'! ls /sys/fs/cgroup' '! find / -xdev -name "cpu.*" 2>/dev/null | grep -q .' '! mount -t cgroup2 none /mnt' '! mount -t cgroup -o cpu none /mnt'; do
	check "inside: $attempt" vnas exec b -- sh -c "$attempt"
done
check_eq "and the groups say what they did" "$(bound b) $(weight b)" "20000 100"
limit b cpu
vnas reload b

# ---- processors of its own ----

cpus_v1=''
! awk '$3 == "cgroup" && $4 ~ "(^|,)cpuset(,|$)" { exit 1 }' /proc/mounts || cpus_v1=no
[[ $cpus_v1 ]] || cpus_v1=yes
last=$(($(nproc) - 1))
# runs_on SERVER: where its processes may run, by what the kernel says of each.
runs_on() {
	local pid

	while read -r pid; do
		awk '$1 == "Cpus_allowed_list:" { print $2 }' "/proc/$pid/status"
	done <"$(group_of cpu "$1")/cgroup.procs" | sort -u | paste -sd' '
}
all=$(runs_on a)
limit b cpus $last
if [[ $cpus_v1 == yes ]]; then
	check_status "v1: processors wait for a restart" 0 'cpus' vnas reload b
	check_json "  and status says that they are not enforced" '.servers[0].limits.cpus == {"enforced": false, "list": "'$last'"}' vnas status b --json
	check_eq "  a restart, of which nothing is said" "$(vnas restart b 2>&1 | grep cpus)" ""
else
	check "processors: a reload" vnas reload b
fi
check_eq "  it runs there alone" "$(runs_on b)" "$last"
check_eq "  the neighbour everywhere" "$(runs_on a)" "$all"
check_json "  as status says" '.servers[0].limits.cpus == {"enforced": true, "list": "'$last'"}' vnas status b --json
check "  and in words" bash -c "'$VNAS' status b | grep -qxE 'cpus +$last'"
((last == 0)) || refute "  nothing inside gets to others" vnas exec b -- taskset -c 0 true
check_eq "  what comes later is there too" "$(vnas exec b -- sed -n 's/^Cpus_allowed_list:\t//p' /proc/self/status)" "$last"
limit b cpus "0-$((last + 1))"
check_status "one that is not there is said" 0 'cpus is not enforced: not all of these processors are there' vnas reload b
check_eq "  it runs on all" "$(runs_on b)" "$all"
limit b cpus 0
check "another one: a reload" vnas reload b
check_eq "  it is there" "$(runs_on b)" 0
if ((last > 0)); then
	limit b cpus "0-$last"
	check "started by somebody who is bound to one" taskset -c 0 "$VNAS" restart b
	check_eq "  it runs on its own all the same" "$(runs_on b)" "$all"
fi
limit b cpus
check "none: a reload" vnas reload b
check_eq "  it runs on all" "$(runs_on b)" "$all"

# ---- disks ----

# writes SERVER OPTIONS…: 8 MiB, in milliseconds.
writes() {
	local server=$1 begin

	shift
	begin=$(date +%s%N)
	"$VNAS" exec "$server" -- dd if=/dev/zero of=/srv/data/file bs=1M count=8 "$@" 2>/dev/null </dev/null || return 1
	echo $((($(date +%s%N) - begin) / 1000000))
}
direct=$(writes b oflag=direct || writes b oflag=sync) later=$(writes b conv=fsync) free=$(writes a conv=fsync)
note "8 MiB at 2 MiB a second: $direct ms at once, $later ms written back; without a bound $free ms"
check "what is written at once keeps the bound" between 2500 "$direct" 20000
check "what is written back too" between 2500 "$later" 20000
check "the neighbour is not bound" test "$free" -lt "$later"
check_json "nothing has failed" '.servers[0].degraded == []' vnas status b --json
limit b "disk write"
check "disks: a reload" vnas reload b
refute "  takes the bound away" disk_says 2097152
check "  and it is fast again" test "$(writes b conv=fsync)" -lt "$later"
limit b "disk write" 1M
vnas reload b
vnas exec b -- dd if=/dev/zero of=/srv/data/file bs=1M count=32 2>/dev/null
begin=$SECONDS
check "a stop waits for no bound" vnas stop b
check "  with 32 MiB to write" test $((SECONDS - begin)) -lt 15
left() { if [[ $v1 ]]; then grep -rhE "^($disk) " "$blkio"/blkio.throttle.*_device; else false; fi }
refute "and leaves none to the next one with that device" left
vnas start --no-probe b
disk=$(device_of b data)
check "a start sets it again" disk_says 1048576
# Its PID 1 dies, and its mounts with it: the supervisor starts it anew.
old=$(server_json b .init_pid)
vnas exec b -- dd if=/dev/zero of=/srv/data/file bs=1M count=16 2>/dev/null
kill -KILL "$old"
again() { [[ $(server_json b '[.state, .init_pid != '"$old"'] | @text') == '["running",true]' ]]; }
check "a server that was killed comes back" eventually 60 again
disk=$(device_of b data)
check "  with its bound" disk_says 1048576
check "a volume more" vnas volume add b more --size 32M
disk=$(device_of b more)
check "  is bounded" disk_says 1048576
# A removal that is refused, also by a reload, which takes nothing back, bounds what stays.
: >"$T/busy"
"$VNAS" exec b -- sh -c 'cd /srv/more && echo $$ && exec sleep 600' >"$T/busy" </dev/null 2>/dev/null &
eventually 60 test -s "$T/busy"
cp "$ETC/b.conf" "$T/b.conf"
awk '/^\[/ { gone = $0 == "[volume more]" } !gone' "$T/b.conf" >"$ETC/b.conf"
check_status "  a reload does not take it away while it is in use" 5 'files on it are in use' vnas reload b
check "  which leaves its bound" disk_says 1048576
cp "$T/b.conf" "$ETC/b.conf"
vnas exec b -- kill "$(cat "$T/busy")"
check "  and goes" vnas volume remove b more --purge
refute "  and with it the bound" left
disk=$(device_of b data)
check "  but not the others'" disk_says 1048576
limit b "disk weight" 200
if [[ $v1 ]]; then
	check_status "v1: a weight waits for a restart" 0 'disk weight' vnas reload b
	vnas restart b --no-probe
	disk=$(device_of b data)
	check "  with which its own group is bounded too" grep -q "^$disk 1048576" "$blkio/$tag/b/blkio.throttle.write_bps_device"
	direct=$(writes b oflag=direct || writes b oflag=sync)
	check "  and what is written at once keeps the bound" test "$direct" -gt 5000
fi

# ---- what fails and what is killed leaves no bound ----

# A number that nobody else on the machine has set.
limit b "disk write iops" $((mark = 70000 + RANDOM % 20000))
left_by_mark() { if [[ $v1 ]]; then grep -rhE " $mark$" "$blkio"/blkio.throttle.*_device; else false; fi }
vnas stop b 2>/dev/null
vnas start --no-probe b 2>/dev/null
[[ ! $v1 ]] || check "the mark is there" left_by_mark
vnas stop b
# The kernel reads the filesystems while the next steps are done. A bound of v1 is the device's, so it would hold them up.
marks() { VNAS_FAIL_STEP=$1 timeout 60 strace -o "$T/marks" -e trace=write "$VNAS" start --no-probe b 2>/dev/null || grep -c "[ =]$mark" "$T/marks"; }
if [[ $v1 ]]; then
	check_eq "no volume is bounded before it is mounted" "$(marks root)" 0
	check "  but after that" test "$(marks filesystems)" -gt 0
fi
for step in gate init services; do
	refute "a start that fails at $step" env VNAS_FAIL_STEP=$step "$VNAS" start --no-probe b
	refute "  leaves no bound" left_by_mark
done
for ms in 004 008 012 016 020 025 030 040 060; do
	"$VNAS" start --no-probe b 2>/dev/null &
	pid=$!
	sleep 0.$ms
	kill -KILL $pid 2>/dev/null || true
	wait $pid 2>/dev/null || true
	check "a start killed after $ms ms: stop" vnas stop b
	refute "  leaves no bound" left_by_mark
done
# A number that had a bound is another server's now, which nobody has cleaned up after.
all_die() {
	local supervisor init

	supervisor=$(jq .supervisor_pid "$RUN/$1/state.json") init=$(jq .init_pid "$RUN/$1/state.json")
	disk=$(device_of "$1" data)
	kill -KILL "$supervisor"
	eventually 10 test ! -e "/proc/$supervisor"
	kill -KILL "$init"
	eventually 10 test ! -e "/sys/dev/block/$disk/loop/backing_file"
}
if [[ $v1 ]]; then
	vnas stop a 2>/dev/null
	vnas start --no-probe b 2>/dev/null
	all_die b
	check "a server that died with its supervisor leaves its bound" left_by_mark
	vnas start --no-probe a 2>/dev/null
	stale() { grep -qx "$disk $mark" "$blkio/blkio.throttle.write_iops_device"; }
	if [[ $(device_of a root) == "$disk" || $(device_of a data) == "$disk" ]]; then
		refute "  but not to who gets its device" stale
		vnas stop a
		limit a "disk write" 3M
		vnas start --no-probe a
		took=$disk disk=$(device_of a data)
		check "  whose own bound" disk_says 3145728
		check "  stays" vnas stop b
		check "  when what was left is taken away" disk_says 3145728
		disk=$took
		limit a "disk write"
		vnas reload a
	else
		skip "a bound of the one before" "another program was faster to take $disk"
		vnas stop b
	fi
	refute "  and none is left" left_by_mark
fi
vnas start --no-probe b 2>/dev/null
echo no >"$RUN/b/state.json"
check "a damaged state file: stop" vnas stop b
refute "  leaves no bound" left_by_mark
limit b "disk write iops"
limit b "disk weight"

# ---- a disk that is divided, and a part of one ----

truncate -s 100M "$T/disk"
# A table of one partition of 48 MiB, from sector 2048.
printf '\0\0\0\0\203\0\0\0\0\10\0\0\0\200\1\0' | dd of="$T/disk" bs=1 seek=446 conv=notrunc status=none
printf '\125\252' | dd of="$T/disk" bs=1 seek=510 conv=notrunc status=none
loop=$(losetup --find --show --partscan "$T/disk")
scheduler=$(sed 's/.*\[\(.*\)\].*/\1/' "/sys/block/${loop#/dev/}/queue/scheduler")
# The disk's own are the machine's: the number is another's tomorrow.
disk_ends() { echo "$scheduler" >"/sys/block/${loop#/dev/}/queue/scheduler"; losetup --detach "$loop"; }
device=$loop # where the kernel knows no such tables
[[ ! -b ${loop}p1 ]] || device=${loop}p1
if echo bfq 2>/dev/null >"/sys/block/${loop#/dev/}/queue/scheduler"; then
	check "a device becomes a volume" vnas volume add b part --device "$device" --force
	limit b "disk weight" 300
	check "it starts" vnas start --no-probe b
	disk=$(device_of b part) whole=$(cat "/sys/block/${loop#/dev/}/dev")
	if [[ ! $v1 ]]; then
		check "v2: the disk of a device is bounded" grep -qE "^$whole .*wbps=1048576" "$(group_of io b)/io.max"
		check "  and status says so" test "$(server_json b .limits.disk_write.enforced)" = true
	else
		check_eq "v1: the group has its weight" "$(cat "$blkio/$tag/b/blkio.bfq.weight")" 118
		if [[ $device == "$loop" ]]; then
			check "  a device as it is has its bound" disk_says 1048576
		else
			refute "  a partition has none, nor has its disk" grep -rhE "^($disk|$whole) " "$blkio"/blkio.throttle.write_bps_device
			check "  and status says so" test "$(server_json b .limits.disk_write.enforced)" = false
		fi
	fi
	check_eq "a weight holds on all of its disks or not at all" "$(server_json b .limits.disk_weight.enforced)" false
	vnas stop b
	check "the device is given back" vnas volume remove b part --purge
	[[ ! $v1 ]] || refute "  without a bound" grep -hE "^($disk|$whole) " "$blkio"/blkio.throttle.{read,write}_{bps,iops}_device
else
	skip "devices and weights" "this kernel has no bfq"
fi
disk_ends
limit b "disk weight"

# ---- where the kernel has no such thing ----

if [[ $v1 ]]; then
	vnas stop a b 2>/dev/null || true
	limit b "memory reserve"
	umount "$blkio"
	check_status "without blkio: it starts, and says what is not so" 0 'disk write is not enforced: no controller bounds' vnas start --no-probe b
	check_json "  and so does status" '.servers[0] | .limits.disk_write.enforced == false and .limits.cpu_weight.enforced and
		(.warnings | any(startswith("[limits] disk write is not enforced")))' vnas status b --json
	check "  and verify calls it open" bash -c "! '$VNAS' verify b --json >'$T/verify' && jq -e '[.probes[] | select(.answer // \"\" |
		contains(\"[limits] disk write is not enforced\"))] | length > 0 and all(.verdict == \"open\")' '$T/verify'"
	check "  and doctor says what is missing" bash -c "'$VNAS' doctor --json | jq -e '.probes[] | select(.probe == \"disk-bound\") |
		.state == \"missing\" and (.todo | contains(\"mount the controller\"))'"
	check "  and can be stopped" vnas stop b
	umount "$(dirname "$(dirname "$cpu_a")")"
	limit b cpu 0.5
	check_status "without cpu: the same" 0 'cpu is not enforced: no controller bounds processors' vnas start --no-probe b
	check_json "  and the weight that nobody asked for is no warning" '.servers[0] | .limits.cpu_weight.enforced == false and
		(.warnings | any(contains("cpu weight")) | not)' vnas status b --json
fi

done_testing
