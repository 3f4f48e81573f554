#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `vnas sessions`: who is connected, how safely, with which files and locks; what ends when a user or a share is removed;
# and what a tenant makes of smbstatus.  Names by NetBIOS and their ends by the gate.
. "$(dirname "$0")/../lib.sh"

host_add client1 101
host_add client2 102
vsv s1 11 --volume data=64M --hostname filesrv1
vsv s2 12 --hostname filesrv2
sed -i 's/^hostname = .*/&\ndiscovery = netbios\nalias = oldsrv\nalias = archive/' "$ETC/s1.conf"
echo "a line" >"$T/one"

check_status "sessions of one that does not run" 3 "does not run" vnas sessions s1
check_status "of none" 4 "" vnas sessions s9
vnas start s1
vnas start s2
for user in alice bob; do
	vnas user add s1 $user --password-stdin <<<"pw-$user"
done
vnas share add s1 docs
vnas share add s1 more
check_json "nobody is there" '.sessions == []' vnas sessions s1 --json
check_eq "nor in the text" "$(vnas sessions s1)" ""

# stay N HOST USER SHARE [OPTION…]: a client that stays, and reads commands from descriptor N.
pids=()
stay() {
	local n=$1 host=$2 user=$3 share=$4

	shift 4
	mkfifo "$T/fifo$n"
	on "$host" smbclient --configfile="$T/smbclient.conf" -U "$user%pw-$user" "$@" "//$NET4.11/$share" \
		<"$T/fifo$n" >"$T/out$n" 2>&1 &
	pids[n]=$!
	eval "exec $n>'$T/fifo$n'"
}
# say N COMMAND: and wait until it was done.  Of two lines that come at once smbclient reads the second when a third comes.
say() {
	local i

	printf '%s\nget one %s\n' "$2" "$T/done$1" >&"$1"
	for ((i = 0; i < 100; i++)); do
		if [[ -s $T/done$1 ]]; then
			rm -f "$T/done$1"
			return 0
		fi
		sleep 0.2
		echo >&"$1"
	done
	return 1
}
leave() {
	eval "exec $1>&-"
	wait "${pids[$1]}" || true
	rm -f "$T/fifo$1"
}
smb client1 "$NET4.11" docs alice pw-alice "put $T/one one" >/dev/null
smb client1 "$NET4.11" more alice pw-alice "put $T/one one" >/dev/null

stay 5 client1 alice docs
stay 6 client2 bob docs --client-protection=encrypt
say 5 "open one"
say 6 "ls"
check_json "both are there" '[.sessions[].user] | sort == ["alice", "bob"]' vnas sessions s1 --json
check_json "from where" '[.sessions[] | .user + " " + .client] | sort == ["alice '"$NET4"'.101", "bob '"$NET4"'.102"]' \
	vnas sessions s1 --json
check_json "in which share" 'all(.sessions[]; .shares[0].name == "docs")' vnas sessions s1 --json
check_json "dialect" 'all(.sessions[]; .dialect == "SMB3_11")' vnas sessions s1 --json
check_json "encryption" '.sessions[] | select(.user == "bob") | (.encryption == "full" or .encryption == "partial") and (.encryption_cipher | test("^AES-"))' \
	vnas sessions s1 --json
check_json "none" '.sessions[] | select(.user == "alice") | .encryption == "none" and .encryption_cipher == null' \
	vnas sessions s1 --json
check_json "signing" '.sessions[] | select(.user == "alice") | .signing == "partial" and (.signing_cipher | test("^AES-"))' \
	vnas sessions s1 --json
check_json "files" '.sessions[] | select(.user == "alice") | .file_count == 1 and .files[0].path == "one" and
	.files[0].share_path == "/srv/data/docs" and (.files[0].since | test("^20"))' vnas sessions s1 --json
check "the text says the same" bash -c "'$VNAS' sessions s1 | grep -qE '^alice +$NET4.101 +SMB3_11 +partial +none +docs +1 +0\$'"
check "with the files" bash -c "'$VNAS' sessions s1 | grep -qE '^alice +$NET4.101 .* /srv/data/docs +one\$'"
check_json "none of it is another server's" '.sessions == []' vnas sessions s2 --json


