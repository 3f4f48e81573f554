#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: plain
# The ground that the tests of this tier stand on: guests start, do what they are told, say how it went, and leave nothing.
. "$(dirname "$0")/../uml.sh"

guest_add c1 101
guest_add c2 102

# status_of COMMAND…
status_of() {
	local status=0

	"$@" >"$T/out" 2>&1 || status=$?
	echo $status
}

check_eq "a job's status" "$(status_of guest c1 sh -c 'exit 7')" 7
check_eq "what it says, on both streams" "$(guest c1 sh -c 'echo one; echo two >&2')" $'one\ntwo'
check_eq "arguments arrive as they are" "$(guest c1 printf '<%s>' 'a  b' "'" '$HOME' '' '*')" "<a  b><'><\$HOME><><*>"
check_eq "a kernel of its own" "$(guest c1 uname -n)-$(guest c2 uname -n)" c1-c2
refute "its root is only read" guest c1 touch /etc/from-the-guest
check "it reaches the host over IPv4" guest c1 bash -c "exec 3<>/dev/tcp/$NET4.1/1 || [[ \$? == 1 ]]"
socat -u "EXEC:echo here" "TCP6-LISTEN:4000,bind=[$NET6:1],reuseaddr" &
check_eq "and over IPv6" "$(listening psv t 4000 && guest c2 bash -c "exec 3<>/dev/tcp/$NET6:1/4000; cat <&3")" here
wait $! || true

guest_begin c1 slow bash -c 'until [[ -e /run/go ]]; do sleep 0.1; done; echo gone'
check_eq "jobs run beside one another" "$(guest c1 sh -c 'touch /run/go; echo first')" first
check_eq "and are waited for by name" "$(guest_end c1 slow)" gone
check_eq "one that does not end is told" "$(JOB_LIMIT_S=1 status_of guest c1 sleep 30)" 124
check "with what the kernel waits for" grep -q "Show Blocked State" "$T/out"

guest_session c1 s
check "a session opens a file" ask c1 s open f /run/file rw create
check "and writes" ask c1 s write f 0 word
check_eq "and reads" "$(ask c1 s read f 0 10)" word
check_eq "errors have their names" "$(ask c1 s open g /run/none)" "error ENOENT"
check_eq "what it does not know" "$(ask c1 s dance g)" "error: not understood"
guest_session c1 t
check "locks are a process's" ask c1 s lock f w 0 10
ask c1 t open f /run/file rw
check_eq "another one does not get them" "$(ask c1 t lock f w 9 1)" "error EAGAIN"
check_eq "and sees whose they are" "$(ask c1 t test f w 9 1)" "w 0 10"

guest c1 mkdir /run/work
for kind in create-exclusive rename; do
	load_begin c1 $kind /run/work $kind
	sleep 0.3
	check "load: $kind" load_end c1 $kind
	check "load: $kind was done" grep -qE "^$kind: rounds=[1-9]" "$T/guests/c1/$kind.out"
done 2>/dev/null
load_begin c1 bad /run/none create
check_eq "load: a folder that is not there" "$(status_of load_end c1 bad)" 2

# runs PID: and is not a dead one that nobody has waited for.
runs() {
	grep -qE '^State:[[:space:]]*[^Z]' "/proc/$1/status"
}
kernel=$(guest_kernel c1)
check "its kernel is a process" runs "$kernel"
guest_kill c1
check "one that was pulled is gone" eventually 60 eval '! runs "$kernel"'
refute "and its device" ip link show t-c1
kernel=$(guest_kernel c2)
guest_off c2
check "one that was ended too" eventually 60 eval '! runs "$kernel"'
guest_add c1 101
check "it starts again" guest c1 true
guest c1 sh -c 'echo o >/proc/sysrq-trigger' >/dev/null || true
check_eq "one that died is told" "$(status_of guest c1 true)" 124
guest_add c2 102

guests_remove
none_runs() {
	! pgrep -x -r D,R,S,T linux.uml
}
check "nothing of them runs" eventually 60 none_runs
done_testing
