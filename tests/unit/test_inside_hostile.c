/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A PID 1 that has fallen to its tenant: what it answers must neither hang the Psv's command nor reach further. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/when.h"
#include "lib/fd.h"
#include "psv/inside.h"
#include "psv/inside_look.h"
#include "test.h"
#include "vsv/proto.h"

static const char *const command[] = { "x", NULL };

static void send_header(int fd, enum proto_type type, const int *fds, size_t n)
{
	struct proto_header h;

	proto_init(&h, type, sizeof(h));
	(void)fd_send(fd, &h, sizeof(h), fds, n);
}

static void send_exit(int fd, int status)
{
	struct proto_exec_exit m = { .status = status };

	proto_init(&m.h, PROTO_EXEC_EXIT, sizeof(m));
	(void)fd_send(fd, &m, sizeof(m), NULL, 0);
}

static void send_failed(int fd, int error)
{
	struct proto_result m = { .error = error, .words = "words" };

	proto_init(&m.h, PROTO_EXEC_FAILED, sizeof(m));
	(void)fd_send(fd, &m, sizeof(m), NULL, 0);
}

static void nothing(int fd)
{
	(void)fd;
}

static void garbage(int fd)
{
	(void)!write(fd, "garbage", 7);
}

static void files_for_pipes(int fd)
{
	int file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	send_header(fd, PROTO_EXEC_STREAMS, (int[]){ file, file, file }, 3);
	(void)pause();
}

static void wrong_ends(int fd)
{
	int p[2];

	(void)!pipe2(p, O_CLOEXEC);
	send_header(fd, PROTO_EXEC_STREAMS, (int[]){ p[0], p[1], p[1] }, 3);
	(void)pause();
}

static void too_few(int fd)
{
	int p[2];

	(void)!pipe2(p, O_CLOEXEC);
	send_header(fd, PROTO_EXEC_STREAMS, p, 2);
	(void)pause();
}

static void too_many(int fd)
{
	int p[8] = { 0, 0, 0, 0, 0, 0, 0, 0 };

	send_header(fd, PROTO_EXEC_STREAMS, p, 8);
	(void)pause();
}

static void exit_first(int fd)
{
	send_exit(fd, 0);
	(void)pause();
}

static void good_pipes(int fd, int keep[3])
{
	int in[2], out[2], errors[2];

	(void)!(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC) | pipe2(errors, O_CLOEXEC));
	send_header(fd, PROTO_EXEC_STREAMS, (int[]){ in[1], out[0], errors[0] }, 3);
	(void)close(in[1]);
	(void)close(out[0]);
	(void)close(errors[0]);
	memcpy(keep, (int[]){ in[0], out[1], errors[1] }, sizeof(int[3]));
}

static void fails_twice(int fd)
{
	int keep[3];

	good_pipes(fd, keep);
	send_failed(fd, -EPERM);
	send_failed(fd, -EACCES);
	send_exit(fd, 0);
	(void)pause();
}

static void never_ends(int fd)
{
	int keep[3];

	good_pipes(fd, keep);
	(void)pause();
}

static void floods(int fd)
{
	static char buf[65536];
	int keep[3];

	good_pipes(fd, keep);
	(void)signal(SIGPIPE, SIG_IGN);
	for (;;)
		(void)!write(keep[1], buf, sizeof(buf));
}

/* One answer to whatever request comes. */
static int fallen(void (*answer)(int), pid_t *ret_pid)
{
	int pair[2];
	pid_t pid;

	CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	if (pid == 0) {
		char request[4096];

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(pair[0]);
		(void)!read(pair[1], request, sizeof(request));
		answer(pair[1]);
		_exit(0);
	}
	(void)close(pair[1]);
	*ret_pid = pid;
	return pair[0];
}

static void end_fallen(int fd, pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	(void)close(fd);
}

