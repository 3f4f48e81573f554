/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/sandbox.h"
#include "lib/str.h"
#include "lib/sys.h"
#include "lib/when.h"

enum { DEFAULT_TIMEOUT_MS = 600 * 1000, STDERR_KEEP = 200, NOT_RUN = 127 };

static const char *const search_path[] = { "/usr/sbin", "/usr/bin", "/sbin", "/bin" };

bool program_find(const char *name, char *path, size_t size)
{
	char buf[PATH_MAX];

	for (size_t i = 0; i < sizeof(search_path) / sizeof(*search_path); i++) {
		if (!str_format(buf, sizeof(buf), "%s/%s", search_path[i], name) || access(buf, X_OK) < 0)
			continue;
		return path ? str_copy(path, size, buf) : true;
	}
	return false;
}

static void child(const char *path, const char *const argv[], int in, int out, int errfd,
		  const struct run_opts *opts, pid_t parent)
	__attribute__((noreturn));
static void child(const char *path, const char *const argv[], int in, int out, int errfd,
		  const struct run_opts *opts, pid_t parent)
{
	static const char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", NULL };
	sigset_t none;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(NOT_RUN);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* Moved up first, so that none of the three is overwritten by another. */
	in = fcntl(in, F_DUPFD, 3);
	out = fcntl(out, F_DUPFD, 3);
	errfd = fcntl(errfd, F_DUPFD, 3);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(errfd, 2) < 0 || sys_close_range(3, UINT_MAX, 0) < 0)
		_exit(NOT_RUN);
	if (opts->confine && sandbox_enter(opts->confine, opts->confine_admin ? CAP_SYS_ADMIN : -1) < 0) {
		(void)dprintf(2, "it could not be confined: %m");
		_exit(NOT_RUN);
	}
	(void)execve(path, (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env);
	_exit(NOT_RUN);
}

struct pump {
	int in, out, errfd; /* our ends; -1 when done */
	const char *input;
	size_t input_left;
	struct strbuf *output;
	struct strbuf errors;
};

static void pump_close(int *fd)
{
	(void)close(*fd);
	*fd = -1;
}

static void pump_read(int *fd, struct strbuf *sb, size_t keep)
{
	char buf[4096];
	ssize_t n = read(*fd, buf, sizeof(buf));

	if (n <= 0) {
		if (n == 0 || errno != EINTR)
			pump_close(fd);
		return;
	}
	if (!sb)
		return;
	strbuf_add(sb, buf, (size_t)n);
	if (keep && sb->len > keep) {
		memmove(sb->buf, sb->buf + sb->len - keep, keep + 1);
		sb->len = keep;
	}
}

