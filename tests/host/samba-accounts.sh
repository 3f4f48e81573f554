#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Passwords: users change their own from a client, unix and SMB stay in step, the rules of [directory] are kept.
. "$(dirname "$0")/../lib.sh"

host_add client1 101
vsv s1 11 --hostname filesrv1
vnas start s1
vnas share add s1 docs
echo "a line" >"$T/one"

as() {
	smb client1 "$NET4.11" docs "$1" "$2" ls
}
# change USER OLD NEW: the user's own change, from a client.
change() {
	printf '%s\n%s\n%s\n' "$2" "$3" "$3" |
		on client1 smbpasswd -c "$T/smbclient.conf" -s -r "$NET4.11" -U "$1" 2>&1 | tee "$T/said"
	grep -q 'Password changed' "$T/said"
}
# unix_is USER PASSWORD: the password of the unix account is that.
unix_is() {
	local hash

	hash=$(vnas exec s1 -- getent shadow "$1" | cut -d: -f2)
	perl -e 'exit(crypt($ARGV[0], $ARGV[1]) ne $ARGV[1])' "$2" "$hash"
}
policy() {
	vnas exec s1 -- pdbedit -P "$1" 2>/dev/null | grep -oE '[0-9]+$'
}

check "user add" vnas user add s1 alice --password-stdin <<<"pw-alice"
check "the unix account has the password too" unix_is alice pw-alice
refute "and no other" unix_is alice pw-bob
check "user passwd" vnas user passwd s1 alice --password-stdin <<<"pä:ss w%u"
check "changes both" unix_is alice "pä:ss w%u"
check "the other one by SMB" as alice "pä:ss w%u"
refute "the old one is gone" as alice pw-alice
check "users change their own" change alice "pä:ss w%u" pw-own
check "by SMB" as alice pw-own
check "and by unix" unix_is alice pw-own
refute "with a wrong old one they do not" change alice wrong pw-two
check "nothing is changed by that" as alice pw-own

# Rules.
inside_default=$(policy "bad lockout attempt")
check_eq "without keys Samba's own" "$inside_default" 0
conf_add s1 $'[directory]\npassword length = 8\npassword history = 2\npassword age = 30\nlockout attempts = 3\nlockout minutes = 20'
check "reload" vnas reload s1
check_eq "length" "$(policy 'min password length')" 8
check_eq "history" "$(policy 'password history')" 2
check_eq "age" "$(policy 'maximum password age')" $((30 * 24 * 60 * 60))
check_eq "attempts" "$(policy 'bad lockout attempt')" 3
check_eq "duration" "$(policy 'lockout duration')" 20
check_status "user add keeps the length" 1 "too short: .* 8 characters" bash -c "echo short12 | '$VNAS' user add s1 bob --password-stdin"
refute "and makes nothing" vnas exec s1 -- getent passwd bob
refute "user passwd too" vnas user passwd s1 alice --password-stdin <<<"short12"
check "eight characters are enough, however many bytes" vnas user add s1 bob --password-stdin <<<"äöüßäöüß"
refute "a user's own change too" change alice pw-own short12
check "of eight it is taken" change alice pw-own pw-own-2
check "in step" unix_is alice pw-own-2
refute "not the one before" change alice pw-own-2 pw-own-2
check "another" change alice pw-own-2 pw-own-3
refute "nor the one before that" change alice pw-own-3 pw-own-2

# Lockout.
for _ in 1 2 3; do
	as alice wrong >/dev/null 2>&1 || true
done
refute "three wrong ones lock it" as alice pw-own-3
check "bob is not" as bob "äöüßäöüß"
check "user passwd opens it" vnas user passwd s1 alice --password-stdin <<<"pw-opened"
check "it is open" as alice pw-opened
vnas exec s1 -- pdbedit -r -u bob -c '[X]' >/dev/null
for _ in 1 2 3; do
	as bob wrong >/dev/null 2>&1 || true
done
flags() {
	vnas exec s1 -- pdbedit -L -v bob 2>/dev/null | sed -n 's/^Account Flags: *\[\(.*\)\]/\1/p' | tr -d ' '
}
check_eq "a locked account with a flag of its own" "$(flags)" ULX
vnas user passwd s1 bob --password-stdin <<<"pw-again1"
check_eq "is open, and keeps the flag" "$(flags)" UX

# Age.
vnas exec s1 -- pdbedit -r -u alice --pwd-must-change-time=0 >/dev/null 2>&1 || true
vnas exec s1 -- pdbedit -P "maximum password age" -C 1 >/dev/null
sleep 2
refute "an old password opens nothing" as alice pw-opened
check "but can be changed" change alice pw-opened pw-after-1
check "in step" unix_is alice pw-after-1

# The configuration's word counts again where it changes, and a key that goes gives Samba's default back.
sed -i 's/^password length = .*/password length = 10/; /^lockout attempts/d' "$ETC/s1.conf"
check "restart" vnas restart s1
check_eq "length" "$(policy 'min password length')" 10
check_eq "attempts" "$(policy 'bad lockout attempt')" 0
check_eq "age" "$(policy 'maximum password age')" $((30 * 24 * 60 * 60))
check_eq "a start with nothing new runs nothing for it" "$(cut -d' ' -f2- "$LIB/servers/s1/password-rules")" "10 30 2 0 20 20"

# Without SMB.
sed -i '/^\[smb\]/,$d; /^\[share docs\]/,$d' "$ETC/s1.conf"
conf_add s1 $'[smb]\nenabled = no'
check "restart without SMB" vnas restart s1
check "user passwd sets the unix password" vnas user passwd s1 alice --password-stdin <<<"pw-unix-only"
check "alone" unix_is alice pw-unix-only
check "user add needs none there" vnas user add s1 carol --password-stdin <<<"pw-carol-unix"
check "but takes one" unix_is carol pw-carol-unix

hosts_remove
done_testing
