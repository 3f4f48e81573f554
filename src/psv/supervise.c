/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting and ending supervisors.  Which one there is, is told by its lock, RUN/locks/NAME.supervisor, which holds
 * "PID START" and is free as soon as the process is gone, however it went. */
#include "psv/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "lib/sys.h"
#include "psv/cgroup.h"
#include "psv/psv.h"

enum { READY_MS = 10 * 1000, END_MS = 5 * 1000, READY_FD = 3, EXIT_IN_USE = 5 };

struct command { /* the argument array of vnas-supervise */
	char path[PATH_MAX], vnas[PATH_MAX], pid[24], start[24];
	const char *argv[9];
	char prefix[PATH_MAX + 16], libexec[PATH_MAX + 16];
	const char *env[5];
};

static int build_command(const struct psv *psv, const char *name, const struct state *st, bool ready,
			 struct command *c, struct err *err)
{
	const char *prefix = getenv("VNAS_PREFIX"), *libexec = prefix ? getenv("VNAS_LIBEXEC") : NULL;
	const char *given = prefix ? getenv("VNAS_BINARY") : NULL;
	size_t n = 0;
	ssize_t len;

	if (!str_format(c->path, sizeof(c->path), "%s/vnas-supervise", libexec ? libexec : VNAS_LIBEXECDIR))
		return err_set(err, -ENAMETOOLONG, "the path of vnas-supervise is too long");
	if (access(c->path, X_OK) < 0) {
		int r = err_set(err, -errno, "cannot run %s: %m", c->path);

		return err_hint(err, r, "install vnas again");
	}
	if (given && !str_copy(c->vnas, sizeof(c->vnas), given))
		return err_set(err, -ENAMETOOLONG, "the path of vnas is too long");
	len = given ? (ssize_t)strlen(given) : readlink("/proc/self/exe", c->vnas, sizeof(c->vnas) - 1);
	if (len < 0)
		return err_set(err, -errno, "cannot find the path of vnas: %m");
	c->vnas[len] = '\0';
	/* A package that was upgraded under a running command. */
	if (len > 10 && strcmp(c->vnas + len - 10, " (deleted)") == 0)
		c->vnas[len - 10] = '\0';
	(void)str_format(c->pid, sizeof(c->pid), "%d", (int)st->init_pid);
	(void)str_format(c->start, sizeof(c->start), "%llu", (unsigned long long)st->init_start);
	memcpy(c->argv, (const char *[]){ "vnas-supervise", name, psv->run, psv->lib, c->pid, c->start, c->vnas,
					  ready ? "3" : NULL, NULL }, sizeof(c->argv));
	c->env[n++] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	c->env[n++] = "LC_ALL=C.UTF-8";
	if (prefix && str_format(c->prefix, sizeof(c->prefix), "VNAS_PREFIX=%s", prefix))
		c->env[n++] = c->prefix;
	if (libexec && str_format(c->libexec, sizeof(c->libexec), "VNAS_LIBEXEC=%s", libexec))
		c->env[n++] = c->libexec;
	c->env[n] = NULL;
	return 0;
}

int supervise_find(const struct psv *psv, const char *name, struct state *st, struct err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX], text[64], *space;
	uint64_t start;
	uint32_t pid;
	ssize_t n;

	if (!str_format(path, sizeof(path), "%s/locks/%s.supervisor", psv->run, name))
		return err_set(err, -ENAMETOOLONG, "the path of the supervisor's lock is too long");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 1 : err_set(err, -errno, "cannot open %s: %m", path);
	if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
		return err_set(err, -errno, "cannot look at the lock %s: %m", path);
	if (lock.l_type == F_UNLCK)
		return 1;
	n = pread(fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	space = strchr(text, ' ');
	if (!space)
		return err_set(err, -EAGAIN, "a supervisor of %s is just beginning", name);
	*space = '\0';
	if (parse_u32(text, INT32_MAX, &pid) < 0 || parse_u64(space + 1, UINT64_MAX, &start) < 0)
		return err_set(err, -EBADMSG, "%s does not say who holds it", path);
	st->supervisor_pid = (pid_t)pid;
	st->supervisor_start = start;
	return 0;
}

