#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is Samba's own: shares, accounts and smb.conf of a server, running or not, and what a tenant or a mistake does to them.
. "$(dirname "$0")/../lib.sh"

# check_says NAME PATTERN COMMAND…: it fails with these words; standard input is the caller's.
check_says() {
	local name=$1 pattern=$2 out

	shift 2
	if out=$("$@" 2>&1) || ! grep -qE -e "$pattern" <<<"$out"; then
		not_ok "$name" "$*"$'\n'"$out"
		return
	fi
	ok "$name"
}

host_add client1 101
vsv s1 11 --volume data=64M --hostname filesrv1
echo "a line" >"$T/one"

# On a stopped server.
check "share add while it does not run" vnas share add s1 later
check_status "user add while it does not run" 3 "does not run" vnas user add s1 alice --password-stdin
check_status "no such server" 4 "" vnas share list s9
vnas start s1
check "the folder is made at the start" vnas exec s1 -- test -d /srv/data/later

# Accounts.
check "user add" vnas user add s1 alice --password-stdin <<<"pw-alice"
check "user add --uid" vnas user add s1 bob --uid 3000 --password-stdin <<<'pä ss"w%u\ '
check_says "a name twice" "there already" vnas user add s1 alice --password-stdin <<<"x"
for bad in root:x a/b 123 ../x 'a b' "$(printf 'a\nb')"; do
	refute "a user named $(printf %q "$bad")" vnas user add s1 "$bad" --password-stdin <<<"x"
done
refute "a user of the system's" vnas user add s1 root --password-stdin <<<"x"
refute "a number of the system's" vnas user add s1 eve --uid 0 --password-stdin <<<"x"
refute "a number twice" vnas user add s1 eve --uid 3000 --password-stdin <<<"x"
refute "an empty password" vnas user add s1 eve --password-stdin <<<""
refute "removing root" vnas user remove s1 root
refute "removing nobody" vnas user remove s1 no-such
check_eq "none of them is there" "$(vnas user list s1 --json | jq -r '.users[].name' | paste -sd' ')" "alice bob"
check_json "user list" '.users[1] | .uid == 3000 and .smb and .groups == ["users"]' vnas user list s1 --json
check "group add" vnas group add s1 sales --gid 4000 --member alice
check "a member more" vnas group add s1 sales --member bob
check_json "group list" '.groups[] | select(.name == "sales") | .gid == 4000 and .members == ["alice", "bob"]' \
	vnas group list s1 --json
check "a member less" vnas group remove s1 sales --member bob
check_json "group list of one" '.groups[0].members == ["alice"]' vnas group list s1 sales --json
refute "a group that is not there" vnas group remove s1 no-such
refute "a group of the system's" vnas group add s1 shadow --member alice

# Half an account, as a kill leaves it, is completed by the same command.
vnas exec s1 -- useradd --no-create-home carol
check "a half account is completed" vnas user add s1 carol --password-stdin <<<"pw-carol"
check "and serves" smb client1 "$NET4.11" later carol pw-carol ls
# When the second half fails, the first is taken back.
vnas exec s1 -- chmod 000 /var/lib/samba/private/passdb.tdb
vnas exec s1 -- mv /var/lib/samba/private/passdb.tdb /var/lib/samba/private/aside
vnas exec s1 -- mkdir /var/lib/samba/private/passdb.tdb
refute "user add when Samba's accounts are broken" vnas user add s1 dave --password-stdin <<<"pw"
refute "leaves no unix account" vnas exec s1 -- getent passwd dave
vnas exec s1 -- rmdir /var/lib/samba/private/passdb.tdb
vnas exec s1 -- mv /var/lib/samba/private/aside /var/lib/samba/private/passdb.tdb
vnas exec s1 -- chmod 600 /var/lib/samba/private/passdb.tdb

# A lock that a killed program left, with a number that another process has by now.
vnas exec s1 -- bash -c 'echo 1 >/etc/passwd.lock; echo 1 >/etc/group.lock'
check "user add over a stale lock" vnas user add s1 erin --password-stdin <<<"pw"
check "user remove" vnas user remove s1 erin

# Killed at any moment, the same command again makes it whole.
killed=0
for ms in 005 010 015 020 030 040 050 060 080 100 120 150; do
	vnas user add s1 "k$ms" --password-stdin <<<"pw" >/dev/null 2>&1 &
	sleep "0.$ms"
	kill -KILL $! 2>/dev/null && killed=$((killed + 1))
	wait $! 2>/dev/null || true
	again=$(vnas user add s1 "k$ms" --password-stdin <<<"pw" 2>&1) || [[ $again == *"there already"* ]] ||
		not_ok "user add again after a kill at $ms ms" "$again"
