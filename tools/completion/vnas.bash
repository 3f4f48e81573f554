# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Completion of vnas(8) for bash. It knows no verb and no option: both are read from what `vnas --help` and
# `vnas VERB --help` print, and names are asked of vnas itself, so it cannot fall behind.

# Verbs: the indented words of the help, the second one of a family with it, as "share add".
_vnas_verbs() {
	vnas --help 2>/dev/null | awk '/^Verbs/ { on = 1; next } on && /^  [a-z]/ { sub(/^  /, ""); sub(/  .*/, ""); print }'
}

# _vnas_column TITLE VERB…: the column with that title of a table that vnas prints.
_vnas_column() {
	vnas "${@:2}" 2>/dev/null </dev/null | awk -v title="$1" '
		NR == 1 { for (i = 1; i <= NF; i++) if ($i == title) at = i; next }
		at { print $at }'
}

# _vnas_answer LINES: those that begin with the current word, as an answer. Not by compgen -W, which would expand "$(...)" in a
# share's name.
_vnas_answer() {
	local line quoted
	local -a lines

	COMPREPLY=()
	mapfile -t lines <<<"$1"
	for line in "${lines[@]}"; do
		[[ $line && $line == "$cur"* ]] || continue
		printf -v quoted '%q' "$line"
		COMPREPLY+=("$quoted")
	done
}

_vnas_files() {
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

# _vnas_word WORD SERVER: what stands for a word of a usage line.
_vnas_word() {
	case $1 in
	NAME) _vnas_answer "$(_vnas_column NAME list)" ;;
	SHARE | USER | GROUP) _vnas_answer "$(_vnas_column "$1" "${1,,}" list "$2")" ;;
	V) _vnas_answer "$(_vnas_column VOLUME volume list "$2")" ;;
	ADDR*) [[ $verb != 'address remove' ]] || _vnas_answer "$(_vnas_column ADDRESS address list "$2")" ;;
	TEMPLATE) _vnas_answer "$(_vnas_column TEMPLATE template list)" ;;
	DEVICE*) _vnas_files ;;
	esac
}

# What follows an option of the verb, as its help has it; empty: nothing.
_vnas_argument() {
	awk -v option="$1" '$1 == option && !/^  [^ ]+  / { print $2 }' <<<"$help"
}

# _vnas_value OPTION ARGUMENT
_vnas_value() {
	case $2 in
	*PATH* | *DEVICE*) _vnas_files ;;
	INTERFACE) _vnas_answer "$(awk -F '[: ]+' 'NR > 2 { print $1 == "" ? $2 : $1 }' /proc/net/dev)" ;;
	NAME) [[ $1 != --template ]] || _vnas_word TEMPLATE '' ;;
	*[A-Z]*) ;;
	*'|'*) _vnas_answer "${2//|/$'\n'}" ;;
	esac
}

# The words of the usage line up to its first option, without brackets.
_vnas_usage() {
	local word line=${help%%$'\n'*}
	local -a usage

	kinds=()
	read -ra usage <<<"${line#usage: vnas "$verb"}"
	for word in "${usage[@]}"; do
		[[ $word != [-\[]-* && $word != '|' ]] || break
		word=${word#[}
		kinds+=("${word%]}")
	done
}

# The verb, its help, and the words after it that are neither options nor their values.
_vnas_split() {
	local i word verbs skip=

	verb='' help='' words=()
	verbs=$'\n'$(_vnas_verbs)$'\n'
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $skip ]]; then
			skip=
		elif [[ ! $help && $verbs == *$'\n'"${verb:+$verb }$word"$'\n'* ]]; then
			verb+=${verb:+ }$word
			# shellcheck disable=SC2086 # a verb may be two words
			help=$(vnas $verb --help 2>/dev/null)
		elif [[ ! $help ]]; then
			verb+=${verb:+ }$word
		elif [[ $word == -* ]]; then
			[[ ! $(_vnas_argument "$word") ]] || skip=1
		else
			words+=("$word")
		fi
	done
}

_vnas() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb help argument kind
	local -a words kinds

	COMPREPLY=()
	_vnas_split
	if [[ ! $help ]]; then
		_vnas_answer "$(_vnas_verbs | awk -v before="$verb" '
			before == "" { print $1 }
			before != "" && $1 == before && NF > 1 { print $2 }' | sort -u)"
		return
	fi
	if [[ $prev == -* ]]; then
		argument=$(_vnas_argument "$prev")
		if [[ $argument ]]; then
			_vnas_value "$prev" "$argument"
			return
		fi
	fi
	if [[ $cur == -* ]]; then
		_vnas_answer "$(awk '/^  -/ { print $1 }' <<<"$help")"
		return
	fi
	_vnas_usage
	kind=${kinds[${#words[@]}]}
	# "NAME…" takes any number of them.
	if [[ ! $kind && ${#kinds[@]} -gt 0 && ${kinds[-1]} == *… ]]; then
		kind=${kinds[-1]}
	fi
	[[ $verb == create ]] || _vnas_word "${kind%…}" "${words[0]}"
}

complete -F _vnas vnas
