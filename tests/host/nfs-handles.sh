#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What NFS clients hold on to outlives the server's restart: file handles (on loop devices with other numbers, of both file
# systems), locks, opens. And what they cannot have: attributes of Samba's, files outside of the volumes.
# vnas-test: long
. "$(dirname "$0")/../lib.sh"

client=$(dirname "$PROBE")/../nfs/nfsclient
nc() {
	on c1 "$client" "$1" "$NET4.11" "${@:2}"
}

host_add c1 101
plain_vsv s1 11 --volume data=64M
vnas volume add s1 big --size 310M --fs xfs
conf_add s1 $'[nfs]\nlease = 5\ngrace = 12'
vnas share add s1 docs --nfs --path /srv/data/docs --squash none
vnas share add s1 wide --nfs --path /srv/big/wide --squash none
vnas start s1
vnas exec s1 -- sh -c 'echo in ext4 >/srv/data/docs/f; echo in xfs >/srv/big/wide/f'

number_of() {
	vnas exec s1 -- stat -c %Hr:%Lr "/dev/volumes/$1"
}

declare -A handle root number
for share in docs wide; do
	root[$share]=$(nc mount 20048 "/$share")
	handle[$share]=$(nc lookup "${root[$share]}" f)
done
for volume in data big; do
	number[$volume]=$(number_of "$volume")
done
check_eq "a handle of ext4 opens its file" "$(nc read "${handle[docs]}")" "in ext4"
check_eq "a handle of XFS opens its file" "$(nc read "${handle[wide]}")" "in xfs"
fsid_docs=$(nc getattr "${handle[docs]}") fsid_wide=$(nc getattr "${handle[wide]}")
refute "two shares are two file systems to a client" test "${fsid_docs% *}" = "${fsid_wide% *}"

# Somebody else takes the numbers of its loop devices while it is away.
vnas stop s1
truncate -s 1M "$T/stray"
strays=()
for volume in data big; do
	device=/dev/loop${number[$volume]#*:}
	if losetup "$device" "$T/stray" 2>/dev/null; then
		strays+=("$device")
	fi
done
vnas start s1
for volume in data big; do
	refute "volume $volume has another device now" test "$(number_of "$volume")" = "${number[$volume]}"
done
check_eq "the handle of ext4 is the same" "$(nc lookup "$(nc mount 20048 /docs)" f)" "${handle[docs]}"
check_eq "the handle of XFS is the same" "$(nc lookup "$(nc mount 20048 /wide)" f)" "${handle[wide]}"
check_eq "an old handle of ext4 opens its file" "$(nc read "${handle[docs]}")" "in ext4"
check_eq "an old handle of XFS opens its file" "$(nc read "${handle[wide]}")" "in xfs"
check_eq "clients see the same file system" "$(nc getattr "${handle[wide]}")" "$fsid_wide"
for device in "${strays[@]}"; do
	losetup -d "$device"
done

# A share that was removed is closed to who has a handle of it, and open again with the same handle.
vnas share remove s1 wide
stale() {
	[[ $(nc getattr "$1") == "error 70" ]]
}
check "a handle of a removed share is stale" eventually 60 stale "${handle[wide]}"
vnas share add s1 wide --nfs --path /srv/big/wide --squash none
check "and good again when the share is back" eventually 60 nc read "${handle[wide]}"

# A volume that came while it ran has handles as good.
check "volume add, running" vnas volume add s1 late --size 310M --fs xfs
check "a share on it" vnas share add s1 late --nfs --path /srv/late/d --squash none
vnas exec s1 -- sh -c 'echo late >/srv/late/d/f'
eventually 10 nc mount 20048 /late || true # Ganesha is told of it, and nobody knows when it has heard
late=$(nc lookup "$(nc mount 20048 /late)" f)
vnas restart s1
check_eq "its handle outlives a restart" "$(nc read "$late")" late

# Killed: PID 1 starts it again, clients go on.
pid=$(server_json s1 '.services[] | select(.name == "ganesha").pid')
kill -KILL "$pid"
check "killed with -9, it serves again" eventually 60 nc read "${handle[docs]}"
for name in rpcbind statd; do
	pid=$(server_json s1 ".services[] | select(.name == \"$name\").pid")
	kill -KILL "$pid"
done

# Locks of NFS 3 through the lock manager and statd.
check "a lock, with statd just restarted" eventually 60 nc lock 32803 "${handle[docs]}" 0 10
check "the client is in statd's records" eventually 60 vnas exec s1 -- test -e "/var/lib/nfs/sm/$NET4.101"
vnas stop s1
on c1 timeout 60 socat -u UDP4-RECVFROM:111 "OPEN:$T/told,creat,trunc" 2>/dev/null &
vnas start s1
check "the client is told of the restart: its rpcbind is asked for statd" eventually 60 test -s "$T/told"
check_eq "after a restart nobody takes what was locked" "$(nc lock 32803 "${handle[docs]}" 0 10)" grace
# A client that has been told is in statd's records again only when it has reclaimed: as if Ganesha were killed between both.
vnas exec s1 -- sh -c 'rm -f /var/lib/nfs/sm.bak/*'
pid=$(server_json s1 '.services[] | select(.name == "ganesha").pid')
kill -KILL "$pid"
check "killed in the grace period, it serves again" eventually 60 nc read "${handle[wide]}"
check_eq "… with a grace period" "$(nc lock 32803 "${handle[docs]}" 0 10)" grace
check_eq "who had it gets it back" "$(nc lock 32803 "${handle[docs]}" 0 10 reclaim)" granted
check "the grace period ends" eventually 60 nc lock 32803 "${handle[docs]}" 100 10
no_longer() {
	! vnas exec s1 -- test -e "$1"
}
check "that clients were told is forgotten after it" eventually 60 no_longer /var/lib/nfs/ganesha/told/clients
check "unlock" nc unlock 32803 "${handle[docs]}" 0 10
check "unlock" nc unlock 32803 "${handle[docs]}" 100 10

# Version 4 alone: none of the helpers, and the grace period ends with the last one who reclaims.
vnas stop s1
sed -i 's/^grace = 12/grace = 90\nversions = 4/' "$ETC/s1.conf"
vnas start s1
check_eq "only Ganesha runs" "$(server_json s1 '[.services[].name] | join(" ")')" ganesha
refute "nobody answers for NFS 3" nc mount 20048 /docs
vnas exec s1 -- rm -rf /var/lib/nfs/ganesha/v4recov /var/lib/nfs/ganesha/v4old
vnas restart s1
check_eq "no client, no grace period: an open succeeds at once" "$(nc open41 docs f)" ok
vnas restart s1
check_eq "the client was remembered: a grace period, which ends with it" \
	"$(eventually 60 nc open41 docs f && echo ended)" ended

# What Samba keeps in an attribute is not for NFS to write.
vnas exec s1 -- setfattr -n user.NTACL -v genuine /srv/data/docs/f
refute "setxattr by NFS 4.2" nc setxattr docs f NTACL forged
refute "… of another name" nc setxattr docs f other x
check_eq "the attribute is as it was" "$(vnas exec s1 -- getfattr --only-values --absolute-names -n user.NTACL /srv/data/docs/f)" \
	genuine
hosts_remove
done_testing
