#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SMB 3.1.1 between Linux's own client and a Vsv in each stack.
. "$(dirname "$0")/../uml.sh"
. "$(dirname "$0")/../uml-checks.sh"

# shellcheck disable=SC2034 # uml-checks.sh reads it
PROTOCOL=smb
guest_add c1 101
guest_add c2 102
guest_session c1 s
guest_session c2 s

# mounted SHARE USER PASSWORD: on both clients. With "hard" a client waits for its server, as an NFS client does.
mounted() {
	guest c1 smb "//$SERVER/$1" "$2" "$3" "$DIR" hard && guest c2 smb "//$SERVER/$1" "$2" "$3" "$DIR" hard
}

number=11
for stack in shared private; do
	VSV=$stack SERVER=$NET4.$number INSIDE=/srv/data/docs DIR=/mnt/$stack
	check "$stack: create" stack_vsv "$stack" "$VSV" "$number" --volume data=256M --hostname "files-$stack"
	check "$stack: start" vnas start "$VSV"
	vnas user add "$VSV" alice --uid 4711 --password-stdin <<<secret
	vnas user add "$VSV" bob --uid 4712 --password-stdin <<<secret
	vnas share add "$VSV" docs --path "$INSIDE" --write alice --read bob
	number=$((number + 1))

	check "$stack: mount" mounted docs alice secret
	refute "$stack: not with another password" guest c1 smb "//$SERVER/docs" alice wrong /mnt/none
	check "$stack: over IPv6" guest c1 smb "//${SERVER/$NET4./$NET6:}/docs" alice secret /mnt/six
	check_files "$stack"
	check_eq "$stack: what alice wrote is alice's" "$(inside stat -c %U "$INSIDE/data")" alice
	check "$stack: the same over IPv6" guest c1 cmp "$DIR/data" /mnt/six/data
	check "$stack: bob mounts" guest c2 smb "//$SERVER/docs" bob secret /mnt/bob
	check "$stack: and reads" guest c2 cmp "$DIR/data" /mnt/bob/data
	check "$stack: and does not write" refused "Permission denied" guest c2 touch /mnt/bob/new

	check_open "$stack"
	check_locks "$stack"
	check_load "$stack"

	check "$stack: umount" guest c1 umount /mnt/six
	check "$stack: umount" guest c2 umount /mnt/bob

	# What a restart must not take: a file that is open, a lock on it.
	check "$stack: a file is open and locked" ask c1 s open k "$DIR/kept" rw create
	check "$stack: with something in it" ask c1 s write k 0 before
	check "$stack: lock" ask c1 s lock k w 0 10
	guest c1 mkdir "$DIR/w1" "$DIR/w2"
	for killed in smbd server; do
		load_begin c1 create "$DIR/w1" create again
		load_begin c2 read "$DIR/w2" read again
		sleep 1
		if [[ $killed == smbd ]]; then
			check "$stack: kill -9 of all of smbd" service_kill "$VSV" smbd
		else
			check "$stack: the whole server is restarted" vnas restart "$VSV"
		fi
		check "$stack, $killed: it serves again" eventually 60 guest c2 stat "$DIR/kept"
		sleep 1
		check "$stack, $killed: what was written goes on" load_end c1 create
		check "$stack, $killed: and what was read" load_end c2 read
		note "$stack, $killed: $(cat "$T"/guests/c1/create.out "$T"/guests/c2/read.out)"
		check_eq "$stack, $killed: the open file is open" "$(ask c1 s read k 0 100)" before
		check "$stack, $killed: it can be written" ask c1 s write k 0 before
		check "$stack, $killed: open by the other" ask c2 s open k "$DIR/kept" rw
		check "$stack, $killed: the lock is kept" refused EAGAIN ask c2 s lock k w 0 10
	done
	ask c1 s close k
	ask c2 s close k
	check "$stack: umount" guest c1 umount "$DIR"
	check "$stack: umount" guest c2 umount "$DIR"
done

guests_remove
done_testing
