/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making, limiting, emptying and removing the control groups of a Vsv.
 *
 * A process is put into v2 by CLONE_INTO_CGROUP only: a write to cgroup.procs takes a lock that waits for every processor,
 * milliseconds on an idle machine.  Into a v1 one a process of one thread goes by itself, which needs no such lock. */
#include "psv/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "psv/cgroup_layout.h"
#include "psv/cgroup_resource.h"
#include "psv/cgroup_tree.h"
#include "psv/psv.h"
#include "psv/sockets.h"

#define MIB (1024ULL * 1024)

/* KERNFS handles are the number itself: include/linux/exportfs.h, FILEID_KERNFS. */
enum { FILEID_KERNFS_TYPE = 0xfe };

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Asked once: the kernel counts the pages of every block device for its answer, of which a thousand Vsv have a thousand. */
static void machine_memory(uint64_t *ret_ram_bytes, uint64_t *ret_swap_bytes)
{
	static struct sysinfo si;

	if (!si.mem_unit)
		(void)sysinfo(&si);
	*ret_ram_bytes = (uint64_t)si.totalram * si.mem_unit;
	*ret_swap_bytes = (uint64_t)si.totalswap * si.mem_unit;
}

struct conf_limits cgroup_limits(const struct conf_limits *limits)
{
	struct conf_limits l = *limits;
	uint64_t ram, swap;

	machine_memory(&ram, &swap);
	if (!l.memory_bytes)
		l.memory_bytes = max_u64(ram / 4, 128 * MIB);
	if (!l.tasks)
		l.tasks = 2048;
	if (!l.files)
		l.files = 20000;
	if (!l.log_bytes)
		l.log_bytes = 64 * MIB;
	return l;
}

/* What one control group may use; 0: no limit. */
struct bounds {
	uint64_t memory_bytes, swap_bytes, tasks;
	uint64_t sockets_bytes; /* of memory in sockets, where that is counted apart */
};

static struct bounds bounds_of_vsv(const struct conf_limits *limits)
{
	struct conf_limits l = cgroup_limits(limits);
	uint64_t ram, swap;

	machine_memory(&ram, &swap);
	return (struct bounds){
		.memory_bytes = l.memory_bytes,
		.tasks = l.tasks,
		/* A third of where the kernel begins to be short for all sockets of the machine (tcp_mem): one Vsv that
		 * took all would leave its neighbours' connections without room. */
		.sockets_bytes = min_u64(l.memory_bytes, max_u64(ram / 64, 32 * MIB)),
	};
}

static uint64_t read_number(int dirfd, const char *path, uint64_t otherwise)
{
	char text[64];
	uint64_t v;

	if (file_read_small(dirfd, path, text, sizeof(text)) < 0 || parse_u64(text, UINT64_MAX, &v) < 0)
		return otherwise;
	return v;
}

static struct bounds bounds_of_all(void)
{
	uint64_t ram, swap;
	uint64_t tasks = min_u64(read_number(AT_FDCWD, "/proc/sys/kernel/pid_max", 32768),
				 read_number(AT_FDCWD, "/proc/sys/kernel/threads-max", 32768));

	machine_memory(&ram, &swap);
	return (struct bounds){
		.memory_bytes = max_u64(ram - min_u64(ram, max_u64(ram / 10, 256 * MIB)), 128 * MIB),
		.swap_bytes = swap / 2,
		.tasks = tasks / 4 * 3,
	};
}

/* Writes one limit.  A file that is not there belongs to a part of the kernel that is not there. */
static int set_limit(int fd, const char *file, uint64_t value, struct err *err)
{
	char text[32];
	int r;

	(void)str_format(text, sizeof(text), "%llu", (unsigned long long)value);
	r = file_write_at(fd, file, text);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_set(err, r, "cannot set %s to %s: %s", file, text,
			       r == -EBUSY ? "more is in use" : strerror(-r));
	return 0;
}

