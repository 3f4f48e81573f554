#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vnas-test: long
# A domain whose clock is ten minutes off. The controller runs on a guest, which has a kernel and so a clock of its own: who is
# refused is refused by real Kerberos.
. "$(dirname "$0")/../uml.sh"
. "$(dirname "$0")/../directory.sh"
. "$(dirname "$0")/../domain.sh"

# clock_off SECONDS: the controller's clock beside ours. Its programs wait by that clock, so it goes forward only while they run.
clock_off() {
	guest dc1 date -u -s "@$(($(date +%s) + $1))"
}

controller_answers() {
	bash -c "exec 3<>/dev/tcp/$NET4.21/389 4<>/dev/tcp/$NET4.21/88 5<>/dev/tcp/$NET4.21/53" 2>/dev/null &&
		vnas exec a -- timeout 5 getent ahosts sales.example
}

clock_is_said() {
	server_json a '.degraded[]' | grep -qE 'clock of the controller of SALES.EXAMPLE is (59|60|61)[0-9] seconds off.*NTP'
}

# The domain is made by the Psv, which is faster, with the address that is the guest's later.
export realm=SALES.EXAMPLE controller=dc1
host_add dc1 21
domain_make dc1 "$NET4.21" $realm SALES
samba_tool dc1 user create taro pw-taro >/dev/null
hosts_remove
# Whether a slow guest takes a name into its DNS in time is nothing of the clock's.
echo "$NET4.11 filesrv1.sales.example" >>"$T/dc1/hosts"
GUEST_MEMORY=512M guest_add dc1 21
cp -a "$T/dc1" "$T/guests/dc1/domain"
check "a controller whose clock is ten minutes slow" clock_off -600
guest_begin dc1 samba domain_run "$T/dc1"
host_add client1 101
vsv a 11 --volume data=64M --hostname filesrv1 --dns "$NET4.21"
check "directory set" vnas directory set a --type ad --realm sales.example
check "it starts" vnas start a
check "the controller answers" eventually 120 controller_answers
check "an own user beside the domain's" vnas user add a own --password-stdin <<<"pw-own"
check "a share" vnas share add a docs --path /srv/data/docs

step_is a "directory test: the clock" clock failed "controller's is -(59|60|61)[0-9] seconds off"
check_json "  with what to do" '.steps[] | select(.step == "clock") | .hint | test("NTP")' bash -c "'$VNAS' directory test a --json || true"
# shellcheck disable=SC2154 # of domain.sh
check_status "join is refused" 1 "clock is -[0-9]+ seconds off" \
	bash -c "'$VNAS' directory join a --user Administrator --password-stdin <<<'$domain_password'"
check_json "  and changes nothing: it has not joined" '.servers[0].degraded | any(test("not joined"))' vnas status a --json
check_eq "  nor its workgroup" "$(vnas show a | sed -n 's/^workgroup = //p')" WORKGROUP

check "the clock is right" clock_off 0
check "join" join a
check "users are found" eventually 60 id_of a taro
check "a logon by Kerberos" eventually 90 smb_kerberos client1 filesrv1.sales.example docs taro pw-taro ls
check "nothing is wrong" eventually 60 directory_is a ok
check "again: names that are there already are no failure" bash -c "
	'$VNAS' directory join a --user Administrator --password-stdin <<<'$domain_password' >'$T/again' 2>&1 &&
	! grep 'does not take its name' '$T/again'"

check "the clock is ten minutes fast" clock_off 600
step_is a "directory test: the clock" clock failed "controller's is (59|60|61)[0-9] seconds off"
check "status is degraded, and says why" eventually 60 clock_is_said
refute "a logon by Kerberos is refused" smb_kerberos client1 filesrv1.sales.example docs taro pw-taro ls
check "its own users are served" eventually 60 smb client1 "$NET4.11" docs 'FILESRV1\own' pw-own ls
check_eq "its services run" "$(server_json a '.services[] | select(.state != "running") | .name')" ""

guest dc1 pkill -KILL samba
check "the clock is right again" clock_off 0
guest_begin dc1 again domain_run "$T/dc1"
check "it recovers by itself: a logon by Kerberos" eventually 180 smb_kerberos client1 filesrv1.sales.example docs taro pw-taro ls
check "  and status" eventually 60 directory_is a ok

guests_remove
hosts_remove
done_testing
