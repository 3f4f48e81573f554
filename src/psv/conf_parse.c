/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text to a plain struct: each line is cut, found in the table, read by its row's type.  The first thing that is
 * wrong ends it, so a file of garbage gives one error.  What several lines say together is compared afterwards
 * (conf_check.c). */
#include "psv/conf_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "service/samba.h"
#include "service/service.h"
#include "vsv/proto.h"

enum { KEY_MAX_BYTES = 160, SHARE_NAME_MAX_BYTES = 80 };

int conf_bad(const struct conf_parser *p, unsigned line, const char *fmt, ...)
{
	size_t n = p->path ? strlen(p->path) : 0;
	char text[768], at[16] = "";
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!p->path)
		return err_exit(p->err, VNAS_EXIT_USAGE, -EINVAL, "%s", text);
	if (line)
		(void)str_format(at, sizeof(at), ":%u", line);
	/* The end of a very long path says more than its beginning, and the reason more than either. */
	return err_set(p->err, -EINVAL, "%s%s%s: %s", n > 200 ? "..." : "", n > 200 ? p->path + n - 200 : p->path, at,
		       text);
}

int conf_doubled(const struct conf_parser *p, unsigned before, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!p->path)
		return conf_bad(p, 0, "%s is doubled", text);
	return conf_bad(p, p->line, "%s is doubled: line %u has it already", text, before);
}

static size_t first_row(enum conf_section section)
{
	size_t i = 0;

	while (i < conf_n_keys && conf_keys[i].section != section)
		i++;
	return i;
}

static const struct conf_place *find_place(const struct conf_parser *p, enum conf_section section, size_t index)
{
	for (size_t i = 0; i < p->n_places; i++)
		if (p->places[i].section == section && p->places[i].index == index)
			return &p->places[i];
	return NULL;
}

static unsigned key_line(const struct conf_place *place, enum conf_section section, const char *key)
{
	size_t first = first_row(section);

	for (size_t i = first; place && i < conf_n_keys && conf_keys[i].section == section; i++)
		if (strcmp(conf_keys[i].key, key) == 0)
			return place->key_line[i - first];
	return 0;
}

unsigned conf_line_of(const struct conf_parser *p, enum conf_section section, size_t index, const char *key)
{
	const struct conf_place *place = find_place(p, section, index);
	unsigned line = key_line(place, section, key);

	if (line)
		return line;
	return place ? place->line : 0;
}

bool conf_has(const struct conf_parser *p, enum conf_section section, size_t index, const char *key)
{
	return key_line(find_place(p, section, index), section, key) != 0;
}

/* Lists of a thousand servers are read in one go: no formatting where copying does. */
static char *slice_dup(struct conf_slice slice)
{
	char *s = xmalloc(slice.len + 1);

	memcpy(s, slice.s, slice.len);
	s[slice.len] = '\0';
	return s;
}

/* Sections. */

static int add_volume(struct conf_parser *p, const char *name, size_t *ret_index)
{
	struct conf *c = p->conf;

	if (strcmp(name, "root") == 0) {
		if (c->volumes[0].line)
			return conf_doubled(p, c->volumes[0].line, "section [volume root]");
		c->volumes[0].line = p->line;
		*ret_index = 0;
		return 0;
	}
	for (size_t i = 1; i < c->n_volumes; i++)
		if (strcmp(c->volumes[i].name, name) == 0)
			return conf_doubled(p, c->volumes[i].line, "section [volume %s]", name);
	if (c->n_volumes == CONF_MAX_VOLUMES)
		return conf_bad(p, p->line, "section [volume %s] is one too many: expected at most %d volumes", name,
				CONF_MAX_VOLUMES);
	c->volumes = xrealloc(c->volumes, c->n_volumes + 1, sizeof(*c->volumes));
	c->volumes[c->n_volumes] = (struct conf_volume){ .line = p->line };
	(void)str_copy(c->volumes[c->n_volumes].name, sizeof(c->volumes->name), name);
	*ret_index = c->n_volumes++;
	return 0;
}

