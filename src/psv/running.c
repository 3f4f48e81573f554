/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/running.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate/gate.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/netns.h"
#include "lib/printable.h"
#include "lib/process.h"
#include "psv/attach.h"
#include "psv/cgroup.h"
#include "psv/directory_inside.h"
#include "psv/inside.h"
#include "psv/lifecycle.h"
#include "psv/link.h"
#include "psv/resources.h"
#include "psv/template.h"
#include "psv/volume.h"
#include "psv/walk.h"
#include "service/samba.h"
#include "service/service.h"
#include "vsv/health.h"

/* What the programs inside may take of the time of `status`: they can be made to take all. */
enum { DIRECTORY_MS = 5000 };

int running_state(const struct psv *psv, const char *name, struct state *ret, struct err *err)
{
	struct state st = { 0 };
	int r = state_read(psv, name, &st, err);

	if (r < 0)
		return r;
	if (st.init_pid && state_phase(psv, name, &st) != VSV_STOPPED) {
		_cleanup_close_ int alive = pid_open_checked(st.init_pid, st.init_start);

		if (alive >= 0) {
			*ret = st;
			return 0;
		}
		if (alive != -ESRCH) {
			state_free(&st);
			return err_set(err, alive, "cannot look for its first process: %s", strerror(-alive));
		}
	}
	state_free(&st);
	(void)err_exit(err, VNAS_EXIT_NOT_RUNNING, -ESRCH, "it is not running");
	return err_hint(err, -ESRCH, "`vnas start %s` starts it", name);
}

int running_connect(const struct psv *psv, const char *name, struct err *err)
{
	struct state st = { 0 };
	int r = running_state(psv, name, &st, err);

	if (r == 0)
		r = inside_connect(st.init_pid, st.init_start, err);
	state_free(&st);
	return r;
}

static json_t *address_json(const struct conf_address *a)
{
	char buf[96];

	return json_string(conf_address_str(a, buf, sizeof(buf)));
}

/* supervisor_complains: whether the supervisor has found something wrong.  One look, for a list of a thousand. */
static bool supervisor_complains(const struct psv *psv, const char *name)
{
	char path[PATH_MAX];

	return str_format(path, sizeof(path), "%s/%s/degraded", psv->run, name) && access(path, F_OK) == 0;
}

static void set_since(json_t *o, const struct psv *psv, const char *name, const struct state *st, enum vsv_phase phase)
{
	char buf[32];

	json_object_set_new(o, "state", json_string(phase == VSV_RUNNING && supervisor_complains(psv, name)
							    ? "degraded" : vsv_phase_name(phase)));
	json_object_set_new(o, "since", phase == VSV_STOPPED ? json_null()
							     : json_string(time_rfc3339(st->since, buf, sizeof(buf))));
}

typedef int state_reader(const struct psv *psv, const char *name, struct state *ret, struct err *err);

static json_t *basic(const struct psv *psv, const char *name, state_reader *read, struct conf *conf, struct state *st,
		     enum vsv_phase *ret_phase)
{
	json_t *o = json_pack("{s:s}", "name", name), *addresses = json_array();
	struct err why = { 0 };
	char path[PATH_MAX];
	int bad;

	*ret_phase = VSV_STOPPED;
	if (read(psv, name, st, &why) == 0)
		*ret_phase = state_phase(psv, name, st);
	else
		json_object_set_new(o, "problem", json_string(why.text));
	set_since(o, psv, name, st, *ret_phase);
	bad = conf_read(psv_conf_path(psv, name, path), name, conf, &why);
	if (bad < 0)
		json_object_set_new(o, "problem", json_string(why.text));
	for (size_t i = 0; i < conf->n_addresses; i++)
		json_array_append_new(addresses, address_json(&conf->addresses[i]));
	json_object_set_new(o, "addresses", addresses);
	json_object_set_new(o, "hostname", conf->hostname ? json_string(conf->hostname) : json_null());
	json_object_set_new(o, "stack", bad < 0 ? json_null()
						: json_string(conf_stack_name(conf->stack)));
	if (conf->interface)
		json_object_set_new(o, "interface", json_string(conf->interface));
	return o;
}

