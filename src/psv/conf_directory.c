/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [directory]: the kinds of its values, and which keys belong together.  What is accepted here goes on into sssd.conf,
 * ldap.conf, yp.conf and smb.conf, so nothing in a value may end a word or a line of those. */
#include "psv/conf_internal.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

enum {
	SERVERS_MAX = 8,
	DN_MAX_BYTES = 512,
	FILE_MAX_BYTES = 1024,
	DOMAIN_MAX_BYTES = 64, /* what setdomainname(2) takes */
	HOST_MAX_BYTES = 253,
	IDMAP_LOW_MIN = 100000,
	IDMAP_DOMAIN = 100000, /* idmap_autorid(8): rangesize */
};

static int why(struct conf_value *v, const char *text)
{
	(void)str_copy(v->why, sizeof(v->why), text);
	return -EINVAL;
}

static int add_server(struct conf_value *v, struct strlist *l)
{
	if (strlist_has(l, v->text))
		return why(v, "stands there already");
	if (l->n == SERVERS_MAX)
		return why(v, "is one server too many: expected at most 8");
	strlist_add(l, v->text);
	return 0;
}

/* ---- Kinds ---- */

static const char *const types[] = {
	[CONF_DIRECTORY_PASSWD] = "passwd", [CONF_DIRECTORY_LDAP] = "ldap", [CONF_DIRECTORY_NIS] = "nis",
	[CONF_DIRECTORY_AD] = "ad",
};

const char *conf_directory_name(enum conf_directory_type type)
{
	return types[type];
}

static int parse_type(struct conf_value *v, void *target)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		if (strcmp(v->text, types[i]) != 0)
			continue;
		*(enum conf_directory_type *)target = (enum conf_directory_type)i;
		return 0;
	}
	return -EINVAL;
}

static void print_type(struct strbuf *out, const char *key, const void *target)
{
	strbuf_addf(out, "%s = %s\n", key, types[*(const enum conf_directory_type *)target]);
}

const struct conf_type conf_type_directory = {
	.what = "directory", .expected = "passwd, ldap, nis or ad", .parse = parse_type, .print = print_type,
};

static bool host_ok(const char *s)
{
	struct ipaddr addr;

	return ipaddr_parse(s, &addr) == 0 || conf_domain_ok(s, HOST_MAX_BYTES);
}

static bool port_ok(const char *s)
{
	uint32_t port;

	return parse_u32(s, 65535, &port) == 0 && port > 0;
}

/* HOST, [IPv6] or either with :PORT. */
static bool host_port_ok(const char *s)
{
	char host[HOST_MAX_BYTES + 1];
	bool literal = *s == '[';
	size_t n = literal ? strcspn(++s, "]") : strcspn(s, ":");
	struct ipaddr addr;

	if (n >= sizeof(host))
		return false;
	memcpy(host, s, n);
	host[n] = '\0';
	s += n;
	if (literal && (*s++ != ']' || ipaddr_parse(host, &addr) < 0 || addr.family != AF_INET6))
		return false;
	if (!literal && !host_ok(host))
		return false;
	return *s == '\0' || (*s == ':' && port_ok(s + 1));
}

static int parse_uri(struct conf_value *v, void *target)
{
	const char *rest = strstr(v->text, "://");

	if (!rest || (!str_starts(v->text, "ldap://") && !str_starts(v->text, "ldaps://")) || !host_port_ok(rest + 3))
		return -EINVAL;
	return add_server(v, target);
}

const struct conf_type conf_type_ldap_uri = {
	.what = "address of an LDAP server", .expected = "ldap://HOST or ldaps://HOST, with :PORT if it is another one",
	.parse = parse_uri, .print = conf_print_list,
};

static int parse_dn(struct conf_value *v, void *target)
{
	size_t n = strlen(v->text);

	if (n > DN_MAX_BYTES)
		return why(v, "is too long: expected at most 512 bytes");
	/* What a search base of sssd, a list of smb.conf and a substitution of Samba are made of. */
	if (n && (strpbrk(v->text, "?%\"") || v->text[n - 1] == '\\'))
		return why(v, "has a '?', '%', quotation mark or last '\\', which the programs that read it cannot take");
	if (n < 3 || !strchr(v->text, '=') || *v->text == '=')
		return -EINVAL;
	return conf_set_string(target, v->text);
}

const struct conf_type conf_type_dn = {
	.what = "distinguished name", .expected = "the name of an entry, as in dc=sales,dc=example", .parse = parse_dn,
	.print = conf_print_string,
};

