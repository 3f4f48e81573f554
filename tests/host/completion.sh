#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: plain
# What tools/completion/vnas.bash answers, with the program's own help and made-up names.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tools/completion/vnas.bash
. "$(dirname "$0")/../../tools/completion/vnas.bash"

# shellcheck disable=SC2016 # meant as it stands
hostile='$(:>'$T/evil')'
vnas() {
	case $* in
	list) printf 'NAME  STATE\nsales running\nstaff stopped\n' ;;
	'share list sales') printf 'SHARE PATH\ndocs /srv/a\n%s /srv/b\n' "$hostile" ;;
	'volume list sales') printf 'SERVER VOLUME MOUNT\nsales root -\nsales data /srv/data\n' ;;
	'address list sales') printf 'ADDRESS PREFIX\n192.0.2.1 24\n' ;;
	'template list') printf 'TEMPLATE SIZE\nabc 1\nabd 1\n' ;;
	*--help) "$VNAS" "$@" ;;
	*) echo "unexpected: vnas $*" >&2 ;;
	esac
}

# expect ANSWER WORD…: the last word is the one that is being typed. A wrong answer comes with all that was done for it, since the
# script itself keeps what its programs say from the terminal.
expect() {
	local want=$1

	shift
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
	set +eu
	exec {BASH_XTRACEFD}>"$T/trace"
	set -x
	_vnas
	{ set +x; } 2>/dev/null
	exec {BASH_XTRACEFD}>&-
	unset BASH_XTRACEFD
	set -eu
	check_eq "vnas ${*:2}<TAB>" "${COMPREPLY[*]:-}" "$want"
	[[ ${COMPREPLY[*]:-} == "$want" ]] || note "$(tail -n 100 "$T/trace"; df "$T" /tmp; free -m; cat /proc/loadavg)"
}

expect 'start status stop' vnas st
expect 'add list remove set' vnas share ''
expect 'set' vnas share s
expect 'sales staff' vnas start ''
expect 'sales staff' vnas start sales ''
expect '' vnas show sales ''
expect 'sales staff' vnas events ''
expect 'sales staff' vnas events sales ''
expect '' vnas create ''
expect 'docs' vnas share set --path /srv/x sales d
expect 'docs' vnas share set --nfs sales d
expect '--path' vnas share set sales docs --p
expect '' vnas share set sales docs --comment ''
expect 'root data' vnas volume grow sales ''
expect '192.0.2.1' vnas address remove sales ''
expect '' vnas address add sales ''
expect 'shared private' vnas create x --stack ''
expect 'lan' vnas create x --interface la
expect 'macvlan ipvlan veth vlan interface' vnas create x --link ''
expect 'ext4 xfs' vnas volume add sales v --fs ''
expect 'abc abd' vnas start --template a
expect 'sales' vnas start --template abc sa
expect '--purge' vnas destroy sales --p
expect 'abc abd' vnas template remove ''
expect '' vnas list ''
expect '' vnas nonsense ''
expect "docs $(printf '%q' "$hostile")" vnas share set sales ''
refute "a share's name runs nothing" test -e "$T/evil"

done_testing
