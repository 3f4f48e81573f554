/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inotify instances and their watches, and the watches of epoll, are counted by the user who made the descriptor, with
 * one number for all Vsv and the Psv: their user 0 is the same.  128 instances are all there are by default.
 *
 * So PID 1 makes each such descriptor in its caller's place (seccomp's user notification), as a user of the Vsv's own
 * that nobody else is, and puts it among the caller's.  Memory is charged to the Vsv's control group, which is PID 1's
 * too.  The user's number is that of the pid namespace, which no other living namespace has, and which lies far above
 * all users of a machine (0xf0000000).
 *
 * A root inside may become that user, or its neighbour's: these calls come here all the same, and are counted as this
 * Vsv's.  PID 1 keeps its saved user 0 meanwhile, so that user may do nothing to it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vsv/init.h"
#include "vsv/seccomp.h"

#define NOBODY ((uid_t)-1) /* setresuid(2): as it is */

static uid_t counted_as = NOBODY;
static struct seccomp_pass pass;

int count_prepare(struct seccomp_pass *ret_pass)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) < 0)
		return -errno;
	if (st.st_ino >= NOBODY)
		return -ERANGE;
	if (getrandom(&pass, sizeof(pass), 0) != (ssize_t)sizeof(pass))
		return -EIO;
	counted_as = (uid_t)st.st_ino;
	*ret_pass = pass;
	return 0;
}

/* set_user: by the bare call, since the C library's tells threads that are not there. */
static int set_user(uid_t uid)
{
	return syscall(SYS_setresuid, uid, uid, NOBODY) < 0 ? -errno : 0;
}

/* make: the descriptor that was asked for, or -errno.  *ret_flags: O_CLOEXEC or 0. */
static int make(const struct seccomp_data *d, uint32_t *ret_flags)
{
	uint32_t arg = (uint32_t)d->args[0], flags = arg;
	long nr = d->nr;

#ifdef SYS_inotify_init
	if (nr == SYS_inotify_init) {
		nr = SYS_inotify_init1;
		flags = 0;
	}
#endif
#ifdef SYS_epoll_create
	if (nr == SYS_epoll_create) {
		if ((int32_t)arg <= 0)
			return -EINVAL;
		nr = SYS_epoll_create1;
		flags = 0;
	}
#endif
	*ret_flags = flags & O_CLOEXEC;
	nr = syscall(nr, (unsigned long)flags | O_CLOEXEC, 0UL, 0UL, 0UL, pass.args[0], pass.args[1]);
	return nr < 0 ? -errno : (int)nr;
}

/* make_as: inotify looks at the effective user, epoll at the real one. */
static int make_as(const struct seccomp_data *d, uint32_t *ret_flags)
{
	int fd = set_user(counted_as);

	if (fd < 0)
		return -ENOMEM;
	fd = make(d, ret_flags);
	/* Without its rights PID 1 is none: the kernel ends all inside.  A change of users may make it dumpable again
	 * (fs.suid_dumpable). */
	if (set_user(0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		_exit(1);
	return fd;
}

static void refuse(int listener, uint64_t id, int error)
{
	struct seccomp_notif_resp resp = { .id = id, .error = error };

	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp);
}

/* Callers who did not take their descriptor in time, since they did not run. */
struct late {
	bool used;
	uint64_t id;
	uint32_t flags;
	int fd;
};
enum { LATE_MAX = 16 };
static struct late lates[LATE_MAX];

/* give: into the caller's table; true: it is done, whatever came of it.  In two steps: with SECCOMP_ADDFD_FLAG_SEND a wait
 * that ends early would give the caller descriptor 0 for an answer. */
static bool give(int listener, const struct late *l)
{
	struct seccomp_notif_addfd add = { .id = l->id, .srcfd = (uint32_t)l->fd, .newfd_flags = l->flags };
	struct seccomp_notif_resp resp = { .id = l->id };
	int fd, error;

	wait_begin();
	fd = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
	error = errno;
	wait_end();
	if (fd < 0 && error == EINTR)
		return false;
	/* Its own table may be full.  A caller that is gone takes no answer either. */
	if (fd < 0)
		resp.error = -error;
	else
		resp.val = fd;
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp);
	(void)close(l->fd);
	return true;
}

static void keep_late(int listener, const struct late *l)
{
	for (size_t i = 0; i < LATE_MAX; i++) {
		if (lates[i].used)
			continue;
		lates[i] = *l;
		return;
	}
	(void)close(l->fd);
	refuse(listener, l->id, -ENOMEM);
}

void count_answer_late(int listener)
{
	static size_t turn;

	for (size_t i = 0; i < LATE_MAX; i++) {
		struct late *l = &lates[++turn % LATE_MAX];

		if (!l->used)
			continue;
		if (give(listener, l))
			l->used = false;
		return;
	}
}

bool count_is_late(void)
{
	for (size_t i = 0; i < LATE_MAX; i++)
		if (lates[i].used)
			return true;
	return false;
}

void count_answer(int listener)
{
	/* A newer kernel's may be longer; it must come in zeros. */
	union {
		struct seccomp_notif n;
		char room[512];
	} in;
	struct late l = { .used = true };

	memset(&in, 0, sizeof(in));
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &in) < 0)
		return; /* the caller is gone */
	l.id = in.n.id;
	l.fd = make_as(&in.n.data, &l.flags);
	if (l.fd < 0)
		refuse(listener, l.id, l.fd);
	else if (!give(listener, &l))
		keep_late(listener, &l);
}
