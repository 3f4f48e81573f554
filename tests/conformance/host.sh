#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The part of tools/conformance that needs a host of its own: runs the suites against a Vsv in each stack and against the same
# daemons by hand, in a network namespace beside them, with the Vsv's own configuration and storage of the same kind. What came
# out goes into CONFORMANCE_DIR/results, a line each: where, suite, test, outcome.
#
#	CONFORMANCE_DIR    a folder for the results and logs
#	CONFORMANCE_STACKS some of shared, private
#	CONFORMANCE_SMB    suites of smbtorture
#	CONFORMANCE_PYNFS  where pynfs is; empty: no NFS
#	CONFORMANCE_40, CONFORMANCE_41  its tests of NFS 4.0 and 4.1: flags and codes; empty: none
. "$(dirname "$0")/../lib.sh"

conformance=$(dirname "$(realpath "$0")")
read -r -a stacks <<<"$CONFORMANCE_STACKS"
read -r -a suites <<<"$CONFORMANCE_SMB"
places=(bare "${stacks[@]}")
declare -A address=([bare]=$NET4.104 [shared]=$NET4.11 [private]=$NET4.12)
declare -A number=([shared]=11 [private]=12)

host_add client1 101
host_add bare 104

# --- the Vsv ---
for stack in "${stacks[@]}"; do
	options=(--volume data=512M --hostname "$stack.example")
	[[ $stack == shared ]] || options+=(--stack private --interface lan)
	vsv "$stack" "${number[$stack]}" "${options[@]}"
	# Short, since pynfs waits for leases to run out. NFS 3 is nobody's here.
	[[ -z $CONFORMANCE_PYNFS ]] || {
		conf_add "$stack" $'[nfs]\nversions = 4\nlease = 5\ngrace = 5'
		vnas share add "$stack" pynfs --path /srv/data/pynfs --nfs
		sed -i '/^\[share pynfs\]/a squash = none' "$ETC/$stack.conf"
	}
	check "$stack: start" vnas start "$stack"
	vnas user add "$stack" torture --uid 4711 --password-stdin <<<"secret"
	vnas share add "$stack" torture --path /srv/data/torture
done
model=${stacks[0]}

# --- the same daemons by hand: their folders are this host's own ---
for folder in /var/lib/samba /var/cache/samba /run/samba /var/log/samba /var/lib/nfs /srv; do
	mkdir -p "$folder"
	mount -t tmpfs none "$folder"
done
mkdir -p /var/lib/samba/private /var/lib/nfs/ganesha/v4old /var/lib/nfs/ganesha/v4recov /srv/data
(cat /etc/passwd && echo 'torture:x:4711:100::/:/usr/sbin/nologin') >"$T/passwd"
mount --bind "$T/passwd" /etc/passwd
truncate -s 512M "$T/disk"
features=$(dumpe2fs -h "$LIB/volumes/$model.data.img?offset=1048576" 2>/dev/null |
	sed -n 's/^Filesystem features: *//p' | tr ' ' ',' | sed 's/needs_recovery,//; s/orphan_present,//')
mkfs.ext4 -q -O "$features" "$T/disk" 2>/dev/null || mkfs.ext4 -q "$T/disk"
mount -o loop,nodev,nosuid "$T/disk" /srv/data
mkdir /srv/data/torture /srv/data/pynfs
vnas exec "$model" -- getfacl -cp /srv/data/torture >"$T/acl"
setfacl --set-file="$T/acl" /srv/data/torture

daemons=()
# by_hand COMMAND…: each has a process group of its own.
by_hand() {
	nsenter --net="$T/netns/bare" setsid "$@" </dev/null >>"$CONFORMANCE_DIR/bare.log" 2>&1 &
	daemons+=($!)
}

# generated FILE: what vnas made of the Vsv's configuration, with the addresses and names of the bare host.
generated() {
	vnas exec "$model" cat "/run/vnas/$1" |
		sed "s#$NET4\.${number[$model]}#${address[bare]}#g; s#$NET6:${number[$model]}#$NET6:104#g; s#/run/vnas/ganesha/#$T/#g"
}

generated samba/smb.conf >"$T/smb.conf"
by_hand /usr/sbin/smbd --foreground --no-process-group --debug-stdout --configfile="$T/smb.conf"
smbpasswd -c "$T/smb.conf" -s -a torture <<<$'secret\nsecret' >/dev/null
if [[ $CONFORMANCE_PYNFS ]]; then
	generated ganesha/graceless.conf >"$T/ganesha.conf"
	generated ganesha/idmapd.conf >"$T/idmapd.conf"
	mkdir -p /run/ganesha
	by_hand /usr/bin/ganesha.nfsd -F -L STDERR -N NIV_EVENT -p "$T/ganesha.pid" -f "$T/ganesha.conf"