static int set_memory_v2(int fd, const struct bounds *b, struct err *err)
{
	int r = set_limit(fd, "memory.max", b->memory_bytes, err);

	return r < 0 ? r : set_limit(fd, "memory.swap.max", b->swap_bytes, err);
}

static int set_memory_v1(int fd, const struct bounds *b, struct err *err)
{
	uint64_t both = b->memory_bytes + b->swap_bytes;

	/* memory may never be above memory and swap: so going up the other one goes first (its own error comes below). */
	if (read_number(fd, "memory.memsw.limit_in_bytes", UINT64_MAX) < b->memory_bytes)
		(void)set_limit(fd, "memory.memsw.limit_in_bytes", both, NULL);
	int r = set_limit(fd, "memory.limit_in_bytes", b->memory_bytes, err);
	if (r == 0)
		r = set_limit(fd, "memory.memsw.limit_in_bytes", both, err);
	/* Without a limit v1 does not charge them at all.  Despite its name it is of all protocols. */
	if (r == 0 && b->sockets_bytes)
		r = set_limit(fd, "memory.kmem.tcp.limit_in_bytes", b->sockets_bytes, err);
	return r;
}

static int set_bounds(int fd, enum cgroup_controller which, bool v2, const struct bounds *b, struct err *err)
{
	switch (which) {
	case CGROUP_MEMORY:
		return v2 ? set_memory_v2(fd, b, err) : set_memory_v1(fd, b, err);
	case CGROUP_PIDS:
		return set_limit(fd, "pids.max", b->tasks, err);
	case CGROUP_CPUSET: /* of all together: up_cpuset() */
	case CGROUP_CPU: /* of all together nothing is bound, and each has its share: cgroup_resource.c */
	case CGROUP_IO:
	case CGROUP_CONTROLLERS:
		break;
	}
	return 0;
}

/* is_refusal: a group does not hand a controller on: it has processes (EBUSY) or real-time tasks (EINVAL), is threaded (EOPNOTSUPP),
 * has none itself (ENOENT), or is somebody else's (EPERM, EACCES, EROFS). */
static bool is_refusal(int code)
{
	return code == -EBUSY || code == -EINVAL || code == -EOPNOTSUPP || code == -ENOENT || code == -EPERM || code == -EACCES ||
	       code == -EROFS;
}

/* Hands a controller from a v2 group to its children.  1; 0: refused: the limit is not real then, and cgroup_usage() says so;
 * -errno. */
static int enable(int parent, const char *child, const char *controller, struct err *err)
{
	_cleanup_close_ int fd = dir_open(parent, child);
	char list[512], word[32];
	int r;

	if (fd >= 0 && file_read_small(fd, "cgroup.controllers", list, sizeof(list)) == 0 && cgroup_word(list, controller))
		return 1;
	(void)str_format(word, sizeof(word), "+%s", controller);
	r = file_write_at(parent, "cgroup.subtree_control", word);
	if (r == 0)
		return 1;
	return is_refusal(r) ? 0 : err_set(err, r, "cannot have %s bound in %s: %s", controller, child, strerror(-r));
}

static int set_own(int fd, enum cgroup_controller which, bool v2, const struct conf_limits *limits, struct err *err)
{
	struct bounds own = bounds_of_vsv(limits);
	int r = set_bounds(fd, which, v2, &own, err);

	return r < 0 ? r : cgroup_resource_set(fd, which, v2, limits, err);
}

static bool is_there(const char *mount, const char *tag, const char *name)
{
	_cleanup_close_ int fd = cgroup_tree_open(mount, tag, name);

	return fd >= 0;
}

