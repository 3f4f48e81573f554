#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# NFS of two servers at once: who gets in, who may write, whose name a file gets; shares that come, change and go while it
# runs; bad input.
. "$(dirname "$0")/../lib.sh"

# url SERVER/SHARE VERSION: of libnfs, for an IPv4 address.
url() {
	echo "nfs://$NET4.$1?version=$2"
}

ls_by() { on "$1" nfs-ls "$(url "$2" "$3")"; }
cat_by() { on "$1" nfs-cat "$(url "$2" "$3")"; }
put_by() { on "$1" nfs-cp "$2" "$(url "$3" "$4")"; }

# reload_of SERVER COMMAND…: what makes Ganesha read its exports again, which it does a moment later and says in the log.
reads() {
	vnas logs "$1" | grep -c "Reread exports complete" || true
}
read_again() {
	(($(reads "$1") > $2))
}
reload_of() {
	local server=$1 before

	shift
	before=$(reads "$server")
	"$@" && eventually 60 read_again "$server" "$before"
}

host_add c1 101
host_add c2 102
echo "a line" >"$T/one"
head -c 300000 /dev/urandom >"$T/large"

vsv s1 11 --volume data=64M
vsv s2 12 --volume data=64M
for s in s1 s2; do
	check "share add while $s does not run" vnas share add "$s" docs --nfs
done
vnas start s1
vnas start s2
check_json "the number in the handles is written down" '.shares[0].export_id > 0 and .shares[0].squash == "root" and .shares[0].sec == ["sys"]' \
	vnas share list s1 --json
check_eq "the same name has the same number everywhere" "$(vnas share list s1 --json | jq .shares[0].export_id)" \
	"$(vnas share list s2 --json | jq .shares[0].export_id)"

# Two servers, one share name, the same ports.
for s in s1 s2; do
	check "a file made in $s" vnas exec "$s" -- sh -c "echo from $s >/srv/data/docs/which; chmod 777 /srv/data/docs"
done
for v in 3 4; do
	check_eq "s1 by version $v" "$(cat_by c1 11/docs/which $v)" "from s1"
	check_eq "s2 by version $v" "$(cat_by c1 12/docs/which $v)" "from s2"
done
check "a file written by version 3" put_by c1 "$T/large" 11/docs/large 3
check_eq "it is whole" "$(vnas exec s1 -- cat /srv/data/docs/large | cksum)" "$(cksum <"$T/large")"
check_eq "and reads back by version 4" "$(cat_by c1 11/docs/large 4 | cksum)" "$(cksum <"$T/large")"
check "a small one by version 4" put_by c1 "$T/one" 11/docs/one 4
check_eq "root of a client is nobody" "$(vnas exec s1 -- stat -c %u:%g /srv/data/docs/large)" 65534:65534
refute "not in the other server" vnas exec s2 -- test -e /srv/data/docs/large
check_eq "exports are shown" "$(on c1 showmount --no-headers -e "$NET4.11")" "/docs (everyone)"

# Who is connected: of NFS the kernel knows the addresses.
mkfifo "$T/stay"
exec {nfs}<>"$T/stay"
on c1 bash -c "exec 5<>/dev/tcp/$NET4.11/2049 6<>/dev/tcp/$NET4.11/2049; echo there; read -r _" <&"$nfs" >"$T/connected" &
connected=$!
check "a client stays" eventually 10 grep -q there "$T/connected"
check_json "sessions show it" '[.sessions[] | select(.client == "'"$NET4"'.101")] == [{ "protocol": "nfs", "user": null,
	"client": "'"$NET4"'.101", "address": "'"$NET4"'.11", "connections": 2 }]' vnas sessions s1 --json
check "… in the text" grep -qE "^$NET4.101 +$NET4.11 +2\$" <(vnas sessions s1)
check_json "another server's do not" '[.sessions[] | select(.protocol == "nfs")] == []' vnas sessions s2 --json
echo >&"$nfs"
wait "$connected" || true
exec {nfs}>&-

