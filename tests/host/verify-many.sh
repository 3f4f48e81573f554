#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: alone
# vnas-test: long
# vnas verify of many Vsv with smbd at once (12; in the long run 50), all pairs: it ends in time, and nothing gets through.
. "$(dirname "$0")/../lib.sh"

n=12
[[ ! ${VNAS_TEST_ALL:-} ]] || n=50
mount -o remount,size=80% "$T"

# begin_server N: with smbd, but without waiting until it answers.
begin_server() {
	vsv "v$1" "$((10 + $1))" --memory 128M
	vnas start "v$1" --no-probe
}

# verified N SECONDS: all of N.
verified() {
	local begin=${EPOCHREALTIME/./} status=0 ms

	vnas verify --json >"$T/probes" 2>"$T/stderr" || status=$?
	ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
	note "$1 servers: $ms ms, $(jq '.probes | length' "$T/probes") answers, load $(cut -d ' ' -f 1 /proc/loadavg)"
	check_eq "$1: nothing gets through, and names of abstract sockets are open" "$status $(jq -r '[.probes[] |
		select(.verdict == "through" or .verdict == "open") | .probe] | unique - ["abstract", "abstract-squat"] | join(" ")' "$T/probes")" "7 "
	check_eq "$1: all pairs" "$(jq '[.probes[] | select(.probe == "signal")] | length' "$T/probes")" $(($1 * $1))
	check "$1: within $2 s" test $ms -le $(($2 * 1000))
}

for ((i = 1; i <= 3; i++)); do
	begin_server $i
done
check_eq "three run" "$(vnas list --json | jq '[.servers[] | select(.state == "running")] | length')" 3
verified 3 10
for ((; i <= n; i++)); do
	begin_server $i
done
check_eq "all run" "$(vnas list --json | jq '[.servers[] | select(.state == "running")] | length')" $n
verified $n 60
vnas stop --all >/dev/null
done_testing
