/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every verb, in the order in which the help shows them. */
#include "cmd/cmd.h"

static const struct cmd_option create_options[] = {
	{ "address", "ADDR/PREFIX[@INTERFACE]", "an address it owns (repeatable)" },
	{ "hostname", "H", "its host name; default: NAME" },
	{ "workgroup", "W", "its SMB workgroup; default: WORKGROUP" },
	{ "gateway", "ADDR", "router for its traffic (one a family)" },
	{ "dns", "ADDR", "name server (repeatable)" },
	{ "search", "DOMAIN", "search domain (repeatable)" },
	{ "root-size", "SIZE", "size of the root volume; default: 1G" },
	{ "volume", "V=SIZE|V=DEVICE", "a data volume from the pool, or a device as it is (repeatable)" },
	{ "fs", "ext4|xfs", "filesystem of the data volumes; default: ext4" },
	{ "pool", "POOL", "pool of all volumes; default: default" },
	{ "stack", "shared|private", "IP stack; default: shared" },
	{ "interface", "INTERFACE", "of a private stack: an interface or bridge of this machine" },
	{ "link", "macvlan|ipvlan|veth|vlan|interface", "how it is joined to that; default: veth on a bridge, else macvlan" },
	{ "vlan", "N", "the VLAN that it is in" },
	{ "mac", "MAC", "hardware address; default: follows from its root volume" },
	{ "mtu", "BYTES", "largest packet; default: that of the interface" },
	{ "memory", "SIZE", "memory limit" },
	{ "from", "FILE", "with the configuration in that file, as a saved NAME.conf; its volumes are made new" },
	{ "force", NULL, "overwrite a device that carries a foreign signature" },
	{ "dry-run", NULL, "check everything, print the steps, change nothing" },
	{ 0 }
};

static const struct cmd_option start_options[] = {
	{ "no-probe", NULL, "do not ask the network whether an address is taken" },
	{ "template", "NAME", "run this template instead of the newest" },
	{ "dry-run", NULL, "print the steps, change nothing" },
	{ 0 }
};

static const struct cmd_option stop_options[] = {
	{ "timeout", "SECONDS", "how long the services may take to end; default: 20" },
	{ 0 }
};

static const struct cmd_option run_options[] = {
	{ "no-probe", NULL, "do not ask the network whether an address is taken" },
	{ 0 }
};

static const struct cmd_option exec_options[] = {
	{ "user", "USER", "as this user of the Vsv; default: root" },
	{ "tty", NULL, "on a terminal of the Vsv's own" },
	{ 0 }
};

static const struct cmd_option logs_options[] = {
	{ "f", NULL, "follow" },
	{ "lines", "N", "the last N lines; default: all" },
	{ "since", "TIME", "from that time on: RFC 3339, a date, 10m, 2h, 3d, today, yesterday" },
	{ 0 }
};

static const struct cmd_option events_options[] = {
	{ "f", NULL, "follow" },
	{ "lines", "N", "the last N events; default: all" },
	{ "since", "TIME", "from that time on, as for logs" },
	{ "learn", NULL, "what its configuration would have to say to allow what was refused" },
	{ 0 }
};

static const struct cmd_option destroy_options[] = {
	{ "purge", NULL, "delete its volumes too; without it they stay and can be adopted" },
	{ 0 }
};

static const struct cmd_option address_options[] = {
	{ "no-probe", NULL, "do not ask the network whether the address is taken" },
	{ 0 }
};

static const struct cmd_option volume_options[] = {
	{ "size", "SIZE", "its size" },
	{ "device", "PATH", "a device as it is instead of a pool's space" },
	{ "pool", "POOL", "pool; default: default" },
	{ "fs", "ext4|xfs", "filesystem; default: ext4" },
	{ "mount", "PATH", "where it is inside; default: /srv/V" },
	{ "force", NULL, "overwrite a device that carries a foreign signature" },
	{ "orphan", NULL, "the one of this name that was removed before, with its data" },
	{ 0 }
};

static const struct cmd_option volume_remove_options[] = {
	{ "purge", NULL, "delete its data too; without it the volume stays and can be adopted" },
	{ 0 }
};

