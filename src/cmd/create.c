/* SPDX-License-Identifier: GPL-2.0-or-later */
/* create: the options become a configuration; and destroy. */
#include "psv/create.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/output.h"
#include "psv/conf.h"
#include "psv/psv.h"

/* Options that are a key of [server] by another name or the same. */
static const struct {
	const char *option, *section, *key;
	bool repeat;
} server_keys[] = {
	{ "hostname", "server", "hostname", false },   { "workgroup", "server", "workgroup", false },
	{ "stack", "server", "stack", false },         { "interface", "server", "interface", false },
	{ "link", "server", "link", false },           { "vlan", "server", "vlan", false },
	{ "mac", "server", "mac", false },             { "mtu", "server", "mtu", false },
	{ "address", "server", "address", true },
	{ "gateway", "server", "gateway", true },      { "dns", "server", "dns", true },
	{ "search", "server", "search", true },        { "memory", "limits", "memory", false },
};

static void add_line(struct strbuf *sb, const char *key, const char *value)
{
	strbuf_addf(sb, "%s = %s\n", key, value);
}

static void add_keys(const struct call *c, const char *section, struct strbuf *sb)
{
	bool begun = false;

	for (size_t i = 0; i < sizeof(server_keys) / sizeof(*server_keys); i++) {
		_cleanup_strlist_ struct strlist values = { 0 };

		if (strcmp(server_keys[i].section, section) != 0)
			continue;
		call_options(c, server_keys[i].option, &values);
		if (values.n && !begun)
			strbuf_addf(sb, "\n[%s]\n", section);
		begun = begun || values.n;
		for (size_t v = server_keys[i].repeat || !values.n ? 0 : values.n - 1; v < values.n; v++)
			add_line(sb, server_keys[i].key, values.v[v]);
	}
}

static int add_volume(const struct call *c, const char *given, struct strbuf *sb, struct err *err)
{
	const char *equal = strchr(given, '=');
	const char *fs = call_option(c, "fs"), *pool = call_option(c, "pool");

	if (!equal || equal == given || !equal[1])
		return usage_error(c, err, "--volume: '%s': expected NAME=SIZE or NAME=/dev/…", given);
	strbuf_addf(sb, "\n[volume %.*s]\n", (int)(equal - given), given);
	if (equal[1] == '/') {
		add_line(sb, "device", equal + 1);
	} else {
		add_line(sb, "size", equal + 1);
		if (pool)
			add_line(sb, "pool", pool);
	}
	if (fs)
		add_line(sb, "fs", fs);
	return 0;
}

static int compose(const struct call *c, struct strbuf *sb, struct err *err)
{
	_cleanup_strlist_ struct strlist volumes = { 0 };
	const char *root_size = call_option(c, "root-size"), *pool = call_option(c, "pool");

	/* A value with a new line in it would be another key. */
	for (size_t i = 0; i < c->opt_values.n; i++)
		if (strpbrk(c->opt_values.v[i], "\r\n"))
			return usage_error(c, err, "--%s: a value is one line", c->opt_names.v[i]);
	strbuf_addf(sb, "# %s: a virtual file server of vnas; see vnas.conf(5)\n", c->name);
	add_keys(c, "server", sb);
	strbuf_addstr(sb, "\n[volume root]\n");
	add_line(sb, "size", root_size ? root_size : "1G");
	if (pool)
		add_line(sb, "pool", pool);
	call_options(c, "volume", &volumes);
	if (call_option(c, "fs") && !volumes.n)
		return usage_error(c, err, "--fs is for data volumes: it needs --volume");
	for (size_t i = 0; i < volumes.n; i++) {
		int r = add_volume(c, volumes.v[i], sb, err);

		if (r < 0)
			return r;
	}
	add_keys(c, "limits", sb);
	return 0;
}

/* from_file: the configuration as somebody wrote or saved it.  Errors name its lines. */
static int from_file(const struct call *c, const char *path, struct strbuf *sb, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	struct conf conf;
	size_t len;
	int r;

	for (size_t i = 0; i < c->opt_names.n; i++)
		if (strcmp(c->opt_names.v[i], "from") != 0 && strcmp(c->opt_names.v[i], "force") != 0 &&
		    strcmp(c->opt_names.v[i], "dry-run") != 0)
			return usage_error(c, err, "--%s stands in the file that --from names", c->opt_names.v[i]);
	r = file_read_at(AT_FDCWD, path, CONF_MAX_BYTES, &text, &len);
	if (r < 0)
		return err_set(err, r, "cannot read %s: %m", path);
	r = conf_parse(text, len, path, c->name, &conf, err);
	if (r < 0)
		return r;
	conf_free(&conf);
	strbuf_addstr(sb, text);
	return 0;
}

/* What is wrong with a value is said as for a configuration file, but there is none yet: without file and line. */
static int check(const struct call *c, const struct strbuf *text, struct err *err)
{
	struct conf conf;
	const char *words;
	int r = conf_parse(strbuf_str(text), text->len, "", c->name, &conf, err);

	if (r == 0) {
		conf_free(&conf);
		return 0;
	}
	words = err->text[0] == ':' ? strstr(err->text, ": ") : NULL;
	if (words)
		memmove(err->text, words + 2, strlen(words + 2) + 1);
	err->exit = VNAS_EXIT_USAGE;
	return r;
}

int cmd_create(struct call *c, struct err *err)
{
	_cleanup_strlist_ struct strlist steps = { 0 };
	_cleanup_strbuf_ struct strbuf text = { 0 };
	struct create_opts opts = {
		.force = call_flag(c, "force"),
		.dry_run = call_flag(c, "dry-run"),
		.ret_steps = &steps,
		.notice = call_notice,
	};
	const char *from = call_option(c, "from");
	int r = from ? from_file(c, from, &text, err) : compose(c, &text, err);

	if (r == 0 && !from)
		r = check(c, &text, err);
	if (r == 0)
		r = server_create(c->psv, c->name, strbuf_str(&text), &opts, err);
	if (r == 0 && opts.dry_run)
		r = output_steps(c->json, &steps);
	return r;
}

int cmd_destroy(struct call *c, struct err *err)
{
	bool purge = call_flag(c, "purge");
	int r = server_destroy(c->psv, c->name, purge, call_notice, err);

	if (r == 0 && !purge)
		call_notice("its volumes stay: `vnas volume list --orphans` shows them, `vnas adopt` brings it back");
	return r;
}
