/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the system call filter asks PID 1 (seccomp's user notification).
 *
 * Inotify instances and their watches, and the watches of epoll, are counted by the user who made the descriptor, with
 * one number for all Vsv and the Psv: their user 0 is the same.  128 instances are all there are by default.
 *
 * So PID 1 makes each such descriptor in its caller's place, as a user of the Vsv's own
 * that nobody else is, and puts it among the caller's.  Memory is charged to the Vsv's control group, which is PID 1's
 * too.  The user's number is that of the pid namespace, which no other living namespace has, and which lies far above
 * all users of a machine (0xf0000000).
 *
 * A root inside may become that user, or its neighbour's: these calls come here all the same, and are counted as this
 * Vsv's.  PID 1 keeps its saved user 0 meanwhile, so that user may do nothing to it.
 *
 * And what is refused comes here for its note.  That PID 1 answers is no part of the refusal: who is not answered does not
 * get through, and what is not asked of PID 1 is never let through by it. */
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

#include "lib/cleanup.h"
#include "lib/weaken.h"
#include "vsv/init.h"
#include "vsv/seccomp.h"
#include "vsv/small.h"

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
	if (set_user(0) < 0 || prctl(PR_SET_DUMPABLE, weakened("dumpable"), 0, 0, 0) < 0)
		_exit(1);
	return fd;
}

static void refuse(int listener, uint64_t id, int error)
{
	struct seccomp_notif_resp resp = { .id = id, .error = error };

	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp);
}

/* ---- what the filter refuses ---- */

static bool is_asked(long nr)
{
#ifdef SYS_inotify_init
	if (nr == SYS_inotify_init)
		return true;
#endif
#ifdef SYS_epoll_create
	if (nr == SYS_epoll_create)
		return true;
#endif
	return nr == SYS_inotify_init1 || nr == SYS_epoll_create1;
}

/* field: what stands behind "\nNAME:\t" in a file of lines; NULL: none. */
static const char *field(const char *text, const char *name)
{
	const char *p = strstr(text, name);

	return p ? p + strlen(name) : NULL;
}

static uint32_t number(const char *s)
{
	uint32_t v = 0;

	for (; s && *s >= '0' && *s <= '9'; s++)
		v = v * 10 + (uint32_t)(*s - '0');
	return v;
}

/* look_at: the caller's name, process and real user.  /proc/PID/comm is its name as it is; a thread has one of its own. */
static void look_at(uint32_t thread, struct proto_refused *m)
{
	char path[32], buf[1024];
	struct text t = TEXT(path);
	ssize_t n;
	int fd;

	text_u64(&t, thread);
	text_add(&t, "/comm");
	fd = init_proc_open(path);
	n = fd < 0 ? -1 : read(fd, m->process, sizeof(m->process));
	cleanup_close(&fd);
	/* It ends with a new line, which is not of it. */
	for (ssize_t i = n > 0 ? n - 1 : 0; i < (ssize_t)sizeof(m->process); i++)
		m->process[i] = '\0';
	t.len -= strlen("/comm");
	text_add(&t, "/status");
	fd = init_proc_open(path);
	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	cleanup_close(&fd);
	if (n <= 0)
		return;
	buf[n] = '\0';
	m->pid = number(field(buf, "\nTgid:\t"));
	m->uid = number(field(buf, "\nUid:\t"));
}

/* The same answer whatever becomes of the note: nothing here may let a call through (SECCOMP_USER_NOTIF_FLAG_CONTINUE). */
static void refuse_and_note(int listener, const struct seccomp_notif *n)
{
	struct proto_refused m = { .call = (uint32_t)n->data.nr, .error = EPERM };

	if (log_refused_wanted()) {
		for (size_t i = 0; i < 6; i++)
			m.args[i] = n->data.args[i];
		look_at(n->pid, &m);
		/* Its number may be another's by now. */
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &n->id) < 0) {
			m.pid = m.uid = 0;
			memset(m.process, 0, sizeof(m.process));
		}
		log_refused(&m);
	}
	refuse(listener, n->id, -EPERM);
}

/* ---- answers ---- */

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
	if (!is_asked(in.n.data.nr)) {
		refuse_and_note(listener, &in.n);
		return;
	}
	l.id = in.n.id;
	l.fd = make_as(&in.n.data, &l.flags);
	if (l.fd < 0)
		refuse(listener, l.id, l.fd);
	else if (!give(listener, &l))
		keep_late(listener, &l);
}