int status_list(const struct psv *psv, json_t **ret, struct err *err)
{
	_cleanup_strlist_ struct strlist names = { 0 };
	json_t *list;
	int r = psv_list(psv, &names, err);

	if (r < 0)
		return r;
	list = json_array();
	for (size_t i = 0; i < names.n; i++) {
		struct conf conf = { 0 };
		struct state st = { 0 };
		enum vsv_phase phase;

		json_array_append_new(list, basic(psv, names.v[i], state_read_brief, &conf, &st, &phase));
		conf_free(&conf);
		state_free(&st);
	}
	*ret = list;
	return 0;
}

/* What is wrong with the volume that lies on that device; NULL: nothing. */
static const char *volume_problem(const struct state *st, const char *volume, const struct health_row *rows, int n)
{
	for (size_t i = 0; i < st->n_volumes; i++)
		for (int k = 0; strcmp(st->volumes[i].name, volume) == 0 && k < n; k++)
			if (rows[k].rdev == st->volumes[i].rdev)
				return health_words(rows[k].what);
	return NULL;
}

static json_t *volumes_json(const struct psv *psv, const char *name, const struct conf *conf, const struct state *st,
			    bool running, json_t *degraded)
{
	struct health_row rows[HEALTH_MAX];
	int n = running ? health_read(st->init_pid, rows, HEALTH_MAX) : 0;
	json_t *list = json_array();

	for (size_t i = 0; i < conf->n_volumes; i++) {
		const char *problem = volume_problem(st, conf->volumes[i].name, rows, n);
		const struct conf_volume *v = &conf->volumes[i];
		/* The root volume has no place of its own inside: its etc has. */
		_cleanup_close_ int fd = running ? open_inside(st->init_pid, v->mount ? v->mount : "/etc") : -1;
		char path[PATH_MAX] = "";
		struct statfs fs;
		json_t *o;

		(void)volume_path(psv, name, v, path, sizeof(path), NULL);
		o = json_pack("{s:s, s:s, s:s, s:I, s:s, s:s}", "name", v->name, "mount", v->mount ? v->mount : "/", "fs",
			      conf_fs_name(v->fs), "size", (json_int_t)v->size_bytes, "path", path, "uuid", v->uuid);
		if (fd >= 0 && fstatfs(fd, &fs) == 0) {
			uint64_t block = (uint64_t)fs.f_bsize, total = block * fs.f_blocks;

			json_object_set_new(o, "used", json_integer((json_int_t)(total - block * fs.f_bfree)));
			json_object_set_new(o, "free", json_integer((json_int_t)(block * fs.f_bavail)));
		} else if (running) {
			problem = problem ? problem : "it is not mounted";
		}
		if (problem) {
			json_object_set_new(o, "problem", json_string(problem));
			json_array_append_new(degraded, json_sprintf("volume %s: %s", v->name, problem));
		}
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *last_exit_json(int status)
{
	if (status == -1)
		return json_null();
	if (WIFSIGNALED(status))
		return json_sprintf("signal %d", WTERMSIG(status));
	return json_sprintf("status %d", WEXITSTATUS(status));
}

/* add_ill: what runs, but does not do its work, asked in the network that it serves. */
static void add_ill(const struct conf *conf, const struct state *st, const struct inside_status *s, json_t *degraded)
{
	_cleanup_close_ int net = st->link.kind == CONF_LINK_AUTO ? -1 : pid_open_checked(st->init_pid, st->init_start);
	struct netns_visit visit _cleanup_netns_ = NETNS_HOME;
	const struct service *row = service_find(s->name);
	char why[160];

	if (st->link.kind != CONF_LINK_AUTO && (net < 0 || netns_enter(net, &visit, NULL) < 0))
		return;
	if (s->state == INSIDE_RUNNING && row && row->ill && conf->n_addresses && row->wanted(conf) &&
	    row->ill(conf, &conf->addresses[0].addr, why, sizeof(why)))
		json_array_append_new(degraded, json_sprintf("service %s: %s", s->name, why));
}

static json_t *services_json(const struct conf *conf, const struct state *st, json_t *degraded)
{
	static const char *const words[] = { [INSIDE_RUNNING] = "running", [INSIDE_WAITING] = "waiting",
					     [INSIDE_STOPPED] = "stopped" };
	_cleanup_free_ struct inside_status *list = NULL;
	_cleanup_close_ int conn = -1;
	json_t *ret = json_array();
	struct err why = { 0 };
	size_t n = 0;

	conn = inside_connect(st->init_pid, st->init_start, &why);
	if (conn < 0 || inside_status(conn, &list, &n, &why) < 0) {
		json_array_append_new(degraded, json_sprintf("PID 1 does not answer: %s", why.text));
		return ret;
	}
	for (size_t i = 0; i < n; i++) {
		json_array_append_new(ret, json_pack("{s:s, s:s, s:o, s:f, s:i, s:o}", "name", list[i].name, "state",
						     words[list[i].state], "pid",
						     list[i].pid ? json_integer(list[i].pid) : json_null(),
						     "uptime_seconds", (double)list[i].uptime_ms / 1000, "restarts",
						     (int)list[i].restarts, "last_exit", last_exit_json(list[i].last_exit)));
		if (list[i].state != INSIDE_RUNNING)
			json_array_append_new(degraded, json_sprintf("service %s is %s", list[i].name, words[list[i].state]));
		add_ill(conf, st, &list[i], degraded);
	}
	return ret;
}

static json_t *limit_json(uint64_t used, uint64_t max, bool real)
{
	return json_pack("{s:I, s:o, s:b}", "used", (json_int_t)used, "max",
			 max ? json_integer((json_int_t)max) : json_null(), "enforced", real);
}

/* resource_json: processors as a number of them; of idle the weight is null. */
static json_t *resource_json(const struct resource *s)
{
	json_t *o = json_pack("{s:b}", "enforced", (int)s->real);

	if (s->unit == RESOURCE_WEIGHT)
		json_object_set_new(o, "weight", s->value ? json_integer((json_int_t)s->value) : json_null());
	else if (s->unit == RESOURCE_PROCESSORS)
		json_object_set_new(o, "max", json_real((double)s->value / 100));
	else if (s->unit == RESOURCE_LIST)
		json_object_set_new(o, "list", json_string(s->list));
	else
		json_object_set_new(o, s->unit == RESOURCE_BYTES ? "reserved" : "max", json_integer((json_int_t)s->value));
	return o;
}

/* add_resources: under the names of their keys, with _ for each blank. */
static void add_resources(const struct psv *psv, const char *name, const struct conf *conf, const struct state *st, json_t *limits,
		       json_t *warnings)
{
	struct resource list[RESOURCES_MAX];
	size_t n = resources_look(psv, name, conf, st, list);

	for (size_t i = 0; i < n; i++) {
		char key[32];

		(void)str_copy(key, sizeof(key), list[i].key);
		for (char *c = key; *c; c++)
			*c = *c == ' ' ? '_' : *c;
		json_object_set_new(limits, key, resource_json(&list[i]));
		if (!list[i].real && list[i].configured)
			json_array_append_new(warnings, json_sprintf("[limits] %s is not enforced: %s", list[i].key, list[i].why));
	}
}

static void add_usage(const struct psv *psv, const char *name, const struct conf *conf, const struct state *st, json_t *o,
		      json_t *warnings)
{
	struct cgroup_usage u;
	struct conf_limits l = cgroup_limits(&conf->limits);

	if (cgroup_usage(psv, name, &u, NULL) < 0)
		return;
	json_object_set_new(o, "limits",
			    json_pack("{s:o, s:o, s:{s:I, s:b}}", "memory",
				      limit_json(u.memory_bytes, u.memory_max_bytes, u.memory_real), "tasks",
				      limit_json(u.tasks, u.tasks_max, u.tasks_real), "files", "max", (json_int_t)l.files,
				      "enforced", true));
	json_object_set_new(json_object_get(json_object_get(o, "limits"), "memory"), "killed",
			    json_integer((json_int_t)u.memory_kills));
	if (u.memory_kills)
		json_array_append_new(warnings, json_sprintf("out of its memory, the kernel ended %llu of its processes",
							     (unsigned long long)u.memory_kills));
	add_resources(psv, name, conf, st, json_object_get(o, "limits"), warnings);
	json_object_set_new(o, "cpu_seconds", json_real((double)u.cpu_usec / 1e6));
	if (!u.memory_real)
		json_array_append_new(warnings, json_string("no controller enforces the memory limit here"));
	if (!u.tasks_real)
		json_array_append_new(warnings, json_string("no controller enforces the task limit here"));
}

static void add_refusals(const struct psv *psv, uint32_t id, json_t *o)
{
	uint64_t counts[GATE_KINDS];
	char dir[PATH_MAX];
	json_t *refused;

	if (gate_refusals(walk_bpf_dir(psv, dir, sizeof(dir)), id, counts, NULL) < 0)
		return;
	refused = json_object();
	for (size_t k = 0; k < GATE_KINDS; k++)
		json_object_set_new(refused, gate_kind_names[k], json_integer((json_int_t)counts[k]));
	json_object_set_new(o, "refused", refused);
}

static void add_template(const struct psv *psv, const struct conf *conf, const struct state *st, json_t *o,
			 json_t *warnings)
{
	_cleanup_strlist_ struct strlist extra = { 0 };
	char source[65];
	struct template *list = NULL;
	size_t n = 0;

	json_object_set_new(o, "template", json_string(st->template_name));
	service_packages(conf, &extra);
	if (conf->template_name || template_source(psv, &extra, source, NULL) < 0 || template_list(psv, &list, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		bool update = strcmp(list[i].name, st->template_name) == 0 && strcmp(list[i].source, source) != 0;

		if (strcmp(list[i].name, st->template_name) == 0)
			json_object_set_new(o, "template_update", json_boolean(update));
		if (update)
			json_array_append_new(warnings,
					      json_string("an update of the installed packages is there: a restart takes it"));
	}
	free(list);
}

/* UDP has no listen() by which the gate could find a socket for the other addresses (gate.h). */
static void add_udp_limit(const struct conf *conf, json_t *warnings)
{
	size_t four = 0;

	if (conf->stack != CONF_STACK_SHARED)
		return;
	for (size_t i = 0; i < conf->n_addresses; i++)
		four += conf->addresses[i].addr.family == AF_INET;
	if (four > 1 || conf->n_addresses - four > 1)
		json_array_append_new(warnings, json_string("a UDP service on the wildcard address is reached at the first address "
							    "of its family alone: bind it to each other one"));
}

static void add_supervisor(const struct state *st, json_t *o, json_t *warnings)
{
	_cleanup_close_ int alive = pid_open_checked(st->supervisor_pid, st->supervisor_start);

	json_object_set_new(o, "supervisor_pid", alive != -ESRCH ? json_integer(st->supervisor_pid) : json_null());
	if (alive == -ESRCH)
		json_array_append_new(warnings, json_string("it has no supervisor: `vnas start` gives it a new one"));
}

/* add_port: whether the Psv's end of its pair is a port of its bridge. */
static void add_port(const char *name, const char *bridge, json_t *degraded)
{
	struct link_info port, b;

	if (link_get(bridge, &b, NULL) < 0)
		json_array_append_new(degraded, json_sprintf("there is no bridge %s any more: make it again, and its supervisor makes %s "
							     "a port of it", bridge, name));
	else if (strcmp(b.kind, "bridge") != 0)
		json_array_append_new(degraded, json_sprintf("%s is no bridge any more: give the name back to one, and its supervisor makes %s "
							     "a port of it", bridge, name));
	else if (link_get(name, &port, NULL) < 0 || port.master != b.ifindex)
		json_array_append_new(degraded, json_sprintf("%s is no port of %s: its supervisor makes it one within seconds", name,
							     bridge));
}

/* add_link: how a private stack is joined to its network, and whether that works. */
static void add_link(const struct psv *psv, const char *name, const struct state *st, json_t *o, json_t *degraded)
{
	struct start_opts opts = { 0 };
	struct walk w;
	int works = -1;

	if (st->link.kind == CONF_LINK_AUTO)
		return;
	json_object_set_new(o, "link", json_string(conf_link_name(st->link.kind)));
	if (*st->link.host)
		json_object_set_new(o, "host_interface", json_string(st->link.host));
	walk_init(&w, psv, name, &opts);
	w.st.link = st->link;
	w.st.init_pid = st->init_pid;
	w.st.init_start = st->init_start;
	if (walk_net(&w, NULL) == 0)
		works = link_carrier(w.net_fd, NULL);
	walk_end(&w);
	if (works < 0)
		json_array_append_new(degraded, json_sprintf("its interface is gone: `vnas restart %s` makes another one", name));
	else if (works == 0)
		json_array_append_new(degraded, json_sprintf("its interface has no carrier: see `ip link show %s`",
							     *st->link.host ? st->link.host : st->link.interface));
	else if (*st->link.host)
		add_port(st->link.host, st->link.interface, degraded);
}

/* A running server that does less than it should is degraded, and says why. */
static void set_degraded(json_t *o, json_t *degraded)
{
	json_object_set_new(o, "state", json_string(json_array_size(degraded) ? "degraded" : "running"));
	json_object_set_new(o, "degraded", degraded);
}

/* What the services of files hang on besides themselves.  A Vsv whose directory is away serves on with what it knows. */
static void add_directory(const struct conf *conf, const struct state *st, json_t *o, json_t *degraded, json_t *warnings)
{
	const struct inside_ref ref = inside_ref_within(st->init_pid, st->init_start, DIRECTORY_MS);
	json_t *directory = json_pack("{s:s}", "type", conf_directory_name(conf->directory.type));
	struct err why = { 0 };
	char soon[256];
	int r;

	json_object_set_new(o, "directory", directory);
	r = directory_health(conf, &ref, &why);
	if (r == -ETIME)
		(void)err_set(&why, r, "no answer within %d s: `vnas directory test %s` says how far it comes", DIRECTORY_MS / 1000,
			      conf->name);
	if (r != 0) {
		printable_clean(why.text); /* words of the inside's, which may be cut; json_string() takes UTF-8 alone */
		json_object_set_new(directory, "state", json_string("degraded"));
		json_object_set_new(directory, "why", json_string(why.text));
		json_array_append_new(degraded, json_sprintf("its directory: %s", why.text));
		return;
	}
	json_object_set_new(directory, "state", json_string("ok"));
	if (directory_warning(conf, &ref, soon, sizeof(soon)))
		json_array_append_new(warnings, json_string(soon));
}

static void add_security(const struct conf *conf, json_t *o, json_t *warnings)
{
	_cleanup_strlist_ struct strlist weak = { 0 };
	struct samba_security s;

	samba_security(conf, &s);
	json_object_set_new(o, "smb", json_pack("{s:s, s:s, s:s, s:s}", "min_protocol", s.min_protocol, "ntlm", s.ntlm, "signing",
						s.signing, "encryption", s.encryption));
	samba_security_warnings(conf, &weak);
	for (size_t i = 0; i < weak.n; i++)
		json_array_append_new(warnings, json_string(weak.v[i]));
}

static void add_nfs(const struct conf *conf, json_t *o)
{
	_cleanup_strlist_ struct strlist names = { 0 };
	json_t *versions = json_array();

	conf_nfs_version_names(conf->nfs.versions, &names);
	for (size_t i = 0; i < names.n; i++)
		json_array_append_new(versions, json_string(names.v[i]));
	json_object_set_new(o, "nfs", json_pack("{s:o, s:i, s:i}", "versions", versions, "lease_s", (int)conf->nfs.lease_s, "grace_s",
						(int)conf->nfs.grace_s));
}

int status_full(const struct psv *psv, const char *name, json_t **ret, struct err *err)
{
	json_t *warnings = json_array(), *degraded = json_array(), *o;
	struct conf conf = { 0 };
	struct state st = { 0 };
	enum vsv_phase phase;
	bool running;

	(void)err;
	o = basic(psv, name, state_read, &conf, &st, &phase);
	running = phase == VSV_RUNNING;
	json_object_set_new(o, "volumes", volumes_json(psv, name, &conf, &st, running, degraded));
	if (running) {
		json_object_set_new(o, "init_pid", json_integer(st.init_pid));
		json_object_set_new(o, "generation", json_integer((json_int_t)st.generation));
		json_object_set_new(o, "services", services_json(&conf, &st, degraded));
		add_usage(psv, name, &conf, &st, o, warnings);
		add_refusals(psv, st.id, o);
		add_template(psv, &conf, &st, o, warnings);
		add_supervisor(&st, o, warnings);
		add_link(psv, name, &st, o, degraded);
		add_directory(&conf, &st, o, degraded, warnings);
		add_udp_limit(&conf, warnings);
		set_degraded(o, json_incref(degraded));
	}
	json_decref(degraded);
	if (conf.smb_enabled)
		add_security(&conf, o, warnings);
	if (conf_serves_nfs(&conf))
		add_nfs(&conf, o);
	if (phase == VSV_FAILED && st.failure)
		json_array_append_new(warnings, json_sprintf("it should run and cannot: %s", st.failure));
	else if (phase == VSV_FAILED)
		json_array_append_new(warnings, json_string("it was interrupted: `vnas start` or `vnas stop` repairs it"));
	if (json_object_get(o, "problem"))
		json_array_append_new(warnings, json_incref(json_object_get(o, "problem")));
	json_object_set_new(o, "warnings", warnings);
	conf_free(&conf);
	state_free(&st);
	*ret = o;
	return 0;
}