fi

for place in "${places[@]}"; do
	check "$place: smbd serves" eventually 20 smb client1 "${address[$place]}" torture torture secret ls
	[[ -z $CONFORMANCE_PYNFS ]] ||
		check "$place: Ganesha listens" eventually 20 on client1 timeout 1 bash -c "exec 3<>/dev/tcp/${address[$place]}/2049"
done
going_well || { cat "$CONFORMANCE_DIR/bare.log"; done_testing; }

# --- the suites ---
# results PLACE SUITE: from lines "outcome: test". Each place has a file of its own, since some write at once.
results() {
	sed -nE "s/^(success|failure|error|skip): (.*)/$1\t$2\t\2\t\1/p" >>"$CONFORMANCE_DIR/results.$1"
}

collect() {
	cat "${places[@]/#/$CONFORMANCE_DIR/results.}" >"$CONFORMANCE_DIR/results"
}

torture() { # PLACE SUITE [TEST]
	local name=$2${3:+.$3}

	on client1 timeout 300 smbtorture --configfile="$T/smbclient.conf" --basedir="$T" -U torture%secret \
		"//${address[$1]}/torture" "$name" >"$CONFORMANCE_DIR/$name.$1.log" 2>&1 || true
	sed -E 's/^((success|failure|error|skip): [^ ]*).*/\1/' "$CONFORMANCE_DIR/$name.$1.log" | results "$1" "$2"
}

pynfs() { # PLACE VERSION FLAGS…
	local place=$1 version=$2 log=$CONFORMANCE_DIR/nfs$2.$1

	shift 2
	[[ $1 != --rundeps ]] || log=$CONFORMANCE_DIR/nfs$version.$2.$place
	(
		cd "$CONFORMANCE_PYNFS/nfs$version"
		# By Debian's own Python, which has the modules.
		on client1 env PYTHONDONTWRITEBYTECODE=1 timeout 1500 /usr/bin/python3 testserver.py "${address[$place]}:/pynfs" \
			--maketree --minorversion="${version#4.}" --json="$log.json" "$@" >"$log.log" 2>&1
	) || true
	jq -r '.testcase[] | (if .failure then "failure" elif .skipped then "skip" else "success" end) + ": " + .code' "$log.json" |
		if [[ $1 == --rundeps ]]; then grep ": $2\$"; else cat; fi | results "$place" "nfs$version"
	# What the one says of a failure, for who wants to know more.
	jq -r '.testcase[] | select(.failure) | .code + ": " + (.failure.message | gsub("\n"; " "))' "$log.json" >"$log.failures"
}

# One place after the other, so that each has the machine as the others have it.
for suite in "${suites[@]}"; do
	for place in "${places[@]}"; do
		torture "$place" "$suite"
	done
done
if [[ $CONFORMANCE_PYNFS ]]; then
	for version in 4.0 4.1; do
		chosen=CONFORMANCE_${version/./}
		read -r -a flags <<<"${!chosen}"
		((${#flags[@]})) || continue
		# These wait for leases most of the time.
		runs=()
		for place in "${places[@]}"; do
			pynfs "$place" "$version" "${flags[@]}" &
			runs+=($!)
		done
		wait "${runs[@]}"
	done
fi

# What differs is tried once more, alone: a moment of a busy machine is no difference.
collect
mapfile -t differing < <(awk -f "$conformance/differences.awk" "$CONFORMANCE_DIR/expected" "$CONFORMANCE_DIR/results")
for line in "${differing[@]}"; do
	IFS=$'\t' read -r stack suite test _ _ reason <<<"$line"
	[[ -z $reason ]] || continue
	for place in bare "$stack"; do
		case $suite in
		nfs*) pynfs "$place" "${suite#nfs}" --rundeps "$test" ;;
		*) torture "$place" "$suite" "$test" ;;
		esac
	done
done
collect

# With their children; Ganesha takes its time to end in order.
for pid in "${daemons[@]}"; do
	kill -KILL -- "-$pid"
done
wait "${daemons[@]}" 2>/dev/null || true
for folder in /srv/data /srv /etc/passwd /var/lib/samba /var/cache/samba /run/samba /var/log/samba /var/lib/nfs; do
	eventually 20 umount "$folder"
done
hosts_remove
done_testing
