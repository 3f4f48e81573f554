# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What every host test stands on. Sourcing this file starts the script again as a whole host of its own: pid, mount, net,
# ipc and uts namespaces, a tmpfs with the folders of its Psv, a bridge "lan" with the Psv's address, and client hosts on
# it. When the script ends or is killed, the kernel takes the host away with its pid namespace; what a pid namespace
# cannot take away (control groups: those of its Psv, and those whose names begin with that of the test's folder) is
# removed by the script that waits outside.
#
# A test calls ok/check/refute and friends, each of which counts, and ends with `done_testing`. That stops and destroys
# every Vsv, and compares the host with what it was at the beginning: nothing may be left.
#
# Marks, each on a line of its own in a test: "# vnas-test: alone" (runs with no other beside it), "# vnas-test: long"
# (is started first), "# vnas-test: plain" (needs no vnas; no template is copied in).
set -eu

. "$(dirname "${BASH_SOURCE[0]}")/network.sh"

# --- outside: make the host -----------------------------------------------------------------------------------------

host_outside() {
	local dir pid status=0 group

	dir=$(mktemp -d /tmp/vnas-test.XXXXXX)
	mkdir "$dir/host"
	unshare --mount --net --pid --fork --kill-child --ipc --uts --mount-proc \
		env VNAS_TEST_DIR="$dir" bash "$@" &
	pid=$!
	# unshare ignores SIGTERM while it waits; --kill-child lets its own death end the host.
	trap 'kill -KILL $pid 2>/dev/null || true' INT TERM
	wait $pid || status=$?
	trap '' INT TERM
	wait $pid 2>/dev/null || true
	while read -r group; do
		rmdir "$group" 2>/dev/null || true
	done < <(psv_cgroups "$dir/host/psv"; find /sys/fs/cgroup -depth -type d -path "*/${dir##*/}-*" 2>/dev/null)
	rmdir "$dir/host" "$dir" || status=1
	exit $status
}

if [[ -z ${VNAS_TEST_DIR:-} ]]; then
	if [[ $(id -u) -ne 0 ]]; then
		echo "host tests need root" >&2
		exit 1
	fi
	host_outside "$0" "$@"
fi

# --- inside: the host ---------------------------------------------------------------------------------------------------

T=$VNAS_TEST_DIR/host # the test's own files, on a tmpfs
PREFIX=$T/psv
export VNAS_PREFIX=$PREFIX
export LC_ALL=C.UTF-8
ETC=$PREFIX/etc/vnas LIB=$PREFIX/var/lib/vnas RUN=$PREFIX/run/vnas

passed=0 failed=0 skipped=0
own_pid_space=$(readlink /proc/self/ns/pid)

note() {
	printf '%s\n' "$*" | sed 's/^/    /'
}

ok() {
	passed=$((passed + 1))
	echo "ok    $1"
}

# not_ok NAME [TEXT]
not_ok() {
	failed=$((failed + 1))
	echo "FAIL  $1"
	[[ -z ${2:-} ]] || note "$2"
}

# skip NAME REASON
skip() {
	if [[ ${VNAS_TEST_NO_SKIP:-} ]]; then
		not_ok "$1" "skipped: $2"
		return
	fi
	skipped=$((skipped + 1))
	echo "skip  $1"
	note "reason: $2"
}

# going_well: nothing has failed so far.
going_well() {
	((failed == 0))
}

# check NAME COMMAND…: the command succeeds.  refute NAME COMMAND…: it fails.
check() {
	local name=$1 out status=0

	shift
	out=$("$@" 2>&1) || status=$?
	if ((status == 0)); then
		ok "$name"
	else
		not_ok "$name" "$* ended with status $status"$'\n'"$out"
	fi
}

refute() {
	local name=$1 out

	shift
	if out=$("$@" 2>&1); then
		not_ok "$name" "$* succeeded"$'\n'"$out"
	else
		ok "$name"
	fi
}

# check_eq NAME GOT WANTED
check_eq() {
	if [[ $2 == "$3" ]]; then
		ok "$1"
	else
		not_ok "$1" "got:    $2"$'\n'"wanted: $3"
	fi
}

