# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Installs vnas, and runs two servers on cgroup v2 and systemd.  Sourced by guest.sh; ends with a reboot.

# --- the machine is what this test is for ---
check_eq "the kernel is Linux 6.1" "$(uname -r | cut -d. -f1-2)" 6.1
check_eq "PID 1 is systemd" "$(cat /proc/1/comm)" systemd
check_eq "cgroup v2 is alone" "$(findmnt -nro FSTYPE -t cgroup,cgroup2 | paste -sd' ')" cgroup2
# --- installation ---
check "install" tools_install
check_eq "vnas is in the path" "$(type -P vnas)" "$VNAS"
check_eq "vnas.target is enabled" "$(systemctl is-enabled vnas.target)" enabled
check "systemd knows the units" systemctl cat vnas@a.service vnas.target vnas-shutdown.service
minutes
check_eq "vnas is not linked against what is not here" "$(ldd "$VNAS" | grep 'not found' || true)" ""
minutes
host_add client1 101
machine_state | sort >"$T/machine.begin"

status=0
vnas doctor --json >"$T/doctor" || status=$?
check_eq "doctor: this kernel cannot enforce all rows" $status 7
check_eq "but all but this one" "$(jq -r '[.probes[] | select(.interference and .probe != "see-network" and .state != "enforceable") |
	"\(.probe) \(.state)"] | join(", ")' "$T/doctor")" "abstract private"

check "template build" vnas template build
minutes

# --- two servers with the same share and the same user ---
for v in a b; do
	number=$([[ $v == a ]] && echo 11 || echo 12)
	check "create $v" vsv $v "$number" --volume data=32M --hostname "files$v"
	conf_add $v $'[limits]\nmemory = 96M\ntasks = 128'
	check "start $v" vnas start $v
	check "user add $v" vnas user add $v alice --password-stdin <<<"pw-$v"
	check "share add $v" vnas share add $v docs --path /srv/data/docs --write alice
	minutes
done
check_json "both run, smbd is up" '[.servers[] | select(.state == "running") | .services[] | select(.state == "running")] | length >= 2' \
	vnas status --json
for v in a b; do
	number=$([[ $v == a ]] && echo 11 || echo 12)
	echo "hello from $v" >"$T/$v"
	check "a client writes to $v" smb client1 "$NET4.$number" docs alice "pw-$v" "put $T/$v where"
done
for v in a b; do
	number=$([[ $v == a ]] && echo 11 || echo 12)
	check "a client reads from $v" smb client1 "$NET4.$number" docs alice "pw-$v" "get where $T/got"
	check_eq "$v has its own file" "$(cat "$T/got")" "hello from $v"
done
refute "the other department's password is refused" smb client1 "$NET4.11" docs alice pw-b ls
check "over IPv6" smb client1 "$NET6:11" docs alice pw-a ls
minutes

# --- limits, which v2 enforces here ---
check_json "status says that memory and tasks are enforced" \
	'.servers[0].limits | .memory.enforced and .tasks.enforced and .memory.max == 100663296 and .tasks.max == 128' \
	vnas status a --json
check_eq "memory.max" "$(cat "$CG/a/memory.max")" $((96 << 20))
check_eq "pids.max" "$(cat "$CG/a/pids.max")" 128
all_pages=$(($(cat "$CG/memory.max") / 4096))
check_eq "the memory of all sockets is bounded by the control groups alone" \
	"$(awk -v n=$all_pages '$1 >= n && $3 >= n { print FILENAME }' /proc/sys/net/ipv4/{tcp,udp}_mem | wc -l)" 2
# A memory hog: tail keeps a line without end in memory.
refute "a memory hog is killed" timeout 120 "$VNAS" exec a -- sh -c 'tail /dev/zero >/dev/null'
check "by its own limit" grep -qE '^oom_kill [1-9]' "$CG/a/memory.events"
# shellcheck disable=SC2016
timeout 60 "$VNAS" exec a -- sh -c 'i=0; while [ $i -lt 200 ]; do sleep 20 & i=$((i + 1)); done' >/dev/null 2>&1 || true
check "a fork bomb meets its limit" grep -qE '^max [1-9]' "$CG/a/pids.events"
check "the neighbour serves" smb client1 "$NET4.12" docs alice pw-b ls
check "the Psv forks" true
check "the attacked one serves again" eventually 90 smb client1 "$NET4.11" docs alice pw-a ls
minutes

