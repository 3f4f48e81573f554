#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tools/conformance with a small choice of Samba's own tests: they pass and fail in a Vsv, in either stack, as on the bare host. And
# what the tool does with a difference, and with arguments that it does not understand. It makes its host itself.
set -eu
cd "$(dirname "$0")/../.."
export LC_ALL=C.UTF-8

suites=(smb2.lock smb2.rename smb2.getinfo)
[[ ! ${VNAS_TEST_ALL:-} ]] || suites+=(smb2.create smb2.read smb2.dir smb2.durable-open smb2.durable-v2-open smb2.notify)

passed=0 failed=0 dir=$(mktemp -d /tmp/vnas-conformance-test.XXXXXX)
tool=''
at_exit() {
	[[ -z $tool ]] || kill -TERM "$tool" 2>/dev/null || true
	wait || true
	rm -rf "$dir"
	echo "$passed passed, $failed failed, 0 skipped"
}
trap at_exit EXIT
trap 'exit 143' INT TERM

# check NAME STATUS WORDS COMMAND…: the command ends so and says that.
check() {
	local name=$1 wanted=$2 words=$3 status=0

	shift 3
	"$@" >"$dir/out" 2>&1 </dev/null &
	tool=$!
	wait "$tool" || status=$?
	tool=''
	if ((status == wanted)) && grep -qE -e "$words" "$dir/out"; then
		passed=$((passed + 1))
		echo "ok    $name"
	else
		failed=$((failed + 1))
		echo "FAIL  $name"
		sed 's/^/    /' "$dir/out"
		echo "    status $status, wanted $wanted and /$words/"
	fi
}

options=()
for suite in "${suites[@]}"; do
	options+=(--suite "$suite")
done
check "nothing differs" 0 '"differences": \[\]' tools/conformance --json "${options[@]}"
cp "$dir/out" "$dir/json"
for place in bare shared private; do
	check "$place: there was something to compare" 0 '^true$' \
		jq -e --arg p "$place" '([.suites[] | select(.place == $p).passed] | add) > 20' "$dir/json"
done

# What is compared, and what is done with it.
printf '%s\t%s\t%s\t%s\n' bare smb2.x one success shared smb2.x one failure bare smb2.x two failure shared smb2.x two failure \
	bare nfs4.0 MKBLK success shared nfs4.0 MKBLK failure bare smb2.x three failure shared smb2.x three success \
	bare smb2.x three success bare smb2.x four success >"$dir/results"
printf '%s\n' '# a note' '' 'nfs4.0 MKCHAR,MKBLK success failure no devices here' >"$dir/expected"
differences=(awk -f tests/conformance/differences.awk "$dir/expected" "$dir/results")
check "another outcome is a difference" 0 "^shared	smb2.x	one	success	failure	\$" "${differences[@]}"
check "one that is expected has its reason" 0 "^shared	nfs4.0	MKBLK	success	failure	no devices here\$" "${differences[@]}"
check "what is missing is one" 0 "^shared	smb2.x	four	success	absent	\$" "${differences[@]}"
check "the second try counts, and the same is none" 0 '^3$' bash -c '"$@" | wc -l' - "${differences[@]}"
echo "nfs4.0 MKBLK success" >"$dir/expected"
check "a line without a reason" 2 "expected: line 1: expected SUITE TEST" "${differences[@]}"

# Arguments.
check "--list" 0 "^smb2.lock\$" tools/conformance --list
check "a suite that is none" 2 "expected a suite of smbtorture" tools/conformance --suite '../x'
check "a stack that is none" 2 "expected shared or private" tools/conformance --stack both
check "no pynfs there" 2 "expected a folder with pynfs" tools/conformance --pynfs "$dir"
check "nothing to run" 2 "leaves nothing to run" tools/conformance --no-smb
check "an unknown option" 2 "unknown argument: --what" tools/conformance --what
check "an option without its value" 2 "wants a value" tools/conformance --suite
check "a table that is not there" 2 "cannot read" tools/conformance --expected "$dir/none"
((failed == 0))
