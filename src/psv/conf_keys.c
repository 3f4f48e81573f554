/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The language, as two tables.  The rows of a section stand together; their order is that of the canonical text. */
#include "psv/conf_internal.h"

const struct conf_section_info conf_sections[CONF_SECTIONS] = {
	[CONF_SECTION_SERVER] = { .name = "server", .help = "the server itself: its names and addresses" },
	[CONF_SECTION_LIMITS] = { .name = "limits", .help = "how much of the machine it may use" },
	[CONF_SECTION_VOLUME] = { .name = "volume", .what = "NAME",
				  .help = "a block device with a filesystem; root is its root filesystem" },
	[CONF_SECTION_SMB] = { .name = "smb", .help = "settings of the SMB service" },
	[CONF_SECTION_NFS] = { .name = "nfs", .help = "settings of the NFS service" },
	[CONF_SECTION_DIRECTORY] = { .name = "directory", .help = "where its users come from" },
	[CONF_SECTION_SHARE] = { .name = "share", .what = "NAME", .help = "an exported folder" },
	[CONF_SECTION_SERVICE] = { .name = "service", .what = "NAME", .help = "a program that it runs besides its file services" },
	[CONF_SECTION_POOL] = { .name = "pool", .what = "NAME", .psv = true, .help = "where volumes come from" },
	[CONF_SECTION_EVENTS] = { .name = "events", .psv = true, .help = "what becomes of events" },
};

#define SERVER(k, t, field, ...) \
	{ .section = CONF_SECTION_SERVER, .key = k, .type = &t, .offset = offsetof(struct conf, field), __VA_ARGS__ }
#define SERVER_LIST(k, t, ...) { .section = CONF_SECTION_SERVER, .key = k, .type = &t, .repeat = true, __VA_ARGS__ }
#define LIMIT(k, t, field, ...) \
	{ .section = CONF_SECTION_LIMITS, .key = k, .type = &t, .offset = offsetof(struct conf, limits.field), __VA_ARGS__ }
#define PASSWORDS(k, t, field, ...)                                                                        \
	{ .section = CONF_SECTION_DIRECTORY, .key = k, .type = &t, .offset = offsetof(struct conf, passwords.field), \
	  .fallback = "Samba's", __VA_ARGS__ }
#define VOLUME(k, t, field, ...) \
	{ .section = CONF_SECTION_VOLUME, .key = k, .type = &t, .offset = offsetof(struct conf_volume, field), __VA_ARGS__ }
#define DIRECTORY(k, t, field, ...) \
	{ .section = CONF_SECTION_DIRECTORY, .key = k, .type = &t, .offset = offsetof(struct conf, directory.field), __VA_ARGS__ }
#define NFS(k, t, field, ...) \
	{ .section = CONF_SECTION_NFS, .key = k, .type = &t, .offset = offsetof(struct conf, nfs.field), __VA_ARGS__ }
#define SHARE(k, t, field, ...) \
	{ .section = CONF_SECTION_SHARE, .key = k, .type = &t, .offset = offsetof(struct conf_share, field), __VA_ARGS__ }
#define SERVICE(k, t, field, ...) \
	{ .section = CONF_SECTION_SERVICE, .key = k, .type = &t, .offset = offsetof(struct conf_service, field), __VA_ARGS__ }
#define POOL(k, t, field, ...) \
	{ .section = CONF_SECTION_POOL, .key = k, .type = &t, .offset = offsetof(struct conf_pool, field), __VA_ARGS__ }