# systemd rewrites what it enables below the root group when units come and go: not what vnas needs.
systemctl daemon-reload
check "a transient unit" systemd-run --quiet --wait true
check_eq "the limits stay through a daemon-reload" "$(cat "$CG/a/memory.max" "$CG/a/pids.max" | paste -sd' ')" "$((96 << 20)) 128"

check "weights, bounds and reserves" env -u VNAS_TEST_DIR VNAS_TEST_CACHE="$LIB" bash "$SOURCE/tests/host/resources.sh"
minutes

# --- the supervisor ---
check "the supervisor is killed" kill -KILL "$(server_json b .supervisor_pid)"
check "and its server serves" smb client1 "$NET4.12" docs alice pw-b ls
check "start gives it a new one" vnas start b
check "which lives" test -e "/proc/$(server_json b .supervisor_pid)/exe"

check "stop" vnas stop a b
nothing_left "stop leaves nothing"
minutes

# --- started by systemd: what is left behind must outlive the unit that started it ---
check "start in a transient unit" systemd-run --quiet --wait --service-type=oneshot "$VNAS" start a
check_eq "it runs when the unit is over" "$(server_json a .state)" running
[[ $(server_json a .state) == running ]] || note "$(vnas logs a --lines 20; journalctl --quiet --lines 20)"
check "its supervisor lives" test -e "/proc/$(server_json a .supervisor_pid)/exe"
check "it serves" smb client1 "$NET4.11" docs alice pw-a ls
minutes
check "stop in a transient unit" systemd-run --quiet --wait "$VNAS" stop a
nothing_left "that leaves nothing either"
minutes

# --- a hostile root inside: what may differ from a newer kernel ---
if [[ -x $PROBE ]]; then
	conf_add a $'[smb]\nenabled = no'
	check "start for the probe" vnas start a
	vnas exec a -- sh -c 'cat >/root/probe && chmod 755 /root/probe' <"$PROBE"
	attempts="bind-own4 bind-own6 bind-psv4 bind-other4 bind-other4-freebind bind-other4-transparent socket-raw4 socket-packet connect-psv4
		mount-new open-by-handle signal-psv one-inotify one-epoll"
	sleep 3600 &
	victim=$!
	# shellcheck disable=SC2086
	vnas exec a -- /root/probe own4="$NET4.11" own6="$NET6:11" psv4="$NET4.1" psv6="$NET6:1" other4="$NET4.12" other6="$NET6:12" \
		psv_pid=$victim psv_port=22 $attempts >"$T/inside" </dev/null || true
	while read -r name result; do
		case $name:$result in
		bind-own*:ok | one-*:ok | *:E[A-Z]*) ok "$name: $result" ;;
		*) not_ok "$name: $result" ;;
		esac
	done <"$T/inside"
	check_eq "every attempt was made" "$(wc -l <"$T/inside")" "$(wc -w <<<"$attempts")"
	check "the Psv's process lives" kill $victim
	wait
	# The pid is the Vsv's, which can be told here: this machine's first pid namespace is the Psv's.
	check_json "its refusals were noted" '[.events[] | select(.event == "refused" and .process == "probe")] |
		any(.kind == "bind" and .answer == "EADDRNOTAVAIL" and .psv_pid > 0) and any(.call == "mount" and .pid > 1 and .answer == "EPERM")' \
		vnas events a --json
	check "the journal has them too" eventually 60 bash -c "journalctl -q -t vnas | grep -q 'a: refused: mount by probe'"
	check "stop" vnas stop a
	minutes
fi

. tests/vm/private.sh

# --- what is to be there after a reboot ---
cat >/etc/systemd/system/lan.service <<END
[Unit]
Before=network.target network-online.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/bash -c ". $SOURCE/tests/network.sh; psv_network"
[Install]
WantedBy=multi-user.target
END
systemctl --quiet enable lan.service
sed -i 's/^enabled = no/enabled = yes/' "$ETC/a.conf"
sed -i '/^\[server\]/a autostart = no' "$ETC/b.conf"
check "start by hand, which the reboot stops" vnas start a b
vnas exec b -- sh -c 'echo kept >/srv/data/kept'
reboot_now
