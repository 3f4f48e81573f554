/* SPDX-License-Identifier: GPL-2.0-or-later */
/* smb.conf, made from the configuration.  What the administrator hands through stands before what vnas owns: in smb.conf
 * the later line wins, so a key that slipped past samba_keys.c still changes nothing that isolation stands on. */
#include "service/samba.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "directory/directory.h"
#include "lib/addr.h"
#include "lib/err.h"
#include "psv/conf.h"

#define VFS_ACL "acl_xattr"

/* Defaults that [smb] may replace. */
static const char *const defaults[][2] = {
	{ "server min protocol", "SMB2_02" },
	{ "log level", "1" },
	{ "dns proxy", "no" },
	{ "local master", "no" },
};

/* What vnas owns and does not depend on the server. */
static const char *const owned[][2] = {
	/* `interfaces` is what smbd tells its clients.  It listens on the wildcard address, which the gate makes the server's own
	 * addresses and no other: so one that is added to a running server is served at once, which smbd would not notice. */
	{ "bind interfaces only", "no" },
	{ "smb ports", "445" },
	{ "disable netbios", "yes" },
	{ "multicast dns register", "no" },
	{ "server role", "standalone server" },
	{ "security", "user" },
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

/* add_vfs: a list of modules always begins with the one that keeps the NT ACLs, unless it stands in it already. */
static int add_vfs(struct strbuf *sb, const char *list, struct err *err)
{
	_cleanup_strlist_ struct strlist words = { 0 };
	_cleanup_strbuf_ struct strbuf all = { 0 };

	strlist_split(&words, list, " \t,;");
	if (!strlist_has(&words, VFS_ACL))
		strbuf_addstr(&all, VFS_ACL);
	for (size_t i = 0; i < words.n; i++)
		strbuf_addf(&all, "%s%s", all.len ? " " : "", words.v[i]);
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

static int add_params(struct strbuf *sb, const struct conf_param *p, size_t n, const char *(*owned_why)(const char *),
		      bool *ret_vfs, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		const char *why = owned_why(p[i].key);
		int r;

		if (why)
			return err_set(err, -EINVAL, "smb.conf: '%s' cannot be set: %s", p[i].key, why);
		if (is_vfs_objects(p[i].key)) {
			*ret_vfs = true;
			r = add_vfs(sb, p[i].value, err);
		} else {
			r = add(sb, p[i].key, p[i].value, err);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static bool has_guest(const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_shares; i++)
		if (conf->shares[i].smb && conf->shares[i].guest)
			return true;
	return false;
}

static int add_interfaces(struct strbuf *sb, const struct conf *conf, struct err *err)
{
	_cleanup_strlist_ struct strlist list = { 0 };
	char buf[IPADDR_STR_MAX];

	for (size_t i = 0; i < conf->n_addresses; i++)
		strlist_add(&list, ipaddr_str(&conf->addresses[i].addr, buf));
	/* An empty list would mean all interfaces. */
	if (list.n == 0)
		strlist_add(&list, "127.0.0.1");
	return add_words(sb, "interfaces", &list, err);
}

static int add_global(struct strbuf *sb, const struct conf *conf, struct err *err)
{
	bool vfs = false;
	int r;

	strbuf_addstr(sb, "[global]\n");
	r = add_plain(sb, "server string", conf->hostname, err);
	for (size_t i = 0; r == 0 && i < sizeof(defaults) / sizeof(*defaults); i++)
		r = add(sb, defaults[i][0], defaults[i][1], err);
	if (r == 0)
		r = add(sb, "map to guest", has_guest(conf) ? "Bad User" : "Never", err);
	if (r == 0)
		r = add_params(sb, conf->smb, conf->n_smb, samba_owned_why, &vfs, err);
	if (r == 0 && !vfs)
		r = add_vfs(sb, "", err);
	if (r == 0)
		r = add_plain(sb, "netbios name", conf->netbios_name, err);
	if (r == 0)
		r = add_plain(sb, "workgroup", conf->workgroup, err);
	if (r == 0)
		r = add_interfaces(sb, conf, err);
	for (size_t i = 0; r == 0 && i < sizeof(owned) / sizeof(*owned); i++)
		r = add(sb, owned[i][0], owned[i][1], err);
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

static int add_share(struct strbuf *sb, const struct conf_share *s, struct err *err)
{
	bool vfs = false;
	int r = samba_share_name_check(s->name, err);

	if (r < 0)
		return r;
	strbuf_addf(sb, "\n[%s]\n", s->name);
	r = add_params(sb, s->params, s->n_params, samba_share_owned_why, &vfs, err);
	if (r == 0 && s->comment)
		r = add(sb, "comment", s->comment, err);
	if (r == 0)
		r = add_plain(sb, "path", s->path, err);
	if (r == 0)
		r = add_access(sb, s, err);
	return r < 0 ? err_wrap(err, r, "share %s", s->name) : 0;
}

int samba_conf_text(const struct conf *conf, struct strbuf *ret, struct err *err)
{
	_cleanup_strbuf_ struct strbuf sb = { 0 };
	int r;

	strbuf_addf(&sb, "# Made by vnas from the configuration of %s: changes belong there (vnas edit %s).\n", conf->name,
		    conf->name);
	r = add_global(&sb, conf, err);
	for (size_t i = 0; r == 0 && i < conf->n_shares; i++)
		if (conf->shares[i].smb)
			r = add_share(&sb, &conf->shares[i], err);
	if (r < 0)
		return r;
	strbuf_add(ret, sb.buf, sb.len);
	return 0;
}