static int up_v2(const struct cgroup_layout *l, const char *tag, const char *name, const struct bounds *all,
		 const struct conf_limits *limits, struct err *err)
{
	_cleanup_close_ int root = dir_open(AT_FDCWD, l->v2), tag_fd = -1, name_fd = -1;
	int r;

	if (root < 0)
		return err_set(err, root, "cannot open %s: %m", l->v2);
	r = cgroup_tree_make(l->v2, tag, name, &tag_fd, &name_fd, err);
	for (enum cgroup_controller c = 0; c < CGROUP_CONTROLLERS && r == 0; c++) {
		/* That one costs what most do not need. */
		if (c == CGROUP_CPUSET && !limits->cpus[0] && faccessat(name_fd, "cpuset.cpus", F_OK, 0) < 0)
			continue;
		r = l->in_v2[c] ? enable(root, tag, cgroup_controller_names[c], err) : 0;
		if (r == 0)
			continue;
		r = r < 0 ? r : set_bounds(tag_fd, c, true, all, err);
		if (r == 0)
			r = enable(tag_fd, name, cgroup_controller_names[c], err);
		if (r > 0)
			r = set_own(name_fd, c, true, limits, err);
		if (r == 0 && c == CGROUP_MEMORY)
			r = cgroup_resource_reserve(tag_fd, limits->reserve_bytes, err);
		if (r == 0 && c == CGROUP_MEMORY)
			(void)sockets_raise("/proc/sys/net/ipv4", all->memory_bytes);
	}
	return r < 0 ? r : steal_fd(&name_fd);
}

/* up_cpuset: v1: a group for processors has none at first, and nobody can go into it.  What keeps it from having some, a machine divided
 * by others for instance, keeps no server down: it has none then. */
static void up_cpuset(const char *mount, const char *tag, const char *name, const struct conf_limits *limits)
{
	_cleanup_close_ int tag_fd = -1, name_fd = -1;
	int r = cgroup_tree_make(mount, tag, name, &tag_fd, &name_fd, NULL);

	if (r == 0) {
		(void)cgroup_resource_inherit(tag_fd, NULL); /* that of others may do as well */
		r = cgroup_resource_set(name_fd, CGROUP_CPUSET, false, limits, NULL);
	}
	if (r < 0)
		(void)cgroup_tree_remove(mount, tag, name, NULL);
}

int cgroup_up(const struct psv *psv, const char *name, const struct conf_limits *limits, struct err *err)
{
	struct bounds all = bounds_of_all();
	_cleanup_close_ int v2 = -1;
	struct cgroup_layout l;
	int r;

	r = cgroup_layout(&l, err);
	if (r < 0)
		return r;
	v2 = up_v2(&l, psv->tag, name, &all, limits, err);
	if (v2 < 0)
		return v2;
	for (enum cgroup_controller c = 0; c < CGROUP_CONTROLLERS; c++) {
		_cleanup_close_ int tag_fd = -1, name_fd = -1;

		/* One of its own for blkio is for a weight alone: bounds are the root group's (cgroup_disk.h). */
		if (!l.v1[c][0] || (c == CGROUP_IO && !limits->disk_weight))
			continue;
		if (c == CGROUP_CPUSET) {
			if (limits->cpus[0] || is_there(l.v1[c], psv->tag, name))
				up_cpuset(l.v1[c], psv->tag, name, limits);
			continue;
		}
		r = cgroup_tree_make(l.v1[c], psv->tag, name, &tag_fd, &name_fd, err);
		if (r == 0)
			r = set_bounds(tag_fd, c, false, &all, err);
		if (r == 0)
			r = set_own(name_fd, c, false, limits, err);
		if (r < 0)
			return r;
	}
	return steal_fd(&v2);
}