# check_status NAME STATUS PATTERN COMMAND…: ends with that status, and what it says matches the pattern (a grep -E one).
check_status() {
	local name=$1 wanted=$2 pattern=$3 out status=0

	shift 3
	out=$("$@" 2>&1 </dev/null) || status=$?
	if ((status == wanted)) && grep -qE -e "$pattern" <<<"$out"; then
		ok "$name"
	else
		not_ok "$name" "$*"$'\n'"status $status, wanted $wanted; said, where /$pattern/ was wanted:"$'\n'"$out"
	fi
}

# check_json NAME FILTER COMMAND…: what the command prints is JSON for which the jq filter is true.
check_json() {
	local name=$1 filter=$2 out status=0

	shift 2
	out=$("$@" 2>"$T/stderr") || status=$?
	if ((status == 0)) && jq -e "$filter" <<<"$out" >/dev/null 2>>"$T/stderr"; then
		ok "$name"
	else
		not_ok "$name" "$* ended with status $status; wanted: $filter"$'\n'"$out"$'\n'"$(cat "$T/stderr")"
	fi
}

# --- vnas ---------------------------------------------------------------------------------------------------------------

vnas() {
	"$VNAS" "$@"
}

# vsv NAME NUMBER [OPTION…]: makes a Vsv with small volumes and the addresses of that number.
vsv() {
	local name=$1 number=$2

	shift 2
	vnas create "$name" --address "$NET4.$number/24" --address "$NET6:$number/64" --root-size 64M "$@"
}

# conf_add NAME TEXT: more configuration at the end of the Vsv's file.
conf_add() {
	printf '%s\n' "$2" >>"$ETC/$1.conf"
}

# plain_vsv NAME NUMBER [OPTION…]: one that runs no file service, for what is not about serving.
plain_vsv() {
	vsv "$@"
	conf_add "$1" $'[smb]\nenabled = no'
}

# server_json NAME FILTER: one Vsv's entry of `vnas status --json`, through jq -r.
server_json() {
	vnas status --json "$1" | jq -r ".servers[0] | $2"
}

# smb HOST SERVER SHARE USER PASSWORD COMMANDS: smbclient on a client host; its own empty configuration.
smb() {
	on "$1" smbclient --configfile="$T/smbclient.conf" -U "$4%$5" "//$2/$3" -c "$6"
}

# --- nothing may be left --------------------------------------------------------------------------------------------------

# leak_state: all of the host that vnas can change and must give back, a line each.
leak_state() {
	local f id

	for f in /sys/block/loop*/loop/backing_file; do
		# The device can go between the two steps.
		{ read -r id <"$f"; } 2>/dev/null || continue
		case $id in
		*"$T"*templates*) ;; # one for all Vsv, kept until the Psv is shut down
		*"$T"*) echo "loop ${f#/sys/block/}: $id" ;;
		esac
	done
	# The machine's own mounts, which come and go as the machine pleases, are known by their place at the beginning.
	# The gate's pins, the templates and the empty mount namespace stay from server to server.
	awk -v keep="$RUN/bpf" -v base="$RUN/.base" -v template="$RUN/templates/" '
		NR == FNR { known[$5] = 1; next }
		$5 != keep && $5 != base && $5 != base "/mnt" && index($5, template) != 1 && !($5 in known) { for (i = 7; $i != "-"; i++); print "mount", $5, $(i + 1), $(i + 2) }' \
		"$T/mounts.begin" /proc/self/mountinfo
	psv_cgroups "$PREFIX" | grep -v "/$(psv_tag "$PREFIX")\$" | sed 's/^/cgroup /' || true
	leak_network
	leak_processes
	for f in shm sem msg; do
		tail -n +2 "/proc/sysvipc/$f" | sed "s/^/sysvipc $f /"
	done
	if [[ -d $PREFIX ]]; then
		find "$PREFIX" -path "$LIB/templates" -prune -o -path "$RUN/bpf" -prune -o -path "$RUN/templates" -prune -o -path "$RUN/.base" -prune -o -type f -printf 'file %p\n'
	fi
	if [[ -d $RUN/bpf ]]; then
		find "$RUN/bpf" -mindepth 1 -printf 'pin %P\n'
	fi
}

# leak_network: in two runs of ip, since this is done often.
leak_network() {
	local family

	for family in 4 6; do
		printf '%s\n' 'addr show' 'route show table all' 'rule show' | ip -o -"$family" -batch - |
			sed -E "s/^[0-9]+: ([^ ]+ +inet)/\1/; s/valid_lft.*//; s/ linkdown//; s/ expires [0-9]+sec//; s/ +/ /g; s/\\\\//g
				s/^/ip$family /"
	done
	ip -o link show 2>/dev/null | sed -E 's/^[0-9]+: ([^:@]*).*/link \1/'
}

