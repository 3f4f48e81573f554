#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas logs: what services write and what programs send to syslog, readable at any time, bounded, followed over a rotation.
. "$(dirname "$0")/../lib.sh"

log="$LIB/servers/l1/log"

# has PATTERN: a line of the log.
has() {
	vnas logs l1 | grep -qE -e "$1"
}

plain_vsv l1 11
check_eq "no log before the first start" "$(vnas logs l1)" ""
check "start" vnas start l1
# useradd says by syslog what it did.
check "a program that uses syslog" vnas exec l1 -- useradd --no-create-home before
check "its words are in the log" eventually 60 has \
	'^20..-..-..T..:..:..\.......Z useradd\[[0-9]+\] authpriv\.info: new user: name=before'
check_json "as JSON" '[.lines[] | select(.name == "useradd" and .facility == "authpriv" and .severity == "info" and .pid > 1)]
	| length > 0' vnas logs l1 --json
check_eq "--lines" "$(vnas logs l1 --lines 1 | wc -l)" 1
check_eq "everybody may send" "$(vnas exec l1 -- stat -Lc '%F %a' /dev/log)" "socket 666"

# --since.
cut=$(date -u +%Y-%m-%dT%H:%M:%S.%6NZ)
check "another line" vnas exec l1 -- useradd --no-create-home after
check "is there" eventually 60 has name=after
check_eq "--since: not the earlier one" "$(vnas logs l1 --since "$cut" | grep -c 'user: name=')" 1
check_eq "--since with an offset" \
	"$(vnas logs l1 --since "$(TZ=XYZ-9 date -d "$cut" +%Y-%m-%dT%H:%M:%S.%6N%:z)" | grep -c 'user: name=')" 1
for since in 10m 1h 1d 1w yesterday 2000-01-01; do
	check_eq "--since $since" "$(vnas logs l1 --since $since | grep -c 'user: name=')" 2
done
check_eq "--since now" "$(vnas logs l1 --since now)" ""
for bad in '' x 10 10x -1m 2026-13-01; do
	check_status "--since '$bad'" 2 "is no time: expected" vnas logs l1 --since "$bad"
done
check_status "-f with --json" 2 "do not go together" vnas logs l1 -f --json

vnas stop l1
check "readable when it is stopped" has name=before
check_json "also as JSON" '.lines | length > 2' vnas logs l1 --json
check "the file is the Psv's alone" test "$(stat -c %a "$log")" = 600

done_testing
