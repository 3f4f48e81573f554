#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas events: what was refused, to whom, by whom; a flood beside a neighbour; the bound on disk; what syslog hears; and what
# a server's configuration would have to say.
. "$(dirname "$0")/../lib.sh"

# refused SERVER FILTER: a refusal that the jq filter is true of.
refused() {
	vnas events "$1" --json | jq -e "[.events[] | select(.event == \"refused\" and .server == \"$1\" and ($2))] | length > 0"
}

# inside SERVER SCRIPT [PROGRAM]: bash inside, perhaps under another name.
inside() {
	vnas exec "$1" -- "${3:-/bin/bash}" -c "$2"
}

# calls SERVER [TIMES]: mount(2) from inside.
calls() {
	inside "$1" "for ((i = 0; i < ${2:-1}; i++)); do /srv/probe mount-new; done >/dev/null"
}

# reach SERVER ADDRESS PORT [TIMES]: connects from inside, without a process each.
reach() {
	inside "$1" "for ((i = 0; i < ${4:-1}; i++)); do : </dev/tcp/$2/$3; done; true" 2>/dev/null
}

# What the Psv's syslog would get.
mkdir -p "$PREFIX/dev"
socat -u "UNIX-RECV:$PREFIX/dev/log" "OPEN:$T/syslog,creat,append" &
syslog=$!

plain_vsv a 11
plain_vsv b 12
for v in a b; do
	vnas start $v
	vnas exec $v -- sh -c 'cat >/srv/probe && chmod 755 /srv/probe' <"$PROBE"
done
read -r device node < <(losetup --list --noheadings --output MAJ:MIN,NAME,BACK-FILE | awk -v p=/a.root.img 'index($3, p) { print $1, $2; exit }')

# --- each kind, with what was asked, who asked and what was answered ---
check_json "nothing was refused so far" '[.events[] | select(.event == "refused")] == []' vnas events a --json
vnas exec a -- /srv/probe own4="$NET4.11" own6="$NET6:11" psv4="$NET4.1" other4="$NET4.12" other6="$NET6:12" \
	client4="$NET4.101" client_port=7 other_port=9 broadcast4="$NET4.255" own_device="$device" \
	bind-psv4 bind-other6 connect-other4 udp-pktinfo4-other listen-unbound4 socket-raw4 socket-packet option-bindtodevice \
	mount-new bind-broadcast4 >/dev/null </dev/null || true
# There is no node inside that it would refuse: a process of the Psv's goes into the group.
group=$(psv_cgroups "$PREFIX" | while read -r g; do [[ $g != */$(psv_tag "$PREFIX")/a || ! -e $g/cgroup.controllers ]] || echo "$g"; done)
bash -c "echo \$\$ >'$group/cgroup.procs' && : <>$node" 2>/dev/null || true
who='.process == "probe" and .uid == 0'
check "bind" refused a ".kind == \"bind\" and .address == \"$NET4.1\" and .protocol == \"tcp\" and
	.answer == \"EADDRNOTAVAIL\" and .psv_pid > 0 and $who"
check "bind, IPv6" refused a ".kind == \"bind\" and .address == \"$NET6:12\" and .answer == \"EADDRNOTAVAIL\" and $who"
check "connect" refused a ".kind == \"connect\" and .address == \"$NET4.12\" and .port == 9 and .answer == \"EPERM\" and $who"
check "send, by its source" refused a ".kind == \"send\" and .protocol == \"udp\" and .answer == \"EADDRNOTAVAIL\" and $who"
check "listen without an address" refused a '.kind == "bind" and .address == "0.0.0.0" and .answer == null'
check "socket" refused a ".kind == \"call\" and .call == \"socket\" and (.detail | startswith(\"socket inet raw\")) and
	.answer == \"EPERM\" and .pid > 1 and $who"
check "option" refused a '.kind == "call" and (.detail | startswith("setsockopt level 1 option 25 "))'
check "device" refused a ".kind == \"device\" and .device == \"$device\" and .device_type == \"block\" and
	.access == \"read-write\" and .answer == \"EPERM\" and .process == \"bash\""
