#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: plain
# vnas doctor: what this machine can enforce, on the machine as it is and on one that lacks something.
. "$(dirname "$0")/../lib.sh"

groups() { find /sys/fs/cgroup -name 'vnas-doctor*'; }

# lacking COMMAND: doctor's JSON on a machine that the command has changed, in a mount namespace of its own.
lacking() {
	status=0
	unshare --mount bash -c "$1"' && exec "$VNAS" doctor --json' >"$T/lacking" || status=$?
}
row() { jq -r ".probes[] | select(.probe == \"$1\") | .$2" "$T/lacking"; }

# --- as it is ---
status=0
"$VNAS" doctor --json >"$T/lacking" || status=$?
check "ends with 0 or 7" test $status -eq 0 -o $status -eq 7
check "each row has a state" jq -e '[.probes[] | select(.interference)] | length >= 27 and
	all(.state | IN("enforceable", "private", "open")) and all(.text and .needs)' "$T/lacking"
check "all four interferences" jq -e '[.probes[].interference | values] | unique == ["a", "b", "c", "d"]' "$T/lacking"
check "the names are verify's" diff <(jq -r '.probes[] | select(.interference) | .probe' "$T/lacking" | sort) \
	<(vnas verify --dry-run --json | jq -r '.probes[].row' | sort -u)
check "7 when a row is open" test "$status" -eq "$(jq '[.probes[] | select(.interference and .probe != "see-network" and .state != "enforceable")] |
	if length > 0 then 7 else 0 end' "$T/lacking")"
check "what is missing says what that means, and what to do" jq -e '[.probes[] | select(.missing)] | all(.means and .todo)' "$T/lacking"
check "others and packages" jq -e '[.probes[] | select(.interference == null) | .probe] | contains(["loop", "ext4", "xfsprogs", "smbd"])' "$T/lacking"
check "the gate is tried whole" jq -e '.probes[] | select(.probe == "address") | .state == "enforceable"' "$T/lacking"
check_eq "it leaves no control group" "$(groups)" ""
check "a table" grep -qE '^address +bind an address that is not its own +enforceable' <("$VNAS" doctor || true)
check_status "no word too many" 2 "one word too many" vnas doctor x

# --- without something ---
lacking 'umount -l /sys/fs/cgroup/unified 2>/dev/null; mount -t tmpfs none /sys/fs/cgroup'
check_eq "no control groups: its status" $status 7
check_eq "then addresses are not kept" "$(row address state)" open
check "it says why" grep -q 'hierarchy of control groups of version 2' <(row address missing)
check "and what that means" grep -q 'no server can start' <(row address means)
check_eq "a file is still a file" "$(row proc state)" enforceable
lacking 'mount -t tmpfs none /sys/kernel/btf'
check_eq "no BTF: its status" $status 7
check_eq "the gate is not loaded" "$(row gate state)" open
check "it names the option" grep -q CONFIG_DEBUG_INFO_BTF <(row gate todo)
lacking 'mount -t tmpfs none /var/lib/dpkg/info'
check_eq "no packages: a service" "$(row smbd state)" missing
check "apt-get says how" grep -q '^apt-get install samba ' <(row smbd todo)
check_eq "that is no row" $status "$(jq '[.probes[] | select(.interference and .probe != "see-network" and .state != "enforceable")] | if length > 0 then 7 else 0 end' "$T/lacking")"
status=0
setpriv --bounding-set=-sys_admin "$VNAS" doctor --json >"$T/lacking" || status=$?
check_eq "who may not ask: its status" $status 7
check_eq "is told that it is unknown" "$(row proc state)" unknown
check_status "not root" 6 "needs root" setpriv --reuid=65534 --clear-groups "$VNAS" doctor
check_eq "none of that leaves a control group" "$(groups)" ""

done_testing
