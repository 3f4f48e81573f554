#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: long
# A root that is hostile as a file system: each folder and file that a start looks at as a link to the Psv's, a file, a
# pipe, a device or nothing; and folders exchanged with such links while it looks. A start works without following them, or
# fails, says why, and leaves nothing; the canary, which the links lead to, stays as it was to the last change time.
. "$(dirname "$0")/../lib.sh"

SWAP=$(dirname "$PROBE")/swap
LIMIT=90 # seconds for one command, whatever stands in its way

# --- the canary ----------------------------------------------------------------------------------------------------------

# The Psv's /etc is a copy of the machine's for this host, so that a hole would not reach the machine.
cp -a /etc "$T/etc"
mount --bind "$T/etc" /etc
CANARY=$T/canary WORD=a-word-of-the-host
mkdir -p "$CANARY/data"
cp -a "$T/etc/passwd" "$T/etc/group" "$T/etc/hosts" "$CANARY"
for place in "$CANARY" /etc "$ETC"; do
	mkdir -p "$place"/{samba,pam.d,lib/samba/private,lib/nfs,cache/samba,log,tmp,srv,taro,data}
	for name in smbpasswd krb5.keytab secret samba/smb.conf lib/samba/private/passdb.tdb lib/nfs/state data/secret; do
		echo $WORD >"$place/$name"
		chmod 600 "$place/$name"
	done
	setfattr -n trusted.canary -v 1 "$place/secret"
	chown 1234:1235 "$place/data/secret"
done
touch -d 2001-02-03 "$CANARY/passwd" /etc/secret

echo $WORD >"$T/secret"

# changes: of every file there is all that a write of any kind would change, with the change time, which nobody can set.
changes() {
	find "$CANARY" "$T/etc" "$ETC" -printf '%p %y %i %n %m %U:%G %s %T@ %C@ %l\n' | LC_ALL=C sort
}
sums() {
	find "$CANARY" "$T/etc" "$ETC" -type f -exec sha256sum {} + | LC_ALL=C sort -k2
	getfattr -R -h -d -m - --absolute-names "$CANARY" "$T/etc" "$ETC" 2>/dev/null
}
canary_begin() {
	changes >"$T/changes"
	sums >"$T/sums"
}
canary_check() {
	changes | diff "$T/changes" - >"$T/diff" || not_ok "$1: the canary is as it was" "$(cat "$T/diff")"
	[[ ${2:-} != sums ]] || check "$1: the canary's content" diff "$T/sums" <(sums)
}

# --- the volumes of a server that is stopped --------------------------------------------------------------------------------

image_of() { echo "$LIB/volumes/$1.$2.img"; }
detached() { ! grep -qsxF "$1" /sys/block/loop*/loop/backing_file; }

# offline SERVER VOLUME COMMAND…: runs it in the volume's own top folder.
offline() {
	local image loop

	image=$(image_of "$1" "$2")
	shift 2
	loop=$(losetup --find --show --offset 1M "$image")
	mkdir -p "$T/volume"
	mount -o nodev,nosuid "$loop" "$T/volume"
	# Cleared with the mount, which goes with the host.
	losetup -d "$loop"
	(cd "$T/volume" && "$@")
	umount "$T/volume"
	eventually 10 detached "$image" || not_ok "the test's own loop device goes"
}

KINDS=(absolute relative file fifo device missing)
UP=../../../../../../../../../..

