#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each mistake gives one clear error, its documented exit status, and changes nothing.
. "$(dirname "$0")/../lib.sh"

vnas create a --address "$NET4.11/24" --dry-run >/dev/null # makes the folders

state() {
	find "$PREFIX" -path "$LIB/templates" -prune -o -path "$RUN/locks" -prune -o -name .index -o -type d -o -printf '%p %s\n' | LC_ALL=C sort
	ip -o addr
	losetup -a | grep -F "$T" || true
}

# bad STATUS PATTERN ARGUMENT…: vnas refuses that and leaves no trace.
bad() {
	local status=$1 pattern=$2 before after

	shift 2
	before=$(state)
	check_status "vnas $(printf '%.60s' "$*")" "$status" "$pattern" vnas "$@"
	after=$(state)
	if [[ $before != "$after" ]]; then
		not_ok "  changed nothing" "$(diff <(echo "$before") <(echo "$after"))"
	fi
}

check_status "vnas alone says its verbs" 0 'create' vnas
bad 2 'frobnicate' frobnicate
bad 2 'creat' creat a
bad 2 '' create
bad 2 'option|--nonsense' create a --nonsense
bad 2 'root-size' create a --root-size
bad 2 '' start
bad 2 '' volume add a
bad 2 'name|a/b' create a/b
bad 2 'name' create ../a
bad 2 'name' create .a
bad 2 'name' create -- -a
bad 2 'name' create ''
bad 2 'reserved|vnas' create vnas
bad 2 'name' create "$(printf 'a%.0s' {1..33})"
bad 2 'size' create a --root-size 0
bad 2 'size' create a --root-size -1
bad 2 'size' create a --root-size 12X
bad 2 'size' create a --root-size 99999999999999999999G
bad 1 'space|free' create a --root-size 900T
bad 2 'size|data' create a --volume data=0
bad 2 'volume' create a --volume nonsense
bad 2 'volume|name' create a --volume 'da/ta=10M'
bad 2 'root' create a --volume root=10M
bad 2 'twice|data' create a --volume data=10M --volume data=20M
bad 1 'sdnone' create a --volume data=/dev/sdnone
bad 2 'prefix|address' create a --address "$NET4.11"
bad 2 'address' create a --address "$NET4.300/24"
bad 2 'address|prefix' create a --address "$NET4.11/33"
bad 2 'address' create a --address "127.0.0.1/8"
bad 2 'address' create a --address "224.0.0.1/24"
bad 2 'address' create a --address "::ffff:$NET4.11/96"
bad 2 'address' create a --address "fe80::1/64"
bad 2 'nonesuch|interface' create a --address "$NET4.11/24@nonesuch0123456789"
bad 2 'twice|address' create a --address "$NET4.11/24" --address "$NET4.11/24"
bad 2 'stack' create a --stack third
bad 2 'hostname' create a --hostname 'x y'
bad 2 'fs|ntfs' create a --volume data=32M --fs ntfs
bad 2 'fs' create a --fs ext4
bad 1 'pool' create a --pool nonesuch
bad 2 'gateway|family|address' create a --address "$NET4.11/24" --gateway 2001:db8::1
bad 4 'nobody' exec nobody -- true
bad 4 'nobody' share list nobody
bad 4 'nobody' destroy nobody

# The same in a configuration file: file, line and key are named.
vsv a 11 --volume data=16M
good=$(cat "$ETC/a.conf")
broken() { # PATTERN TEXT: a section at the file's end
	printf '%s\n%s\n' "$good" "$2" >"$ETC/a.conf"
	bad 1 "a.conf:[0-9]+.*($1)" start a
}
broken 'colour' $'[limits]\ncolour = red'
broken 'nonsense' '[nonsense]'
broken 'memory.*12X' $'[limits]\nmemory = 12X'
broken 'tasks' $'[limits]\ntasks = -1'
broken 'section|\]' '[limits'
broken '=' $'[limits]\nmemory'
broken 'server.*doubled' '[server]'
broken 'path' $'[share docs]\npath = relative'
broken 'path' $'[share docs]\npath = /srv/../etc'
broken 'interfaces' $'[smb]\ninterfaces = 0.0.0.0/0'
broken '[Ii]nter' $'[smb]\nInter Faces = 0.0.0.0/0'
broken 'bind interfaces only' $'[smb]\nbind interfaces only = no'
broken 'include' $'[smb]\ninclude = /etc/shadow'
broken 'uuid|device' $'[volume more]\ndevice = relative'
printf '%s\n' "${good//"$NET4.11"/192.0.2.300}" >"$ETC/a.conf"
bad 1 'a.conf:[0-9]+.*address' start a
head -c 1048576 /dev/urandom >"$ETC/a.conf"
bad 1 'a.conf' start a
head -c 3000000 /dev/zero | tr '\0' 'x' >"$ETC/a.conf"
bad 1 'a.conf' start a
rm "$ETC/a.conf"
check_status "a missing configuration" 4 'a: ' vnas start a
printf '%s\n' "$good" >"$ETC/a.conf"
check "the right one again" vnas start a --no-probe
check_eq "an error is one line and a hint" "$(vnas create 'a/b' 2>&1 | wc -l)" 1

