/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests to PID 1.  What comes back is judged by proto_check() like anything from inside. */
#include "psv/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "lib/when.h"
#include "psv/inside_private.h"

enum { ANSWER_MS = 10 * 1000, ACT_MS = 30 * 1000, KILL_MS = 10 * 1000, DYING_MS = 2000, ROWS_MAX = 256 };

static int wait_fd(int fd, short events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	int r;

	do
		r = poll(&p, 1, timeout_ms);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r == 0 ? -ETIME : 0;
}

int inside_recv(int conn, union inside_message *m, int *ret_fds, size_t max_fds, size_t *ret_n_fds, int timeout_ms,
		struct err *err)
{
	int r = wait_fd(conn, POLLIN, timeout_ms), type;
	ssize_t n;

	if (r < 0)
		return err_set(err, r, "the first process of the virtual server does not answer: %m");
	n = fd_recv(conn, m, sizeof(*m), ret_fds, max_fds, ret_n_fds, 0);
	if (n < 0)
		return err_set(err, (int)n, "cannot hear the first process of the virtual server: %m");
	if (n == 0)
		return err_set(err, -ESRCH, "the first process of the virtual server has ended");
	type = proto_check(m, (size_t)n);
	if (type > 0)
		return type;
	for (size_t i = 0; ret_n_fds && i < *ret_n_fds; i++)
		(void)close(ret_fds[i]);
	return err_set(err, -EBADMSG, "the first process of the virtual server sent something unknown");
}

int inside_send(int conn, const void *m, size_t len, struct err *err)
{
	int r = fd_send(conn, m, len, NULL, 0);

	return r < 0 ? err_set(err, r, "cannot speak to the first process of the virtual server: %m") : 0;
}

/* wait_result: the PROTO_RESULT to a request.  what is for the words. */
static int wait_result(int conn, int timeout_ms, const char *what, struct err *err)
{
	union inside_message m;
	int type = inside_recv(conn, &m, NULL, 0, NULL, timeout_ms, err);

	if (type < 0)
		return type;
	if (type != PROTO_RESULT)
		return err_set(err, -EBADMSG, "the first process of the virtual server sent something else");
	if (m.result.error)
		return err_set(err, m.result.error, "%s: %s%s%s", what, m.result.words,
			       m.result.words[0] ? ": " : "", strerror(-m.result.error));
	return 0;
}

/* init_fd: a descriptor of PID 1's own.  Before it executes vnas-init it has those of its maker, at the same numbers. */
static int init_fd(pid_t init_pid, uint64_t init_start, int number, struct err *err)
{
	_cleanup_close_ int pidfd = pid_open_checked(init_pid, init_start);
	char comm[32];
	int fd;

	if (pidfd == -ESRCH)
		return err_exit(err, VNAS_EXIT_NOT_RUNNING, -ESRCH, "the virtual server does not run");
	if (pidfd < 0)
		return err_set(err, pidfd, "cannot look for the first process of the virtual server: %s", strerror(-pidfd));
	if (strcmp(pid_comm(init_pid, comm, sizeof(comm)), "vnas-init") != 0)
		return err_exit(err, VNAS_EXIT_NOT_RUNNING, -EAGAIN, "the virtual server is just starting");
	fd = pidfd_getfd(pidfd, number, 0);
	if (fd < 0)
		return err_set(err, -errno, "cannot reach the first process of the virtual server: %m");
	return fd; /* close-on-exec by the kernel */
}

int inside_connect(pid_t init_pid, uint64_t init_start, struct err *err)
{
	_cleanup_close_ int control = -1, ours = -1, theirs = -1;
	struct proto_header hello;
	int pair[2], r;

	control = init_fd(init_pid, init_start, PROTO_FD_CLIENT, err);
	if (control < 0)
		return control;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, -errno, "cannot make a socket pair: %m");
	ours = pair[0];
	theirs = pair[1];
	proto_init(&hello, PROTO_HELLO, sizeof(hello));
	r = wait_fd(control, POLLOUT, ANSWER_MS);
	if (r == 0)
		r = fd_send(control, &hello, sizeof(hello), &theirs, 1);
	if (r < 0)
		return err_set(err, r, "cannot speak to the first process of the virtual server: %m");
	(void)close(steal_fd(&theirs));
	r = wait_result(ours, ANSWER_MS, "the first process of the virtual server refused", err);
	return r < 0 ? r : steal_fd(&ours);
}

bool inside_settled(pid_t init_pid, uint64_t init_start)
{
	_cleanup_close_ int conn = inside_connect(init_pid, init_start, NULL), pidfd = -1;

	if (conn >= 0)
		return true;
	pidfd = pid_open_checked(init_pid, init_start);
	return pidfd < 0 ? pidfd != -ESRCH : wait_fd(pidfd, POLLIN, DYING_MS) < 0;
}

