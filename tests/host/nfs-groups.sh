#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The groups of a client's user: those that it names, or with `manage gids` those that the server knows, more than the 16 that
# AUTH_SYS carries.
. "$(dirname "$0")/../lib.sh"

host_add c1 101
vsv s1 11 --volume data=64M
check "share add" vnas share add s1 docs --nfs
check "start" vnas start s1
check "user add" vnas user add s1 alice --uid 5000 --password-stdin <<<secret
for n in {1..20}; do
	vnas group add s1 "g$n" --gid "$((6000 + n))" --member alice
done
check_eq "she is in 20 groups" "$(vnas exec s1 -- id -G alice | tr ' ' '\n' | grep -c '^60[0-2][0-9]$')" 20
check "a folder of the last group" vnas exec s1 -- sh -c \
	'chmod 755 /srv/data/docs && mkdir /srv/data/docs/g && echo here >/srv/data/docs/g/f && chgrp -R g20 /srv/data/docs/g && chmod 750 /srv/data/docs/g && chmod 644 /srv/data/docs/g/f'

check "a file for all" vnas exec s1 -- sh -c 'echo here >/srv/data/docs/open && chmod 644 /srv/data/docs/open'

# sees USER-NUMBER VERSION FILE: with no group but 100.
sees() {
	[[ $(on c1 nfs-cat "nfs://$NET4.11/docs/$3?version=$2&uid=$1&gid=100" 2>&1) == here ]]
}
for v in 3 4; do
	refute "version $v: what the client names counts" sees 5000 $v g/f
	check "version $v: a user without an account" sees 5001 $v open
done
conf_add s1 $'[nfs]\nmanage gids = yes'
check "the key is taken" vnas reload s1
for v in 3 4; do
	check "version $v: what the server knows counts" eventually 60 sees 5000 $v g/f
	refute "version $v: a user without an account is refused" sees 5001 $v open
done

hosts_remove
done_testing
