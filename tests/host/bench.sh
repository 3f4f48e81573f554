#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tools/bench: its JSON has the promised shape, a goal is judged by the better end of the interval, a case that cannot run says
# why, and nothing is written that was not asked for.
. "$(dirname "$0")/../lib.sh"

source=$(cd "$(dirname "$0")/../.." && pwd)
build=${VNAS%/installed/*}
documents() {
	find "$source/docs" "$source/README.md" -type f -exec sha256sum {} +
}

# bench OPTION…: as a user calls it, which makes a host of its own.
bench() {
	env -u VNAS_TEST_DIR -u VNAS_PREFIX VNAS_BENCH_PATIENCE="${patience:-10}" VNAS_BENCH_BUILD="$build" "$source/tools/bench" --no-deps "$@"
}

documents >"$T/before"
check_status "an unknown case is refused" 2 'no case is named nonsense: expected storage' bench nonsense
check_status "an unknown option is refused" 2 '^usage: tools/bench' bench --nonsense
check_status "the cases are listed with their bounds" 0 '^density +[0-9]+ s +[0-9]+ s' bench --list

if bench --quick --json density >"$T/out.json" 2>"$T/err"; then
	ok "a case runs"
else
	not_ok "a case runs" "$(tail -n 20 "$T/err")"
fi
check "every result has its names, ratio and interval, or a reason" jq -en 'input | 
	(.results | length > 5) and all(.results[];
		(.case | type == "string") and (.stack | type == "string") and (.peer | type == "string") and
		has("ratio") and has("low") and has("high") and has("goal") and
		(.verdict | IN("met", "missed", "none", "not run")) and
		(if .verdict == "not run" then .reason != "" else .rounds > 0 and (.value | type == "number") end) and
		(if .ratio == null then true else .low <= .ratio and .ratio <= .high end))' "$T/out.json"
check "all of it was measured" jq -en 'input | all(.results[]; .verdict != "not run")' "$T/out.json"
check "a second server costs the same programs" jq -en 'input | .results[] |
	select(.case == "density/memory-programs" and .stack == "vsv-10") | .value > 0 and .value < 1000' "$T/out.json"
check "the machine is named" jq -en 'input | .machine | .processors > 0 and .kernel != "" and .cpu != "" and .memory_bytes > 0' \
	"$T/out.json"
check "the circumstances are named" jq -en 'input | .cases | length == 1 and (.[0] | .name == "density" and .quick and .load >= 0 and .machine.kernel != null)' \
	"$T/out.json"

# Without patience a case has a second.
late() {
	patience=0 bench --quick --json density 2>"$T/err"
}
status=0
late >"$T/late.json" || status=$?
check_eq "a case that is not through in its time has failed" "$status" 1
check "that is said" grep -q '^tools/bench: density did not come to its end in 1 s' "$T/err"
check "and stands in its results" jq -e 'any(.results[]; .verdict == "not run" and .reason == "the rest did not come to its end in 1 s")' \
	"$T/late.json"

# --- medians and verdicts, from samples whose answer is known -----------------------------------------------------------

printf '%s\n' 'fast a b ratio <= 1.15' 'slow a b ratio <= 1.15' 'wide a b ratio >= 0.99' 'one a - value <= 350' \
	'more a b added <= 0.2' >"$T/goals"
for i in 1 2 3 4 5 6 7 8 9; do
	printf 'sample\tfast\ta\tb\tms\t%s\t10\n' "10.$i"
	printf 'sample\tslow\ta\tb\tms\t%s\t10\n' "12.$i"
	printf 'sample\twide\ta\tb\tMiB/s\t%s\t10\n' "$((5 + i))"
	printf 'sample\tone\ta\t-\tKiB\t%s\t-\n' "$((340 + i))"
	printf 'sample\tmore\ta\tb\tus\t%s\t1\n' "1.2$i"
done >"$T/samples"
printf 'absent\tnone\ta\tb\tthis machine has no such thing\n' >>"$T/samples"
printf 'absent\tnoise\ta\tb\tit ended with \033\377, and %01000dé\nremark\tnoise\ta\tb\t\377\n' 0 >>"$T/samples"
"$build/bench/bench-stat" "$T/goals" <"$T/samples" >"$T/stat.json"
verdict() {
	jq -r --arg c "$1" '.[] | select(.case == $c) | "\(.verdict) \(.sure) \(.ratio) \(.low) \(.high)"' "$T/stat.json"
}
# Of nine, the 2nd to the 8th hold the median with 96 %.
check_eq "within the goal" "$(verdict fast)" "met true 1.05 1.02 1.08"
check_eq "the whole interval misses it" "$(verdict slow)" "missed true 1.25 1.22 1.28"
check_eq "the better end reaches it" "$(verdict wide)" "met false 1 0.7 1.3"
check_eq "what has no peer is held against its limit" "$(verdict one)" "met true 0.985714 0.977143 0.994286"
check_eq "why one could not be measured, whatever bytes it said" "$(jq -r '.[] | select(.case == "noise") |
	"\(.verdict) \(.reason[:16]) \(.reason[-2:]) \(.remarks[0])"' "$T/stat.json")" "not run it ended with ?? 0? ?"
check_eq "what is added" "$(verdict more)" "missed true 1.25 1.22 1.28"
check_eq "what did not run" "$(jq -r '.[] | select(.case == "none") | .reason' "$T/stat.json")" "this machine has no such thing"
check_status "a sample that is none is refused" 1 'this is no sample: sample.x' \
	bash -c "printf 'sample\\tx\\n' | $build/bench/bench-stat $T/goals"
echo 'fast a b ratio 3' >"$T/bad-goals"
check_status "a goal that is none is refused" 1 'bad-goals:1: expected' "$build/bench/bench-stat" "$T/bad-goals" </dev/null

documents >"$T/after"
check "no document was written" cmp "$T/before" "$T/after"
done_testing
