#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The inside of a guest that tests/uml.sh starts: PID 1 of a user-mode Linux whose root is the test's own tree, read-only, and
# which writes below GUEST_BOX, a folder that both sides see. A line on the console names a job: a script in that folder,
# which runs beside the others. When it ends, its output lies in JOB.out and its status in JOB.status.
#
# Scripts of jobs source this file, for the functions: "uml-guest.sh" itself starts as PID 1 only.

# --- what jobs call ------------------------------------------------------------------------------------------------------

# nfs VERSION SERVER:PATH DIR [OPTIONS]: mounts without a helper. SERVER is an IPv4 address, an IPv6 one in brackets, or a name
# that has an IPv4 address.
nfs() {
	local version=$1 source=$2 dir=$3 server=${2%:*} type=nfs4 options=vers=$1 me=$GUEST_IP4

	server=${server#[} server=${server%]}
	[[ $server != *:* ]] || me=$GUEST_IP6
	[[ $server == *[^0-9.]* && $server != *:* ]] && server=$(getent ahostsv4 "$server" | awk 'NR == 1 { print $1 }')
	options+=,addr=$server,proto=tcp
	[[ ${4:-} == *sec=* ]] || options+=,sec=sys
	case $version in
	3)
		type=nfs
		options+=,mountaddr=$server,mountproto=tcp,mountvers=3
		nlm_up
		;;
	4.0) options+=,clientaddr=$me ;;
	esac
	[[ $server != *:* ]] || options=${options//proto=tcp/proto=tcp6}
	mkdir -p "$dir"
	mount -i -t $type -o "$options${4:+,$4}" "$source" "$dir"
}

# nlm_up: what locks over NFSv3 need: the client's own rpcbind and statd, whose notes are lost with the guest.
nlm_up() {
	[[ ! -e /run/rpcbind.sock ]] || return 0
	mount -t tmpfs none /var/lib/nfs
	mkdir -p /var/lib/nfs/sm /var/lib/nfs/sm.bak /run/rpcbind
	rpcbind -w
	rpc.statd --no-notify
}

# names DOMAIN USER UID: from now on mounts of NFS 4 know owners by name, and the user has that number here.
names() {
	printf '[General]\nDomain = %s\n' "$1" >/run/idmapd.conf
	{
		cat /etc/passwd
		echo "$2:x:$3:$3::/:/bin/false"
	} >/run/passwd
	mount --bind /run/idmapd.conf /etc/idmapd.conf
	mount --bind /run/passwd /etc/passwd
	modprobe -d /run/kmod nfs
	echo N >/sys/module/nfs/parameters/nfs4_disable_idmapping
}

# kerberos REALM NAMESERVER: from now on mounts can have sec=krb5 and its like, of servers by name. The machine's own key is
# "krb5.keytab" in the box.
kerberos() {
	local name=$GUEST_NAME.${1,,}

	printf '[libdefaults]\ndefault_realm = %s\ndns_lookup_kdc = true\nrdns = false\n' "$1" >/run/krb5.conf
	printf '[global]\nrealm = %s\nworkgroup = %s\nsecurity = ads\n' "$1" "${1%%.*}" >/run/smb.conf
	printf 'nameserver %s\nsearch %s\n' "$2" "${1,,}" >/run/resolv.conf
	printf '127.0.0.1 localhost\n%s %s %s\n' "$GUEST_IP4" "$name" "$GUEST_NAME" >/run/hosts
	mount --bind /run/resolv.conf /etc/resolv.conf
	mount --bind /run/hosts /etc/hosts
	modprobe -d /run/kmod -a nfs rpcsec_gss_krb5
	mkdir /run/rpc_pipefs
	mount -t rpc_pipefs none /run/rpc_pipefs
	KRB5_CONFIG=/run/krb5.conf rpc.gssd -p /run/rpc_pipefs -k /run/box/krb5.keytab
}

# ticket UID USER PASSWORD: a ticket of the domain for that number's programs.
ticket() {
	as "$1" env "KRB5_CONFIG=/run/krb5.conf" "KRB5CCNAME=FILE:/tmp/krb5cc_$1" \
		net ads kerberos kinit --configfile=/run/smb.conf -U "$2%$3"
}

