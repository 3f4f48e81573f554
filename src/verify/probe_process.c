/* SPDX-License-Identifier: GPL-2.0-or-later */
/* (d) processes, and what they share: signals, tracing, IPC, abstract sockets, keys, namespaces. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "verify/prober.h"
#include "vsv/small.h"

enum { NR_pidfd_open = 434, NR_clone3 = 435, NR_pidfd_getfd = 438, PIDS_TRIED = 70000, INIT_FDS = 64 };

static void proc_path(char *buf, size_t size, pid_t pid, const char *what)
{
	struct text t = { .buf = buf, .size = size };

	text_add(&t, "/proc/");
	text_u64(&t, (uint64_t)pid);
	text_add(&t, what);
}

/* is_ours: the number is that of a process of the Vsv's own. */
static bool is_ours(pid_t pid)
{
	char path[64];

	proc_path(path, sizeof(path), pid, "");
	return access(path, F_OK) == 0;
}

static int open_pidfd(pid_t pid)
{
	int fd = (int)syscall(NR_pidfd_open, pid, 0), r = outcome(fd);

	if (fd >= 0)
		(void)close(fd);
	return r;
}

int signal_own(const struct target *t)
{
	(void)t;
	return outcome(kill(getpid(), 0));
}
int pidfd_own(const struct target *t)
{
	(void)t;
	return open_pidfd(getpid());
}
int proc_own(const struct target *t)
{
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC), r = outcome(fd);

	(void)t;
	if (fd >= 0)
		(void)close(fd);
	return r;
}

/* Numbers are the Psv's; where a process inside has the same one, it says nothing. */
static int each_pid(const struct target *t, int (*f)(pid_t pid))
{
	int r = ANSWER_NOTHING;

	for (unsigned i = 0; i < t->n_pids; i++)
		if (!is_ours(t->pids[i]))
			r = worse(r, f(t->pids[i]));
	return r;
}
static int signal_one(pid_t pid) { return outcome(kill(pid, 0)); }
static int look_at(pid_t pid)
{
	char path[64];

	proc_path(path, sizeof(path), pid, "/stat");
	return outcome(access(path, F_OK));
}
int signal_peer(const struct target *t) { return each_pid(t, signal_one); }
int pidfd_peer(const struct target *t) { return each_pid(t, open_pidfd); }
int proc_pid(const struct target *t) { return each_pid(t, look_at); }

/* Whoever can be signalled is listed in /proc, or has ended since. */
int signal_strangers(const struct target *t)
{
	(void)t;
	for (pid_t pid = 1; pid < PIDS_TRIED; pid++)
		if (kill(pid, 0) == 0 && !is_ours(pid) && kill(pid, 0) == 0 && !is_ours(pid))
			return 0;
	return -ESRCH;
}

int trace_init(const struct target *t)
{
	(void)t;
	return outcome(ptrace(PTRACE_SEIZE, 1, NULL, NULL));
}
int memory_init(const struct target *t)
{
	char byte;
	struct iovec local = { .iov_base = &byte, .iov_len = 1 };
	struct iovec remote = { .iov_base = (void *)0x400000, .iov_len = 1 };
	int fd = open("/proc/1/mem", O_RDONLY | O_CLOEXEC);

	(void)t;
	if (fd >= 0) {
		(void)close(fd);
		return 0;
	}
	return past(syscall(SYS_process_vm_readv, 1, &local, 1, &remote, 1, 0), EFAULT);
}
int descriptors_init(const struct target *t)
{
	int r = ANSWER_NOTHING;

	(void)t;
	for (int i = 0; i < INIT_FDS; i++) {
		char path[64], number[24], link[8];
		struct text n = TEXT(number);
		int one;

		text_add(&n, "/fd/");
		text_u64(&n, (uint64_t)i);
		proc_path(path, sizeof(path), 1, number);
		one = readlink(path, link, sizeof(link)) >= 0 ? 0 : -errno;
		if (one != -ENOENT)
			r = worse(r, one);
	}
	return r;
}
int getfd_init(const struct target *t)
{
	int pidfd = (int)syscall(NR_pidfd_open, 1, 0), r = ANSWER_NOTHING;

	(void)t;
	if (pidfd < 0)
		return -errno;
	for (int fd = 0; fd < INIT_FDS; fd++) {
		int one = outcome(syscall(NR_pidfd_getfd, pidfd, fd, 0));

		if (one != -EBADF)
			r = worse(r, one);
	}
	(void)close(pidfd);
	return r;
}
int limits_init(const struct target *t)
{
	struct rlimit now;

	(void)t;
	return outcome(prlimit(1, RLIMIT_NOFILE, NULL, &now));
}

