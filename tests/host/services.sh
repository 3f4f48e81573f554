#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# [service NAME]: what PID 1 does with any program: start, stop, change by reload, restart after a failure, rights and users;
# and what is refused.  services-remote.sh has sshd and rsync's daemon.
. "$(dirname "$0")/../lib.sh"

# service_set NAME SECTION TEXT: the section in place of the one that is there.
service_set() {
	local file="$ETC/$1.conf"

	awk -v section="[service $2]" '$0 == section { skip = 1; next } /^\[/ { skip = 0 } !skip' "$file" >"$T/conf.new"
	[[ -z ${3:-} ]] || printf '[service %s]\n%s\n' "$2" "$3" >>"$T/conf.new"
	cp "$T/conf.new" "$file"
}

# state_of SERVER SERVICE FIELD
state_of() {
	server_json "$1" ".services[] | select(.name == \"$2\") | .$3"
}

runs() {
	[[ $(state_of "$1" "$2" state) == running ]]
}

# --- any program ------------------------------------------------------------------------------------------------------------

plain_vsv v1 11
plain_vsv v2 12
vnas start v2
common=$(server_json v2 .template)
service_set v1 bell $'command = /usr/bin/sleep 1000'
check "start with a service" vnas start v1
check "it runs" runs v1 bell
check_json "status has pid, uptime, restarts and last exit" '.servers[0].services[] | select(.name == "bell") |
	.pid > 0 and .uptime_seconds >= 0 and .restarts == 0 and .last_exit == null' vnas status v1 --json
check_eq "without packages it shares the common template" "$(server_json v1 .template)" "$common"
pid=$(state_of v1 bell pid)
check_eq "it has no capabilities" "$(awk '/^Cap(Eff|Bnd|Amb)/ { print $2 }' "/proc/$pid/status" | sort -u)" 0000000000000000
check_eq "no new privileges, two filters" "$(awk '/^(NoNewPrivs|Seccomp_filters)/ { print $2 }' "/proc/$pid/status" | paste -sd' ')" "1 2"

kill -KILL "$pid"
came_back() { runs "$1" "$2" && [[ $(state_of "$1" "$2" restarts) == 1 ]]; }
check "it comes back" eventually 60 came_back v1 bell
check_eq "status tells how it ended" "$(state_of v1 bell last_exit)" "signal 9"

# Changed on the running server.
pid=$(state_of v1 bell pid)
check "reload without a change" vnas reload v1
check_eq "leaves it alone" "$(state_of v1 bell pid)" "$pid"
service_set v1 bell $'command = /bin/bash -c "trap \\"echo told; exit 3\\" USR1; echo two\'  \'words $(id) $HOME; while :; do sleep 0.1; done"\nstop signal = USR1\nuser = nobody\ncapabilities = net_bind_service kill'
check "reload with another command" vnas reload v1
check "another process runs" test "$(state_of v1 bell pid)" != "$pid"
pid=$(state_of v1 bell pid)
check_eq "as the user" "$(awk '/^Uid/ { print $2, $3, $4, $5 }' "/proc/$pid/status")" "65534 65534 65534 65534"
check_eq "with its capabilities, and no other" \
	"$(awk '/^Cap(Inh|Prm|Eff|Bnd|Amb)/ { print $2 }' "/proc/$pid/status" | sort -u)" 0000000000000420
check "its words are as they were quoted, and went through no shell of ours" eventually 60 \
	bash -c "'$VNAS' logs v1 | grep -qE 'bell: two  words uid=65534\(nobody\).* /nonexistent'"
service_set v1 bell
check "reload without it" vnas reload v1
check_eq "it is gone" "$(server_json v1 '.services | length')" 0
refute "and its process" test -d "/proc/$pid"
check "it was told by its signal" eventually 60 bash -c "'$VNAS' logs v1 | grep -q 'bell: told'"
check_json "nothing is said to be wrong" '.servers[0].warnings | map(select(test("service"))) | length == 0' vnas status v1 --json
# Many come and go: PID 1 has 32 places.
for i in $(seq 1 40); do
	service_set v1 "s$((i - 1))"
	service_set v1 "s$i" 'command = /usr/bin/sleep 1000'
	vnas reload v1 || not_ok "reload $i"
