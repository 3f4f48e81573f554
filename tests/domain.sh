# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Real Active Directory domains: a Samba domain controller with its own DNS and KDC, on a client host of a test's own network
# (tests/network.sh).  Expects T, on(), NET4.

domain_password=Passw0rd. # of Administrator

# in_domain HOST COMMAND…: on the controller, with its own name, hosts and resolver.
in_domain() {
	local host=$1

	shift
	nsenter --net="$T/netns/$host" unshare --mount --uts bash -c '
		hostname "$1"
		mount --bind "$2/resolv.conf" /etc/resolv.conf
		mount --bind "$2/hosts" /etc/hosts
		mkdir -p /run/samba
		mount --bind "$2/run" /run/samba
		shift 2
		exec "$@"' - "$host" "$T/$host" "$@"
}

# domain_make HOST ADDRESS REALM SHORT: an empty domain, whose controller is that host.
domain_make() {
	local host=$1 address=$2 realm=$3 short=$4 dir=$T/$1

	mkdir -p "$dir/run"
	printf 'nameserver %s\nsearch %s\n' "$address" "${realm,,}" >"$dir/resolv.conf"
	printf '127.0.0.1 localhost\n%s %s.%s %s\n' "$address" "$host" "${realm,,}" "$host" >"$dir/hosts"
	in_domain "$host" samba-tool domain provision --realm="$realm" --domain="$short" --adminpass="$domain_password" \
		--server-role=dc --dns-backend=SAMBA_INTERNAL --host-ip="$address" --host-name="$host" --targetdir="$dir/dc" \
		--option="interfaces=$address" --option="bind interfaces only=yes" >"$dir/provision.log" 2>&1
	sed -i "s#^\[global\]#&\n\tinterfaces = $address\n\tbind interfaces only = yes#" "$dir/dc/etc/smb.conf"
	samba_tool "$host" domain passwordsettings set --complexity=off --min-pwd-length=4 >/dev/null
}

# samba_tool HOST WORD…: the controller's own administration, running or not.
samba_tool() {
	local host=$1

	shift
	in_domain "$host" samba-tool "$@" --configfile="$T/$host/dc/etc/smb.conf"
}

# domain_start HOST: until it answers.
domain_start() {
	local host=$1 i

	in_domain "$host" samba --configfile="$T/$host/dc/etc/smb.conf" --foreground --no-process-group --debug-stdout \
		>"$T/$host/log" 2>&1 </dev/null &
	echo $! >"$T/$host/pid"
	for ((i = 0; i < 300; i++)); do
		# Its ports are open some time before it knows its own zone.
		in_domain "$host" bash -c 'exec 3<>/dev/tcp/$(hostname)/389 4<>/dev/tcp/$(hostname)/88 5<>/dev/tcp/$(hostname)/53 &&
			timeout 5 getent ahosts "$(sed -n "s/^search //p" /etc/resolv.conf)"' >/dev/null 2>&1 && return
		sleep 0.1
	done
	tail -n 5 "$T/$host/log"
	return 1
}

# domain_stop HOST: with all that it started, which is its session's in its own network.
domain_stop() {
	local pid host=$1 net

	net=$(stat -L -c %i "$T/netns/$host")
	kill "$(cat "$T/$host/pid")" 2>/dev/null || true
	wait "$(cat "$T/$host/pid")" 2>/dev/null || true
	for pid in /proc/[0-9]*; do
		[[ $(stat -L -c %i "$pid/ns/net" 2>/dev/null) != "$net" ]] || kill -KILL "${pid#/proc/}" 2>/dev/null || true
	done
}

# --- what its members are asked -------------------------------------------------------------------------------------------

# join SERVER, id_of SERVER USER.
join() {
	vnas directory join "$1" --user Administrator --password-stdin <<<"$domain_password"
}

id_of() {
	vnas exec "$1" -- id -u -- "$2"
}

# smb_kerberos HOST SERVER SHARE USER PASSWORD COMMANDS: a client's logon without a password on the way, in the domain $realm whose
# controller is the host $controller; names of $T/$controller/hosts are known without DNS.
# shellcheck disable=SC2154
smb_kerberos() {
	printf '[libdefaults]\ndefault_realm = %s\ndns_lookup_kdc = true\nrdns = false\n' "$realm" >"$T/$1.krb5"
	KRB5_CONFIG=$T/$1.krb5 KRB5CCNAME=FILE:$T/$1.cc on "$1" unshare --mount bash -c "
		mount --bind '$T/$controller/resolv.conf' /etc/resolv.conf
		mount --bind '$T/$controller/hosts' /etc/hosts
		exec smbclient --configfile='$T/smbclient.conf' --use-kerberos=required -U '$4@$realm%$5' '//$2/$3' -c '$6'"
}
