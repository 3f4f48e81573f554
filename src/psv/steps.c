/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life cycle's table.  The order is the design: nothing of a tenant's runs before the gate and the limits stand, an
 * address is announced when the services behind it answer, and a stop takes everything away in the opposite order.
 *
 * What a step makes is of two kinds.  Volumes, mounts, loop devices and namespaces live as long as a descriptor or
 * process of the Vsv's, so a kill takes them away.  Cgroups, addresses, rules and entries of the gate's maps do not; they
 * are named by the Vsv's name and number alone, so that the next command can take them away without having seen them. */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gate/gate.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/process.h"
#include "lib/weaken.h"
#include "psv/cgroup.h"
#include "psv/inside.h"
#include "psv/lifecycle.h"
#include "psv/preflight.h"
#include "psv/resources.h"
#include "psv/steps.h"
#include "psv/supervise.h"
#include "psv/template.h"
#include "psv/walk.h"
#include "service/capability.h"
#include "service/service.h"

#define CAP(c) (1ULL << (c))

/* What an administrator inside needs to look after users, files and services: rights over files that are the Vsv's own
 * anyway.  CAP_DAC_READ_SEARCH is not among them: it opens files by handle, past every mount (open_by_handle_at(2)). */
#define ADMIN_CAPABILITIES                                                                              \
	(CAP(CAP_CHOWN) | CAP(CAP_DAC_OVERRIDE) | CAP(CAP_FOWNER) | CAP(CAP_FSETID) | CAP(CAP_KILL) |   \
	 CAP(CAP_SETGID) | CAP(CAP_SETUID) | CAP(CAP_NET_BIND_SERVICE))

enum {
	KILL_TIMEOUT_MS = 10 * 1000,
	RELEASE_TIMEOUT_MS = 10 * 1000,
};

/* preflight */

static void preflight_describe(const struct walk *w, struct strlist *ret)
{
	(void)w;
	strlist_add(ret, "preflight: check addresses, volumes, names, ports, kernel features and packages");
}

static int preflight_up(struct walk *w, struct err *err)
{
	struct preflight_opts opts = { .services = services };
	struct preflight found = { 0 };
	int r = preflight(w->psv, w->name, &w->conf, &opts, &found, err);

	for (size_t i = 0; i < found.n; i++)
		if (found.v[i].warning)
			walk_notice(w, "%s", found.v[i].text);
	preflight_free(&found);
	/* A start has found them before it wrote its state. */
	return r < 0 || w->st.n_addresses ? r : walk_find_addresses(&w->conf, &w->st, err);
}

/* volumes */

static void volumes_describe(const struct walk *w, struct strlist *ret)
{
	for (size_t i = 0; i < w->conf.n_volumes; i++) {
		char path[PATH_MAX];

		if (volume_path(w->psv, w->name, &w->conf.volumes[i], path, sizeof(path), NULL) == 0)
			strlist_addf(ret, "volumes: lock, attach and begin to mount %s (%s)", w->conf.volumes[i].name, path);
	}
}

/* The kernel reads the filesystems, all at once, while the next steps are done. */
static int volumes_up(struct walk *w, struct err *err)
{
	int r;

	w->volumes = xcalloc(w->conf.n_volumes, sizeof(*w->volumes));
	for (size_t i = 0; i < w->conf.n_volumes; i++) {
		/* Older than this machine knows is refused; a kill between the label and the registry leaves newer ones. */
		r = volume_open(w->psv, w->name, &w->conf.volumes[i], w->st.generation, &w->volumes[i], err);
		if (r < 0)
			return r;
		w->n_volumes++;
		walk_add_device(w, w->conf.volumes[i].name, w->volumes[i].rdev);
	}
	r = volumes_check(w->psv, w->volumes, w->n_volumes, err);
	for (size_t i = 0; r == 0 && i < w->n_volumes; i++)
		r = volume_mount_begin(&w->volumes[i], err);
	return r;
}

