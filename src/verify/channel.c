/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Speaking with a prober, so that nobody inside can answer in its place: not the process that started it either, which is the
 * Vsv's PID 1, and may have been taken over by its tenant.  The prober makes a pair of sockets for itself, and the Psv
 * takes one end out of it by pidfd_getfd(2), which nobody inside may do to it: whoever executes what it may not read is not dumpable.
 * (Whoever has kept CAP_DAC_OVERRIDE may read it, so of one that was started inside this holds only once it was executed
 * anew: verify/anew.h.)
 *
 * What a process was before it executed the prober is its starter's word, so the order counts: it executes our sealed memfd; it
 * is in a call of its own, so the execution is over and its name was set anew by the kernel; it has the name that the prober
 * takes when the sockets are made.  All three are the kernel's word, and from the first on no other's program runs in it. */
#include "verify/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "lib/str.h"
#include "lib/when.h"
#include "verify/prober.h"

enum { OUTPUT_MAX = 16 * 1024 * 1024 };

bool channel_runs(int program, pid_t pid)
{
	struct stat want, exe;
	char path[40];

	(void)str_format(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return fstat(program, &want) == 0 && stat(path, &exe) == 0 && exe.st_dev == want.st_dev && exe.st_ino == want.st_ino;
}

/* waits_for_us: it reads from its own end; so it is not in execve(2) any more. */
static bool waits_for_us(pid_t pid)
{
	char path[40], text[256];
	unsigned long long fd;
	long call;

	(void)str_format(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	/* "running", or the number of the call and its arguments. */
	return file_read_small(AT_FDCWD, path, text, sizeof(text)) == 0 && sscanf(text, "%ld %llx", &call, &fd) == 2 &&
	       call == SYS_read && fd == PROBER_OWN_FD;
}

bool channel_stands_with(pid_t pid, pid_t other)
{
	static const char *const places[] = {
		"root", "ns/user", "ns/mnt", "ns/pid", "ns/ipc", "ns/uts", "ns/cgroup", "ns/net", "ns/time",
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		struct stat a = { 0 }, b = { 0 };
		char path[48];
		int r, s;

		(void)str_format(path, sizeof(path), "/proc/%d/%s", (int)pid, places[i]);
		r = stat(path, &a);
		(void)str_format(path, sizeof(path), "/proc/%d/%s", (int)other, places[i]);
		s = stat(path, &b);
		/* A kernel may be without some namespaces; of one that is gone there is no root. */
		if (r != s || (r < 0 && i == 0) || a.st_dev != b.st_dev || a.st_ino != b.st_ino)
			return false;
	}
	return true;
}

int channel_open(int program, pid_t pid, int pidfd, int *ret)
{
	char comm[32];
	int fd;

	if (!pidfd_is_alive(pidfd))
		return -ESRCH;
	if (!channel_runs(program, pid) || !waits_for_us(pid) || strcmp(pid_comm(pid, comm, sizeof(comm)), PROBER_NAME) != 0)
		return -EAGAIN;
	fd = pidfd_getfd(pidfd, PROBER_CHANNEL_FD, 0);
	if (fd < 0)
		return -errno;
	*ret = fd;
	return 0;
}

static bool has_ended(const struct strbuf *said)
{
	return said->len >= 4 && memcmp(said->buf + said->len - 4, "end\n", 4) == 0;
}

int channel_talk(int fd, const char *input, int timeout_ms, struct strbuf *said)
{
	int64_t until_ms = now_ms() + timeout_ms;
	size_t left = strlen(input);

	while (!has_ended(said)) {
		struct pollfd p = { .fd = fd, .events = (short)(POLLIN | (left ? POLLOUT : 0)) };
		int64_t wait_ms = until_ms - now_ms();
		char buf[16384];
		ssize_t n;

		if (wait_ms <= 0 || said->len > OUTPUT_MAX)
			return -ETIME;
		if (poll(&p, 1, (int)wait_ms) <= 0)
			continue;
		if (p.revents & POLLOUT) {
			n = send(fd, input, left, MSG_NOSIGNAL | MSG_DONTWAIT);
			if (n < 0 && errno != EAGAIN && errno != EINTR)
				return 0;
			input += n > 0 ? n : 0;
			left -= n > 0 ? (size_t)n : 0;
			if (left == 0)
				(void)shutdown(fd, SHUT_WR);
		}
		if (p.revents & (POLLIN | POLLHUP | POLLERR)) {
			n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
			if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
				return 0;
			strbuf_add(said, buf, n > 0 ? (size_t)n : 0);
		}
	}
	return 0;
}
