/* SPDX-License-Identifier: GPL-2.0-or-later */
/* smb.conf, made from the configuration.  What the administrator hands through stands before what vnas owns: in smb.conf
 * the later line wins, so a key that slipped past samba_keys.c still changes nothing that isolation stands on. */
#include "service/samba.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "directory/directory.h"
#include "lib/addr.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "psv/conf.h"

#define VFS_ACL "acl_xattr"

/* Defaults that [smb] may replace. */
static const char *const defaults[][2] = {
	{ "server min protocol", "SMB2_02" },
	{ "ntlm auth", "ntlmv2-only" },
	{ "log level", "1" },
	{ "dns proxy", "no" },
	{ "local master", "no" },
};

/* A user who changes the password from a client changes that of the unix account too. */
static const char *const in_step[][2] = {
	{ "unix password sync", "yes" },
	{ "pam password change", "yes" },
};

/* What vnas owns and does not depend on the server. */
static const char *const owned[][2] = {
	/* `interfaces` is what smbd tells its clients.  It listens on the wildcard address, which the gate makes the server's own
	 * addresses and no other: so one that is added to a running server is served at once, which smbd would not notice. */
	{ "bind interfaces only", "no" },
	{ "multicast dns register", "no" },
	{ "registry shares", "no" },
	{ "usershare max shares", "0" },
	{ "load printers", "no" },
	{ "printing", "bsd" },
	{ "printcap name", "/dev/null" },
	{ "disable spoolss", "yes" },
	{ "private dir", "/var/lib/samba/private" },
	{ "state directory", "/var/lib/samba" },
	{ "cache directory", "/var/cache/samba" },
	{ "lock directory", "/run/samba" },
	{ "pid directory", "/run/samba" },
	{ "ncalrpc dir", "/run/samba/ncalrpc" },
	{ "logging", "file" }, /* and --debug-stdout: to PID 1 */
	{ "max log size", "0" },
	{ VFS_ACL ":security_acl_name", "user.NTACL" },
};

/* What `audit` and `recycle` of a share mean; smb.KEY may say it otherwise. */
static const char *const audit[][2] = {
	/* who, from where; then come what, with which result, and on which file */
	{ "full_audit:prefix", "%u|%I|%S" },
	{ "full_audit:success", "create_file mkdirat renameat unlinkat fset_nt_acl sys_acl_set_fd" },
	{ "full_audit:failure", "create_file mkdirat renameat unlinkat fset_nt_acl sys_acl_set_fd" },
	{ "full_audit:facility", "local5" },
	{ "full_audit:priority", "notice" },
	{ "full_audit:syslog", "yes" },
};
static const char *const recycle[][2] = {
	/* Everybody makes a folder in the first, which is nobody else's business. */
	{ "recycle:repository", SAMBA_BIN "/%U" },
	{ "recycle:directory_mode", "1777" },
	{ "recycle:subdir_mode", "0700" },
	{ "recycle:keeptree", "yes" },
	{ "recycle:versions", "yes" },
	{ "recycle:touch", "yes" },
};

/* A share that NFS serves too.  What one side locks and opens the other must see, and all that both know is the kernel:
 * byte ranges go there, and an oplock is a lease of the kernel's, which an open by NFS breaks.  SMB2's own leases know
 * nothing of that, and end with this.  smb.KEY may say it otherwise. */
static const char *const with_nfs[][2] = {
	{ "locking", "yes" },
	{ "posix locking", "yes" },
	{ "strict locking", "yes" },
	{ "kernel oplocks", "yes" },
	{ "level2 oplocks", "no" },
};

static bool is_vfs_objects(const char *key)
{
	char squeezed[16];
	size_t n = 0;

	for (; *key; key++) {
		if (isspace((unsigned char)*key))
			continue;
		if (n + 1 >= sizeof(squeezed))
			return false;
		squeezed[n++] = (char)tolower((unsigned char)*key);
	}
	squeezed[n] = '\0';
	return strcmp(squeezed, "vfsobjects") == 0 || strcmp(squeezed, "vfsobject") == 0;
}

static int add(struct strbuf *sb, const char *key, const char *value, struct err *err)
{
	int r = samba_key_check(key, err);

	if (r == 0)
		r = samba_value_check(value, err);
	if (r < 0)
		return err_wrap(err, r, "smb.conf: %s", key);
	strbuf_addf(sb, "\t%s = %s\n", key, value);
	return 0;
}

/* add_plain: a value in which Samba would otherwise replace %u, %$(…) and the like. */
static int add_plain(struct strbuf *sb, const char *key, const char *value, struct err *err)
{
	if (strchr(value, '%'))
		return err_set(err, -EINVAL, "smb.conf: %s: '%s' holds a '%%', which Samba would replace", key, value);
	return add(sb, key, value, err);
}

static int add_rows(struct strbuf *sb, const char *const (*rows)[2], size_t n, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = add(sb, rows[i][0], rows[i][1], err);
	return r;
}
#define ADD_ROWS(sb, rows, err) add_rows(sb, rows, sizeof(rows) / sizeof(*(rows)), err)

