#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: long
# An update of the Psv's packages changes no running Vsv: smbd and libc are replaced on the Psv under three of them. The
# Psv's /usr is an overlay here, in the test's own mount namespace.
. "$(dirname "$0")/../lib.sh"

# A disk of its own, because the whole of libc and smbd is written again; and so that the update is seen by every path.
mkdir "$T/upper" "$T/work"
mount -t overlay -o "lowerdir=/usr,upperdir=$T/upper,workdir=$T/work" overlay /usr
mount -t overlay -o "lowerdir=/var/lib/dpkg,upperdir=$(mkdir "$T/u2" "$T/w2" && echo "$T/u2"),workdir=$T/w2" overlay /var/lib/dpkg

host_add client1 101
for n in 1 2 3; do
	vsv "t$n" "1$n" --volume data=32M
	vnas start "t$n"
	vnas user add "t$n" tanaka --password-stdin <<<"secret"
	vnas share add "t$n" docs --path /srv/data/docs --smb --write tanaka
done
check_json "one template for all" '.templates // .servers | length == 1' vnas template list --json
old=$(server_json t1 .template)
check "status names it" test -n "$old"
serves() { smb client1 "$NET4.1$1" docs tanaka secret ls; }
sums() { vnas exec "$1" -- sh -c 'sha256sum /usr/sbin/smbd /usr/lib/x86_64-linux-gnu/libc.so.6'; }
before=$(sums t1)

# The update: other bytes, another version in dpkg's status, as an upgrade of the two packages would leave them.
libc=$(readlink -f /usr/lib/*-linux-gnu/libc.so.6)
for file in "$libc" /usr/sbin/smbd; do
	cp -a "$file" "$T/new"
	printf 'updated' >>"$T/new"
	mv "$T/new" "$file"
done
sed -i '/^Package: samba$/,/^$/ s/^Version: .*/&+update1/; /^Package: libc6$/,/^$/ s/^Version: .*/&+update1/' /var/lib/dpkg/status

for n in 1 2 3; do
	check_eq "t$n runs what it ran" "$(sums "t$n")" "$before"
	check "t$n serves" serves "$n"
done
kill -KILL "$(server_json t1 '.services[] | select(.name == "smbd") | .pid')"
check "a service restarted now still is the old one" eventually 60 serves 1
check_eq "and sees the old files" "$(sums t1)" "$before"
check_json "status says an update is there" '.servers[0] | .template_update == true and
	([.warnings[] | select(test("update|newer|template"))] | length > 0)' vnas status t1 --json

check "template build" vnas template build
check_json "two templates" '.templates // .servers | length == 2' vnas template list --json
check "restart takes the new one" vnas restart t1
refute "it runs the update" test "$(sums t1)" = "$before"
check "and serves" eventually 60 serves 1
refute "with another template" test "$(server_json t1 .template)" = "$old"
check_eq "the others run on with the old one" "$(sums t2)" "$before"
check "restart --template goes back" vnas restart t1 --template "$old"
check_eq "it runs what it ran before" "$(sums t1)" "$before"
check_status "a template in use cannot be removed" 5 '' vnas template remove "$old"
check_status "one that is not there" 1 'no template' vnas template remove 123456
vnas stop --all
check "what is in memory stays there when nothing runs" mountpoint -q "$RUN/templates/$old"
check "one that nothing runs can" vnas template remove "$old"
refute "and its mount is gone" test -e "$RUN/templates/$old"
check_eq "and its loop device" "$(losetup --noheadings --output BACK-FILE | grep -c "$T.*$old")" 0

# A new one lets the old ones go, but for the one before it, what runs and what a configuration names.
names() { vnas template list --json | jq -r '.templates[].name'; }
update() {
	cp -a /usr/sbin/smbd "$T/new"
	printf '%s' "$1" >>"$T/new"
	mv "$T/new" /usr/sbin/smbd
	sed -i "/^Package: samba\$/,/^\$/ s/^Version: .*/&+$1/" /var/lib/dpkg/status
}
first=$(names)
sed -i "/^\[server\]/a template = ${first:0:12}" "$ETC/t1.conf"
update 2
vnas start t2
running=$(server_json t2 .template)
for n in 3 4 5; do
	update $n
	check "template build, update $n" vnas template build
done
check_eq "stay: two, what runs and what is configured" "$(names | sort)" \
	"$({ names | head -n 2; echo "$first"; echo "$running"; } | sort -u)"
check_eq "one of five is gone" "$(names | wc -l)" 4
vnas stop t2
sed -i '/^template = /d' "$ETC/t1.conf"
update 6
check_status "says so" 0 'removed' vnas template build
check_eq "two stay" "$(names | wc -l)" 2
check "the one before can be gone back to" vnas start t2 --template "$(names | tail -n 1)"
vnas stop t2

# /usr of a Vsv holds nothing of /usr/local, no set-id programs, no devices.
vnas start t2
check_eq "no set-id programs" "$(vnas exec t2 -- find /usr -perm /6000 | head -n 3)" ""
check_eq "no devices" "$(vnas exec t2 -- find /usr -type b -o -type c | head -n 3)" ""
check_eq "nothing of /usr/local" "$(vnas exec t2 -- sh -c 'ls -A /usr/local 2>/dev/null')" ""
vnas stop t2

hosts_remove
cd /
umount -l /var/lib/dpkg /usr
done_testing
