#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Samba's own tests against a Vsv and against the same smbd on the bare host, with the same configuration, storage of the
# same kind and the same client: what passes and what fails is the same.
. "$(dirname "$0")/../lib.sh"

suites=(smb2.create smb2.lock smb2.rename smb2.read smb2.getinfo)
[[ ! ${VNAS_TEST_ALL:-} ]] || suites+=(smb2.dir smb2.durable-open smb2.durable-v2-open smb2.notify)

host_add client1 101
vsv v 11 --volume data=256M --hostname filesrv1
vnas start v
vnas user add v torture --uid 4711 --password-stdin <<<"secret"
vnas share add v torture --path /srv/data/torture

# The bare host's smbd: Samba's folders of its own, the same user, an ext4 of its own.
for folder in /var/lib/samba /var/cache/samba /run/samba /var/log/samba; do
	mkdir -p "$folder"
	mount -t tmpfs none "$folder"
done
mkdir /var/lib/samba/private
(cat /etc/passwd && echo 'torture:x:4711:100::/:/usr/sbin/nologin') >"$T/passwd"
mount --bind "$T/passwd" /etc/passwd
truncate -s 256M "$T/disk"
mkfs.ext4 -q -O "$(dumpe2fs -h "$LIB/volumes/v.data.img?offset=1048576" 2>/dev/null |
	sed -n 's/^Filesystem features: *//p' | tr ' ' ',' | sed 's/needs_recovery,//; s/orphan_present,//')" "$T/disk" 2>/dev/null ||
	mkfs.ext4 -q "$T/disk"

mount -o loop,nodev,nosuid "$T/disk" /mnt
mkdir /mnt/torture
vnas exec v -- getfacl -cp /srv/data/torture >"$T/acl"
setfacl --set-file="$T/acl" /mnt/torture
vnas exec v cat /run/vnas/samba/smb.conf |
	sed "s#$NET4\.11#$NET4.1#g; s#$NET6:11#$NET6:1#g; s#/srv/data/torture#/mnt/torture#" >"$T/smb.conf"
# At its end it sends SIGTERM to its process group.
setsid /usr/sbin/smbd --foreground --no-process-group --debug-stdout --configfile="$T/smb.conf" </dev/null >"$T/smbd.log" 2>&1 &
smbd=$!
smbpasswd -c "$T/smb.conf" -s -a torture <<<$'secret\nsecret' >/dev/null
check "the bare host's smbd serves" eventually 10 smb client1 "$NET4.1" torture torture secret ls
check "the Vsv's serves" eventually 10 smb client1 "$NET4.11" torture torture secret ls

# torture ADDRESS SUITE: "word: name" of each test.
torture() {
	on client1 timeout 100 smbtorture --configfile="$T/smbclient.conf" --basedir="$T" -U torture%secret "//$1/torture" "$2" 2>&1 |
		sed -nE 's/^(success|failure|error|skip): ([^ ]*).*/\1: \2/p' | LC_ALL=C sort
}

for suite in "${suites[@]}"; do
	bare=$(torture "$NET4.1" "$suite")
	inside=$(torture "$NET4.11" "$suite")
	check "$suite: there is something to compare" grep -q '^success' <<<"$bare"
	check_eq "$suite: $(grep -c ^success <<<"$bare") pass and $(grep -vc ^success <<<"$bare") do not, as on the bare host" \
		"$(diff <(echo "$bare") <(echo "$inside"))" ""
done

kill $smbd
wait $smbd 2>/dev/null || true
umount /mnt /etc/passwd /var/lib/samba /var/cache/samba /run/samba /var/log/samba
hosts_remove
done_testing
