/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the Psv sees of a Vsv's processes, by /proc.  Nothing here asks anybody inside, and no path goes through a folder of
 * the inside: magic links are looked at, never walked through. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "psv/cgroup.h"
#include "psv/resources.h"
#include "psv/walk.h"
#include "verify/internal.h"
#include "vsv/confine.h"

enum { PROCS_MAX_BYTES = 1024 * 1024 };

const char *const namespace_names[NAMESPACES] = {
	"mnt", "pid", [NAMESPACE_IPC] = "ipc", "uts", "cgroup", [NAMESPACE_NET] = "net",
};

const struct look looks[] = {
	{ "look-gate-programs", ROW_GATE, "every program of the gate is attached", look_gate_programs, NULL },
	{ "look-gate-lookup", ROW_GATE, "attached and pinned", look_gate_lookup, NULL },
	{ "look-gate-addresses", ROW_GATE, "the gate knows each address as its own", look_gate_addresses, NULL },
	{ "look-gate-stranger", ROW_GATE, "who is nobody is refused by each program", look_gate_stranger, NULL },
	{ "look-loopback", ROW_LOOPBACK, "ECONNREFUSED", look_loopback, NULL },
	{ "look-rights", ROW_RIGHTS, "no process has a right that it was not given", look_rights, NULL },
	{ "look-filter", ROW_RIGHTS, "every process has the system call filter", look_filter, NULL },
	{ "look-group", ROW_GATE, "every process is in its control group", look_group, NULL },
	{ "look-mounts", ROW_OUTSIDE_FILES, "its own file systems alone", look_mounts, NULL },
	{ "look-proc", ROW_PROC, "subset=pid", look_proc, NULL },
	{ "look-descriptors", ROW_OUTSIDE_FILES, "no descriptor of a file outside", look_descriptors, NULL },
	{ "look-limits", ROW_EXHAUST, "memory and tasks are limited", look_limits, NULL },
	{ "look-own-limits", ROW_EXHAUST, "no core dump of the physical server's, no message queue", look_own_limits, NULL },
	{ "look-ingress-tcp", ROW_INGRESS, "ECONNREFUSED", look_ingress_tcp, NULL },
	{ "look-ingress-udp", ROW_INGRESS, "nothing arrives", look_ingress_udp, NULL },
	{ "look-sockets", ROW_ADDRESS, "its sockets stand on its own addresses", look_sockets, NULL },
	{ "look-namespaces", ROW_NAMESPACE, "its own", NULL, look_namespaces },
	{ "look-ipc", ROW_IPC, "an IPC namespace of its own", NULL, look_ipc },
	{ "look-targets", ROW_REACH, "all of its addresses were tried", NULL, look_targets },
	{ "look-superblocks", ROW_OUTSIDE_FILES, "none in common", NULL, look_superblocks },
};
const size_t n_looks = sizeof(looks) / sizeof(*looks);

static void each_listed(const struct server *s, const char *list, bool (*f)(pid_t pid, void *arg), void *arg)
{
	_cleanup_free_ char *text = NULL;
	char *save = NULL;

	if (s->cgroup_fd < 0 || file_read_at(s->cgroup_fd, list, PROCS_MAX_BYTES, &text, NULL) < 0)
		return;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		uint32_t pid;

		if (parse_u32(line, INT32_MAX, &pid) == 0 && pid > 0 && !f((pid_t)pid, arg))
			return;
	}
}

void each_process(const struct server *s, bool (*f)(pid_t pid, void *arg), void *arg)
{
	each_listed(s, "cgroup.procs", f, arg);
}

void each_thread(const struct server *s, bool (*f)(pid_t tid, void *arg), void *arg)
{
	each_listed(s, "cgroup.threads", f, arg);
}

/* ---- rights ---- */

const char *status_value(const char *status, const char *key)
{
	const char *p = strstr(status, key);

	return p ? p + strlen(key) + strspn(p + strlen(key), " \t") : NULL;
}

