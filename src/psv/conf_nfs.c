/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NFS: the values of its keys, and what they must be together. */
#include "psv/conf_internal.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "service/ganesha.h"

enum { EXPORT_ID_MAX = 65535, NFS_PORT = 2049, RPCBIND_PORT = 111 };

/* Words that are bits of a number. */
struct word {
	const char *text;
	unsigned bits;
};

static int parse_words(const struct conf_value *v, const struct word *words, unsigned *ret)
{
	_cleanup_strlist_ struct strlist given = { 0 };
	unsigned bits = 0;

	strlist_split(&given, v->text, " \t");
	for (size_t i = 0; i < given.n; i++) {
		const struct word *w = words;

		while (w->text && strcmp(w->text, given.v[i]) != 0)
			w++;
		if (!w->text || (bits & w->bits))
			return -EINVAL;
		bits |= w->bits;
	}
	if (!bits)
		return -EINVAL;
	*ret = bits;
	return 0;
}

static void print_words(struct strbuf *out, const char *key, const struct word *words, unsigned bits)
{
	const char *space = "";

	strbuf_addf(out, "%s = ", key);
	for (const struct word *w = words; w->text; w++) {
		if (!(bits & w->bits))
			continue;
		strbuf_addf(out, "%s%s", space, w->text);
		space = " ";
		bits &= ~w->bits;
	}
	strbuf_addstr(out, "\n");
}

static const struct word versions[] = {
	{ "3", CONF_NFS_3 },     { "4.0", CONF_NFS_4_0 },    { "4.1", CONF_NFS_4_1 },
	{ "4.2", CONF_NFS_4_2 }, { "4", CONF_NFS_4_ANY }, { NULL, 0 },
};
static const struct word flavours[] = {
	{ "sys", CONF_SEC_SYS },     { "krb5", CONF_SEC_KRB5 }, { "krb5i", CONF_SEC_KRB5I },
	{ "krb5p", CONF_SEC_KRB5P }, { NULL, 0 },
};

static int parse_versions(struct conf_value *v, void *target)
{
	return parse_words(v, versions, target);
}

static void print_versions(struct strbuf *out, const char *key, const void *target)
{
	print_words(out, key, versions, *(const unsigned *)target);
}

const struct conf_type conf_type_nfs_versions = {
	.what = "list of versions", .expected = "some of 3, 4.0, 4.1 and 4.2, where 4 stands for the last three",
	.parse = parse_versions, .print = print_versions,
};

static int parse_sec(struct conf_value *v, void *target)
{
	return parse_words(v, flavours, target);
}

static void print_sec(struct strbuf *out, const char *key, const void *target)
{
	print_words(out, key, flavours, *(const unsigned *)target);
}

const struct conf_type conf_type_sec = {
	.what = "list of security flavours", .expected = "some of sys, krb5, krb5i and krb5p", .parse = parse_sec,
	.print = print_sec,
};

static const char *const squash_names[] = {
	[CONF_SQUASH_ROOT] = "root", [CONF_SQUASH_ALL] = "all", [CONF_SQUASH_NONE] = "none",
};

static int parse_squash(struct conf_value *v, void *target)
{
	for (size_t i = 0; i < sizeof(squash_names) / sizeof(*squash_names); i++) {
		if (strcmp(v->text, squash_names[i]) != 0)
			continue;
		*(enum conf_squash *)target = (enum conf_squash)i;
		return 0;
	}
	return -EINVAL;
}

static void print_squash(struct strbuf *out, const char *key, const void *target)
{
	strbuf_addf(out, "%s = %s\n", key, squash_names[*(const enum conf_squash *)target]);
}

const struct conf_type conf_type_squash = {
	.what = "way of squashing", .expected = "root, all or none", .parse = parse_squash, .print = print_squash,
};

static int parse_number(struct conf_value *v, void *target, uint32_t least, uint32_t most)
{
	uint32_t n;

	if (parse_u32(v->text, most, &n) < 0 || n < least)
		return -EINVAL;
	*(uint32_t *)target = n;
	return 0;
}

static void print_number(struct strbuf *out, const char *key, const void *target)
{
	strbuf_addf(out, "%s = %" PRIu32 "\n", key, *(const uint32_t *)target);
}

/* What is not set is not shown: another name would make another number. */
static void print_set_number(struct strbuf *out, const char *key, const void *target)
{
	if (*(const uint32_t *)target)
		print_number(out, key, target);
}

#define NUMBER(name, least, most, words, range, printer)                                    \
	static int parse_##name(struct conf_value *v, void *target)                         \
	{                                                                                   \
		return parse_number(v, target, least, most);                                \
	}                                                                                   \
	const struct conf_type conf_type_##name = {                                         \
		.what = words, .expected = range, .parse = parse_##name, .print = printer,  \
	}

/* Ganesha's own bounds; below 5 s a client that is merely busy would lose its locks. */
NUMBER(lease, 5, 120, "number of seconds", "5 to 120", print_number);
NUMBER(grace, 5, 180, "number of seconds", "5 to 180", print_number);
NUMBER(id, 1, 4294967294, "number of a user or group", "1 to 4294967294", print_number);
NUMBER(export_id, 1, EXPORT_ID_MAX, "number of an export", "1 to 65535", print_set_number);
NUMBER(port, 1, 65535, "port", "1 to 65535", print_number);

static int parse_nfs_domain(struct conf_value *v, void *target)
{
	if (!conf_domain_ok(v->text, 253))
		return -EINVAL;
	return conf_set_string(target, v->text);
}

