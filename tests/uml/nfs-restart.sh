#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: long
# What clients of NFS keep when Ganesha is killed under load, and when the whole Vsv is restarted: files that are open, locks,
# handles. All versions at once, on ext4 and XFS; the figures are printed, since a loaded machine says little about them.
. "$(dirname "$0")/../uml.sh"
. "$(dirname "$0")/../uml-checks.sh"

versions=(3 4.0 4.1 4.2)
volumes=(data big)
VSV=v SERVER=$NET4.11
guest_add c1 101
guest_add c2 102

stack_vsv "${STACK:-shared}" "$VSV" 11 --volume data=256M --hostname files1.sales.example
conf_add "$VSV" $'[smb]\nenabled = no\n[nfs]\nlease = 10\ngrace = 10'
check "a volume with XFS" vnas volume add "$VSV" big --size 320M --fs xfs
for volume in "${volumes[@]}"; do
	check "share add" vnas share add "$VSV" "$volume" --path "/srv/$volume/share" --nfs
done
check "start" vnas start "$VSV"
for volume in "${volumes[@]}"; do
	inside chmod 1777 "/srv/$volume/share"
done

# each COMMAND…: for every version and volume, which the command finds in version, volume and DIR. One of NFS 4 is enough on XFS.
each() {
	for version in "${versions[@]}"; do
		for volume in "${volumes[@]}"; do
			[[ $volume == data || $version == 3 || $version == 4.1 ]] || continue
			DIR=/mnt/$version/$volume
			"$@"
		done
	done
}

mount_both() {
	for c in c1 c2; do
		check "$version $volume: mount on $c" guest $c nfs "$version" "$SERVER:/$volume" "$DIR"
		guest_session $c "$version-$volume"
	done
}

# held GUEST WORDS…: has this version's session do something.
held() {
	ask "$1" "$version-$volume" "${@:2}"
}

hold() {
	check "$version $volume: open" held c1 open k "$DIR/kept-$version" rw create
	check "$version $volume: write" held c1 write k 0 before
	check "$version $volume: lock" held c1 lock k w 0 10
	check "$version $volume: the other has it open too" held c2 open k "$DIR/kept-$version" rw
	check "$version $volume: and is refused the lock" refused EAGAIN held c2 lock k w 5 1
	guest c1 mkdir "$DIR/made-$version" "$DIR/read-$version"
}

load_all() {
	[[ $volume == data ]] || return 0
	# Not an exclusive one: Linux's client says that twice, if its server goes before it answers, and finds the file.
	load_begin c1 "create-$version" "$DIR/made-$version" create
	load_begin c2 "read-$version" "$DIR/read-$version" read
}

# steal: asks for the lock in the grace period already; it gets its answer after that.
steal() {
	guest_begin c2 "steal-$version-$volume" session_ask "$version-$volume" "lock k w 5 1"
}

load_all_end() {
	[[ $volume == data ]] || return 0
	check "$label, $version: new files were made all the time" load_end c1 "create-$version"
	check "$label, $version: an open one was read" load_end c2 "read-$version"
	note "$label, $version: $(cat "$T/guests/c1/create-$version.out" "$T/guests/c2/read-$version.out")"
}

keep() {
	check "$label, $version $volume: nobody else gets the lock" refused EAGAIN guest_end c2 "steal-$version-$volume"
	check_eq "$label, $version $volume: the open file is read" "$(held c1 read k 0 100)" before
	check "$label, $version $volume: and written" held c1 write k 0 before
	check "$label, $version $volume: still nobody else" refused EAGAIN held c2 lock k w 5 1
}

give() {
	check "$version $volume: unlock" held c1 unlock k 0 10
	check "$version $volume: the other has the lock" eventually 15 held c2 lock k w 5 1
	check "$version $volume: close" held c1 close k
	check "$version $volume: close" held c2 close k
	check "$version $volume: umount" guest c1 umount "$DIR"
	check "$version $volume: umount" guest c2 umount "$DIR"
}

each mount_both
going_well || done_testing
each hold

label="Ganesha is killed"
each load_all
sleep 2
check "kill -9" service_kill "$VSV" ganesha
each steal
sleep 3
each load_all_end
each keep

# What a loop device of the server's is called now.
loop_of() {
	grep -l "$LIB/volumes/$VSV.$1.img" /sys/block/loop*/loop/backing_file 2>/dev/null | cut -d / -f 4
}

label="the server is restarted"
each load_all
sleep 1
before=$(loop_of data)-$(loop_of big)
check "stop" vnas stop "$VSV"
truncate -s 1M "$T/image"
# Those very devices, not the first free ones: beside other tests lower ones come free.
loops=()
for loop in ${before/-/ }; do
	! losetup "/dev/$loop" "$T/image" 2>/dev/null || loops+=("/dev/$loop")
done
check "start" vnas start "$VSV"
refute "its volumes are on other loop devices" test "$(loop_of data)-$(loop_of big)" = "$before"
each steal
sleep 3
each load_all_end
each keep
for loop in "${loops[@]}"; do
	losetup -d "$loop"
done
each give

# Who mounts by NFS 3 asks rpcbind.
check "rpcbind is killed" service_kill "$VSV" rpcbind
check "a new mount by NFS 3" eventually 60 guest c1 nfs 3 "$SERVER:/data" /mnt/again
check "umount" guest c1 umount /mnt/again

# A client that is gone for good: its lock is another's after the lease.
volume=data version=4.1 DIR=/mnt/gone
for c in c1 c2; do
	check "mount again" guest $c nfs 4.1 "$SERVER:/data" $DIR
	check "open" held $c open k $DIR/kept-gone rw create
done
check "the one locks" held c2 lock k w 0 10
guest_kill c2
begin=$SECONDS
check "the other gets it when the one is gone" eventually 60 held c1 lock k w 0 10
note "after $((SECONDS - begin)) s; the lease is 10 s"

# Without NFS 3 the grace period ends as soon as every client has its own again: the goal is a lease at most.
guest_add c2 102
check "stop" vnas stop "$VSV"
sed -i 's/^lease = .*/versions = 4\n&/' "$ETC/$VSV.conf"
check "start, with NFS 4 alone" vnas start "$VSV"
for c in c1 c2; do
	check "mount" guest $c nfs 4.1 "$SERVER:/data" /mnt/four
done
guest c1 mkdir /mnt/four/w1 /mnt/four/w2
for kind in create read; do
	load_begin c1 $kind /mnt/four/w1 $kind
	load_begin c2 $kind /mnt/four/w2 $kind
done
sleep 1
check "kill -9" service_kill "$VSV" ganesha
sleep 2
for c in c1 c2; do
	for kind in read create; do
		check "NFS 4 alone: $kind goes on" load_end $c $kind
		note "NFS 4 alone, Ganesha is killed: $(cat "$T/guests/$c/$kind.out")"
	done
done

guests_remove
done_testing