done
check "some were killed" test "$killed" -gt 0
check_json "all of them are whole" '[.users[] | select(.name | startswith("k"))] | length == 12 and all(.smb)' \
	vnas user list s1 --json
killed=0
for ms in 005 010 020 030 040 060 080 100; do
	vnas share add s1 "k$ms" >/dev/null 2>&1 &
	sleep "0.$ms"
	kill -KILL $! 2>/dev/null && killed=$((killed + 1))
	wait $! 2>/dev/null || true
	again=$(vnas share add s1 "k$ms" 2>&1) || [[ $again == *"there already"* ]] ||
		not_ok "share add again after a kill at $ms ms" "$again"
done
check "some were killed" test "$killed" -gt 0
check "reload" vnas reload s1
for ms in 005 010 020 030 040 060 080 100; do
	smb client1 "$NET4.11" "k$ms" alice pw-alice "put $T/one k" >/dev/null 2>&1 || not_ok "share k$ms after a kill" ''
	vnas share remove s1 "k$ms" 2>/dev/null
done

# Rights.
check "share add" vnas share add s1 docs --write @sales --read bob --comment "100 % docs; [x] # no comment"
check "a group writes" smb client1 "$NET4.11" docs alice pw-alice "put $T/one one; mkdir sub; put $T/one sub/two"
check "a reader reads" smb client1 "$NET4.11" docs bob 'pä ss"w%u\ ' "get one $T/back"
refute "a reader writes" smb client1 "$NET4.11" docs bob 'pä ss"w%u\ ' "put $T/one three"
refute "another user reads" smb client1 "$NET4.11" docs carol pw-carol ls
check "others have no right to the folder itself" bash -c \
	"'$VNAS' exec s1 -- getfacl -cp /srv/data/docs | grep -qx 'other::---'"
check "every user writes where no list is" smb client1 "$NET4.11" later bob 'pä ss"w%u\ ' "put $T/one of-bob"
check "and in what another made" smb client1 "$NET4.11" later carol pw-carol "put $T/one of-bob"
check "share set" vnas share set s1 docs --write carol
check "who is named newly writes" smb client1 "$NET4.11" docs carol pw-carol "put $T/one of-carol"
refute "who is named no more does not" smb client1 "$NET4.11" docs alice pw-alice ls
check "a guest share" vnas share add s1 open --guest
check "without an account" on client1 smbclient --configfile="$T/smbclient.conf" -N "//$NET4.11/open" -c "put $T/one g; ls"
refute "but not elsewhere" on client1 smbclient --configfile="$T/smbclient.conf" -N "//$NET4.11/later" -c ls
check "clients are limited" vnas share set s1 later --client "$NET4.99"
refute "to those" smb client1 "$NET4.11" later carol pw-carol ls

# Names that are not English, and a root volume that is full.
check "a share with a Japanese name" vnas share add s1 '部門 共有' --path '/srv/data/部門 共有' --comment '営業部'
check "its files too" smb client1 "$NET4.11" '部門 共有' alice pw-alice "mkdir 報告; put $T/one 報告/一月.txt; ls"
check "they are named so inside" vnas exec s1 -- test -s '/srv/data/部門 共有/報告/一月.txt'
check_json "and in the list" '.shares[] | select(.name == "部門 共有") | .comment == "営業部"' vnas share list s1 --json
vnas exec s1 -- dd if=/dev/zero of=/var/full bs=64k 2>/dev/null || true
vnas exec s1 -- dd if=/dev/zero of=/var/full2 bs=512 2>/dev/null || true
if vnas user add s1 full --password-stdin <<<"pw" 2>/dev/null; then
	skip "user add on a full disk" "there was room for it"
else
	refute "user add on a full disk leaves no unix account" vnas exec s1 -- getent passwd full
fi
check "the others are all there" smb client1 "$NET4.11" docs carol pw-carol ls
vnas exec s1 -- rm -f /var/full /var/full2
check "user add when there is room again" vnas user add s1 full --password-stdin <<<"pw"