static int add_share(struct conf_parser *p, const char *name, size_t *ret_index)
{
	const struct conf_share *other;
	struct conf *c = p->conf;
	struct err err = { 0 };
	char quoted[72];

	(void)conf_quote(name, quoted, sizeof(quoted));
	if (strlen(name) > SHARE_NAME_MAX_BYTES)
		return conf_bad(p, p->line, "share '%s': expected a name of at most %d bytes", quoted, SHARE_NAME_MAX_BYTES);
	if (samba_share_name_check(name, &err) < 0)
		return conf_bad(p, p->line, "%s", err.text);
	/* NFS serves a share as a folder of its name. */
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return conf_bad(p, p->line, "share '%s': expected a name that a folder can have", name);
	other = conf_share_find(c, name);
	if (other)
		return conf_doubled(p, other->line, "section [share %s]", quoted);
	if (c->n_shares == CONF_MAX_LIST)
		return conf_bad(p, p->line, "section [share %s] is one too many: expected at most %d shares", quoted,
				CONF_MAX_LIST);
	c->shares = xrealloc(c->shares, c->n_shares + 1, sizeof(*c->shares));
	c->shares[c->n_shares] = (struct conf_share){ .name = xstrdup(name), .smb = true, .sec = CONF_SEC_SYS, .anonymous_uid = CONF_NOBODY,
							 .anonymous_gid = CONF_NOBODY, .line = p->line };
	*ret_index = c->n_shares++;
	return 0;
}

static int add_service(struct conf_parser *p, const char *name, size_t *ret_index)
{
	/* What vnas runs itself, now or later, and who else speaks in the log. */
	static const char *const reserved[] = {
		"all", "ganesha", "init", "nfsd", "nmbd", "rpcbind", "smbd", "sssd", "statd", "supervisor", "unknown", "vnas", "winbindd",
		"wsdd", "ypbind",
	};
	struct conf *c = p->conf;
	char quoted[72];

	(void)conf_quote(name, quoted, sizeof(quoted));
	if (!proto_name_ok(name))
		return conf_bad(p, p->line, "'%s' is no name of a service: expected at most %d letters, digits, '_', '-' and '.'",
				quoted, PROTO_NAME_MAX - 1);
	for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++)
		if (strcmp(name, reserved[i]) == 0 || service_find(name))
			return conf_bad(p, p->line, "'%s' is a name of vnas's own: expected another name of a service", quoted);
	for (size_t i = 0; i < c->n_services; i++)
		if (strcmp(c->services[i].name, name) == 0)
			return conf_doubled(p, c->services[i].line, "section [service %s]", quoted);
	if (c->n_services == CONF_MAX_SERVICES)
		return conf_bad(p, p->line, "section [service %s] is one too many: expected at most %d services", quoted,
				CONF_MAX_SERVICES);
	c->services = xrealloc(c->services, c->n_services + 1, sizeof(*c->services));
	c->services[c->n_services] = (struct conf_service){ .name = xstrdup(name), .stop_signal = SIGTERM, .line = p->line };
	*ret_index = c->n_services++;
	return 0;
}

static int add_pool(struct conf_parser *p, const char *name, size_t *ret_index)
{
	struct conf_psv *c = p->psv;
	size_t i = strcmp(name, "default") == 0 ? 0 : 1;

	while (i < c->n_pools && strcmp(c->pools[i].name, name) != 0)
		i++;
	if (i < c->n_pools && c->pools[i].line)
		return conf_doubled(p, c->pools[i].line, "section [pool %s]", name);
	if (c->n_pools == CONF_MAX_LIST)
		return conf_bad(p, p->line, "section [pool %s] is one too many: expected at most %d pools", name,
				CONF_MAX_LIST);
	if (i == c->n_pools) {
		c->pools = xrealloc(c->pools, c->n_pools + 1, sizeof(*c->pools));
		c->pools[c->n_pools++] = (struct conf_pool){ 0 };
		(void)str_copy(c->pools[i].name, sizeof(c->pools[i].name), name);
	}
	c->pools[i].line = p->line;
	*ret_index = i;
	return 0;
}