# Ports: what is asked for, and only on the own addresses.
check "rpcbind knows mountd's port" grep -qE "100005 +3 +tcp +20048 " <(on c1 rpcinfo -p "$NET4.11")
check "… the lock manager's" grep -qE "100021 +4 +tcp +32803 " <(on c1 rpcinfo -p "$NET4.11")
check "… statd's" grep -qE "100024 +1 +tcp +662 " <(on c1 rpcinfo -p "$NET4.11")
refute "nobody listens on the Psv's address" on c1 nfs-ls "nfs://$NET4.1/docs?version=3"
check "an export by IPv6" on c1 "$(dirname "$PROBE")/../nfs/nfsclient" mount "$NET6:11" 20048 /docs
check "address add" vnas address add s1 "$NET4.13/24"
check_eq "served there at once" "$(cat_by c1 13/docs/which 3)" "from s1"
check "address remove" vnas address remove s1 "$NET4.13/24"
check_json "status knows it" '.servers[0].nfs.versions == ["3", "4.0", "4.1", "4.2"]' vnas status s1 --json
check "IPv6 answers" on c1 rpcinfo -T tcp6 "$NET6:11" 100003 4

# Shares come, change and go while a client is at another one.
check "share add, running" reload_of s1 vnas share add s1 more --nfs --client "$NET4.101" --client "$NET6:0/64"
check "it is served at once" ls_by c1 11/more 3
check "… by version 4" ls_by c1 11/more 4
check "a client of an IPv6 network gets in" on c2 "$(dirname "$PROBE")/../nfs/nfsclient" mount "$NET6:11" 20048 /more
refute "another host does not get in" ls_by c2 11/more 3
refute "… by version 4" ls_by c2 11/more 4
check "share set: another client" reload_of s1 vnas share set s1 more --client "$NET4.102"
check "the new one gets in" eventually 10 ls_by c2 11/more 4
refute "the old one no more" ls_by c1 11/more 3
refute "… by version 4" ls_by c1 11/more 4
check "share set: read-only" reload_of s1 vnas share set s1 docs --read-only
refute "nobody writes" put_by c1 "$T/one" 11/docs/two 3
check "reading goes on" cat_by c1 11/docs/which 3
check "share set: squash all" reload_of s1 vnas share set s1 docs --writable --squash all --anonymous-uid 4711 --anonymous-gid 4712
check "all are one user" put_by c1 "$T/one" 11/docs/all 3
check_eq "the user of the configuration" "$(vnas exec s1 -- stat -c %u:%g /srv/data/docs/all)" 4711:4712
check "share set: squash none" reload_of s1 vnas share set s1 docs --squash none
check "root is root" put_by c1 "$T/one" 11/docs/root 3
check_eq "who writes is root" "$(vnas exec s1 -- stat -c %u:%g /srv/data/docs/root)" 0:0
check "share remove" reload_of s1 vnas share remove s1 more
refute "it is gone" ls_by c2 11/more 3
refute "… from the root of version 4" ls_by c2 11/more 4
check "the other share goes on" cat_by c1 11/docs/which 4
check_eq "the service was not restarted for any of it" "$(server_json s1 '.services[] | select(.name == "ganesha").restarts')" 0

# A name with a space and letters of other languages, as a path of the root.
check "a share with such a name" reload_of s1 vnas share add s1 "Büro 1\$" --nfs --path "/srv/data/Büro 1"
check "is served" on c1 "$(dirname "$PROBE")/../nfs/nfsclient" mount "$NET4.11" 20048 "/Büro 1\$"
vnas share remove s1 "Büro 1\$"

# By SMB too.
vnas user add s1 alice --password-stdin <<<"pw-alice"
check "share set: SMB and NFS" reload_of s1 vnas share set s1 docs --smb --nfs
smb c1 "$NET4.11" docs alice pw-alice "put $T/one by-smb" >/dev/null
refute "not yet there" cat_by c1 11/docs/by-smb2 3
ls_by c1 11/docs 3 >/dev/null
smb c1 "$NET4.11" docs alice pw-alice "put $T/one by-smb2" >/dev/null
check "a name by SMB is in a list by NFS at once" grep -q by-smb2 <(ls_by c1 11/docs 3)
check_eq "a file by SMB is there by NFS at once" "$(cat_by c1 11/docs/by-smb 3)" "a line"
check "its locks are the kernel's" grep -q "kernel oplocks = yes" <(vnas exec s1 -- cat /run/vnas/samba/smb.conf)

# The last share goes, and with it all that NFS listens to; the first one brings it back.
check "share set: SMB only" vnas share set s1 docs --smb
refute "no NFS any more" on c1 nfs-ls "$(url 11/docs 3)"
check_eq "nothing of it runs" "$(server_json s1 '[.services[].name] | sort | join(" ")')" "smbd"
check "share set: back" vnas share set s1 docs --smb --nfs
check "served again" cat_by c1 11/docs/which 3
check_eq "with the same number" "$(vnas share list s1 --json | jq .shares[0].export_id)" \
	"$(vnas share list s2 --json | jq .shares[0].export_id)"