# What cannot be.
conf=$(cat "$ETC/s1.conf")
check_status "a path outside of the volumes" 2 "on no volume" vnas share add s1 bad --path /etc
refute "a path that goes up" vnas share add s1 bad --path /srv/data/../../etc
refute "a user that is not there" vnas share add s1 bad --write no-such
refute "a share twice, in other letters" vnas share add s1 DOCS
refute "a share named global" vnas share add s1 global
refute "a name that ends the section" vnas share add s1 "$(printf 'a]\n[server')"
refute "a comment with a line of its own" vnas share add s1 bad --comment "$(printf 'x\nguest = yes')"
refute "no protocol that is known" vnas share set s1 no-such --read-only
refute "--read-only with --writable" vnas share set s1 docs --read-only --writable
check_eq "nothing of it is in the configuration" "$(cat "$ETC/s1.conf")" "$conf"
for key in "interfaces = 0.0.0.0" "Lock Dir = /x" "include = /etc/passwd" "root directory = /" "smb ports = 1" \
	"netbios name = X" "acl_xattr:security_acl_name = security.NTACL"; do
	printf '%s\n[smb]\n%s\n' "$conf" "$key" >"$ETC/s1.conf"
	check_status "refused: $key" 1 "s1.conf:[0-9]+: .*set by vnas itself" vnas reload s1
done
printf '%s\n[smb]\nserver min protocol = SMB3_11\nlog level = 2\nveto files = /x/\n' "$conf" >"$ETC/s1.conf"
check "what is Samba's is handed through" vnas reload s1
check "and Samba has it" bash -c "'$VNAS' exec s1 -- testparm -s --parameter-name='veto files' 2>/dev/null | grep -qx /x/"
check "it is found ready with SMB 3.1.1 only" vnas restart s1
check "and serves" smb client1 "$NET4.11" docs carol pw-carol ls
check "a module keeps company with ours" bash -c "
	'$VNAS' exec s1 -- testparm -s --section-name=docs --parameter-name='vfs objects' 2>/dev/null | grep -qx acl_xattr"

# Addresses of a running server, and a new name.
check "address add" vnas address add s1 "$NET4.12/24"
check "it is served at once" smb client1 "$NET4.12" docs carol pw-carol ls
check "the first one goes" vnas address remove s1 "$NET4.11/24"
check "the other is served on" smb client1 "$NET4.12" docs carol pw-carol ls
refute "the first one is not" smb client1 "$NET4.11" docs carol pw-carol ls
check "the first one comes back" vnas address add s1 "$NET4.11/24"
sid() { vnas exec s1 -- net getlocalsid 2>/dev/null | grep -oE 'S-1-5-21-[0-9-]+'; }
first=$(sid)
sed -i 's/^hostname = .*/hostname = newname/' "$ETC/s1.conf"
check "restart under a new name" vnas restart s1
check "it has the new name" bash -c "'$VNAS' exec s1 -- net getlocalsid 2>/dev/null | grep -q NEWNAME"
check_eq "and keeps its machine SID" "$(sid)" "$first"

# Links that a tenant puts in the way lead nowhere but to the tenant's own.
vnas exec s1 -- ln -s /etc /srv/data/link
check "a folder behind a tenant's link" vnas share add s1 link --path /srv/data/link/inside-of-it
refute "is none of the Psv's" test -e /etc/inside-of-it
check "it is the tenant's own" vnas exec s1 -- test -d /etc/inside-of-it

# client_in SHARE: a client that stays in a share and reads commands from descriptor 7.
client_in() {
	rm -f "$T/fifo"
	mkfifo "$T/fifo"
	on client1 smbclient --configfile="$T/smbclient.conf" -U carol%pw-carol "//$NET4.11/$1" <"$T/fifo" >"$T/out" 2>&1 &
	client=$!
	exec 7>"$T/fifo"
}
client_ends() {
	exec 7>&-
	wait $client || true
}

# A share that is removed is closed under its clients, and so are the sessions of a user that is removed.
client_in docs
echo "get of-carol $T/first" >&7
check "a client is in a share" eventually 10 test -s "$T/first"
check "share remove" vnas share remove s1 docs
echo "get of-carol $T/second" >&7
client_ends
refute "it is out" test -s "$T/second"
check "the data stays" vnas exec s1 -- test -s /srv/data/docs/of-carol

vnas share set s1 later --client ''
client_in later
echo "get of-bob $T/third" >&7
check "a client is in another share" eventually 10 test -s "$T/third"
check "user remove" vnas user remove s1 carol
echo "get of-bob $T/fourth" >&7
client_ends
refute "its session is ended" test -s "$T/fourth"
refute "no unix account" vnas exec s1 -- getent passwd carol
refute "no SMB account" bash -c "'$VNAS' exec s1 -- pdbedit -L | grep -q carol"
check "its files stay" vnas exec s1 -- test -s /srv/data/docs/of-carol
check "group remove" vnas group remove s1 sales

hosts_remove
done_testing
