#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Volumes: added, grown and removed on a running Vsv; full and damaged ones; left behind, found and adopted.
. "$(dirname "$0")/../lib.sh"

VOLUMES=$LIB/volumes
image_of() { echo "$VOLUMES/$1.$2.img"; }
detached() { ! grep -qsxF "$1" /sys/block/loop*/loop/backing_file; }
conf_volumes() { sed -n 's/^\[volume \(.*\)\]$/\1/p' "$ETC/$1.conf" | sort | jq -R . | jq -sc .; }

plain_vsv a 11 --volume data=64M
check "images are preallocated" bash -c "(( \$(du -k '$(image_of a data)' | cut -f1) >= 64 * 1024 ))"
vnas start a
check_eq "the data volume is where it says" "$(vnas exec a -- stat -f -c %T /srv/data)" ext2/ext3
refute "it is in no mount table of the Psv" grep -qE 'ext4|xfs.*loop' <(findmnt -rno SOURCE,FSTYPE | grep -v '^/dev/vda')

check "volume add on a running one" vnas volume add a more --size 32M
vnas exec a -- sh -c 'echo x >/srv/more/file'
check_eq "it is there at once" "$(vnas exec a -- cat /srv/more/file)" x
check_status "of a name that is taken" 5 'more' vnas volume add a more --size 32M
check_status "of no size" 2 '' vnas volume add a third
check_status "larger than the pool" 1 'space|free' vnas volume add a third --size 900T
check "volume add with xfs" vnas volume add a big --size 320M --fs xfs
check_eq "it is xfs" "$(vnas exec a -- stat -f -c %T /srv/big)" xfs

size() { vnas exec a -- df -k --output=size "$1" | tail -n 1 | tr -d ' '; }
before=$(size /srv/data)
check "volume grow on a running one" vnas volume grow a data --size 128M
# Without CAP_SYS_RESOURCE the kernel refuses it to ext4; then the next start does it, and the command says so.
if ! capsh --has-p=cap_sys_resource 2>/dev/null; then
	vnas restart a
fi
check "it is larger inside" test "$(size /srv/data)" -gt "$((before * 3 / 2))"
before=$(size /srv/big)
check "volume grow of xfs" vnas volume grow a big --size 400M
check "it is larger inside" test "$(size /srv/big)" -gt "$before"
check_status "to a smaller size" 1 'small|shrink|below|less' vnas volume grow a data --size 64M
check_status "of one that is not there" 4 'nonesuch' vnas volume grow a nonesuch --size 1G
check_json "volume list" '[.volumes[] | {(.name): .size}] | add | .data == 134217728' vnas volume list a --json

vnas restart a
check_eq "all are there after a restart" "$(vnas exec a -- cat /srv/more/file)" x
check "volume remove on a running one" vnas volume remove a more
refute "it is gone inside" vnas exec a -- test -e /srv/more/file
check_status "the root volume stays" 2 'root' vnas volume remove a root
check_json "the removed one is an orphan" '[.volumes[] | select(.name == "more" or .role == "more")] | length == 1' \
	vnas volume list --orphans --json
check_status "a new one of that name" 1 'volume add a more --orphan' vnas volume add a more --size 64M
check_status "of a server that is not there" 4 'no such' vnas volume add nobody more --orphan
check_status "no orphan of that name" 1 'nothing' vnas volume add a nothing --orphan
check_status "an orphan has its size" 2 'size' vnas volume add a more --orphan --size 1G
check "volume add --orphan takes it back" vnas volume add a more --orphan
check_eq "with its data, where it was" "$(vnas exec a -- cat /srv/more/file)" x
check_eq "it is no orphan any more" "$(vnas volume list --orphans --json | jq '.volumes | length')" 0
vnas restart a
check_eq "and after a restart" "$(vnas exec a -- cat /srv/more/file)" x
vnas volume remove a more
vnas restart a
check "an older generation of its own is taken too, at another place" vnas volume add a more --orphan --mount /srv/again
check_eq "there it is" "$(vnas exec a -- cat /srv/again/file)" x
check "volume remove" vnas volume remove a more

