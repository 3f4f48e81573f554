/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec, shell, logs, events. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/output.h"
#include "psv/event.h"
#include "psv/inside.h"
#include "psv/psv.h"
#include "psv/running.h"
#include "psv/supervise.h"

static int run_inside(struct call *c, const char *const *argv, bool tty, struct err *err)
{
	struct inside_exec e = { .argv = argv, .user = call_option(c, "user"), .tty = tty };
	_cleanup_close_ int conn = running_connect(c->psv, c->name, err);

	return conn < 0 ? conn : inside_exec(conn, &e, err);
}

int cmd_exec(struct call *c, struct err *err)
{
	return run_inside(c, (const char *const *)c->words.v, call_flag(c, "tty"), err);
}

int cmd_shell(struct call *c, struct err *err)
{
	static const char *const shell[] = { "/bin/bash", "-l", NULL };

	return run_inside(c, shell, isatty(STDIN_FILENO) && isatty(STDOUT_FILENO), err);
}

static int print_line(const char *line, size_t len, void *arg)
{
	(void)arg;
	/* What cannot be written ends it, and main() says so. */
	return fwrite(line, 1, len, stdout) != len || putchar('\n') == EOF || fflush(stdout) == EOF;
}

int cmd_logs(struct call *c, struct err *err)
{
	struct supervise_log log = { .follow = call_flag(c, "f"), .line = print_line };
	const char *given = call_option(c, "lines");
	uint32_t lines = 0;

	if (given && (parse_u32(given, UINT32_MAX, &lines) < 0 || lines == 0))
		return usage_error(c, err, "--lines: '%s' is no number of lines", given);
	log.last = lines;
	return supervise_log_read(c->psv, c->name, &log, err);
}

int cmd_events(struct call *c, struct err *err)
{
	static const struct column columns[] = {
		{ "time", "TIME", COL_TEXT },
		{ "server", "SERVER", COL_TEXT },
		{ "event", "EVENT", COL_TEXT },
		{ "detail", "DETAIL", COL_TEXT },
	};
	json_t *list = NULL;
	int r = events_read(c->psv, c->words.n ? c->words.v[0] : NULL, &list, err);

	return r < 0 ? r : output_list(c->json, "events", list, columns, 4);
}
