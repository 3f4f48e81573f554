# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What is checked of every protocol and stack, with the guests c1 and c2, which have the same share mounted at the same folder.
# VSV is its server, INSIDE the share's folder there, and PROTOCOL one of smb, nfs3, nfs4.0, nfs4.1, nfs4.2.

# stack_vsv STACK NAME NUMBER [OPTION…]: as vsv, in that stack.
stack_vsv() {
	local stack=$1

	shift
	if [[ $stack == private ]]; then
		vsv "$@" --stack private --interface lan
	else
		vsv "$@"
	fi
}

# inside COMMAND…
inside() {
	vnas exec "$VSV" -- "$@"
}

# service_pids VSV SERVICE: its main process and all below that.
service_pids() {
	local pids next

	pids=$(server_json "$1" ".services[] | select(.name == \"$2\") | .pid")
	while [[ $pids ]]; do
		echo "$pids"
		next=$(pgrep -d , -P "${pids//$'\n'/,}") || break
		pids=${next//,/$'\n'}
	done
}

# service_kill VSV SERVICE: at once, with all of its processes.
service_kill() {
	local pids

	mapfile -t pids < <(service_pids "$1" "$2")
	((${#pids[@]})) || return 1
	# Some of the children end with their parent.
	kill -KILL "${pids[@]}" 2>/dev/null || true
}

# refused ERROR COMMAND…: the command fails, and says that error.
refused() {
	local error=$1 out

	shift
	if out=$("$@" 2>&1); then
		echo "it was not refused"
		return 1
	fi
	[[ $out == *"$error"* ]] || {
		echo "$out"
		return 1
	}
}

# same WHAT: the three know the same content of a file.
same() {
	local a='' b='' c=''

	a=$(guest c1 md5sum "$DIR/$1") && b=$(guest c2 md5sum "$DIR/$1") && c=$(inside md5sum "$INSIDE/$1")
	[[ ${a%% *} == "${b%% *}" && ${a%% *} == "${c%% *}" ]] || {
		printf 'c1 %s\nc2 %s\ninside %s\n' "$a" "$b" "$c"
		return 1
	}
}

# removed GUEST DIR. Linux's SMB client keeps files open for a second after their close, and a file that is open keeps its name.
removed() {
	if [[ $PROTOCOL == smb ]]; then
		eventually 10 guest "$1" rm -r "$2"
	else
		guest "$1" rm -r "$2"
	fi
}

# room_same: the client shows the room that there is; NFS in whole MiB.
room_same() {
	local seen real

	seen=$(guest c1 stat -f -c '%b * %S' "$DIR") && real=$(inside stat -f -c '%b * %S' "$INSIDE") || return 1
	((seen - (real) < 1 << 20 && (real) - seen < 1 << 20)) || {
		echo "$seen, $real"
		return 1
	}
}

# check_files LABEL: content, names, room.
check_files() {
	local label=$1

	check "$label: write" guest c1 bash -c "head -c 3000000 /dev/urandom >$DIR/data; sync $DIR/data"
	check "$label: the other client and the server read the same" same data
	check "$label: write in the middle, append, cut" guest c2 bash -c "
		printf middle | dd of=$DIR/data bs=1 seek=1000001 conv=notrunc status=none
		echo end >>$DIR/data && truncate -s 2000000 $DIR/data && truncate -s 2500000 $DIR/data"
	check "$label: it is the same again" same data
	check "$label: folders, names in all characters, links" guest c1 bash -c "
		mkdir -p $DIR/a/b && echo x >'$DIR/a/b/報告 ü.txt' && mv $DIR/a $DIR/c && cat '$DIR/c/b/報告 ü.txt'"
	check "$label: the other one sees them" guest c2 bash -c "[[ \$(ls $DIR/c/b) == '報告 ü.txt' ]]"
	check "$label: and takes them away" removed c2 "$DIR/c"
	refute "$label: a file that is there is not made" guest c2 bash -c "set -C; echo x >$DIR/data"
	check "$label: a thousand names in a folder" guest c1 bash -c "
		mkdir $DIR/many && cd $DIR/many && touch \$(seq 1 1000) && [[ \$(ls | wc -l) == 1000 ]]"
	check "$label: and away" removed c2 "$DIR/many"
	check "$label: statfs" room_same
}

# check_open LABEL: a file that is removed while it is open.
check_open() {
	local label=$1

	check "$label: a file is open" ask c1 s open o "$DIR/open" rw create
	check "$label: and written" ask c1 s write o 0 something
	check "$label: it is removed" guest c1 rm "$DIR/open"
	[[ $PROTOCOL == smb ]] || refute "$label: its name is gone" guest c1 test -e "$DIR/open"
	check_eq "$label: it is there for who has it open" "$(ask c1 s read o 0 100)" something
	check "$label: to be written as well" ask c1 s write o 0 elsewhat.
	check "$label: close" ask c1 s close o
	check "$label: nothing is left of it" eventually 10 inside bash -c "! ls -A $INSIDE | grep -E '^\\.(nfs|__smb)'"
}

# check_locks LABEL: byte ranges, between two clients.
check_locks() {
	local label=$1

	check "$label: open for a lock" ask c1 s open l "$DIR/lock" rw create
	check "$label: by both" ask c2 s open l "$DIR/lock" rw
	check "$label: lock" ask c1 s lock l w 0 10
	check "$label: the other is refused" refused EAGAIN ask c2 s lock l w 5 10
	check "$label: also to read" refused EAGAIN ask c2 s lock l r 9 1
	# SMB cannot ask who it is: the client tells its own range.
	check_eq "$label: and sees why" "$(ask c2 s test l w 5 10)" "w $([[ $PROTOCOL == smb ]] && echo 5 || echo 0) 10"
	check "$label: beside it, it is free" ask c2 s lock l w 10 10
	check "$label: seen by the first" refused EAGAIN ask c1 s lock l w 0 11
	guest_begin c2 waiting session_ask s "wait-lock l w 0 10"
	sleep 0.5
	check "$label: the other one waits" test ! -e "$T/guests/c2/waiting.status"
	check "$label: released" ask c1 s unlock l 0 10
	check "$label: the one who waited has it" guest_end c2 waiting
	check "$label: and the first one not" refused EAGAIN ask c1 s lock l w 0 10
	check "$label: shared ones" ask c1 s lock l r 50 10
	check "$label: of both" ask c2 s lock l r 55 10
	refute "$label: and no other" ask c2 s lock l w 50 5
	check "$label: close releases" ask c2 s close l
	check "$label: unlock" ask c1 s unlock l 50 10
	check "$label: all of it" ask c1 s lock l w 0 100
	check "$label: close" ask c1 s close l
}

# check_load LABEL: both at once on one folder.
check_load() {
	local label=$1

	guest c1 mkdir -p "$DIR/load"
	load_begin c1 create "$DIR/load" create
	load_begin c2 rename "$DIR/load" rename
	sleep 1
	check "$label: files are made" load_end c1 create
	check "$label: while others are renamed" load_end c2 rename
}