# The root inside renames the folders above a mount point as it likes, and a folder that is about to be one.
mount_points() { cut -d' ' -f5 "/proc/$(jq -r .init_pid "$RUN/a/state.json")/mountinfo"; }
vnas volume add a deep --size 16M --mount /srv/x/y/z
vnas exec a -- mv /srv/x $'/srv/of another \\name\r'
check "it lies elsewhere now" grep -qxF $'/srv/of\\040another\\040\\134name\r/y/z' <(mount_points)
check "volume remove of it" vnas volume remove a deep --purge
refute "it is gone inside" grep -q '/z$' <(mount_points)
strace -f -qq -o /dev/null -e trace=move_mount -e inject=move_mount:delay_enter=5s "$VNAS" volume add a deep --size 16M --mount /srv/deep &
adding=$!
check "a folder is about to be mounted on" eventually 60 vnas exec a -- test -d /srv/deep
vnas exec a -- mv /srv/deep /srv/elsewhere
status=0
wait $adding || status=$?
check_eq "it is" $status 0
check "and volume remove finds the volume there" vnas volume remove a deep --purge
refute "it is gone inside" grep -q elsewhere <(mount_points)
check "volume add by somebody with a umask of his own" bash -c "umask 077; '$VNAS' volume add a deep --size 16M --mount /srv/u/v/w"
check_eq "the folders are everybody's" "$(vnas exec a -- stat -c %a /srv/u /srv/u/v)" $'755\n755'

# Two at once, of which the second is in use.
vnas volume add a used --size 16M
hold() {
	"$VNAS" exec a -- sh -c "echo y >$1/file && exec 9>>$1/file && echo in use && exec sleep 600" >"$T/user" 2>&1 </dev/null &
	user=$!
	check "$1 is in use" eventually 60 grep -q 'in use' "$T/user"
}
let_go() {
	kill $user
	wait $user 2>/dev/null || true
}
both=$(<"$ETC/a.conf")
neither=$(sed '/^\[volume deep\]/,/^$/d; /^\[volume used\]/,/^$/d' "$ETC/a.conf")
echo "$neither" >"$T/neither"
printf '#!/bin/sh\ncat %q >"$1"\n' "$T/neither" >"$T/editor"
chmod +x "$T/editor"
vnas exec a -- sh -c 'echo x >/srv/u/v/w/file'
hold /srv/used
check_status "both are edited away" 5 'files on it are in use' env EDITOR="$T/editor" "$VNAS" edit a
check_eq "the first one is back" "$(vnas exec a -- cat /srv/u/v/w/file)" x
check_eq "as is the configuration" "$(<"$ETC/a.conf")" "$both"
rm -f "$RUN"/a.conf.*
let_go
# It came back as the last one.
hold /srv/u/v/w
echo "$neither" >"$ETC/a.conf"
check_status "a reload fails as well" 5 'volume deep: files on it are in use' vnas reload a
check_eq "and the first one is gone" "$(mount_points | grep -E '/(w|used)$')" /srv/u/v/w
check_eq "  from the state, too" "$(jq -c '[.volumes[].name | select(. == "used" or . == "deep")]' "$RUN/a/state.json")" '["deep"]'
echo "$both" >"$ETC/a.conf"
vnas exec a -- sh -c 'mv /srv/used /srv/other && ln -s /etc /srv/used'
check_status "who keeps it from coming back keeps nothing else from being done" 0 'volume used: cannot mount it' vnas reload a
vnas exec a -- sh -c 'rm /srv/used && mv /srv/other /srv/used'
check "the next one brings it back" vnas reload a
check_eq "with what is on it" "$(vnas exec a -- cat /srv/used/file)" y
let_go
echo "$neither" >"$ETC/a.conf"
check "when nobody uses it, both go" eventually 60 vnas reload a
refute "they are gone inside" grep -qE '/(w|used)$' <(mount_points)

