/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs.  One table (cmd_table, in cmd/table.c) from which parsing, help and completion come; one short file a verb or
 * family of verbs, which turns words into a library call and a result into output, and holds no logic of its own. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/str.h"

struct err;
struct psv;

enum cmd_flags {
	CMD_NAME = 1 << 0,  /* the first word is the name of a Vsv that exists */
	CMD_EACH = 1 << 1,  /* NAME… | --all: run once for each */
	CMD_JSON = 1 << 2,  /* accepts --json */
	CMD_REST = 1 << 3,  /* what follows NAME belongs to a command: no options are looked for there */
	CMD_USER = 1 << 4,  /* works without root's rights */
	CMD_INTERNAL = 1 << 5, /* called by the supervisor: not in the help */
	CMD_ANY_NAME = 1 << 6, /* with CMD_NAME or CMD_EACH: the Vsv need not exist */
	CMD_AUTO = 1 << 7, /* with CMD_EACH: --all means those with autostart = yes */
};

struct cmd_option {
	const char *name; /* without the dashes */
	const char *arg;  /* what follows it, or NULL */
	const char *help;
};

struct call {
	const struct cmd *cmd;
	const struct psv *psv;
	const char *name;        /* of the Vsv; NULL: none given */
	struct strlist words;    /* the other words */
	struct strlist opt_names, opt_values; /* in the order given; value "" for a flag */
	bool json;
};

struct cmd {
	const char *verb, *sub;  /* "share", "add"; sub NULL: none */
	const char *usage;       /* what follows the verb */
	const char *summary;     /* one line */
	const struct cmd_option *options; /* ends with a NULL name; or NULL */
	unsigned flags;
	unsigned min_words, max_words; /* beside the name */
	int (*run)(struct call *c, struct err *err); /* 0; -errno; or a positive exit status to end with */
};

extern const struct cmd cmd_table[]; /* ends with a NULL verb */

/* call_flag: --NAME was given.  call_option: the last value given for it, or NULL.  call_options: adds all of them. */
bool call_flag(const struct call *c, const char *name);
const char *call_option(const struct call *c, const char *name);
void call_options(const struct call *c, const char *name, struct strlist *ret);

/* call_notice: "vnas: NAME: line" on standard error; fits the notice() and progress() arguments of the library. */
void call_notice(const char *line);

/* usage_error: err for words that do not fit, with the verb's usage as hint.  Returns -EINVAL. */
int usage_error(const struct call *c, struct err *err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* cmd_help: the whole help (cmd NULL), or one verb's. */
void cmd_help(const struct cmd *cmd);
/* cmd_find: by verb and, where it has one, sub-verb.  NULL: none. */
const struct cmd *cmd_find(const char *verb, const char *sub);
/* cmd_guess: the verb nearest to a mistyped one; NULL: none is near. */
const char *cmd_guess(const char *verb);

/* args_parse: argv (after the verb and its sub-verb) into a call; names go to ret_names.  0 or -EINVAL. */
int args_parse(const struct cmd *cmd, int argc, char **argv, struct call *c, struct strlist *ret_names, bool *ret_all,
	       struct err *err);

int cmd_create(struct call *c, struct err *err);
int cmd_start(struct call *c, struct err *err);
int cmd_stop(struct call *c, struct err *err);
int cmd_restart(struct call *c, struct err *err);
int cmd_reload(struct call *c, struct err *err);
int cmd_recover(struct call *c, struct err *err);
int cmd_reassert(struct call *c, struct err *err);
int cmd_announce(struct call *c, struct err *err);
int cmd_run(struct call *c, struct err *err);
int cmd_list(struct call *c, struct err *err);
int cmd_status(struct call *c, struct err *err);
int cmd_show(struct call *c, struct err *err);
int cmd_edit(struct call *c, struct err *err);
int cmd_exec(struct call *c, struct err *err);
int cmd_shell(struct call *c, struct err *err);
int cmd_logs(struct call *c, struct err *err);
int cmd_events(struct call *c, struct err *err);
int cmd_doctor(struct call *c, struct err *err);
int cmd_destroy(struct call *c, struct err *err);
int cmd_address_add(struct call *c, struct err *err);
int cmd_address_remove(struct call *c, struct err *err);
int cmd_address_list(struct call *c, struct err *err);
int cmd_volume_add(struct call *c, struct err *err);
int cmd_volume_remove(struct call *c, struct err *err);
int cmd_volume_grow(struct call *c, struct err *err);
int cmd_volume_list(struct call *c, struct err *err);
int cmd_repair(struct call *c, struct err *err);
int cmd_adopt(struct call *c, struct err *err);
int cmd_template_build(struct call *c, struct err *err);
int cmd_template_list(struct call *c, struct err *err);
int cmd_template_remove(struct call *c, struct err *err);
int cmd_sessions(struct call *c, struct err *err);
int cmd_share_add(struct call *c, struct err *err);
int cmd_share_set(struct call *c, struct err *err);
int cmd_share_remove(struct call *c, struct err *err);
int cmd_share_list(struct call *c, struct err *err);
int cmd_user_add(struct call *c, struct err *err);
int cmd_user_remove(struct call *c, struct err *err);
int cmd_user_import(struct call *c, struct err *err);
int cmd_user_list(struct call *c, struct err *err);
int cmd_user_passwd(struct call *c, struct err *err);
int cmd_directory_set(struct call *c, struct err *err);
int cmd_directory_show(struct call *c, struct err *err);
int cmd_directory_test(struct call *c, struct err *err);
int cmd_directory_join(struct call *c, struct err *err);
int cmd_verify(struct call *c, struct err *err);
int cmd_group_add(struct call *c, struct err *err);
int cmd_group_remove(struct call *c, struct err *err);
int cmd_group_list(struct call *c, struct err *err);
