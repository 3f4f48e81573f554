#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: long
# NFS 3, 4.0, 4.1 and 4.2 between Linux's own client and a Vsv.
. "$(dirname "$0")/../uml.sh"
. "$(dirname "$0")/../uml-checks.sh"

VSV=v SERVER=$NET4.11 INSIDE=/srv/data/docs
guest_add c1 101
guest_add c2 102
guest_session c1 s
guest_session c2 s

check "create" stack_vsv "${STACK:-shared}" "$VSV" 11 --volume data=256M --hostname files1.sales.example
conf_add "$VSV" $'[smb]\nenabled = no'
check "share add" vnas share add "$VSV" docs --path "$INSIDE" --nfs
check "share add, to read" vnas share add "$VSV" papers --path /srv/data/papers --nfs --read-only
check "share add, for one client" vnas share add "$VSV" mine --path /srv/data/mine --nfs --client "$NET4.102"
check "share add, root is root" vnas share add "$VSV" admin --path /srv/data/admin --nfs --squash none
check "start" vnas start "$VSV"
# The same name has another number on the clients.
inside chmod 1777 "$INSIDE"
inside sh -c 'echo to read >/srv/data/papers/p'
check "a user" inside useradd --uid 4711 --no-create-home alice

# owned FILE OWNER: inside.
owned() {
	[[ $(inside stat -c %U "$1") == "$2" ]]
}

check_owners() {
	local label=$1

	check "$label: a user of the client makes a file" guest c1 as 4711:4711 touch "$DIR/of-alice"
	check "$label: it is the same number's" owned "$INSIDE/of-alice" alice
	[[ $version != 3 ]] || check "$label: and shown so" guest c1 bash -c "[[ \$(stat -c %u $DIR/of-alice) == 4711 ]]"
	refute "$label: another user does not write it" guest c1 as 4712:4712 bash -c "echo x >$DIR/of-alice"
	check "$label: root is nobody" guest c1 touch "$DIR/of-root"
	check "$label: nobody" owned "$INSIDE/of-root" nobody
	refute "$label: and gives nothing away" guest c1 chown 4711 "$DIR/of-root"
	refute "$label: nor reads what is another's" guest c1 bash -c "chmod 600 $DIR/of-alice"
	check "$label: not squashed" guest c1 nfs "$version" "$SERVER:/admin" /mnt/admin
	check "$label: root is root" guest c1 bash -c "touch /mnt/admin/f && chown 4711 /mnt/admin/f"
	check "$label: and gave it away" owned /srv/data/admin/f alice
	check_json "$label: sessions show the client" '[.sessions[] | select(.protocol == "nfs" and .client == "'"$NET4"'.101" and
		.address == "'"$SERVER"'" and .connections > 0)] | length == 1' vnas sessions "$VSV" --json
	check "$label: a share to read" guest c1 nfs "$version" "$SERVER:/papers" /mnt/papers
	check "$label: is read" guest c1 grep -q "to read" /mnt/papers/p
	check "$label: and not written" refused "Read-only file system" guest c1 touch /mnt/papers/new
	refute "$label: a share for another client" guest c1 nfs "$version" "$SERVER:/mine" /mnt/mine
	check "$label: who has it" guest c2 nfs "$version" "$SERVER:/mine" /mnt/mine
	check "$label: over IPv6" guest c1 nfs "$version" "[$NET6:11]:/docs" /mnt/six
	check "$label: the same files" guest c1 cmp /mnt/six/data "$DIR/data"
	# By a client: what is removed inside, Ganesha knows for some seconds still.  In a folder where each may remove his own alone, the
	# client itself refuses it for as long as it believes that the file is nobody's: until Ganesha has heard the number, above,
	# it named the owner, whom the client does not know; and a client believes what it was told for acregmax, 60 seconds.
	check "$label: its user removes it" eventually 70 guest c1 as 4711:4711 rm "$DIR/of-alice"
	guest c1 rm -f "$DIR/of-root" /mnt/admin/f
	guest c1 umount /mnt/admin /mnt/papers /mnt/six
	guest c2 umount /mnt/mine
}

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
	check_owners "$version"
	guest c1 umount "$DIR"
	guest c2 umount "$DIR"
done
# Names: bob has another number on this client. (Not alice: when a client has given a file to a number, Ganesha takes that for the
# number's name.) Who has no name is shown by number.
inside useradd --uid 4713 --no-create-home bob
check "a client that knows names" guest c1 names sales.example bob 5001
check "mount" guest c1 nfs 4.2 "$SERVER:/admin" /mnt/admin
inside sh -c 'touch /srv/data/admin/n /srv/data/admin/u; chown bob /srv/data/admin/n; chown 12345 /srv/data/admin/u'
check_eq "the file is bob's here too" "$(guest c1 stat -c '%U %u' /mnt/admin/n)" "bob 5001"
check "a file is given to bob" guest c1 bash -c 'touch /mnt/admin/g && chown bob /mnt/admin/g'
check_eq "who has his own number there" "$(inside stat -c '%U %u' /srv/data/admin/g)" "bob 4713"
check_eq "a number without a name stays one" "$(guest c1 stat -c %u /mnt/admin/u)" 12345

guests_remove
done_testing