# One that cannot be attached, and is not wanted any more.
vnas volume remove a deep --purge 2>/dev/null || true
cp "$ETC/a.conf" "$T/before"
vnas volume add a never --size 16M
sed -n '/^\[volume never\]/,/^$/p' "$ETC/a.conf" >"$T/never"
vnas volume remove a never
vnas exec a -- sh -c 'rmdir /srv/never && ln -s /etc /srv/never'
cat "$T/never" >>"$ETC/a.conf"
check_status "its place is a link" 1 'volume never: cannot mount it' vnas reload a
check_eq "  its device is nobody's any more" "$(jq -c '[.volumes[].name | select(. == "never")]' "$RUN/a/state.json")" '[]'
cp "$T/before" "$ETC/a.conf"
check "a reload without it" vnas reload a
check_eq "nothing of it is in the state" "$(jq -c '[.volumes[].name] | sort' "$RUN/a/state.json")" "$(conf_volumes a)"
check "nor is its loop device there" eventually 60 detached "$(image_of a never)"

# A Vsv that fills its disk fails alone.
plain_vsv b 12 --volume data=64M
vnas start b
refute "a full disk is full" vnas exec a -- sh -c 'cat /dev/zero >/srv/data/fill'
check "the neighbour writes" vnas exec b -- sh -c 'head -c 30000000 /dev/zero >/srv/data/f && sync /srv/data/f'
refute "a full root volume" vnas exec b -- sh -c 'cat /dev/zero >/root/fill'
check_eq "it still answers" "$(vnas exec b -- echo here)" here
vnas exec b -- rm -f /root/fill

# Damage.
vnas stop a b
image=$(image_of a big)
mv "$image" "$image.away"
check_status "a missing image" 1 'big' vnas start a
check_eq "nothing of it came up" "$(server_json a .state)" stopped
mv "$image.away" "$image"
check "with it again" vnas start a
vnas stop a
cp "$(image_of b data)" "$T/other"
cp "$(image_of a data)" "$T/own"
cp "$T/other" "$(image_of a data)"
check_status "a swapped disk is refused" 1 'data' vnas start a
cp "$T/own" "$(image_of a data)"
# An image begins with its label of 1 MiB.
dd if=/dev/urandom of="$(image_of a data)" bs=4096 seek=256 count=64 conv=notrunc status=none
check_status "a destroyed filesystem" 1 'data' vnas start a
cp "$T/own" "$(image_of a data)"
# One that was not unmounted: dirty by the superblock's own flag, as after a power failure.
debugfs -w -R 'ssv state 0' "$(image_of a data)?offset=1048576" >/dev/null 2>&1
check "one that was not unmounted is repaired" vnas start a
check "and writable" vnas exec a -- sh -c 'rm -f /srv/data/fill; echo y >/srv/data/y'
vnas stop a

# Repair, on the administrator's word.
check_status "repair asks" 6 'agree' vnas repair a
check "repair of what is in order" vnas repair a --yes --no-start
cp "$(image_of a data)" "$T/own"
debugfs -w -R 'clri <2>' "$(image_of a data)?offset=1048576" >/dev/null 2>&1
debugfs -w -R 'ssv state 2' "$(image_of a data)?offset=1048576" >/dev/null 2>&1
check_status "a root folder that is lost needs a decision" 1 'vnas repair a' vnas start a
check "repair makes it again" vnas repair a --yes --no-start
dd if=/dev/zero of="$(image_of a data)" bs=1024 count=1024 conv=notrunc status=none
check_status "a lost label" 1 'label' vnas start a
check "repair writes it anew" vnas repair a --yes --no-start
cp "$T/own" "$(image_of a data)"
check "start of the copy" vnas start a
check_status "repair of a running one" 5 'stop' vnas repair a --yes
vnas stop a

# The label is checked.
image=$(image_of b data)
cp "$image" "$T/other"
dd if=/dev/urandom of="$image" bs=1024 count=1024 conv=notrunc status=none
check_status "a destroyed label" 1 'label|data' vnas start b
cp "$T/other" "$image"
check "the right one again" vnas start b
vnas exec b -- sh -c 'echo kept >/srv/data/kept; echo root >/root/kept'
vnas stop b

