# SPDX-License-Identifier: GPL-2.0-or-later
# A list of results as rows of a table, tabs between; $markdown: with bars.
def short: if . == null then "-" elif . == 0 then "0" elif (. | fabs) >= 1000 then round | tostring
	elif (. | fabs) >= 100 then . * 10 | round / 10 | tostring else . * 1000 | round / 1000 | tostring end;
def span: if .low == null then "-" else "\(.low | short) to \(.high | short)" end;
def what: if .verdict == "not run" then "not run: " + .reason else
	([(if .verdict == "none" then empty elif .verdict == "met" and .sure == false then "met?" else .verdict end), (.remarks // [] | .[])] | join("; ")) end;
def row: [.case, .stack, .peer, (.value | short), (.peer_value | short), .unit, (.ratio | short), span,
	(if .added == null then "-" else .added | short end), (.rounds | tostring), (.goal // ""), what];
(["case", "stack", "peer", "median", "peer's", "unit", "ratio", "95 %", "added", "rounds", "goal", "verdict"],
	(if $markdown then [range(12) | "---"] else empty end),
	(.[] | row))
| if $markdown then "| " + (map(gsub("\\|"; "\\|")) | join(" | ")) + " |" else map(if . == "" then " " else . end) | join("\t") end