int inside_conf_fd(pid_t init_pid, uint64_t init_start, struct err *err)
{
	return init_fd(init_pid, init_start, PROTO_FD_CONF, err);
}

static void add_strings(struct strbuf *sb, const struct strlist *list)
{
	for (size_t i = 0; i < list->n; i++)
		strbuf_add(sb, list->v[i], strlen(list->v[i]) + 1);
}

/* start_message: a PID 1 that is older than one of the types is only told of it when there is no other way. */
static int start_message(const struct inside_service *s, enum proto_type type, struct strbuf *sb, struct err *err)
{
	struct proto_service_start start = {
		.capabilities = s->capabilities,
		.stop_signal = s->stop_signal ? s->stop_signal : SIGTERM,
		.reload_signal = s->reload_signal,
		.flags = s->file_handles ? PROTO_SERVICE_FILE_HANDLES : 0,
		.argc = (uint32_t)s->argv.n,
	};
	struct proto_service_fresh fresh = {
		.add = {
			.capabilities = start.capabilities,
			.stop_signal = start.stop_signal,
			.reload_signal = start.reload_signal,
			.flags = start.flags | (s->no_xattrs ? PROTO_SERVICE_NO_XATTRS : 0),
			.argc = start.argc,
		},
		.n_folders = (uint32_t)s->folders.n,
		.fresh_argc = (uint32_t)s->fresh.n,
		.n_env = (uint32_t)s->env.n,
	};

	if (!str_copy(start.name, sizeof(start.name), s->name) || !str_copy(fresh.add.name, sizeof(fresh.add.name), s->name))
		return err_set(err, -EINVAL, "the service name '%s' is too long", s->name);
	if (!str_copy(fresh.add.user, sizeof(fresh.add.user), s->user ? s->user : ""))
		return err_set(err, -EINVAL, "the user's name '%s' is too long", s->user);
	if (type == PROTO_SERVICE_START)
		strbuf_add(sb, &start, sizeof(start));
	else
		strbuf_add(sb, &fresh, type == PROTO_SERVICE_ADD ? sizeof(fresh.add) : sizeof(fresh));
	add_strings(sb, &s->argv);
	if (type == PROTO_SERVICE_FRESH) {
		add_strings(sb, &s->folders);
		add_strings(sb, &s->fresh);
		add_strings(sb, &s->env);
	}
	proto_init((struct proto_header *)(void *)sb->buf, type, sb->len);
	if (proto_check(sb->buf, sb->len) < 0)
		return err_set(err, -EINVAL,
			       "service %s cannot be started: its command must be an absolute path, and with its "
			       "arguments at most %d bytes", s->name, PROTO_SERVICE_ARGS_BYTES);
	return 0;
}

static int start_as(int conn, const struct inside_service *s, enum proto_type type, struct err *err)
{
	_cleanup_strbuf_ struct strbuf sb = { 0 };
	char what[96];
	int r = start_message(s, type, &sb, err);

	if (r == 0)
		r = inside_send(conn, sb.buf, sb.len, err);
	if (r < 0)
		return r;
	(void)str_format(what, sizeof(what), "cannot start service %s", s->name);
	return wait_result(conn, ANSWER_MS, what, err);
}

int inside_service_start(int conn, const struct inside_service *s, struct err *err)
{
	struct err why = { 0 };
	int r = s->folders.n ? start_as(conn, s, PROTO_SERVICE_FRESH, &why) : -EOPNOTSUPP;

	/* The other command does as well, and without the environment. */
	if (r == -EOPNOTSUPP) {
		err_clear(&why);
		r = start_as(conn, s, s->user || s->no_xattrs ? PROTO_SERVICE_ADD : PROTO_SERVICE_START, &why);
	}
	if (r == -EOPNOTSUPP)
		(void)err_hint(&why, r, "restart the server: its PID 1 is older than this vnas");
	if (r < 0 && err)
		*err = why;
	return r;
}

int inside_service_remove(int conn, const char *name, struct err *err)
{
	struct proto_service_remove m = { .name = "" };
	struct err why = { 0 };
	char what[96];
	int r;

	if (!str_copy(m.name, sizeof(m.name), name))
		return err_set(err, -EINVAL, "the service name '%s' is too long", name);
	proto_init(&m.h, PROTO_SERVICE_REMOVE, sizeof(m));
	r = inside_send(conn, &m, sizeof(m), err);
	if (r < 0)
		return r;
	(void)str_format(what, sizeof(what), "cannot end service %s", name);
	r = wait_result(conn, ACT_MS, what, &why);
	if (r == -ENOENT)
		return 0;
	if (r == -EOPNOTSUPP)
		(void)err_hint(&why, r, "restart the server: its PID 1 is older than this vnas");
	if (r < 0 && err)
		*err = why;
	return r;
}

