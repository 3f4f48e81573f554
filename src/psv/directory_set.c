/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "directory/directory.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "psv/change.h"
#include "psv/conf.h"
#include "psv/directory.h"
#include "psv/inside_run.h"
#include "psv/psv.h"

#define SECTION "directory"

struct edit {
	const struct psv *psv;
	const char *server;
	const struct directory_edit *v;
	size_t n;
};

static const struct directory_edit *find(const struct edit *e, const char *key)
{
	for (size_t i = 0; i < e->n; i++)
		if (strcmp(e->v[i].key, key) == 0 && e->v[i].values.n)
			return &e->v[i];
	return NULL;
}

static int replace(char **text, char *new_text, const char *key, struct err *err)
{
	if (!new_text)
		return err_exit(err, VNAS_EXIT_USAGE, -EINVAL, "'%s' cannot have that value", key);
	free(*text);
	*text = new_text;
	return 0;
}

static bool is_list(const char *key)
{
	for (size_t i = 0; i < conf_n_keys; i++)
		if (conf_keys[i].section == CONF_SECTION_DIRECTORY && strcmp(conf_keys[i].key, key) == 0)
			return conf_keys[i].repeat;
	return false;
}

/* set_key: of a key that is no list the last value counts, as for options everywhere. */
static int set_key(char **text, const struct directory_edit *e, struct err *err)
{
	int r = replace(text, confedit_set(*text, SECTION, e->key, NULL), e->key, err);

	for (size_t i = is_list(e->key) ? 0 : e->values.n - 1; r == 0 && i < e->values.n; i++)
		if (*e->values.v[i])
			r = replace(text, confedit_add(*text, SECTION, e->key, e->values.v[i]), e->key, err);
	return r;
}

/* drop_others: the keys that another type had. */
static int drop_others(char **text, const char *type, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < conf_n_keys; i++) {
		const struct conf_key *k = &conf_keys[i];
		bool kept = false;

		if (k->section != CONF_SECTION_DIRECTORY)
			continue;
		for (int t = CONF_DIRECTORY_PASSWD; t <= CONF_DIRECTORY_AD; t++)
			if (strcmp(conf_directory_name((enum conf_directory_type)t), type) == 0)
				kept = conf_directory_takes((enum conf_directory_type)t, k->key);
		if (!kept)
			r = replace(text, confedit_set(*text, SECTION, k->key, NULL), k->key, err);
	}
	return r;
}

/* check: what it says is right, and the files that it names are. */
static int check(const struct edit *e, const char *text, struct err *err)
{
	struct conf conf = { 0 };
	int r = conf_parse(text, strlen(text), NULL, e->server, &conf, err);

	if (r == 0)
		r = directory_check(&conf, err);
	conf_free(&conf);
	return r;
}

static char *edit_text(const char *text, void *arg, struct err *err)
{
	const struct edit *e = arg;
	const struct directory_edit *type = find(e, "type");
	_cleanup_free_ char *t = xstrdup(text);
	int r = type && *type->values.v[0] ? drop_others(&t, type->values.v[0], err) : 0;

	for (size_t i = 0; r == 0 && i < e->n; i++)
		if (e->v[i].values.n)
			r = set_key(&t, &e->v[i], err);
	if (r == 0)
		r = check(e, t, err);
	return r < 0 ? NULL : steal_ptr(&t);
}

int directory_set(const struct psv *psv, const char *server, const struct directory_edit *edits, size_t n,
		  void (*notice)(const char *line), struct err *err)
{
	_cleanup_strlist_ struct strlist restart = { 0 };
	const struct change_opts opts = { .verb = "directory set", .notice = notice, .ret_restart = &restart };
	struct edit e = { .psv = psv, .server = server, .v = edits, .n = n };
	int r = server_change(psv, server, edit_text, &e, &opts, err);

	if (r == 0 && restart.n && notice) {
		_cleanup_free_ char *line = xasprintf("this takes effect with `vnas restart %s`", server);

		notice(line);
	}
	return r;
}

static void set_text(json_t *o, const char *key, const char *value)
{
	if (value)
		(void)json_object_set_new(o, key, json_string(value));
}

static void set_list(json_t *o, const char *key, const struct strlist *l)
{
	json_t *a = json_array();

	for (size_t i = 0; i < l->n; i++)
		(void)json_array_append_new(a, json_string(l->v[i]));
	(void)json_object_set_new(o, key, a);
}

static json_t *section_json(const struct conf *conf)
{
	const struct conf_directory *d = &conf->directory;
	json_t *o = json_pack("{s:s, s:s}", "name", conf->name, "type", conf_directory_name(d->type));

	switch (d->type) {
	case CONF_DIRECTORY_LDAP:
		set_list(o, "uris", &d->uris);
		set_text(o, "base", d->base);
		(void)json_object_set_new(o, "starttls", json_boolean(d->starttls));
		set_text(o, "ca", d->ca);
		set_text(o, "bind_dn", d->bind_dn);
		set_text(o, "secret_file", d->secret_file);
		set_text(o, "samba_accounts", d->samba_accounts ? "directory" : "own");
		break;
	case CONF_DIRECTORY_NIS:
		set_text(o, "domain", d->domain);
		set_list(o, "servers", &d->servers);
		break;
	case CONF_DIRECTORY_AD:
		set_text(o, "realm", d->realm);
		set_text(o, "idmap", d->idmap_rid ? "rid" : "autorid");
		(void)json_object_set_new(o, "idmap_range", json_sprintf("%u-%u", d->idmap.low, d->idmap.high));
		break;
	case CONF_DIRECTORY_PASSWD:
		break;
	}
	return o;
}

int directory_show(const struct psv *psv, const char *server, json_t **ret, struct err *err)
{
	struct conf conf = { 0 };
	char path[PATH_MAX];
	int r = conf_read(psv_conf_path(psv, server, path), server, &conf, err);

	if (r == 0)
		*ret = json_pack("[o]", section_json(&conf));
	conf_free(&conf);
	return r;
}
