/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a Vsv's gate does with one that it does not know: the very programs that hang on its control group are lent, one at a
 * time, to a group that has no number, and a process of the Psv's there asks each for what it judges.  One at a time, since the
 * first to refuse would hide what those behind it do.  Its sockets are made before, with no program there, by which the
 * same calls succeed: the control.  A gate that is half put up or half taken down is such a stranger. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gate/gate_sys.h"
#include "lib/cleanup.h"
#include "psv/cgroup_layout.h"
#include "psv/cgroup_tree.h"
#include "verify/internal.h"

enum { PORT_DISCARD = 9, NO_INTERFACE = 0x7fffffff, LOOPBACK_INDEX = 1, END_MS = 1000, TAG_MAX = 40 };

static const char group_name[] = "stranger";

/* ---- what the process there tries, on a socket that it has already ---- */

union address {
	struct sockaddr sa;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

static socklen_t loopback(int family, uint16_t port, union address *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (family == AF_INET) {
		ret->in4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port),
						 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		return sizeof(ret->in4);
	}
	ret->in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback };
	return sizeof(ret->in6);
}

static int result(long r)
{
	return r < 0 ? -errno : 0;
}

static int family_of(int fd)
{
	union address a = { .sa.sa_family = AF_INET };
	socklen_t len = sizeof(a);

	(void)getsockname(fd, &a.sa, &len);
	return a.sa.sa_family;
}

static int try_bind(int fd)
{
	union address a;
	socklen_t len = loopback(family_of(fd), 0, &a);

	return result(bind(fd, &a.sa, len));
}

static int try_connect(int fd)
{
	union address a;
	socklen_t len = loopback(family_of(fd), PORT_DISCARD, &a);

	return result(connect(fd, &a.sa, len));
}

static int try_send(int fd)
{
	union address a;
	socklen_t len = loopback(family_of(fd), PORT_DISCARD, &a);

	return result(sendto(fd, "", 0, 0, &a.sa, len));
}

static int try_join(int fd)
{
	struct group_req req = { .gr_interface = LOOPBACK_INDEX };
	struct sockaddr_in group = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xef010203) };

	memcpy(&req.gr_group, &group, sizeof(group));
	return result(setsockopt(fd, IPPROTO_IP, MCAST_JOIN_GROUP, &req, sizeof(req)));
}

static int try_share(int fd)
{
	int one = 1;

	return result(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
}

/* listen() cannot be refused by a program: what nobody may reach is bound to an interface that does not exist. */
static int try_listen(int fd)
{
	int at = 0, r = try_bind(fd);
	socklen_t len = sizeof(at);

	if (r == 0)
		r = result(listen(fd, 1));
	if (r == 0)
		r = result(getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &at, &len));
	return r == 0 && at == NO_INTERFACE ? -EPERM : r;
}

static int try_socket(int fd)
{
	int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)fd;
	if (made < 0)
		return -errno;
	(void)close(made);
	return 0;
}

static int try_device(int fd)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)fd;
	if (null < 0)
		return -errno;
	(void)close(null);
	return 0;
}

static const struct attempt {
	const char *program;
	int (*try)(int fd);
	int family, type; /* of the socket that it wants */
	int refused;      /* how the program says no */
} attempts[] = {
	{ "gate_sock_create", try_socket, AF_INET, SOCK_STREAM, EPERM },
	{ "gate_setsockopt", try_join, AF_INET, SOCK_DGRAM, EPERM },
	{ "gate_setsockopt", try_share, AF_INET, SOCK_DGRAM, EPERM },
	{ "gate_bind4", try_bind, AF_INET, SOCK_STREAM, EADDRNOTAVAIL },
	{ "gate_bind6", try_bind, AF_INET6, SOCK_STREAM, EADDRNOTAVAIL },
	{ "gate_post_bind4", try_bind, AF_INET, SOCK_DGRAM, EPERM },
	{ "gate_post_bind6", try_bind, AF_INET6, SOCK_DGRAM, EPERM },
	{ "gate_connect4", try_connect, AF_INET, SOCK_DGRAM, EPERM },
	{ "gate_connect6", try_connect, AF_INET6, SOCK_DGRAM, EPERM },
	{ "gate_sendmsg4", try_send, AF_INET, SOCK_DGRAM, EPERM },
	{ "gate_sendmsg6", try_send, AF_INET6, SOCK_DGRAM, EPERM },
	{ "gate_sock_ops", try_listen, AF_INET, SOCK_STREAM, EPERM },
	{ "gate_device", try_device, AF_INET, SOCK_STREAM, EPERM },
	{ "gate_egress", try_send, AF_INET, SOCK_DGRAM, EPERM },
};
enum { ATTEMPTS = sizeof(attempts) / sizeof(*attempts) };