# hostile KIND TARGET PATH…: each is kept beside, and that kind of thing takes its place.
hostile() {
	local kind=$1 target=$2 path

	shift 2
	for path; do
		[[ ! -e $path && ! -L $path ]] || mv -T "$path" "$path.kept"
		mkdir -p "$(dirname "$path")"
		case $kind in
		absolute) ln -s "$target" "$path" ;;
		relative) ln -s "$UP$target" "$path" ;;
		file) echo x >"$path" ;;
		fifo) mkfifo "$path" ;;
		device) mknod "$path" b 7 0 ;;
		missing) ;;
		esac
	done
}
# mend PATH…: in the opposite order, since one can lie in another.
mend() {
	local i

	for ((i = $#; i > 0; i--)); do
		rm -rf "${!i}"
		[[ ! -e ${!i}.kept && ! -L ${!i}.kept ]] || mv -T "${!i}.kept" "${!i}"
	done
}

# start_of SERVER: the status in status_SERVER, what it says in out_SERVER, the seconds in seconds_SERVER.
start_of() {
	local begin=$SECONDS status=0

	timeout -k 5 $LIMIT "$VNAS" start "$1" --no-probe >"$T/out_$1" 2>&1 </dev/null || status=$?
	echo $status >"$T/status_$1"
	echo $((SECONDS - begin)) >"$T/seconds_$1"
}

# fails NAME PATTERN: it cannot start, and says that.
fails() {
	check_eq "$1: start fails" "$(<"$T/status_a")" 1
	check "  and says where" grep -q "$2" "$T/out_a"
	(($(<"$T/status_a") != 0)) || vnas stop a
	canary_check "$1"
}

# judged NAME SERVER: it started, or it failed in the way of an error, in time.
judged() {
	local status out

	status=$(<"$T/status_$2") out=$(<"$T/out_$2")
	if ((status == 0)) || { ((status == 1)) && grep -q "^vnas: .*: .*" <<<"$out"; }; then
		ok "$1 (status $status, $(<"$T/seconds_$2") s: $(tail -n 1 <<<"$out"))"
	else
		not_ok "$1" "status $status after $(<"$T/seconds_$2") s"$'\n'"$out"
	fi
	canary_check "$1"
}

# works NAME SERVER FILE: what is mended starts, and has what it had.
works() {
	check "$1: mended, it starts" vnas start "$2" --no-probe
	check_eq "$1: and has its files" "$(vnas exec "$2" -- cat "$3")" "of $2"
	check "$1: and stops" vnas stop "$2"
}

plain_vsv a 11 --volume data=32M
vnas volume add a deep --size 32M --mount /home/x/y
vnas start a --no-probe
vnas exec a -- sh -c 'echo "of a" >/root/file; echo "of a" >/srv/data/file; echo "of a" >/home/x/y/file'
vnas stop a
canary_begin

# --- top folders ------------------------------------------------------------------------------------------------------------

for folder in etc var home root srv; do
	for kind in "${KINDS[@]}"; do
		target=$CANARY
		[[ $folder != etc || $kind != absolute ]] || target=/etc
		[[ $folder != etc || $kind != relative ]] || target=$ETC
		offline a root hostile "$kind" "$target" "$folder"
		start_of a
		fails "/$folder is $kind" "volume root: .*'$folder'"
		offline a root mend "$folder"
	done
	works "/$folder" a /root/file
done
for kind in "${KINDS[@]}"; do
	offline a data hostile "$kind" "$CANARY" data
	start_of a
	fails "a data volume's folder is $kind" "volume data: .*'data'"
	offline a data mend data
done
works "a data volume's folder" a /srv/data/file

# --- places of data volumes ---------------------------------------------------------------------------------------------------

places() {
	rm -rf srv/* home/x*
	hostile "$1" "$CANARY" srv/data home/x
}
for kind in "${KINDS[@]}"; do
	offline a root places "$kind"
	start_of a
	check_eq "the places of volumes are $kind: start succeeds" "$(<"$T/status_a") $(<"$T/out_a")" "0 "
	check_eq "  and they are there" "$(vnas exec a -- cat /srv/data/file /home/x/y/file)" $'of a\nof a'
	check "  and it stops" vnas stop a
	canary_check "the places of volumes are $kind"
done

# --- what programs inside look at ------------------------------------------------------------------------------------------------

# A server for each kind, all at once; and group by group, since the first thing that fails hides the rest. For the same
# reason not all of them serve NFS, which is begun first.
#
# A pipe holds up who reads it, and the bounds for that are half a minute and a whole one; so is the one for a Ganesha that does
# not answer, having no /etc/services. So much time there is with --all alone (tests/host/hostile.sh has a pipe too).
GROUPS_LOOKED_AT=(
	"etc/passwd etc/group etc/shadow etc/gshadow etc/nsswitch.conf etc/pam.d etc/default root/.profile"
	"etc/hosts etc/hostname etc/resolv.conf etc/localtime etc/timezone etc/machine-id"
	"etc/samba etc/krb5.conf etc/krb5.keytab var/lib/samba var/cache/samba var/log/samba"
	"var/lib/nfs etc/exports etc/ganesha etc/netconfig etc/rpc etc/protocols"
	"var/lib var/cache var/log var/run var/lock var/tmp var/spool"
	"srv/docs srv/data home/taro"
)
[[ ! ${VNAS_TEST_ALL:-} ]] || GROUPS_LOOKED_AT+=("etc/services")
too_slow() {
	[[ ! ${VNAS_TEST_ALL:-} && "$1 $2" =~ ^etc/(passwd|hosts)' fifo'$ ]]
}
n=20
for kind in "${KINDS[@]}"; do
	vsv "$kind" $((n += 1)) --volume data=32M
	nfs=--nfs
	[[ ! $kind =~ ^(relative|fifo|device)$ ]] || nfs=''
	vnas share add "$kind" docs --smb $nfs 2>/dev/null
done
vnas start "${KINDS[@]}" --no-probe
for kind in "${KINDS[@]}"; do
	vnas exec "$kind" -- sh -c "echo 'of $kind' >/root/file"
done
vnas stop "${KINDS[@]}"
canary_begin
for group in "${GROUPS_LOOKED_AT[@]}"; do
	read -ra paths <<<"$group"
	pids=()
	for kind in "${KINDS[@]}"; do
		! too_slow "${paths[0]}" "$kind" || continue
		target=$CANARY
		[[ $kind != relative ]] || target=$ETC
		offline "$kind" root hostile "$kind" "$target" "${paths[@]}"
		start_of "$kind" &
		pids+=($!)
	done
	wait "${pids[@]}"
	for kind in "${KINDS[@]}"; do
		! too_slow "${paths[0]}" "$kind" || continue
		judged "${paths[0]} and its like are $kind" "$kind"
		refute "  it does not say what is outside" grep -q "$WORD" "$T/out_$kind"
		if (($(<"$T/status_$kind") == 0)); then
			check "  one is inside" vnas exec "$kind" -- true
			refute "  nothing from outside is" vnas exec "$kind" -- grep -rqs "$WORD" /etc /var /home /srv "$CANARY" "$ETC"
		fi
	done
	check "  they stop" timeout $LIMIT "$VNAS" stop "${KINDS[@]}" 2>/dev/null
	canary_check "${paths[0]} and its like, stopped"
	for kind in "${KINDS[@]}"; do
		! too_slow "${paths[0]}" "$kind" || continue
		offline "$kind" root mend "${paths[@]}"
	done
done
for kind in "${KINDS[@]}"; do
	works "${kind^}" "$kind" /root/file
done
canary_check "mended"
for kind in "${KINDS[@]:1}"; do
	vnas destroy "$kind" --purge
done

# --- folders exchanged with links while a start looks ------------------------------------------------------------------------------

# Where the kernel answers what is mounted, its own root of a folder of the root volume.
entered_its_own() {
	awk '
		$5 ~ "^/(etc|var|home|root|srv)$" && ($4 != $5 || (device && $3 != device)) { bad = 1 }
		$5 == "/etc" { device = $3 }
		$5 == "/srv/data" && $4 != "/data" { bad = 1 }
		$5 ~ "^/(etc|var|home|root|srv)$" { n++ }
		END { exit bad || n != 5 }' "/proc/$(jq -r .init_pid "$RUN/a/state.json")/mountinfo"
}

rounds=50
[[ ! ${VNAS_TEST_ALL:-} ]] || rounds=1000
exchanged=(etc var home root srv srv/data home/x)
canary_begin
bad=0 won=0 lost=0 swaps=0 quiet=0
image=$(image_of a root)
for ((i = 0; i < rounds; i++)); do
	name=${exchanged[i % ${#exchanged[@]}]}
	target=$CANARY
	((i % 2)) || target=$UP$CANARY
	status=0
	timeout -k 5 $LIMIT "$SWAP" --image "$image" "$name" "$name.link" "$target" -- "$VNAS" start a --no-probe >"$T/round" 2>&1 || status=$?
	done=$(sed -n 's/^swapped //p' "$T/round")
	swaps=$((swaps + ${done:-0}))
	((${done:-0})) || quiet=$((quiet + 1))
	if ((status == 0)) && entered_its_own; then
		won=$((won + 1))
	elif ((status == 1)) && grep -q '^vnas: .*: .*' "$T/round"; then
		lost=$((lost + 1))
		grep '^vnas: ' "$T/round" >>"$T/reasons"
	else
		bad=$((bad + 1))
		not_ok "round $i, /$name exchanged: status $status" "$(cat "$T/round")"
	fi
	timeout -k 5 $LIMIT "$VNAS" stop a >"$T/round" 2>&1 || not_ok "round $i: it stops" "$(cat "$T/round")"
	((i % 10)) || canary_check "round $i"
done
check_eq "$rounds starts while a folder is exchanged ($won began, $lost failed, $swaps exchanges): none otherwise" "$bad" 0
[[ ! -s $T/reasons ]] || note "$(sort "$T/reasons" | uniq -c)"
check "the folders were exchanged while they were looked at" test $((quiet * 2)) -lt $rounds
check "and starts were hindered by it" test "$lost" -gt 0
canary_check "exchanged" sums
works "exchanged" a /root/file

# --- and by the root inside, while verbs work ----------------------------------------------------------------------------------------

server=${KINDS[0]}
vnas start "$server" --no-probe
vnas exec "$server" -- sh -c 'cat >/root/swap && chmod 755 /root/swap && cp -a /etc/passwd /root/passwd' <"$SWAP"
canary_begin
"$VNAS" exec "$server" -- /root/swap /etc/passwd /etc/passwd.link "$CANARY/passwd" /etc/samba /etc/samba.link "$CANARY/samba" \
	/var/lib/samba /var/lib/samba.link "$UP$ETC" /srv/data/docs /srv/data/docs.link "$CANARY" /srv/more /srv/more.link "$UP$CANARY" \
	>"$T/swapping" 2>&1 </dev/null &
swapper=$!
check "the root inside exchanges" eventually 10 grep -q swapping "$T/swapping"
during() {
	local begin=$SECONDS status=0

	timeout -k 5 $LIMIT "$VNAS" "$@" >"$T/out" 2>&1 || status=$?
	if ((status == 0 || status == 1)); then
		ok "while it does, $1 $2 (status $status, $((SECONDS - begin)) s: $(tail -n 1 "$T/out"))"
	else
		not_ok "while it does, $1 $2" "status $status"$'\n'"$(cat "$T/out")"
	fi
	refute "  it does not say what is outside" grep -q "$WORD" "$T/out"
	changes | grep -v "^${ETC}[/ ]" | diff <(grep -v "^${ETC}[/ ]" "$T/changes") - >"$T/diff" || not_ok "  the canary is as it was" "$(cat "$T/diff")"
}
for i in 1 2 3; do
	during exec "$server" --user root -- true
	during user add "$server" "user$i" --password-stdin <<<secret
	during share add "$server" "share$i" --path /srv/data/docs/below
	during volume add "$server" more --size 16M
	vnas volume remove "$server" more --purge >/dev/null 2>&1 || true
	during reload "$server"
	during status "$server"
done </dev/null
kill $swapper
wait $swapper 2>/dev/null || true
# What a failed command could not take back because of it, the next one does.
vnas volume remove "$server" more --purge >/dev/null 2>&1 || true
refute "no volume is left of those that could not be added" test -e "$(image_of "$server" more)"
check "then it stops" timeout $LIMIT "$VNAS" stop "$server"

cmp "$T/secret" "$ETC/secret" || not_ok "the Psv's own folder is as it was"
umount /etc
rm -r "${ETC:?}"/{samba,pam.d,lib,cache,log,tmp,srv,taro,data,smbpasswd,krb5.keytab,secret}
done_testing