int cgroup_enter_v1(const struct psv *psv, const char *name, struct err *err)
{
	struct cgroup_layout l;
	int r;

	r = cgroup_layout(&l, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < CGROUP_CONTROLLERS; i++) {
		_cleanup_close_ int fd = -1;

		if (!l.v1[i][0])
			continue;
		fd = cgroup_tree_open(l.v1[i], psv->tag, name);
		if (fd == -ENOENT && (i == CGROUP_IO || i == CGROUP_CPUSET))
			continue;
		r = fd < 0 ? fd : file_write_at(fd, "tasks", "0");
		if (r < 0)
			return err_set(err, r, "cannot go into %s/%s/%s", l.v1[i], psv->tag, name);
	}
	return 0;
}

int cgroup_kill(const struct psv *psv, const char *name, int timeout_ms, struct err *err)
{
	struct cgroup_layout l;
	int r = cgroup_layout(&l, err);

	return r < 0 ? r : cgroup_tree_kill(l.v2, psv->tag, name, timeout_ms, err);
}

/* What it had reserved is nobody's: the others would be protected by it. */
static void give_reserve_back(const struct cgroup_layout *l, const char *tag)
{
	_cleanup_close_ int root = l->in_v2[CGROUP_MEMORY] ? dir_open(AT_FDCWD, l->v2) : -1, tag_fd = root < 0 ? -1 : dir_open(root, tag);

	if (tag_fd >= 0)
		(void)cgroup_resource_reserve(tag_fd, 0, NULL);
}

int cgroup_down(const struct psv *psv, const char *name, struct err *err)
{
	struct cgroup_layout l;
	int r, first = 0;

	r = cgroup_layout(&l, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < CGROUP_CONTROLLERS; i++) {
		r = l.v1[i][0] ? cgroup_tree_remove(l.v1[i], psv->tag, name, first ? NULL : err) : 0;
		first = first ? first : r;
	}
	r = cgroup_tree_remove(l.v2, psv->tag, name, first ? NULL : err);
	give_reserve_back(&l, psv->tag);
	return first ? first : r;
}

/* The limit of a file that says a number or "max"; v1 says a number beyond all memory for none. */
static uint64_t read_limit(int fd, const char *file)
{
	uint64_t v = read_number(fd, file, 0);

	return v >= (uint64_t)INT64_MAX / 2 ? 0 : v;
}

/* A line "KEY NUMBER" of such a file; 0 if there is none. */
static uint64_t read_count(int fd, const char *file, const char *key)
{
	char text[512], *save = NULL;
	uint64_t v;

	if (file_read_small(fd, file, text, sizeof(text)) < 0)
		return 0;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		size_t n = strlen(key);

		if (strncmp(line, key, n) == 0 && line[n] == ' ' && parse_u64(line + n + 1, UINT64_MAX, &v) == 0)
			return v;
	}
	return 0;
}

static void usage_of(int fd, enum cgroup_controller which, bool v2, struct cgroup_usage *u)
{
	switch (which) {
	case CGROUP_MEMORY:
		u->memory_bytes = read_number(fd, v2 ? "memory.current" : "memory.usage_in_bytes", 0);
		u->memory_max_bytes = read_limit(fd, v2 ? "memory.max" : "memory.limit_in_bytes");
		u->memory_real = u->memory_max_bytes != 0;
		u->memory_kills = read_count(fd, v2 ? "memory.events" : "memory.oom_control", "oom_kill");
		break;
	case CGROUP_PIDS:
		u->tasks = read_number(fd, "pids.current", 0);
		u->tasks_max = read_limit(fd, "pids.max");
		u->tasks_real = u->tasks_max != 0;
		break;
	case CGROUP_CPU:
		u->cpu_real = faccessat(fd, v2 ? "cpu.weight" : "cpu.shares", F_OK, 0) == 0;
		break;
	case CGROUP_IO:
	case CGROUP_CPUSET:
	case CGROUP_CONTROLLERS:
		break;
	}
}

