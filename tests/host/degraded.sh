#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Volumes in use: changed while clients write, and failing under a running server.  It says what is wrong, its neighbour
# serves on, and repair brings it back.
. "$(dirname "$0")/../lib.sh"

VOLUMES=$LIB/volumes
image_of() { echo "$VOLUMES/$1.$2.img"; }
init_of() { jq -r .init_pid "$RUN/$1/state.json"; }
device_of() { jq -r --arg v "$2" '.volumes[] | select(.name == $v) | "\(.major):\(.minor)"' "$RUN/$1/state.json"; }
state_of() { server_json "$1" .state; }
listed() { vnas list --json | jq -r --arg n "$1" '.servers[] | select(.name == $n) | .state'; }
listed_as() { [[ $(listed "$1") == "$2" ]]; }
degraded_by() { server_json "$1" '.degraded | join("; ")'; }
has_event() { vnas events "$1" --json | jq -r '.events[] | "\(.event) \(.detail)"' | grep -E "$2"; }

host_add client1 101
for name in a b; do
	n=11
	[[ $name == a ]] || n=12
	vsv $name $n --volume data=64M
	vnas start $name
	vnas user add $name tanaka --password-stdin <<<"secret"
	vnas share add $name docs --path /srv/data/docs --smb --write tanaka
done
serves() { smb client1 "$NET4.$1" docs tanaka secret ls; }
check "a serves" eventually 60 serves 11
check "b serves" eventually 60 serves 12
check_eq "nothing is wrong" "$(state_of a): $(degraded_by a)" "running: "

# ---- changed while clients write ----

head -c 3000000 /dev/urandom >"$T/file"
write_all() {
	local i

	for i in $(seq 1 12); do
		smb client1 "$NET4.11" docs tanaka secret "put $T/file file$i" || return 1
	done
}
write_all >"$T/writer.log" 2>&1 &
writer=$!
check "volume add while a client writes" vnas volume add a more --size 320M --fs xfs
check "grow of that which is written to" vnas volume grow a data --size 96M
check "grow of another" vnas volume grow a more --size 400M
check "remove of another, and add again" bash -c "'$VNAS' volume remove a more --purge && '$VNAS' volume add a more --size 320M --fs xfs"
status=0
wait $writer || status=$?
check_eq "the client saw nothing of it" "$status" 0
smb client1 "$NET4.11" docs tanaka secret "get file7 $T/back" >/dev/null
check "what it wrote is what is there" cmp "$T/file" "$T/back"

vnas exec a -- sh -c 'exec 3>/srv/more/held; echo >&3; exec sleep 600' &
holder=$!
check "a file is held open" eventually 60 vnas exec a -- test -s /srv/more/held
check_status "remove of what is in use" 5 'in use' vnas volume remove a more
check_eq "  leaves it there" "$(vnas exec a -- stat -f -c %T /srv/more)" xfs
kill "$holder"
wait "$holder" 2>/dev/null || true
check_eq "and nothing is wrong" "$(state_of a): $(degraded_by a)" "running: "

# ---- failing ----

# is_degraded WHAT VOLUME REASON
is_degraded() {
	check_eq "$1: status says degraded" "$(state_of a)" degraded
	check "  and why" grep -qE "volume $2: .*$3" <<<"$(degraded_by a)"
	check "  and of which volume" test "$(server_json a ".volumes[] | select(.problem) | .name")" = "$2"
	check "  its status is that of one that runs" vnas status a
	check "  the list shows it within 5 s" eventually 7 listed_as a degraded
	check "  there is an event" eventually 7 has_event a "volume-degraded .*$3"
	check_eq "  the neighbour is not" "$(state_of b)" running
	check "  and serves" serves 12
}

# is_repaired WHAT
is_repaired() {
	check "$1: repair checks and starts" vnas repair a --yes
	check_eq "  it is as it was" "$(state_of a): $(degraded_by a)" "running: "
	check_eq "  in the list too" "$(listed a)" running
	check "  and serves" eventually 60 serves 11
}

ext4=$(basename "$(readlink -f "/sys/dev/block/$(device_of a data)")")
echo 1 >"/sys/fs/ext4/$ext4/trigger_fs_error"
refute "an error of ext4: nothing is written any more" vnas exec a -- touch /srv/data/x
is_degraded "an error of ext4" data read-only
check_status "repair asks first" 6 agree vnas repair a
is_repaired "an error of ext4"

xfs_io -x -c shutdown "/proc/$(init_of a)/root/srv/more"
is_degraded "an XFS that gave up" more 'gave up'
is_repaired "an XFS that gave up"
check_eq "  its files are there" "$(vnas exec a -- stat -c %s /srv/more/held)" 1

truncate -s 40M "$(image_of a data)"
is_degraded "an image cut short" data 'cut short'
is_repaired "an image cut short"
check_eq "  with its length" "$(stat -c %s "$(image_of a data)")" $((96 << 20))

# A stopped one is repaired and started too, and one that cannot be stays stopped.
vnas stop a
truncate -s 40M "$(image_of a data)"
check_status "an image that was cut is not started" 1 'cut off' vnas start a
check "repair gives it its length" vnas repair a --yes
check "  and it serves" eventually 60 serves 11
cp "$(image_of a data)" "$T/away"
rm "$(image_of a data)"
check_eq "an image that is deleted: degraded" "$(state_of a)" degraded
check "  and why" grep -q 'data: its image was deleted' <<<"$(degraded_by a)"
check_status "  what is not there cannot be repaired" 1 'data' vnas repair a --yes
check_eq "  and is not started" "$(state_of a)" stopped
mv "$T/away" "$(image_of a data)"
check "  when it is back, it starts" vnas start a

# A device as it is.
truncate -s 64M "$T/disk"
device=$(losetup --find --show "$T/disk")
check "volume add of a device" vnas volume add a disk --device "$device"
cp "$T/disk" "$T/disk.whole"
truncate -s 0 "$T/disk"
losetup -c "$device"
is_degraded "a device that vanished" disk 'device is gone'
check "it can be stopped" vnas stop a
check_status "and is not started without it" 1 "disk" vnas start a
cat "$T/disk.whole" >"$T/disk"
losetup -c "$device"
check "with it, it is repaired and starts" vnas repair a --yes
check "and serves" eventually 60 serves 11
check_eq "nothing is wrong" "$(state_of a): $(degraded_by a)" "running: "
check "  nor in the list" listed_as a running
vnas stop a
check "the device is given back" vnas volume remove a disk --purge
losetup -d "$device"

hosts_remove
done_testing
