/* SPDX-License-Identifier: GPL-2.0-or-later */
/* start, stop, restart, reload, run, and the supervisor's own recover, reassert and announce. */
#include <errno.h>
#include <stdio.h>

#include "cmd/cmd.h"
#include "lib/err.h"
#include "lib/output.h"
#include "psv/change.h"
#include "psv/lifecycle.h"
#include "psv/psv.h"
#include "psv/running.h"
#include "psv/supervise.h"

static struct start_opts start_opts(const struct call *c)
{
	return (struct start_opts){
		.no_probe = call_flag(c, "no-probe"),
		.template_name = call_option(c, "template"),
		.notice = call_notice,
	};
}

static int start_dry_run(struct call *c, const struct start_opts *opts, struct err *err)
{
	_cleanup_strlist_ struct strlist lines = { 0 };
	int r = lifecycle_describe(c->psv, c->name, opts, &lines, err);

	return r < 0 ? r : output_steps(c->json, &lines);
}

int cmd_start(struct call *c, struct err *err)
{
	struct start_opts opts = start_opts(c);
	int r;

	if (call_flag(c, "dry-run"))
		return start_dry_run(c, &opts, err);
	r = lifecycle_start(c->psv, c->name, &opts, err);
	if (r == LIFECYCLE_ALREADY)
		call_notice("is running already");
	return r < 0 ? r : 0;
}

static int stop_timeout(const struct call *c, int *ret_ms, struct err *err)
{
	const char *given = call_option(c, "timeout");
	uint32_t seconds;

	*ret_ms = 0;
	if (!given)
		return 0;
	if (parse_u32(given, 3600, &seconds) < 0 || seconds == 0)
		return usage_error(c, err, "--timeout: '%s' is no number of seconds from 1 to 3600", given);
	*ret_ms = (int)seconds * 1000;
	return 0;
}

int cmd_stop(struct call *c, struct err *err)
{
	int timeout_ms, r = stop_timeout(c, &timeout_ms, err);

	if (r < 0)
		return r;
	r = lifecycle_stop(c->psv, c->name, timeout_ms, call_notice, err);
	if (r == LIFECYCLE_ALREADY)
		call_notice("is not running");
	return r < 0 ? r : 0;
}

int cmd_restart(struct call *c, struct err *err)
{
	struct start_opts opts = start_opts(c);
	int r = lifecycle_restart(c->psv, c->name, &opts, err);

	return r < 0 ? r : 0;
}

int cmd_reload(struct call *c, struct err *err)
{
	_cleanup_strlist_ struct strlist restart = { 0 };
	int r = server_reload(c->psv, c->name, call_notice, &restart, err);

	for (size_t i = 0; r >= 0 && i < restart.n; i++) {
		char line[256];

		(void)str_format(line, sizeof(line), "%s takes effect at the next restart", restart.v[i]);
		call_notice(line);
	}
	return r < 0 ? r : 0;
}

int cmd_run(struct call *c, struct err *err)
{
	struct start_opts opts = start_opts(c);
	struct state st = { 0 };
	int r;

	opts.foreground = true;
	r = lifecycle_start(c->psv, c->name, &opts, err);
	if (r >= 0)
		r = running_state(c->psv, c->name, &st, err);
	if (r >= 0)
		r = supervise_exec(c->psv, c->name, &st, err);
	state_free(&st);
	return r;
}

int cmd_recover(struct call *c, struct err *err)
{
	int r = lifecycle_recover(c->psv, c->name, call_notice, err);

	return r < 0 ? r : 0;
}

int cmd_reassert(struct call *c, struct err *err)
{
	return lifecycle_reassert(c->psv, c->name, err);
}

int cmd_announce(struct call *c, struct err *err)
{
	return lifecycle_announce(c->psv, c->name, err);
}
