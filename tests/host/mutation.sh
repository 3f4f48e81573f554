#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: long
# vnas-test: plain
# The test of the tests: each enforcement in turn is left out (src/lib/weaken.h), and vnas verify must find that something
# gets through, in the server that was weakened and in no other. Several are weakened at once, each in its own way, and one
# verify judges them all.
. "$(dirname "$0")/../lib.sh"

VNAS=${VNAS_WEAKENED:?needs a build with -Dweaken=true (tools/test mutation makes it)}

check "the build says loudly what it is" grep -q 'WEAKENED' <("$VNAS" --version)
check_status "and serves no real installation" 6 'for tests' env -u VNAS_PREFIX "$VNAS" list

# All of them; each names what is left out.
weaken=(
	gate gate-peer-psv gate-peer gate-discovery gate-loopback gate-deny
	gate_sock_create gate_setsockopt gate_bind4 gate_bind6 gate_connect4 gate_connect6 gate_sendmsg4 gate_sendmsg6
	gate_post_bind4 gate_post_bind6 gate_sock_ops gate_sock_release gate_device gate_getsockname4 gate_getpeername6 gate_recvmsg4
	capability-sys-admin capability-net-admin capability-net-raw capability-mknod capability-sys-ptrace
	capability-sys-time capability-sys-nice capability-bounding capability-inheritable no-new-privs
	seccomp seccomp-socket seccomp-option seccomp-namespace seccomp-others seccomp-io-uring seccomp-clone3
	seccomp-mount-calls seccomp-key seccomp-fanotify seccomp-userfaultfd seccomp-aio seccomp-abi seccomp-unknown
	landlock dumpable proc-subset proc-init stdout-file descriptor bind-usr mount-attributes root-writable conf-writable
	limit-core limit-message-queue
	namespace-ipc namespace-uts namespace-cgroup
)
# Kernels may have no such call, or no such feature, so that there is nothing to leave open.
declare -A without=()
[[ -e /proc/keys ]] || without[seccomp-key]="this kernel has no keyrings"
uname -r | awk -F. '{ exit !($1 > 6 || ($1 == 6 && $2 >= 12)) }' || without[landlock]="Landlock scopes came with Linux 6.12"

vnas template build >/dev/null
plain_vsv whole 200
vnas start whole

# batch NAME…: one server for each, weakened in that way, and one verify.  What counts is what gets through to the Psv and to the
# server that is whole: one that is weakened may be open itself.
batch() {
	local name number=10 status=0 through
	local -A server=()

	for name; do
		number=$((number + 1))
		server[$name]=w$number
		plain_vsv w$number $number
		sed -i '/^\[server\]/a deny = 198.51.100.0/24' "$ETC/w$number.conf"
		check "starts without: $name" env VNAS_WEAKEN="$name" "$VNAS" start --no-probe w$number
	done
	vnas verify --json >"$T/probes" 2>"$T/stderr" || status=$?
	check_eq "verify ends with 1" "$status" 1
	for name; do
		through=$(jq -r --arg s "${server[$name]}" '[.probes[] | select(.server == $s and .verdict == "through" and
			(.against == "psv" or .against == "whole")) | .probe] | unique | join(" ")' "$T/probes")
		if [[ $through ]]; then
			ok "$name is found by: $through"
		else
			not_ok "$name is found" "$(jq -c --arg s "${server[$name]}" '.probes[] | select(.server == $s and .verdict == "open")' "$T/probes" | head -20)"
		fi
	done
	check_eq "and nothing in the one that is whole" \
		"$(jq -r '[.probes[] | select(.server == "whole" and .against == "psv" and .verdict == "through") | .probe] | join(" ")' "$T/probes")" ""
	for name in "${server[@]}"; do
		vnas stop "$name" >/dev/null
		vnas destroy "$name" --purge >/dev/null
	done
}

