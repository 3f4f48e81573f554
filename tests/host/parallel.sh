#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: long
# Commands at the same time: two starts of one Vsv, and rounds of start and stop of three in parallel.
. "$(dirname "$0")/../lib.sh"

for n in 1 2 3; do
	plain_vsv "p$n" "1$n"
done

for _ in 1 2 3 4 5; do
	vnas start p1 >"$T/first" 2>&1 &
	one=$!
	vnas start p1 >"$T/second" 2>&1 &
	two=$!
	status1=0 status2=0
	wait $one || status1=$?
	wait $two || status2=$?
	check_eq "two starts at once: both are content" "$status1 $status2" "0 0"
	check "one of them says so" grep -qiE 'already|waiting' "$T/first" "$T/second"
	check "it runs" vnas exec p1 -- true
	vnas stop p1
done

vnas start p1 &
one=$!
vnas stop p1 || true
wait $one || true
check "a start and a stop at once leave one of the two" bash -c "'$VNAS' list --json |
	jq -e '.servers[] | select(.name == \"p1\") | .state | IN(\"running\", \"stopped\")'"
vnas stop p1

rounds=10
[[ ! ${VNAS_TEST_ALL:-} ]] || rounds=100
bad=0
for ((i = 0; i < rounds; i++)); do
	pids=()
	for n in 1 2 3; do
		{ vnas start "p$n" --no-probe && vnas exec "p$n" -- true && vnas stop "p$n"; } >"$T/round-$n" 2>&1 &
		pids+=($!)
	done
	for n in 0 1 2; do
		if ! wait "${pids[n]}"; then
			bad=$((bad + 1))
			cat "$T/round-$((n + 1))"
		fi
	done
done
check_eq "$rounds rounds of start, exec and stop of three in parallel: none failed" "$bad" 0

# Creations at once get different numbers, and all of one machine's addresses stay unique.
for n in 21 22 23 24; do
	plain_vsv "c$n" $n >"$T/create-$n" 2>&1 &
done
wait
check_json "four creations at once" '.servers | length == 7' vnas list --json
check "all start" vnas start --all
check_eq "with numbers of their own" "$(jq -r .id "$RUN"/c2*/state.json | sort -u | wc -l)" 4

pids=()
for n in 31 32; do
	vnas create "same$n" --address "$NET4.40/24" --root-size 64M >/dev/null 2>&1 &
	pids+=($!)
done
won=0
for pid in "${pids[@]}"; do
	! wait "$pid" || won=$((won + 1))
done
check_eq "of two creations with one address one succeeds" "$won" 1

done_testing