int cgroup_usage(const struct psv *psv, const char *name, struct cgroup_usage *ret, struct err *err)
{
	_cleanup_close_ int v2 = -1;
	struct cgroup_usage u = { 0 };
	struct cgroup_layout l;
	char text[1024];
	int r;

	r = cgroup_layout(&l, err);
	if (r < 0)
		return r;
	v2 = cgroup_tree_open(l.v2, psv->tag, name);
	if (v2 < 0 && v2 != -ENOENT)
		return err_set(err, v2, "cannot open the control group of %s: %m", name);
	for (enum cgroup_controller c = 0; c < CGROUP_CONTROLLERS && v2 >= 0; c++) {
		_cleanup_close_ int v1 = l.v1[c][0] ? cgroup_tree_open(l.v1[c], psv->tag, name) : -1;

		if (l.in_v2[c] || v1 >= 0)
			usage_of(l.in_v2[c] ? v2 : v1, c, l.in_v2[c], &u);
	}
	/* cpu.stat is there without the controller, too: "usage_usec N" is its first line. */
	if (v2 >= 0 && file_read_small(v2, "cpu.stat", text, sizeof(text)) == 0 && str_starts(text, "usage_usec ")) {
		text[strcspn(text, "\n")] = '\0';
		(void)parse_u64(text + strlen("usage_usec "), UINT64_MAX, &u.cpu_usec);
	}
	*ret = u;
	return 0;
}

void cgroup_real(const struct psv *psv, const char *name, bool runs, const struct conf_limits *limits, struct cgroup_resource_real *ret)
{
	struct cgroup_resource_real real = { 0 };
	struct cgroup_layout l;

	if (cgroup_layout(&l, NULL) == 0)
		for (enum cgroup_controller c = 0; c < CGROUP_CONTROLLERS; c++) {
			_cleanup_close_ int fd = -1;

			if (l.in_v2[c] || l.v1[c][0])
				fd = cgroup_tree_open(l.in_v2[c] ? l.v2 : l.v1[c], psv->tag, name);
			cgroup_resource_real(fd, c, l.in_v2[c], runs, limits, &real);
		}
	*ret = real;
}

union handle {
	struct file_handle h;
	char bytes[sizeof(struct file_handle) + sizeof(uint64_t)];
};

static uint64_t id_of(int fd)
{
	union handle u = { .h = { .handle_bytes = sizeof(uint64_t) } };
	uint64_t id;
	int mount;

	if (name_to_handle_at(fd, "", &u.h, &mount, AT_EMPTY_PATH) < 0 || u.h.handle_type != FILEID_KERNFS_TYPE)
		return 0;
	memcpy(&id, u.h.f_handle, sizeof(id));
	return id;
}

uint64_t cgroup_root_id(const struct psv *psv)
{
	_cleanup_close_ int root = -1, tag = -1;
	struct cgroup_layout l;

	if (cgroup_layout(&l, NULL) < 0)
		return 0;
	root = dir_open(AT_FDCWD, l.v2);
	tag = root < 0 ? -1 : dir_open(root, psv->tag);
	return tag < 0 ? 0 : id_of(tag);
}

bool cgroup_id_is_below(uint64_t id, uint64_t root_id)
{
	union handle u = { .h = { .handle_bytes = sizeof(id), .handle_type = FILEID_KERNFS_TYPE } };
	_cleanup_close_ int root = -1, at = -1;
	struct cgroup_layout l;

	if (!id || !root_id)
		return false;
	if (id == root_id)
		return true;
	if (cgroup_layout(&l, NULL) < 0)
		return false;
	root = dir_open(AT_FDCWD, l.v2);
	memcpy(u.h.f_handle, &id, sizeof(id));
	at = root < 0 ? -1 : open_by_handle_at(root, &u.h, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (at >= 0) {
		int up = openat(at, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		uint64_t here = up < 0 ? 0 : id_of(up);
		bool top = here == id;

		(void)close(at);
		at = up;
		id = here;
		if (here == root_id)
			return true;
		if (top) /* .. of the mount point's own folder would lead out; the caller's descriptor ends here */
			return false;
	}
	return false;
}