check_eq "s2 was not touched" "$(cat_by c1 12/docs/which 4)" "from s2"

# A link on the way to a share leads nowhere.
vnas exec s1 -- sh -c "mkdir /srv/data/real && ln -s /etc /srv/data/astray && ln -s real /srv/data/near"
check_status "a path that leaves the volume by a link" 1 "symbolic link" vnas share add s1 bad --nfs --path /srv/data/astray
check_status "… also below it" 1 "symbolic link" vnas share add s1 bad --nfs --path /srv/data/astray/samba
check_status "… also within the volume" 1 "symbolic link" vnas share add s1 bad --nfs --path /srv/data/near
conf_add s1 $'[share trap]\npath = /srv/data/astray\nprotocols = nfs'
check_status "by hand: a reload says so" 0 "share trap: .*symbolic link" vnas reload s1
refute "and does not serve it" ls_by c1 11/trap 3
refute "… by version 4" ls_by c1 11/trap 4
check "the others go on" cat_by c1 11/docs/which 3
check_status "a start says so too" 0 "share trap: .*symbolic link" vnas restart s1
refute "and does not serve it" ls_by c1 11/trap 3
check "the others are served" cat_by c1 11/docs/which 3
check "share remove" vnas share remove s1 trap
check "a start, looked at" strace -e trace=openat -o "$T/opened" "$VNAS" restart --no-probe s1
check "it reads its files" grep -q "$ETC" "$T/opened"
refute "and not the names of all packages' files" grep -q '"/var/lib/dpkg/info"' "$T/opened"
# 26 MB if it reads the volumes' UUIDs itself (ganesha_devices_text()), as it does when this machine is so busy that it asks more
# than a second after the start began.
tables_empty() {
	local pid

	for _ in 1 2 3 4 5; do
		pid=$(server_json s1 '.services[] | select(.name == "ganesha").pid')
		anonymous=$(awk '$1 == "RssAnon:" { print $2 }' "/proc/$pid/status")
		((anonymous >= 16384)) || return 0
		vnas restart --no-probe s1
	done
	echo "$anonymous KiB, each time"
	return 1
}
check "its empty tables take no memory" tables_empty

# Bad input: said with its place, and nothing is touched.
check_status "Kerberos without a keytab" 1 "no keytab" vnas share add s1 krb --nfs --sec krb5p
check_status "a flavour that is none" 2 "sys, krb5, krb5i and krb5p" vnas share set s1 docs --sec lm
check_status "a client that is no network" 2 "host bits" vnas share set s1 docs --client 192.0.2.1/24
check_status "… that does not parse" 2 "192.0.2.0/24" vnas share set s1 docs --client 192.0.2.300
check_status "a share on the root volume" 2 "root volume" vnas share add s1 bad --nfs --path /srv/x
cp "$ETC/s1.conf" "$T/s1.conf"
conf_add s1 "$(printf '[share x]\npath = /srv/data/x\nprotocols = nfs\nexport id = %s' "$(vnas share list s1 --json | jq .shares[0].export_id)")"
check_status "the same number twice" 1 "s1.conf:[0-9]+: .*\[share x\] and \[share docs\]|\[share docs\] and \[share x\]" vnas reload s1
cp "$T/s1.conf" "$ETC/s1.conf"
conf_add s1 $'[nfs]\nlease = 60\ngrace = 20'
check_status "a grace period that is too short" 1 "s1.conf:[0-9]+: key 'grace'" vnas reload s1
cp "$T/s1.conf" "$ETC/s1.conf"
check_json "nothing of it is there" '[.shares[].name] == ["docs"]' vnas share list s1 --json
check "and all goes on" cat_by c1 11/docs/which 3

# A Psv without the packages: said before anything is touched.
mkdir "$T/upper" "$T/work"
mount -t overlay overlay -o "lowerdir=/var/lib/dpkg/info,upperdir=$T/upper,workdir=$T/work" /var/lib/dpkg/info
rm /var/lib/dpkg/info/nfs-ganesha-vfs*.list
vsv s3 13 --volume data=64M
check_status "a share without the package" 1 "package is missing.*nfs-ganesha-vfs|nfs-ganesha-vfs.*missing|apt-get install nfs-ganesha-vfs" \
	vnas share add s3 docs --nfs
conf_add s3 $'[share docs]\npath = /srv/data/docs\nprotocols = nfs'
check_status "a start without the package" 1 "nfs-ganesha-vfs" vnas start s3
check_eq "nothing was started" "$(server_json s3 .state)" stopped
umount /var/lib/dpkg/info
hosts_remove
done_testing
