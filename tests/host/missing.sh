#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each program that vnas runs, and each file of its own, is missing in turn: one clear error that names it, nothing is left,
# and with it the same command succeeds.
. "$(dirname "$0")/../lib.sh"

libexec=$(dirname "$VNAS")/../libexec/vnas
plain_vsv a 11 --volume data=32M
plain_vsv x 12 --volume data=320M --fs xfs
vnas start a x --no-probe
vnas stop a x

hidden=
hide() { # PROGRAM or path
	hidden=$1
	[[ -e $hidden ]] || hidden=$(command -v "$1")
	hidden=$(readlink -f "$hidden")
	mount --bind /dev/null "$hidden"
}
show() { umount "$hidden"; }

state() { find "$ETC" "$LIB" "$RUN" -path "$LIB/templates" -prune -o -path "$RUN/bpf" -prune -o -path "$RUN/templates" -prune -o -path "$RUN/.base" -prune -o -path "$RUN/locks" -prune -o -type f -print | LC_ALL=C sort; }

# without PROGRAM WORDS ARGUMENT…: vnas fails, says WORDS, and changes nothing; with the program it succeeds.
without() {
	local program=$1 words=$2 before

	shift 2
	before=$(state)
	hide "$program"
	check_status "without $program: vnas $*" 1 "$words" vnas "$@"
	show
	check_eq "  nothing is changed" "$(diff <(echo "$before") <(state))" ""
	check "  with it: vnas $*" vnas "$@"
}

dirty() { # the clean flag of ext4, at 1 MiB (the label) + 1024 + 58
	printf '\0' | dd of="$LIB/volumes/$1.img" bs=1 seek=$((1048576 + 1024 + 58)) conv=notrunc 2>/dev/null
}

without mkfs.ext4 'mkfs.ext4.*not installed|apt-get install e2fsprogs' create n1 --address "$NET4.21/24" --root-size 32M
without mkfs.xfs 'mkfs.xfs.*not installed|apt-get install xfsprogs' create n2 --address "$NET4.22/24" --root-size 32M \
	--volume data=320M --fs xfs
without fsck.ext4 'fsck.ext4.*not installed|apt-get install e2fsprogs' start a --no-probe
vnas stop a
without xfs_repair 'xfs_repair.*not installed|apt-get install xfsprogs' start x --no-probe
vnas stop x
without mkfs.ext4 'mkfs.ext4' volume add a more --size 16M
without resize2fs 'resize2fs' volume grow a more --size 64M
mkdir "$T/libexec"
ln -s "$libexec/vnas-init" "$libexec/vnas-discover" "$T/libexec/"
check_status "without vnas-supervise: vnas start a" 1 'vnas-supervise' env VNAS_LIBEXEC="$T/libexec" "$VNAS" start a --no-probe
check_eq "  it is undone" "$(server_json a .state)" stopped
rm "$T/libexec/vnas-init"
ln -s "$libexec/vnas-supervise" "$T/libexec/"
check_status "without vnas-init: an older template is taken" 0 'vnas-init.*an older one' \
	env VNAS_LIBEXEC="$T/libexec" "$VNAS" start a --no-probe
vnas stop a
rm -r "$LIB/templates"
without mkfs.erofs 'mkfs.erofs.*not installed|apt-get install erofs-utils' start a --no-probe
vnas stop a
rm -r "$LIB/templates"
without sha256sum 'sha256sum' start a --no-probe
vnas stop a
rm -r "$LIB/templates"
without ldconfig 'ldconfig' start a --no-probe
vnas stop a
rm -r "$LIB/templates"
without /var/lib/dpkg/status 'dpkg' start a --no-probe
vnas stop a

done_testing