# destroy leaves an orphan, which can be adopted; an older generation is refused.
cp "$(image_of b root)" "$T/old-root"
vnas start b
vnas stop b
check "destroy without --purge" vnas destroy b
check_status "it is gone" 4 'b' vnas status b
check_json "its volumes are orphans" '[.volumes[] | select(.server == "b")] | length == 2' vnas volume list --orphans --json
mapfile -t orphans < <(vnas volume list --orphans --json | jq -r '.volumes[] | select(.server == "b") | .path')
check_status "adopt shows what it asks for, and asks" 6 "$NET4.12" vnas adopt "${orphans[@]}"
check "adopt" vnas adopt --yes "${orphans[@]}"
check "start of the adopted one" vnas start b
check_eq "with its data" "$(vnas exec b -- cat /srv/data/kept)" kept
check_eq "and its root" "$(vnas exec b -- cat /root/kept)" root
vnas stop b
cp "$(image_of b root)" "$T/new-root"
cp "$T/old-root" "$(image_of b root)"
check_status "an older generation is refused" 1 'generation|older' vnas start b
cp "$T/new-root" "$(image_of b root)"
check "the present one" vnas start b
vnas stop b

# A device as it is.
truncate -s 64M "$T/disk"
device=$(losetup --find --show "$T/disk")
mkfs.ext4 -q "$device"
check_status "a device with a foreign signature" 1 "$device" vnas create c --address "$NET4.13/24" --root-size 64M \
	--volume "data=$device"
check "unless forced" plain_vsv c 13 --volume "data=$device" --force
check "start on a device" vnas start c
check_status "a device that is in use" 5 "$device" vnas create d --address "$NET4.14/24" --root-size 64M \
	--volume "data=$device" --force
vnas stop c
check "purge of a device" vnas destroy c --purge
check_eq "wipes its signatures" "$(blkid -p "$device" || true)" ""
losetup -d "$device"

# A pool that is full.
mkdir "$T/small"
mount -t tmpfs -o size=96M none "$T/small"
printf '[pool small]\ntype = file\npath = %s\n' "$T/small" >"$ETC/vnas.conf"
check_status "a pool that is too small" 1 'space|free' vnas create e --address "$NET4.15/24" --pool small --root-size 64M \
	--volume data=64M
check_eq "leaves nothing" "$(find "$T/small" -type f; find "$ETC" -name 'e.conf')" ""
printf '[pool small]\ntype = file\npath = %s\nthin = yes\n' "$T/small" >"$ETC/vnas.conf"
head -c 90M /dev/zero >"$T/small/filled"
check_status "a thin pool beyond 90 %" 1 'thin|90' vnas create e --address "$NET4.15/24" --pool small --root-size 64M \
	--volume data=64M
rm "$ETC/vnas.conf"
umount "$T/small"

check_status "mkfs is missing" 1 'mkfs|e2fsprogs' unshare -m bash -c "mount -t tmpfs none /usr/sbin 2>/dev/null;
	mount -t tmpfs none /sbin 2>/dev/null; '$VNAS' create f --address '$NET4.16/24' --root-size 64M"
check_eq "leaves nothing" "$(find "$VOLUMES" -name 'f.*'; find "$ETC" -name 'f.conf')" ""

# Thirty on one server.
many=()
for n in {1..30}; do
	many+=(--volume "v$n=16M")
done
plain_vsv m 20 "${many[@]}"
vnas start m
vnas exec m -- sh -c 'for n in $(seq 30); do echo $n >/srv/v$n/f || exit 1; done'
check "volume add to thirty" vnas volume add m v31 --size 16M
vnas restart m
check_eq "all are there" "$(vnas exec m -- sh -c 'cat /srv/v*/f | sort -n | tr "\n" " "')" "$(seq -s ' ' 30) "
check_json "and in its status" '.servers[0].volumes | length == 32' vnas status m --json

while read -r orphan; do
	rm -f "$orphan"
done < <(vnas volume list --orphans --json | jq -r '.volumes[].path')
done_testing