bool status_read(pid_t pid, char **ret)
{
	_cleanup_free_ char *text = NULL;
	const char *state;
	char path[40];

	(void)str_format(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (file_read_at(AT_FDCWD, path, 64 * 1024, &text, NULL) < 0)
		return false;
	state = status_value(text, "\nState:");
	if (!state || *state == 'Z' || *state == 'X')
		return false;
	*ret = steal_ptr(&text);
	return true;
}

struct rights {
	uint64_t allowed;
	pid_t init;        /* it hands nothing on */
	size_t n;
	pid_t pid;         /* the first that has more; 0: none */
	const char *what;
};

static bool check_rights(pid_t pid, void *arg)
{
	static const char *const sets[] = { "\nCapInh:", "\nCapPrm:", "\nCapEff:", "\nCapBnd:", "\nCapAmb:" };
	_cleanup_free_ char *status = NULL;
	struct rights *r = arg;
	const char *nnp;

	if (!status_read(pid, &status))
		return true;
	r->n++;
	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
		const char *set = status_value(status, sets[i]);

		if (!set || strtoull(set, NULL, 16) & ~r->allowed) {
			r->pid = pid;
			r->what = "has a capability that it was not given";
			return false;
		}
		if (pid == r->init && (i == 0 || i == 4) && strtoull(set, NULL, 16)) {
			r->pid = pid;
			r->what = "hands its capabilities on";
			return false;
		}
	}
	nnp = status_value(status, "\nNoNewPrivs:");
	if (!nnp || *nnp != '1') {
		r->pid = pid;
		r->what = "could get new privileges";
	}
	return r->pid == 0;
}

enum verdict say_process(pid_t pid, const char *what, size_t n, char *answer, size_t size)
{
	char comm[32];

	if (pid == 0) {
		(void)str_format(answer, size, "%zu tasks", n);
		return n ? VERDICT_REFUSED : VERDICT_OPEN;
	}
	(void)str_format(answer, size, "process %d (%s) %s", (int)pid, pid_comm(pid, comm, sizeof(comm)), what);
	return VERDICT_THROUGH;
}

enum verdict look_rights(struct verify *v, struct server *s, char *answer, size_t size)
{
	struct rights r = { .init = s->st.init_pid };

	(void)v;
	if (!s->has_conf) {
		(void)str_copy(answer, size, "its configuration cannot be read");
		return VERDICT_OPEN;
	}
	r.allowed = walk_bounding(&s->conf) | CONFINE_OWN_CAPABILITIES;
	each_thread(s, check_rights, &r);
	return say_process(r.pid, r.what, r.n, answer, size);
}

static bool check_filter(pid_t pid, void *arg)
{
	_cleanup_free_ char *status = NULL;
	struct rights *r = arg;
	const char *mode;

	if (!status_read(pid, &status))
		return true;
	r->n++;
	mode = status_value(status, "\nSeccomp:");
	if (mode && *mode == '2')
		return true;
	r->pid = pid;
	r->what = "has no system call filter";
	return false;
}

static enum verdict check_each(const struct server *s, void (*each)(const struct server *s, bool (*f)(pid_t pid, void *arg), void *arg),
			       bool (*check)(pid_t pid, void *arg), char *answer, size_t size)
{
	struct rights r = { .n = 0 };

	each(s, check, &r);
	return say_process(r.pid, r.what, r.n, answer, size);
}

enum verdict look_filter(struct verify *v, struct server *s, char *answer, size_t size)
{
	(void)v;
	return check_each(s, each_thread, check_filter, answer, size);
}

/* check_limits: no core dump, which would run the Psv's core_pattern program, and no message queue, which are counted for the machine. */
static bool check_limits(pid_t pid, void *arg)
{
	static const struct {
		const char *key, *what;
		unsigned long long most;
	} limits[] = {
		{ "\nMax core file size", "may dump core, or feeds the program of core_pattern", 1 },
		{ "\nMax msgqueue size", "may have message queues", 0 },
	};
	_cleanup_free_ char *text = NULL;
	struct rights *r = arg;
	char path[40];

	(void)str_format(path, sizeof(path), "/proc/%d/limits", (int)pid);
	if (file_read_at(AT_FDCWD, path, 64 * 1024, &text, NULL) < 0)
		return true;
	r->n++;
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		const char *value = status_value(text, limits[i].key);

		/* "unlimited" is no number. */
		if (value && *value >= '0' && *value <= '9' && strtoull(value, NULL, 10) == limits[i].most)
			continue;
		r->pid = pid;
		r->what = limits[i].what;
		return false;
	}
	return true;
}

enum verdict look_own_limits(struct verify *v, struct server *s, char *answer, size_t size)
{
	(void)v;
	return check_each(s, each_process, check_limits, answer, size);
}

/* ---- the control group ---- */

struct is_in {
	pid_t pid;
	bool found;
};

static bool find_pid(pid_t pid, void *arg)
{
	struct is_in *is = arg;

	is->found = is->found || pid == is->pid;
	return !is->found;
}

