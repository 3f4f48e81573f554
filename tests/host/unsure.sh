#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A look that fails for a moment does not say that nothing is there, nor that it is somebody else's: no verb deletes, overwrites,
# starts anew or lets go on that ground.  It fails, all is as it was, and the same command succeeds when the look does.
. "$(dirname "$0")/../lib.sh"

# failing CALL ERROR PATH [WHEN] -- COMMAND…: vnas, whose calls of that name on that path fail.
failing() {
	local call=$1 error=$2 path=$3 when=${4#--}

	shift 3
	[[ ! $when ]] || shift
	shift
	strace -qqq -o /dev/null -P "$path" -e "trace=$call" -e "inject=$call:error=$error${when:+:when=$when}" "$VNAS" "$@"
}

plain_vsv a 11
plain_vsv b 12
pool=$(dirname "$(vnas volume list a --json | jq -r '.volumes[0].path')")

# Numbers: a list that is cut short names none of those that it lacks.
check_status "create, whose list of numbers is cut short" 1 'cannot read .*/servers' \
	failing getdents64 EIO "$LIB/servers" -- create c --address "$NET4.13/24" --root-size 32M
check "nothing of it is left" test ! -e "$LIB/servers/c" -a ! -e "$ETC/c.conf"
check "then it is made" vnas create c --address "$NET4.13/24" --root-size 32M
check_eq "all have numbers of their own" "$(cat "$LIB"/servers/*/id | sort -u | wc -l)" 3

# Whether there is such a server.
check_status "destroy of one whose file cannot be seen" 1 'cannot look at' failing newfstatat EIO "$ETC/c.conf" -- destroy c --purge
check_status "… nor the second time" 1 'cannot' failing newfstatat EIO "$ETC/c.conf" 2 -- destroy c --purge
check_status "create --force of one whose file cannot be seen" 1 'cannot look at' \
	failing newfstatat EIO "$ETC/c.conf" -- create c --address "$NET4.13/24" --root-size 32M --force
check_json "it is whole" '.volumes | length == 1' vnas volume list c --json

# What a killed create left is told by its label.
cp "$ETC/c.conf" "$LIB/servers/c/creating"
mv "$ETC/c.conf" "$T/c.conf"
image=$(find "$pool" -name 'c.*')
check_status "the end of a create whose image cannot be opened" 1 'interrupted' failing openat EIO "$image" -- destroy c
check "its marker stays" test -e "$LIB/servers/c/creating"
check_status "… whose label cannot be read" 1 'interrupted' failing pread64 EIO "$image" -- destroy c
check "the image stays" test -e "$image"
check_status "then it is undone" 0 '' vnas destroy c
check "… and the image is gone" test ! -e "$image"

# A create that was killed after its last deed left its marker: the volumes of a server that was used since are no leftovers.
vnas create c --address "$NET4.13/24" --root-size 32M
cp "$ETC/c.conf" "$LIB/servers/c/creating"
mkdir "$LIB/servers/c/held"
mount -t tmpfs held "$LIB/servers/c/held"
check_status "destroy that does not come to its end" 1 'cannot remove' vnas destroy c
umount "$LIB/servers/c/held"
check_status "the second one does" 0 '' vnas destroy c
check "and what it left as an orphan is there" test -e "$image"
vnas adopt "$image" --yes >/dev/null
check "… whole" vnas destroy c --purge

# A configuration that cannot be read: the older copy on the volume may name what is no longer this server's.
check_status "destroy of one whose configuration cannot be read" 1 'cannot read' failing openat EIO "$ETC/b.conf" -- destroy b --purge
check_json "its volume is there" '.volumes | length == 1' vnas volume list b --json

# An image that somebody else has on a loop device.
loop=$(losetup --find --show "$pool/b.root.img")
check_status "start, of an image that is attached" 5 "attached to $loop" vnas start b --no-probe
check_status "… to a device that cannot be asked" 1 'cannot look for loop devices' failing ioctl EIO "$loop" -- start b --no-probe
check_status "… nor opened" 1 'cannot look for loop devices' failing openat EMFILE "$loop" -- start b --no-probe
check_status "… in a list that is cut short" 1 'cannot look for loop devices' failing getdents64 EIO /sys/block -- start b --no-probe
losetup --detach "$loop"

# The processes of a server that runs.
vnas start a --no-probe
pid=$(server_json a .init_pid)
stopped() { [[ $(server_json a .state) != running ]]; }
same() { check_eq "$1: it runs on" "$(server_json a .init_pid)" "$pid"; }
for verb in start repair; do
	failing openat EMFILE "/proc/$pid/stat" -- "$verb" a >/dev/null 2>&1 || true
	same "$verb, which cannot see its first process"
done
before=$(cat "$ETC/a.conf")
check_status "a change, which cannot see it" 1 'cannot look for' \
	failing openat EMFILE "/proc/$pid/stat" -- address add a "$NET4.14/24" --no-probe
check_eq "its configuration is the old one" "$(cat "$ETC/a.conf")" "$before"
check "the same change succeeds" vnas address add a "$NET4.14/24" --no-probe

# recover: nothing is taken away that says that it should run, before it is known that it can.
for ((n = 1; n <= 4; n++)); do
	kill -KILL "$(server_json a .supervisor_pid)" "$(server_json a .init_pid)"
	eventually 10 stopped
	failing newfstatat EIO "$ETC/a.conf" "$n" -- recover a >/dev/null 2>&1 || true
	check "recover, after one that could not look ($n)" vnas recover a
	check_eq "it runs ($n)" "$(server_json a .state)" running
done

# What is left is found by the configuration that it ran with.
echo '{' >"$RUN/a/state.json"
check_status "stop of one whose state is damaged, and the rest of it cannot be read" 1 'cannot read' \
	failing openat EIO "$RUN/a/conf" -- stop a
check "what says so is there" test -e "$RUN/a/state.json"
check_status "… nor its number" 1 'cannot read' failing openat EIO "$LIB/servers" -- stop a
check "stop" vnas stop a

# The gate: another bpffs over the pins would hide them from all that runs.
vnas start a --no-probe
rm -r "$RUN"/bpf/progs-*
check_status "start, which cannot see whether the gate's folder is mounted" 1 'cannot look at' \
	failing statfs EIO "$RUN/bpf" -- start b --no-probe
check_eq "it is mounted once" "$(grep -c " $RUN/bpf " /proc/self/mountinfo)" 1
check "then it starts" vnas start b --no-probe
check "both stop" vnas stop a b
done_testing