done
check_eq "the 40th runs" "$(server_json v1 '.services | map(.name + " " + .state) | join(" ")')" "s40 running"
service_set v1 s40

# What listens on all addresses ends with the first of them: it is begun again, and waited for like Samba.
vnas exec v1 -- sh -c 'cat >/root/probe && chmod 755 /root/probe' <"$PROBE"

# With the right to chroot(2) one comes to the Vsv's own root, and not to the folder that it lies over.
service_set v1 climber $'command = /bin/sh -c "/root/probe climb; exec sleep 1000"\ncapabilities = sys_chroot'
check "reload with one that may chroot" vnas reload v1
climbed() { vnas logs v1 | grep -q 'climber: climb '; }
check "it climbs" eventually 60 climbed
check_eq "and comes to its own root" "$(vnas logs v1 | sed -n 's/.*climber: climb //p' | head -n 1)" ok
service_set v1 climber
check "reload without it" vnas reload v1

service_set v1 late $'command = /bin/bash -c "sleep 1.5; exec /root/probe listen_port=7044 serve"\nready = tcp:7044'
check "reload with one that is slow to listen" vnas reload v1
for i in 1 2 3; do
	kill -KILL "$(state_of v1 late pid)"
	ended() { [[ $(state_of v1 late restarts) == "$i" ]] && runs v1 late; }
	check "it ended $i times" eventually 10 ended
done
check "a second address" vnas address add v1 "$NET4.21/24"
check "the first one goes" vnas address remove v1 "$NET4.11"
check "the slow one answers when the command ends" timeout 15 bash -c "exec 3<>/dev/tcp/$NET4.21/7044"
check_eq "an end of long ago is no reason to give up" "$(state_of v1 late restarts)" 3
check "the first one comes back" vnas address add v1 "$NET4.11/24"
check "the second one goes" vnas address remove v1 "$NET4.21"
service_set v1 late
vnas reload v1

# A change that fails leaves what was there.
service_set v1 bell 'command = /usr/bin/sleep 1000'
check "reload" vnas reload v1
pid=$(state_of v1 bell pid)
cp "$ETC/v1.conf" "$T/good.conf"
service_set v1 bad $'command = /bin/false\nready = tcp:4000'
check_status "a service that ends at once" 1 "service bad: bad ended 3 times.*vnas logs v1|bad ended 3 times" vnas reload v1
check_eq "is not left" "$(server_json v1 '.services | map(.name) | join(" ")')" bell
check_eq "the other one never noticed" "$(state_of v1 bell pid)" "$pid"
service_set v1 bad $'command = /usr/bin/sleep 1000\nprepare = /bin/bash -c "echo no such luck; exit 7"'
check_status "a preparation that fails" 1 "service bad: prepare: /bin/bash failed with status 7: no such luck" vnas reload v1
service_set v1 bad $'command = /usr/bin/sleep 1000\nuser = nobodyatall'
vnas reload v1 >/dev/null 2>&1 || true
check "a user that is not there is told in the log" eventually 60 bash -c "'$VNAS' logs v1 | grep -q \"bad: .*find the service's user\""
cp "$T/good.conf" "$ETC/v1.conf"
vnas reload v1