int inside_service_act(int conn, const char *name, enum inside_action what, struct err *err)
{
	static const char *const words[] = {
		[INSIDE_STOP] = "stop", [INSIDE_RESTART] = "restart", [INSIDE_RELOAD] = "reload",
	};
	struct proto_service_act m = { .act = (uint32_t)what };
	char text[96];
	int r;

	if (name && !str_copy(m.name, sizeof(m.name), name))
		return err_set(err, -EINVAL, "the service name '%s' is too long", name);
	proto_init(&m.h, PROTO_SERVICE_ACT, sizeof(m));
	r = inside_send(conn, &m, sizeof(m), err);
	if (r < 0)
		return r;
	(void)str_format(text, sizeof(text), "cannot %s %s%s", words[what], name ? "service " : "the services",
			 name ? name : "");
	return wait_result(conn, ACT_MS, text, err);
}

/* pid_of: the number that a pidfd's process has here. */
static pid_t pid_of(int pidfd)
{
	_cleanup_free_ char *text = NULL;
	char path[64];
	uint32_t pid;
	char *p;

	(void)str_format(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	if (file_read_at(AT_FDCWD, path, 4096, &text, NULL) < 0)
		return 0;
	p = strstr(text, "\nPid:\t");
	if (!p)
		return 0;
	p += strlen("\nPid:\t");
	p[strcspn(p, "\n")] = '\0';
	return parse_u32(p, INT32_MAX, &pid) == 0 ? (pid_t)pid : 0; /* "-1": it has ended */
}

int inside_status(int conn, struct inside_status **ret, size_t *ret_n, struct err *err)
{
	_cleanup_free_ struct inside_status *list = NULL;
	struct proto_header ask;
	union inside_message m;
	/* For all rows: one that sends each at the last moment is no slower than one that is silent. */
	int64_t until_ms = now_ms() + ANSWER_MS, left_ms;
	size_t n = 0;
	int r;

	proto_init(&ask, PROTO_STATUS, sizeof(ask));
	r = inside_send(conn, &ask, sizeof(ask), err);
	if (r < 0)
		return r;
	for (;;) {
		int pidfd = -1, type;
		size_t n_fds = 0;

		left_ms = until_ms - now_ms();
		type = inside_recv(conn, &m, &pidfd, 1, &n_fds, left_ms > 0 ? (int)left_ms : 0, err);
		if (type < 0)
			return type;
		if (type == PROTO_RESULT) {
			cleanup_close(&pidfd);
			break;
		}
		if (type != PROTO_STATUS_ROW || n == ROWS_MAX) {
			cleanup_close(&pidfd);
			return err_set(err, -EBADMSG, "the first process of the virtual server sent something else");
		}
		list = xrealloc(list, n + 1, sizeof(*list));
		list[n] = (struct inside_status){ .state = (enum inside_service_state)m.row.state,
						  .pid = pidfd >= 0 ? pid_of(pidfd) : 0,
						  .uptime_ms = m.row.uptime_ms,
						  .restarts = m.row.restarts,
						  .last_exit = m.row.last_exit };
		(void)str_copy(list[n].name, sizeof(list[n].name), m.row.name);
		n++;
		cleanup_close(&pidfd);
	}
	*ret = steal_ptr(&list);
	*ret_n = n;
	return 0;
}

int inside_stop(int conn, pid_t init_pid, uint64_t init_start, int timeout_ms, struct err *err)
{
	_cleanup_close_ int pidfd = pid_open_checked(init_pid, init_start);
	struct proto_stop m = { .timeout_ms = timeout_ms > 0 ? (uint32_t)timeout_ms : 0 };
	int r = -EIO;

	if (pidfd == -ESRCH)
		return 0; /* gone already */
	if (pidfd < 0)
		return err_set(err, pidfd, "cannot look for the first process: %s", strerror(-pidfd));
	proto_init(&m.h, PROTO_STOP, sizeof(m));
	if (conn >= 0 && inside_send(conn, &m, sizeof(m), NULL) == 0)
		r = wait_fd(pidfd, POLLIN, timeout_ms + KILL_MS);
	if (r == 0)
		return 0;
	/* It did not hear or did not come to an end: all its processes go with it. */
	(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	r = wait_fd(pidfd, POLLIN, KILL_MS);
	if (r < 0) {
		(void)err_set(err, r, "the processes of the virtual server cannot be ended");
		return err_hint(err, r, "one of them waits for a disk or the network in the kernel: see 'ps -eo pid,stat,wchan'");
	}
	return 0;
}
