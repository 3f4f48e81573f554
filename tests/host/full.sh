#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Full disks under each of the Psv's folders, and an /etc that cannot be written: each verb says so or does its work;
# nothing is lost, and with room again the same command succeeds.
. "$(dirname "$0")/../lib.sh"

# Before anything is there: it cannot be changed for another one under a gate that is pinned in it.
mkdir -p "$RUN"
mount -t tmpfs -o size=1m,mode=755 small "$RUN"
plain_vsv a 11 --volume data=16M
plain_vsv gone 12
vnas start a --no-probe
vnas stop a

# small FOLDER MIB: a file system of its own, with all that was there.
small() {
	mkdir "$T/copy"
	cp -a "$1/." "$T/copy"
	mount -t tmpfs -o "size=$2m,mode=755" small "$1"
	cp -a "$T/copy/." "$1"
	rm -r "$T/copy"
}
fill() { dd if=/dev/zero of="$1/filler" bs=4k 2>/dev/null || true; }
drain() { rm "$1/filler"; }
large() { # the folder as it was, with what it has now
	mkdir "$T/copy"
	cp -a "$1/." "$T/copy"
	umount "$1"
	rm -rf "${1:?}"/*
	cp -a "$T/copy/." "$1"
	rm -r "$T/copy"
}
no_space='[Nn]o space|space left|full'
unchanged() { check_eq "$1: its configuration is whole" "$(cat "$ETC/a.conf")" "$2"; }

# run: what is running goes on, and can be stopped.
check "it starts" vnas start a --no-probe
fill "$RUN"
check_status "run full: start" 1 "$no_space" vnas start gone --no-probe
check_status "run full: list" 0 '' vnas list
check_status "run full: status" 0 '' vnas status a
check_status "run full: exec" 0 '' vnas exec a -- true
check_status "run full: address add" 1 "$no_space" vnas address add a "$NET4.14/24" --no-probe
check "run full: the address is not there" test "$(server_json a '.addresses | length')" = 2
check_status "run full: stop" 0 '' vnas stop a
check_eq "run full: it is stopped" "$(server_json a .state)" stopped
check_status "run full: stop again" 0 '' vnas stop a
check_status "run full: start" 1 "$no_space" vnas start a --no-probe
drain "$RUN"
check "run with room: start" vnas start a --no-probe
vnas stop a

# etc: what changes a configuration is refused, all else works.
small "$ETC" 1
fill "$ETC"
before=$(cat "$ETC/a.conf")
check_status "etc full: create" 1 "$no_space" vnas create new --address "$NET4.13/24" --root-size 32M
check_eq "etc full: nothing of it is left" "$(find "$ETC" "$LIB" -name 'new*' | wc -l)" 0
check_status "etc full: start" 0 '' vnas start a --no-probe
check_status "etc full: exec" 0 '' vnas exec a -- true
check_status "etc full: address add" 1 "$no_space" vnas address add a "$NET4.14/24" --no-probe
check_status "etc full: volume add" 1 "$no_space" vnas volume add a more --size 16M
check_status "etc full: volume grow" 1 "$no_space" vnas volume grow a data --size 32M
check_status "etc full: share add" 1 "$no_space" vnas share add a docs --path /srv/data/docs
unchanged "etc full" "$before"
check_status "etc full: restart" 0 '' vnas restart a --no-probe
check_status "etc full: status" 0 '' vnas status a
check_status "etc full: stop" 0 '' vnas stop a
drain "$ETC"
check "etc with room: volume grow" vnas volume grow a data --size 32M
check "etc with room: volume add" vnas volume add a more --size 16M
check "etc with room: start" vnas start a --no-probe
mount -o remount,ro "$ETC"
before=$(cat "$ETC/a.conf")
check_status "etc read-only: create" 1 'ead-only' vnas create new --address "$NET4.13/24" --root-size 32M
check_status "etc read-only: address add" 1 'ead-only' vnas address add a "$NET4.14/24" --no-probe
check_status "etc read-only: destroy" 1 'ead-only' vnas destroy gone --purge
check "etc read-only: what was to be destroyed is whole" vnas start gone --no-probe
check_status "etc read-only: stop" 0 '' vnas stop gone
check_status "etc read-only: restart" 0 '' vnas restart a --no-probe
check_status "etc read-only: stop" 0 '' vnas stop a
unchanged "etc read-only" "$before"
mount -o remount,rw "$ETC"
large "$ETC"

# lib: stopping and destroying work, as what makes room again.
vnas start a --no-probe
small "$LIB/servers" 1
fill "$LIB/servers"
check_status "lib full: create" 1 "$no_space" vnas create new --address "$NET4.13/24" --root-size 32M
check_eq "lib full: nothing of it is left" "$(find "$ETC" "$LIB" -name 'new*' | wc -l)" 0
check_status "lib full: exec" 0 '' vnas exec a -- true
check_status "lib full: stop" 0 '' vnas stop a
check_status "lib full: start" 1 "$no_space" vnas start a --no-probe
check_status "lib full: destroy" 0 '' vnas destroy gone --purge
drain "$LIB/servers"
check "lib with room: start" vnas start a --no-probe
vnas stop a
large "$LIB/servers"
umount "$RUN"/templates/* "$RUN/.base/mnt" "$RUN/.base" "$RUN/bpf" "$RUN"

done_testing
