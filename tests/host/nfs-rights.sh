#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Who may do what by NFS: the kernel judges by the numbers that a client tells, and the server's own rights are not the client's.
# With root's of a client (squash = none) each capability of the service is used.
. "$(dirname "$0")/../lib.sh"

client=$(dirname "$PROBE")/../nfs/nfsclient
nc() {
	on c1 "$client" "$1" "$NET4.11" "${@:2}" || true
}
inside() {
	vnas exec s1 -- stat -c "$1" "/srv/data/docs/$2"
}

host_add c1 101
plain_vsv s1 11 --volume data=64M
vnas share add s1 docs --nfs --squash none
vnas share add s1 squashed --nfs
vnas start s1
vnas exec s1 -- chmod 1777 /srv/data/docs
vnas exec s1 -- setfacl -b -k /srv/data/docs
root=$(nc mount 20048 /docs)
squashed=$(nc mount 20048 /squashed)

# Users.
file=$(nc create "$root" 1000 mine)
check_eq "a file is its maker's" "$(inside %u:%g:%a mine)" 1000:1000:600
check_eq "the maker writes it" "$(nc write "$file" 1000 text)" ok
check_eq "another one does not" "$(nc write "$file" 1001 other)" "error 13"
check_eq "nor changes its mode" "$(nc chmod "$file" 1001 666)" "error 1"
check_eq "nobody gives files away" "$(nc chown "$file" 1000 1001 1001)" "error 1"
check_eq "nobody removes another's in a folder with the sticky bit" "$(nc remove "$root" 1001 mine)" "error 1"

# Root of a client, believed.
check_eq "root writes others' files" "$(nc write "$file" 0 root)" ok
check_eq "… gives them away" "$(nc chown "$file" 0 1001 1002)" ok
check_eq "… really" "$(inside %u:%g mine)" 1001:1002
check_eq "… changes their mode" "$(nc chmod "$file" 0 2750)" ok
check_eq "… with the bit for the group" "$(inside %a mine)" 2750
check_eq "… and removes them" "$(nc remove "$root" 0 mine)" ok

# Root of a client, squashed.
file=$(nc create "$root" 1000 mine)
vnas exec s1 -- sh -c "chmod 1777 /srv/data/squashed && cp -p /srv/data/docs/mine /srv/data/squashed/"
file=$(nc lookup "$squashed" mine)
check_eq "root is nobody: does not write others' files" "$(nc write "$file" 0 root)" "error 13"
check_eq "… nor gives them away" "$(nc chown "$file" 0 0 0)" "error 1"
new=$(nc create "$squashed" 0 new)
check_eq "… and what it makes is nobody's" "$(vnas exec s1 -- stat -c %u:%g /srv/data/squashed/new)" 65534:65534
check_eq "a set-user bit comes in" "$(nc chmod "$new" 0 4755)" ok
check "and means nothing: the volume is mounted nosuid" grep -q nosuid <(vnas exec s1 -- grep " /srv/data " /proc/self/mountinfo)

# Names of NFS 4 are those of the server's own users.
vnas exec s1 -- useradd --uid 3001 alice
vnas exec s1 -- chown alice /srv/data/docs/mine
owner_is() {
	[[ $(nc owner docs mine) == "$1" ]]
}
check "an owner by name, once the server has looked again" eventually 60 owner_is alice@localdomain
conf_add s1 $'[nfs]\ndomain = sales.example\nversions = 4.1'
check_status "another domain of owners" 0 "restart" vnas reload s1
vnas restart s1
check_eq "the owner in that domain" "$(nc owner docs mine)" alice@sales.example
sed -i 's/^versions = 4.1/versions = 4.1\nnumeric owners = yes/' "$ETC/s1.conf"
vnas restart s1
check_eq "an owner by number" "$(nc owner docs mine)" 3001
hosts_remove
done_testing
