#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a department finds in its shares: homes, guests, the recycle bin, the audit's log, NT ACLs, names in other character
# sets, old dialects only where they are asked for.
. "$(dirname "$0")/../lib.sh"

host_add client1 101
vsv s1 11 --volume data=64M --hostname a-host-name-of-more-than-fifteen
conf_add s1 $'[share homes]\npath = /home\n[share brought]\npath = /srv/data/brought\nrecycle = yes'
vnas start s1
echo "a line" >"$T/one"
for user in alice bob carol; do
	vnas user add s1 $user --password-stdin <<<"pw-$user"
done
vnas group add s1 sales --member alice --member bob

# as USER SHARE COMMANDS
as() {
	smb client1 "$NET4.11" "$2" "$1" "pw-$1" "$3"
}
cacls() {
	on client1 smbcacls --configfile="$T/smbclient.conf" -U "$1%pw-$1" "//$NET4.11/$2" "${@:3}"
}
inside() {
	vnas exec s1 -- "$@"
}

# logged PATTERN: a line of the log, soon.
logged() {
	eventually 10 bash -c "'$VNAS' logs s1 | grep -qE -e '$1'"
}

check "a long host name gives a NetBIOS name" bash -c \
	"'$VNAS' exec s1 -- testparm -s --parameter-name='netbios name' 2>/dev/null | grep -qx A-HOST-NAME-OF-"

# Homes.
check "a home is there with its user" as alice alice "put $T/one mine"
check "it is the user's own" inside bash -c '[[ $(stat -c "%U %G %a" /home/alice) == "alice users 700" ]]'
check "under the name homes too" as alice homes "get mine $T/back"
refute "nobody else gets in" as bob alice ls
refute "nor a guest" on client1 smbclient --configfile="$T/smbclient.conf" -N "//$NET4.11/alice" -c ls
check "each is shown the own one alone" bash -c "
	. '$(dirname "$0")/../network.sh' && T='$T'
	seen=\$(on client1 smbclient --configfile='$T/smbclient.conf' -g -U bob%pw-bob -L '$NET4.11' 2>/dev/null)
	grep -q '^Disk|bob|' <<<\"\$seen\" && ! grep -q '^Disk|alice|' <<<\"\$seen\""
inside useradd --no-create-home --gid users dave
inside mkdir /home/erin
inside useradd --no-create-home --gid users erin
check "reload" vnas reload s1
check "a user that was made inside has one by then" inside bash -c '[[ $(stat -c %U /home/dave) == dave ]]'
check "an empty one of root's is given away" inside bash -c '[[ $(stat -c %U /home/erin) == erin ]]'
check "share remove homes" vnas share remove s1 homes
refute "it is no more" as alice alice ls
check "the files stay" inside test -s /home/alice/mine
check "share add homes, elsewhere" vnas share add s1 homes
check "folders for all who are there" inside bash -c '[[ $(stat -c %U /srv/data/homes/bob) == bob ]]'
check "and served" as bob homes "put $T/one mine"
check_status "homes are nobody's to grant" 2 "each user.s own" vnas share set s1 homes --write alice

# Guests.
check "a share for guests" vnas share add s1 open --guest
guest() {
	on client1 smbclient --configfile="$T/smbclient.conf" -N "//$NET4.11/open" -c "$1"
}
check "a guest writes" guest "put $T/one g"
check "as nobody" inside bash -c '[[ $(stat -c %U /srv/data/open/g) == nobody ]]'
check "someone who has no account is a guest" on client1 smbclient --configfile="$T/smbclient.conf" -U stranger%x \
	"//$NET4.11/open" -c "get g $T/back"
refute "a wrong password is not" on client1 smbclient --configfile="$T/smbclient.conf" -U alice%x "//$NET4.11/open" -c ls
check "guests read where only some write" vnas share set s1 open --write alice
refute "a guest writes no more" guest "put $T/one h"
check "but reads" guest "get g $T/back"
check "--no-guest" vnas share set s1 open --no-guest --write ''
refute "ends it" guest ls

