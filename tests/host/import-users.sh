#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Users of an old server, out of its passwd, shadow, group, smbpasswd or passdb.tdb: names, numbers and hashes as they are.
. "$(dirname "$0")/../lib.sh"

host_add client1 101
vsv s1 11 --volume data=64M
vsv s2 12
vnas start s1 s2
vnas share add s1 docs
vnas share add s1 all
echo "a line" >"$T/one"

cat >"$T/passwd" <<'END'
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
tanaka:x:5001:6001:Tanaka,,,:/home/tanaka:/bin/sh
sato:x:5002:6001::/home/sato:/bin/false
old:$1$abcdefgh$irWbblnpmw.5z7wgBnprh0:5003:100::/:/bin/sh
+::::::
broken
END
cat >"$T/shadow" <<'END'
root:$6$x$rootshash:19000:0:99999:7:::
tanaka:$6$salt$hash.of.tanaka:19001:0:99999:7:::
sato:!:19001:0:99999:7:::
END
printf 'root:x:0:\nsales:x:6001:tanaka\nboss:x:6002:sato,tanaka\n' >"$T/group"
# The NT hash of "password".
nt=8846F7EAEE8FB117AD06BDD830B7586C
for u in tanaka:5001 sato:5002 stranger:5009; do
	printf '%s:%s:%s:[U          ]:LCT-5F000000:\n' "$u" XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX "$nt"
done >"$T/smbpasswd"
import() { vnas user import s1 --passwd "$T/passwd" --shadow "$T/shadow" --group "$T/group" --smbpasswd "$T/smbpasswd" "$@"; }

# What cannot be is said before anything is changed.
before=$(vnas exec s1 -- cat /etc/passwd /etc/shadow /etc/group)
check_status "no file" 2 "passwd is needed" vnas user import s1
check_status "one that is not there" 1 "cannot read" vnas user import s1 --passwd "$T/none"
check_status "one that is none" 1 "holds no line" vnas user import s1 --passwd "$T/one"
# An old server's disk is not to be believed: a link on it can lead to the Psv's own shadow.
mkdir "$T/disk"
ln -s "$T" "$T/disk/etc"
ln -s "$T/shadow" "$T/disk/shadow"
link="there is a symbolic link in its path"
check_status "a link" 1 "$link" vnas user import s1 --passwd "$T/passwd" --shadow "$T/disk/shadow"
check_status "below a link" 1 "$link" vnas user import s1 --passwd "$T/disk/etc/passwd"
check_status "both kinds of SMB accounts" 2 "exclude" import --tdbsam "$T/one"
check_status "a stopped server" 3 "does not run" bash -c "'$VNAS' stop s2 && '$VNAS' user import s2 --passwd '$T/passwd'"
sed 's/^sato:x:5002/&\ntanaka:x:5009/' "$T/passwd" >"$T/twice"
check_status "a name twice" 1 "twice" import --passwd "$T/twice"
check_eq "nothing is changed" "$(vnas exec s1 -- cat /etc/passwd /etc/shadow /etc/group)" "$before"
vnas exec s1 -- useradd --uid 5002 --no-create-home other
check_status "a number that is another's" 1 "5002 of user sato belongs to user other" import
vnas exec s1 -- userdel other
vnas exec s1 -- groupadd --gid 7777 sales
check_status "a group of another number" 1 "group sales is there already, with number 7777 instead of 6001" import
vnas exec s1 -- groupdel sales
check_eq "nothing is changed" "$(vnas exec s1 -- cat /etc/passwd /etc/shadow /etc/group)" "$before"

check_status "import" 0 "3 users; 2 of the system's" import
check_eq "numbers" "$(vnas exec s1 -- id tanaka)" "uid=5001(tanaka) gid=6001(sales) groups=6001(sales),6002(boss)"
check_eq "the rest of the line" "$(vnas exec s1 -- getent passwd tanaka)" "tanaka:x:5001:6001:Tanaka,,,:/home/tanaka:/bin/sh"
check_eq "the hash" "$(vnas exec s1 -- getent shadow tanaka)" "tanaka:\$6\$salt\$hash.of.tanaka:19001:0:99999:7:::"
check_eq "a hash of passwd's own" "$(vnas exec s1 -- getent shadow old | cut -d: -f2)" "\$1\$abcdefgh\$irWbblnpmw.5z7wgBnprh0"
check_eq "root's is the server's" "$(vnas exec s1 -- getent shadow root | cut -d: -f2)" "*"
check_eq "modes stay" "$(vnas exec s1 -- stat -c '%a %G' /etc/passwd /etc/shadow | paste -sd' ')" "644 root 640 shadow"
check "the SMB password of the old server" smb client1 "$NET4.11" docs tanaka password "put $T/one one"
check_eq "the file is its number's" "$(vnas exec s1 -- stat -c %u /srv/data/docs/one)" 5001
refute "who is not in passwd has no account" bash -c "'$VNAS' exec s1 -- pdbedit -L 2>/dev/null | grep -q stranger"
refute "nothing is left of the hashes" vnas exec s1 -- ls /var/lib/samba/private/vnas-import
check_json "user list" '[.users[] | [.name, .smb]] == [["old", false], ["sato", true], ["tanaka", true]]' vnas user list s1 --json

# Again: nothing is doubled, and a password that was changed since stays.
vnas user passwd s1 tanaka --password-stdin <<<"new"
after=$(vnas exec s1 -- cat /etc/passwd /etc/shadow /etc/group /etc/gshadow)
check "import again" import
check_eq "changes nothing" "$(vnas exec s1 -- cat /etc/passwd /etc/shadow /etc/group /etc/gshadow)" "$after"
check "nor a password" smb client1 "$NET4.11" all tanaka new ls

# The programs of shadow take the files as they are, and a lock of theirs is respected.
check "user add goes on" vnas user add s1 eve --password-stdin <<<"pw"
printf 'yamada:x:5100:100::/:/bin/sh\n' >>"$T/passwd"
vnas exec s1 -- bash -c 'echo 1 >/etc/passwd.lock'
check_status "a lock" 1 "lock" import
vnas exec s1 -- rm /etc/passwd.lock
check "without it" import
check "the new one is there" vnas exec s1 -- id yamada

# passdb.tdb of another server.
vnas start s2
vnas user add s2 suzuki --uid 5200 --password-stdin <<<"pw-suzuki"
vnas exec s2 -- cat /var/lib/samba/private/passdb.tdb >"$T/passdb.tdb"
printf 'suzuki:x:5200:100::/:/bin/sh\n' >"$T/passwd2"
ln -s "$T/passdb.tdb" "$T/disk/passdb.tdb"
check_status "a passdb.tdb that is a link" 1 "$link" vnas user import s1 --passwd "$T/passwd2" --tdbsam "$T/disk/passdb.tdb"
check "import of passdb.tdb" vnas user import s1 --passwd "$T/passwd2" --tdbsam "$T/passdb.tdb"
check "its password" smb client1 "$NET4.11" all suzuki pw-suzuki ls
check "the others' are there still" smb client1 "$NET4.11" all tanaka new ls

hosts_remove
done_testing
