#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SMB and NFS on the same share: what the one sees of the other. c1 has it by NFS, c2 by SMB.
. "$(dirname "$0")/../uml.sh"
. "$(dirname "$0")/../uml-checks.sh"

VSV=v SERVER=$NET4.11 INSIDE=/srv/data/docs
guest_add c1 101
guest_add c2 102
host_add client3 103
guest_session c1 s
guest_session c2 s

check "create" stack_vsv "${STACK:-shared}" "$VSV" 11 --volume data=256M --hostname files1.sales.example
conf_add "$VSV" $'[nfs]\nlease = 10\ngrace = 10'
check "start" vnas start "$VSV"
vnas user add "$VSV" alice --uid 4711 --password-stdin <<<secret
check_status "a share by both, and what its list does not do" 0 "by NFS the lists" vnas share add "$VSV" docs --path "$INSIDE" --smb --nfs --write alice
# What NFS goes by is owner and mode, not what SMB's lists are made of.
inside setfacl -b "$INSIDE"
inside chmod 777 "$INSIDE"
sed -i '/^\[share docs\]/a squash = none' "$ETC/$VSV.conf"
check "reload" vnas reload "$VSV"
check "mount by NFS 4.2" guest c1 nfs 4.2 "$SERVER:/docs" /mnt/n
check "and by NFS 3" guest c1 nfs 3 "$SERVER:/docs" /mnt/n3
check "mount by SMB" guest c2 smb "//$SERVER/docs" alice secret /mnt/s
going_well || done_testing

# alice runs as user 4711 on the client: who she is at the server by number.
alice() {
	guest c1 as 4711:100 bash -c "$1"
}

# --- content, names, owners ---
check "SMB writes" guest c2 bash -c "head -c 1000000 /dev/urandom >/mnt/s/one; sync /mnt/s/one"
same_file() { # NAME: by all
	local a='' b='' c='' d=''

	a=$(guest c1 md5sum "/mnt/n/$1") && b=$(guest c1 md5sum "/mnt/n3/$1") && c=$(guest c2 md5sum "/mnt/s/$1") &&
		d=$(inside md5sum "$INSIDE/$1") && [[ ${a%% *} == "${b%% *}" && ${a%% *} == "${c%% *}" && ${a%% *} == "${d%% *}" ]]
}
check "all read the same" eventually 10 same_file one
check "NFS writes into it" alice "printf middle | dd of=/mnt/n/one bs=1 seek=500001 conv=notrunc status=none"
check "all read the same" eventually 10 same_file one
check "NFS makes a file" alice "echo by nfs >/mnt/n/Name"
check "SMB finds it, in whatever case" eventually 10 smb client3 "$SERVER" docs alice secret "get NAME $T/got"
check_eq "with its content" "$(cat "$T/got")" "by nfs"
check_eq "they are one user's" "$(inside stat -c %U "$INSIDE/one" "$INSIDE/Name" | sort -u)" alice
check "NFS renames what SMB has made" alice "mv /mnt/n/one /mnt/n/two"
check "SMB sees it" eventually 10 guest c2 test -e /mnt/s/two
check "NFS removes it" alice "rm /mnt/n/two"
check "SMB sees it" eventually 10 guest c2 bash -c '[[ ! -e /mnt/s/two ]]'
check "SMB renames what NFS has made" guest c2 mv /mnt/s/Name /mnt/s/name2
# Mostly at once, for that client changed the folder itself a moment ago. What it has looked up since it believes without asking, for at most
# acdirmax of nfs(5), 60 s.
check "NFS sees the new name" eventually 70 guest c1 test -e /mnt/n/name2
check "and the old one no more" eventually 70 guest c1 test ! -e /mnt/n/Name
check "also by NFS 3" eventually 70 guest c1 test -e /mnt/n3/name2

