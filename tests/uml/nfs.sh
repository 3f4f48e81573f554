#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# NFS 3, 4.0, 4.1 and 4.2 between Linux's own client and a Vsv.
. "$(dirname "$0")/../uml.sh"
. "$(dirname "$0")/../uml-checks.sh"

VSV=v SERVER=$NET4.11 INSIDE=/srv/data/docs
guest_add c1 101
guest_add c2 102
guest_session c1 s
guest_session c2 s

check "create" stack_vsv "${STACK:-shared}" "$VSV" 11 --volume data=256M --hostname files1.sales.example
conf_add "$VSV" $'[smb]\nenabled = no\n[nfs]\nlease = 5\ngrace = 5'
check "share add" vnas share add "$VSV" docs --path "$INSIDE" --nfs
check "start" vnas start "$VSV"
# The same name has another number on the clients.
inside chmod 1777 "$INSIDE"
check "a user" inside useradd --uid 4711 --no-create-home alice

for version in ${VERSIONS:-3 4.0 4.1 4.2}; do
	# shellcheck disable=SC2034 # uml-checks.sh reads it
	PROTOCOL=nfs$version DIR=/mnt/$version
	for c in c1 c2; do
		check "$version: mount on $c" guest $c nfs "$version" "$SERVER:/docs" "$DIR"
	done
	going_well || break
	check "$version: it is that version" guest c1 grep -E " $DIR nfs4? .*vers=$version," /proc/mounts
	check_files "$version"
	check_open "$version"
	check_locks "$version"
	check_load "$version"
	guest c1 umount "$DIR"
	guest c2 umount "$DIR"
done
guests_remove
done_testing