static int parse_file(struct conf_value *v, void *target)
{
	const char *s = v->text;

	if (*s != '/' || strlen(s) > FILE_MAX_BYTES || s[strlen(s) - 1] == '/' || strstr(s, "//"))
		return -EINVAL;
	return conf_set_string(target, s);
}

const struct conf_type conf_type_psv_file = {
	.what = "file", .expected = "the absolute path of a file of the physical server", .parse = parse_file,
	.print = conf_print_string,
};

static int parse_accounts(struct conf_value *v, void *target)
{
	bool directory = strcmp(v->text, "directory") == 0;

	if (!directory && strcmp(v->text, "own") != 0)
		return -EINVAL;
	*(bool *)target = directory;
	return 0;
}

static void print_accounts(struct strbuf *out, const char *key, const void *target)
{
	strbuf_addf(out, "%s = %s\n", key, *(const bool *)target ? "directory" : "own");
}

const struct conf_type conf_type_samba_accounts = {
	.what = "place of SMB accounts", .expected = "own or directory", .parse = parse_accounts, .print = print_accounts,
};

/* A NIS domain is a folder's name on its servers, and part of one here. */
static int parse_domain(struct conf_value *v, void *target)
{
	if (!conf_word_ok(v->text, DOMAIN_MAX_BYTES, "._-"))
		return -EINVAL;
	return conf_set_string(target, v->text);
}

const struct conf_type conf_type_nis_domain = {
	.what = "NIS domain", .expected = "at most 64 letters, digits, '.', '_' and '-'", .parse = parse_domain,
	.print = conf_print_string,
};

static int parse_server(struct conf_value *v, void *target)
{
	if (!host_ok(v->text))
		return -EINVAL;
	return add_server(v, target);
}

const struct conf_type conf_type_nis_server = {
	.what = "NIS server", .expected = "an address or a host name", .parse = parse_server, .print = conf_print_list,
};

/* A realm goes into smb.conf and krb5.conf as it is, and in lower case it is the domain's DNS name. */
static int parse_realm(struct conf_value *v, void *target)
{
	char realm[HOST_MAX_BYTES + 1];
	size_t n = strlen(v->text);

	if (!conf_domain_ok(v->text, HOST_MAX_BYTES) || !strchr(v->text, '.'))
		return -EINVAL;
	for (size_t i = 0; i <= n; i++)
		realm[i] = (char)toupper((unsigned char)v->text[i]);
	return conf_set_string(target, realm);
}

const struct conf_type conf_type_realm = {
	.what = "Active Directory domain", .expected = "its DNS name, as in SALES.EXAMPLE", .parse = parse_realm,
	.print = conf_print_string,
};

static int parse_idmap(struct conf_value *v, void *target)
{
	bool rid = strcmp(v->text, "rid") == 0;

	if (!rid && strcmp(v->text, "autorid") != 0)
		return -EINVAL;
	*(bool *)target = rid;
	return 0;
}

static void print_idmap(struct strbuf *out, const char *key, const void *target)
{
	strbuf_addf(out, "%s = %s\n", key, *(const bool *)target ? "rid" : "autorid");
}

const struct conf_type conf_type_idmap = {
	.what = "way of numbering", .expected = "autorid or rid", .parse = parse_idmap, .print = print_idmap,
};

static int parse_idmap_range(struct conf_value *v, void *target)
{
	struct conf_range range;
	char low[16];
	size_t n = strcspn(v->text, "-");

	if (v->text[n] != '-' || n >= sizeof(low))
		return -EINVAL;
	memcpy(low, v->text, n);
	low[n] = '\0';
	if (parse_u32(low, INT32_MAX, &range.low) < 0 || parse_u32(v->text + n + 1, INT32_MAX, &range.high) < 0)
		return -EINVAL;
	if (range.low < IDMAP_LOW_MIN)
		return why(v, "begins among the numbers that are kept for its own users: expected 100000 or more");
	/* What autorid gives to one domain, and at least two of them: the second is for the machine's own groups. */
	if (range.high < range.low || range.high - range.low + 1 < 2 * IDMAP_DOMAIN)
		return why(v, "is too small: expected 200000 numbers or more");
	*(struct conf_range *)target = range;
	return 0;
}

static void print_idmap_range(struct strbuf *out, const char *key, const void *target)
{
	const struct conf_range *range = target;

	strbuf_addf(out, "%s = %u-%u\n", key, range->low, range->high);
}

const struct conf_type conf_type_idmap_range = {
	.what = "range of numbers", .expected = "LOW-HIGH, as in 100000-199999999", .parse = parse_idmap_range,
	.print = print_idmap_range,
};