static const struct cmd_option volume_list_options[] = {
	{ "orphans", NULL, "volumes in the pools that belong to no Vsv of this machine" },
	{ 0 }
};

static const struct cmd_option adopt_options[] = {
	{ "yes", NULL, "agree to what the volumes' configuration asks for" },
	{ "force", NULL, "take an older copy than this machine has started" },
	{ 0 }
};

static const struct cmd_option repair_options[] = {
	{ "yes", NULL, "agree to every question of the check" },
	{ "no-start", NULL, "leave it stopped" },
	{ 0 }
};

static const struct cmd_option share_options[] = {
	{ "path", "P", "folder inside; default: /srv/V/SHARE of the only data volume" },
	{ "smb", NULL, "by SMB (the default)" },
	{ "nfs", NULL, "by NFS" },
	{ "read-only", NULL, "nobody writes" },
	{ "writable", NULL, "takes --read-only back" },
	{ "client", "NET", "only these clients (repeatable)" },
	{ "read", "@GROUP|USER", "may read (repeatable)" },
	{ "write", "@GROUP|USER", "may write (repeatable)" },
	{ "guest", NULL, "without a password" },
	{ "no-guest", NULL, "takes --guest back" },
	{ "audit", NULL, "log who opens, renames and deletes what and changes which rights" },
	{ "no-audit", NULL, "takes --audit back" },
	{ "recycle", NULL, "what is deleted by SMB goes to the folder .recycle" },
	{ "no-recycle", NULL, "takes --recycle back" },
	{ "squash", "root|all|none", "NFS: whose users of a client are nobody in particular" },
	{ "anonymous-uid", "N", "NFS: the user of those" },
	{ "anonymous-gid", "N", "NFS: the group of those" },
	{ "sec", "FLAVOUR", "NFS: how clients show who they are: sys, krb5, krb5i, krb5p (repeatable)" },
	{ "comment", "TEXT", "shown to clients" },
	{ 0 }
};

static const struct cmd_option user_options[] = {
	{ "uid", "N", "its number" },
	{ "group", "GROUP", "a group it is in (repeatable)" },
	{ "password-stdin", NULL, "the password is the first line of standard input" },
	{ 0 }
};

static const struct cmd_option passwd_options[] = {
	{ "password-stdin", NULL, "the password is the first line of standard input" },
	{ 0 }
};

static const struct cmd_option import_options[] = {
	{ "passwd", "FILE", "the old server's passwd file" },
	{ "shadow", "FILE", "its shadow file" },
	{ "group", "FILE", "its group file" },
	{ "smbpasswd", "FILE", "its SMB accounts, as text" },
	{ "tdbsam", "FILE", "its SMB accounts, passdb.tdb" },
	{ 0 }
};

static const struct cmd_option group_options[] = {
	{ "gid", "N", "its number" },
	{ "member", "USER", "a user in it (repeatable)" },
	{ 0 }
};

static const struct cmd_option directory_set_options[] = {
	{ "type", "passwd|ldap|nis|ad", "where its users come from" },
	{ "uri", "ldap[s]://HOST[:PORT]", "ldap: a server (repeatable)" },
	{ "base", "DN", "ldap: the entry that holds all users and groups" },
	{ "starttls", "yes|no", "ldap: ldap:// with TLS only; default: yes" },
	{ "ca", "FILE", "ldap: certificates that the servers' are judged by" },
	{ "bind-dn", "DN", "ldap: who asks" },
	{ "secret-file", "FILE", "ldap: of root alone, with the password of --bind-dn" },
	{ "samba-accounts", "own|directory", "ldap: where SMB accounts are; default: own" },
	{ "domain", "DOMAIN", "nis: the domain" },
	{ "server", "HOST", "nis: a server (repeatable)" },
	{ "realm", "DOMAIN", "ad: the domain's DNS name" },
	{ "idmap", "autorid|rid", "ad: how users get their numbers; default: autorid" },
	{ "idmap-range", "LOW-HIGH", "ad: the numbers of its users and groups" },
	{ 0 }
};

static const struct cmd_option directory_join_options[] = {
	{ "user", "USER", "who may add a machine to the domain" },
	{ "ou", "PATH", "where its account goes, as Servers/Files; default: Computers" },
	{ "password-stdin", NULL, "the user's password is the first line of standard input" },
	{ 0 }
};

