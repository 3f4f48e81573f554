#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas verify: Vsv of both stacks, all pairs; what is opened is seen; a hostile inside ends it and never makes it pass.
. "$(dirname "$0")/../lib.sh"

# A link of the Psv's on which no server stands, with a network of its own.
ip link add elsewhere type veth peer name far
ip link set elsewhere up
ip address add 203.0.113.1/24 dev elsewhere
ip neigh add "$NET4.77" lladdr 02:00:00:00:00:77 dev elsewhere nud permanent
plain_vsv a 11 --volume data=32M
plain_vsv b 12
plain_vsv c 13 --stack private --interface lan
sed -i '/^\[server\]/a deny = 198.51.100.0/24\ndeny = 2001:db8:bad::/48' "$ETC/a.conf"
check_status "none runs" 3 'start them' vnas verify
check_status "no such one" 4 'vnas list' vnas verify nobody
# Without it there is no group that it may use, and so none to use wrongly.
sed -i '/^\[server\]/a discovery = wsd' "$ETC/b.conf"
vnas start a b
check_status "one that does not run" 3 'start it: vnas start c' vnas verify c

# run ARGUMENTS…: into $T/probes, the status into $status.
run() {
	status=0
	vnas verify --json "$@" >"$T/probes" 2>"$T/stderr" || status=$?
}
# probes NAME FILTER: what a jq filter says of the list is true.
probes() {
	if jq -e ".probes | $2" "$T/probes" >/dev/null 2>"$T/jq"; then
		ok "$1"
	else
		not_ok "$1" "$2"$'\n'"$(jq -c '.probes[] | select(.verdict != "refused" and .verdict != "control")' "$T/probes" 2>&1 | head -30)$(cat "$T/jq" "$T/stderr")"
	fi
}
through='map(select(.verdict == "through")) | length == 0'

# --- two in the shared stack ---
begin=${EPOCHREALTIME/./}
run
note "two: $(((${EPOCHREALTIME/./} - begin) / 1000)) ms"
check_eq "nothing gets through in the shared stack, and names of abstract sockets are open" "$status" 7
probes "nothing is through" "$through"
probes "what is open is known" 'map(select(.verdict == "open") | .probe) | unique - ["abstract", "abstract-squat"] == []'
probes "what is visible is the network" 'map(select(.verdict == "visible") | .row) | unique == ["see-network"]'
probes "every entry is whole" 'all(.[]; (.probe and .row and .interference and .server and .against and .expected and .answer and .verdict) and
	([.verdict] | inside(["refused", "control", "visible", "open", "through"])))'
probes "all pairs" '[.[] | select(.probe == "bind-tcp") | .server + .against] | sort == ["ab", "apsv", "ba", "bpsv"]'
vnas verify --dry-run --json >"$T/list"
tried=$(jq -c '[.probes[].probe] | unique' "$T/list")
# No System V memory of the Psv's stands here, and each row must have been tried by something.
probes "every probe was tried" "($tried - (map(.probe) | unique)) - [\"ipc-keys\"] == []"
rows=$(jq -c '[.probes[].row] | unique' "$T/list")
probes "every row was tried in a" "$rows - (map(select(.server == \"a\") | .row) | unique) == []"
probes "deny" 'map(select(.server == "a" and .row == "deny")) | length == 2 and all(.verdict == "refused" and .answer == "EPERM")'
probes "what is seen of others' network" 'map(select(.probe | test("^see-(addresses|links|neighbours|routes|rules)$"))) |
	(map(.probe) | unique | length) == 5 and all(.verdict == "visible")'
probes "by another link" 'map(select(.probe == "source-interface")) | length == 2 and all(.verdict == "refused" and .answer == "EPERM")'
probes "the broadcast addresses of other networks" 'map(select(.probe == "send-broadcast-others")) | length == 2 and
	all(.verdict == "refused" and (.answer | test("^E(PERM|ACCES)")))'
probes "options that are for nobody" 'map(select(.probe | test("^option-(zerocopy|flow-label|protocol)$"))) | length == 6 and
	all(.verdict == "refused" and .answer == "EPERM")'
probes "every control succeeded" 'map(select(.expected == "succeeds" and .verdict != "control")) == []'
check_json "that it ran is an event" '.events | map(select(.event == "verify")) | length == 1' vnas events --json
check_json "what was refused to it is told by its name" '[.events[] | tostring] | any(contains("vnas-prober"))' vnas events a --json
# Two at once take turns: what one of them has on the physical server the other would wonder at.
vnas verify --json >"$T/second" 2>/dev/null &
run
wait $! || second=$?
check_eq "two at once" "$status ${second:-0}" "7 7"
probes "nothing is through of two at once" "$through"
check "nor in the other" jq -e ".probes | $through" "$T/second"
run b
probes "one alone is tried against all" '[.[] | select(.probe == "signal") | .server + .against] | sort == ["ba", "bpsv"]'

# --- a stack of its own beside them ---
vnas start c
run
check_eq "with a private stack nothing gets through either" "$status" 7
probes "nothing is through" "$through"
probes "the network's view is closed to it" 'map(select(.server == "c" and .row == "see-network" and .verdict != "refused")) == []'
probes "and so are abstract sockets" 'map(select(.server == "c" and .row == "abstract" and .verdict != "refused" and .verdict != "control")) == []'
run c
check_eq "of a private stack alone all is refused" "$status" 0
check_status "the matrix" 7 '^ROW +a +b +c' vnas verify
vnas stop c