/* Returns 0 when all pipes are closed, -ETIME. */
static int pump_all(struct pump *p, int64_t deadline_ms)
{
	while (p->in >= 0 || p->out >= 0 || p->errfd >= 0) {
		struct pollfd pfd[3] = { { p->in, POLLOUT, 0 }, { p->out, POLLIN, 0 }, { p->errfd, POLLIN, 0 } };
		int64_t left = deadline_ms - now_ms();

		if (left <= 0)
			return -ETIME;
		if (poll(pfd, 3, left > INT_MAX ? INT_MAX : (int)left) < 0)
			continue;
		if (pfd[0].revents) {
			ssize_t n = p->input_left ? write(p->in, p->input, p->input_left) : 0;

			if (n > 0) {
				p->input += n;
				p->input_left -= (size_t)n;
			}
			if (p->input_left == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
				pump_close(&p->in);
		}
		if (pfd[1].revents)
			pump_read(&p->out, p->output, 0);
		if (pfd[2].revents)
			pump_read(&p->errfd, &p->errors, STDERR_KEEP);
	}
	return 0;
}

static int wait_for(pid_t pid, int64_t deadline_ms, int *ret_status)
{
	_cleanup_close_ int pidfd = pidfd_open(pid, 0);
	int r = 0;

	while (pidfd >= 0) {
		struct pollfd pfd = { pidfd, POLLIN, 0 };
		int64_t left = deadline_ms - now_ms();
		int n = left > 0 ? poll(&pfd, 1, left > INT_MAX ? INT_MAX : (int)left) : 0;

		if (n > 0)
			break;
		if (n == 0) {
			(void)kill(pid, SIGKILL);
			r = -ETIME;
			break;
		}
	}
	while (waitpid(pid, ret_status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return r;
}

/* One line of what the program said last. */
static const char *last_words(struct strbuf *sb)
{
	char *p;

	while (sb->len && strchr(" \n\t", sb->buf[sb->len - 1]))
		sb->buf[--sb->len] = '\0';
	if (!sb->len)
		return "it said nothing";
	for (p = sb->buf; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	return sb->buf;
}

int run(const char *const argv[], const struct run_opts *opts, struct err *err)
{
	static const struct run_opts none = { 0 };
	_cleanup_close_ int in = -1, out = -1, errfd = -1;
	struct pump p = { .in = -1, .out = -1, .errfd = -1 };
	int pipes[2], status = 0, r, w;
	char path[PATH_MAX];
	int64_t deadline;
	pid_t pid, parent = getpid();
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;

	if (!opts)
		opts = &none;
	if (!program_find(argv[0], path, sizeof(path))) {
		(void)err_set(err, -ENOENT, "cannot run %s: there is no such program", argv[0]);
		return err_hint(err, -ENOENT, "install the package that holds %s", argv[0]);
	}
	deadline = now_ms() + (opts->timeout_ms ? opts->timeout_ms : DEFAULT_TIMEOUT_MS);
	if (opts->input) {
		if (pipe2(pipes, O_CLOEXEC) < 0)
			return err_set(err, -errno, "cannot make a pipe: %m");
		in = pipes[0];
		p.in = pipes[1];
		p.input = opts->input;
		p.input_left = strlen(opts->input);
		(void)fcntl(p.in, F_SETFL, O_NONBLOCK);
	} else {
		in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	if (pipe2(pipes, O_CLOEXEC) == 0) {
		p.out = pipes[0];
		out = pipes[1];
	}
	if (out >= 0 && pipe2(pipes, O_CLOEXEC) == 0) {
		p.errfd = pipes[0];
		errfd = pipes[1];
	}
	pid = in >= 0 && out >= 0 && errfd >= 0 ? fork() : -1;
	if (pid < 0) {
		r = err_set(err, -errno, "cannot run %s: %m", argv[0]);
		cleanup_close(&p.in);
		cleanup_close(&p.out);
		cleanup_close(&p.errfd);
		return r;
	}
	if (pid == 0)
		child(path, argv, in, out, errfd, opts, parent);
	(void)close(steal_fd(&in));
	(void)close(steal_fd(&out));
	(void)close(steal_fd(&errfd));
	p.output = opts->out;
	(void)sigaction(SIGPIPE, &ignore, &old);
	r = pump_all(&p, deadline);
	(void)sigaction(SIGPIPE, &old, NULL);
	if (r < 0)
		(void)kill(pid, SIGKILL);
	w = wait_for(pid, deadline, &status);
	cleanup_close(&p.in);
	cleanup_close(&p.out);
	cleanup_close(&p.errfd);
	if (r == 0)
		r = w;
	if (r == -ETIME)
		r = err_set(err, r, "%s did not end in time and was killed", argv[0]);
	else if (r < 0)
		r = err_set(err, r, "cannot wait for %s: %m", argv[0]);
	else if (WIFSIGNALED(status))
		r = err_set(err, -EIO, "%s was killed by signal %d", argv[0], WTERMSIG(status));
	else if (WEXITSTATUS(status) == NOT_RUN) /* no status of its own, for those who take one for an answer */
		r = err_set(err, -EIO, "%s could not be run: %s", argv[0], last_words(&p.errors));
	else if (WEXITSTATUS(status) && opts->accept_status)
		r = WEXITSTATUS(status);
	else if (WEXITSTATUS(status))
		r = err_set(err, -EIO, "%s failed with status %d: %s", argv[0], WEXITSTATUS(status),
			    last_words(&p.errors));
	strbuf_free(&p.errors);
	return r;
}

int pid_start_time(pid_t pid, uint64_t *ret)
{
	char path[64], buf[1024], *p;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	r = file_read_small(AT_FDCWD, path, buf, sizeof(buf));
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	/* The second field is the command's name in brackets and may hold anything. */
	p = strrchr(buf, ')');
	/* The third is its state: one that waits for its parent, or is just going, is gone. */
	if (p && p[1] == ' ' && (p[2] == 'Z' || p[2] == 'X'))
		return -ESRCH;
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (!p)
		return -ESRCH;
	p[1 + strcspn(p + 1, " ")] = '\0';
	return parse_u64(p + 1, UINT64_MAX, ret) < 0 ? -ESRCH : 0;
}

int pid_open_checked(pid_t pid, uint64_t start_time)
{
	_cleanup_close_ int fd = -1;
	uint64_t t;
	int r;

	if (pid <= 0)
		return -ESRCH;
	fd = pidfd_open(pid, 0);
	if (fd < 0)
		return errno == EINVAL ? -ESRCH : -errno; /* EINVAL: a thread has the number now */
	r = pid_start_time(pid, &t);
	if (r < 0)
		return r;
	return t == start_time && pidfd_is_alive(fd) ? steal_fd(&fd) : -ESRCH;
}

bool pidfd_is_alive(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int r;

	do
		r = poll(&p, 1, 0);
	while (r < 0 && errno == EINTR);
	return r <= 0;
}

char *pid_comm(pid_t pid, char *buf, size_t size)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	if (file_read_small(AT_FDCWD, path, buf, size) < 0)
		(void)str_copy(buf, size, "?");
	return buf;
}
