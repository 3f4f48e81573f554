#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A root volume that is full while users are added and clients work: Samba's data bases stay whole, what was there still
# serves, and when there is room again everything goes on.
. "$(dirname "$0")/../lib.sh"

host_add client1 101
vsv s1 11 --volume data=64M --hostname filesrv1
vnas start s1
for i in 1 2 3; do
	vnas user add s1 "old$i" --password-stdin <<<"pw-old$i"
done
vnas share add s1 docs --path /srv/data/docs
echo "first" >"$T/one"
check "a client before" smb client1 "$NET4.11" docs old1 pw-old1 "put $T/one one"

# databases NAME: every data base of Samba's, as it lies on the disk while smbd runs, is whole.
databases() {
	local name list

	mkdir -p "$T/$1"
	list=$(vnas exec s1 -- find /var/lib/samba /var/cache/samba -name '*.tdb')
	for name in $list; do
		vnas exec s1 -- cat "$name" >"$T/$1/${name##*/}"
		tdbbackup -v "$T/$1/${name##*/}" >"$T/tdb.log" 2>&1 || {
			not_ok "$1: $name is whole" "$(cat "$T/tdb.log")"
			continue
		}
	done
	check "$1: passdb.tdb is among them" test -s "$T/$1/passdb.tdb"
	check "$1: the accounts can be listed" vnas exec s1 -- pdbedit -L
}

databases "before"

# Clients log in, write and open files all the time.
work() {
	while [[ -e $T/working ]]; do
		smb client1 "$NET4.11" docs "old$1" "pw-old$1" "put $T/one w$1; get w$1 $T/w$1.back; del w$1" >/dev/null 2>&1 &&
			echo x >>"$T/worked$1"
	done
}
touch "$T/working"
for i in 2 3; do
	work $i &
done

# The last byte, by what is not root's reserve too, and again while users are added.
fill() {
	vnas exec s1 -- bash -c 'for d in /var/tmp /root /var/lib/samba; do
		dd if=/dev/zero of=$d/filler.$RANDOM bs=1M
		dd if=/dev/zero of=$d/filler.$RANDOM bs=1k
		dd if=/dev/zero of=$d/filler.$RANDOM bs=1 count=2000
	done 2>/dev/null; true'
}
fill
check "the root volume is full" bash -c "! '$VNAS' exec s1 -- dd if=/dev/zero of=/var/tmp/more bs=64k count=1 2>/dev/null"
added=()
for i in $(seq 1 12); do
	if vnas user add s1 "new$i" --password-stdin <<<"pw-new$i" >/dev/null 2>&1; then
		added+=("new$i")
	fi
	((i % 4)) || fill
done
before=$(wc -l <"$T/worked2")
check "clients work on" eventually 10 bash -c "(( \$(wc -l <'$T/worked2') > $before ))"
databases "full"
check "who was there logs in" smb client1 "$NET4.11" docs old1 pw-old1 "get one $T/back"
refute "a wrong password is still wrong" smb client1 "$NET4.11" docs old1 wrong ls
# Also when smbd starts on a full disk, after a kill in the middle of it all.
kill -KILL "$(server_json s1 '.services[] | select(.name == "smbd") | .pid')"
check "smbd comes back on a full root volume" eventually 10 smb client1 "$NET4.11" docs old1 pw-old1 ls
databases "killed"

# Room again.
vnas exec s1 -- bash -c 'rm -f /var/tmp/* /root/filler.* /var/lib/samba/filler.*'
rm "$T/working"
wait
for name in "${added[@]}"; do
	smb client1 "$NET4.11" docs "$name" "pw-$name" ls >/dev/null 2>&1 || not_ok "$name, who was added, logs in" ''
done
for i in $(seq 1 12); do
	again=$(vnas user add s1 "new$i" --password-stdin <<<"pw-new$i" 2>&1) || [[ $again == *"there already"* ]] ||
		not_ok "new$i is added when there is room" "$again"
done
check_eq "all are whole accounts" \
	"$(vnas user list s1 --json | jq '[.users[] | select(.name | startswith("new")) | select(.smb)] | length')" 12
for i in 1 2 3; do
	check "old$i logs in" smb client1 "$NET4.11" docs "old$i" "pw-old$i" "get one $T/back"
done
databases "after"
vnas restart s1
check "and after a restart" smb client1 "$NET4.11" docs old1 pw-old1 "get one $T/back"
check "which is the same" cmp "$T/one" "$T/back"

hosts_remove
done_testing
