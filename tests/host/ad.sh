#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: long
# Members of Active Directory: two domains with real controllers, two servers in one and one in the other, at once.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../directory.sh"
. "$(dirname "$0")/../domain.sh"


host_add client1 101
host_add dc1 21
host_add dc2 22
domain_make dc1 "$NET4.21" SALES.EXAMPLE SALES &
domain_make dc2 "$NET4.22" DEV.EXAMPLE DEV &
wait
for dc in dc1 dc2; do
	samba_tool $dc user create taro "pw-$dc" >/dev/null
	samba_tool $dc group add "sales people" >/dev/null
	samba_tool $dc group addmembers "sales people" taro >/dev/null
done
samba_tool dc1 user create hanako pw-hanako >/dev/null
domain_start dc1
domain_start dc2
deaf_to_psv dc1

# What is wrong is said before anything is changed.
vsv a 11 --volume data=64M --hostname filesrv1
check_status "a domain without its name servers" 2 "needs 'dns'" vnas directory set a --type ad --realm sales.example
check_status "no domain" 2 "has no 'realm'" vnas directory set a --type ad
check_status "a key of another type" 2 "belongs to 'type = nis'" vnas directory set a --type ad --realm sales.example --domain x
check_status "a domain of one word" 2 "DNS name" vnas directory set a --type ad --realm SALES
check_status "a range of numbers that are its own users'" 2 "100000 or more" \
	vnas directory set a --type ad --realm sales.example --idmap-range 1000-999999
check_status "a range that is too small" 2 "200000 numbers" \
	vnas directory set a --type ad --realm sales.example --idmap-range 100000-200000
vnas destroy a --purge
for n in 1 2 3; do
	name=$(cut -c $n <<<abc)
	dc=$((n == 3 ? 22 : 21))
	vsv "$name" 1$n --volume data=64M --hostname "filesrv$n" --dns "$NET4.$dc"
done
check "directory set" vnas directory set a --type ad --realm sales.example
check "in the same domain" vnas directory set b --type ad --realm sales.example --idmap rid
check "in another one" vnas directory set c --type ad --realm DEV.EXAMPLE
vsv x 19 --hostname filesrvx --dns "$NET4.21"
vnas directory set x --type ad --realm other.example
vnas start x
step_is x "a domain that is not there" name failed "OTHER.EXAMPLE has no address"
check_status "  is not joined" 1 "no controller of OTHER.EXAMPLE" bash -c "'$VNAS' directory join x --user A --password-stdin <<<b"
vnas stop x
vnas destroy x --purge
check_json "directory show" '.directories[0] | .type == "ad" and .realm == "SALES.EXAMPLE" and .idmap == "autorid"' \
	vnas directory show a --json

# A server that has not joined starts, and says what is missing.
check "it starts before it has joined" vnas start a
check "an own user beside the domain's" vnas user add a own --password-stdin <<<"pw-own"
vnas share add a docs --path /srv/data/docs # a list of names would be asked of the domain first
step_is a "directory test: not joined" join failed "has not joined"
check_status "a wrong password" 1 "cannot join" bash -c "'$VNAS' directory join a --user Administrator --password-stdin <<<wrong"
check_status "a verb for those of a domain" 2 "do not come from a domain" bash -c "
	'$VNAS' create x --address $NET4.19/24 --root-size 64M && '$VNAS' start x; '$VNAS' directory join x --user A --password-stdin <<<b; r=\$?
	'$VNAS' stop x; '$VNAS' destroy x --purge; exit \$r"

check "join" join a
check_eq "its workgroup is the domain's" "$(vnas show a | sed -n 's/^workgroup = //p')" SALES
vnas start b
vnas start c
check "join of a second server" join b
check "join of another domain" join c
check "its own user is served" eventually 10 smb client1 "$NET4.11" docs 'FILESRV1\own' pw-own ls
for name in a b c; do
	check "$name: users are found" eventually 60 id_of $name taro
	step_is $name "$name: a member" join ok "a member of"
