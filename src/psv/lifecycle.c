/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/lifecycle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gate/gate.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "psv/cgroup.h"
#include "psv/inside.h"
#include "psv/link.h"
#include "psv/net.h"
#include "psv/supervise.h"
#include "psv/template.h"
#include "psv/walk.h"

enum { LOCK_WAIT_MS = 120 * 1000, ANNOUNCE_WAIT_MS = 1000, STOP_TIMEOUT_MS = 20 * 1000 };

/* For tests alone, hence only below a prefix: VNAS_FAIL_STEP=NAME makes that step fail after its up. */
static bool must_fail(const char *step)
{
	const char *want = getenv("VNAS_FAIL_STEP");

	return want && getenv("VNAS_PREFIX") && strcmp(want, step) == 0;
}

static int64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* For benchmarks, likewise: VNAS_STEP_TIMES=FILE gets a line of each step and the microseconds that its up took. */
static void note_time(const char *step, int64_t us)
{
	const char *path = getenv("VNAS_STEP_TIMES");
	_cleanup_fclose_ FILE *f = path && getenv("VNAS_PREFIX") ? fopen(path, "ae") : NULL;

	if (f)
		(void)fprintf(f, "%s %lld\n", step, (long long)us);
}

static int walk_up(struct walk *w, size_t *ret_reached, struct err *err)
{
	for (size_t i = 0; i < n_steps; i++) {
		int64_t begin = now_us();
		int r;

		*ret_reached = i;
		r = steps[i].up(w, err);
		note_time(steps[i].name, now_us() - begin);
		if (r == 0 && must_fail(steps[i].name))
			r = err_set(err, -EIO, "made to fail by VNAS_FAIL_STEP");
		if (r < 0)
			return err_wrap(err, r, "%s", steps[i].name);
	}
	return 0;
}

/* Goes on after a failure: what can be taken away is.  The first failure is returned. */
static int walk_down(struct walk *w, size_t from, struct err *err)
{
	int first = 0;

	for (size_t i = from + 1; i > 0; i--) {
		struct err why = { 0 };
		int r = steps[i - 1].down ? steps[i - 1].down(w, &why) : 0;

		if (r >= 0 || first < 0)
			continue;
		first = err_wrap(&why, r, "%s", steps[i - 1].name);
		*err = why;
	}
	return first;
}

/* The state, or if its file is damaged, an empty one that says so: all that is needed to take a Vsv away can also be found
 * by its name, its number and the configuration that it runs with. */
static int read_state(const struct psv *psv, const char *name, struct state *ret, struct err *err)
{
	int r = state_read(psv, name, ret, err);

	if (r != -EBADMSG)
		return r;
	event_log(psv, name, "state-damaged", "%s", err->text);
	err_clear(err);
	*ret = (struct state){ .phase = VSV_FAILED };
	return 0;
}

/* What a killed command or a crash left; w->st says what that can be. */
static int clean_up(struct walk *w, struct err *err)
{
	int r;

	/* Without it, lost or damaged, the volumes cannot be waited for; all else goes by name and number. */
	r = running_conf_read(w->psv, w->name, &w->conf_text, &w->conf, err);
	if (r < 0 && r != -EINVAL)
		return r;
	err_clear(err);
	r = w->st.id ? 0 : psv_id_get(w->psv, w->name, &w->st.id, err);
	if (r == -ENOENT) {
		err_clear(err);
		return state_remove(w->psv, w->name, err);
	}
	if (r < 0)
		return r;
	r = walk_down(w, n_steps - 1, err);
	return r < 0 ? r : state_remove(w->psv, w->name, err);
}

static int clean_up_fresh(const struct psv *psv, const char *name, struct err *err)
{
	struct start_opts opts = { 0 };
	struct walk w;
	int r;

	walk_init(&w, psv, name, &opts);
	w.stop_timeout_ms = STOP_TIMEOUT_MS;
	r = read_state(psv, name, &w.st, err);
	if (r == 0)
		r = clean_up(&w, err);
	walk_end(&w);
	return r;
}

static int prepare_state(struct walk *w, struct err *err)
{
	int r = psv_id_claim(w->psv, w->name, &w->st.id, err);

	if (r == 0)
		r = volume_generation_known(w->psv, w->name, &w->st.generation, err);
	if (r < 0)
		return r;
	w->st.phase = VSV_STARTING;
	w->st.since = time(NULL);
	w->st.log_bytes = cgroup_limits(&w->conf.limits).log_bytes;
	w->st.syslog = w->psv->conf.syslog;
	w->stop_timeout_ms = STOP_TIMEOUT_MS;
	return running_conf_write(w->psv, w->name, w->conf_text, err);
}

