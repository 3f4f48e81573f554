/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Linux 6.13 and later count how often a v2 group was hit by cgroup.kill, and end what clone3(2) makes in a group whose count
 * changed during the call.  With CLONE_INTO_CGROUP they compare the counts of two groups: that of the caller, and that of the
 * new process.  So whoever is in a group that was hit once, and lived on or came later, can start nothing elsewhere. */
#include "psv/cgroup.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/sys.h"

enum { LEVEL_MAX = 1000 };

/* is_stillborn: 1: a process that does nothing was ended by SIGKILL; 0; -errno. */
static int is_stillborn(int group)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)group };
	int status = 0;
	pid_t pid = sys_clone3(&args);

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return -errno;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

int cgroup_level(int group, struct err *err)
{
	char events[256];
	int r = is_stillborn(group);

	if (r <= 0)
		return r < 0 ? err_set(err, r, "cannot make a process in its control group: %m") : 0;
	r = file_read_small(group, "cgroup.events", events, sizeof(events));
	if (r < 0 || strstr(events, "populated 1"))
		return err_set(err, r < 0 ? r : -EBUSY, "processes are in its control group already");
	for (int i = 0; i < LEVEL_MAX && r >= 0; i++) {
		r = file_write_at(group, "cgroup.kill", "1");
		if (r == 0)
			r = is_stillborn(group);
		if (r == 0)
			return 1;
	}
	(void)err_set(err, r < 0 ? r : -EIO, "the kernel ends at once what is started in its control group");
	return err_hint(err, r < 0 ? r : -EIO, "the control group of this command was hit by cgroup.kill before: start it from another session");
}