static void child(const struct command *c, int ready) __attribute__((noreturn));
static void child(const struct command *c, int ready)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	(void)setsid();
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &dfl, NULL);
	ready = fcntl(ready, F_DUPFD_CLOEXEC, READY_FD + 1);
	if (null < 0 || ready < 0 || chdir("/") < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 ||
	    dup2(ready, READY_FD) < 0 || sys_close_range(READY_FD + 1, UINT_MAX, 0) < 0)
		_exit(1);
	(void)execve(c->path, (char *const *)(uintptr_t)c->argv, (char *const *)(uintptr_t)c->env);
	_exit(127);
}

static bool ends(pid_t pid)
{
	_cleanup_close_ int pidfd = pidfd_open(pid, 0);
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int r;

	do
		r = pidfd < 0 ? 0 : poll(&p, 1, END_MS);
	while (r < 0 && errno == EINTR);
	return r > 0;
}

/* wait_ready: 0: attached; 1: there was one already; -errno. */
static int wait_ready(pid_t pid, int ready, struct err *err)
{
	struct pollfd p = { .fd = ready, .events = POLLIN };
	int status, r;
	char byte;

	do
		r = poll(&p, 1, READY_MS);
	while (r < 0 && errno == EINTR);
	if (r > 0 && read(ready, &byte, 1) == 1)
		return 0;
	/* Silent, or its end is closed: then it ends, or is made to. */
	if (r == 0 || !ends(pid))
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(err, -errno, "cannot wait for vnas-supervise: %m");
	if (r == 0)
		return err_set(err, -ETIME, "vnas-supervise does not begin");
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_IN_USE)
		return 1;
	return err_set(err, -EIO, "vnas-supervise ended at once with %s %d", WIFEXITED(status) ? "status" : "signal",
		       WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static int begin_once(const struct command *c, int group, struct supervise_begun *ret, struct err *err)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)group };
	_cleanup_close_ int ours = -1, theirs = -1;
	pid_t pid;
	int p[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p) < 0)
		return err_set(err, -errno, "cannot make a socket pair: %m");
	ours = p[0];
	theirs = p[1];
	pid = sys_clone3(&args);
	if (pid < 0)
		return err_set(err, -errno, "cannot make a process in its control group: %m");
	if (pid == 0)
		child(c, theirs);
	*ret = (struct supervise_begun){ .pid = pid, .fd = steal_fd(&ours) };
	return 0;
}

int supervise_begin(const struct psv *psv, const char *name, const struct state *st, struct supervise_begun *ret,
		    struct err *err)
{
	_cleanup_close_ int group = -1;
	struct command c;
	int r = build_command(psv, name, st, true, &c, err), level;

	if (r < 0)
		return r;
	group = cgroup_supervisor_up(psv, name, err);
	if (group < 0)
		return group;
	r = begin_once(&c, group, ret, err);
	if (r == 0)
		return 0;
	level = cgroup_level(group, err);
	if (level > 0) {
		err_clear(err);
		r = begin_once(&c, group, ret, err);
	}
	if (level < 0)
		r = level;
	if (r < 0)
		cgroup_supervisor_discard(psv, name);
	return r;
}

void supervise_go(const struct supervise_begun *b)
{
	/* One that has ended already is found out when it is waited for. */
	(void)send(b->fd, "", 1, MSG_NOSIGNAL);
}

static int once_more(const struct psv *psv, const char *name, const struct state *st, struct supervise_begun *b, struct err *err)
{
	int r;

	cleanup_close(&b->fd);
	b->fd = -1;
	r = supervise_begin(psv, name, st, b, err);
	if (r < 0)
		return r;
	supervise_go(b);
	return wait_ready(b->pid, b->fd, err);
}

/* again: what was begun was ended by the kernel, see cgroup_level().  As wait_ready(). */
static int again(const struct psv *psv, const char *name, const struct state *st, int failure, struct supervise_begun *b,
		 struct err *err)
{
	_cleanup_close_ int group = cgroup_supervisor_up(psv, name, err);
	int r = group < 0 ? group : cgroup_level(group, err);

	if (r <= 0)
		return r < 0 ? r : failure;
	err_clear(err);
	return once_more(psv, name, st, b, err);
}