done
step_is a "the clock" clock ok "seconds"
step_is a "an SMB logon" "SMB logon" ok "taro" --user taro --password-stdin <<<"pw-dc1"
step_is c "a password of the other domain" "SMB logon" failed "not let in" --user taro --password-stdin <<<"pw-dc1"
check_json "user list" '[.users[] | select(.source == "ad") | .name] | contains(["hanako", "taro"])' vnas user list a --json
check_json "all of whom have an SMB account" 'all(.users[] | select(.source == "ad"); .smb)' vnas user list a --json
check_json "group list" '.groups[] | select(.name == "sales people") | .gid >= 100000' vnas group list a --json
check_status "a domain's password is set there" 1 "user of the domain" bash -c "'$VNAS' user passwd a taro --password-stdin <<<x"
refute "the Psv does not know them" getent passwd taro
check "nothing of it was asked with the Psv's own address" psv_is_deaf "$NET4.21" 389
(cat /etc/passwd && echo 'psvuser:x:4444:4444::/:/bin/sh') >"$T/psv-passwd"
mount --bind "$T/psv-passwd" /etc/passwd
check "the Psv has a user of its own" getent passwd psvuser
refute "  whom no server knows" vnas exec a -- getent passwd psvuser
umount /etc/passwd
check_eq "the second domain has not the first's" "$(id_of c hanako 2>&1 | grep -c 'no such user')" 1

# Numbers are computed: the same after a restart, and on each server that counts alike.
uid=$(id_of a taro)
check "numbers are from the range" test "$uid" -ge 100000
rid=$(samba_tool dc1 user show taro | sed -n 's/^objectSid: .*-//p')
check_eq "by rid they are its relative number" "$(id_of b taro)" $((100000 + rid))

# Access: by users and groups of the domain, NTLM and Kerberos.
for name in a b c; do
	check "$name: share add for a group of the domain" vnas share add $name team --path /srv/data/team --write '@sales people'
done
echo "a line" >"$T/one"
check "a member of the group writes" eventually 10 smb client1 "$NET4.11" team 'SALES\taro' pw-dc1 "put $T/one one"
check_eq "  as himself" "$(vnas exec a -- stat -c %u /srv/data/team/one)" "$uid"
refute "who is not in it does not" smb client1 "$NET4.11" team 'SALES\hanako' pw-hanako ls
refute "a wrong password" smb client1 "$NET4.11" team 'SALES\taro' pw-dc2 ls
check "the same name in the other domain" smb client1 "$NET4.13" team 'DEV\taro' pw-dc2 "put $T/one one"
refute "  is another person" smb client1 "$NET4.13" team 'SALES\taro' pw-dc1 ls
export realm=SALES.EXAMPLE controller=dc1
check "its name is in the domain's DNS" eventually 60 in_domain dc1 getent ahostsv4 filesrv1.sales.example
check "a logon by Kerberos" smb_kerberos client1 filesrv1.sales.example team taro pw-dc1 "get one $T/back"
check "  brings what was written" cmp "$T/one" "$T/back"
check "  also to the other member" smb_kerberos client1 filesrv2.sales.example team taro pw-dc1 "put $T/one one"
spns=$(samba_tool dc1 spn list 'FILESRV1$')
for service in host cifs nfs; do
	check "the domain knows its service $service" grep -qi "$service/filesrv1.sales.example" <<<"$spns"
	check "  and it has the key" bash -c "'$VNAS' exec a -- net ads keytab list --configfile=/run/vnas/samba/smb.conf | grep -qi '$service/filesrv1'"
done

# Machine account, keytab and numbers lie on the root volume.
check "restart" vnas restart a
check "users are found" eventually 60 id_of a taro
check_eq "with the same number" "$(id_of a taro)" "$uid"
check "and are served" eventually 10 smb client1 "$NET4.11" team 'SALES\taro' pw-dc1 "get one $T/back"

# The controller away, while it runs and when it starts; the other domain is not touched.
domain_stop dc1
check "the controller is away: its own users are served" smb client1 "$NET4.11" docs 'FILESRV1\own' pw-own ls
check "  and the other domain's" smb client1 "$NET4.13" team 'DEV\taro' pw-dc2 ls
vnas stop a
check "it starts without it" vnas start a
step_is a "  and says what is missing" name failed "has no address"
check "  its own users are served" eventually 60 smb client1 "$NET4.11" docs 'FILESRV1\own' pw-own ls
domain_start dc1
check "it comes back by itself" eventually 60 smb client1 "$NET4.11" team 'SALES\taro' pw-dc1 ls

# shellcheck disable=SC2154 # of domain.sh
check "no secret is shown" bash -c "! { '$VNAS' show a; '$VNAS' show a --json; '$VNAS' directory show a --json; '$VNAS' logs a; } |
	grep -F -e '$domain_password' -e pw-dc1"

domain_stop dc1
domain_stop dc2
hosts_remove
done_testing