# smb //SERVER/SHARE USER PASSWORD DIR [OPTIONS]
smb() {
	local server=${1#//}

	mkdir -p "$4"
	mount -i -t cifs -o "ip=${server%%/*},username=$2,password=$3,vers=3.1.1${5:+,$5}" "$1" "$4"
}

# as UID[:GID] COMMAND…
as() {
	local uid=${1%:*} gid=${1#*:}

	shift
	setpriv --reuid "$uid" --regid "$gid" --clear-groups "$@"
}

# session_begin NAME: a process that holds files (`client session`), between two pipes.  session_ask NAME WORDS: prints its answer.
session_begin() {
	mkfifo "/run/$1.in" "/run/$1.out"
	# Both ends are held open by the process itself, so that nobody waits for the other at a start or sees an end.
	setsid /run/box/client session <>"/run/$1.in" >/dev/null 1<>"/run/$1.out" 2>&1 &
	echo $! >"/run/$1.pid"
}

session_ask() {
	local answer

	echo "$2" >"/run/$1.in"
	read -r answer <"/run/$1.out"
	case $answer in
	ok) ;;
	"ok "*) echo "${answer#ok }" ;;
	*)
		echo "$answer"
		return 1
		;;
	esac
}

# domain_run DIR: a domain controller (tests/domain.sh), whose folder was copied to the box as "domain"; DIR is where it was made.
domain_run() {
	local f

	for f in resolv.conf hosts; do
		mount --bind "/run/box/domain/$f" "/etc/$f"
	done
	for f in lib log cache; do
		mount -t tmpfs none "/var/$f/samba"
	done
	mkdir -p "$1" /run/samba
	[[ -d $1/dc ]] || cp -a /run/box/domain/. "$1"
	# Without what speaks with other controllers; and the guest has one processor.
	exec samba --configfile="$1/dc/etc/smb.conf" --foreground --no-process-group --debug-stdout \
		--option="server services=s3fs rpc nbt ldap cldap kdc winbindd dns" --option="prefork children=1"
}

[[ $$ -eq 1 ]] || return 0 2>/dev/null || exit 1

# --- PID 1 ------------------------------------------------------------------------------------------------------------------

fail() {
	echo "guest: $*" >&2
	echo o >/proc/sysrq-trigger
	sleep 60
}

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
mount -t proc none /proc
mount -t sysfs none /sys
mount -t tmpfs -o mode=755 none /run
mount -t tmpfs none /tmp
mount -t tmpfs none /mnt
[[ -c /dev/null ]] || mount -t devtmpfs none /dev || fail "no /dev"
stty -F /dev/console raw -echo 2>/dev/null

# The modules of the guest's own kernel, which is not the machine's: also what the kernel itself asks for.
mkdir -p /run/kmod/lib /run/box /run/lock /run/sendsigs.omit.d
ln -s "$GUEST_MODULES" /run/kmod/lib/modules
printf '#!/bin/sh\nexec /sbin/modprobe -d /run/kmod "$@"\n' >/run/modprobe
chmod 755 /run/modprobe
echo /run/modprobe >/proc/sys/kernel/modprobe

mount -t hostfs -o "$GUEST_BOX" none /run/box || fail "no $GUEST_BOX"
hostname "$GUEST_NAME"
modprobe -d /run/kmod ipv6
ip link set lo up
ip link set vec0 up || fail "no network"
ip addr add "$GUEST_IP4/24" dev vec0
ip addr add "$GUEST_IP6/64" dev vec0 nodad
export GUEST_BOX GUEST_IP4 GUEST_IP6 GUEST_NAME

job() {
	local status=0

	bash "/run/box/$1.sh" </dev/null >"/run/box/$1.out" 2>&1 || status=$?
	# The name appears when the content is there.
	echo $status >"/run/box/$1.new"
	mv "/run/box/$1.new" "/run/box/$1.status"
}

echo "guest: up"
while read -r name <&0; do
	[[ $name ]] || continue
	[[ $name != off ]] || break
	job "$name" &
done
echo o >/proc/sysrq-trigger
sleep 60
