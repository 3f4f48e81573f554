/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/preflight.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/str.h"
#include "psv/conf.h"
#include "psv/preflight_private.h"
#include "service/service.h"

/* In the order in which an administrator would go about it. */
static const struct {
	const char *what;
	preflight_check *check;
	bool needs_conf;
	bool must; /* a start that goes on without it can take from the Psv what is its own */
} checks[] = {
	{ .what = "the kernel", .check = preflight_kernel },
	{ .what = "the programs", .check = preflight_programs },
	{ .what = "the packages", .check = preflight_packages, .needs_conf = true },
	{ .what = "the services", .check = preflight_services, .needs_conf = true },
	{ .what = "the time zone", .check = preflight_timezone, .needs_conf = true },
	{ .what = "smb.conf", .check = preflight_smb_conf, .needs_conf = true },
	{ .what = "the other servers", .check = preflight_servers, .needs_conf = true },
	{ .what = "the interface", .check = preflight_link, .needs_conf = true, .must = true },
	{ .what = "the addresses", .check = preflight_addresses, .needs_conf = true, .must = true },
	{ .what = "the ports", .check = preflight_listeners, .needs_conf = true },
};

static struct preflight_problem *add(struct preflight_run *run, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
static struct preflight_problem *add(struct preflight_run *run, const char *fmt, va_list ap)
{
	struct preflight_problem *p;

	run->found.v = xrealloc(run->found.v, run->found.n + 1, sizeof(*run->found.v));
	p = &run->found.v[run->found.n++];
	*p = (struct preflight_problem){ 0 };
	(void)vsnprintf(p->text, sizeof(p->text), fmt, ap);
	return p;
}

struct preflight_problem *preflight_obstacle(struct preflight_run *run, enum vnas_exit status, const char *fmt, ...)
{
	struct preflight_problem *p;
	va_list ap;

	va_start(ap, fmt);
	p = add(run, fmt, ap);
	va_end(ap);
	p->exit = status;
	run->found.n_obstacles++;
	return p;
}

struct preflight_problem *preflight_warning(struct preflight_run *run, const char *fmt, ...)
{
	struct preflight_problem *p;
	va_list ap;

	va_start(ap, fmt);
	p = add(run, fmt, ap);
	va_end(ap);
	p->warning = true;
	return p;
}

void preflight_hint(struct preflight_problem *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(p->hint, sizeof(p->hint), fmt, ap);
	va_end(ap);
}

static int summary(const struct preflight *found, struct err *err)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };
	const struct preflight_problem *first = NULL;

	for (size_t i = 0; i < found->n; i++) {
		if (found->v[i].warning)
			continue;
		first = first ? first : &found->v[i];
		strbuf_addf(&text, "%s%s", text.len ? "; " : "", found->v[i].text);
	}
	if (!first)
		return 0;
	if (found->n_obstacles > 1)
		(void)err_exit(err, first->exit, -EBUSY, "%zu things are in the way: %s", found->n_obstacles, strbuf_str(&text));
	else
		(void)err_exit(err, first->exit, -EBUSY, "%s", strbuf_str(&text));
	return err_hint(err, -EBUSY, "%s", first->hint);
}

int preflight(const struct psv *psv, const char *name, const struct conf *conf, const struct preflight_opts *opts,
	      struct preflight *ret, struct err *err)
{
	_cleanup_service_set_ struct service_set set = { 0 };
	_cleanup_free_ bool *address_told = xcalloc(conf ? conf->n_addresses : 0, sizeof(*address_told));
	struct preflight_run run = {
		.psv = psv, .name = name, .conf = conf, .opts = opts, .address_told = address_told,
	};
	int r;

	if (conf && opts->services) {
		service_set_of(opts->services, conf, &set);
		run.services = set.v;
	}
	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++) {
		struct err why = { 0 };

		if (checks[i].needs_conf && !conf)
			continue;
		/* Most of what cannot be looked at will fail by itself if it is in the way: no reason to refuse. */
		if (checks[i].check(&run, &why) < 0)
			preflight_hint(checks[i].must ? preflight_obstacle(&run, VNAS_EXIT_FAILED, "cannot check %s: %s", checks[i].what, why.text) :
							preflight_warning(&run, "cannot check %s: %s", checks[i].what, why.text), "%s", why.hint);
	}
	r = summary(&run.found, err);
	if (!ret) {
		preflight_free(&run.found);
		return r;
	}
	*ret = run.found;
	return r;
}

void preflight_free(struct preflight *p)
{
	free(p->v);
	*p = (struct preflight){ 0 };
}