static int start_locked(struct walk *w, struct err *err)
{
	struct err ignored;
	size_t reached = 0;
	int r = prepare_state(w, err);

	/* The interfaces are found before the first thing is made, so that the file names all that can be there. */
	if (r == 0 && w->conf.n_addresses)
		r = walk_find_addresses(&w->conf, &w->st, err);
	if (r == 0)
		r = state_write(w->psv, w->name, &w->st, err);
	if (r < 0) {
		(void)state_remove(w->psv, w->name, &ignored);
		return r;
	}
	r = walk_up(w, &reached, err);
	if (r == 0) {
		w->st.phase = VSV_RUNNING;
		w->st.since = time(NULL);
		r = state_write(w->psv, w->name, &w->st, err);
	}
	if (r == 0) {
		event_log(w->psv, w->name, "started", "generation %llu", (unsigned long long)w->st.generation);
		return LIFECYCLE_DONE;
	}
	supervise_abandon(&w->supervisor);
	/* The descriptors first: a volume is not gone while this process holds it. */
	cleanup_close(&w->conn);
	w->conn = -1;
	root_close(&w->root);
	cleanup_close(&w->overlay_fd);
	w->overlay_fd = -1;
	cleanup_close(&w->cgroup_fd);
	w->cgroup_fd = -1;
	for (size_t i = 0; i < w->n_volumes; i++)
		volume_close(&w->volumes[i]);
	w->n_volumes = 0;
	event_log(w->psv, w->name, "start-failed", "%s", err->text);
	if (walk_down(w, reached, &ignored) < 0)
		walk_notice(w, "not everything could be taken away: %s", ignored.text);
	else
		(void)state_remove(w->psv, w->name, &ignored);
	return r;
}

/* The phase under the lock: nobody else is at work, so what is neither running nor stopped was interrupted. */
static int phase_now(const struct psv *psv, const char *name, enum vsv_phase *ret, enum vsv_phase *ret_written,
		     struct err *err)
{
	struct state st = { 0 };
	int r = read_state(psv, name, &st, err);

	if (r < 0)
		return r;
	*ret_written = st.phase;
	*ret = st.phase == VSV_RUNNING || st.phase == VSV_STOPPED ? state_phase(psv, name, &st) : VSV_FAILED;
	if (*ret == VSV_RUNNING && !inside_settled(st.init_pid, st.init_start))
		*ret = VSV_FAILED; /* it was dying while we looked */
	state_free(&st);
	return 0;
}

static int start_under_lock(const struct psv *psv, const char *name, const struct start_opts *opts, struct err *err)
{
	enum vsv_phase phase, written;
	struct walk w;
	int r = phase_now(psv, name, &phase, &written, err);

	if (r < 0)
		return r;
	if (phase == VSV_RUNNING) {
		r = lifecycle_supervisor(psv, name, err);
		return r < 0 ? r : LIFECYCLE_ALREADY;
	}
	if (phase == VSV_FAILED) {
		r = clean_up_fresh(psv, name, err);
		if (r < 0)
			return err_wrap(err, r, "cannot take away what is left of the last run");
	}
	walk_init(&w, psv, name, opts);
	r = psv_conf_load(psv, name, &w.conf_text, &w.conf, err);
	if (r == 0)
		r = start_locked(&w, err);
	walk_end(&w);
	return r;
}

int lifecycle_start(const struct psv *psv, const char *name, const struct start_opts *opts, struct err *err)
{
	_cleanup_close_ int lock = psv_lock(psv, name, "start", LOCK_WAIT_MS, opts->notice, err);

	return lock < 0 ? lock : start_under_lock(psv, name, opts, err);
}

int lifecycle_describe(const struct psv *psv, const char *name, const struct start_opts *opts, struct strlist *ret,
		       struct err *err)
{
	struct walk w;
	int r;

	walk_init(&w, psv, name, opts);
	r = psv_conf_load(psv, name, &w.conf_text, &w.conf, err);
	if (r == 0)
		r = steps[0].up(&w, err);
	for (size_t i = 0; r == 0 && i < n_steps; i++)
		steps[i].describe(&w, ret);
	walk_end(&w);
	return r;
}

