/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec, shell, logs. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/output.h"
#include "lib/when.h"
#include "psv/inside.h"
#include "psv/log_line.h"
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

static int flush_line(void)
{
	/* What cannot be written ends it, and main() says so. */
	return putchar('\n') == EOF || fflush(stdout) == EOF;
}

static int print_line(const char *line, size_t len, void *arg)
{
	(void)arg;
	return fwrite(line, 1, len, stdout) != len || flush_line();
}

/* A log does not fit into memory: its object is written as it is read. */
static int print_line_json(const char *line, size_t len, void *arg)
{
	json_t *o = log_line_json(line, len);
	_cleanup_free_ char *text = json_dumps(o, JSON_COMPACT);
	bool *first = arg;

	json_decref(o);
	if (!text)
		return -ENOMEM;
	if (printf("%s%s", *first ? "" : ",\n", text) < 0)
		return 1;
	*first = false;
	return 0;
}

static int logs_json(struct call *c, const struct supervise_log *what, struct err *err)
{
	struct supervise_log log = *what;
	bool first = true;
	int r;

	log.line = print_line_json;
	log.arg = &first;
	(void)printf("{\"lines\": [");
	r = supervise_log_read(c->psv, c->name, &log, err);
	(void)printf("]}");
	return r < 0 ? r : flush_line() ? -EIO : 0;
}

int cmd_logs(struct call *c, struct err *err)
{
	struct supervise_log log = { .follow = call_flag(c, "f"), .line = print_line };
	const char *given = call_option(c, "lines"), *since = call_option(c, "since");
	uint32_t lines = 0;
	int64_t since_ns;

	if (given && (parse_u32(given, UINT32_MAX, &lines) < 0 || lines == 0))
		return usage_error(c, err, "--lines: '%s' is no number of lines", given);
	log.last = lines;
	if (since && when_parse(since, when_now_ns(), &since_ns) < 0)
		return usage_error(c, err, "--since: '%s' is no time: expected %s", since, WHEN_EXPECTED);
	if (since)
		when_text(since_ns, log.since, sizeof(log.since));
	if (c->json && log.follow)
		return usage_error(c, err, "-f and --json do not go together: what never ends is no object");
	if (c->json)
		return logs_json(c, &log, err);
	return supervise_log_read(c->psv, c->name, &log, err);
}
