#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The NFS service alone may open files by their handles, past every path and mount. A hostile root makes it run its code, with
# handles of the Psv's and the neighbour's files: nothing outside of the own superblocks comes of it.
. "$(dirname "$0")/../lib.sh"

nfs=$(dirname "$PROBE")/../nfs
host_add c1 101
for n in 1 2; do
	vsv "s$n" "1$n" --volume data=64M
	vnas share add "s$n" docs --nfs
done
vnas start s1 s2
pid_of() {
	server_json "$1" ".services[] | select(.name == \"$2\").pid"
}

# What is outside: a file of the Psv's on a tmpfs, one on its disk, one of the neighbour's, and the template's.
echo "outside psv" >"$T/secret"
vnas exec s2 -- sh -c 'echo "outside neighbour" >/srv/data/docs/secret; echo "outside neighbour root" >/root/secret'
vnas exec s1 -- sh -c 'echo own >/srv/data/docs/own'
own=$(pid_of s1 ganesha) other=$(pid_of s2 ganesha)
outside=("$T/secret" "/proc/$other/root/srv/data/docs/secret" "/proc/$other/root/root/secret")
for f in "${outside[@]}" "/proc/$own/root/srv/data/docs/own"; do
	"$nfs/handles" get "$f"
done >"$T/handles"
check_eq "a handle of each" "$(wc -l <"$T/handles")" 4
i=0
for f in "${outside[@]}"; do
	i=$((i + 1))
	check "control: it opens on the Psv: ${f##*/root/}" grep -q "OPENED outside" \
		<("$nfs/handles" try "$(sed -n ${i}p "$T/handles")" "$(dirname "$f")")
done

# Who is not the NFS service.
vnas exec s1 -- sh -c 'cat >/root/handles' <"$T/handles"
vnas exec s1 -- sh -c 'cat >/root/probe; chmod 755 /root/probe' <"$PROBE"
check_eq "root's own commands may not" "$(vnas exec s1 -- /root/probe open-by-handle)" "open-by-handle EPERM"
inside=$(vnas exec s1 -- sh -c 'for p in /proc/[0-9]*; do read -r c <$p/comm; [ "$c" != ganesha.nfsd ] || echo ${p#/proc/}; done')
check_status "root cannot write into it" 2 "denied|Permission" vnas exec s1 -- sh -c "echo x >/proc/$inside/mem"
check_status "nor read its memory" 1 "denied|Permission" vnas exec s1 -- sh -c "head -c 1 /proc/$inside/mem"
check_status "nor trace it" 2 "not permitted|denied" vnas exec s1 -- sh -c "ls /proc/$inside/map_files"

# Its code instead: whatever is loaded runs with all that the service has.
vnas exec s1 -- sh -c 'cat >/root/handles.so; chmod 755 /root/handles.so' <"$nfs/handles.so"
vnas exec s1 -- sh -c 'echo /root/handles.so >/etc/ld.so.preload'
vnas exec s1 -- sh -c "kill -KILL $inside"
check "it runs in the service" eventually 60 vnas exec s1 -- grep -q process /root/handles.out
vnas exec s1 -- rm /etc/ld.so.preload
vnas exec s1 -- cat /root/handles.out >"$T/out"
check "control: a file of its own opens" grep -q "^/srv/data OPENED own" "$T/out"
refute "nothing from outside" grep "OPENED outside" "$T/out"
check "all was tried: its volumes" grep -q "^/srv/data " "$T/out"
check "… /usr" grep -q "^/usr ESTALE" "$T/out"
check "… what the Psv generates" grep -q "^/run/vnas " "$T/out"
check "… its standard streams" grep -q "^stream " "$T/out"
check "and it writes no attribute, which would be Samba's" grep -qx "xattr EOPNOTSUPP" "$T/out"
refute "no namespace" grep "^namespace OPENED" "$T/out"
refute "no process of others" grep "^process OPENED" "$T/out"
note "$(grep OPENED "$T/out" | sort | uniq -c)"
hosts_remove
done_testing
