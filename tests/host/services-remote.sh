#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# sshd with sftp, and rsync's daemon, as [service NAME] of a Vsv with Samba in it: they serve, and none of them is a way to
# user.NTACL, in which smbd keeps who may do what.
. "$(dirname "$0")/../lib.sh"

ssh_options=(-F /dev/null -o BatchMode=no -o StrictHostKeyChecking=yes -o UserKnownHostsFile="$T/known_hosts"
	-o IdentitiesOnly=yes -o LogLevel=ERROR -o PreferredAuthentications=publickey -i "$T/key")
password_options=(-F /dev/null -o StrictHostKeyChecking=yes -o UserKnownHostsFile="$T/known_hosts" -o LogLevel=ERROR
	-o PreferredAuthentications=password -o PubkeyAuthentication=no -o NumberOfPasswordPrompts=1)

# with_password PASSWORD COMMAND…
with_password() {
	printf '#!/bin/sh\necho %q\n' "$1" >"$T/askpass"
	chmod 700 "$T/askpass"
	shift
	on client1 env SSH_ASKPASS="$T/askpass" SSH_ASKPASS_REQUIRE=force "$@" </dev/null
}

# ntacl FILE: the attribute as it lies on the disk.
ntacl() {
	vnas exec s1 -- getfattr --only-values --absolute-names -n user.NTACL "$1" 2>/dev/null | sha256sum
}

host_add client1 101
vsv s1 11 --volume data=64M --hostname filesrv1
conf_add s1 "[service sshd]
command = /usr/sbin/sshd -D -e -f /dev/null -o \"Subsystem sftp internal-sftp\" -o UsePAM=yes -o \"AuthorizedKeysFile /etc/ssh/keys/%u\"
prepare = /usr/bin/mkdir -p /etc/ssh /run/sshd
prepare = /usr/bin/ssh-keygen -A
ready = tcp:22
capabilities = chown kill net_bind_service setgid setuid sys_chroot
package = openssh-server

[service rsync]
command = /usr/bin/rsync --daemon --no-detach --config=/etc/rsyncd.conf
ready = tcp:873
capabilities = chown dac_override fowner net_bind_service setgid setuid sys_chroot
prepare = /usr/bin/touch /etc/rsyncd.conf
package = rsync"
check "start with sshd and rsync" vnas start s1
check_json "both run" '.servers[0].services | map(.name + " " + .state) == ["smbd running", "sshd running", "rsync running"]' \
	vnas status s1 --json
check_json "with a template of their own" '.templates[] | select(.packages == "openssh-server rsync") | .current' \
	vnas template list --json
vnas user add s1 alice --password-stdin <<<"pw-alice"
vnas exec s1 -- usermod -s /bin/bash alice
vnas exec s1 -- install -d -o alice -m 700 /home/alice
vnas exec s1 -- chpasswd <<<"alice:pw-unix"
vnas share add s1 docs --path /srv/data/docs --write alice
echo "first" >"$T/one"
check "SMB serves beside them" smb client1 "$NET4.11" docs alice pw-alice "put $T/one one"
check "an NT ACL is set by SMB" on client1 smbcacls --configfile="$T/smbclient.conf" -U alice%pw-alice "//$NET4.11/docs" one \
	-a "ACL:Everyone:ALLOWED/0x0/READ"
before=$(ntacl /srv/data/docs/one)
refute "which is there" test "$before" = "$(ntacl /srv/data/docs)"

# --- sshd ---------------------------------------------------------------------------------------------------------------------