const struct conf_type conf_type_nfs_domain = {
	.what = "domain", .expected = "a domain of the DNS", .parse = parse_nfs_domain, .print = conf_print_string,
};

const char *conf_squash_name(enum conf_squash s)
{
	return squash_names[s];
}

const char *conf_sec_name(unsigned bit)
{
	const struct word *w = flavours;

	while (w->text && w->bits != bit)
		w++;
	return w->text;
}

void conf_nfs_version_names(unsigned bits, struct strlist *ret)
{
	for (const struct word *w = versions; w->text; w++)
		if ((bits & w->bits) == w->bits && w->bits != CONF_NFS_4_ANY)
			strlist_add(ret, w->text);
}

/* What follows from them. */

bool conf_share_takes(const struct conf_share *s, const char *key)
{
	static const char *const keys[] = { "squash", "anonymous uid", "anonymous gid", "sec", "export id" };

	for (size_t i = 0; !s->nfs && i < sizeof(keys) / sizeof(*keys); i++)
		if (strcmp(keys[i], key) == 0)
			return false;
	return true;
}

bool conf_serves_nfs(const struct conf *c)
{
	for (size_t i = 0; i < c->n_shares; i++)
		if (c->shares[i].nfs)
			return true;
	return false;
}

/* export_id_of: FNV-1a, so that a share has the same number wherever and however often it is made. */
static uint32_t export_id_of(const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name; name++)
		h = (h ^ (unsigned char)tolower((unsigned char)*name)) * 16777619u;
	return 1 + (h ^ h >> 16) % EXPORT_ID_MAX;
}

uint32_t conf_export_id(const struct conf_share *s)
{
	return s->export_id ? s->export_id : export_id_of(s->name);
}

static const struct conf_share *export_find(const struct conf *c, uint32_t id)
{
	for (size_t i = 0; i < c->n_shares; i++)
		if (c->shares[i].nfs && conf_export_id(&c->shares[i]) == id)
			return &c->shares[i];
	return NULL;
}

uint32_t conf_export_id_free(const struct conf *c, const char *name)
{
	uint32_t id = export_id_of(name);

	/* Far fewer shares than numbers. */
	while (export_find(c, id))
		id = id % EXPORT_ID_MAX + 1;
	return id;
}

const char *conf_nfs_domain(const struct conf *c)
{
	const char *dot = strchr(c->hostname, '.');

	if (c->nfs.domain)
		return c->nfs.domain;
	if (c->directory.type == CONF_DIRECTORY_AD && c->directory.realm)
		return c->directory.realm;
	if (dot)
		return dot + 1;
	return c->search.n ? c->search.v[0] : "localdomain";
}

const struct conf_volume *conf_share_volume(const struct conf *c, const struct conf_share *s)
{
	const struct conf_volume *on = NULL;

	for (size_t i = 1; i < c->n_volumes; i++)
		if (conf_path_below(s->path, c->volumes[i].mount))
			on = &c->volumes[i];
	return on;
}

/* NFS 3 and its helpers listen on ports of their own. */
static int check_ports(const struct conf_parser *p)
{
	const struct conf_nfs *n = &p->conf->nfs;
	const struct {
		const char *key;
		uint32_t port;
	} ports[] = {
		{ "mountd port", n->mountd_port }, { "lockd port", n->lockd_port }, { "statd port", n->statd_port },
	};

	for (size_t i = 0; i < sizeof(ports) / sizeof(*ports); i++) {
		unsigned line = conf_line_of(p, CONF_SECTION_NFS, 0, ports[i].key);

		if (ports[i].port == NFS_PORT || ports[i].port == RPCBIND_PORT || ports[i].port == 445 || ports[i].port == 139)
			return conf_bad(p, line, "key '%s': '%u' is the port of another file service", ports[i].key, ports[i].port);
		for (size_t j = 0; j < i; j++)
			if (ports[i].port == ports[j].port)
				return conf_bad(p, line, "key '%s': '%u' is doubled: '%s' has it already", ports[i].key,
						ports[i].port, ports[j].key);
	}
	return 0;
}

static int check_export(const struct conf_parser *p, size_t i)
{
	const struct conf_share *s = &p->conf->shares[i];
	unsigned line = conf_line_of(p, CONF_SECTION_SHARE, i, conf_has(p, CONF_SECTION_SHARE, i, "export id") ? "export id"
													       : "protocols");

	struct err why = { 0 };

	if (ganesha_share_name_check(s->name, &why) < 0)
		return conf_bad(p, s->line, "%s", why.text);
	for (size_t j = 0; j < i; j++) {
		const struct conf_share *o = &p->conf->shares[j];

		if (o->nfs && conf_export_id(o) == conf_export_id(s))
			return conf_bad(p, line, "key 'export id': [share %s] and [share %s] both have %u: expected another number in one "
					"of the two", s->name, o->name, conf_export_id(s));
	}
	return 0;
}

int conf_check_nfs(const struct conf_parser *p)
{
	const struct conf *c = p->conf;
	int r = check_ports(p);

	if (r < 0)
		return r;
	if (c->nfs.grace_s < c->nfs.lease_s)
		return conf_bad(p, conf_line_of(p, CONF_SECTION_NFS, 0, conf_has(p, CONF_SECTION_NFS, 0, "grace") ? "grace" : "lease"),
				"key 'grace': '%u' is less than the lease of %u seconds: a client that comes back would come too late",
				c->nfs.grace_s, c->nfs.lease_s);
	for (size_t i = 0; r == 0 && i < c->n_shares; i++)
		if (c->shares[i].nfs)
			r = check_export(p, i);
	return r;
}
