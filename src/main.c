/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vnas(8): finds the verb, opens the Psv, runs it, and says what went wrong.  The only file that prints errors. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "lib/err.h"
#include "lib/output.h"
#include "psv/psv.h"

static const char *notice_name;

/* say: a name is not checked yet when it is wrong, and words may quote a tenant's. */
static void say(const char *name, const char *text)
{
	(void)fputs("vnas: ", stderr);
	if (name) {
		output_safe(stderr, name);
		(void)fputs(": ", stderr);
	}
	output_safe(stderr, text);
	(void)fputc('\n', stderr);
}

void call_notice(const char *line)
{
	say(notice_name, line);
}

static int report(const char *name, const struct err *err, int code)
{
	const char *text = err->text[0] ? err->text : strerror(-code);

	if (!err->text[0] && ferror(stdout))
		return VNAS_EXIT_FAILED; /* main() says it */
	say(name, text);
	if (err->hint[0])
		say(NULL, err->hint);
	if (err->exit != VNAS_EXIT_OK)
		return (int)err->exit;
	return code == -EPERM || code == -EACCES ? VNAS_EXIT_NOT_PERMITTED : VNAS_EXIT_FAILED;
}

static int check_name(const struct call *c, struct err *err)
{
	int r = conf_name_check(c->name, err);

	if (r < 0) {
		err->exit = VNAS_EXIT_USAGE;
		return r;
	}
	if (c->cmd->flags & CMD_ANY_NAME)
		return 0;
	r = psv_exists(c->psv, c->name, err);
	if (r != 0)
		return r < 0 ? r : 0;
	(void)err_exit(err, VNAS_EXIT_NO_SUCH, -ENOENT, "there is no such virtual file server");
	return err_hint(err, -ENOENT, "`vnas list` shows those there are; `vnas create %s` makes one", c->name);
}

static int run_one(struct call *c, const char *name)
{
	struct err err = { 0 };
	int r = 0;

	c->name = name;
	notice_name = name;
	if (name)
		r = check_name(c, &err);
	if (r == 0)
		r = c->cmd->run(c, &err);
	return r < 0 ? report(name, &err, r) : r;
}

/* What cannot be read stays: the verb says what is wrong with it. */
static void keep_autostart(const struct psv *psv, struct strlist *names)
{
	struct strlist kept = { 0 };

	for (size_t i = 0; i < names->n; i++) {
		char path[PATH_MAX];
		struct conf conf;

		if (conf_read(psv_conf_path(psv, names->v[i], path), names->v[i], &conf, NULL) < 0 || conf.autostart)
			strlist_add(&kept, names->v[i]);
		conf_free(&conf);
	}
	strlist_free(names);
	*names = kept;
}

static int run_verb(const struct cmd *cmd, int argc, char **argv)
{
	_cleanup_strlist_ struct strlist names = { 0 };
	struct call c = { 0 };
	struct psv psv = { 0 };
	struct err err = { 0 };
	bool all = false;
	int r, status = 0;

	r = args_parse(cmd, argc, argv, &c, &names, &all, &err);
	if (r == 0 && geteuid() != 0 && !(cmd->flags & CMD_USER))
		r = err_exit(&err, VNAS_EXIT_NOT_PERMITTED, -EPERM, "this needs root's rights");
	if (r == 0)
		r = psv_open(&psv, &err);
	c.psv = &psv;
	if (r == 0 && all)
		r = psv_list(&psv, &names, &err);
	if (r == 0 && all && (cmd->flags & CMD_AUTO))
		keep_autostart(&psv, &names);
	if (r < 0) {
		status = report(NULL, &err, r);
	} else if (names.n == 0 && !all) {
		status = run_one(&c, NULL);
	} else {
		/* The first failure is the status; the others are tried all the same. */
		for (size_t i = 0; i < names.n; i++) {
			int s = run_one(&c, names.v[i]);

			if (status == 0)
				status = s;
		}
	}
	psv_close(&psv);
	strlist_free(&c.words);
	strlist_free(&c.opt_names);
	strlist_free(&c.opt_values);
	return status;
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0)
			return true;
	return false;
}

static int unknown_verb(const char *verb, const char *sub)
{
	const char *guess = cmd_guess(verb);
	bool family = false;

	for (const struct cmd *cmd = cmd_table; cmd->verb; cmd++) {
		if (strcmp(cmd->verb, verb) != 0)
			continue;
		if (!family)
			(void)fprintf(stderr, "vnas: %s: %s is no word for it; there are:", verb, sub ? sub : "nothing");
		family = true;
		(void)fprintf(stderr, " %s", cmd->sub);
	}
	if (family) {
		(void)fputc('\n', stderr);
		return VNAS_EXIT_USAGE;
	}
	say(verb, "no such verb");
	if (guess)
		(void)fprintf(stderr, "vnas: did you mean `vnas %s`?\n", guess);
	else
		(void)fprintf(stderr, "vnas: `vnas` alone lists the verbs\n");
	return VNAS_EXIT_USAGE;
}

/* A file that we open must never become our standard output.  What is closed cannot be read or written: a list that
 * nobody gets is a failure. */
static void fill_closed_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", O_RDONLY | O_NOCTTY);
}

/* Whatever a verb printed, and however often it flushed: it counts when it is written. */
static int close_output(int status)
{
	bool failed = fflush(stdout) == EOF;
	const char *why = failed ? strerror(errno) : NULL;

	if (!failed && !ferror(stdout))
		return status;
	(void)fprintf(stderr, "vnas: cannot write to standard output%s%s\n", why ? ": " : "", why ? why : "");
	return status ? status : VNAS_EXIT_FAILED;
}

static int dispatch(int argc, char **argv)
{
	const struct cmd *cmd;

	if (argc < 2 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0) {
		cmd_help(NULL);
		return VNAS_EXIT_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
#ifdef VNAS_WEAKEN
		(void)puts("vnas " VNAS_VERSION " WEAKENED: a build for tests, which does not separate servers");
#else
		(void)puts("vnas " VNAS_VERSION);
#endif
		return VNAS_EXIT_OK;
	}
	if (argc == 3 && strcmp(argv[2], "--help") == 0) {
		bool any = false;

		for (cmd = cmd_table; cmd->verb; cmd++) {
			if (strcmp(cmd->verb, argv[1]) != 0)
				continue;
			cmd_help(cmd);
			any = true;
		}
		if (any)
			return VNAS_EXIT_OK;
	}
	cmd = cmd_find(argv[1], argc > 2 ? argv[2] : NULL);
	if (!cmd)
		return unknown_verb(argv[1], argc > 2 ? argv[2] : NULL);
	argc -= cmd->sub ? 3 : 2;
	argv += cmd->sub ? 3 : 2;
	/* Not for `vnas exec NAME ls --help`: that is the command's own. */
	if (!(cmd->flags & CMD_REST) && wants_help(argc, argv)) {
		cmd_help(cmd);
		return VNAS_EXIT_OK;
	}
	return run_verb(cmd, argc, argv);
}

int main(int argc, char **argv)
{
	fill_closed_streams();
#ifdef VNAS_WEAKEN
	if (!getenv("VNAS_PREFIX") && argc > 1 && strcmp(argv[1], "--version") != 0) {
		say(NULL, "this build can be weakened, and is for tests below VNAS_PREFIX alone");
		return VNAS_EXIT_NOT_PERMITTED;
	}
#endif
	return close_output(dispatch(argc, argv));
}
