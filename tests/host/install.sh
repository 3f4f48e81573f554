#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tools/install, for real in a mount namespace of the test's own and below a DESTDIR, on a machine without systemd; with it,
# the emulated machine tests it (tests/vm).
. "$(dirname "$0")/../lib.sh"

prefix=$(realpath "$(dirname "$VNAS")/..")
build=$(realpath "$prefix/..")
installed=$prefix/share/vnas/installed
cd "$(dirname "$0")/../.." || exit 1

tools_install() {
	tools/install --no-deps --no-build --build "$build" "$@"
}

# Only this test sees it.
mount -t tmpfs -o mode=755 vnas-test "$prefix"

check_status "uninstall before there is anything" 1 'has installed nothing' tools_install --uninstall
check_status "wrong use" 2 '^usage' tools/install --nonsense
check_status "a relative prefix" 2 'no absolute path' tools/install --prefix usr
check_status "nothing was built" 1 'nothing was built' tools/install --no-deps --no-build --build "$T/none"

check_status "install" 0 'start --all. at boot' tools_install
for f in sbin/vnas libexec/vnas/vnas-init libexec/vnas/vnas-discover libexec/vnas/vnas-supervise share/man/man8/vnas.8 share/man/man7/vnas.7 \
	share/man/man5/vnas.conf.5 share/bash-completion/completions/vnas lib/systemd/system/vnas@.service \
	lib/systemd/system/vnas.target lib/systemd/system-generators/vnas-generator; do
	check "there is $f" test -s "$prefix/$f"
done
check "what is installed works" "$VNAS" --version
check_eq "the list names all of it" "$(sed -n 's#\([^/]\)$#\1#p' "$installed" | sort | paste -sd' ')" \
	"$(find "$prefix" -type f ! -path "$installed" | grep -v '/$' | sort | paste -sd' ')"

# --- while a server runs ---
plain_vsv a 11
check "start" vnas start a
before=$(server_json a '[.init_pid, .supervisor_pid] | @text')
echo "$prefix/sbin/of-an-older-version" >>"$installed"
touch "$prefix/sbin/of-an-older-version" "$prefix/sbin/somebody-elses"
check_status "upgrade" 0 'run on as they are.* a$' tools_install
check_eq "the server runs on" "$(server_json a '[.init_pid, .supervisor_pid] | @text')" "$before"
check "with what is new" vnas exec a -- true
tables=$(echo "$RUN"/bpf/maps-*)
mv "$tables" "$RUN/bpf/maps-99"
check_status "a gate with other tables: no change before a restart" 1 'another version' vnas reload a
mv "$RUN/bpf/maps-99" "$tables"
check "with the same tables" vnas reload a
refute "what is no more is gone" test -e "$prefix/sbin/of-an-older-version"
check_status "uninstall is refused" 5 'runs: a' tools_install --uninstall
check "and has taken nothing" test -x "$VNAS"
check "stop" vnas stop a

# --- the units ---
check "the generator" "$prefix/lib/systemd/system-generators/vnas-generator" "$T"
check_eq "wants the server" "$(readlink "$T/vnas.target.wants/vnas@a.service")" "$prefix/lib/systemd/system/vnas@.service"
rm -r "$T/vnas.target.wants"
sed -i '/^\[server\]/a autostart = off' "$ETC/a.conf"
check "the generator" "$prefix/lib/systemd/system-generators/vnas-generator" "$T"
refute "wants it no more" test -e "$T/vnas.target.wants"
echo nonsense >"$ETC/b.conf"
check "the generator" "$prefix/lib/systemd/system-generators/vnas-generator" "$T"
check "wants what cannot be read, which says why" test -L "$T/vnas.target.wants/vnas@b.service"
rm -r "$T/vnas.target.wants" "$ETC/b.conf"
check_eq "the units name what is installed" "$(grep -ohE '/[^ ]*/sbin/vnas' "$prefix"/lib/systemd/system/* | sort -u)" "$prefix/sbin/vnas"

# --- the end ---
check "a volume elsewhere" mkdir "$T/pool"
printf '[pool more]\ntype = file\npath = %s\n' "$T/pool" >"$ETC/vnas.conf"
check_status "uninstall" 0 "$T/pool" tools_install --uninstall
check_eq "somebody else's alone is left" "$(find "$prefix" -type f)" "$prefix/sbin/somebody-elses"
check "the data stays" test -e "$ETC/a.conf" -a -e "$LIB/volumes"
refute "nothing of the running state does" test -e "$RUN"
check_status "uninstall again" 1 'has installed nothing' tools_install --uninstall
rm "$prefix/sbin/somebody-elses"

# --- a package ---
check "install below a DESTDIR" tools_install --destdir "$T/dest"
check "it is there" test -x "$T/dest$prefix/sbin/vnas"
refute "and nowhere else" test -e "$VNAS"
check "uninstall" tools_install --uninstall --destdir "$T/dest"
check_eq "nothing is left" "$(find "$T/dest" ! -type d)" ""

check "install again" tools_install
rm -r "$T/pool" "$ETC/vnas.conf"
check_json "the server is there" '[.servers[].name] == ["a"]' vnas list --json

vnas destroy a --purge
check "uninstall at the end" tools_install --uninstall
umount "$prefix"
done_testing
