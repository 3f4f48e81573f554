# SPDX-License-Identifier: GPL-2.0-or-later
# Reads the table of expected differences (if it is named first) and results (place, suite, test, outcome; a later line counts).
# Prints what differs between the bare host and a stack, a line each with tabs between: stack, suite, test, outcome on the bare
# host, outcome in the Vsv, reason. The reason is empty where none is known.
BEGIN { FS = OFS = "\t" }
FILENAME ~ /expected$/ {
	if ($0 ~ /^#/ || $0 ~ /^[ \t]*$/)
		next
	n = split($0, word, /[ \t]+/)
	if (n < 5) {
		print FILENAME ": line " FNR ": expected SUITE TEST[,TEST...] BARE VSV REASON" > "/dev/stderr"
		exit 2
	}
	text = word[5]
	for (i = 6; i <= n; i++)
		text = text " " word[i]
	for (i = split(word[2], names, ","); i > 0; i--)
		reason[word[1], names[i], word[3], word[4]] = text
	next
}
{
	if (!(($2, $3) in known)) {
		known[$2, $3] = 1
		order[++count] = $2 OFS $3
	}
	if ($1 != "bare")
		stacks[$1] = 1
	outcome[$1, $2, $3] = $4
}
END {
	for (i = 1; i <= count; i++) {
		split(order[i], part, OFS)
		suite = part[1]
		test = part[2]
		for (stack in stacks) {
			bare = (("bare", suite, test) in outcome) ? outcome["bare", suite, test] : "absent"
			vsv = ((stack, suite, test) in outcome) ? outcome[stack, suite, test] : "absent"
			if (bare != vsv)
				print stack, suite, test, bare, vsv, reason[suite, test, bare, vsv]
		}
	}
}
