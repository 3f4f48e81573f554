/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words into a call, by the table of verbs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "lib/err.h"

static const struct cmd_option json_option = { "json", NULL, "print JSON" };
static const struct cmd_option all_option = { "all", NULL, "every Vsv of this machine" };

bool call_flag(const struct call *c, const char *name)
{
	return strlist_has(&c->opt_names, name);
}

const char *call_option(const struct call *c, const char *name)
{
	for (size_t i = c->opt_names.n; i > 0; i--)
		if (strcmp(c->opt_names.v[i - 1], name) == 0)
			return c->opt_values.v[i - 1];
	return NULL;
}

void call_options(const struct call *c, const char *name, struct strlist *ret)
{
	for (size_t i = 0; i < c->opt_names.n; i++)
		if (strcmp(c->opt_names.v[i], name) == 0)
			strlist_add(ret, c->opt_values.v[i]);
}

int usage_error(const struct call *c, struct err *err, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)err_exit(err, VNAS_EXIT_USAGE, -EINVAL, "%s", text);
	return err_hint(err, -EINVAL, "usage: vnas %s%s%s %s", c->cmd->verb, c->cmd->sub ? " " : "",
			c->cmd->sub ? c->cmd->sub : "", c->cmd->usage);
}

static const struct cmd_option *find_option(const struct cmd *cmd, const char *name, size_t len)
{
	if ((cmd->flags & CMD_JSON) && len == 4 && memcmp(name, "json", 4) == 0)
		return &json_option;
	if ((cmd->flags & CMD_EACH) && len == 3 && memcmp(name, "all", 3) == 0)
		return &all_option;
	for (const struct cmd_option *o = cmd->options; o && o->name; o++)
		if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
			return o;
	return NULL;
}

static int take_option(struct call *c, int argc, char **argv, int *i, struct err *err)
{
	const char *word = argv[*i] + (argv[*i][1] == '-' ? 2 : 1);
	const char *equal = strchr(word, '=');
	size_t len = equal ? (size_t)(equal - word) : strlen(word);
	const struct cmd_option *o = find_option(c->cmd, word, len);
	const char *value = equal ? equal + 1 : "";

	if (!o)
		return usage_error(c, err, "%s: no such option here", argv[*i]);
	if (!o->arg && equal)
		return usage_error(c, err, "--%s takes no value", o->name);
	if (o->arg && !equal) {
		if (*i + 1 >= argc)
			return usage_error(c, err, "--%s: its %s is missing", o->name, o->arg);
		value = argv[++*i];
	}
	strlist_add(&c->opt_names, o->name);
	strlist_add(&c->opt_values, value);
	return 0;
}

int args_parse(const struct cmd *cmd, int argc, char **argv, struct call *c, struct strlist *ret_names, bool *ret_all,
	       struct err *err)
{
	bool named = cmd->flags & (CMD_NAME | CMD_EACH), plain = false;
	unsigned words;

	c->cmd = cmd;
	for (int i = 0; i < argc; i++) {
		if (!plain && argv[i][0] == '-' && argv[i][1]) {
			if (strcmp(argv[i], "--") == 0) {
				plain = true;
				continue;
			}
			int r = take_option(c, argc, argv, &i, err);
			if (r < 0)
				return r;
			continue;
		}
		if (named && (ret_names->n == 0 || (cmd->flags & CMD_EACH))) {
			strlist_add(ret_names, argv[i]);
			continue;
		}
		/* The first word of a command inside ends our own options. */
		if (cmd->flags & CMD_REST)
			plain = true;
		strlist_add(&c->words, argv[i]);
	}
	c->json = call_flag(c, "json");
	*ret_all = call_flag(c, "all");
	words = (unsigned)c->words.n;
	if (named && ret_names->n == 0 && !*ret_all)
		return usage_error(c, err, "the name of a virtual file server is missing");
	if (*ret_all && ret_names->n)
		return usage_error(c, err, "names and --all do not go together");
	if (words < cmd->min_words)
		return usage_error(c, err, "a word is missing");
	if (words > cmd->max_words)
		return usage_error(c, err, "one word too many: %s", c->words.v[cmd->max_words]);
	return 0;
}

const struct cmd *cmd_find(const char *verb, const char *sub)
{
	for (const struct cmd *cmd = cmd_table; cmd->verb; cmd++) {
		if (strcmp(cmd->verb, verb) != 0)
			continue;
		if (!cmd->sub || (sub && strcmp(cmd->sub, sub) == 0))
			return cmd;
	}
	return NULL;
}

const char *cmd_guess(const char *verb)
{
	const char *best = NULL;
	unsigned least = 3;

	for (const struct cmd *cmd = cmd_table; cmd->verb; cmd++) {
		unsigned d = str_distance(cmd->verb, verb);

		if (d < least && d < strlen(verb) && !(cmd->flags & CMD_INTERNAL)) {
			least = d;
			best = cmd->verb;
		}
	}
	return best;
}
