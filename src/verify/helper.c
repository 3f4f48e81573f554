/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A process of the Psv's in a control group: it has every right, and what the group's programs refuse is refused to it. */
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/sys.h"
#include "verify/internal.h"

enum { HELPER_S = 10 };

bool helper_say(int conn, const void *what, size_t size)
{
	return send(conn, what, size, MSG_NOSIGNAL) == (ssize_t)size;
}

bool helper_hear(int conn, void *ret, size_t size)
{
	return recv(conn, ret, size, MSG_WAITALL) == (ssize_t)size;
}

int helper_begin(int cgroup_fd, int net_fd, void (*f)(int conn), struct helper *ret)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)cgroup_fd };
	_cleanup_close_ int theirs = -1;
	int pair[2];

	*ret = (struct helper){ .conn = -1, .pid = -1 };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ret->conn = pair[0];
	theirs = pair[1];
	ret->pid = sys_clone3(&args);
	if (ret->pid < 0)
		return -errno;
	if (ret->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* As the prober: events of what is refused to it are told by its name. */
		(void)prctl(PR_SET_NAME, "vnas-prober", 0, 0, 0);
		(void)alarm(HELPER_S);
		(void)close(pair[0]);
		if (net_fd < 0 || setns(net_fd, CLONE_NEWNET) == 0)
			f(theirs);
		_exit(0);
	}
	return 0;
}

void helper_end(struct helper *h)
{
	if (h->pid > 0) {
		(void)kill(h->pid, SIGKILL);
		while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	h->pid = -1;
	cleanup_close(&h->conn);
}