static int stop_under_lock(const struct psv *psv, const char *name, int timeout_ms, struct err *err)
{
	enum vsv_phase phase, written;
	struct start_opts opts = { 0 };
	struct walk w;
	int r = phase_now(psv, name, &phase, &written, err);

	if (r < 0)
		return r;
	if (phase == VSV_STOPPED) {
		/* A kill may have come between the state file's end and its folder's; a recovery that ended without its
		 * supervisor leaves the control group that it ran in. */
		r = supervise_end(psv, name, err);
		r = r < 0 ? r : state_remove(psv, name, err);
		return r < 0 ? r : LIFECYCLE_ALREADY;
	}
	walk_init(&w, psv, name, &opts);
	w.stop_timeout_ms = timeout_ms ? timeout_ms : STOP_TIMEOUT_MS;
	r = read_state(psv, name, &w.st, err);
	if (r == 0) {
		w.st.phase = VSV_STOPPING;
		w.st.since = time(NULL);
		/* A full /run stops no stop: what stands in the file names all that is there, and a kill leaves it as failed. */
		(void)state_write(psv, name, &w.st, NULL);
		r = clean_up(&w, err);
	}
	walk_end(&w);
	if (r == 0)
		event_log(psv, name, "stopped", "%s", phase == VSV_RUNNING ? "by command" : "after a failure");
	return r < 0 ? r : LIFECYCLE_DONE;
}

int lifecycle_stop(const struct psv *psv, const char *name, int timeout_ms, void (*notice)(const char *line),
		   struct err *err)
{
	_cleanup_close_ int lock = psv_lock(psv, name, "stop", LOCK_WAIT_MS, notice, err);

	return lock < 0 ? lock : stop_under_lock(psv, name, timeout_ms, err);
}

/* is_managed: `vnas run` watches it, and ends with a stop. */
static bool is_managed(const struct psv *psv, const char *name)
{
	struct state st = { 0 };

	return supervise_find(psv, name, &st, NULL) == 0 && !cgroup_supervisor_is_ours(psv, name, st.supervisor_pid);
}

int lifecycle_restart(const struct psv *psv, const char *name, const struct start_opts *opts, struct err *err)
{
	char template_name[65];
	int r = psv_conf_load(psv, name, NULL, NULL, err);
	bool managed;

	/* What a start would refuse at once must not cost a server that runs. */
	if (r == 0 && opts->template_name)
		r = template_resolve(psv, opts->template_name, template_name, err);
	managed = r == 0 && is_managed(psv, name);
	if (r == 0)
		r = lifecycle_stop(psv, name, 0, opts->notice, err);
	if (r >= 0)
		r = lifecycle_start(psv, name, opts, err);
	if (r >= 0 && managed && opts->notice)
		opts->notice("it runs, but no more under `vnas run`: `systemctl start` of its unit lets systemd watch it again");
	return r;
}

/* It should run and does not: said by status, and tried again by the supervisor. */
static void remember_failure(const struct psv *psv, const char *name, const struct err *err)
{
	struct state st = { .phase = VSV_FAILED, .since = time(NULL), .failure = xstrdup(err->text) };

	(void)psv_id_get(psv, name, &st.id, NULL);
	(void)supervise_find(psv, name, &st, NULL);
	(void)state_write(psv, name, &st, NULL);
	state_free(&st);
}

int lifecycle_recover(const struct psv *psv, const char *name, void (*notice)(const char *line), struct err *err)
{
	/* The addresses were this server's a moment ago: asking the network for them would only cost time. */
	struct start_opts opts = { .no_probe = true, .notice = notice };
	_cleanup_close_ int lock = psv_lock(psv, name, "recover", LOCK_WAIT_MS, notice, err);
	enum vsv_phase phase, written;
	int exists, r = lock < 0 ? lock : phase_now(psv, name, &phase, &written, err);

	if (r < 0)
		return r;
	if (phase != VSV_FAILED)
		return LIFECYCLE_ALREADY;
	/* Before anything is taken away that says that it should run. */
	exists = psv_exists(psv, name, err);
	if (exists < 0)
		return exists;
	event_log(psv, name, "recover", "was %s", vsv_phase_name(written));
	r = clean_up_fresh(psv, name, err);
	/* VSV_FAILED in the file: an earlier recovery could not start it again. */
	if (r < 0 || (written != VSV_RUNNING && written != VSV_FAILED) || !exists)
		return r;
	r = start_under_lock(psv, name, &opts, err);
	if (r < 0)
		remember_failure(psv, name, err);
	return r < 0 ? r : LIFECYCLE_DONE;
}

int lifecycle_supervisor(const struct psv *psv, const char *name, struct err *err)
{
	_cleanup_close_ int alive = -1;
	struct state st = { 0 };
	int r = state_read(psv, name, &st, err);

	if (r < 0)
		return r;
	alive = pid_open_checked(st.supervisor_pid, st.supervisor_start);
	if (alive != -ESRCH) {
		state_free(&st);
		return alive >= 0 ? LIFECYCLE_ALREADY : err_set(err, alive, "cannot look for its supervisor: %s", strerror(-alive));
	}
	r = supervise_spawn(psv, name, &st, err);
	if (r == 0)
		r = state_write(psv, name, &st, err);
	state_free(&st);
	return r;
}