# The recycle bin.
check "share add --recycle" vnas share add s1 docs --write @sales --recycle --audit
check_json "it is in the list" '.shares[] | select(.name == "docs") | .recycle and .audit' vnas share list s1 --json
as alice docs "mkdir sub; put $T/one sub/one; put $T/one other" >/dev/null
check "delete" as alice docs "del sub/one"
check "it lies in the bin, with its folder" inside cmp /srv/data/docs/other /srv/data/docs/.recycle/alice/sub/one
check "another one's delete" as bob docs "del other"
check "has a part of its own" inside test -s /srv/data/docs/.recycle/bob/other
refute "that others cannot see into" as alice docs "cd .recycle/bob; ls"
check "the same name twice keeps both" as alice docs "put $T/one sub/one; del sub/one"
check "as versions" inside bash -c '[[ $(ls /srv/data/docs/.recycle/alice/sub | wc -l) == 2 ]]'
check "what is deleted in the bin is gone" as alice docs "cd .recycle/alice/sub; del one"
refute "really" inside test -e /srv/data/docs/.recycle/alice/sub/one
check "a bin of the configuration's is there from the start" as carol brought "put $T/one x; del x"
check "and works" inside test -s /srv/data/brought/.recycle/carol/x

# The audit.
as alice docs "put $T/one seen; rename seen moved; mkdir made; rmdir made" >/dev/null
check "opening is logged" logged 'alice\|192.0.2.101\|docs\|create_file\|ok\|.*/seen$'
check "renaming" logged 'alice\|192.0.2.101\|docs\|renameat\|ok\|/srv/data/docs/seen\|/srv/data/docs/moved'
check "making a folder" logged 'alice\|192.0.2.101\|docs\|mkdirat\|ok\|.*/made'
check "deleting" logged 'alice\|192.0.2.101\|docs\|unlinkat\|ok\|.*/made'
check "an ACL change" cacls alice docs moved --add "ACL:bob:ALLOWED/0x0/READ"
check "is logged" logged 'alice\|192.0.2.101\|docs\|fset_nt_acl\|ok\|.*/moved'
inside bash -c 'echo x >/srv/data/docs/secret; chmod 600 /srv/data/docs/secret; setfacl -b /srv/data/docs/secret'
refute "what is refused" as bob docs "get secret $T/back"
check "is logged as refused" logged 'bob\|192.0.2.101\|docs\|create_file\|fail \(.*/secret'
before=$(vnas logs s1 | grep -c 'docs|create_file' || true)
check "--no-audit" vnas share set s1 docs --no-audit
as alice docs "get moved $T/back" >/dev/null
check_eq "logs no more" "$(vnas logs s1 | grep -c 'docs|create_file')" "$before"

# NT ACLs: shown, inherited, enforced.
check "share add" vnas share add s1 acls
as alice acls "mkdir top; put $T/one top/before" >/dev/null
check "smbcacls sets" cacls alice acls top --set "ACL:alice:ALLOWED/OI|CI/FULL,ACL:bob:ALLOWED/OI|CI/READ"
check "and shows" bash -c "
	. '$(dirname "$0")/../network.sh' && T='$T'
	on client1 smbcacls --configfile='$T/smbclient.conf' -U alice%pw-alice '//$NET4.11/acls' top | grep -E '^ACL:.*bob:ALLOWED/.*/READ$'"
as alice acls "mkdir top/sub; put $T/one top/sub/two" >/dev/null
cacls alice acls top/sub/two >"$T/acl" || true
check "what is made below inherits" grep -qE '^ACL:.*bob:ALLOWED/[^/]*/READ$' "$T/acl"
check "a reader reads" as bob acls "get top/sub/two $T/back"
refute "and does not write" as bob acls "put $T/one top/sub/two"
refute "nor make" as bob acls "put $T/one top/sub/three"
refute "who is not named does not read" as carol acls "get top/sub/two $T/back"
check "an entry is denied" cacls alice acls top/sub/two --add "ACL:bob:DENIED/0x0/READ"
refute "and counts before what allows" as bob acls "get top/sub/two $T/back"
check "it lies in user.NTACL" inside getfattr --absolute-names -n user.NTACL /srv/data/acls/top/sub/two
check "restart" vnas restart s1
refute "and it is the same after a restart" as bob acls "get top/sub/two $T/back"
check "both ways" as bob acls 'ls top/sub/*'