# Its host keys are its own, lie on its root volume, and stay.
keys=$(vnas exec s1 -- cat /etc/ssh/ssh_host_ed25519_key.pub)
refute "the host key is not the Psv's" grep -qF "$(cut -d' ' -f2 <<<"$keys")" /etc/ssh/ssh_host_ed25519_key.pub
echo "$NET4.11 $(cut -d' ' -f1,2 <<<"$keys")" >"$T/known_hosts"
ssh-keygen -q -t ed25519 -N '' -f "$T/key"
vnas exec s1 -- mkdir -p /etc/ssh/keys
vnas exec s1 -- tee /etc/ssh/keys/alice <"$T/key.pub" >/dev/null
check_eq "login by key" "$(on client1 ssh "${ssh_options[@]}" "alice@$NET4.11" id -un 2>&1)" alice
check_eq "login by password" "$(with_password pw-unix ssh "${password_options[@]}" "alice@$NET4.11" id -un 2>&1)" alice
refute "a wrong password" with_password wrong ssh "${password_options[@]}" "alice@$NET4.11" true
refute "a user that is not there" with_password pw-alice ssh "${password_options[@]}" "bob@$NET4.11" true
check "a terminal" bash -c "nsenter --net=$T/netns/client1 ssh ${ssh_options[*]} -tt alice@$NET4.11 tty </dev/null | grep -q /dev/pts/"
check "a login is in the log" eventually 60 bash -c "'$VNAS' logs s1 | grep -q 'Accepted publickey for alice'"
# Privilege separation: before the login the network side is another user in an empty root, with a filter of its own.
on client1 bash -c "exec 3<>/dev/tcp/$NET4.11/22; echo SSH-2.0-test >&3; exec sleep 5" &
waiting=$!
unprivileged() {
	local pid listener

	listener=$(server_json s1 '.services[] | select(.name == "sshd") | .pid')

	for pid in $(pgrep -f 'sshd: \[net\]'); do
		[[ $(awk '/^Uid/ { print $2 }' "/proc/$pid/status") == 74 ]] || continue
		[[ $(awk '/^CapEff/ { print $2 }' "/proc/$pid/status") == 0000000000000000 ]] || continue
		[[ $(stat -Lc %d:%i "/proc/$pid/root") != "$(stat -Lc %d:%i "/proc/$listener/root")" ]] || continue
		(($(awk '/^Seccomp_filters/ { print $2 }' "/proc/$pid/status") > 2)) && return 0
	done
	return 1
}
check "privilege separation works" eventually 60 unprivileged
kill $waiting 2>/dev/null || true
wait $waiting 2>/dev/null || true

sftp_batch() { # COMMANDS…
	printf '%s\n' "$@" | on client1 sftp "${ssh_options[@]}" -b - "alice@$NET4.11"
}
head -c 3000000 /dev/urandom >"$T/two"
check "sftp put and get" sftp_batch "put $T/two /srv/data/docs/two" "get /srv/data/docs/two $T/two.back"
check "unchanged" cmp "$T/two" "$T/two.back"

# No way to the attribute: sftp has no extension for it,
on client1 sftp "${ssh_options[@]}" -vvv -b - "alice@$NET4.11" >"$T/sftp.log" 2>&1 <<<"pwd" || true
check "sftp tells its extensions" grep -qi 'extension "posix-rename@openssh.com"' "$T/sftp.log"
refute "none of them is about attributes" grep -qiE 'extension ".*xattr|extension ".*attribute' "$T/sftp.log"
check "sftp -p keeps times and modes" sftp_batch "put -p $T/one /srv/data/docs/one-p" "rename /srv/data/docs/one-p /srv/data/docs/one-q"
# and a shell's process may not write it, nor take it away; who reads it sees what smbd wrote.
refute "setfattr over ssh" on client1 ssh "${ssh_options[@]}" "alice@$NET4.11" setfattr -n user.NTACL -v 0xff /srv/data/docs/one
check "says why" bash -c "nsenter --net=$T/netns/client1 ssh ${ssh_options[*]} alice@$NET4.11 \
	setfattr -n user.NTACL -v 0xff /srv/data/docs/one 2>&1 | grep -q 'not supported'"
refute "setfattr -x over ssh" on client1 ssh "${ssh_options[@]}" "alice@$NET4.11" setfattr -x user.NTACL /srv/data/docs/one
refute "on a file of one's own" on client1 ssh "${ssh_options[@]}" "alice@$NET4.11" \
	"echo own >/srv/data/docs/own && setfattr -n user.NTACL -v 0xff /srv/data/docs/own"
check "cp -a over ssh does without" on client1 ssh "${ssh_options[@]}" "alice@$NET4.11" \
	"echo mine >plain && cp -a plain copy && cmp plain copy"
check_eq "the attribute is as it was" "$(ntacl /srv/data/docs/one)" "$before"
check "the administrator may (the control)" vnas exec s1 -- setfattr -n user.test -v x /srv/data/docs/one
check "setfattr -x too" vnas exec s1 -- setfattr -x user.test /srv/data/docs/one

