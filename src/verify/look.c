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
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "psv/cgroup.h"
#include "psv/walk.h"
#include "verify/internal.h"
#include "vsv/confine.h"

enum { PROCS_MAX_BYTES = 1024 * 1024, MOUNTINFO_MAX_BYTES = 4 * 1024 * 1024 };

const char *const namespace_names[NAMESPACES] = {
	"mnt", "pid", [NAMESPACE_IPC] = "ipc", "uts", "cgroup", [NAMESPACE_NET] = "net",
};

const struct look looks[] = {
	{ "look-gate-programs", ROW_GATE, "every program of the gate is attached", look_gate_programs, NULL },
	{ "look-gate-lookup", ROW_GATE, "attached and pinned", look_gate_lookup, NULL },
	{ "look-gate-addresses", ROW_GATE, "the gate knows each address as its own", look_gate_addresses, NULL },
	{ "look-rights", ROW_RIGHTS, "no process has a right that it was not given", look_rights, NULL },
	{ "look-filter", ROW_RIGHTS, "every process has the system call filter", look_filter, NULL },
	{ "look-group", ROW_GATE, "every process is in its control group", look_group, NULL },
	{ "look-mounts", ROW_OUTSIDE_FILES, "its own file systems alone", look_mounts, NULL },
	{ "look-proc", ROW_PROC, "subset=pid", look_proc, NULL },
	{ "look-descriptors", ROW_OUTSIDE_FILES, "no descriptor of a file outside", look_descriptors, NULL },
	{ "look-limits", ROW_EXHAUST, "memory and tasks are limited", look_limits, NULL },
	{ "look-ingress-tcp", ROW_INGRESS, "ECONNREFUSED", look_ingress_tcp, NULL },
	{ "look-ingress-udp", ROW_INGRESS, "nothing arrives", look_ingress_udp, NULL },
	{ "look-sockets", ROW_ADDRESS, "its sockets stand on its own addresses", look_sockets, NULL },
	{ "look-namespaces", ROW_NAMESPACE, "its own", NULL, look_namespaces },
	{ "look-ipc", ROW_IPC, "an IPC namespace of its own", NULL, look_ipc },
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
	struct rights r = { .allowed = 0 };

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

enum verdict look_filter(struct verify *v, struct server *s, char *answer, size_t size)
{
	struct rights r = { .n = 0 };

	(void)v;
	each_thread(s, check_filter, &r);
	return say_process(r.pid, r.what, r.n, answer, size);
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

enum verdict look_limits(struct verify *v, struct server *s, char *answer, size_t size)
{
	struct cgroup_usage u = { 0 };

	if (cgroup_usage(v->psv, s->name, &u, NULL) < 0) {
		(void)str_copy(answer, size, "its limits cannot be read");
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

/* ---- mounts ---- */

struct mount_line {
	dev_t dev;
	uint64_t id;
	char point[256], options[256], type[32];
	const char *super; /* to the end of the line */
};

static bool parse_mount(const char *line, struct mount_line *ret)
{
	const char *dash = strstr(line, " - "), *p;
	unsigned long long id;
	unsigned maj, min;

	if (!dash || sscanf(line, "%llu %*d %u:%u %*s %255s %255s", &id, &maj, &min, ret->point, ret->options) != 5 ||
	    sscanf(dash, " - %31s", ret->type) != 1)
		return false;
	ret->dev = makedev(maj, min);
	ret->id = id;
	p = strchr(dash + 3, ' ');
	p = p ? strchr(p + 1, ' ') : NULL;
	ret->super = p ? p + 1 : "";
	return true;
}

static char *read_mounts(const char *who)
{
	char path[48], *text = NULL;

	(void)str_format(path, sizeof(path), "/proc/%s/mountinfo", who);
	return file_read_at(AT_FDCWD, path, MOUNTINFO_MAX_BYTES, &text, NULL) < 0 ? NULL : text;
}

static char *server_mounts(const struct server *s)
{
	char who[16];

	(void)str_format(who, sizeof(who), "%d", (int)s->st.init_pid);
	return read_mounts(who);
}

static bool has_superblock(const dev_t *list, size_t n, dev_t dev)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == dev)
			return true;
	return false;
}

/* list_superblocks: of every mount; ids NULL: each once. */
static size_t list_superblocks(char *text, dev_t *list, uint64_t *ids, size_t max)
{
	char *save = NULL;
	size_t n = 0;

	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line && n < max; line = strtok_r(NULL, "\n", &save)) {
		struct mount_line m;

		if (!parse_mount(line, &m) || (!ids && has_superblock(list, n, m.dev)))
			continue;
		if (ids)
			ids[n] = m.id;
		list[n++] = m.dev;
	}
	return n;
}

void look_server_begin(struct server *s)
{
	_cleanup_free_ char *text = server_mounts(s);

	s->n_superblocks = list_superblocks(text, s->superblocks, s->mounts, SUPERBLOCKS_MAX);
	for (size_t i = 0; i < NAMESPACES; i++)
		s->namespaces[i] = namespace_of(s->st.init_pid, namespace_names[i]);
}

void look_begin(struct verify *v)
{
	_cleanup_free_ char *text = read_mounts("self");

	v->n_superblocks = list_superblocks(text, v->superblocks, NULL, sizeof(v->superblocks) / sizeof(*v->superblocks));
	for (size_t i = 0; i < NAMESPACES; i++)
		v->namespaces[i] = namespace_of(getpid(), namespace_names[i]);
}

enum verdict look_superblocks(struct verify *v, struct server *s, const struct server *other, char *answer, size_t size)
{
	const dev_t *theirs = other ? other->superblocks : v->superblocks;
	size_t n = other ? other->n_superblocks : v->n_superblocks;
	size_t max = other ? SUPERBLOCKS_MAX : sizeof(v->superblocks) / sizeof(*v->superblocks);

	if (!s->n_superblocks || !n) {
		(void)str_copy(answer, size, "the mounts cannot be read");
		return VERDICT_OPEN;
	}
	for (size_t i = 0; i < s->n_superblocks; i++)
		if (has_superblock(theirs, n, s->superblocks[i])) {
			(void)str_format(answer, size, "%u:%u is in both", major(s->superblocks[i]), minor(s->superblocks[i]));
			return VERDICT_THROUGH;
		}
	if (n == max || s->n_superblocks == SUPERBLOCKS_MAX) {
		(void)str_copy(answer, size, "there are more mounts than were compared");
		return VERDICT_OPEN;
	}
	(void)str_format(answer, size, "%zu mounts", s->n_superblocks);
	return VERDICT_REFUSED;
}

static bool has_option(const char *options, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = options; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (strncmp(p, word, len) == 0 && (p[len] == ',' || p[len] == '\0' || p[len] == ' '))
			return true;
	return false;
}

static bool is_own_device(const struct server *s, dev_t dev)
{
	for (size_t i = 0; i < s->st.n_volumes; i++)
		if (s->st.volumes[i].rdev == dev)
			return true;
	return false;
}

/* judge_mount: NULL, or what is wrong with it. */
static const char *judge_mount(const struct server *s, const struct mount_line *m)
{
	static const char *const kinds[] = { "tmpfs", "overlay", "proc", "devpts", "ext4", "xfs" };
	/* Those that hold nodes of the Psv's making, and are read-only. */
	static const char *const with_nodes[] = { "/dev", "/dev/pts", "/dev/volumes" };
	bool known = false, on_dev = false;

	for (size_t i = 0; i < sizeof(with_nodes) / sizeof(*with_nodes); i++)
		on_dev = on_dev || strcmp(m->point, with_nodes[i]) == 0;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		known = known || strcmp(m->type, kinds[i]) == 0;
	if (!known)
		return "is of a kind that no Vsv has";
	if (major(m->dev) != 0 && !is_own_device(s, m->dev))
		return "lies on a device that is not its own";
	if (!has_option(m->options, "nosuid"))
		return "honours set-uid programs";
	if (!on_dev && !has_option(m->options, "nodev"))
		return "honours device nodes";
	if (on_dev && strcmp(m->type, "devpts") != 0 && !has_option(m->options, "ro"))
		return "honours device nodes, and can be written to";
	return NULL;
}

enum verdict look_mounts(struct verify *v, struct server *s, char *answer, size_t size)
{
	_cleanup_free_ char *text = server_mounts(s);
	char *save = NULL;
	size_t n = 0;

	(void)v;
	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		struct mount_line m;
		const char *wrong;

		if (!parse_mount(line, &m)) {
			(void)str_copy(answer, size, "a line of mountinfo cannot be read");
			return VERDICT_OPEN;
		}
		n++;
		wrong = judge_mount(s, &m);
		if (wrong) {
			(void)str_format(answer, size, "%s (%s) %s", m.point, m.type, wrong);
			return VERDICT_THROUGH;
		}
	}
	(void)str_format(answer, size, "%zu mounts", n);
	return n ? VERDICT_REFUSED : VERDICT_OPEN;
}

enum verdict look_proc(struct verify *v, struct server *s, char *answer, size_t size)
{
	_cleanup_free_ char *text = server_mounts(s);
	char *save = NULL;
	size_t n = 0;

	(void)v;
	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		struct mount_line m;

		if (!parse_mount(line, &m) || strcmp(m.type, "proc") != 0)
			continue;
		n++;
		if (!has_option(m.super, "subset=pid")) {
			(void)str_format(answer, size, "%s shows the whole kernel", m.point);
			return VERDICT_THROUGH;
		}
	}
	(void)str_copy(answer, size, n ? "subset=pid" : "the mounts cannot be read");
	return n ? VERDICT_REFUSED : VERDICT_OPEN;
}
