/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a verb says of a share, as lines of the configuration: only text is looked at and made here. */
#include <errno.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "psv/conf.h"
#include "psv/share.h"

/* set, set_list: one step of editing; *text is replaced.  -EINVAL: the value cannot stand in the file. */
static int replace(char **text, char *new_text, const char *key, struct err *err)
{
	if (!new_text)
		return err_exit(err, VNAS_EXIT_USAGE, -EINVAL, "the value of '%s' cannot stand in the configuration", key);
	free(*text);
	*text = new_text;
	return 0;
}

static int set(char **text, const char *section, const char *key, const char *value, struct err *err)
{
	return replace(text, confedit_set(*text, section, key, value), key, err);
}

static int set_list(char **text, const char *section, const char *key, const struct strlist *list, struct err *err)
{
	int r = set(text, section, key, NULL, err);

	for (size_t i = 0; r == 0 && i < list->n; i++)
		if (*list->v[i])
			r = replace(text, confedit_add(*text, section, key, list->v[i]), key, err);
	return r;
}

static int set_protocols(char **text, const char *section, const struct share_edit *e, const struct conf_share *old,
			 struct err *err)
{
	bool smb = e->smb >= 0 ? e->smb : old ? old->smb : e->nfs != 1;
	bool nfs = e->nfs >= 0 ? e->nfs : old ? old->nfs : false;

	if (e->smb < 0 && e->nfs < 0)
		return 0;
	if (!smb && !nfs)
		return err_exit(err, VNAS_EXIT_USAGE, -EINVAL, "a share is served by SMB, NFS or both");
	return set(text, section, "protocols", smb && nfs ? "smb nfs" : nfs ? "nfs" : NULL, err);
}

/* set_nfs: who has handles of its files knows it by its number, so that is written down. */
static int set_nfs(char **text, const char *section, const struct share_edit *e, const struct conf *conf,
		   const struct conf_share *old, struct err *err)
{
	const struct {
		const char *key, *value;
	} keys[] = {
		{ "squash", e->squash }, { "sec", e->sec }, { "anonymous uid", e->anonymous_uid }, { "anonymous gid", e->anonymous_gid },
	};
	bool nfs = e->nfs >= 0 ? e->nfs : old && old->nfs;
	char id[16];
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(keys) / sizeof(*keys); i++) {
		if (keys[i].value && !nfs)
			return err_exit(err, VNAS_EXIT_USAGE, -EINVAL, "'%s' is about NFS, by which the share is not served: expected --nfs too",
					keys[i].key);
		if (keys[i].value)
			r = set(text, section, keys[i].key, keys[i].value, err);
	}
	if (r < 0 || !nfs || (old && old->export_id))
		return r;
	(void)str_format(id, sizeof(id), "%u", old && old->nfs ? conf_export_id(old) : conf_export_id_free(conf, e->name));
	return set(text, section, "export id", id, err);
}

static char *default_path(const struct conf *conf, const char *name)
{
	return xasprintf("%s/%s", conf->n_volumes > 1 ? conf->volumes[1].mount : "/srv", name);
}

char *share_edit_text(const char *text, const struct conf *conf, const struct share_edit *e, struct err *err)
{
	const struct conf_share *old = conf_share_find(conf, e->name);
	const struct {
		const char *key;
		int value; /* -1: as it is */
	} switches[] = {
		{ "read only", e->read_only }, { "guest", e->guest }, { "audit", e->audit }, { "recycle", e->recycle },
	};
	const struct {
		const char *key;
		const struct strlist *values; /* NULL: as they are */
	} lists[] = {
		{ "client", e->clients }, { "read", e->read }, { "write", e->write },
	};
	_cleanup_free_ char *section = xasprintf("share %s", old ? old->name : e->name);
	_cleanup_free_ char *path = e->path ? xstrdup(e->path) : old ? NULL : default_path(conf, e->name);
	_cleanup_free_ char *t = xstrdup(text);
	int r = path ? set(&t, section, "path", path, err) : 0;

	if (r == 0)
		r = set_protocols(&t, section, e, old, err);
	if (r == 0)
		r = set_nfs(&t, section, e, conf, old, err);
	for (size_t i = 0; r == 0 && i < sizeof(switches) / sizeof(*switches); i++)
		if (switches[i].value >= 0)
			r = set(&t, section, switches[i].key, switches[i].value ? "yes" : NULL, err);
	if (r == 0 && e->comment)
		r = set(&t, section, "comment", *e->comment ? e->comment : NULL, err);
	for (size_t i = 0; r == 0 && i < sizeof(lists) / sizeof(*lists); i++)
		if (lists[i].values)
			r = set_list(&t, section, lists[i].key, lists[i].values, err);
	return r < 0 ? NULL : steal_ptr(&t);
}