# --- live service: what is opened on purpose is told from what is not ---
sed -i '/^\[server\]/a peer = psv' "$ETC/b.conf"
vnas reload b
run
probes "peer is allowed" 'map(select(.server == "b" and .against == "psv" and .probe == "connect-psv")) | .[0].verdict == "control" and .[0].expected == "allowed by peer"'
probes "for that one alone" 'map(select(.server == "a" and .against == "psv" and .probe == "connect-psv")) | .[0].verdict == "refused"'
probes "nothing is through" "$through"

# --- the report: who has it has the same, and whoever changes it is found ---
status=0
vnas verify --report "$T/report" >/dev/null || status=$?
check_eq "with a report" "$status" 7
key=$(vnas verify --public-key)
check_eq "its key is root's alone" "$(stat -c %a "${key%.pub}.pem")" 600
check "the report is good" vnas verify --check "$T/report" --key "$key"
# What is below $T is root's alone.
mount -t tmpfs -o mode=755 none /mnt
install -m 644 "$key" "$T/report" /mnt
install -m 755 "$VNAS" /mnt/vnas
check "also without rights" setpriv --reuid 65534 --regid 65534 --clear-groups env -u VNAS_PREFIX /mnt/vnas verify \
	--check /mnt/report --key /mnt/key.pub
umount /mnt
check_json "and says what it is of" '.report | .vnas_report == 1 and (.configurations | map(.server) == ["a", "b"]) and .exit_status == 7' \
	vnas verify --check "$T/report" --key "$key" --json
check_eq "jq reads it" "$(jq -r '.signature // empty' "$T/report")" ed25519
size=$(stat -c %s "$T/report")
for at in 0 100 $((size / 3)) $((size / 2)) $((size - 300)) $((size - 200)) $((size - 100)) $((size - 3)); do
	cp "$T/report" "$T/changed"
	printf '~' | dd of="$T/changed" bs=1 seek=$at conv=notrunc 2>/dev/null
	check_status "a change at byte $at" 1 'changed|no report' vnas verify --check "$T/changed" --key "$key"
done
head -c $((size - 1)) "$T/report" >"$T/changed"
check_status "cut short" 1 'no report' vnas verify --check "$T/changed" --key "$key"
openssl genpkey -algorithm ED25519 -out "$T/other.pem" 2>/dev/null
openssl pkey -in "$T/other.pem" -pubout -out "$T/other.pub"
check_status "another key" 1 'another key' vnas verify --check "$T/report" --key "$T/other.pub"
check_status "no key" 2 'needs --key' vnas verify --check "$T/report"
vnas verify b --report "$T/report2" >/dev/null || true
check_eq "the second names the first" "$(jq -rs '.[0] | "\(.number) \(.previous_sha256)"' "$T/report2")" "2 $(sha256sum <"$T/report" | cut -c 1-64)"
rm -r "${key%/*}"

# --- a hostile inside ---
# bounded NAME: verify ends, says open, and not that all is well.
bounded() {
	local begin=$SECONDS

	run a
	check "$1: it ends" test $((SECONDS - begin)) -le 45
	check "$1: it is not passed" test "$status" -eq 7 -o "$status" -eq 1
	probes "$1: nothing is through" "$through"
}
# hunt SIGNAL: it comes to all that runs there, again and again.
hunt() {
	"$VNAS" exec a -- sh -c "while :; do kill -$1 -1; done" >/dev/null 2>&1 &
	hunter=$!
	sleep 0.5
}
unhunt() {
	kill $hunter 2>/dev/null || true
	wait $hunter 2>/dev/null || true
	sleep 0.3
}
hunt KILL
bounded "the prober is killed"
probes "killed: nothing that it did not say counts as refused" 'map(select(.verdict == "refused" and (.answer | startswith("no answer")))) == []'
probes "killed: rows are open" 'map(select(.verdict == "open")) | length > 10'
unhunt
hunt STOP
bounded "the prober is stopped"
unhunt
# Every process that it may have.
"$VNAS" exec a -- sh -c 'while :; do sleep 1000 & done' >/dev/null 2>&1 &
filler=$!
sleep 2
bounded "no process is free"
kill $filler 2>/dev/null || true
wait $filler 2>/dev/null || true
eventually 60 vnas exec a -- true
# Full disks, and files in the way.
vnas exec a -- sh -c 'for d in /root /srv/data /tmp /run /dev/shm; do dd if=/dev/zero of=$d/full bs=64k 2>/dev/null; done; rm -f /etc/passwd; true' || true
bounded "every disk is full"
vnas exec a -- true 2>/dev/null || true

# --- a kill leaves nothing: the library looks at the end ---
for delay in 0.02 0.1 0.2 0.3; do
	"$VNAS" verify >/dev/null 2>&1 &
	victim=$!
	sleep $delay
	kill -KILL $victim 2>/dev/null || true
	wait $victim 2>/dev/null || true
done
sleep 0.3
check_eq "a kill leaves no socket" "$(ss -Hlnx | grep -c vnas-verify || true)" 0
check "and no process" eventually 60 bash -c "! ls -l /proc/*/exe 2>/dev/null | grep -q 'memfd:vnas-prober'"
run b
check_eq "and the next one runs" "$status" 7
ip link del elsewhere
done_testing
