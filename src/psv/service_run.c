/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/service_run.h"

#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/netns.h"
#include "lib/when.h"
#include "psv/conf.h"
#include "psv/inside.h"
#include "psv/inside_run.h"
#include "service/service.h"

enum { READY_TIMEOUT_MS = 60 * 1000, RESTART_TIMEOUT_MS = 5 * 1000, ENDS_MAX = 3, ENDS_MS = 50 };

/* ready_pause_ms: a start takes at most a sixtieth longer than the service needed, or a millisecond. */
static long ready_pause_ms(int64_t waited_ms)
{
	int64_t pause_ms = waited_ms / 64;

	return pause_ms < 1 ? 1 : pause_ms > 100 ? 100 : (long)pause_ms;
}

static int prepare(const struct service_host *h, const struct conf_service *c, struct err *err)
{
	for (size_t i = 0; i < c->prepare.n; i++) {
		_cleanup_strlist_ struct strlist words = { 0 };
		int r;

		(void)conf_words_split(c->prepare.v[i], &words);
		r = inside_must(h->ref, (const char *const *)words.v, NULL, err);
		if (r < 0)
			return err_wrap(err, r, "prepare");
	}
	return 0;
}

static void add_all(const char *const *words, struct strlist *ret)
{
	for (size_t i = 0; words && words[i]; i++)
		strlist_add(ret, words[i]);
}

int service_begin(const struct service_host *h, const struct conf *conf, const struct service *s, struct err *err)
{
	struct inside_service in = {
		.capabilities = s->capabilities,
		.stop_signal = s->stop_signal,
		.reload_signal = s->reload_signal,
		.file_handles = s->file_handles,
		.no_xattrs = s->no_xattrs,
	};
	int r = 0;

	(void)str_copy(in.name, sizeof(in.name), s->name);
	if (s->configured) {
		in.user = s->configured->user;
		/* user.NTACL is smbd's alone to write. */
		in.no_xattrs = true;
		r = prepare(h, s->configured, err);
	}
	if (r < 0)
		return r;
	service_argv(s, conf, &in.argv);
	add_all(s->records, &in.folders);
	add_all(s->env, &in.env);
	if (s->fresh)
		s->fresh(conf, &in.fresh);
	r = inside_service_start(h->conn, &in, err);
	strlist_free(&in.argv);
	strlist_free(&in.folders);
	strlist_free(&in.fresh);
	strlist_free(&in.env);
	return r;
}

/* check_ends: it fails again and again; before: how often it had ended when it was begun. */
static int check_ends(const struct service_host *h, const struct service *s, uint32_t before, struct err *err)
{
	_cleanup_free_ struct inside_status *list = NULL;
	size_t n = 0;
	int r = inside_status(h->conn, &list, &n, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].name, s->name) != 0 || list[i].restarts < before + ENDS_MAX)
			continue;
		(void)err_set(err, -EIO, "%s ended %u times instead of answering", s->name, list[i].restarts - before);
		return err_hint(err, -EIO, "`vnas logs %s` shows what it wrote", h->server);
	}
	return 0;
}

/* answers: asked in the network that it serves. */
static int answers(const struct service_host *h, const struct conf *conf, const struct service *s)
{
	struct netns_visit visit _cleanup_netns_ = NETNS_HOME;
	int r = netns_enter(h->net_fd, &visit, NULL);

	return r < 0 ? r : service_ready(s, conf, &conf->addresses[0].addr);
}

static int await(const struct service_host *h, const struct conf *conf, const struct service *s, uint32_t before,
		 int64_t deadline, struct err *err)
{
	int64_t began = now_ms(), look = began;

	if (conf->n_addresses == 0)
		return 0;
	for (;;) {
		int r = answers(h, conf, s);

		if (r != -EAGAIN)
			return r < 0 ? err_set(err, r, "%s gives a wrong answer: %m", s->name) : 0;
		/* PID 1 wakes up for it, maybe in the service's way. */
		if (now_ms() >= look) {
			r = check_ends(h, s, before, err);
			look = now_ms() + ENDS_MS;
		} else {
			r = 0;
		}
		if (r < 0)
			return r;
		if (now_ms() > deadline) {
			(void)err_set(err, -ETIME, "%s did not answer within %d s", s->name, (int)(deadline - began) / 1000);
			return err_hint(err, -ETIME, "`vnas logs %s` shows what it wrote", h->server);
		}
		sleep_ms(ready_pause_ms(now_ms() - began));
	}
}

int service_await(const struct service_host *h, const struct conf *conf, const struct service *s, struct err *err)
{
	return await(h, conf, s, 0, now_ms() + READY_TIMEOUT_MS, err);
}