static const struct cmd_option directory_test_options[] = {
	{ "user", "USER", "the user to look up; default: the first one" },
	{ "password-stdin", NULL, "log --user on by SMB, with the first line of standard input" },
	{ 0 }
};

static const struct cmd_option verify_options[] = {
	{ "report", "FILE", "write a signed report" },
	{ "public-key", NULL, "say where the key is by which reports can be checked" },
	{ "check", "FILE", "check a report's signature" },
	{ "key", "PUB", "with the public key in this file" },
	{ "dry-run", NULL, "list the probes, try nothing" },
	{ 0 }
};

static const struct cmd_option template_options[] = {
	{ 0 }
};

const struct cmd cmd_table[] = {
	{ "create", NULL, "NAME [--address ADDR/PREFIX[@INTERFACE]]… [--volume V=SIZE]…", "make a virtual file server",
	  create_options, CMD_NAME | CMD_ANY_NAME | CMD_JSON, 0, 0, cmd_create },
	{ "start", NULL, "NAME… | --all", "start", start_options, CMD_EACH | CMD_AUTO | CMD_JSON, 0, 0, cmd_start },
	{ "stop", NULL, "NAME… | --all", "stop", stop_options, CMD_EACH, 0, 0, cmd_stop },
	{ "restart", NULL, "NAME… | --all", "stop and start", start_options, CMD_EACH, 0, 0, cmd_restart },
	{ "reload", NULL, "NAME… | --all", "bring a running one to its configuration", NULL, CMD_EACH, 0, 0, cmd_reload },
	{ "list", NULL, "", "all of them, a line each", NULL, CMD_JSON, 0, 0, cmd_list },
	{ "status", NULL, "[NAME]", "all that is known of one, or of each", NULL, CMD_JSON, 0, 1, cmd_status },
	{ "show", NULL, "NAME", "its configuration with all defaults", NULL, CMD_NAME | CMD_JSON, 0, 0, cmd_show },
	{ "edit", NULL, "NAME", "its configuration in $EDITOR, checked before it is taken", NULL, CMD_NAME, 0, 0, cmd_edit },
	{ "exec", NULL, "NAME [--] COMMAND…", "run a command inside", exec_options, CMD_NAME | CMD_REST, 1, ~0U, cmd_exec },
	{ "shell", NULL, "NAME", "a shell inside", exec_options, CMD_NAME, 0, 0, cmd_shell },
	{ "logs", NULL, "NAME [-f] [--since TIME]", "what its services wrote", logs_options,
	  CMD_NAME | CMD_JSON, 0, 0, cmd_logs },
	{ "events", NULL, "[NAME…] [-f] [--since TIME]", "what happened to it, and what was refused to it", events_options,
	  CMD_JSON, 0, 4096, cmd_events },
	{ "sessions", NULL, "NAME", "who is connected, by SMB and by NFS, and which files are open", NULL, CMD_NAME | CMD_JSON, 0, 0, cmd_sessions },
	{ "share", "add", "NAME SHARE [--path P]", "share a folder", share_options, CMD_NAME, 1, 1, cmd_share_add },
	{ "share", "set", "NAME SHARE", "change a share", share_options, CMD_NAME, 1, 1, cmd_share_set },
	{ "share", "remove", "NAME SHARE", "end a share; its folder stays", NULL, CMD_NAME, 1, 1, cmd_share_remove },
	{ "share", "list", "NAME [SHARE]", "its shares", NULL, CMD_NAME | CMD_JSON, 0, 1, cmd_share_list },
	{ "user", "add", "NAME USER", "add a user (passwd directory)", user_options, CMD_NAME, 1, 1, cmd_user_add },
	{ "user", "remove", "NAME USER", "remove a user; its files stay", NULL, CMD_NAME, 1, 1, cmd_user_remove },
	{ "user", "list", "NAME [USER]", "its users", NULL, CMD_NAME | CMD_JSON, 0, 1, cmd_user_list },
	{ "user", "import", "NAME --passwd FILE …", "take the users of an old server's files as they are", import_options, CMD_NAME,
	  0, 0, cmd_user_import },
	{ "user", "passwd", "NAME USER", "set a user's password", passwd_options, CMD_NAME, 1, 1, cmd_user_passwd },
	{ "group", "add", "NAME GROUP", "add a group, or members to it", group_options, CMD_NAME, 1, 1, cmd_group_add },
	{ "group", "remove", "NAME GROUP", "remove a group, or members from it", group_options, CMD_NAME, 1, 1,
	  cmd_group_remove },
	{ "group", "list", "NAME [GROUP]", "its groups", NULL, CMD_NAME | CMD_JSON, 0, 1, cmd_group_list },
	{ "directory", "set", "NAME --type T …", "say where its users come from", directory_set_options, CMD_NAME, 0, 0,
	  cmd_directory_set },
	{ "directory", "show", "NAME", "where its users come from", NULL, CMD_NAME | CMD_JSON, 0, 0, cmd_directory_show },
	{ "directory", "test", "NAME [--user USER]", "try it step by step", directory_test_options, CMD_NAME | CMD_JSON, 0, 0,
	  cmd_directory_test },
	{ "directory", "join", "NAME --user USER", "join its Active Directory domain", directory_join_options, CMD_NAME, 0, 0,
	  cmd_directory_join },
	{ "address", "add", "NAME ADDR/PREFIX[@INTERFACE]", "give it one more address", address_options, CMD_NAME, 1, 1,
	  cmd_address_add },
	{ "address", "remove", "NAME ADDR[/PREFIX]", "take an address away", NULL, CMD_NAME, 1, 1, cmd_address_remove },
	{ "address", "list", "NAME", "its addresses", NULL, CMD_NAME | CMD_JSON, 0, 0, cmd_address_list },
	{ "volume", "add", "NAME V --size SIZE | --device PATH | --orphan", "give it one more volume", volume_options, CMD_NAME, 1, 1,
	  cmd_volume_add },
	{ "volume", "remove", "NAME V", "take a volume away", volume_remove_options, CMD_NAME, 1, 1, cmd_volume_remove },
	{ "volume", "grow", "NAME V --size SIZE", "make a volume larger", volume_options, CMD_NAME, 1, 1, cmd_volume_grow },
	{ "volume", "list", "[NAME] [--orphans]", "its volumes", volume_list_options, CMD_JSON, 0, 1, cmd_volume_list },
	{ "adopt", NULL, "DEVICE…", "start a server from its volumes on this machine", adopt_options, CMD_JSON, 1, 64, cmd_adopt },
	{ "repair", NULL, "NAME [--yes]", "check its volumes, repair them, and start it", repair_options, CMD_NAME, 0, 0,
	  cmd_repair },
	{ "destroy", NULL, "NAME [--purge]", "forget it; --purge deletes its data", destroy_options,
	  CMD_NAME | CMD_ANY_NAME, 0, 0, cmd_destroy },
	{ "doctor", NULL, "", "what this machine can enforce, and what it lacks", NULL, CMD_JSON, 0, 0, cmd_doctor },
	{ "verify", NULL, "[NAME…]", "prove that they are separated: try everything from inside", verify_options, CMD_JSON | CMD_USER, 0, ~0U,
	  cmd_verify },
	{ "template", "build", "", "make a template of the packages as they are", template_options, CMD_JSON, 0, 0,
	  cmd_template_build },
	{ "template", "list", "", "the templates", NULL, CMD_JSON, 0, 0, cmd_template_list },
	{ "template", "remove", "TEMPLATE", "remove one that nothing runs", NULL, 0, 1, 1, cmd_template_remove },
	{ "run", NULL, "NAME", "start, and be its supervisor in the foreground", run_options, CMD_NAME, 0, 0, cmd_run },
	{ "recover", NULL, "NAME", "repair after a crash", NULL, CMD_NAME | CMD_ANY_NAME | CMD_INTERNAL, 0, 0, cmd_recover },
	{ "reassert", NULL, "NAME", "put flushed addresses back", NULL, CMD_NAME | CMD_INTERNAL, 0, 0, cmd_reassert },
	{ "announce", NULL, "NAME", "tell the network again where the addresses are", NULL, CMD_NAME | CMD_INTERNAL, 0, 0,
	  cmd_announce },
	{ 0 }
};
