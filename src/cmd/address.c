/* SPDX-License-Identifier: GPL-2.0-or-later */
/* address add, remove, list. */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "cmd/cmd.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/output.h"
#include "psv/change.h"
#include "psv/psv.h"

static char *add_edit(const char *text, void *arg, struct err *err)
{
	(void)err;
	return confedit_add(text, "server", "address", arg);
}

int cmd_address_add(struct call *c, struct err *err)
{
	struct change_opts opts = { .verb = "address add", .no_probe = call_flag(c, "no-probe"), .notice = call_notice };
	struct conf_address a;
	int r = conf_address_parse(c->words.v[0], &a, err);

	return r < 0 ? r : server_change(c->psv, c->name, add_edit, c->words.v[0], &opts, err);
}

/* What stands behind the equals sign of one line: the file may spell the address in a way of its own. */
static char *value_of_line(const char *text, unsigned line)
{
	const char *equal, *end;

	while (--line && (text = strchr(text, '\n')))
		text++;
	equal = text ? strchr(text, '=') : NULL;
	if (!equal)
		return NULL;
	equal += 1 + strspn(equal + 1, " \t");
	end = equal + strcspn(equal, "\r\n");
	while (end > equal && strchr(" \t", end[-1]))
		end--;
	return xasprintf("%.*s", (int)(end - equal), equal);
}

static char *remove_edit(const char *text, void *arg, struct err *err)
{
	const char *given = arg;
	struct conf conf = { 0 };
	struct ipaddr want;
	char *next = NULL;
	char host[IPADDR_STR_MAX];

	if (!str_format(host, sizeof(host), "%.*s", (int)strcspn(given, "/@"), given) || ipaddr_parse(host, &want) < 0) {
		(void)err_exit(err, VNAS_EXIT_USAGE, -EINVAL, "'%s' is no address", given);
		return NULL;
	}
	if (conf_parse(text, strlen(text), "configuration", "server", &conf, err) < 0)
		return NULL;
	for (size_t i = 0; i < conf.n_addresses && !next; i++) {
		_cleanup_free_ char *value = NULL;

		if (!ipaddr_equal(&conf.addresses[i].addr, &want))
			continue;
		value = value_of_line(text, conf.addresses[i].line);
		next = value ? confedit_remove(text, "server", "address", value) : NULL;
	}
	if (!next)
		(void)err_exit(err, VNAS_EXIT_NO_SUCH, -ENOENT, "address %s is not one of its addresses", given);
	conf_free(&conf);
	return next;
}

int cmd_address_remove(struct call *c, struct err *err)
{
	struct change_opts opts = { .verb = "address remove", .notice = call_notice };

	return server_change(c->psv, c->name, remove_edit, c->words.v[0], &opts, err);
}

int cmd_address_list(struct call *c, struct err *err)
{
	static const struct column columns[] = {
		{ "address", "ADDRESS", COL_TEXT },
		{ "prefix", "PREFIX", COL_NUMBER },
		{ "interface", "INTERFACE", COL_TEXT },
		{ "up", "UP", COL_BOOL },
	};
	json_t *list = json_array();
	struct conf conf = { 0 };
	struct state st = { 0 };
	char path[PATH_MAX];
	int r = conf_read(psv_conf_path(c->psv, c->name, path), c->name, &conf, err);

	if (r == 0)
		r = state_read(c->psv, c->name, &st, err);
	for (size_t i = 0; r == 0 && i < conf.n_addresses; i++) {
		const struct conf_address *a = &conf.addresses[i];
		char host[IPADDR_STR_MAX], name[IFNAMSIZ] = "";
		bool up = false;

		(void)str_copy(name, sizeof(name), a->interface);
		for (size_t j = 0; j < st.n_addresses; j++) {
			if (!ipaddr_equal(&st.addresses[j].a.addr, &a->addr))
				continue;
			up = state_phase(c->psv, c->name, &st) == VSV_RUNNING;
			(void)if_indextoname(st.addresses[j].ifindex, name);
		}
		json_array_append_new(list, json_pack("{s:s, s:i, s:o, s:b}", "address", ipaddr_str(&a->addr, host), "prefix",
						      a->prefix, "interface", *name ? json_string(name) : json_null(), "up",
						      up));
	}
	conf_free(&conf);
	state_free(&st);
	if (r == 0)
		return output_list(c->json, "addresses", list, columns, 4);
	json_decref(list);
	return r;
}
