#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A server that comes back: from a backup taken with exec, and from its volumes after the machine's own disk is lost.  The
# commands are those of the README.
. "$(dirname "$0")/../lib.sh"

host_add client1 101
mkdir "$T/pool"
cat >"$T/vnas.conf" <<-EOF2
[pool default]
	type = file
	path = $T/pool
EOF2
mkdir -p "$ETC"
cp "$T/vnas.conf" "$ETC/vnas.conf"

vsv sales 11 --volume data=96M --hostname FILESRV01
vnas start sales
vnas user add sales tanaka --uid 4711 --password-stdin <<<"secret"
vnas user add sales suzuki --password-stdin <<<"secret-s"
vnas group add sales eigyo --gid 5000 --member tanaka --member suzuki
vnas share add sales docs --path /srv/data/docs --smb --write @eigyo --comment "営業の書類"

smb1() { smb client1 "$NET4.11" docs tanaka secret "$1"; }
acl() { on client1 smbcacls --configfile="$T/smbclient.conf" -U tanaka%secret "//$NET4.11/docs" "$@"; }
sid() { vnas exec sales -- net getlocalsid 2>/dev/null | grep -oE 'S-1-5-21-[0-9-]+'; }
# All that makes the files what they are: names, kinds, owners, rights, ACLs, attributes, contents.
state_of_data() {
	vnas exec sales -- bash -c 'cd /srv/data && find . -printf "%p %y %U %G %m %l %T@\n" | sort &&
		find . ! -type l -print0 | sort -z | xargs -0 getfacl -pn && find . ! -type l -print0 | sort -z | xargs -0 getfattr -e hex -d -m user &&
		find . -type f -print0 | sort -z | xargs -0 sha256sum'
}
head -c 5000000 /dev/urandom >"$T/file"
smb1 "mkdir 見積; put $T/file 見積/2009年度.xls; put $T/file plain" >/dev/null
acl plain -a "ACL:suzuki:DENIED/0x0/READ" >/dev/null
vnas exec sales -- bash -c 'cd /srv/data/docs && ln -s plain link && ln plain hard && truncate -s 10M sparse && mkfifo pipe'
wanted_data=$(state_of_data)
wanted_sid=$(sid)
wanted_acl=$(acl plain)

# serves_as_before WHAT
serves_as_before() {
	check_eq "$1: files, rights, ACLs, attributes and times are the same" \
		"$(diff <(echo "$wanted_data") <(state_of_data) | head -n 20)" ""
	check "  a client reads" eventually 60 smb1 "get 見積/2009年度.xls $T/back"
	check "  what it wrote" cmp "$T/file" "$T/back"
	check "  and writes" smb1 "put $T/file new; rm new"
	check_eq "  the machine SID is the same" "$(sid)" "$wanted_sid"
	check_eq "  the NT ACL is the same" "$(acl plain)" "$wanted_acl"
	refute "  and holds" smb client1 "$NET4.11" docs suzuki secret-s "get plain $T/back"
	refute "  a wrong password is wrong" smb client1 "$NET4.11" docs tanaka secret-s ls
	check_eq "  numbers are the same" "$(vnas exec sales -- id tanaka)" "uid=4711(tanaka) gid=100(users) groups=100(users),5000(eigyo)"
	wanted_data=$(state_of_data)
}
serves_as_before "before"

# ---- from a backup ----

cp "$ETC/sales.conf" "$T/sales.conf"
check "a backup" bash -c "'$VNAS' exec sales -- tar --create --acls --xattrs --numeric-owner -C / etc home root srv var >'$T/sales.tar'"
check_status "a backup that fails says so" 2 'nonesuch' vnas exec sales -- tar --create -C / nonesuch
vnas stop sales
vnas destroy sales --purge
check_eq "nothing of it is left" "$(ls "$T/pool")" ""
check_status "another option beside --from" 2 'workgroup' vnas create sales --from "$T/sales.conf" --workgroup X
check_status "a file that is not there" 1 'nonesuch' vnas create sales --from "$T/nonesuch"
printf '[server]\nhostnam = x\n' >"$T/wrong.conf"
check_status "a wrong one names its line" 1 "$T/wrong.conf:2: .*hostnam" vnas create sales --from "$T/wrong.conf"
check "it is made again with its configuration" vnas create sales --from "$T/sales.conf"
check_eq "which is the same but for the volumes' UUIDs" \
	"$(diff <(grep -v uuid "$T/sales.conf") <(grep -v uuid "$ETC/sales.conf"))" ""
check "it starts" vnas start sales
check "the backup goes in" bash -c "'$VNAS' exec sales -- tar --extract --acls --xattrs --xattrs-include='*' --numeric-owner -C / <'$T/sales.tar'"
check "and is taken at a restart" vnas restart sales
serves_as_before "restored"

# ---- the machine's own disk is lost: another machine, the same pool ----

vnas stop sales
mv "$ETC" "$T/lost-etc"
mv "$LIB" "$T/lost-lib"
mkdir -p "$ETC" "$LIB"
cp "$T/vnas.conf" "$ETC/vnas.conf"
cp -a "$T/lost-lib/templates" "$LIB/templates"
check_eq "this machine knows no server" "$(vnas list --json | jq -c .servers)" "[]"
check_json "but sees whose volumes these are" '[.volumes[] | select(.server == "sales")] | length == 2' \
	vnas volume list --orphans --json
check_status "adopting shows and asks" 6 "$NET4.11" vnas adopt "$T"/pool/sales.*.img
check "adopt" vnas adopt --yes "$T"/pool/sales.*.img
check "start" vnas start sales
serves_as_before "adopted"
check_eq "the configuration is the same" "$(diff <(grep -v uuid "$T/sales.conf") <(grep -v uuid "$ETC/sales.conf"))" ""
check "a restart" vnas restart sales
serves_as_before "restarted"

rm -rf "$T/lost-etc" "$T/lost-lib"
hosts_remove
done_testing