# --- byte ranges ---
alice "touch /mnt/n/lock && chmod 666 /mnt/n/lock"
for n in n n3; do
	check "$n: open" ask c1 s open l "/mnt/$n/lock" rw
	check "$n: SMB has it open too" eventually 10 ask c2 s open l /mnt/s/lock rw
	check "$n: a lock by NFS" ask c1 s lock l w 0 10
	check "$n: is refused to SMB" refused EAGAIN ask c2 s lock l w 5 10
	check "$n: beside it SMB locks" ask c2 s lock l w 20 10
	check "$n: which is refused to NFS" refused EAGAIN ask c1 s lock l w 25 1
	check "$n: NFS unlocks" ask c1 s unlock l 0 10
	check "$n: now it is SMB's" eventually 10 ask c2 s lock l w 5 10
	check "$n: SMB closes" ask c2 s close l
	check "$n: all is free" eventually 10 ask c1 s lock l w 0 100
	check "$n: close" ask c1 s close l
done

# --- what SMB clients keep for themselves is an oplock, which is a lease of the kernel's: NFS breaks it ---
guest_begin c2 keep bash -c 'exec 3>/mnt/s/kept; echo cached by smb >&3; sleep 8; echo more >&3'
check "a file that an SMB client writes" eventually 10 inside test -e "$INSIDE/kept"
check "what it has not sent yet is read by NFS" eventually 10 guest c1 grep -q "cached by smb" /mnt/n/kept
check "it goes on" guest_end c2 keep
check "and NFS reads that" eventually 10 guest c1 grep -q more /mnt/n/kept
alice "echo first >/mnt/n/shared; chmod 666 /mnt/n/shared"
check "an SMB client reads" eventually 10 ask c2 s open r /mnt/s/shared
check_eq "what is there" "$(ask c2 s read r 0 100)" first
check "NFS changes it" guest c1 bash -c 'echo second >/mnt/n/shared'
changed() {
	[[ $(ask c2 s read r 0 100) == second ]]
}
check "the SMB client, which has it open, reads the change" eventually 10 changed
ask c2 s close r

# --- change notify ---
guest c1 mkdir -m 777 /mnt/n/watched
on client3 timeout 300 stdbuf -oL smbclient --configfile="$T/smbclient.conf" -U alice%secret "//$SERVER/docs" -c 'notify watched' >"$T/notify" 2>&1 &
watcher=$!
noticed() { # WORDS: NFS does it again until SMB says so: nobody tells when the watch has begun
	alice "$1"
	grep -qE "$2" "$T/notify"
}
check "SMB's change notify: NFS makes a file" eventually 15 noticed 'echo x >/mnt/n/watched/new-$RANDOM' 'new-'
# Each by itself: there are as many as there were rounds before.
check "NFS renames one" eventually 15 noticed 'for f in /mnt/n/watched/new-*; do mv "$f" /mnt/n/watched/moved; done; touch /mnt/n/watched/new-x' 'moved'
kill "$watcher" 2>/dev/null || true
wait "$watcher" 2>/dev/null || true

# --- NT ACLs ---
guest c2 bash -c 'echo x >/mnt/s/acl'
check "Samba keeps an NT ACL" on client3 smbcacls --configfile="$T/smbclient.conf" -U alice%secret "//$SERVER/docs" acl \
	--add ACL:alice:ALLOWED/0x0/FULL
check "in user.NTACL" inside getfattr --absolute-names -n user.NTACL "$INSIDE/acl"
before=$(inside getfattr --absolute-names -e hex -n user.NTACL "$INSIDE/acl")
refute "NFS 4.2 does not read it" guest c1 getfattr -n user.NTACL /mnt/n/acl
refute "nor list it" guest c1 bash -c 'getfattr -d -m - /mnt/n/acl | grep NTACL'
refute "nor write it, root" guest c1 setfattr -n user.NTACL -v x /mnt/n/acl
refute "nor write it, its owner" alice 'setfattr -n user.NTACL -v x /mnt/n/acl'
refute "nor remove it" alice 'setfattr -x user.NTACL /mnt/n/acl'
refute "nor write it into a file without" alice 'touch /mnt/n/acl2 && setfattr -n user.NTACL -v x /mnt/n/acl2'
check_eq "it is as it was" "$(inside getfattr --absolute-names -e hex -n user.NTACL "$INSIDE/acl")" "$before"

guests_remove
hosts_remove
done_testing
