#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: long
# NFS with Kerberos: a server in an Active Directory domain, and a Linux client that has an account there too. Numbers of users
# on the client are its own: who somebody is, his ticket says.
. "$(dirname "$0")/../uml.sh"
. "$(dirname "$0")/../uml-checks.sh"
. "$(dirname "$0")/../directory.sh"
. "$(dirname "$0")/../domain.sh"

VSV=a SERVER=filesrv1.sales.example realm=SALES.EXAMPLE

host_add dc1 21
domain_make dc1 "$NET4.21" $realm SALES
for user in taro hanako root; do
	samba_tool dc1 user create $user pw-$user >/dev/null
done
samba_tool dc1 group add "sales people" >/dev/null
samba_tool dc1 group addmembers "sales people" taro >/dev/null
samba_tool dc1 computer create c1 --prepare-oldjoin >/dev/null
samba_tool dc1 domain exportkeytab "$T/c1.keytab" --principal='C1$' >/dev/null
check "the domain" domain_start dc1

vsv "$VSV" 11 --volume data=64M --hostname filesrv1 --dns "$NET4.21"
conf_add "$VSV" $'[nfs]\nlease = 10\ngrace = 10\ndomain = corp.example'
check "directory set" vnas directory set "$VSV" --type ad --realm sales.example
check "start" vnas start "$VSV"
check "a share without Kerberos" vnas share add "$VSV" plain --path /srv/data/plain --nfs
check_status "Kerberos needs a keytab" 1 "no keytab" vnas share add "$VSV" signed --path /srv/data/signed --nfs --sec krb5
check "join" join "$VSV"
check "users are found" eventually 60 id_of "$VSV" taro

# in_group USER: nobody has logged on by SMB so far, which would tell of the groups too.
in_group() {
	inside id -Gn "$1" | grep -q "sales people"
}

check "with their groups" eventually 60 in_group taro
check "a share with Kerberos" vnas share add "$VSV" signed --path /srv/data/signed --nfs --sec krb5
check "another one, encrypted" vnas share add "$VSV" sealed --path /srv/data/sealed --nfs --sec krb5p
check "a group of the domain's has them" inside sh -c 'cd /srv/data && chgrp "sales people" signed sealed && chmod 2775 signed sealed'

guest_add c1 101
cp "$T/c1.keytab" "$T/guests/c1/krb5.keytab"
check "a client of the domain" guest c1 kerberos $realm "$NET4.21"
check "that knows names" guest c1 names corp.example taro 5001
check "a ticket for taro" guest c1 ticket 5001 taro pw-taro
check "one for hanako" guest c1 ticket 5002 hanako pw-hanako
refute "none with a wrong password" guest c1 ticket 5003 hanako pw-taro

# of_taro FILE: inside, by the number that the domain gives him.
of_taro() {
	[[ $(inside stat -c %u "$1") == "$(id_of "$VSV" taro)" ]]
}

for how in "4.2 krb5 signed" "4.1 krb5i signed" "4.0 krb5 signed" "4.2 krb5p sealed" "3 krb5p sealed"; do
	read -r version sec share <<<"$how"
	label="$version $sec" dir=/mnt/$version-$sec
	[[ $sec != krb5i ]] || check "$label: is allowed" vnas share set "$VSV" signed --sec krb5 --sec krb5i
	check "$label: mount" guest c1 nfs "$version" "$SERVER:/$share" "$dir" "sec=$sec"
	check "$label: it is that flavour" guest c1 grep -E " $dir nfs4? .*sec=${sec}[, ]" /proc/mounts
	check "$label: who has a ticket writes" guest c1 as 5001 bash -c "echo of taro >$dir/f-$version"
	check "$label: as the domain's user" of_taro "/srv/data/$share/f-$version"
	check "$label: another one reads" guest c1 as 5002 grep -q "of taro" "$dir/f-$version"
	check "$label: and does not write, who is not in the group" refused "Permission denied" \
		guest c1 as 5002 bash -c "echo x >$dir/g-$version"
	check "$label: who has no ticket does not even read" refused "Permission denied" guest c1 as 5003 cat "$dir/f-$version"
	check "$label: nor root, in another's name" refused "Permission denied" guest c1 bash -c "echo x >$dir/f-$version"
done

# named_taro FILE: on the client, by name and by the number that the name has there.
named_taro() {
	[[ $(guest c1 as 5001 stat -c '%U %u' "$1") == "taro 5001" ]]
}

check "names are known, in another domain than the realm" eventually 60 named_taro /mnt/4.2-krb5/f-4.2

# A user of the domain who is called as one of the server's own is not that one: names of machines can be chosen by many.
check "root is root of a share" vnas share add "$VSV" admin --path /srv/data/admin --nfs --sec krb5 --squash none
check "where everybody may write" inside chmod 1777 /srv/data/admin
check "one of the domain is called root" guest c1 ticket 5004 root pw-root
check "he mounts" guest c1 nfs 4.2 "$SERVER:/admin" /mnt/admin sec=krb5
check "and writes" guest c1 as 5004 touch /mnt/admin/r
check "the client itself too" guest c1 touch /mnt/admin/c
check "neither is root there" inside sh -c '[ $(stat -c %u /srv/data/admin/r) -ge 100000 ] && [ $(stat -c %u /srv/data/admin/c) -ge 100000 ]'

check "without Kerberos: a mount is refused" refused "permission denied" guest c1 nfs 4.2 "$SERVER:/signed" /mnt/x sec=sys
check "by NFS 3 too" refused "cannot mount" guest c1 nfs 3 "$SERVER:/signed" /mnt/x sec=sys
check "with less than is asked for" refused "permission denied" guest c1 nfs 4.2 "$SERVER:/sealed" /mnt/x sec=krb5i
check "the other share goes without" guest c1 nfs 4.2 "$SERVER:/plain" /mnt/plain sec=sys

check "the server is restarted" vnas restart "$VSV"
check "who has a ticket goes on" guest c1 as 5001 bash -c "echo again >>/mnt/4.2-krb5/f-4.2 && cat /mnt/4.2-krb5p/f-3"
check "who has none does not" refused "Permission denied" guest c1 as 5003 cat /mnt/4.2-krb5/f-4.2
check_eq "it is written" "$(inside tail -n 1 /srv/data/signed/f-4.2)" again

guests_remove
domain_stop dc1
hosts_remove
done_testing
