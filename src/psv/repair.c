/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "psv/lifecycle.h"
#include "psv/psv.h"
#include "psv/volume.h"
#include "vsv/health.h"

enum { LOCK_WAIT_MS = 120 * 1000, RELEASE_WAIT_MS = 10 * 1000 };

static int check_stopped(const struct psv *psv, const char *name, struct err *err)
{
	struct state st = { 0 };
	int r = state_read(psv, name, &st, err);
	bool running = r == 0 && st.phase != VSV_STOPPED && state_phase(psv, name, &st) == VSV_RUNNING;

	state_free(&st);
	if (!running)
		return r;
	(void)err_exit(err, VNAS_EXIT_IN_USE, -EBUSY, "it is running, and nothing is wrong with its volumes");
	return err_hint(err, -EBUSY, "`vnas stop %s` first, to have them checked all the same", name);
}

/* What runs without harm goes on; what is degraded, or was interrupted, is stopped. */
static int stop_what_failed(const struct psv *psv, const char *name, void (*notice)(const char *line), struct err *err)
{
	struct health_row rows[HEALTH_MAX];
	struct state st = { 0 };
	enum vsv_phase phase;
	int r = state_read(psv, name, &st, err);

	if (r < 0)
		return r;
	phase = st.phase == VSV_STOPPED ? VSV_STOPPED : state_phase(psv, name, &st);
	if (phase == VSV_STOPPED || (phase == VSV_RUNNING && health_read(st.init_pid, rows, HEALTH_MAX) <= 0))
		r = 0;
	else
		r = lifecycle_stop(psv, name, 0, notice, err);
	state_free(&st);
	return r < 0 ? r : 0;
}

static int repair_one(const struct psv *psv, const char *name, const struct conf_volume *v, const char *text,
		      void (*notice)(const char *line), struct err *err)
{
	char line[VOLUME_NAME_MAX + 64];
	int r = volume_repair(psv, name, v, text, err);

	if (r < 0)
		return r;
	(void)str_format(line, sizeof(line), "volume %s %s", v->name,
			 r == VOLUME_REPAIRED ? "was damaged and is repaired" : "is in order");
	notice(line);
	if (r == VOLUME_REPAIRED)
		event_log(psv, name, "volume-repaired", "%s", v->name);
	return volume_wait_gone(psv, name, v, RELEASE_WAIT_MS, err);
}

/* The first failure is returned, the others are said. */
static int repair_all(const struct psv *psv, const char *name, const struct conf *c, const char *text,
		      void (*notice)(const char *line), struct err *err)
{
	int first = 0;

	for (size_t i = 0; i < c->n_volumes; i++) {
		struct err own = { 0 };
		int r = repair_one(psv, name, &c->volumes[i], text, notice, first < 0 ? &own : err);

		if (r < 0 && first < 0)
			notice(own.text);
		else if (r < 0)
			first = r;
	}
	return first;
}

static int repair_stopped(const struct psv *psv, const char *name, void (*notice)(const char *line), struct err *err)
{
	_cleanup_close_ int lock = psv_lock(psv, name, "repair", LOCK_WAIT_MS, notice, err);
	_cleanup_free_ char *text = NULL;
	struct conf c = { 0 };
	char path[PATH_MAX];
	int r;

	if (lock < 0)
		return lock;
	r = check_stopped(psv, name, err);
	if (r < 0)
		return r;
	r = file_read_at(AT_FDCWD, psv_conf_path(psv, name, path), CONF_MAX_BYTES, &text, NULL);
	if (r < 0)
		return err_set(err, r, "cannot read %s: %m", path);
	r = conf_parse(text, strlen(text), path, name, &c, err);
	if (r == 0)
		r = repair_all(psv, name, &c, text, notice, err);
	conf_free(&c);
	return r;
}

int server_repair(const struct psv *psv, const char *name, const struct repair_opts *opts, struct err *err)
{
	struct start_opts start = { .notice = opts->notice };
	int r = stop_what_failed(psv, name, opts->notice, err);

	if (r == 0)
		r = repair_stopped(psv, name, opts->notice, err);
	if (r < 0 || opts->no_start)
		return r;
	r = lifecycle_start(psv, name, &start, err);
	return r < 0 ? err_wrap(err, r, "its volumes are in order, but it does not start") : 0;
}
