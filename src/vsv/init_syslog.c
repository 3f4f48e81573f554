/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /dev/log, which leads to /run/log.  Who sends too much waits: the socket's queue is short, and PID 1 takes a bounded
 * number at a time.  Credentials are asked for, and the space for them is all the space for control data that there is:
 * so the kernel closes descriptors that somebody sends along, and none ever arrives here.
 * It closes them in our place, which may have to wait (init_wait.c). */
#include "vsv/init.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "vsv/syslog.h"

enum { READS_MAX = 64, HEAD_MAX_BYTES = 128 /* what stands before the text at most */ };

#define SOCKET_PATH "/run/log"

int init_syslog_open(void)
{
	const struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = SOCKET_PATH };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, r = 0;
	mode_t mask;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return -errno;
	mask = umask(0111); /* everybody may write to it */
	if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		r = -errno;
	(void)umask(mask);
	return r < 0 ? r : steal_fd(&fd);
}

static pid_t sender_of(struct msghdr *m)
{
	struct ucred cred;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS || c->cmsg_len < CMSG_LEN(sizeof(cred)))
			continue;
		memcpy(&cred, CMSG_DATA(c), sizeof(cred));
		return cred.pid > 0 ? cred.pid : 0;
	}
	return 0;
}

/* read_one: false: there is none. */
static bool read_one(int fd)
{
	char buf[PROTO_TEXT_MAX + HEAD_MAX_BYTES];
	union {
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct syslog_line line;

	if (n < 0)
		return false;
	syslog_parse(buf, (size_t)n, &line);
	log_add_syslog(&line, sender_of(&m));
	return true;
}

void init_syslog_read(int fd)
{
	if (fd < 0)
		return;
	wait_begin();
	/* A round waits once: the rest is for the next one. */
	for (unsigned i = 0; i < READS_MAX && read_one(fd) && !wait_is_over();)
		i++;
	wait_end();
}