# choose NAME…: into chosen, those that can be tried. A sample takes each third of them, another one each day.
choose() {
	local name some=() i

	for name; do
		if [[ ${without[$name]:-} ]]; then
			note "$name is not tried: ${without[$name]}"
			continue
		fi
		some+=("$name")
	done
	chosen=()
	for ((i = 0; i < ${#some[@]}; i++)); do
		if [[ ${VNAS_TEST_ALL:-} || ${VNAS_TEST_NO_SKIP:-} ]] || ((i % 3 == ${VNAS_TEST_SEED:-0} % 3)); then
			chosen+=("${some[i]}")
		fi
	done
}

choose "${weaken[@]}"
for ((i = 0; i < ${#chosen[@]}; i += 9)); do
	batch "${chosen[@]:i:9}"
done

# --- a first process that was taken over: what it says is not believed, and makes nothing pass ---
number=40
for name in prober-faked prober-cut prober-early prober-readable prober-landlock prober-limits prober-rights; do
	number=$((number + 1))
	plain_vsv w$number $number
	check "starts with: $name" env VNAS_WEAKEN="$name" "$VNAS" start --no-probe w$number
	vnas verify --json w$number >"$T/probes" 2>"$T/stderr" || true
	vnas verify --dry-run --json >"$T/list"
	# What the Psv tries from the control group and by its looks is refused all the same.
	check_eq "$name: nothing of the inside counts as refused" "$(jq -r --slurpfile list "$T/list" --arg s w$number '[$list[0].probes[] |
		select(.from == "inside") | .probe] as $inside | [.probes[] | select(.server == $s and .verdict == "refused" and
		(.probe | IN($inside[]))) | .probe] | unique | join(" ")' "$T/probes")" ""
	note "$name: $(jq -r '.probes[] | select(.probe == "signal") | .answer' "$T/probes")"
	check "$name: but open" jq -e '.probes | map(select(.probe == "signal")) | length > 0 and all(.verdict == "open")' "$T/probes"
	vnas stop w$number
	vnas destroy w$number --purge
done

# The gate's programs are one for all: where they let pass what they do not know (src/gate/gate_weak.h), they are loaded anew, and
# what gets through may do so in any of the servers. Discovery is on, or there would be no groups at all to judge.
vnas stop whole
vnas destroy whole --purge
# A link on which no server stands, with a network of its own: by its broadcast address, and by packet information that names it, one
# could leave.
ip link add elsewhere type veth peer name far
ip link set elsewhere up
ip link set far up
ip address add 203.0.113.1/24 dev elsewhere
mapfile -t unknown < <(sed -nE 's/.*"(gate-unknown-[a-z-]+)".*/\1/p' "$(dirname "$0")/../../src/gate/gate_weak.h")
check "the places are known" test ${#unknown[@]} -gt 20
plain_vsv one 21
plain_vsv two 22
for name in one two; do
	sed -i '/^\[server\]/a discovery = wsd' "$ETC/$name.conf"
done

# unload: with nobody running, the pins are all that holds the programs.
unload() {
	[[ -z $(vnas list --json | jq -r '.servers[] | select(.state == "running").name') ]] || vnas stop --all >/dev/null
	rm -rf "${RUN:?}"/bpf/{addresses,maps-*,progs-*,lookup-*}
}

choose "${unknown[@]}" gate_egress
for name in "${chosen[@]}"; do
	unload
	check "starts without: $name" env VNAS_WEAKEN="$name" "$VNAS" start --no-probe one two
	vnas verify --json >"$T/probes" 2>"$T/stderr" || true
	through=$(jq -r '[.probes[] | select(.verdict == "through") | .probe] | unique | join(" ")' "$T/probes")
	if [[ $through ]]; then
		ok "$name is found by: $through"
	else
		not_ok "$name is found" "$(jq -c '.probes[] | select(.verdict == "open")' "$T/probes" | head -20)$(cat "$T/stderr")"
	fi
done
# Programs that do not read the kernel's memory leave something open, and that is said.
unload
check "starts without: gate-reading" env VNAS_WEAKEN=gate-reading "$VNAS" start --no-probe one two
status=0
VNAS_WEAKEN=gate-reading vnas verify --json >"$T/probes" 2>"$T/stderr" || status=$?
check_eq "what cannot be seen is open, and nothing is through" "$status $(jq -r '[.probes[] | select(.probe == "source-interface").verdict] | unique | join(" ")' \
	"$T/probes") $(jq '[.probes[] | select(.verdict == "through")] | length' "$T/probes")" "7 open 0"
check_status "the doctor says so" 7 'read the kernel.s memory' env VNAS_WEAKEN=gate-reading "$VNAS" doctor

unload
vnas start --no-probe one two
vnas verify --json >"$T/probes" 2>"$T/stderr" || true
check_eq "and nothing where nothing is left out" "$(jq -r '[.probes[] | select(.verdict == "through") | .probe] | join(" ")' "$T/probes")" ""
vnas stop one two
for name in one two; do
	vnas destroy $name --purge
done

ip link delete elsewhere

# The link of gate_lookup is one for all: unpinned it falls with who made it.
rm -rf "${RUN:?}"/bpf/lookup-*
plain_vsv unpinned 20
check "starts without: gate-pin" env VNAS_WEAKEN=gate-pin "$VNAS" start --no-probe unpinned
status=0
vnas verify --json >"$T/probes" || status=$?
check_eq "gate-pin is found" "$status $(jq -r '[.probes[] | select(.verdict == "through") | .probe] | contains(["look-gate-lookup"])' "$T/probes")" "1 true"
done_testing