/* First it says what each attempt does with nothing in its way, then a byte is the number of one, and its answer comes back. */
static void stranger(int conn)
{
	int fds[ATTEMPTS], answers[ATTEMPTS];
	uint8_t number;

	for (size_t i = 0; i < ATTEMPTS; i++) {
		int fd = socket(attempts[i].family, attempts[i].type | SOCK_CLOEXEC, 0);

		answers[i] = fd < 0 ? -errno : attempts[i].try(fd);
		(void)close(fd);
		fds[i] = socket(attempts[i].family, attempts[i].type | SOCK_CLOEXEC, 0);
	}
	if (!helper_say(conn, answers, sizeof(answers)))
		return;
	while (helper_hear(conn, &number, 1) && number < ATTEMPTS) {
		answers[0] = attempts[number].try(fds[number]);
		if (!helper_say(conn, answers, sizeof(*answers)))
			return;
	}
}

/* ---- the Psv's side ---- */

struct stranger {
	struct helper process;
	int cgroup_fd;
	int controls[ATTEMPTS];
};

static int begin(const struct cgroup_layout *layout, const char *tag, struct stranger *ret)
{
	_cleanup_close_ int tag_fd = -1;
	int r;

	/* What a verify that was killed has left. */
	(void)cgroup_tree_kill(layout->v2, tag, group_name, END_MS, NULL);
	(void)cgroup_tree_remove(layout->v2, tag, group_name, NULL);
	r = cgroup_tree_make(layout->v2, tag, group_name, &tag_fd, &ret->cgroup_fd, NULL);
	if (r == 0)
		r = helper_begin(ret->cgroup_fd, -1, stranger, &ret->process);
	if (r < 0)
		return r;
	return helper_hear(ret->process.conn, ret->controls, sizeof(ret->controls)) ? 0 : -EIO;
}

static void end(const struct cgroup_layout *layout, const char *tag, struct stranger *s)
{
	helper_end(&s->process);
	cleanup_close(&s->cgroup_fd);
	(void)cgroup_tree_remove(layout->v2, tag, group_name, NULL);
}

/* ask: with that program alone in its way.  The answer of the attempt; -ENOENT: the program is not there; -ESRCH: it could not
 * be asked. */
static int ask(const struct server *s, const struct stranger *by, size_t program, uint8_t number)
{
	int r = gate_lend(s->cgroup_fd, by->cgroup_fd, program, true), answer = -ESRCH;

	if (r < 0)
		return r == -ENOENT ? r : -ESRCH;
	if (!helper_say(by->process.conn, &number, 1) || !helper_hear(by->process.conn, &answer, sizeof(answer)))
		answer = -ESRCH;
	(void)gate_lend(s->cgroup_fd, by->cgroup_fd, program, false);
	return answer;
}

static int find_program(const char *name)
{
	for (size_t i = 0; i < gate_n_programs; i++)
		if (strcmp(gate_programs[i].name, name) == 0)
			return (int)i;
	return -1;
}

static enum verdict ask_all(const struct server *s, const struct stranger *by, char *answer, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < ATTEMPTS; i++) {
		const struct attempt *a = &attempts[i];
		int program = find_program(a->program), r;
		char words[64];

		if (program < 0)
			continue;
		/* A machine without IPv6. */
		if (a->family == AF_INET6 && by->controls[i] != 0)
			continue;
		r = by->controls[i] == 0 ? ask(s, by, (size_t)program, (uint8_t)i) : -ESRCH;
		/* What is not attached is another look's to find, or no Vsv of its kind has it. */
		if (r == -ENOENT)
			continue;
		if (r == 0) {
			(void)str_format(answer, size, "%s lets it through", a->program);
			return VERDICT_THROUGH;
		}
		answer_text(by->controls[i] ? by->controls[i] : r, words, sizeof(words));
		if (r != -a->refused) {
			(void)str_format(answer, size, "%s: %s: %s", a->program, words, by->controls[i] ? "its control failed" : "no refusal");
			return VERDICT_OPEN;
		}
		n++;
	}
	(void)str_format(answer, size, "%zu times", n);
	return n ? VERDICT_REFUSED : VERDICT_OPEN;
}

enum verdict look_gate_stranger(struct verify *v, struct server *s, char *answer, size_t size)
{
	struct stranger by = { .process = { .conn = -1, .pid = -1 }, .cgroup_fd = -1 };
	enum verdict verdict = VERDICT_OPEN;
	struct cgroup_layout layout;
	char tag[TAG_MAX];
	int r;

	if (s->cgroup_fd < 0 || cgroup_layout(&layout, NULL) < 0) {
		(void)str_copy(answer, size, "its control group cannot be opened");
		return VERDICT_OPEN;
	}
	(void)str_format(tag, sizeof(tag), "%s-verify", v->psv->tag);
	r = begin(&layout, tag, &by);
	if (r == 0)
		verdict = ask_all(s, &by, answer, size);
	else
		(void)str_format(answer, size, "no control group could be made for it: %s", strerror(-r));
	end(&layout, tag, &by);
	return verdict;
}