/* What inside_exec makes of it within the time. */
static void check_exec(void (*answer)(int), int want)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct inside_exec e = { .argv = command, .output = &out, .timeout_ms = 1500 };
	struct err err = { 0 };
	pid_t pid;
	int fd = fallen(answer, &pid);

	CHECK_INT(inside_exec(fd, &e, &err), want);
	CHECK(err.text[0] && out.len <= 4 * 1024 * 1024);
	end_fallen(fd, pid);
}

TEST(inside_hostile_exec)
{
	check_exec(nothing, -ESRCH);
	check_exec(garbage, -EBADMSG);
	check_exec(files_for_pipes, -EBADMSG);
	check_exec(wrong_ends, -EBADMSG);
	check_exec(too_few, -EBADMSG);
	check_exec(too_many, -EMSGSIZE);
	check_exec(exit_first, -EBADMSG);
	check_exec(fails_twice, -EACCES);
	check_exec(never_ends, -ETIME);
	check_exec(floods, -ETIME);
}

static void older(int fd)
{
	struct proto_result m = { .error = -EOPNOTSUPP };

	proto_init(&m.h, PROTO_RESULT, sizeof(m));
	(void)fd_send(fd, &m, sizeof(m), NULL, 0);
}

static void cannot(int fd)
{
	send_failed(fd, -EAGAIN);
	send_exit(fd, 127 << 8);
	(void)pause();
}

static void send_found(int fd, uint32_t n, unsigned char value)
{
	struct {
		struct proto_looked looked;
		unsigned char found[8];
	} m = { .looked = { .n = n } };

	for (uint32_t i = 0; i < n; i++)
		m.found[i] = value;
	proto_init(&m.looked.h, PROTO_LOOKED, sizeof(m.looked) + n);
	(void)fd_send(fd, &m, m.looked.h.size, NULL, 0);
}

static void two_found(int fd)
{
	send_found(fd, 2, 0);
}

static void none_found(int fd)
{
	send_found(fd, 0, 0);
}

static void unknown_bits(int fd)
{
	send_found(fd, 1, 4);
}

static void silent(int fd)
{
	(void)fd;
	(void)pause();
}

static void check_look(void (*answer)(int), int want)
{
	static const char *const word[] = { "/etc" };
	_cleanup_found_ struct inside_found found = { 0 };
	struct err err = { 0 };
	pid_t pid;
	int fd = fallen(answer, &pid);

	CHECK_INT(inside_look_on(fd, word, 1, 300, &found, &err), want);
	CHECK(found.missing.n == 0 && found.astray.n == 0);
	end_fallen(fd, pid);
}

TEST(inside_hostile_look)
{
	check_look(older, INSIDE_LOOK_OLDER);
	check_look(nothing, -ESRCH);
	check_look(garbage, -EBADMSG);
	check_look(cannot, -EBADMSG);
	check_look(exit_first, -EBADMSG);
	check_look(two_found, -EBADMSG);
	check_look(none_found, -EBADMSG);
	check_look(unknown_bits, -EBADMSG);
	check_look(silent, -ETIME);
}

/* check_rows: rows without end, with descriptors that are no pidfd, each after a pause; and what inside_status makes of it. */
static void check_rows(long pause_ms, int want)
{
	struct proto_status_row row = { .name = "x", .pid = 1 };
	struct inside_status *list;
	struct err err = { 0 };
	size_t n;
	int pair[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid;

	CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(pair[0]);
		proto_init(&row.h, PROTO_STATUS_ROW, sizeof(row));
		while (fd_send(pair[1], &row, sizeof(row), &null, 1) == 0)
			sleep_ms(pause_ms);
		_exit(0);
	}
	(void)close(pair[1]);
	CHECK_INT(inside_status(pair[0], &list, &n, &err), want);
	(void)close(pair[0]);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	(void)close(null);
}

TEST(inside_hostile_status)
{
	check_rows(0, -EBADMSG);
}

TEST(inside_hostile_status_that_trickles)
{
	int64_t begin_ms = now_ms();

	check_rows(700, -ETIME);
	CHECK(now_ms() - begin_ms < 15 * 1000);
}
