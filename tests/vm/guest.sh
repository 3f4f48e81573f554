#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs inside of the emulated machine, which is a whole Psv: systemd, cgroup v2 alone, vnas in its real folders.  So this
# stands on tests/lib.sh without its host of namespaces, and does what only such a machine can show.  It is started at each
# boot, and does the part that is due.
# shellcheck source=/dev/null disable=SC2034
set -eu

. /vnas-test/environment
export VNAS=/usr/local/sbin/vnas PROBE=/vnas-test/probe VNAS_TEST_DIR=/run/vnas-test
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
parts=(first-boot second-boot)
done_parts=/var/lib/vnas-test # a file each, with what was counted until then
mkdir -p "$VNAS_TEST_DIR/host" "$done_parts"
cd "$SOURCE"
. tests/lib.sh

# The real installation, not one below a prefix.
unset VNAS_PREFIX
PREFIX='' ETC=/etc/vnas LIB=/var/lib/vnas RUN=/run/vnas
CG=/sys/fs/cgroup/vnas

minutes() {
	echo "      ($((SECONDS / 60)) min $((SECONDS % 60)) s)"
}

# machine_state: what vnas gives back at a stop; the template's loop device, pins and identities stay until the machine ends.
machine_state() {
	losetup --list --noheadings --output BACK-FILE | grep -v '/templates/' | sed 's/^/loop /'
	find /sys/fs/cgroup -mindepth 1 -type d -path '*vnas*' ! -path '*/system.slice/*' ! -path $CG | sed 's/^/cgroup /'
	ip -o addr show | sed -E 's/^[0-9]+: /address /; s/valid_lft.*//; s/ +/ /g; s/\\//g'
	ip -4 route show table all | sed -E 's/ linkdown//; s/^/route /'
	ip -6 route show table all | sed -E 's/ linkdown//; s/ expires [0-9]+sec//; s/^/route /'
	{ ip -4 rule show; ip -6 rule show; } | sed 's/^/rule /'
	awk '$5 ~ "vnas" && $5 !~ "^/run/vnas/bpf|^/run/vnas/[.]base|^/run/vnas/templates/|^/run/vnas-test" { print "mount", $5 }' /proc/self/mountinfo
	pgrep -a 'vnas|smbd' | sed 's/^/process /' || true
}

# tools_install [OPTION…]: as on any machine, but for what needs the network or an hour.
tools_install() {
	tools/install --no-deps --no-build --build "$BUILD" "$@"
}

nothing_left() { # NAME
	local i

	for ((i = 0; i < 40; i++)); do
		if diff "$T/machine.begin" <(machine_state | sort) >"$T/machine.diff"; then
			ok "$1"
			return
		fi
		sleep 0.25
	done
	not_ok "$1" "$(cat "$T/machine.diff")"
}

# reboot_now: the next part goes on where this one ends.
reboot_now() {
	echo "$passed $failed $skipped" >"$done_parts/$part"
	touch /run/vnas-test-reboots
	finished=1
	systemctl --no-block reboot
	exit 0
}

for part in "${parts[@]}"; do
	if [[ -s $done_parts/$part ]]; then
		read -r passed failed skipped <"$done_parts/$part"
		continue
	fi
	if [[ -e $done_parts/$part ]]; then
		not_ok "the machine did not end in $part"
		exit 1
	fi
	touch "$done_parts/$part"
	sync
	. "tests/vm/$part.sh"
	break
done