check "system call" refused a ".kind == \"call\" and .call == \"mount\" and .answer == \"EPERM\" and .pid > 1 and $who"
check_json "one event each" '[.events[] | select(.kind == "device" or .call == "mount") | .count] == [1, 1]' vnas events a --json
check_json "nothing of it is the neighbour's" '[.events[] | select(.event == "refused")] == []' vnas events b --json
check_json "all events have a time, a server and words" \
	'.events | length > 10 and all(.time | test("^20..-..-..T..:..:..[.][0-9]{6}Z$")) and all(.server == "a") and all(.detail | length > 0)' \
	vnas events a --json
check_json "in order" '[.events[].time] | . == sort and length > 12' vnas events --json
check "as a table" grep -qE "^20.* a +refused +mount by probe\[[0-9]+\] of user 0: EPERM$" <(vnas events a)
vnas exec a --user nobody -- /srv/probe socket-packet >/dev/null </dev/null || true
vnas exec a -- mknod /tmp/disk b 8 1 2>/dev/null || true
check "a device node" eventually 60 refused a '.kind == "call" and .process == "mknod" and .answer == "EPERM" and
	(.detail | test("^mknod(at)? block device 8:1 by "))'
check "another user" eventually 60 refused a '.call == "socket" and .uid == 65534'


# --- what an attacker calls itself ---
name=$'\e[2J"\\\n\u009b1'
vnas exec a -- cp /bin/bash "/root/$name"
check "a hostile name tries" inside a ": </dev/tcp/$NET4.12/11; ulimit -c 2; true" "/root/$name"
check "its refusal is there" refused a '.port == 11 and (.process | contains("x1b[2J\"\\"))'
check_eq "and acts on no terminal" "$(vnas events a | LC_ALL=C tr -d '\n\t -~' | LC_ALL=C grep -c .)" 0
check_eq "nor in the file" "$(LC_ALL=C tr -d '\n -~' <"$LIB/servers/a/refusals.jsonl" | wc -c)" 0

# --- which of them ---
check_eq "--lines" "$(vnas events a --json --lines 2 | jq '.events | length')" 2
cut=$(date -u +%Y-%m-%dT%H:%M:%S.%6NZ)
reach b "$NET4.11" 12
check_eq "--since" "$(vnas events a b --since "$cut" --json | jq -r '.events[] | "\(.server) \(.port)"')" "b 12"
check_status "--since nonsense" 2 "is no time: expected" vnas events --since x
check_status "--lines 0" 2 "is no number of events" vnas events --lines 0
check_status "no such server" 4 "there is no such virtual file server" vnas events a nobody
check_status "a wrong name" 2 "" vnas events ../a
check_status "--learn of two" 2 "the name of one virtual file server" vnas events --learn a b
check_status "--learn -f" 2 "goes together with" vnas events --learn a -f

# --- following ---
"$VNAS" events -f >"$T/follow" &
follow=$!
"$VNAS" events b -f --json --lines 1 >"$T/follow.json" &
follow_json=$!
check "-f: what there was" eventually 10 grep -q 'a refused bind' "$T/follow"
reach b "$NET4.11" 13
check "-f: what came" eventually 10 grep -q " b refused connect $NET4.11:13 tcp by bash" "$T/follow"
check "-f --json: a line each" eventually 10 grep -q '"port":13' "$T/follow.json"
check "each is an object" jq -es 'all(.server == "b")' "$T/follow.json"
kill $follow_json

# --- a flood, and the neighbour beside it ---
before=$(vnas events a --json | jq '[.events[] | select(.kind == "connect") | .count] | add')
lines=$(wc -l <"$LIB/servers/a/refusals.jsonl")
reach a "$NET4.12" 14 20000 &
flood=$!
reach b "$NET4.11" 15
check "a neighbour's refusal comes beside a flood" eventually 10 refused b '.port == 15'
wait $flood
sum() { [[ $(vnas events a --json | jq '[.events[] | select(.kind == "connect") | .count] | add') == "$((before + 20000))" ]]; }
check "none of a flood is uncounted" eventually 10 sum
check "and few lines are written of it" test $(($(wc -l <"$LIB/servers/a/refusals.jsonl") - lines)) -lt 120
calls a 300
check "a flood of calls is answered, and counted" eventually 10 refused a '.kind == "call" and (.detail | endswith(" in a flood"))'
check "PID 1 goes on" vnas exec a -- true
calls b
check "the neighbour's calls too" eventually 10 refused b '.call == "mount"'

