/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Row (d), processes and what they share: signals, ptrace, IPC, abstract sockets.
 * Parameters: psv_pid (a process of the Psv, in the Psv's numbers), abstract (a name the Psv listens on), shm_key (a
 * segment of the Psv's), queue (a POSIX message queue of the Psv's). */
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static int signal_self(void) { return outcome(kill(getpid(), 0)); }
static int pidfd_psv(void) { return outcome(syscall(SYS_pidfd_open, param_number("psv_pid"), 0)); }

/* signal_all: how many processes a signal can reach that /proc does not show. */
static int signal_all(void)
{
	unsigned strange = 0;

	for (pid_t pid = 1; pid < 70000; pid++) {
		char path[32];

		if (kill(pid, 0) < 0 && errno == ESRCH)
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%d", pid);
		/* A thread answers kill() only by its process, so all that answers must be listed. */
		if (access(path, F_OK) < 0)
			strange++;
	}
	return strange ? result("%u-OUTSIDE", strange) : result("none");
}

static int ptrace_init(void) { return outcome(ptrace(PTRACE_ATTACH, 1, NULL, NULL)); }
static int read_init_memory(void)
{
	char byte;
	struct iovec local = { .iov_base = &byte, .iov_len = 1 };
	struct iovec remote = { .iov_base = (void *)0x400000, .iov_len = 1 };

	return outcome(process_vm_readv(1, &local, 1, &remote, 1, 0));
}
/* Their numbers can be listed; none of them can be opened. */
static int init_descriptors(void)
{
	int r = -ENOENT;

	for (int fd = 0; fd < 64; fd++) {
		char path[32], target[8];

		(void)snprintf(path, sizeof(path), "/proc/1/fd/%d", fd);
		if (readlink(path, target, sizeof(target)) >= 0 || open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) >= 0)
			return 0;
		if (errno != ENOENT)
			r = -errno;
	}
	return r;
}
static int init_exe(void) { return outcome(open("/proc/1/exe", O_RDONLY | O_CLOEXEC)); }
static int init_getfd(void)
{
	int pidfd = (int)syscall(SYS_pidfd_open, 1, 0);

	/* All of them: one that can be had is enough. */
	for (int fd = 0; pidfd >= 0 && fd < 64; fd++)
		if (syscall(SYS_pidfd_getfd, pidfd, fd, 0) >= 0)
			return 0;
		else if (errno != EBADF)
			return -errno;
	return -errno;
}
/* Generous, so that a success does no harm to the rest of the test. */
static int init_limits(void)
{
	struct rlimit l = { 1000, 1000 };

	return outcome(prlimit(1, RLIMIT_NOFILE, &l, NULL));
}

static int abstract_connect(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t len = strlen(name);

	if (fd < 0 || len > sizeof(a.sun_path) - 1)
		return -errno;
	memcpy(a.sun_path + 1, name, len);
	return outcome(connect(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)));
}
static int abstract_psv(void) { return abstract_connect(param("abstract")); }

/* An abstract name of the Vsv's own works. */
static int abstract_own(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "\0vnas-probe-own" };
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen("vnas-probe-own"));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, 1) < 0)
		return -errno;
	return abstract_connect("vnas-probe-own");
}

static int shm_psv(void) { return outcome(shmget((key_t)param_number("shm_key"), 1, 0)); }
static int shm_own(void) { return outcome(shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600)); }
static int queue_psv(void)
{
	mqd_t q = mq_open(param("queue"), O_RDONLY);

	return q == (mqd_t)-1 ? -errno : 0;
}
static int key_add(void) { return outcome(syscall(SYS_add_key, "user", "probe", "x", 1, -4)); }
static int key_control(void) { return outcome(syscall(SYS_keyctl, 0, -4, 0)); }
static int key_request(void) { return outcome(syscall(SYS_request_key, "user", "probe", NULL, 0)); }

const struct attempt process_attempts[] = {
	{ "signal-self", signal_self },
	{ "pidfd-psv", pidfd_psv },
	{ "signal-all", signal_all },
	{ "ptrace-init", ptrace_init },
	{ "memory-init", read_init_memory },
	{ "descriptors-init", init_descriptors },
	{ "exe-init", init_exe },
	{ "getfd-init", init_getfd },
	{ "limits-init", init_limits },
	{ "abstract-own", abstract_own },
	{ "abstract-psv", abstract_psv },
	{ "shm-own", shm_own },
	{ "shm-psv", shm_psv },
	{ "queue-psv", queue_psv },
	{ "key-add", key_add },
	{ "key-control", key_control },
	{ "key-request", key_request },
	{ NULL, NULL },
};
