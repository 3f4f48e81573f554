/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections from the Psv.  A sender that does not read is dropped, never waited for. */
#include "vsv/init.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/fd.h"
#include "vsv/small.h"

enum { PAGE = 4096, RECORDS_PER_ROUND = 64 };

struct connection connections[CONNECTIONS_MAX];

static union {
	char bytes[PROTO_MESSAGE_MAX];
	struct proto_header header;
	struct proto_service_start service_start;
	struct proto_service_add service_add;
	struct proto_service_remove service_remove;
	struct proto_service_act service_act;
	struct proto_exec exec;
	struct proto_exec_sealed exec_sealed;
	struct proto_look look;
	struct proto_service_fresh service_fresh;
	struct proto_ack ack;
	struct proto_stop stop;
} message __attribute__((aligned(PAGE)));

void reply(int fd, enum proto_type type, int error, const char *words)
{
	struct proto_result m = { .error = error };

	proto_init(&m.h, type, sizeof(m));
	copy_str(m.words, sizeof(m.words), words);
	(void)fd_send(fd, &m, sizeof(m), NULL, 0);
}

static void conn_close(struct connection *c)
{
	if (c->exec_pid > 0 && !c->exec_ended)
		init_kill_session(c->exec_pid);
	(void)close(c->fd);
	*c = (struct connection){ .fd = -1 };
}

static bool is_seqpacket(int fd)
{
	int type = 0, domain = 0;
	socklen_t len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return false;
	len = sizeof(domain);
	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX &&
	       type == SOCK_SEQPACKET;
}

void conn_accept(void)
{
	struct connection *c = NULL;
	struct proto_header h;
	size_t n_fds = 0;
	int fd = -1;
	ssize_t n = fd_recv(PROTO_FD_SERVER, &h, sizeof(h), &fd, 1, &n_fds, MSG_DONTWAIT);

	if (n < 0 || n_fds != 1)
		return;
	if (proto_check(&h, (size_t)n) != PROTO_HELLO || !is_seqpacket(fd)) {
		(void)close(fd);
		return;
	}
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	for (size_t i = 0; i < CONNECTIONS_MAX && !c; i++)
		if (!connections[i].used)
			c = &connections[i];
	if (!c) {
		reply(fd, PROTO_RESULT, -EUSERS, "too many connections");
		(void)close(fd);
		return;
	}
	*c = (struct connection){ .used = true, .fd = fd };
	reply(fd, PROTO_RESULT, 0, "vnas-init 1");
}

static void send_status_row(int fd, const struct service_slot *s)
{
	struct proto_status_row m = { .state = s->state, .pid = s->pid, .restarts = s->restarts,
				      .last_exit = s->last_exit };
	int pidfd = s->pid ? (int)syscall(SYS_pidfd_open, s->pid, 0) : -1;

	if (s->state == PROTO_RUNNING)
		m.uptime_ms = (uint64_t)(clock_ms() - s->started_ms);
	proto_init(&m.h, PROTO_STATUS_ROW, sizeof(m));
	copy_str(m.name, sizeof(m.name), s->name);
	if (pidfd < 0)
		m.pid = 0;
	(void)fd_send(fd, &m, sizeof(m), &pidfd, pidfd >= 0);
	if (pidfd >= 0)
		(void)close(pidfd);
}

static void send_status(int fd)
{
	for (size_t i = 0; i < SERVICES_MAX; i++)
		if (service_slots[i].used)
			send_status_row(fd, &service_slots[i]);
	reply(fd, PROTO_RESULT, 0, "");
}

static void send_exit(struct connection *c, int status)
{
	struct proto_exec_exit m = { .status = status };

	proto_init(&m.h, PROTO_EXEC_EXIT, sizeof(m));
	c->exec_ended = true;
	(void)fd_send(c->fd, &m, sizeof(m), NULL, 0);
}

/* start_exec: program: of PROTO_EXEC_SEALED, or -1. */
static void start_exec(struct connection *c, int type, int program)
{
	pid_t pid;

	if (init_is_stopping())
		pid = -ESHUTDOWN;
	else if (type == PROTO_EXEC_SEALED)
		pid = exec_start_sealed(&message.exec_sealed, program, c->fd);
	else if (type == PROTO_LOOK)
		pid = look_start(&message.look, c->fd);
	else
		pid = exec_start(&message.exec, c->fd);
	if (pid < 0) {
		reply(c->fd, PROTO_EXEC_FAILED, pid, pid == -EPERM ? "the program is not sealed" : "cannot make a process");
		send_exit(c, 127 << 8);
		return;
	}
	c->exec_pid = pid;
}

