#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# exec passes streams and exit statuses through, unchanged, so that a backup can be taken with it.
. "$(dirname "$0")/../lib.sh"

plain_vsv a 11 --volume data=64M
vnas start a

for status in 0 1 2 3 77 125 255; do
	check_status "exit status $status" $status '' vnas exec a -- sh -c "exit $status"
done
check_status "killed by SIGTERM" 143 '' vnas exec a -- sh -c 'kill -TERM $$'
check_status "no such command" 1 'nonesuch' vnas exec a -- /nonesuch
check_eq "arguments as they are" "$(vnas exec a -- printf '%s|' 'a b' '' "c'd" '$x' '*')" "a b||c'd|\$x|*|"
check_eq "standard output" "$(vnas exec a -- echo out 2>/dev/null)" out
check_eq "standard error" "$(vnas exec a -- sh -c 'echo err >&2' 2>&1 >/dev/null)" err
check_eq "standard input" "$(echo in | vnas exec a -- cat)" in
check_eq "standard input that is empty" "$(vnas exec a -- cat </dev/null)" ""
check_eq "the environment is its own" "$(SECRET=x vnas exec a -- sh -c 'echo ${SECRET:-none}')" none
check_eq "as root by default" "$(vnas exec a -- id -u)" 0
check_eq "the working directory is inside" "$(vnas exec a -- pwd)" /root

mib=256
[[ ! ${VNAS_TEST_ALL:-} ]] || mib=10240
sum() { seq 1 2000000000 | head -c $((mib << 20)); }
there=$(sum | sha256sum)
check_eq "$mib MiB in" "$(sum | vnas exec a -- sha256sum)" "$there"
check_eq "$mib MiB through, both ways at once" "$(sum | vnas exec a -- cat | sha256sum)" "$there"

vnas exec a -- sh -c 'mkdir /srv/data/d; for i in $(seq 300); do echo $i >/srv/data/d/$i; done'
vnas exec a -- tar -C /srv/data -cf - d >"$T/backup.tar"
check_eq "a backup" "$(tar tf "$T/backup.tar" | wc -l)" 301
vnas exec a -- mkdir /srv/data/back
vnas exec a -- tar -C /srv/data/back -xf - <"$T/backup.tar"
check_eq "and its restoring" "$(vnas exec a -- cat /srv/data/back/d/300)" 300

check_eq "a reader that ends early ends the command" "$(vnas exec a -- yes | head -n 1)" y
"$VNAS" exec a -- sleep 1000 &
pid=$!
eventually 60 vnas exec a -- pgrep -x sleep
kill -KILL $pid
wait $pid 2>/dev/null || true
check "a killed exec ends its command" eventually 60 bash -c "! '$VNAS' exec a -- pgrep -x sleep"

check_eq "descriptors inside" "$(vnas exec a -- sh -c 'ls /proc/self/fd | tr "\n" " "' 5</etc/passwd 9</)" "0 1 2 3 "
for _ in 1 2 3 4 5 6 7 8; do
	vnas exec a -- sh -c 'sleep 0.2; echo x' >>"$T/many" &
done
wait
check_eq "eight at once" "$(wc -l <"$T/many")" 8
check_status "a reader without reading is not held" 0 '' timeout 5 "$VNAS" exec a -- true

done_testing