int supervise_await(const struct psv *psv, const char *name, struct supervise_begun *b, struct state *st, struct err *err)
{
	int r = wait_ready(b->pid, b->fd, err);

	if (r < 0)
		r = again(psv, name, st, r, b, err);
	/* The one that was there, for which ours made way, may have ended while PID 1 came up: it was told to. */
	if (r == 1 && supervise_find(psv, name, st, NULL) == 1)
		r = once_more(psv, name, st, b, err);
	cleanup_close(&b->fd);
	b->fd = -1;
	if (r < 0)
		return r;
	if (r == 1) {
		r = supervise_find(psv, name, st, err);
		return r == 1 ? err_set(err, -EAGAIN, "the supervisor of %s has just ended", name) : r;
	}
	st->supervisor_pid = b->pid;
	return pid_start_time(b->pid, &st->supervisor_start) < 0 ?
		       err_set(err, -ESRCH, "the supervisor of %s has ended at once", name) : 0;
}

void supervise_abandon(struct supervise_begun *b)
{
	if (b->fd < 0)
		return;
	cleanup_close(&b->fd);
	b->fd = -1;
	if (!ends(b->pid))
		(void)kill(b->pid, SIGKILL);
	while (waitpid(b->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int supervise_spawn(const struct psv *psv, const char *name, struct state *st, struct err *err)
{
	struct supervise_begun begun = SUPERVISE_NONE;
	int r = supervise_begin(psv, name, st, &begun, err);

	if (r < 0)
		return r;
	supervise_go(&begun);
	return supervise_await(psv, name, &begun, st, err);
}

static int end_process(const struct psv *psv, const char *name, struct err *err)
{
	_cleanup_close_ int pidfd = -1;
	struct state st = { 0 };
	struct pollfd p = { .events = POLLIN };
	int r = supervise_find(psv, name, &st, err);

	if (r != 0)
		return r < 0 ? r : 0;
	pidfd = pid_open_checked(st.supervisor_pid, st.supervisor_start);
	if (pidfd == -ESRCH)
		return 0;
	if (pidfd < 0)
		return err_set(err, pidfd, "cannot look for the supervisor of %s: %s", name, strerror(-pidfd));
	p.fd = pidfd;
	(void)pidfd_send_signal(pidfd, SIGTERM, NULL, 0);
	while ((r = poll(&p, 1, END_MS)) < 0 && errno == EINTR)
		;
	if (r == 0) {
		(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
		while ((r = poll(&p, 1, END_MS)) < 0 && errno == EINTR)
			;
	}
	if (r == 0)
		return err_set(err, -ETIME, "the supervisor of %s, process %d, cannot be ended", name,
			       (int)st.supervisor_pid);
	(void)waitpid(st.supervisor_pid, NULL, WNOHANG); /* if it is our own child */
	return 0;
}

int supervise_end(const struct psv *psv, const char *name, struct err *err)
{
	int r = end_process(psv, name, err);

	return r < 0 ? r : cgroup_supervisor_down(psv, name, err);
}

/* notify_ready: sd_notify(3) in a few lines: the server answers, and this process goes on as its supervisor. */
static void notify_ready(void)
{
	static const char words[] = "READY=1\nSTATUS=running";
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	size_t len = name ? strlen(name) : 0;

	if (len < 2 || len >= sizeof(addr.sun_path) || (name[0] != '/' && name[0] != '@'))
		return;
	memcpy(addr.sun_path, name, len);
	if (name[0] == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)sendto(fd, words, sizeof(words) - 1, MSG_NOSIGNAL, (struct sockaddr *)&addr,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}

int supervise_exec(const struct psv *psv, const char *name, struct state *st, struct err *err)
{
	struct command c;
	int r = build_command(psv, name, st, false, &c, err);

	if (r < 0)
		return r;
	r = supervise_end(psv, name, err);
	if (r < 0)
		return r;
	st->supervisor_pid = getpid();
	if (pid_start_time(st->supervisor_pid, &st->supervisor_start) < 0)
		return err_set(err, -ESRCH, "cannot read our own start time");
	r = state_write(psv, name, st, err);
	if (r < 0)
		return r;
	if (chdir("/") < 0 || sys_close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot become the supervisor: %m");
	notify_ready();
	(void)execve(c.path, (char *const *)(uintptr_t)c.argv, (char *const *)(uintptr_t)c.env);
	return err_set(err, -errno, "cannot execute %s: %m", c.path);
}
