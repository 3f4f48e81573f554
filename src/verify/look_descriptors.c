/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the processes of a Vsv have in hand: descriptors, and where they stand. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "verify/internal.h"

enum { DESCRIPTORS_MAX = 50000, INTERNAL_MAX = 12 };

struct descriptors {
	const struct server *s;
	dev_t internal[INTERNAL_MAX]; /* of what has no file system that anybody mounts: pipes, sockets and kin */
	size_t n_internal, n;
	dev_t namespace_dev; /* where each namespace is a file: its own ones are well */
	ino_t namespaces[16];
	size_t n_namespaces;
	pid_t pid;
	char what[64];
};

static void add_internal(struct descriptors *d, int fd)
{
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && d->n_internal < INTERNAL_MAX)
		d->internal[d->n_internal++] = st.st_dev;
	cleanup_close(&fd);
}

static void add_namespaces(struct descriptors *d)
{
	static const char *const names[] = { "mnt", "pid", "ipc", "uts", "cgroup", "net", "user", "time" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char path[48];
		struct stat st;

		(void)str_format(path, sizeof(path), "/proc/%d/ns/%s", (int)d->s->st.init_pid, names[i]);
		if (stat(path, &st) < 0)
			continue;
		d->namespace_dev = st.st_dev;
		d->namespaces[d->n_namespaces++] = st.st_ino;
	}
}

/* is_inside: by its mount: a file of an overlay has another device than its mount. */
static bool is_inside(const struct descriptors *d, dev_t dev, ino_t inode, uint64_t mount)
{
	for (size_t i = 0; i < d->n_namespaces; i++)
		if (dev == d->namespace_dev && inode == d->namespaces[i])
			return true;
	for (size_t i = 0; i < d->s->n_superblocks; i++)
		if (d->s->superblocks[i] == dev || d->s->mounts[i] == mount)
			return true;
	for (size_t i = 0; i < d->n_internal; i++)
		if (d->internal[i] == dev)
			return true;
	return false;
}

/* look_at: what a magic link of /proc/PID leads to; gone is well. */
static bool look_at(struct descriptors *d, int proc, pid_t pid, const char *name)
{
	struct statx st;

	if (statx(proc, name, AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_MNT_ID, &st) < 0 ||
	    is_inside(d, makedev(st.stx_dev_major, st.stx_dev_minor), st.stx_ino, st.stx_mask & STATX_MNT_ID ? st.stx_mnt_id : 0))
		return true;
	d->pid = pid;
	(void)str_format(d->what, sizeof(d->what), "has %s on %u:%u", name, st.stx_dev_major, st.stx_dev_minor);
	return false;
}

/* has_those_of_its_process: by the kernel's word, where it has one; the process itself is looked at as a thread of that number. */
static bool has_those_of_its_process(pid_t tid)
{
	_cleanup_free_ char *status = NULL;
	const char *tgid;
	long pid;

	if (!status_read(tid, &status))
		return false;
	tgid = status_value(status, "\nTgid:");
	pid = tgid ? strtol(tgid, NULL, 10) : 0;
	return pid > 0 && pid != tid && syscall(SYS_kcmp, pid, (long)tid, KCMP_FILES, 0L, 0L) == 0;
}

static bool check_descriptors(pid_t pid, void *arg)
{
	static const char *const links[] = { "exe", "cwd", "root" };
	_cleanup_close_ int proc = -1;
	_cleanup_closedir_ DIR *dir = NULL;
	struct descriptors *d = arg;
	struct dirent *e;
	char path[40];
	int fd;

	(void)str_format(path, sizeof(path), "/proc/%d", (int)pid);
	proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return true;
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
		if (!look_at(d, proc, pid, links[i]))
			return false;
	if (has_those_of_its_process(pid))
		return true;
	fd = openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	while (dir && (e = readdir(dir)) && d->n < DESCRIPTORS_MAX) {
		if (e->d_name[0] == '.')
			continue;
		d->n++;
		if (!look_at(d, fd, pid, e->d_name))
			return false;
	}
	return d->n < DESCRIPTORS_MAX;
}

enum verdict look_descriptors(struct verify *v, struct server *s, char *answer, size_t size)
{
	struct descriptors d = { .s = s };
	int pipes[2];

	(void)v;
	if (pipe2(pipes, O_CLOEXEC) == 0) {
		add_internal(&d, pipes[0]);
		add_internal(&d, pipes[1]);
	}
	add_internal(&d, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	add_internal(&d, epoll_create1(EPOLL_CLOEXEC));
	add_internal(&d, memfd_create("x", MFD_CLOEXEC));
	add_internal(&d, memfd_create("x", MFD_CLOEXEC | MFD_HUGETLB));
	add_namespaces(&d);
	add_internal(&d, pidfd_open(getpid(), 0));
	if (!s->n_superblocks) {
		(void)str_copy(answer, size, "its mounts cannot be read");
		return VERDICT_OPEN;
	}
	each_thread(s, check_descriptors, &d);
	if (d.pid)
		return say_process(d.pid, d.what, 0, answer, size);
	if (d.n >= DESCRIPTORS_MAX) {
		(void)str_format(answer, size, "it has more than %d: the rest was not looked at", DESCRIPTORS_MAX);
		return VERDICT_OPEN;
	}
	(void)str_format(answer, size, "%zu descriptors", d.n);
	return d.n ? VERDICT_REFUSED : VERDICT_OPEN;
}