# --- the supervisor ---
kill -KILL "$(server_json b .supervisor_pid)"
reach b "$NET4.11" 16
vnas exec b -- /srv/probe socket-packet >/dev/null </dev/null || true
check "without a supervisor the gate's notes are there" refused b '.port == 16'
check "with a new one those of the calls" vnas start b
check "are there too" eventually 10 refused b '.call == "socket"'
check_json "once" '[.events[] | select(.port == 16 or .call == "socket") | .count] == [1, 1]' vnas events b --json
kill -KILL "$(server_json b .supervisor_pid)"
reach b "$NET4.11" 17
check "a stop" vnas stop b
check "writes them down first" grep -q '"port":17' "$LIB/servers/b/refusals.jsonl"
check_json "why it stopped" '.events | map(select(.event == "stopped")) | last | .detail == "by command"' vnas events b --json
check "it begins anew" vnas start b
reach b "$NET4.11" 18
check "with its notes" refused b '.port == 18'

# --- services ---
conf_add b $'[service web]\ncommand = /bin/sleep 1000'
vnas reload b
vnas exec b -- /bin/bash -c 'for p in /proc/[0-9]*; do [[ $(<$p/comm) != sleep ]] || kill -KILL ${p#/proc/}; done'
check "a service that died" eventually 10 grep -q ' b service_failed web: signal 9' "$T/follow"
came_back() {
	vnas events b --lines 3 | grep -qE ' b +service_started +web'
}
check "and came back" eventually 10 came_back
kill $follow

# --- syslog ---
reach b "$NET4.11" 19
check "syslog hears of refusals" eventually 15 grep -aq "<29>vnas\[[0-9]*\]: b: refused: connect $NET4.11:19 tcp by bash" "$T/syslog"
check "of services" grep -aq '<29>vnas\[[0-9]*\]: b: service_failed: web: signal 9' "$T/syslog"
check "and of starts" grep -aq '<29>vnas\[[0-9]*\]: b: started: generation' "$T/syslog"
check_eq "nothing in it acts on a terminal" "$(LC_ALL=C tr -d '\n\t -~' <"$T/syslog" | wc -c)" 0
printf '[events]\nsyslog = local3\n' >"$ETC/vnas.conf"
vnas reload b
reach b "$NET4.11" 20
check "under another facility" eventually 15 grep -aq "<157>vnas\[[0-9]*\]: b: refused: connect $NET4.11:20" "$T/syslog"
printf '[events]\nsyslog = no\n' >"$ETC/vnas.conf"
vnas reload b
reach b "$NET4.11" 21
check "or not at all" eventually 15 refused b '.port == 21'
refute "then it is silent" grep -aq "$NET4.11:21" "$T/syslog"
printf '[events]\nsyslog = kern\n' >"$ETC/vnas.conf"
check_status "no facility" 1 "vnas.conf:2: key 'syslog': 'kern' is no facility of syslog: expected no, user" vnas events
printf '[events]\nsyslog = daemon\n' >"$ETC/vnas.conf"
# One that does not read.
kill -STOP $syslog
reach b "$NET4.11" 22 300
check "a syslog that hangs is waited for by nobody" eventually 15 refused b '.port == 22'
kill -KILL $syslog

# --- the bound on disk ---
file=$LIB/servers/a/refusals.jsonl
line=$(head -1 "$file")
yes "$line" | head -c $((4 * 1024 * 1024 - 100)) >"$T/full" || true
cp "$T/full" "$file"
sleep 1.5 # a token is there again
reach a "$NET4.12" 23
check "a full file takes a new one" refused a '.port == 23'
check "and is halved" test "$(stat -c %s "$file")" -lt $((2 * 1024 * 1024 + 4096))
check_eq "the half begins with a whole line" "$(head -1 "$file")" "$line"
check "it is the Psv's alone" test "$(stat -c %a "$file")" = 600
printf '{"time":"2026' >>"$file"
reach a "$NET4.12" 24
check "after a part of a line another begins" refused a '.port == 24'
printf '%s\n' '[]' '{}' '{"time":1}' 'x' '{"time":"2026-01-01T00:00:00Z","server":"a","event":"x","detail":"\u001b[2J","list":[[[1]]]}' >>"$file"
check_json "what is no event is passed over" '[.events[] | select(.event == "x")] | length == 1 and (.[0] | has("list") | not)' \
	vnas events a --json