# chroot with internal-sftp and no shell.
vnas exec s1 -- usermod -s /usr/sbin/nologin alice
sed -i 's|-o UsePAM=yes|-o UsePAM=yes -o "ForceCommand internal-sftp" -o "ChrootDirectory /srv"|' "$ETC/s1.conf"
check "reload with a chroot" vnas reload s1
check "sftp in a chroot" sftp_batch "put $T/one /data/docs/chrooted" "ls /data/docs/chrooted"
check "nothing above it" bash -c "! printf 'ls /etc\n' | nsenter --net=$T/netns/client1 sftp ${ssh_options[*]} -b - alice@$NET4.11"
refute "no shell" on client1 ssh -o ConnectTimeout=5 "${ssh_options[@]}" "alice@$NET4.11" test -d /etc
check_eq "the host keys stay" "$(vnas exec s1 -- cat /etc/ssh/ssh_host_ed25519_key.pub)" "$keys"

# --- rsync --------------------------------------------------------------------------------------------------------------------

vnas exec s1 -- tee /etc/rsyncd.conf >/dev/null <<'CONF'
[docs]
path = /srv/data/docs
read only = no
uid = alice
gid = users
[root]
path = /srv/data/docs
read only = no
uid = root
gid = root
use chroot = no
CONF
# The client's files have the attribute: on a file system that can have it.
truncate -s 32M "$T/client.img"
mkfs.ext4 -q "$T/client.img"
mkdir "$T/tree"
mount -o loop "$T/client.img" "$T/tree"
rmdir "$T/tree/lost+found"
cp "$T/one" "$T/two" "$T/tree"
setfattr -n user.NTACL -v 0x0badbadbad "$T/tree/one"
for module in docs root; do
	check "rsync to $module" on client1 rsync -rt "$T/tree/" "rsync://$NET4.11/$module/from-$module/"
	rm -rf "$T/back"
	check "rsync from $module" on client1 rsync -a "rsync://$NET4.11/$module/from-$module/" "$T/back/"
	check "unchanged" diff -r "$T/tree" "$T/back"
	# With -X the client asks for the attribute to be written; a share's file of that name has its own to lose.
	on client1 rsync -aX "$T/tree/" "rsync://$NET4.11/$module/from-$module/" >"$T/rsync.log" 2>&1 || true
	on client1 rsync -aX "$T/tree/one" "rsync://$NET4.11/$module/one" >>"$T/rsync.log" 2>&1 || true
	on client1 rsync -aX --inplace --ignore-times "$T/tree/one" "rsync://$NET4.11/$module/one" >>"$T/rsync.log" 2>&1 || true
	on client1 rsync -a --fake-super "$T/tree/" "rsync://$NET4.11/$module/fake/" >>"$T/rsync.log" 2>&1 || true
	check "rsync -X says that it could not" grep -qE 'setxattr.*user.NTACL.*not supported' "$T/rsync.log"
	check_eq "no file has what it sent" \
		"$(vnas exec s1 -- getfattr -R -h -d -e hex -m 'user\..*' --absolute-names /srv/data 2>/dev/null | grep -c 0badbadbad)" 0
done
umount "$T/tree"
check "its log came by syslog" eventually 60 bash -c "'$VNAS' logs s1 | grep -qE 'rsyncd\[[0-9]+\] daemon.info: '"

# Killed under load, it comes back, and the neighbours of its Vsv serve on.
pid=$(server_json s1 '.services[] | select(.name == "sshd") | .pid')
kill -KILL "$pid"
check "sshd comes back after a kill" eventually 60 sftp_batch "ls /data"
check "SMB serves" smb client1 "$NET4.11" docs alice pw-alice "get one $T/back.one"

# The machine has its own port 22, the server has its own.
vnas stop s1
socat TCP4-LISTEN:22,bind=0.0.0.0,reuseaddr,fork SYSTEM:'echo the machine itself' &
listener=$!
eventually 60 bash -c "ss -lnt | grep -q ':22 '"
check "start beside a listener of the machine on the wildcard of port 22" vnas start s1
check "the server's sshd is the one that answers" sftp_batch "ls /data"
check_eq "at the machine's address the machine" "$(on client1 timeout 5 socat -u "TCP:$NET4.1:22" -)" "the machine itself"
kill $listener
wait $listener 2>/dev/null || true

hosts_remove
done_testing