# Old dialects: refused, unless asked for.
old=(on client1 smbclient --configfile="$T/smbclient.conf" --option='client min protocol=NT1' -m NT1 -U alice%pw-alice "//$NET4.11/acls" -c ls)
v1=(on client1 smbclient --configfile="$T/smbclient.conf" --option='client ntlmv2 auth=no' --option='client use spnego=no'
	--option='client min protocol=NT1' -m NT1 -U alice%pw-alice "//$NET4.11/acls" -c ls)
refute "SMB1 is refused" "${old[@]}"
check_json "no warning" '.servers[0] | .smb.min_protocol == "SMB2_02" and .smb.ntlm == "NTLMv2" and (.warnings | map(test("SMB1|NTLMv1")) | any | not)' \
	vnas status s1 --json
conf_add s1 $'[smb]\nserver min protocol = NT1'
check "reload" vnas reload s1
check "SMB1 by its key" "${old[@]}"
refute "NTLMv1 is refused still" "${v1[@]}"
check_json "with a warning" '.servers[0].warnings | map(test("^SMB1 is allowed by")) | any' vnas status s1 --json
conf_add s1 $'ntlm auth = ntlmv1-permitted\nserver signing = mandatory\nserver smb encrypt = desired'
check "restart" vnas restart s1
check "NTLMv1 by its key" "${v1[@]}"
check_json "with a warning" '.servers[0].warnings | map(test("^NTLMv1 is allowed by")) | any' vnas status s1 --json
check_json "signing and encryption are shown" '.servers[0].smb | .signing == "required" and .encryption == "desired"' \
	vnas status s1 --json
check "and in the text" bash -c "'$VNAS' status s1 | grep -qE '^SMB +from NT1, NTLMv1, signing required, encryption desired\$'"

# Time.
sed -i 's/^hostname = .*/&\ntimezone = Asia\/Tokyo/' "$ETC/s1.conf"

# Character sets: names on the disk in EUC-JP, old clients in CP932.
conf_add s1 $'unix charset = EUC-JP\ndos charset = CP932\n[share 部門]\npath = /srv/data/old\ncomment = 営業部'
check "restart" vnas restart s1
check_eq "a time zone of its own" "$(inside date +%Z)" JST
check_eq "also by name" "$(inside cat /etc/timezone)" Asia/Tokyo
check "the share has its Japanese name" as alice 部門 "put $T/one 報告.txt; ls"
check_eq "the name is EUC-JP on the disk" "$(inside ls /srv/data/old | od -An -tx1 | tr -d ' \n')" \
	"$(printf '報告.txt\n' | iconv -t EUC-JP | od -An -tx1 | tr -d ' \n')"
check "a client sees it as it was written" bash -c "
	. '$(dirname "$0")/../network.sh' && T='$T'
	on client1 smbclient --configfile='$T/smbclient.conf' -U alice%pw-alice '//$NET4.11/部門' -c ls | grep -q '報告.txt'"
printf '[global]\nunix charset = UTF-8\ndos charset = CP932\nunicode = no\nclient min protocol = NT1\n' >"$T/dos.conf"
check "an old client, which knows no Unicode, too" bash -c "
	. '$(dirname "$0")/../network.sh' && T='$T'
	on client1 smbclient --configfile='$T/dos.conf' -m NT1 -U alice%pw-alice '//$NET4.11/acls' -c 'put $T/one 一月.txt; ls' |
		grep -q '一月.txt'"
check_eq "and its name is EUC-JP on the disk" "$(inside bash -c 'ls /srv/data/acls | grep -a txt' | od -An -tx1 | tr -d ' \n')" \
	"$(printf '一月.txt\n' | iconv -t EUC-JP | od -An -tx1 | tr -d ' \n')"
check_status "a name that the set does not have" 1 "cannot be written in the unix charset EUC-JP" vnas share add s1 '한국'
sed -i 's/^unix charset = .*/unix charset = NO-SUCH/' "$ETC/s1.conf"
check_status "no such set" 1 "is no character set" vnas reload s1
sed -i '/^unix charset = .*/d' "$ETC/s1.conf"
sed -i 's/^timezone = .*/timezone = Europe\/Atlantis/' "$ETC/s1.conf"
check_status "no such time zone" 1 "there is no time zone Europe/Atlantis" vnas reload s1
sed -i '/^timezone = .*/d' "$ETC/s1.conf"

hosts_remove
done_testing