# What is refused.
for bad in 'command = sleep 1' 'command = /usr/../bin/sleep' 'command = /bin/sleep "1' 'command =' \
	$'command = /bin/sleep 1\nready = udp:1' $'command = /bin/sleep 1\nready = tcp:0' \
	$'command = /bin/sleep 1\nready = tcp:65536' $'command = /bin/sleep 1\nuser = 0' $'command = /bin/sleep 1\nuser = a b' \
	$'command = /bin/sleep 1\nstop signal = 9' $'command = /bin/sleep 1\npackage = A_b' 'ready = tcp:1' 'nonsense = 1'; do
	service_set v1 bad "$bad"
	check_status "refused: $(tr '\n' ';' <<<"$bad")" 1 "v1.conf:[0-9]+: " vnas reload v1
done
for cap in sys_admin sys_module net_admin net_raw dac_read_search sys_rawio mknod sys_ptrace sys_resource sys_boot sys_time bpf \
	perfmon syslog CAP_SYS_ADMIN ipc_lock sys_nice; do
	service_set v1 bad $'command = /bin/sleep 1\ncapabilities = setuid '"$cap"
	check_status "refused: $cap" 1 "'$cap', which no service of a virtual server can have: .{10}" vnas reload v1
done
service_set v1 bad $'command = /bin/sleep 1\ncapabilities = setuid nonsense'
check_status "refused: no capability" 1 "'nonsense', which is no capability" vnas reload v1
cp "$T/good.conf" "$ETC/v1.conf"
for name in smbd supervisor 'a b' '../x' ''; do
	conf_add v1 "[service $name]"$'\ncommand = /bin/sleep 1'
	check_status "refused: a service named '$name'" 1 "v1.conf:[0-9]+: " vnas reload v1
	cp "$T/good.conf" "$ETC/v1.conf"
done
service_set v1 bad $'command = /usr/sbin/sshd -D'
check_status "a program that is in no package of the template" 1 "service bad: /usr/sbin/sshd is in no package" vnas reload v1
check_status "names the package" 1 "package = openssh-server" vnas start v1 --dry-run
service_set v1 bad $'command = /usr/bin/nothing\npackage = no-such-package'
check_status "a package that is not installed" 1 "not installed: no-such-package" vnas start v1 --dry-run
service_set v1 bad $'command = /usr/bin/python3\npackage = python3'
vnas stop v1
check_status "a package that no template can have" 1 "python3 is none that a template can have" vnas start v1
service_set v1 bad $'command = /srv/no-such-program'
check_status "a program that is not there" 1 "service bad: cannot start service bad: No such file" vnas start v1
cp "$T/good.conf" "$ETC/v1.conf"
# A failed start leaves its log.
service_set v1 bad $'command = /bin/bash -c "echo famous last words; exit 1"\nready = tcp:4000'
check_status "a start that fails" 1 "vnas logs v1" vnas start v1
check "what it said can be read" bash -c "'$VNAS' logs v1 | grep -q 'bad: famous last words'"
cp "$T/good.conf" "$ETC/v1.conf"

# PID 1 alone keeps it.
vnas start v1
kill -KILL "$(server_json v1 .supervisor_pid)"
kill -KILL "$(state_of v1 bell pid)"
check "without a supervisor it comes back too" eventually 60 runs v1 bell

# A flood into the log costs the Psv half a MiB a second, and nobody else's lines.
conf_add v1 $'[limits]\nlog = 1M'
vnas start v1
service_set v1 noisy 'command = /usr/bin/yes "a line that nobody wants to read"'
"$VNAS" logs v1 -f --since now >"$T/followed" &
follower=$!
check "reload with a noisy one" vnas reload v1
sleep 4
service_set v1 noisy
check "reload without it" vnas reload v1
check "the log kept to its bound" test "$(stat -c %s "$LIB/servers/v1/log" "$LIB/servers/v1/log.1" | awk "{ n += \$1 } END { print n }")" -le 1048576
check "it says what was lost" bash -c "'$VNAS' logs v1 | grep -q 'lines were lost'"
vnas exec v1 -- useradd --no-create-home latecomer
check "-f followed over the rotations" eventually 60 grep -q 'name=latecomer' "$T/followed"
kill $follower
wait $follower 2>/dev/null || true

done_testing
