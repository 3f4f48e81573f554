#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: plain
# The tests' own ground: the hosts reach one another and nothing else, and the leak check sees what is left.
. "$(dirname "$0")/../lib.sh"

host_add client1 101
host_add client2 102
leak_begin

listen() { # NAME SOCAT-ADDRESS: answers one connection
	on "$1" socat -u "EXEC:echo here" "$2,reuseaddr" &
	listening "$1" t 4000
}

listen client2 "TCP4-LISTEN:4000,bind=$NET4.102"
check_eq "a client reaches another over IPv4" "$(on client1 socat -u "TCP:$NET4.102:4000" -)" here
listen client2 "TCP6-LISTEN:4000,bind=[$NET6:102]"
check_eq "a client reaches another over IPv6" "$(on client1 socat -u "TCP:[$NET6:102]:4000" -)" here
socat -u "EXEC:echo psv" "TCP4-LISTEN:4000,bind=$NET4.1" &
listening psv t 4000
check_eq "a client reaches the Psv" "$(on client1 socat -u "TCP:$NET4.1:4000" -)" psv
refute "there is no way out" ip route get 8.8.8.8
check_eq "the test is the first process of its own host" "$$" 1

wait
leak_check "nothing is left when nothing happened"

# Each kind of thing that vnas could leave must be seen.
leaks() { # NAME WORD: leak_check's state names it
	local name=$1 word=$2

	leak_state | LC_ALL=C sort >"$T/leak.now"
	if leak_diff | grep -q -- "^+$word"; then
		ok "the leak check sees $name"
	else
		not_ok "the leak check sees $name" "$(leak_diff)"
	fi
}

truncate -s 1M "$T/image"
loop=$(losetup --find --show "$T/image")
leaks "a loop device" "loop"
losetup -d "$loop"

mkdir "$T/mnt"
mount -t tmpfs none "$T/mnt"
leaks "a mount" "mount $T/mnt"
umount "$T/mnt"

ip addr add "$NET4.77/32" dev lan
leaks "an address" "ip4 lan inet $NET4.77"
ip addr del "$NET4.77/32" dev lan

ip rule add from "$NET4.77" lookup 777
leaks "a rule" "ip4 [0-9]*:.*lookup 777"
ip rule del from "$NET4.77" lookup 777

ip -6 route add 2001:db8:7::/64 dev lan table 777
leaks "a route" "ip6 2001:db8:7::/64"
ip -6 route del 2001:db8:7::/64 dev lan table 777

unshare --pid --fork --kill-child sleep 60 &
child=$!
eventually 60 pgrep -P "$child"
leaks "a process of an inner pid namespace" "process .*sleep"
kill -KILL "$child"
wait "$child" 2>/dev/null || true

cp /bin/sleep "$T/vnas-supervise"
"$T/vnas-supervise" 60 &
child=$!
eventually 60 pgrep -x vnas-supervise
leaks "a supervisor" "process .*/vnas-supervise"
kill -KILL "$child"
wait "$child" 2>/dev/null || true
rm "$T/vnas-supervise"

# What is killed leaves nothing.
cat >"$T/killed" <<END
# vnas-test: plain
. "$(cd "$(dirname "$0")/.." && pwd)/lib.sh"
root=/sys/fs/cgroup
[[ -e \$root/cgroup.procs ]] || root=\$root/unified
mkdir -p "\$root/\${VNAS_TEST_DIR##*/}-1/a"
echo 0 >"\$root/\${VNAS_TEST_DIR##*/}-1/a/cgroup.procs"
echo "\${VNAS_TEST_DIR##*/}" >"$T/killed.name"
sleep 60
END
env -u VNAS_TEST_DIR bash "$T/killed" >"$T/killed.out" 2>&1 &
child=$!
check "a test that will be killed" eventually 60 test -s "$T/killed.name"
kill -TERM "$child"
wait "$child" 2>/dev/null || true
check_eq "its control groups are gone" "$(find /sys/fs/cgroup -type d -path "*/$(cat "$T/killed.name")-*" 2>/dev/null)" ""

id=$(ipcmk -Q | grep -oE '[0-9]+$')
leaks "a message queue" "sysvipc msg"
ipcrm -q "$id"

mkdir -p "$LIB"
touch "$LIB/left.new"
leaks "a file" "file $LIB/left.new"
rm "$LIB/left.new"
rmdir -p "$LIB" 2>/dev/null || true

done_testing