static void wait_or_reply(struct connection *c, int r)
{
	if (r < 0 || c->waiting == 0)
		reply(c->fd, PROTO_RESULT, r, "");
	else
		conn_flush(c);
}

/* handle: a checked request.  fd: the descriptor that came with it, or -1.  false: the connection ends. */
static bool handle(struct connection *c, int type, int fd)
{
	int r;

	switch (type) {
	case PROTO_SERVICE_START:
		reply(c->fd, PROTO_RESULT, service_start(&message.service_start), "");
		return true;
	case PROTO_SERVICE_ADD:
		reply(c->fd, PROTO_RESULT, service_add(&message.service_add), "");
		return true;
	case PROTO_SERVICE_FRESH:
		reply(c->fd, PROTO_RESULT, service_fresh(&message.service_fresh), "");
		return true;
	case PROTO_SERVICE_REMOVE:
		r = service_remove(message.service_remove.name, &c->waiting);
		wait_or_reply(c, r);
		return true;
	case PROTO_SERVICE_ACT:
		r = service_act(&message.service_act, &c->waiting);
		wait_or_reply(c, r);
		return true;
	case PROTO_STATUS:
		send_status(c->fd);
		return true;
	case PROTO_EXEC:
	case PROTO_EXEC_SEALED:
	case PROTO_LOOK:
		start_exec(c, type, fd);
		return true;
	case PROTO_SUBSCRIBE:
		log_begin(PROTO_LOG, &c->cursor[PROTO_LOG]);
		log_begin(PROTO_EVENT, &c->cursor[PROTO_EVENT]);
		c->subscribed = true;
		return true;
	case PROTO_ACK:
		log_ack(PROTO_LOG, message.ack.log_seq);
		log_ack(PROTO_EVENT, message.ack.event_seq);
		return true;
	case PROTO_STOP:
		init_stop(message.stop.timeout_ms);
		return true;
	case -EPROTO:
		reply(c->fd, PROTO_RESULT, -EOPNOTSUPP, "this PID 1 is older than the request");
		return true;
	default:
		return false;
	}
}

void conn_read(struct connection *c)
{
	size_t n_fds = 0;
	int fd = -1;
	ssize_t n = fd_recv(c->fd, &message, sizeof(message), &fd, 1, &n_fds, MSG_DONTWAIT);
	bool keep;

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		conn_close(c);
		return;
	}
	/* A connection that runs a command or waits for services has nothing more to say. */
	keep = c->exec_pid == 0 && c->waiting == 0 && handle(c, proto_check(&message, (size_t)n), fd);
	if (fd >= 0)
		(void)close(fd);
	if (n > PAGE)
		(void)madvise(message.bytes + PAGE, sizeof(message) - PAGE, MADV_DONTNEED);
	if (!keep)
		conn_close(c);
}

static void flush_records(struct connection *c)
{
	union {
		union log_head head;
		char bytes[sizeof(union log_head) + PROTO_TEXT_MAX];
	} out;

	for (unsigned kind = 0; kind < 2; kind++) {
		for (unsigned i = 0; i < RECORDS_PER_ROUND; i++) {
			struct ring_cursor before = c->cursor[kind];
			size_t len = log_next(kind, &c->cursor[kind], &out, sizeof(out));
			int r;

			if (!len)
				break;
			r = fd_send(c->fd, &out, len, NULL, 0);
			if (r < 0) {
				/* Gone ones are found by conn_read(). */
				c->cursor[kind] = before;
				c->blocked = true;
				return;
			}
		}
	}
}

void conn_flush(struct connection *c)
{
	if (c->waiting && service_unsettled(c->waiting) == 0) {
		c->waiting = 0;
		reply(c->fd, PROTO_RESULT, 0, "");
	}
	if (c->subscribed && !c->blocked)
		flush_records(c);
}

bool conn_pending(const struct connection *c)
{
	return c->subscribed && !c->blocked &&
	       (log_pending(PROTO_LOG, &c->cursor[PROTO_LOG]) || log_pending(PROTO_EVENT, &c->cursor[PROTO_EVENT]));
}

bool conn_ended(pid_t pid, int status)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *c = &connections[i];

		if (!c->used || c->exec_pid != pid || c->exec_ended)
			continue;
		send_exit(c, status);
		return true;
	}
	return false;
}

void conn_say_bye(void)
{
	struct proto_header bye;

	proto_init(&bye, PROTO_BYE, sizeof(bye));
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *c = &connections[i];

		if (!c->used || !c->subscribed)
			continue;
		c->blocked = false;
		while (conn_pending(c))
			conn_flush(c);
		(void)fd_send(c->fd, &bye, sizeof(bye), NULL, 0);
	}
}