# Removing a share or a user.
check "share remove" vnas share remove s1 more
check "who is elsewhere stays" say 5 "ls"
check "user remove" vnas user remove s1 bob
(echo "get one $T/after" >&6) 2>/dev/null || true # it may have noticed already
leave 6
refute "ends that user's session" test -s "$T/after"
check_json "and no other" '[.sessions[].user] == ["alice"]' vnas sessions s1 --json
check "alice works on" say 5 "ls"
if [[ -x /usr/bin/ganesha.nfsd ]]; then
	check "share set, to NFS alone" vnas share set s1 docs --nfs
	(echo "get one $T/after" >&5) 2>/dev/null || true
	leave 5
	refute "ends it as well" test -s "$T/after"
	check "and back" vnas share set s1 docs --smb
	stay 5 client1 alice docs
	check "she comes again" say 5 "ls"
else
	skip "a share that goes to NFS" "nfs-ganesha is not installed"
fi
check "share remove under her" vnas share remove s1 docs
(echo "get one $T/after" >&5) 2>/dev/null || true # it may have noticed already
leave 5
refute "ends it" test -s "$T/after"

# What a tenant puts in the place of Samba's state.
vnas share add s1 docs
vnas exec s1 -- mv /run/samba/smbXsrv_session_global.tdb /run/samba/aside 2>/dev/null || true
check "with Samba's state gone it says something or fails, and ends" timeout 60 bash -c "'$VNAS' sessions s1 --json || true"
vnas exec s1 -- mv /run/samba/aside /run/samba/smbXsrv_session_global.tdb 2>/dev/null || true
vnas restart s1

# NetBIOS: the server's name and its aliases, from a client of the network that asks all.
lookup() {
	on client1 nmblookup --configfile="$T/smbclient.conf" -B "$NET4.255" "$1" | grep -qxE "$NET4.1[13] $1<00>"
}
check_json "nmbd is a service" '.servers[0].services | map(.name) == ["smbd", "nmbd"]' vnas status s1 --json
for name in filesrv1 oldsrv archive; do
	check "$name is answered" eventually 60 lookup $name
done
refute "another server's is not" lookup filesrv2
check "the node status has all of them" bash -c "
	. '$(dirname "$0")/../network.sh' && T='$T'
	on client1 nmblookup --configfile='$T/smbclient.conf' -A '$NET4.11' | grep -cE '(FILESRV1|OLDSRV|ARCHIVE) +<20>' | grep -qx 3"
for name in filesrv1 OLDSRV archive; do
	check "SMB by the name $name, on the old port" on client1 smbclient --configfile="$T/smbclient.conf" -p 139 -I "$NET4.11" \
		-U alice%pw-alice "//$name/docs" -c ls
	check "and on the new" on client1 smbclient --configfile="$T/smbclient.conf" -I "$NET4.11" -U alice%pw-alice \
		"//$name/docs" -c ls
done
check "nmbd is restarted when it is killed" bash -c "
	'$VNAS' exec s1 -- bash -c 'kill -KILL \$(pgrep -x nmbd)'"
check "and answers" eventually 60 lookup oldsrv
check "an address more" vnas address add s1 "$NET4.13/24"
check "does not end it" eventually 60 lookup oldsrv

check_json "without discovery there is none" '.servers[0].services | map(.name) == ["smbd"]' vnas status s2 --json
refute "and no answer" on client1 nmblookup --configfile="$T/smbclient.conf" -A "$NET4.12"
refute "the port is closed too" on client1 smbclient --configfile="$T/smbclient.conf" -p 139 -I "$NET4.12" -N //filesrv2/IPC$ -c ls
vnas exec s2 -- mkdir -p /root/nm
vnas exec s2 -- tee /root/nm/smb.conf >/dev/null <<END
[global]
	netbios name = FILESRV2
	interfaces = $NET4.12/24
END
before=$(server_json s2 .refused.bind)
vnas exec s2 -- timeout 5 nmbd --foreground --no-process-group --configfile=/root/nm/smb.conf >/dev/null 2>&1 || true
check "one that its root starts is refused the broadcast address by the gate" \
	test "$(server_json s2 .refused.bind)" -gt "$before"
lookup2() {
	on client1 nmblookup --configfile="$T/smbclient.conf" -B "$NET4.255" filesrv2 | grep -q "^$NET4.12 "
}
refute "and is not found" lookup2

# An alias is one server's.
sed -i 's/^hostname = .*/&\nalias = OldSrv/' "$ETC/s2.conf"
check_status "an alias of another's" 5 "alias OLDSRV belongs to s1" vnas restart s2
sed -i '/^alias = OldSrv/d' "$ETC/s2.conf"
sed -i '/^discovery = netbios/d' "$ETC/s1.conf"
check "discovery off" vnas restart s1
refute "nothing answers any more" lookup oldsrv

hosts_remove
done_testing