static void add_module(struct strbuf *all, const struct strlist *given, const char *module)
{
	if (!strlist_has(given, module))
		strbuf_addf(all, "%s%s", all->len ? " " : "", module);
}

/* add_vfs: the list of modules that was given, between ours: the one that audits first, so that it sees what the client
 * asked for; the one that keeps the NT ACLs always; the bin last, nearest to the files.  share NULL: of all shares. */
static int add_vfs(struct strbuf *sb, const char *list, const struct conf_share *share, struct err *err)
{
	_cleanup_strlist_ struct strlist words = { 0 };
	_cleanup_strbuf_ struct strbuf all = { 0 };

	strlist_split(&words, list ? list : "", " \t,;");
	if (share && share->audit)
		add_module(&all, &words, "full_audit");
	add_module(&all, &words, VFS_ACL);
	for (size_t i = 0; i < words.n; i++)
		strbuf_addf(&all, "%s%s", all.len ? " " : "", words.v[i]);
	if (share && share->recycle)
		add_module(&all, &words, "recycle");
	return add(sb, "vfs objects", strbuf_str(&all), err);
}

/* add_names: users, and groups as @NAME, each in quotes since a name may hold a space. */
static int add_names(struct strbuf *sb, const char *key, const struct strlist *a, const struct strlist *b, struct err *err)
{
	const struct strlist *lists[] = { a, b };
	_cleanup_strbuf_ struct strbuf all = { 0 };

	for (size_t l = 0; l < 2; l++) {
		for (size_t i = 0; lists[l] && i < lists[l]->n; i++) {
			const char *name = lists[l]->v[i];

			if (l == 1 && strlist_has(a, name))
				continue;
			if (*name == '\0' || strpbrk(name, "\",;"))
				return err_set(err, -EINVAL, "smb.conf: %s: '%s' is no name of a user or @group", key, name);
			strbuf_addf(&all, "%s\"%s\"", all.len ? ", " : "", name);
		}
	}
	return add_plain(sb, key, strbuf_str(&all), err);
}

static int add_words(struct strbuf *sb, const char *key, const struct strlist *words, struct err *err)
{
	_cleanup_strbuf_ struct strbuf all = { 0 };

	for (size_t i = 0; i < words->n; i++)
		strbuf_addf(&all, "%s%s", i ? " " : "", words->v[i]);
	return add_plain(sb, key, strbuf_str(&all), err);
}

/* add_params: all but the list of modules, which find_vfs() finds. */
static int add_params(struct strbuf *sb, const struct conf_param *p, size_t n, const char *(*owned_why)(const char *),
		      struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		const char *why = owned_why(p[i].key);

		if (why)
			return err_set(err, -EINVAL, "smb.conf: '%s' cannot be set: %s", p[i].key, why);
		if (!is_vfs_objects(p[i].key))
			r = add(sb, p[i].key, p[i].value, err);
	}
	return r;
}

static const char *find_vfs(const struct conf_param *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_vfs_objects(p[i].key))
			return p[i].value;
	return NULL;
}

static bool has_guest(const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_shares; i++)
		if (conf->shares[i].smb && conf->shares[i].guest)
			return true;
	return false;
}

/* add_interfaces: an address stands on the interface without its network.  smbd, which tells its clients of interfaces, must
 * find it as it stands there; nmbd must know the broadcast address of its network, and is told that. */
static int add_interfaces(struct strbuf *sb, const struct conf *conf, bool nmbd, struct err *err)
{
	_cleanup_strlist_ struct strlist list = { 0 };
	char buf[IPADDR_STR_MAX];

	for (size_t i = 0; i < conf->n_addresses; i++) {
		const struct conf_address *a = &conf->addresses[i];

		if (!nmbd)
			strlist_add(&list, ipaddr_str(&a->addr, buf));
		else if (a->addr.family == AF_INET)
			strlist_addf(&list, "%s/%u", ipaddr_str(&a->addr, buf), a->prefix);
	}
	/* An empty list would mean all interfaces. */
	if (list.n == 0)
		strlist_add(&list, "127.0.0.1");
	return add_words(sb, "interfaces", &list, err);
}

static int add_global(struct strbuf *sb, const struct conf *conf, bool nmbd, struct err *err)
{
	int r;

	strbuf_addstr(sb, "[global]\n");
	r = add_plain(sb, "server string", conf->hostname, err);
	if (r == 0)
		r = ADD_ROWS(sb, defaults, err);
	/* The passwords of a directory are changed there. */
	if (r == 0 && conf->directory.type == CONF_DIRECTORY_PASSWD)
		r = ADD_ROWS(sb, in_step, err);
	if (r == 0)
		r = add(sb, "map to guest", has_guest(conf) ? "Bad User" : "Never", err);
	if (r == 0)
		r = add_params(sb, conf->smb, conf->n_smb, samba_owned_why, err);
	if (r == 0)
		r = add_vfs(sb, find_vfs(conf->smb, conf->n_smb), NULL, err);
	if (r == 0)
		r = add_plain(sb, "netbios name", conf->netbios_name, err);
	if (r == 0)
		r = add_words(sb, "netbios aliases", &conf->aliases, err);
	if (r == 0)
		r = add_plain(sb, "workgroup", conf->workgroup, err);
	if (r == 0)
		r = add_interfaces(sb, conf, nmbd, err);
	/* Old clients come by port 139, where a server is called by its NetBIOS name. */
	if (r == 0)
		r = add(sb, "smb ports", samba_netbios_wanted(conf) ? "445 139" : "445", err);
	if (r == 0)
		r = add(sb, "disable netbios", samba_netbios_wanted(conf) ? "no" : "yes", err);
	if (r == 0)
		r = ADD_ROWS(sb, owned, err);
	if (r == 0)
		directory_smb(conf, sb);
	return r;
}