# leak_processes: those that are vnas's: its programs, and all that lives in a pid namespace below the test's.
leak_processes() {
	local pid exe

	find /proc/[0-9]*/exe /proc/[0-9]*/ns/pid -maxdepth 0 -printf '%p %l\n' 2>/dev/null |
		awk -v own="$own_pid_space" '
			{ split($1, part, "/"); pid = part[3] }
			part[4] == "exe" { exe[pid] = $2 }
			part[4] == "ns" { space[pid] = $2 }
			END {
				for (pid in exe)
					if (pid in space && (exe[pid] ~ /\/vnas[a-z-]*$|^\/memfd:/ || space[pid] != own))
						print pid, exe[pid]
			}' |
		while read -r pid exe; do
			echo "process $exe: $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)" 2>/dev/null || true
		done
}

leak_begin() {
	leak_state | LC_ALL=C sort >"$T/leak.begin"
}

# leak_check NAME: the host is as it was at leak_begin.  What dies asynchronously (a loop device after the last user of
# its file system) has ten seconds for it.
leak_check() {
	local i

	for ((i = 0; i < 100; i++)); do
		leak_state | LC_ALL=C sort >"$T/leak.now"
		# The lock files and the identities' file stay; pins are made once a boot.
		if leak_diff >"$T/leak.diff"; then
			ok "$1"
			return
		fi
		sleep 0.1
	done
	not_ok "$1" "left (+) or lost (-):"$'\n'"$(cat "$T/leak.diff")"
	return 0
}

leak_diff() {
	! diff <(leak_filter "$T/leak.begin") <(leak_filter "$T/leak.now") | grep -E '^[<>]' | sed 's/^< /-/; s/^> /+/' |
		grep .
}

leak_filter() {
	grep -vE "^(pin (addresses|lookup|maps|progs)|file $RUN/locks/|file $RUN/bpf.lock|file $RUN/.index|file $LIB/ids|file $LIB/verify/|file $LIB/events.jsonl|file $ETC/vnas.conf)" "$1" || true
}

# done_testing: ends every Vsv, compares, and prints the sum.
done_testing() {
	local name

	if [[ -x ${VNAS:-} && -d $ETC ]]; then
		for name in "$ETC"/*.conf; do
			name=${name##*/} name=${name%.conf}
			[[ $name != vnas && $name != '*' ]] || continue
			vnas stop "$name" >/dev/null || not_ok "vnas stop $name at the end"
			vnas destroy "$name" --purge >/dev/null || not_ok "vnas destroy $name at the end"
		done
	fi
	leak_check "nothing is left behind"
	finished=1
	exit 0
}

finished='' stopped_at=''
at_exit() {
	local status=$?

	trap - EXIT
	[[ $finished ]] || not_ok "the script ran to its end" "status $status${stopped_at:+ at $stopped_at}"
	echo "$passed passed, $failed failed, $skipped skipped"
	((failed == 0)) || exit 1
	exit 0
}

host_begin() {
	trap at_exit EXIT
	trap 'exit 143' INT TERM
	trap '((BASH_SUBSHELL)) || stopped_at="${BASH_SOURCE[0]##*/}:$LINENO: $BASH_COMMAND"' ERR
	set -E
	mount --make-rprivate /
	mount -t tmpfs -o mode=755 vnas-test "$T"
	mkdir -p "$PREFIX"
	cat /proc/self/mountinfo >"$T/mounts.begin"
	: >"$T/smbclient.conf"
	psv_network
	if [[ ${VNAS_TEST_CACHE:-} && -d $VNAS_TEST_CACHE/templates ]] && ! grep -qx '# vnas-test: plain' "$0"; then
		mkdir -p "$LIB"
		cp -a "$VNAS_TEST_CACHE/templates" "$LIB/templates"
	fi
}

# make_template: one template for the whole run, since making it takes longer than most tests.
make_template() {
	vnas template build
	cp -a "$LIB/templates" "$VNAS_TEST_CACHE/templates"
	touch "$VNAS_TEST_CACHE/ready"
	finished=1
	exit 0
}

host_begin
[[ ${1:-} != --make-template ]] || make_template
leak_begin