check_eq "and a hand that wrote there acts on no terminal" "$(vnas events a | LC_ALL=C tr -d '\n\t -~' | wc -c)" 0

# --- what it still needs ---
socat TCP4-LISTEN:5000,fork,reuseaddr OPEN:/dev/null 2>/dev/null &
inside b "timeout 2 bash -c ': </dev/tcp/$NET4.1/5000'; true" 2>/dev/null
vnas exec b -- /srv/probe own4="$NET4.12" own6="$NET6:12" absent4="$NET4.200" broadcast4="$NET4.255" psv4="$NET4.1" \
	bind-absent4-freebind bind-broadcast4 bind-psv4 mount-new >/dev/null </dev/null || true
vnas events b --learn >"$T/learned"
for wanted in 'peer = a' 'peer = psv' "address = $NET4.200/24" 'discovery = netbios'; do
	check "--learn: $wanted" grep -qx "$wanted" "$T/learned"
done
check_json "--learn as JSON" '.steps | length > 4 and any(.key == "peer" and .value == "a" and .count > 0 and .section == "server") and any(.key == null)' \
	vnas events b --learn --json
check "with how often and why" grep -qE "^# [0-9]+ times: connect $NET4.11:[0-9]+ tcp by bash$" "$T/learned"
check "and what nothing allows" grep -qE '^# [0-9]+ times?: mount by probe$' "$T/learned"
check "another's address is not its own" grep -qE "^# 1 time: bind $NET4.1:0 tcp by probe: it is the physical server's$" "$T/learned"
sed -i '/^\[server\]/a deny = 198.51.100.0/24' "$ETC/b.conf"
vnas reload b
sleep 1.5 # a token is there again
reach b 198.51.100.1 445
check "what a line denies needs no other" grep -qx "# 1 time: connect 198.51.100.1:445 tcp by bash: a line with deny says so" \
	<(vnas events b --learn)
check "it can stand in the configuration" bash -c "sed -n '/^\[server\]/,/^# No setting/p' '$T/learned' | grep -v '^\[server\]' >>'$ETC/c.part'"
cp "$ETC/b.conf" "$T/b.conf"
sed -i "/^\[server\]/r $ETC/c.part" "$ETC/b.conf"
rm "$ETC/c.part"
check "and is taken" vnas reload b
check "then it may" inside b "exec 3<>/dev/tcp/$NET4.1/5000"
check_json "what was taken is proposed no more" '.steps | all(.key == null)' vnas events b --learn --json
check_status "--learn of one that was refused nothing" 0 "Nothing was refused" vnas events b --learn --since now

# --- full files: what is read is not held in memory ---
for v in a b; do
	for file in events:1048000 refusals:4194000; do
		awk -v bytes="${file#*:}" -v server=$v 'BEGIN {
			while (n * 190 < bytes)
				printf "{\"time\":\"2026-01-%02dT%02d:%02d:%02d.%06dZ\",\"server\":\"%s\",\"event\":\"refused\",\"detail\":\"%s\",\"count\":1,\"n\":%8d}\n",
					1 + n / 86400, n / 3600 % 24, n / 60 % 60, n % 60, n % 1000000, server, "connect 192.0.2.5:445 tcp by smbd[12] of user 0: EPERM, again and again", n++
		}' >"$LIB/servers/$v/${file%:*}.jsonl"
	done
done
lines=$(cat "$LIB"/servers/[ab]/{events,refusals}.jsonl | wc -l)
# limited ARGUMENTS…: of memory; all of them as objects take twice as much.
limited() { bash -c 'ulimit -v 49152 && exec "$@"' - "$VNAS" events a b "$@"; }
status=0
limited --json >"$T/all.json" || status=$?
check_eq "all of full files" $status 0
check_eq "none is missing" "$(jq '.events | length' "$T/all.json")" "$lines"
check "in order" jq -e '[.events[].time] | . == sort' "$T/all.json"
check_eq "as a table" "$(limited | wc -l)" $((lines + 1))
check_eq "the last ones" "$(limited --lines 3 | wc -l)" 4
done_testing