static int check_unique_section(struct conf_parser *p, enum conf_section section)
{
	const struct conf_place *before = find_place(p, section, 0);

	if (!before)
		return 0;
	return conf_doubled(p, before->line, "section [%s]", conf_sections[section].name);
}

static int unknown_section(struct conf_parser *p, const char *kind)
{
	_cleanup_strbuf_ struct strbuf known = { 0 };
	char quoted[72];

	for (size_t i = 0; i < CONF_SECTIONS; i++) {
		const struct conf_section_info *s = &conf_sections[i];

		if (s->psv == (p->psv != NULL))
			strbuf_addf(&known, "%s[%s%s%s]", known.len ? ", " : "", s->name, s->what ? " " : "",
				    s->what ? s->what : "");
	}
	return conf_bad(p, p->line, "section [%s] is unknown: expected %s", conf_quote(kind, quoted, sizeof(quoted)),
			strbuf_str(&known));
}

static int begin_section(struct conf_parser *p, const struct conf_line *l)
{
	enum conf_section section = conf_section_find(l->name);
	const struct conf_section_info *info;
	_cleanup_free_ char *name = NULL;
	size_t index = 0;
	int r;

	name = slice_dup(l->name);
	if (section == CONF_SECTIONS || conf_sections[section].psv != (p->psv != NULL))
		return unknown_section(p, name);
	info = &conf_sections[section];
	if (!info->what && l->value.len)
		return conf_bad(p, p->line, "section [%s] has no name: expected [%s]", info->name, info->name);
	if (info->what && !l->value.len)
		return conf_bad(p, p->line, "section [%s] needs a name: expected [%s %s]", info->name, info->name,
				info->what);
	free(name);
	name = slice_dup(l->value);
	if ((section == CONF_SECTION_VOLUME || section == CONF_SECTION_POOL) &&
	    !conf_word_ok(name, VOLUME_NAME_MAX, "_-")) {
		char quoted[72];

		return conf_bad(p, p->line, "'%s' is no name of a %s: expected at most %d letters, digits, '_' and '-'",
				conf_quote(name, quoted, sizeof(quoted)), info->name, VOLUME_NAME_MAX);
	}
	if (section == CONF_SECTION_VOLUME)
		r = add_volume(p, name, &index);
	else if (section == CONF_SECTION_SHARE)
		r = add_share(p, name, &index);
	else if (section == CONF_SECTION_SERVICE)
		r = add_service(p, name, &index);
	else if (section == CONF_SECTION_POOL)
		r = add_pool(p, name, &index);
	else
		r = check_unique_section(p, section);
	if (r < 0)
		return r;
	p->places = xrealloc(p->places, p->n_places + 1, sizeof(*p->places));
	p->places[p->n_places++] = (struct conf_place){ .section = section, .index = index, .line = p->line };
	return 0;
}

/* Keys. */

static void *section_target(const struct conf_parser *p, const struct conf_place *place)
{
	if (place->section == CONF_SECTION_VOLUME)
		return &p->conf->volumes[place->index];
	if (place->section == CONF_SECTION_SHARE)
		return &p->conf->shares[place->index];
	if (place->section == CONF_SECTION_SERVICE)
		return &p->conf->services[place->index];
	if (place->section == CONF_SECTION_POOL)
		return &p->psv->pools[place->index];
	if (place->section == CONF_SECTION_EVENTS)
		return p->psv;
	return p->conf;
}

static bool row_matches(const struct conf_key *k, const char *folded)
{
	size_t n = strlen(k->key);

	if (k->key[n - 1] == '*')
		return strncmp(folded, k->key, n - 1) == 0 && folded[n - 1];
	return strcmp(folded, k->key) == 0;
}