int service_restart(const struct service_host *h, const struct conf *conf, const struct service *s, struct err *err)
{
	_cleanup_free_ struct inside_status *list = NULL;
	size_t n = 0, i = 0;
	int r = inside_status(h->conn, &list, &n, err);

	while (r == 0 && i < n && strcmp(list[i].name, s->name) != 0)
		i++;
	if (r == 0 && i == n)
		return 0;
	if (r == 0)
		r = inside_service_act(h->conn, s->name, INSIDE_RESTART, err);
	if (r == 0)
		r = await(h, conf, s, list[i].restarts, now_ms() + RESTART_TIMEOUT_MS, err);
	return r < 0 ? err_wrap(err, r, "service %s", s->name) : 0;
}

int service_restart_all(const struct service_host *h, const struct conf *conf, struct err *err)
{
	int64_t deadline = now_ms() + READY_TIMEOUT_MS;
	_cleanup_service_set_ struct service_set set = { 0 };
	_cleanup_free_ struct inside_status *list = NULL;
	size_t n = 0;
	int r = inside_status(h->conn, &list, &n, err);

	if (r == 0)
		r = inside_service_act(h->conn, NULL, INSIDE_RESTART, err);
	service_set_of(services, conf, &set);
	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct service *s = service_set_find(&set, list[i].name);

		if (s)
			r = await(h, conf, s, list[i].restarts, deadline, err);
	}
	return r;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* same_program: what PID 1 was told is the same. */
static bool same_program(const struct conf_service *a, const struct conf_service *b)
{
	return same_text(a->command, b->command) && same_text(a->user, b->user) && a->capabilities == b->capabilities &&
	       a->stop_signal == b->stop_signal;
}

static int end_old(const struct service_host *h, const struct conf *from, const struct conf *to, struct err *err)
{
	size_t rows = 0;

	while (services[rows])
		rows++;
	for (size_t i = rows; i > 0; i--) {
		const struct service *s = services[i - 1];
		int r = s->comes_and_goes && s->wanted(from) && !s->wanted(to) ? inside_service_remove(h->conn, s->name, err) : 0;

		if (r < 0)
			return err_wrap(err, r, "service %s", s->name);
	}
	for (size_t i = from->n_services; i > 0; i--) {
		const struct conf_service *old = &from->services[i - 1], *new = conf_service_find(to, old->name);
		int r = new && same_program(old, new) ? 0 : inside_service_remove(h->conn, old->name, err);

		if (r < 0)
			return err_wrap(err, r, "service %s", old->name);
	}
	return 0;
}

static bool is_new(const struct conf *from, const struct service *s)
{
	const struct conf_service *old = s->configured ? conf_service_find(from, s->name) : NULL;

	if (!s->configured)
		return s->comes_and_goes && !s->wanted(from);
	return !old || !same_program(old, s->configured);
}

/* begin_new: positive: the running template does not have it. */
static int begin_new(const struct service_host *h, const struct conf *from, const struct conf *to,
		     const struct service *s, struct err *err)
{
	_cleanup_strlist_ struct strlist had = { 0 }, has = { 0 };
	bool same_packages;
	int r = service_begin(h, to, s, err);

	if (r == -EEXIST)
		return 0; /* it was never ended */
	if (r != -ENOENT)
		return r;
	service_packages(from, &had);
	service_packages(to, &has);
	same_packages = had.n == has.n;
	for (size_t i = 0; same_packages && i < has.n; i++)
		same_packages = strcmp(had.v[i], has.v[i]) == 0;
	if (same_packages)
		return r;
	err_clear(err);
	return 1;
}

static int apply(const struct service_host *h, const struct conf *from, const struct conf *to,
		 struct strlist *ret_restart, struct err *err)
{
	_cleanup_service_set_ struct service_set set = { 0 };
	_cleanup_free_ bool *waits = NULL;
	int r = end_old(h, from, to, err);

	if (r < 0)
		return r;
	service_set_of(services, to, &set);
	waits = xcalloc(set.n, sizeof(*waits));
	for (size_t i = 0; i < set.n; i++) {
		if (!is_new(from, set.v[i]))
			continue;
		r = begin_new(h, from, to, set.v[i], err);
		if (r < 0)
			return err_wrap(err, r, "service %s", set.v[i]->name);
		if (r > 0 && ret_restart)
			strlist_addf(ret_restart, "[service %s] package", set.v[i]->name);
		waits[i] = r == 0;
	}
	/* Some answer only when others do. */
	for (size_t i = 0; i < set.n; i++) {
		r = waits[i] ? service_await(h, to, set.v[i], err) : 0;
		if (r < 0)
			return err_wrap(err, r, "service %s", set.v[i]->name);
	}
	return 0;
}

int service_change(const struct service_host *h, const struct conf *from, const struct conf *to,
		   struct strlist *ret_restart, struct err *err)
{
	struct err ignored = { 0 };
	int r = apply(h, from, to, ret_restart, err);

	if (r < 0)
		(void)apply(h, to, from, NULL, &ignored);
	return r;
}