/* ---- What belongs together ---- */

static const struct {
	const char *key;
	enum conf_directory_type type;
	bool needed;
} belongs[] = {
	{ "uri", CONF_DIRECTORY_LDAP, true },          { "base", CONF_DIRECTORY_LDAP, true },
	{ "starttls", CONF_DIRECTORY_LDAP, false },    { "ca", CONF_DIRECTORY_LDAP, false },
	{ "bind dn", CONF_DIRECTORY_LDAP, false },     { "secret file", CONF_DIRECTORY_LDAP, false },
	{ "samba accounts", CONF_DIRECTORY_LDAP, false },
	{ "domain", CONF_DIRECTORY_NIS, true },        { "server", CONF_DIRECTORY_NIS, true },
	{ "realm", CONF_DIRECTORY_AD, true },          { "idmap", CONF_DIRECTORY_AD, false },
	{ "idmap range", CONF_DIRECTORY_AD, false },
};

bool conf_directory_takes(enum conf_directory_type type, const char *key)
{
	for (size_t i = 0; i < sizeof(belongs) / sizeof(*belongs); i++)
		if (strcmp(belongs[i].key, key) == 0)
			return belongs[i].type == type;
	return true;
}

static int check_keys(const struct conf_parser *p)
{
	enum conf_directory_type type = p->conf->directory.type;

	for (size_t i = 0; i < sizeof(belongs) / sizeof(*belongs); i++) {
		bool there = conf_has(p, CONF_SECTION_DIRECTORY, 0, belongs[i].key);

		if (there && belongs[i].type != type)
			return conf_bad(p, conf_line_of(p, CONF_SECTION_DIRECTORY, 0, belongs[i].key),
					"key '%s': belongs to 'type = %s', and the type is %s", belongs[i].key,
					types[belongs[i].type], types[type]);
		if (!there && belongs[i].needed && belongs[i].type == type)
			return conf_bad(p, conf_line_of(p, CONF_SECTION_DIRECTORY, 0, "type"),
					"[directory] of type %s has no '%s'", types[type], belongs[i].key);
	}
	return 0;
}

static bool uses_tls(const struct conf_directory *d)
{
	for (size_t i = 0; i < d->uris.n; i++)
		if (d->starttls || str_starts(d->uris.v[i], "ldaps:"))
			return true;
	return false;
}

/* both_ways: servers of which some are asked by ldaps:// and others by ldap://. */
static bool both_ways(const struct conf_directory *d)
{
	for (size_t i = 1; i < d->uris.n; i++)
		if (str_starts(d->uris.v[i], "ldaps:") != str_starts(d->uris.v[0], "ldaps:"))
			return true;
	return false;
}

int conf_check_directory(const struct conf_parser *p)
{
	const struct conf_directory *d = &p->conf->directory;
	int r = check_keys(p);

	if (r == 0 && d->type == CONF_DIRECTORY_AD && p->conf->n_dns == 0)
		return conf_bad(p, conf_line_of(p, CONF_SECTION_DIRECTORY, 0, "type"),
				"[directory] of type ad needs 'dns' in [server]: the domain's controllers are found by its name servers");
	if (r < 0 || d->type != CONF_DIRECTORY_LDAP)
		return r;
	if (uses_tls(d) && !d->ca)
		return conf_bad(p, conf_line_of(p, CONF_SECTION_DIRECTORY, 0, "uri"),
				"[directory] uses TLS and has no 'ca': expected the file of the certificates that the servers' "
				"are judged by, or 'starttls = no', which sends everything in the clear");
	if (!d->bind_dn != !d->secret_file)
		return conf_bad(p, conf_line_of(p, CONF_SECTION_DIRECTORY, 0, d->bind_dn ? "bind dn" : "secret file"),
				"[directory] has only one of 'bind dn' and 'secret file': expected both or neither");
	if (d->samba_accounts && !d->bind_dn)
		return conf_bad(p, conf_line_of(p, CONF_SECTION_DIRECTORY, 0, "samba accounts"),
				"key 'samba accounts': the directory shows them to nobody in particular: expected 'bind dn' too");
	/* Samba has one word for all servers: on ldap:// it would send the password in the clear, or start TLS in ldaps://. */
	if (d->samba_accounts && d->starttls && both_ways(d))
		return conf_bad(p, conf_line_of(p, CONF_SECTION_DIRECTORY, 0, "samba accounts"),
				"key 'samba accounts': Samba uses TLS in one way for all servers: expected every 'uri' to begin with "
				"ldap://, or every one with ldaps://");
	return 0;
}