static ino_t namespace_of(pid_t pid, const char *name)
{
	char path[48];
	struct stat st;

	(void)str_format(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* group_of: its group of version 2, as /proc has it; NULL: it is gone. */
static char *group_of(pid_t pid)
{
	_cleanup_free_ char *text = NULL;
	char path[40], *save = NULL;

	(void)str_format(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	if (file_read_at(AT_FDCWD, path, 64 * 1024, &text, NULL) < 0)
		return NULL;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (str_starts(line, "0::"))
			return xstrdup(line);
	return NULL;
}

/* With its first process, which is in the list of the group's own: to look for each of them there takes too long where they are many. */
enum verdict look_group(struct verify *v, struct server *s, char *answer, size_t size)
{
	ino_t ours = namespace_of(s->st.init_pid, "pid");
	_cleanup_closedir_ DIR *d = opendir("/proc");
	_cleanup_free_ char *group = group_of(s->st.init_pid);
	struct is_in first = { .pid = s->st.init_pid };
	struct dirent *e;
	size_t n = 0;

	(void)v;
	if (!ours || !d || !group) {
		(void)str_copy(answer, size, "its PID namespace cannot be read");
		return VERDICT_OPEN;
	}
	each_process(s, find_pid, &first);
	if (!first.found)
		return say_process(first.pid, "is in another control group", n, answer, size);
	while ((e = readdir(d))) {
		_cleanup_free_ char *its = NULL, *status = NULL;
		uint32_t pid;

		if (parse_u32(e->d_name, INT32_MAX, &pid) < 0 || namespace_of((pid_t)pid, "pid") != ours)
			continue;
		n++;
		its = group_of((pid_t)pid);
		/* It may have ended since. */
		if (its && strcmp(its, group) != 0 && status_read((pid_t)pid, &status))
			return say_process((pid_t)pid, "is in another control group", n, answer, size);
	}
	return say_process(0, NULL, n, answer, size);
}

/* not_enforced: the first key that the configuration has and the kernel does not enforce; NULL: none. */
static const char *not_enforced(const struct verify *v, const struct server *s)
{
	struct resource list[RESOURCES_MAX];
	size_t n = s->has_conf ? resources_look(v->psv, s->name, &s->conf, &s->st, list) : 0;

	for (size_t i = 0; i < n; i++)
		if (list[i].configured && !list[i].real)
			return list[i].key;
	return NULL;
}

enum verdict look_limits(struct verify *v, struct server *s, char *answer, size_t size)
{
	struct cgroup_usage u = { 0 };
	const char *key;

	if (cgroup_usage(v->psv, s->name, &u, NULL) < 0) {
		(void)str_copy(answer, size, "its limits cannot be read");
		return VERDICT_OPEN;
	}
	key = not_enforced(v, s);
	if (key) {
		(void)str_format(answer, size, "[limits] %s is not enforced", key);
		return VERDICT_OPEN;
	}
	if (u.memory_real && u.memory_max_bytes && u.tasks_real && u.tasks_max) {
		(void)str_format(answer, size, "%llu MiB, %llu tasks", (unsigned long long)(u.memory_max_bytes >> 20),
				 (unsigned long long)u.tasks_max);
		return VERDICT_REFUSED;
	}
	(void)str_format(answer, size, "no controller limits %s here", u.memory_real && u.memory_max_bytes ? "tasks" : "memory");
	return VERDICT_OPEN;
}

/* ---- namespaces ---- */

static enum verdict compare_namespaces(const struct verify *v, const struct server *s, const struct server *other, size_t from,
				       size_t to, char *answer, size_t size)
{
	const ino_t *theirs = other ? other->namespaces : v->namespaces;

	for (size_t i = from; i < to; i++) {
		if (!s->namespaces[i] || !theirs[i]) {
			(void)str_format(answer, size, "%s cannot be read", namespace_names[i]);
			return VERDICT_OPEN;
		}
		if (s->namespaces[i] == theirs[i]) {
			(void)str_format(answer, size, "%s is the same", namespace_names[i]);
			return VERDICT_THROUGH;
		}
	}
	(void)str_format(answer, size, "%zu differ", to - from);
	return VERDICT_REFUSED;
}

enum verdict look_namespaces(struct verify *v, struct server *s, const struct server *other, char *answer, size_t size)
{
	return compare_namespaces(v, s, other, 0, is_private(s) ? NAMESPACES : NAMESPACE_NET, answer, size);
}

enum verdict look_ipc(struct verify *v, struct server *s, const struct server *other, char *answer, size_t size)
{
	return compare_namespaces(v, s, other, NAMESPACE_IPC, NAMESPACE_IPC + 1, answer, size);
}

void look_server_begin(struct server *s)
{
	look_server_mounts(s);
	for (size_t i = 0; i < NAMESPACES; i++)
		s->namespaces[i] = namespace_of(s->st.init_pid, namespace_names[i]);
}

void look_begin(struct verify *v)
{
	look_own_mounts(v);
	for (size_t i = 0; i < NAMESPACES; i++)
		v->namespaces[i] = namespace_of(getpid(), namespace_names[i]);
}
