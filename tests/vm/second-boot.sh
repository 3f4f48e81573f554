# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What systemd starts at the boot, keeps and stops; an upgrade while it runs; and the end.  Sourced by guest.sh.

main_pid() {
	systemctl show --value --property MainPID vnas@a.service
}

# --- the boot ---
check_eq "the shutdown stopped a in order" "$(vnas events a --json | jq -r '[.events[] | select(.event == "stopped")] | last | .detail')" \
	"by command"
check_eq "and b, which was started by hand" "$(vnas events b --json | jq -r '[.events[] | select(.event == "stopped")] | last | .detail')" \
	"by command"
# The boot's jobs may still be at work.
check "a was started" eventually 180 systemctl is-active --quiet vnas@a.service
check_eq "b was not: autostart = no" "$(systemctl is-active vnas@b.service || true) $(server_json b .state)" "inactive stopped"
host_add client1 101
check "a serves" smb client1 "$NET4.11" docs alice pw-a "get where $T/got"
check_eq "what it had" "$(cat "$T/got")" "hello from a"
check_eq "its supervisor is systemd's" "$(server_json a .supervisor_pid)" "$(main_pid)"
minutes

# --- readiness ---
check "systemctl start b" systemctl start vnas@b.service
check "which serves when that is over" smb client1 "$NET4.12" docs alice pw-b ls
check_eq "its file is there" "$(vnas exec b -- cat /srv/data/kept)" kept
minutes

# --- the supervisor's death, and what systemd does about it ---
init=$(server_json a .init_pid)
smbd=$(server_json a '.services[0].pid')
# replaced NAME SIGNAL: another one after that, with the same server.
replaced() {
	local old

	old=$(main_pid)
	kill "-$2" "$old"
	# shellcheck disable=SC2016
	check "$1: there is a new one" eventually 60 bash -c \
		'new=$(systemctl show --value --property MainPID vnas@a.service); [[ $new != 0 && $new != '"$old"' ]] &&
		[[ $(systemctl is-active vnas@a.service) == active ]]'
	check_eq "$1: the server is the same" "$(server_json a '[.init_pid, .services[0].pid] | @text')" "[$init,$smbd]"
}
replaced "killed" KILL
replaced "told to end" TERM
check "a serves" smb client1 "$NET4.11" docs alice pw-a ls
minutes

# --- an upgrade while they run ---
echo /usr/local/share/man/man8/of-an-older-version.8 >>/usr/local/share/vnas/installed
touch /usr/local/share/man/man8/of-an-older-version.8
before=$(server_json a '[.init_pid, .services[0].pid, .supervisor_pid] | @text')
check_status "upgrade" 0 'run on as they are.* a b' tools_install
check_eq "nothing of a server was started again" "$(server_json a '[.init_pid, .services[0].pid, .supervisor_pid] | @text')" "$before"
refute "what is no more is gone" test -e /usr/local/share/man/man8/of-an-older-version.8
replaced "after the upgrade" KILL
check "a serves" smb client1 "$NET4.11" docs alice pw-a ls
check_status "uninstall is refused" 5 'runs: a b' tools_install --uninstall
check "and has taken nothing" test -x "$VNAS"
minutes

# --- stops ---
check "a stop by hand" vnas stop b
check "is not undone" eventually 20 bash -c '[[ $(systemctl is-active vnas@b.service) == inactive ]]'
sleep 7
check_eq "nor later" "$(systemctl is-active vnas@b.service || true) $(server_json b .state)" "inactive stopped"
check "systemctl stop a" systemctl stop vnas@a.service
check_eq "stops it" "$(server_json a .state)" stopped
check "systemctl start a" systemctl start vnas@a.service
check "systemctl restart" systemctl restart vnas@a.service
refute "that is another PID 1" test "$(server_json a .init_pid)" = "$init"
check "the target stops it" systemctl stop vnas.target
check "before long" eventually 60 bash -c '[[ $(systemctl is-active vnas@a.service) == inactive ]]'
check_eq "it is stopped" "$(server_json a .state)" stopped
check_eq "no control group of ours is left" "$(find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -name 'vnas*' -type d)" ""
minutes

# --- the end ---
check_status "uninstall" 0 '/var/lib/vnas' tools_install --uninstall
check_eq "nothing is left but data" "$(find /usr/local \( -name '*vnas*' \) ! -type d)" ""
check "the data stays" test -e /var/lib/vnas/volumes -a -e "$ETC/a.conf"
check_eq "nothing is mounted" "$(grep -c ' /run/vnas/' /proc/self/mountinfo || true)" 0
refute "no unit is left" systemctl cat vnas@a.service
check "install again" tools_install
check_json "the servers are there" '[.servers[].name] == ["a", "b"]' vnas list --json
for v in a b; do
	check "destroy $v" vnas destroy $v --purge
done
check "uninstall again" tools_install --uninstall
hosts_remove
check_eq "no volume is left" "$(find "$LIB" -name '*.img')" ""
# shellcheck disable=SC2034 # at_exit looks at it
finished=1
exit 0
