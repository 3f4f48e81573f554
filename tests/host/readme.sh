#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A newcomer's walk through the README, command by command: what it prints is what comes out.  Its blocks of console are one
# session: "# " is run on the Psv, "$ " on a client; what follows is wanted as it stands, where "…" is any text, and a line
# that is "…" alone any lines.
. "$(dirname "$0")/../lib.sh"

README=$(realpath "$(dirname "$0")/../../README.md")
declare -A typed=( # what a person answers, a word a line
	["vnas user add sales alice"]="secret secret"
	["vnas shell sales"]="exit"
)

host_add client1 101
# Nothing of a volume is written in this walk, and its 10 GiB would be memory.
mkdir -p "$ETC" "$LIB/volumes" "$T/cwd" "$T/bin"
printf '[pool default]\ntype = file\npath = %s\nthin = yes\n' "$LIB/volumes" >"$ETC/vnas.conf"
ln -s "$VNAS" "$T/bin/vnas"
PATH=$T/bin:$PATH
cd "$T/cwd" || exit 1
echo "a report" >report.txt
# Beyond these the README's paths are those of an installation.
localize() {
	sed "s#/etc/vnas#$ETC#g; s#/var/lib/vnas#$LIB#g" <<<"$1"
}

run_typed() {
	local word

	for word in ${typed[$1]}; do
		sleep 0.7 # a person's; what is typed before the question is thrown away
		echo "$word"
	done | script -qec "$1" /dev/null | tr -d '\r'
}

run() { # PROMPT COMMAND
	local command

	command=$(localize "$2")
	if [[ ${typed[$2]:-} ]]; then
		run_typed "$2"
	elif [[ $1 == '#' ]]; then
		bash -c "$command" 2>&1 </dev/null
	else
		on client1 bash -c "$command" 2>&1 </dev/null
	fi
}

# matches WANTED GOT: as the head of this file has it.
matches() {
	local pattern='' line quoted

	while IFS= read -r line; do
		if [[ $line == '…' ]]; then
			pattern+='(?:.*\n)*'
			continue
		fi
		quoted=$(sed 's/[][\.|$(){}?+*^]/\\&/g; s/ *$//; s/…/.*/g' <<<"$line")
		pattern+="$quoted *\\n"
	done <<<"$1"
	printf '%s\n' "$2" | WANTED="\\A$pattern\\z" perl -0777 -ne 'exit(!/$ENV{WANTED}/)'
}

prompt='' command='' wanted='' inside='' commands=0
finish() {
	local got status=0

	[[ $command ]] || return 0
	commands=$((commands + 1))
	got=$(run "$prompt" "$command") || status=$?
	# A terminal echoes what is typed, and the shell says what it likes.
	if ((status)); then
		not_ok "$prompt $command" "status $status"$'\n'"$got"
	elif [[ -z $wanted && -z $got ]] || matches "$(localize "$wanted")" "$got"; then
		ok "$prompt $command"
	else
		not_ok "$prompt $command" "printed:"$'\n'"$got"$'\n'"the README has:"$'\n'"$wanted"
	fi
	command='' wanted=''
}

while IFS= read -r line <&9; do
	case $inside$line in
	'```console') inside=1 ;;
	'1```') inside='' && finish ;;
	'1# '* | '1$ '*)
		finish
		prompt=${line:0:1} command=${line:2}
		;;
	1*) wanted+=${wanted:+$'\n'}$line ;;
	esac
done 9<"$README"
check "the README has its session" test "$commands" -ge 15
check_eq "at its end the server serves" "$(listed=$(vnas list --json) && jq -r '.servers[].state' <<<"$listed")" running
check "with what the client wrote" smb client1 192.0.2.11 docs alice secret "get report.txt back"

cd /
hosts_remove
done_testing