static int volumes_down(struct walk *w, struct err *err)
{
	/* The kernel releases them by itself, a few milliseconds after the last process is gone. */
	for (size_t i = 0; i < w->conf.n_volumes; i++) {
		int r = volume_wait_gone(w->psv, w->name, &w->conf.volumes[i], RELEASE_TIMEOUT_MS, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* template */

static void template_describe(const struct walk *w, struct strlist *ret)
{
	const char *name = w->opts->template_name ? w->opts->template_name : w->conf.template_name;

	strlist_addf(ret, "template: mount /usr from %s", name ? name : "the template of the installed packages");
}

static int choose_template(struct walk *w, struct err *err)
{
	const char *given = w->opts->template_name ? w->opts->template_name : w->conf.template_name;
	_cleanup_strlist_ struct strlist extra = { 0 };
	struct template t;
	int r;

	if (given) {
		char name[65];

		r = template_resolve(w->psv, given, name, err);
		if (r == 0)
			(void)str_copy(w->st.template_name, sizeof(w->st.template_name), name);
		return r;
	}
	service_packages(&w->conf, &extra);
	r = template_build(w->psv, &extra, &t, w->opts->notice, err);
	if (r < 0) {
		struct err why = *err;

		/* What ran yesterday still runs when the packages of today cannot be read. */
		if (template_newest(w->psv, &extra, &t, NULL) != 0)
			return err_wrap(err, r, "cannot make a template");
		walk_notice(w, "cannot make a template of the installed packages (%s): an older one is taken", why.text);
		err_clear(err);
	}
	(void)str_copy(w->st.template_name, sizeof(w->st.template_name), t.name);
	return 0;
}

static int template_up(struct walk *w, struct err *err)
{
	int r = choose_template(w, err);

	if (r < 0)
		return r;
	w->overlay_fd = template_overlay(w->psv, w->st.template_name, err);
	return w->overlay_fd < 0 ? w->overlay_fd : 0;
}

/* cgroup */

static void cgroup_describe(const struct walk *w, struct strlist *ret)
{
	struct conf_limits l = cgroup_limits(&w->conf.limits);
	_cleanup_strbuf_ struct strbuf resources = { 0 };
	char buf[16];

	resources_text(&w->conf, &resources);
	strlist_addf(ret, "cgroup: %s/%s, memory %s, tasks %u, %s", w->psv->tag, w->name,
		     size_human(l.memory_bytes, buf, sizeof(buf)), l.tasks, strbuf_str(&resources));
}

static int cgroup_step_up(struct walk *w, struct err *err)
{
	w->cgroup_fd = cgroup_up(w->psv, w->name, &w->conf.limits, err);
	return w->cgroup_fd < 0 ? w->cgroup_fd : 0;
}

static int cgroup_step_down(struct walk *w, struct err *err)
{
	int r = resources_down(w, err);

	if (r == 0)
		r = cgroup_kill(w->psv, w->name, KILL_TIMEOUT_MS, err);

	return r < 0 ? r : cgroup_down(w->psv, w->name, err);
}

/* gate */

static void gate_describe(const struct walk *w, struct strlist *ret)
{
	strlist_addf(ret, "gate: allow %zu addresses and %zu block devices, refuse the rest", w->conf.n_addresses,
		     w->conf.n_volumes);
}

static int gate_up(struct walk *w, struct err *err)
{
	struct gate_config c;
	char dir[PATH_MAX];
	int r = walk_gate_config(w, &c, err);

	if (r < 0)
		return r;
	(void)walk_bpf_dir(w->psv, dir, sizeof(dir));
	r = gate_ensure(dir, err);
	if (r == 0)
		r = gate_set(dir, &c, err);
	if (r == 0 && !weakened("gate"))
		r = gate_attach(dir, w->cgroup_fd, w->st.id, err);
	if (r == 0 && w->net_fd >= 0)
		r = gate_inside_up(dir, w->st.id, w->net_fd,
				   w->st.n_addresses ? w->st.addresses[0].ifindex : GATE_INSIDE + w->st.id, err);
	return r;
}

static int gate_down(struct walk *w, struct err *err)
{
	char dir[PATH_MAX];

	(void)event_fetch(w->psv, w->name, &w->st);
	return gate_clear(walk_bpf_dir(w->psv, dir, sizeof(dir)), w->st.id, err);
}

/* root */

static void root_describe(const struct walk *w, struct strlist *ret)
{
	(void)w;
	strlist_add(ret, "root: put the root together from the template and a place for what is generated");
}

static int root_up(struct walk *w, struct err *err)
{
	return root_begin(&w->conf, w->volumes, w->n_volumes, steal_fd(&w->overlay_fd), &w->root, err);
}

/* filesystems */

static void filesystems_describe(const struct walk *w, struct strlist *ret)
{
	for (size_t i = 0; i < w->conf.n_volumes; i++)
		strlist_addf(ret, "filesystems: mount %s (%s) at %s", w->conf.volumes[i].name,
			     conf_fs_name(w->conf.volumes[i].fs), w->conf.volumes[i].mount ? w->conf.volumes[i].mount : "/");
}

static int filesystems_up(struct walk *w, struct err *err)
{
	int r;

	for (size_t i = 0; i < w->n_volumes; i++) {
		r = volume_mount_end(&w->volumes[i], err);
		if (r < 0)
			return r;
		if (r > 0) {
			walk_notice(w, "volume %s was not clean and was repaired", w->volumes[i].conf->name);
			event_log(w->psv, w->name, "volume-repaired", "%s", w->volumes[i].conf->name);
		}
	}
	r = volumes_advance(w->psv, w->volumes, w->n_volumes, w->conf_text, err);
	if (r < 0)
		return r;
	w->st.generation = w->volumes[0].label.generation;
	r = root_add_volumes(&w->root, w->volumes, w->n_volumes, err);
	/* A bound of v1 is the device's, for whoever uses it: not before the kernel, and fsck perhaps, have read and mended it. */
	return r < 0 ? r : resources_up(w, true, err);
}

/* init */

static void init_describe(const struct walk *w, struct strlist *ret)
{
	strlist_addf(ret, "init: PID 1 in new pid, mount, ipc, uts and cgroup namespaces, host name %s", w->conf.hostname);
}

static int init_enter(void *arg, struct err *err)
{
	const struct walk *w = arg;

	return cgroup_enter_v1(w->psv, w->name, err);
}

static int init_before_go(pid_t pid, void *arg, struct err *err)
{
	struct walk *w = arg;

	w->st.init_pid = pid;
	if (pid_start_time(pid, &w->st.init_start) < 0)
		return err_set(err, -ESRCH, "PID 1 ended at once");
	return state_write(w->psv, w->name, &w->st, err);
}

/* While PID 1 comes up: the supervisor's program is loaded and takes its lock, and what the Psv generates is written.  PID 1
 * itself reads none of that, and runs nothing yet that does. */
static int init_meanwhile(void *arg, struct err *err)
{
	struct walk *w = arg;
	int r = 0;

	supervise_abandon(&w->supervisor);
	if (!w->opts->foreground)
		r = supervise_begin(w->psv, w->name, &w->st, &w->supervisor, err);
	return r < 0 ? r : root_generate(&w->conf, w->root.conf_fd, err);
}

uint64_t walk_bounding(const struct conf *conf)
{
	/* A service that is added later has no other bounding set. */
	uint64_t set = ADMIN_CAPABILITIES | capability_allowed();

	for (size_t i = 0; services[i]; i++)
		if (services[i]->comes_and_goes || services[i]->wanted(conf))
			set |= services[i]->capabilities;
	return set;
}

/* For lib/weaken.h: one right more. */
static const struct {
	const char *name;
	int capability;
} too_many[] = {
	{ "capability-sys-admin", CAP_SYS_ADMIN },   { "capability-net-admin", CAP_NET_ADMIN },
	{ "capability-net-raw", CAP_NET_RAW },       { "capability-mknod", CAP_MKNOD },
	{ "capability-sys-ptrace", CAP_SYS_PTRACE }, { "capability-sys-time", CAP_SYS_TIME },
	{ "capability-sys-nice", CAP_SYS_NICE },
};

static int init_up(struct walk *w, struct err *err)
{
	_cleanup_close_ int base = root_base(w->psv);
	struct inside_spawn s = {
		.hostname = w->conf.hostname,
		.domainname = w->conf.directory.domain ? w->conf.directory.domain : "",
		.cgroup_fd = w->cgroup_fd,
		.root = &w->root,
		.nofile = cgroup_limits(&w->conf.limits).files,
		.bounding = walk_bounding(&w->conf),
		.net_fd = w->net_fd >= 0 ? &w->net_fd : NULL,
		.base_fd = &base,
		.enter = init_enter,
		.before_go = init_before_go,
		.meanwhile = init_meanwhile,
		.arg = w,
	};
	pid_t pid;
	int r;

	for (size_t i = 0; i < sizeof(too_many) / sizeof(*too_many); i++)
		if (weakened(too_many[i].name))
			s.bounding |= UINT64_C(1) << too_many[i].capability;
	r = inside_spawn(&s, &pid, err);
	if (r < 0)
		supervise_abandon(&w->supervisor);
	return r;
}

static int init_down(struct walk *w, struct err *err)
{
	int r;

	/* Its network is entered before it is gone. */
	(void)walk_net(w, NULL);
	/* As in services_down(), which a start that failed has not come to. */
	(void)resources_down(w, NULL);
	/* Everything in the cgroup, and with it PID 1: also what a kill left before its number was written down. */
	r = cgroup_kill(w->psv, w->name, KILL_TIMEOUT_MS, err);

	if (r == 0)
		w->st.init_pid = 0;
	/* The supervisor is begun beside PID 1: when its own step was not reached, its control group is there. */
	return r < 0 ? r : cgroup_supervisor_down(w->psv, w->name, err);
}

/* supervisor */

static void supervisor_describe(const struct walk *w, struct strlist *ret)
{
	(void)w;
	strlist_add(ret, "supervisor: watch over it");
}

/* let_go: the mounts are the Vsv's: when it ends, they end. */
static void let_go(struct walk *w)
{
	root_close(&w->root);
	for (size_t i = 0; i < w->n_volumes; i++)
		volume_close(&w->volumes[i]);
	w->n_volumes = 0;
}

static int supervisor_up(struct walk *w, struct err *err)
{
	if (!w->opts->foreground)
		supervise_go(&w->supervisor);
	/* While it attaches: the kernel waits for its readers (RCU) before a detached mount is closed. */
	let_go(w);
	return w->opts->foreground ? 0 : supervise_await(w->psv, w->name, &w->supervisor, &w->st, err);
}

static int supervisor_down(struct walk *w, struct err *err)
{
	/* One that runs `vnas recover` is our own parent: it follows the state file to the new PID 1. */
	if (w->st.supervisor_pid && w->st.supervisor_pid == getppid())
		return 0;
	return supervise_end(w->psv, w->name, err);
}

const struct step steps[] = {
	{ "preflight", preflight_describe, preflight_up, NULL },
	{ "network", network_describe, network_up, network_down },
	{ "probe", probe_describe, probe_up, NULL },
	{ "volumes", volumes_describe, volumes_up, volumes_down },
	{ "template", template_describe, template_up, NULL },
	{ "cgroup", cgroup_describe, cgroup_step_up, cgroup_step_down },
	{ "gate", gate_describe, gate_up, gate_down },
	{ "addresses", addresses_describe, addresses_up, addresses_down },
	{ "root", root_describe, root_up, NULL },
	{ "filesystems", filesystems_describe, filesystems_up, NULL },
	{ "init", init_describe, init_up, init_down },
	/* Before the services: what they write when they cannot start is what an administrator wants to read. */
	{ "supervisor", supervisor_describe, supervisor_up, supervisor_down },
	{ "services", services_describe, services_up, services_down },
	{ "announce", announce_describe, announce_up, NULL },
};
const size_t n_steps = sizeof(steps) / sizeof(*steps);