/* add_access: who may read and who may write.
 *   no list:         every user may write, or read if the share is read-only
 *   guest:           everybody may read; with lists only those of `write` may write
 *   else:            those of both lists may read, those of `write` may write */
static int add_access(struct strbuf *sb, const struct conf_share *s, struct err *err)
{
	bool lists = s->read.n > 0 || s->write.n > 0;
	int r = add(sb, "read only", s->read_only || lists ? "yes" : "no", err);

	if (r == 0)
		r = add(sb, "guest ok", s->guest ? "yes" : "no", err);
	if (r == 0 && lists && !s->guest)
		r = add_names(sb, "valid users", &s->write, &s->read, err);
	if (r == 0 && s->write.n > 0 && !s->read_only)
		r = add_names(sb, "write list", &s->write, NULL, err);
	if (r == 0 && s->clients.n > 0)
		r = add_words(sb, "hosts allow", &s->clients, err);
	return r;
}

/* add_modules: a list of its own replaces that of all shares. */
static int add_modules(struct strbuf *sb, const struct conf *conf, const struct conf_share *s, struct err *err)
{
	const char *own = find_vfs(s->params, s->n_params);

	if (!own && !s->audit && !s->recycle)
		return 0;
	return add_vfs(sb, own ? own : find_vfs(conf->smb, conf->n_smb), s, err);
}

/* add_homes: whoever connects finds a share of the own name, with the folder of that name. */
static int add_homes(struct strbuf *sb, const struct conf_share *s, struct err *err)
{
	_cleanup_free_ char *path = xasprintf("%s/%%S", s->path);
	int r = add(sb, "path", path, err);

	if (r == 0)
		r = add(sb, "valid users", "%S", err);
	return r < 0 ? r : add(sb, "browseable", "no", err);
}

static int add_share(struct strbuf *sb, const struct conf *conf, const struct conf_share *s, struct err *err)
{
	_cleanup_free_ char *name = NULL;
	int r = samba_charset_convert(conf, s->name, &name, err);

	/* The name and the comment go to clients; a path is what lies on the disk. */
	if (r == 0)
		r = samba_share_name_check(name, err);
	if (r < 0)
		return r;
	strbuf_addf(sb, "\n[%s]\n", name);
	if (s->audit)
		r = ADD_ROWS(sb, audit, err);
	if (r == 0 && s->recycle)
		r = ADD_ROWS(sb, recycle, err);
	if (r == 0 && s->nfs)
		r = ADD_ROWS(sb, with_nfs, err);
	if (r == 0)
		r = add_params(sb, s->params, s->n_params, samba_share_owned_why, err);
	if (r == 0)
		r = add_modules(sb, conf, s, err);
	if (r == 0 && s->comment) {
		_cleanup_free_ char *comment = NULL;

		r = samba_charset_convert(conf, s->comment, &comment, err);
		if (r == 0)
			r = add(sb, "comment", comment, err);
	}
	if (r == 0)
		r = samba_share_is_homes(s->name) ? 0 : add_plain(sb, "path", s->path, err);
	if (r == 0)
		r = add_access(sb, s, err);
	if (r == 0 && samba_share_is_homes(s->name))
		r = add_homes(sb, s, err);
	return r < 0 ? err_wrap(err, r, "share %s", s->name) : 0;
}

/* Not by `include`: nmbd came to take the included `interfaces` when it read its configuration again. */
int samba_nmbd_conf_text(const struct conf *conf, struct strbuf *ret, struct err *err)
{
	return add_global(ret, conf, true, err);
}

int samba_conf_text(const struct conf *conf, struct strbuf *ret, struct err *err)
{
	_cleanup_strbuf_ struct strbuf sb = { 0 };
	int r;

	strbuf_addf(&sb, "# Made by vnas from the configuration of %s: changes belong there (vnas edit %s).\n", conf->name,
		    conf->name);
	r = add_global(&sb, conf, false, err);
	for (size_t i = 0; r == 0 && i < conf->n_shares; i++)
		if (conf->shares[i].smb)
			r = add_share(&sb, conf, &conf->shares[i], err);
	if (r < 0)
		return r;
	strbuf_add(ret, sb.buf, sb.len);
	return 0;
}