const struct conf_key conf_keys[] = {
	SERVER("hostname", conf_type_hostname, hostname,
	       .fallback = "the server's name, with - for _, and vsv- before one of digits",
	       .help = "Its host name."),
	SERVER("workgroup", conf_type_workgroup, workgroup, .fallback = "WORKGROUP",
	       .help = "The workgroup or NetBIOS domain that it shows itself in."),
	SERVER("netbios name", conf_type_netbios, netbios_name,
	       .fallback = "the first 15 characters of hostname up to its first dot, in upper case",
	       .help = "Its name for SMB clients, in upper case; differs from workgroup."),
	SERVER("alias", conf_type_alias, aliases, .repeat = true,
	       .help = "One more name for SMB and NetBIOS clients, in upper case."),
	SERVER("timezone", conf_type_timezone, timezone, .fallback = "Etc/UTC",
	       .help = "Its time zone, a name of tz as Europe/Berlin."),
	SERVER("stack", conf_type_stack, stack, .fallback = "shared",
	       .help = "Whose IP stack it uses: shared is the physical server's, guarded by address; private is its own."),
	SERVER("interface", conf_type_interface, interface,
	       .help = "Of a private stack: the interface of the physical server through which it reaches its network."),
	SERVER("link", conf_type_link, link, .fallback = "veth on a bridge, vlan with vlan, else macvlan",
	       .help = "How it is joined to interface; interface hands that over whole."),
	SERVER("vlan", conf_type_vlan, vlan, .help = "The VLAN of interface that it is in."),
	SERVER("mac", conf_type_mac, mac, .fallback = "one that follows from its root volume's UUID",
	       .help = "The hardware address of its interface."),
	SERVER("mtu", conf_type_mtu, mtu, .fallback = "that of interface", .help = "The largest packet of its interface, in bytes."),
	SERVER_LIST("address", conf_type_address,
		    .help = "An address of its own with its network's prefix; the first of a family is the primary one."),
	SERVER_LIST("gateway", conf_type_gateway,
		    .help = "The router of its own traffic, at most one a family, in one of its own networks."),
	SERVER_LIST("dns", conf_type_dns, .help = "A name server, at most three."),
	SERVER("search", conf_type_domain, search, .repeat = true, .help = "A domain in which short names are looked up."),
	SERVER("peer", conf_type_peer, peers, .repeat = true,
	       .help = "Another virtual file server that it may connect to, or psv for the physical server."),
	SERVER("deny", conf_type_deny, denies, .repeat = true,
	       .help = "A network or address that it may not connect or send to."),
	SERVER("discovery", conf_type_discovery, discovery, .fallback = "no",
	       .help = "How clients on its networks find it: by NetBIOS, WS-Discovery (Windows) or mDNS; yes: by all."),
	SERVER("autostart", conf_type_bool, autostart, .fallback = "yes",
	       .help = "Whether it starts with the machine and with start --all."),
	SERVER("template", conf_type_template, template_name, .fallback = "the newest",
	       .help = "The template whose /usr it runs."),

	LIMIT("memory", conf_type_memory, memory_bytes, .fallback = "a safe share of the machine's memory",
	      .help = "Memory of all its processes together, page cache included."),
	LIMIT("tasks", conf_type_tasks, tasks, .fallback = "a safe share of the machine's processes",
	      .help = "Processes and threads."),
	LIMIT("files", conf_type_files, files, .fallback = "a number that suffices for the file services",
	      .help = "Open files of one process."),
	LIMIT("log", conf_type_log, log_bytes, .fallback = "64M",
	      .help = "What its services wrote, as the physical server keeps it."),
	LIMIT("memory reserve", conf_type_memory, reserve_bytes, .fallback = "none",
	      .help = "Memory that is not taken from it while others have some to give."),
	LIMIT("cpu weight", conf_type_cpu_weight, cpu_weight, .fallback = "100",
	      .help = "Its share of the processors against its neighbours'; idle: what they leave."),
	LIMIT("cpu", conf_type_cpu, cpu_percent, .fallback = "all of the machine's",
	      .help = "Processors that it may use at most, in parts of one or as a percentage of one."),
	LIMIT("cpus", conf_type_cpus, cpus, .fallback = "all of the machine's",
	      .help = "The processors that it runs on, as 0-3,8."),
	LIMIT("disk weight", conf_type_weight, disk_weight, .fallback = "100",
	      .help = "Its share of a busy disk against its neighbours'."),
	LIMIT("disk read", conf_type_rate, disk_read_bytes, .fallback = "no bound",
	      .help = "Bytes that it may read a second, from each of its volumes."),
	LIMIT("disk write", conf_type_rate, disk_write_bytes, .fallback = "no bound",
	      .help = "Bytes that it may write a second, to each of its volumes."),
	LIMIT("disk read iops", conf_type_iops, disk_read_iops, .fallback = "no bound",
	      .help = "Read operations a second, of each of its volumes."),
	LIMIT("disk write iops", conf_type_iops, disk_write_iops, .fallback = "no bound",
	      .help = "Write operations a second, of each of its volumes."),

	VOLUME("size", conf_type_size, size_bytes, .fallback = "4G for root",
	       .help = "Its size; needed unless it is a device."),
	VOLUME("pool", conf_type_pool, pool, .fallback = "default", .help = "The pool that it is taken from."),
	VOLUME("device", conf_type_device, device, .help = "A block device of the physical server, used as it is."),
	VOLUME("fs", conf_type_fs, fs, .fallback = "ext4", .help = "Its filesystem."),
	VOLUME("mount", conf_type_mount, mount, .fallback = "/srv/NAME",
	       .help = "Where it stands in the server; not for root."),
	VOLUME("uuid", conf_type_uuid, uuid, .help = "The UUID of its filesystem, written by vnas; another one is refused."),

	{ .section = CONF_SECTION_SMB, .key = "enabled", .type = &conf_type_bool,
	  .offset = offsetof(struct conf, smb_enabled), .fallback = "yes", .help = "Whether SMB is served at all." },
	{ .section = CONF_SECTION_SMB, .key = "*", .type = &conf_type_param_server,
	  .help = "Any key of smb.conf(5)'s [global] section, except those that vnas sets itself." },

	NFS("versions", conf_type_nfs_versions, versions, .fallback = "3 4.0 4.1 4.2",
	    .help = "The versions that are served; without 3 nothing of its helpers runs."),
	NFS("lease", conf_type_lease, lease_s, .fallback = "30",
	    .help = "Seconds after which a client that is not heard of loses its locks."),
	NFS("grace", conf_type_grace, grace_s, .fallback = "30",
	    .help = "Seconds at most in which clients take their locks again after a start."),
	NFS("domain", conf_type_nfs_domain, domain,
	    .fallback = "the realm of ad, else the domain of hostname, else the first of search, else localdomain",
	    .help = "The domain of owner names, the same as on the clients."),
	NFS("manage gids", conf_type_bool, manage_gids, .fallback = "no",
	    .help = "Whether the groups of a user are looked up here, and not taken from the client."),
	NFS("numeric owners", conf_type_bool, numeric_owners, .fallback = "no",
	    .help = "Whether owners are told to clients of NFS 4 as numbers instead of names."),
	NFS("mountd port", conf_type_port, mountd_port, .fallback = "20048", .help = "NFS 3: the port of mountd."),
	NFS("lockd port", conf_type_port, lockd_port, .fallback = "32803", .help = "NFS 3: the port of the lock manager."),
	NFS("statd port", conf_type_port, statd_port, .fallback = "662", .help = "NFS 3: the port of statd."),

	DIRECTORY("type", conf_type_directory, type, .fallback = "passwd",
		  .help = "The kind of directory: passwd is files of its own, ldap and nis are servers, ad is a domain that it joins."),
	DIRECTORY("uri", conf_type_ldap_uri, uris, .repeat = true, .help = "ldap: a server, in the order of asking."),
	DIRECTORY("base", conf_type_dn, base, .help = "ldap: the entry that holds all users and groups."),
	DIRECTORY("starttls", conf_type_bool, starttls, .fallback = "yes", .help = "ldap: whether ldap:// is used with TLS only."),
	DIRECTORY("ca", conf_type_psv_file, ca,
		  .help = "ldap: a file of the physical server with the certificates that the servers' are judged by."),
	DIRECTORY("bind dn", conf_type_dn, bind_dn, .help = "ldap: who asks; without it nobody in particular."),
	DIRECTORY("secret file", conf_type_psv_file, secret_file,
		  .help = "ldap: a file of the physical server, of root alone, with the password of bind dn."),
	DIRECTORY("samba accounts", conf_type_samba_accounts, samba_accounts, .fallback = "own",
		  .help = "ldap: whether SMB accounts are the server's own, or those of the directory."),
	DIRECTORY("domain", conf_type_nis_domain, domain, .help = "nis: the NIS domain."),
	DIRECTORY("server", conf_type_nis_server, servers, .repeat = true, .help = "nis: a server, by address or name."),
	DIRECTORY("realm", conf_type_realm, realm, .help = "ad: the domain's DNS name."),
	DIRECTORY("idmap", conf_type_idmap, idmap_rid, .fallback = "autorid",
		  .help = "ad: how its users get their numbers: rid for one domain alone, autorid for trusted ones too."),
	DIRECTORY("idmap range", conf_type_idmap_range, idmap, .fallback = "100000-199999999",
		  .help = "ad: the numbers of its users and groups."),
	PASSWORDS("password length", conf_type_length, length, .help = "The least characters of a password."),
	PASSWORDS("password age", conf_type_days, age_days, .help = "Days after which a password must be changed."),
	PASSWORDS("password history", conf_type_history, history,
		  .help = "How many of their last passwords users cannot take again."),
	PASSWORDS("lockout attempts", conf_type_attempts, lockout_attempts,
		  .help = "Wrong passwords in a row after which an account is locked."),
	PASSWORDS("lockout minutes", conf_type_minutes, lockout_minutes,
		  .help = "Minutes after which it is open again."),

	SHARE("path", conf_type_path, path, .help = "The folder, below a volume's place or the root volume's /srv."),
	{ .section = CONF_SECTION_SHARE, .key = "protocols", .type = &conf_type_protocols, .fallback = "smb",
	  .help = "By what it is served; NFS shares lie on data volumes." },
	SHARE("read only", conf_type_bool, read_only, .fallback = "no", .help = "Whether nobody may write."),
	SHARE("guest", conf_type_bool, guest, .fallback = "no", .help = "Whether SMB clients without an account may come in."),
	SHARE("audit", conf_type_bool, audit, .fallback = "no",
	      .help = "Whether it is logged who opens, renames and deletes what and changes which rights."),
	SHARE("recycle", conf_type_bool, recycle, .fallback = "no",
	      .help = "Whether what SMB clients delete goes to the folder .recycle of the share."),
	SHARE("comment", conf_type_comment, comment, .help = "What clients show beside its name."),
	SHARE("client", conf_type_client, clients, .repeat = true, .fallback = "all",
	      .help = "A network or address that may use it."),
	SHARE("read", conf_type_user, read, .repeat = true, .help = "A user, or a group as @NAME, who may read."),
	SHARE("write", conf_type_user, write, .repeat = true,
	      .help = "A user, or a group as @NAME, who may read and write; without read and write, every user may."),
	SHARE("squash", conf_type_squash, squash, .fallback = "root",
	      .help = "nfs: whose users of a client are nobody in particular: root, all or none."),
	SHARE("anonymous uid", conf_type_id, anonymous_uid, .fallback = "65534", .help = "nfs: the user of those."),
	SHARE("anonymous gid", conf_type_id, anonymous_gid, .fallback = "65534", .help = "nfs: the group of those."),
	SHARE("sec", conf_type_sec, sec, .fallback = "sys", .help = "nfs: how clients show who they are."),
	SHARE("export id", conf_type_export_id, export_id, .fallback = "a number made of its name",
	      .help = "nfs: the number in its file handles, written by vnas; a change makes them stale."),
	{ .section = CONF_SECTION_SHARE, .key = "smb.*", .type = &conf_type_param_share,
	  .help = "Any key of smb.conf(5) for a share, except those that vnas sets itself." },

	SERVICE("command", conf_type_command, command, .help = "The program and its arguments, as they are inside."),
	SERVICE("prepare", conf_type_prepare, prepare, .repeat = true,
		.help = "A command that is run before it starts, as root."),
	SERVICE("ready", conf_type_ready, ready_port, .fallback = "it is ready when it runs",
		.help = "When it is ready: somebody takes connections at that port."),
	SERVICE("user", conf_type_run_as, user, .fallback = "root", .help = "The user of the server that it runs as."),
	SERVICE("capabilities", conf_type_capabilities, capabilities, .fallback = "none",
		.help = "The rights that it has besides its user's."),
	SERVICE("package", conf_type_package, packages, .repeat = true,
		.help = "A Debian package that it needs, out of those installed on the physical server."),
	SERVICE("stop signal", conf_type_signal, stop_signal, .fallback = "TERM", .help = "The signal that tells it to end."),

	POOL("type", conf_type_pool_type, type, .fallback = "file",
	     .help = "file: images in a folder; device: disks, partitions and LUNs as they are."),
	POOL("path", conf_type_pool_path, path, .fallback = "/var/lib/vnas/volumes for the pool default",
	     .help = "The folder of the images."),
	POOL("thin", conf_type_bool, thin, .fallback = "no",
	     .help = "Whether images take room only as they fill, so that a full pool fails all of them."),

	{ .section = CONF_SECTION_EVENTS, .key = "syslog", .type = &conf_type_syslog, .fallback = "daemon",
	  .offset = offsetof(struct conf_psv, syslog),
	  .help = "The facility under which the physical server's syslog or journal hears of events, or no." },
};
const size_t conf_n_keys = sizeof(conf_keys) / sizeof(*conf_keys);

const char *conf_key_expected(const struct conf_key *k)
{
	return k->type->expected;
}