static int unknown_key(struct conf_parser *p, const struct conf_place *place, const char *key)
{
	const char *section = conf_sections[place->section].name, *nearest = NULL;
	char quoted[72], lower[72];
	unsigned best = 3;

	(void)conf_quote(key, quoted, sizeof(quoted));
	memcpy(lower, quoted, sizeof(lower));
	for (char *c = lower; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	for (size_t i = first_row(place->section); i < conf_n_keys && conf_keys[i].section == place->section; i++) {
		unsigned d = str_distance(lower, conf_keys[i].key);

		if (d < best && !strchr(conf_keys[i].key, '*')) {
			best = d;
			nearest = conf_keys[i].key;
		}
	}
	if (nearest)
		return conf_bad(p, p->line, "key '%s' is unknown in [%s]: expected '%s'?", quoted, section, nearest);
	return conf_bad(p, p->line, "key '%s' is unknown in [%s]", quoted, section);
}

static int read_value(struct conf_parser *p, struct conf_place *place, const struct conf_key *k, const char *key,
		      const char *value)
{
	bool any = strchr(k->key, '*') != NULL;
	struct conf_value v;
	unsigned *line = &place->key_line[k - &conf_keys[first_row(place->section)]];

	v.text = value;
	v.key = any ? key + strlen(k->key) - 1 : k->key;
	v.name = p->conf ? p->conf->name : "";
	v.line = p->line;
	v.before = 0;
	v.about_key = false;
	v.why[0] = '\0';
	if (*line && !k->repeat && !any)
		return conf_doubled(p, *line, "key '%s'", k->key);
	if (k->type->parse(&v, (char *)section_target(p, place) + k->offset) < 0) {
		char quoted[72], quoted_key[72];

		(void)conf_quote(key, quoted_key, sizeof(quoted_key));
		(void)conf_quote(value, quoted, sizeof(quoted));
		if (v.before && v.about_key)
			return conf_doubled(p, v.before, "key '%s'", quoted_key);
		if (v.before)
			return conf_doubled(p, v.before, "key '%s': '%s'", quoted_key, quoted);
		if (v.about_key)
			return conf_bad(p, p->line, "key '%s' %s", quoted_key, v.why);
		if (*v.why)
			return conf_bad(p, p->line, "key '%s': '%s' %s", quoted_key, quoted, v.why);
		return conf_bad(p, p->line, "key '%s': '%s' is no %s: expected %s%s", quoted_key, quoted, k->type->what,
				k->type->expected, strchr(value, '#') ? "; comments stand on lines of their own" : "");
	}
	if (!*line)
		*line = p->line;
	return 0;
}

static int parse_key(struct conf_parser *p, const struct conf_line *l)
{
	struct conf_place *place = p->n_places ? &p->places[p->n_places - 1] : NULL;
	_cleanup_free_ char *key = NULL, *value = NULL;
	char folded[KEY_MAX_BYTES];

	key = slice_dup(l->name);
	if (!place)
		return conf_bad(p, p->line, "a key stands before the first section: expected %s",
				p->psv ? "[pool NAME]" : "[server]");
	if (!conf_key_fold(place->section, l->name, folded, sizeof(folded)))
		return conf_bad(p, p->line, "a key is longer than %d bytes", KEY_MAX_BYTES - 1);
	value = slice_dup(l->value);
	for (size_t i = first_row(place->section); i < conf_n_keys && conf_keys[i].section == place->section; i++)
		if (row_matches(&conf_keys[i], folded))
			return read_value(p, place, &conf_keys[i], key, value);
	return unknown_key(p, place, key);
}

static int parse_line(struct conf_parser *p, const struct conf_line *l)
{
	const char *wrong = conf_text_check(l->whole.s, l->whole.len);

	if (wrong)
		return conf_bad(p, p->line, "the line has %s in it", wrong);
	if (l->kind == CONF_LINE_BAD)
		return conf_bad(p, p->line, "%s", l->why);
	if (l->kind == CONF_LINE_SECTION)
		return begin_section(p, l);
	if (l->kind == CONF_LINE_KEY)
		return parse_key(p, l);
	return 0;
}

static int parse_text(struct conf_parser *p, const char *text, size_t len)
{
	const char *at = text, *end = text + len;

	if (len > CONF_MAX_BYTES)
		return conf_bad(p, 1, "the file is too large: expected at most %d bytes", CONF_MAX_BYTES);
	while (at < end) {
		struct conf_line l;
		int r;

		conf_line_scan(at, end, &l);
		p->line++;
		r = parse_line(p, &l);
		if (r < 0)
			return r;
		at = l.next;
	}
	return 0;
}

/* What is not said. */

static char *default_hostname(const char *name)
{
	/* Digits alone would be taken for an address. */
	char *s = xasprintf("%s%s", name[strspn(name, "0123456789_-")] ? "" : "vsv-", name);

	for (char *c = s; *c; c++)
		if (*c == '_')
			*c = '-';
	for (size_t n = strlen(s); n > 1 && s[n - 1] == '-'; n--)
		s[n - 1] = '\0';
	return s;
}

static char *default_netbios_name(const char *hostname)
{
	char *s = xstrdup(hostname);

	s[strcspn(s, ".")] = '\0';
	if (strlen(s) > CONF_NETBIOS_MAX_BYTES)
		s[CONF_NETBIOS_MAX_BYTES] = '\0';
	conf_upper(s);
	return s;
}

static void fill_defaults(struct conf *c)
{
	if (!c->hostname)
		c->hostname = default_hostname(c->name);
	if (!c->workgroup)
		c->workgroup = xstrdup("WORKGROUP");
	if (!c->netbios_name)
		c->netbios_name = default_netbios_name(c->hostname);
	if (!c->timezone)
		c->timezone = xstrdup("Etc/UTC");
	for (size_t i = 0; i < c->n_volumes; i++) {
		struct conf_volume *v = &c->volumes[i];

		if (i == 0 && v->size_bytes == 0 && !v->device)
			v->size_bytes = UINT64_C(4) << 30;
		if (!*v->pool && !v->device)
			(void)str_copy(v->pool, sizeof(v->pool), "default");
		if (i > 0 && !v->mount)
			v->mount = xasprintf("/srv/%s", v->name);
	}
}

int conf_parse(const char *text, size_t len, const char *path, const char *name, struct conf *ret, struct err *err)
{
	struct conf c = { .autostart = true, .smb_enabled = true, .directory.starttls = true,
			  .directory.idmap = { 100000, 199999999 }, .nfs = CONF_NFS_DEFAULTS };
	struct conf_parser p = { .path = path, .err = err, .conf = &c };
	int r = conf_name_check(name, err);

	if (r < 0)
		goto out;
	(void)str_copy(c.name, sizeof(c.name), name);
	c.volumes = xcalloc(1, sizeof(*c.volumes));
	c.n_volumes = 1;
	(void)str_copy(c.volumes[0].name, sizeof(c.volumes[0].name), "root");
	r = parse_text(&p, text, len);
	if (r < 0)
		goto out;
	fill_defaults(&c);
	r = conf_check(&p);
out:
	free(p.places);
	if (r < 0) {
		conf_free(&c);
		*ret = (struct conf){ 0 };
		return r;
	}
	*ret = c;
	return 0;
}

int conf_psv_parse(const char *text, size_t len, const char *path, const char *lib_dir, struct conf_psv *ret,
		   struct err *err)
{
	struct conf_psv c = { 0 };
	struct conf_parser p = { .path = path, .err = err, .psv = &c };
	int r;

	c.pools = xcalloc(1, sizeof(*c.pools));
	c.n_pools = 1;
	(void)str_copy(c.pools[0].name, sizeof(c.pools[0].name), "default");
	c.syslog = CONF_SYSLOG_DEFAULT;
	r = parse_text(&p, text, len);
	if (r == 0 && c.pools[0].type == CONF_POOL_FILE && !c.pools[0].path)
		c.pools[0].path = xasprintf("%s/volumes", lib_dir);
	if (r == 0)
		r = conf_psv_check(&p);
	free(p.places);
	if (r < 0) {
		conf_psv_free(&c);
		*ret = (struct conf_psv){ 0 };
		return r;
	}
	*ret = c;
	return 0;
}
