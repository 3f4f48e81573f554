#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: plain
# The manual page names every verb and every option that the program knows, and no option that it does not.
. "$(dirname "$0")/../lib.sh"

page=man/vnas.8
mapfile -t verbs < <(vnas --help | sed -nE 's/^  ([a-z]+( (add|set|remove|list|passwd|import|join|grow|build|show|test))?)  +.*/\1/p')
check "there are verbs" test "${#verbs[@]}" -gt 30
known=" --help --json --all "
for verb in "${verbs[@]}"; do
	words=${verb%% *}
	check "the manual has $verb" grep -qE "^\.It Cm $words( |\$)" "$page"
	if [[ $verb == *' '* ]]; then
		check "the manual has $verb" grep -qE "^\.It Cm $words( [a-z]+ \|)? (${verb#* })|^\.It Cm $words [a-z]+ \| ${verb#* }" "$page"
	fi
	# shellcheck disable=SC2086 # a verb of two words
	for option in $(vnas $verb --help | sed -nE 's/^  (-[-a-z]+).*/\1/p'); do
		known+="$option "
		check "the manual has $option of $verb" grep -qE "Fl ${option#-}( |\$)" "$page"
	done
done
while read -r option; do
	check "the program knows $option" grep -qF " $option " <<<"$known"
done < <(grep -oE 'Fl -[a-z-]+' "$page" | sed 's/Fl /-/' | sort -u)
done_testing
