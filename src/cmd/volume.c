/* SPDX-License-Identifier: GPL-2.0-or-later */
/* volume add, remove, grow, list; adopt. */
#include "psv/volume.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "lib/err.h"
#include "lib/output.h"
#include "psv/psv.h"
#include "psv/running.h"
#include "psv/volumes.h"

static int take_size(const struct call *c, uint64_t *ret, struct err *err)
{
	const char *given = call_option(c, "size");

	*ret = 0;
	if (!given)
		return 0;
	if (parse_size(given, ret) < 0 || *ret == 0)
		return usage_error(c, err, "--size: '%s' is no size: expected a number with an optional K, M, G or T", given);
	return 0;
}

int cmd_volume_add(struct call *c, struct err *err)
{
	struct volume_add_opts opts = {
		.size = call_option(c, "size"),
		.device = call_option(c, "device"),
		.pool = call_option(c, "pool"),
		.fs = call_option(c, "fs"),
		.mount = call_option(c, "mount"),
		.force = call_flag(c, "force"),
		.orphan = call_flag(c, "orphan"),
		.notice = call_notice,
	};
	uint64_t size_bytes;
	int r = take_size(c, &size_bytes, err);

	if (r < 0)
		return r;
	if (opts.orphan && (opts.size || opts.fs))
		return usage_error(c, err, "--orphan: its size and filesystem are what they are");
	if (!opts.orphan && !opts.size == !opts.device)
		return usage_error(c, err, "either --size or --device is needed");
	return server_volume_add(c->psv, c->name, c->words.v[0], &opts, err);
}

int cmd_volume_remove(struct call *c, struct err *err)
{
	bool purge = call_flag(c, "purge");
	int r = server_volume_remove(c->psv, c->name, c->words.v[0], purge, call_notice, err);

	if (r == 0 && !purge)
		call_notice("the volume stays where it is: `volume add --orphan` takes it back; --purge would have deleted it");
	return r;
}

int cmd_volume_grow(struct call *c, struct err *err)
{
	uint64_t size_bytes;
	int r = take_size(c, &size_bytes, err);

	if (r < 0)
		return r;
	if (!size_bytes)
		return usage_error(c, err, "--size is needed");
	return server_volume_grow(c->psv, c->name, c->words.v[0], size_bytes, call_notice, err);
}

static int list_orphans(struct call *c, struct err *err)
{
	static const struct column columns[] = {
		{ "server", "SERVER", COL_TEXT },          { "name", "VOLUME", COL_TEXT }, { "size", "SIZE", COL_SIZE },
		{ "generation", "GENERATION", COL_NUMBER }, { "path", "PATH", COL_TEXT },
	};
	struct orphan *list = NULL;
	size_t n = 0;
	json_t *out;
	int r = volume_orphans(c->psv, &list, &n, err);

	if (r < 0)
		return r;
	out = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(out, json_pack("{s:s, s:s, s:I, s:I, s:s, s:s}", "server", list[i].label.server, "name",
						     list[i].label.role, "size", (json_int_t)list[i].size_bytes,
						     "generation", (json_int_t)list[i].label.generation, "path",
						     list[i].path, "uuid", list[i].label.uuid));
	orphans_free(list, n);
	return output_list(c->json, "volumes", out, columns, 5);
}

static int add_volumes_of(struct call *c, const char *name, json_t *out, struct err *err)
{
	json_t *o = NULL, *v;
	size_t i;
	int r = status_full(c->psv, name, &o, err);

	if (r < 0)
		return r;
	json_array_foreach(json_object_get(o, "volumes"), i, v) {
		json_object_set_new(v, "server", json_string(name));
		json_array_append(out, v);
	}
	json_decref(o);
	return 0;
}

int cmd_volume_list(struct call *c, struct err *err)
{
	static const struct column columns[] = {
		{ "server", "SERVER", COL_TEXT }, { "name", "VOLUME", COL_TEXT }, { "mount", "MOUNT", COL_TEXT },
		{ "fs", "FS", COL_TEXT },         { "size", "SIZE", COL_SIZE },   { "used", "USED", COL_SIZE },
		{ "free", "FREE", COL_SIZE },     { "path", "PATH", COL_TEXT },
	};
	_cleanup_strlist_ struct strlist names = { 0 };
	json_t *out;
	int r = 0;

	if (call_flag(c, "orphans"))
		return list_orphans(c, err);
	if (c->words.n) {
		r = conf_name_check(c->words.v[0], err);
		if (r == 0)
			r = psv_require(c->psv, c->words.v[0], err);
		if (r < 0)
			return err_wrap(err, r, "%s", c->words.v[0]);
		strlist_add(&names, c->words.v[0]);
	} else {
		r = psv_list(c->psv, &names, err);
	}
	out = json_array();
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = add_volumes_of(c, names.v[i], out, err);
	if (r == 0)
		return output_list(c->json, "volumes", out, columns, 8);
	json_decref(out);
	return r;
}