/* The gate knows the interfaces, too. */
static int tell_gate(const struct walk *w, struct err *err)
{
	struct gate_config gate;
	char dir[PATH_MAX];
	int r = walk_gate_config(w, &gate, err);

	if (r == 0)
		r = gate_serves(walk_bpf_dir(w->psv, dir, sizeof(dir)), gate.id, err);
	return r < 0 ? r : gate_set(dir, &gate, err);
}

/* One address.  1: something was missing and is back.  An interface that was deleted and made again has another index. */
static int reassert_one(struct walk *w, struct state_address *a, struct err *err)
{
	int r = walk_address_up(w, a, err);

	if (r != -ENODEV || w->st.link.kind != CONF_LINK_AUTO)
		return r;
	r = net_find_interface(&a->a, &a->ifindex, err);
	if (r == 0)
		r = state_write(w->psv, w->name, &w->st, err);
	if (r == 0)
		r = tell_gate(w, err);
	return r < 0 ? r : walk_address_up(w, a, err);
}

/* All of them, also after one that failed; the first failure is returned. */
static int reassert_all(struct walk *w, struct err *err)
{
	int first = 0;

	for (size_t i = 0; i < w->st.n_addresses; i++) {
		struct state_address *a = &w->st.addresses[i];
		struct err why = { 0 };
		char buf[96];
		int r = reassert_one(w, a, &why);

		(void)conf_address_str(&a->a, buf, sizeof(buf));
		if (r > 0) {
			event_log(w->psv, w->name, "address-restored", "%s", buf);
			r = walk_announce(w, a, 1, &why);
		}
		if (r >= 0 || first < 0)
			continue;
		first = err_wrap(&why, r, "address %s", buf);
		*err = why;
	}
	return first;
}

/* A bridge that was removed and made again has another index, too: the gate is told it before anything comes from there, whoever makes
 * the port one. */
static int rejoin(struct walk *w, struct err *err)
{
	struct err why = { 0 };
	int r = w->st.link.kind == CONF_LINK_VETH ? tell_gate(w, &why) : 0;

	if (r == 0)
		r = link_rejoin(&w->conf, &w->st.link, &why);
	/* Without the bridge there is nothing to join; status says so. */
	if (r == 0 || r == -ENODEV)
		return 0;
	if (r < 0) {
		*err = why;
		return r;
	}
	event_log(w->psv, w->name, "interface-restored", "%s is a port of %s again", w->st.link.host, w->st.link.interface);
	return 0;
}

int lifecycle_reassert(const struct psv *psv, const char *name, struct err *err)
{
	_cleanup_close_ int lock = psv_lock(psv, name, "reassert", LOCK_WAIT_MS, NULL, err);
	enum vsv_phase phase, written;
	struct start_opts opts = { 0 };
	struct walk w;
	int r = lock < 0 ? lock : phase_now(psv, name, &phase, &written, err);

	if (r < 0 || phase != VSV_RUNNING)
		return r;
	walk_init(&w, psv, name, &opts);
	r = state_read(psv, name, &w.st, err);
	if (r == 0)
		r = running_conf_read(psv, name, &w.conf_text, &w.conf, err);
	if (r == 0)
		r = w.st.link.kind == CONF_LINK_AUTO ? net_loopback_up(w.st.id, err) : walk_net(&w, err);
	if (r >= 0)
		r = rejoin(&w, err);
	if (r >= 0)
		r = reassert_all(&w, err);
	walk_end(&w);
	return r < 0 ? r : 0;
}

int lifecycle_announce(const struct psv *psv, const char *name, struct err *err)
{
	/* Under the lock, so that no address is announced that a stop has just taken away; but what holds it for long is a
	 * change, after which there is more to say. */
	_cleanup_close_ int lock = psv_lock(psv, name, "announce", ANNOUNCE_WAIT_MS, NULL, err);
	enum vsv_phase phase, written;
	struct start_opts opts = { 0 };
	struct walk w;
	int r = lock < 0 ? lock : phase_now(psv, name, &phase, &written, err);

	if (r < 0 || phase != VSV_RUNNING)
		return r;
	walk_init(&w, psv, name, &opts);
	r = state_read(psv, name, &w.st, err);
	if (r == 0)
		r = walk_net(&w, err);
	if (r == 0)
		r = walk_announce(&w, w.st.addresses, w.st.n_addresses, err);
	walk_end(&w);
	return r;
}