/* ---- abstract sockets ---- */

static int abstract_socket(const char *name, struct sockaddr_un *ret, socklen_t *ret_len)
{
	size_t len = strlen(name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	memcpy(ret->sun_path + 1, name, len);
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len);
	return fd < 0 ? -errno : fd;
}

static int abstract_connect(const char *name)
{
	struct sockaddr_un a;
	socklen_t len;
	int fd = abstract_socket(name, &a, &len), r;

	if (fd < 0)
		return fd;
	r = outcome(connect(fd, (struct sockaddr *)&a, len));
	(void)close(fd);
	return r;
}
int abstract_psv(const struct target *t) { return t->abstract[0] ? abstract_connect(t->abstract) : ANSWER_NOTHING; }

int abstract_own(const struct target *t)
{
	char name[80] = "";
	struct text n = TEXT(name);
	struct sockaddr_un a;
	socklen_t len;
	int fd, r;

	text_add(&n, "vnas-verify-own-");
	text_add(&n, t->token);
	fd = abstract_socket(name, &a, &len);
	if (fd < 0)
		return fd;
	r = outcome(bind(fd, (struct sockaddr *)&a, len));
	if (r == 0)
		r = outcome(listen(fd, 1));
	if (r == 0)
		r = abstract_connect(name);
	(void)close(fd);
	return r;
}

/* A name that the Psv has: EADDRINUSE says that both draw on the same names. */
int abstract_squat(const struct target *t)
{
	struct sockaddr_un a;
	socklen_t len;
	int fd, r;

	if (!t->abstract[0])
		return ANSWER_NOTHING;
	fd = abstract_socket(t->abstract, &a, &len);
	if (fd < 0)
		return fd;
	r = outcome(bind(fd, (struct sockaddr *)&a, len));
	(void)close(fd);
	/* Bound: it is a name of the Vsv's own names, which is what is wanted. */
	return r == 0 ? -EPERM : r == -EADDRINUSE ? 0 : r;
}

/* ---- IPC and keys ---- */

int ipc_own(const struct target *t)
{
	int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600), r = outcome(id);

	(void)t;
	if (id >= 0)
		(void)shmctl(id, IPC_RMID, NULL);
	return r;
}
int ipc_keys(const struct target *t)
{
	int r = ANSWER_NOTHING;

	for (unsigned i = 0; i < t->n_shm; i++)
		r = worse(r, outcome(shmget((key_t)t->shm_keys[i], 1, 0)));
	return r;
}

enum { PROCESS_KEYRING = -2, USER_KEYRING = -4 };
int key_add(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_add_key, "user", "vnas-verify", "x", 1, PROCESS_KEYRING));
}
int key_control(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_keyctl, 0, PROCESS_KEYRING, 1));
}
int key_request(const struct target *t)
{
	(void)t;
	return past(syscall(SYS_request_key, "user", "vnas-verify-none", NULL, 0), ENOKEY);
}

/* ---- rights and namespaces ---- */

int call_own(const struct target *t)
{
	struct timespec now;

	(void)t;
	return outcome(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now));
}

static int forked(long pid)
{
	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return -errno;
	while (waitpid((pid_t)pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}
int fork_own(const struct target *t)
{
	(void)t;
	return forked(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}
int clone_user(const struct target *t)
{
	(void)t;
	return forked(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
}
int clone3_user(const struct target *t)
{
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };

	(void)t;
	return forked(syscall(NR_clone3, &args, sizeof(args)));
}
int unshare_user(const struct target *t)
{
	(void)t;
	return outcome(unshare(CLONE_NEWUSER));
}
int unshare_each(const struct target *t)
{
	static const int kinds[] = { CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP };
	int r = ANSWER_NOTHING;

	(void)t;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		r = worse(r, outcome(unshare(kinds[i])));
	return r;
}
int setns_own(const struct target *t)
{
	int fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC), r;

	(void)t;
	if (fd < 0)
		return -errno;
	r = outcome(setns(fd, 0));
	(void)close(fd);
	return r;
}

/* A right that no service of the Vsv was given: in any set from which one can be had. */
int capabilities(const struct target *t)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];
	uint64_t had = 0;

	for (unsigned i = 0; i < 64; i++)
		if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
			had |= UINT64_C(1) << i;
	if (syscall(SYS_capget, &h, d) < 0)
		return -errno;
	for (unsigned i = 0; i < 2; i++)
		had |= (uint64_t)(d[i].permitted | d[i].inheritable | d[i].effective) << 32 * i;
	return had & ~t->capabilities ? 0 : -EPERM;
}
int new_privileges(const struct target *t)
{
	(void)t;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2 ? -EPERM : 0;
}
