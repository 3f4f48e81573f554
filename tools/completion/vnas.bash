# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Completion of vnas(8) for bash. The verbs, what follows each, and its options are the three tables below; names of
# servers, volumes, shares, users and the rest are asked of vnas itself.

# Words after the verb, by what they are. A trailing + repeats the last one.
declare -gA _vnas_words=(
	[create]='' [start]='server+' [stop]='server+' [restart]='server+' [reload]='server+' [list]='' [status]='server'
	[show]='server' [exec]='server command' [shell]='server' [logs]='server' [edit]='server' [destroy]='server'
	[repair]='server' [sessions]='server' [run]='server' [events]='server' [verify]='server+' [doctor]='' [adopt]='file+'
	['share add']='server' ['share set']='server share' ['share remove']='server share' ['share list']='server'
	['user add']='server' ['user remove']='server user' ['user passwd']='server user' ['user list']='server'
	['group add']='server' ['group remove']='server group' ['group list']='server'
	['address add']='server' ['address remove']='server address' ['address list']='server'
	['volume add']='server' ['volume remove']='server volume' ['volume grow']='server volume' ['volume list']='server'
	['directory set']='server' ['directory show']='server' ['directory test']='server' ['directory join']='server'
	['template build']='' ['template list']='' ['template remove']='template'
)

declare -gA _vnas_options=(
	[create]='--address --hostname --root-size --volume --stack --dry-run' [start]='--no-probe --all --dry-run --template'
	[stop]='--all' [restart]='--all --no-probe --template' [reload]='--all' [list]='--json' [status]='--json'
	[show]='--json' [logs]='-f' [events]='-f --json' [destroy]='--purge' [sessions]='--json' [verify]='--json'
	[doctor]='--json'
	['share add']='--path --smb --nfs --read-only --client --read --write --guest --comment'
	['share set']='--path --smb --nfs --read-only --client --read --write --guest --comment'
	['share list']='--json' ['user add']='--uid --password-stdin' ['user passwd']='--password-stdin'
	['user list']='--json' ['group add']='--gid --member' ['group list']='--json' ['address list']='--json'
	['volume add']='--size --fs --mount --pool --device --force' ['volume grow']='--size' ['volume remove']='--purge'
	['volume list']='--json' ['directory show']='--json' ['template list']='--json'
)

declare -gA _vnas_sub=(
	[share]='add set remove list' [user]='add remove list passwd' [group]='add remove list'
	[address]='add remove list' [volume]='add remove grow list' [directory]='set show test join'
	[template]='build list remove'
)

# Verbs with nothing to complete after them but files.
_vnas_other='import'

# The first column of a table that vnas prints, without its title. A failure completes nothing.
_vnas_column() {
	vnas "$@" 2>/dev/null </dev/null | awk 'NR > 1 { print $1 }'
}

# Lines that begin with the current word, as an answer. Not by compgen -W, which would expand "$(...)" in a share's name.
_vnas_answer() {
	local line

	COMPREPLY=()
	while IFS= read -r line; do
		[[ $line != "$cur"* ]] || COMPREPLY+=("$(printf '%q' "$line")")
	done
}

# _vnas_candidates KIND SERVER
_vnas_candidates() {
	case $1 in
	server) _vnas_column list ;;
	share | user | group | address | volume) _vnas_column "$1" list "$2" ;;
	template) _vnas_column template list ;;
	esac
}

# Options that take a value.
_vnas_valued='--stack --fs --template --device --address --hostname --root-size --volume --path --client --read --write'
_vnas_valued+=' --comment --uid --gid --member --size --mount --pool'

# _vnas_value OPTION: what can follow an option; status 1 if it takes no value.
_vnas_value() {
	case $1 in
	--stack) _vnas_answer <<<$'shared\nprivate' ;;
	--fs) _vnas_answer <<<$'ext4\nxfs' ;;
	--template) _vnas_answer < <(_vnas_candidates template) ;;
	--device) mapfile -t COMPREPLY < <(compgen -f -- "${cur:-/dev/}") ;;
	*)
		COMPREPLY=()
		[[ " $_vnas_valued " == *" $1 "* ]]
		;;
	esac
}

# Words of the command line that are neither options nor their values: into `words`; the verb's own go to `verb`.
_vnas_split() {
	local i word skip=

	verb='' words=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $skip ]]; then
			skip=
		elif [[ $word == -* ]]; then
			# --option=value stands in three words where "=" breaks words.
			if [[ ${COMP_WORDS[i + 1]} != = && " $_vnas_valued " == *" $word "* ]]; then
				skip=1
			fi
		elif [[ $word == = ]]; then
			skip=1
		elif [[ ! $verb ]]; then
			verb=$word
		elif [[ ${_vnas_sub[$verb]} ]]; then
			verb+=" $word"
		else
			words+=("$word")
		fi
	done
}

_vnas() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb kind
	local -a words kinds

	COMPREPLY=()
	_vnas_split
	if ((COMP_CWORD > 1)) && [[ $prev == --* ]] && _vnas_value "$prev"; then
		return
	fi
	COMPREPLY=()
	if [[ ! $verb ]]; then
		local key all=" $_vnas_other "

		for key in "${!_vnas_words[@]}"; do
			all+="${key%% *} "
		done
		mapfile -t COMPREPLY < <(compgen -W "$all" -- "$cur" | sort -u)
		return
	fi
	if [[ ${_vnas_sub[$verb]} ]]; then
		mapfile -t COMPREPLY < <(compgen -W "${_vnas_sub[$verb]}" -- "$cur")
		return
	fi
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "${_vnas_options[$verb]}" -- "$cur")
		return
	fi
	read -ra kinds <<<"${_vnas_words[$verb]}"
	kind=${kinds[${#words[@]}]}
	if [[ ! $kind && ${#kinds[@]} -gt 0 && ${kinds[-1]} == *+ ]]; then
		kind=${kinds[-1]}
	fi
	kind=${kind%+}
	if [[ $kind == file || $verb == "$_vnas_other" ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	elif [[ $kind && $kind != command ]]; then
		_vnas_answer < <(_vnas_candidates "$kind" "${words[0]}")
	fi
}

complete -F _vnas vnas