# An address can be one Vsv's only.
check_status "another Vsv's address" 5 'a' vnas create c --address "$NET4.11/24" --root-size 64M
check_eq "and nothing of it is left" "$(find "$ETC/c.conf" "$LIB/servers/c" "$LIB/volumes/c.root.img" 2>/dev/null | wc -l)" 0
plain_vsv d 14
sed -i "s/$NET4.14/$NET4.11/" "$ETC/d.conf"
check_status "another Vsv's address by its file" 5 'a' vnas start d
sed -i "s/$NET4.11/$NET4.1/" "$ETC/d.conf"
check_status "the Psv's own address" 5 "$NET4.1" vnas start d
host_add client1 15
sed -i "s/$NET4.1\\//$NET4.15\\//" "$ETC/d.conf"
check_status "an address that answers on the network" 5 "$NET4.15" vnas start d
sed -i "s/$NET4.15/$NET4.14/" "$ETC/d.conf"
check "its own address again" vnas start d

# A configuration that does not parse ends no server's life: it can be put right, and destroyed.
plain_vsv broken 16 --volume data=16M
plain_vsv keeps 17
vnas start broken --no-probe
cp "$ETC/broken.conf" "$T/broken.conf"
echo '[nonsense]' >>"$ETC/broken.conf"
check_status "broken: status" 0 'nonsense' vnas status broken
check_status "broken: restart" 1 'broken.conf:[0-9]+.*nonsense' vnas restart broken --no-probe
check_eq "broken: and it runs on" "$(vnas exec broken -- echo here)" here
check_status "broken: restart with a template that is not there" 1 'nonsense|template' \
	vnas restart broken --no-probe --template 0123456789
check_status "broken: stop" 0 '' vnas stop broken
check_status "broken: edit that leaves it so" 1 'nonsense' env EDITOR="sed -i s/16M/17M/" "$VNAS" edit broken
check_status "broken: edit" 0 '' env EDITOR="sed -i /nonsense/d" "$VNAS" edit broken
rm -f "$RUN"/broken.conf.* # what the first one kept
check_eq "broken: it is put right" "$(cat "$ETC/broken.conf")" "$(cat "$T/broken.conf")"
check "broken: start" vnas start broken --no-probe
vnas stop broken
echo '[nonsense]' >"$ETC/broken.conf"
check_status "broken: destroy --purge goes by the copy on its root volume" 0 '' vnas destroy broken --purge
check_eq "broken: nothing of it is left" "$(find "$ETC" "$LIB" -name 'broken*')" ""
echo '[nonsense]' >"$ETC/keeps.conf"
check_status "broken: destroy" 0 '' vnas destroy keeps
check_json "broken: its volume is an orphan" '.volumes | map(.server) == ["keeps"]' vnas volume list --orphans --json
check_status "broken: which can be adopted" 0 '' vnas adopt --yes "$LIB/volumes/keeps.root.img"
dd if=/dev/zero of="$LIB/volumes/keeps.root.img" bs=1M count=1 conv=notrunc 2>/dev/null
echo '[nonsense]' >"$ETC/keeps.conf"
check_status "broken, and no copy: destroy --purge" 1 'nonsense.*|without --purge' vnas destroy keeps --purge
check "broken, and no copy: nothing is changed" test -e "$ETC/keeps.conf" -a -e "$LIB/volumes/keeps.root.img"
check_status "broken, and no copy: destroy" 0 '' vnas destroy keeps
rm "$LIB/volumes/keeps.root.img"

# What cannot be written is said.
check_status "standard output is full" 1 'output|space' bash -c "'$VNAS' list --json >/dev/full"
check_status "and closed" 1 'output' bash -c "'$VNAS' list --json >&-"
for words in '' --version 'create --help' list 'status d' 'show d' 'volume list d' 'address list d' 'template list'; do
	check_status "standard output is full: vnas $words" 1 'output' bash -c "'$VNAS' $words >/dev/full"
done
vnas start d --no-probe
for words in 'status d' 'events d' 'exec d -- echo x'; do
	check_status "standard output is full: vnas $words" 1 'output|said' bash -c "'$VNAS' $words >/dev/full"
done
# No file of the Psv's takes the place of a stream that is closed.
check_eq "exec with a closed standard input" "$(timeout 20 bash -c "'$VNAS' exec d -- sh -c 'echo in; cat' <&-")" in
check_status "exec with all streams closed" 1 '' timeout 20 bash -c "'$VNAS' exec d -- sh -c 'echo x' <&- >&- 2>&-"
check "stop and start with all streams closed" bash -c "'$VNAS' stop d <&- >&- 2>&- && '$VNAS' start d --no-probe <&- >&- 2>&-"

# Nothing that is quoted acts on the terminal.
refute "no escape sequence in a message" grep -q $'\e' <(vnas start $'a\e[2J' 2>&1)
check "it is written in hexadecimal" grep -qF 'a\x1b[2J' <(vnas start $'a\e[2J' 2>&1)

hosts_remove
done_testing
