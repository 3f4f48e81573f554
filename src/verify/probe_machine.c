/* SPDX-License-Identifier: GPL-2.0-or-later */
/* (d) the machine itself, what it counts once for all, and the doors through which kernels were broken. */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "verify/prober.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif
enum { NR_open_tree = 428, NR_fsconfig = 431, NR_pidfd_getfd = 438, NR_process_madvise = 440, NR_mount_setattr = 442 };
enum { NR_io_uring_setup = 425, IOPRIO_REALTIME = 1 << 13 };

static int open_path(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK), r = outcome(fd);

	if (fd >= 0)
		(void)close(fd);
	return r;
}

static int any_of(const char *const *paths, size_t n, int flags)
{
	int r = ANSWER_NOTHING;

	for (size_t i = 0; i < n; i++)
		r = worse(r, open_path(paths[i], flags));
	return r;
}
#define ANY_OF(paths, flags) any_of(paths, sizeof(paths) / sizeof(*(paths)), flags)

int proc_settings(const struct target *t)
{
	static const char *const paths[] = { "/proc/sys/kernel/core_pattern", "/proc/sys/net/ipv4/ip_forward",
					     "/proc/sys/vm/drop_caches",      "/proc/sys/kernel/modprobe",
					     "/proc/sysrq-trigger",           "/proc/acpi/wakeup" };

	(void)t;
	return ANY_OF(paths, O_WRONLY);
}
int proc_kernel(const struct target *t)
{
	static const char *const paths[] = { "/proc/kcore",   "/proc/kmsg",       "/proc/kallsyms", "/proc/keys",  "/proc/sys",
					     "/proc/modules", "/proc/timer_list", "/proc/interrupts", "/proc/fs",  "/proc/config.gz" };

	(void)t;
	return ANY_OF(paths, O_RDONLY);
}
int proc_write_own(const struct target *t)
{
	static const char *const paths[] = { "/proc/self/oom_score_adj" };

	(void)t;
	return ANY_OF(paths, O_WRONLY);
}
int proc_init(const struct target *t)
{
	static const char *const paths[] = { "/proc/1/oom_score_adj", "/proc/1/oom_adj", "/proc/1/coredump_filter", "/proc/1/comm",
					     "/proc/1/task/1/comm" };

	(void)t;
	return ANY_OF(paths, O_WRONLY);
}
int sys_tree(const struct target *t)
{
	static const char *const paths[] = { "/sys/power/state", "/sys/kernel", "/sys/fs", "/sys/class/net" };

	(void)t;
	return ANY_OF(paths, O_RDONLY);
}
int cgroup_tree(const struct target *t)
{
	static const char *const paths[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/cgroup.procs", "/sys/fs/bpf" };

	(void)t;
	return ANY_OF(paths, O_RDONLY);
}

/* ---- the machine ---- */

int clock_adjust(const struct target *t)
{
	struct timex x = { .modes = ADJ_TICK, .tick = 1 }; /* out of range */

	(void)t;
	return past(adjtimex(&x), EINVAL);
}
int clock_set(const struct target *t)
{
	struct timespec now = { .tv_sec = 1 };

	(void)t;
	return past(syscall(SYS_clock_settime, CLOCK_MONOTONIC, &now), EINVAL); /* no clock that can be set */
}
int machine_reboot(const struct target *t)
{
	(void)t;
	return past(syscall(SYS_reboot, 0xfee1dead, 672274793, 0x76657269, NULL), EINVAL);
}
int module_load(const struct target *t)
{
	(void)t;
	return past(syscall(SYS_init_module, "", 0, ""), ENOEXEC);
}
int module_load_file(const struct target *t)
{
	(void)t;
	return past(syscall(SYS_finit_module, -1, "", 0), EBADF);
}
int kexec(const struct target *t)
{
	(void)t;
	return past(syscall(SYS_kexec_load, 0, 0, NULL, 0xff00), EINVAL);
}
int kernel_log(const struct target *t)
{
	char buf[64];

	(void)t;
	return outcome(syscall(SYS_syslog, 3, buf, sizeof(buf)));
}
int bpf_map(const struct target *t)
{
	uint32_t attr[32] = { 2, 4, 4, 1 };

	(void)t;
	return outcome(syscall(SYS_bpf, 0, attr, sizeof(attr)));
}
int perf(const struct target *t)
{
	struct perf_event_attr a = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(a), .config = PERF_COUNT_SW_CPU_CLOCK };

	(void)t;
	return outcome(syscall(SYS_perf_event_open, &a, -1, 0, -1, 0));
}
int io_uring(const struct target *t)
{
	uint32_t p[30] = { 0 };

	(void)t;
	return outcome(syscall(NR_io_uring_setup, 1, p));
}
int user_fault(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_userfaultfd, O_CLOEXEC | 1));
}
int swap_on(const struct target *t)
{
	(void)t;
	return past(syscall(SYS_swapon, "/vnas-none", 0), ENOENT);
}
int accounting(const struct target *t)
{
	(void)t;
	return past(syscall(SYS_acct, "/vnas-none"), ENOENT);
}
int quota(const struct target *t)
{
	(void)t;
	return past(syscall(SYS_quotactl, 0x800001U << 8, "/vnas-none", 0, NULL), ENOENT);
}
#ifdef __x86_64__
int ports(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_iopl, 3));
}
/* The 32-bit entry, whose numbers mean other calls: getpid. */
int foreign_calls(const struct target *t)
{
	long r;

	(void)t;
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
	if (r >= 0)
		return 0;
	/* And x32: getpid with its bit. */
	return outcome(syscall(0x40000000 | SYS_getpid)) == 0 ? 0 : (int)r;
}
#else
int ports(const struct target *t)
{
	(void)t;
	return -ENOSYS;
}
int foreign_calls(const struct target *t)
{
	(void)t;
	return -ENOSYS;
}
#endif
/* Calls beyond what the filter knows, whatever this kernel has there. */
int new_calls(const struct target *t)
{
	int r = ANSWER_NOTHING;

	(void)t;
	for (long nr = 457; nr < 480; nr++)
		r = worse(r, past(syscall(nr, -1, -1, -1, -1, -1, -1), EINVAL));
	return r;
}
/* What the filter of system calls refuses whatever is asked for: with arguments at which the kernel itself would stumble
 * before it looks at rights, so that the filter's own answer is told from the kernel's. */
int filter(const struct target *t)
{
	static const struct {
		long nr, args[4];
	} calls[] = {
		{ SYS_setsockopt, { -1, SOL_SOCKET, 25, 0 } }, /* SO_BINDTODEVICE */
		{ SYS_setsockopt, { -1, SOL_SOCKET, 62, 0 } }, /* SO_BINDTOIFINDEX */
		{ SYS_socket, { AF_PACKET, -1, 0, 0 } },
		{ SYS_socketpair, { AF_INET, 99, 0, 0 } },
		{ NR_open_tree, { -1, 0, -1, 0 } },
		{ NR_fsconfig, { -1, 99, 0, 0 } },
		{ NR_pidfd_getfd, { -1, -1, -1, 0 } },
		{ NR_process_madvise, { -1, 0, 0, 0 } },
		{ NR_mount_setattr, { -1, 0, -1, 0 } },
		{ SYS_setns, { -1, 0, 0, 0 } },
		{ SYS_add_key, { 0, 0, 0, 0 } },
		{ SYS_keyctl, { 99999, 0, 0, 0 } },
		{ SYS_request_key, { 0, 0, 0, 0 } },
		{ SYS_perf_event_open, { 0, 0, -1, -1 } },
		{ SYS_process_vm_readv, { 1, 0, 0, 0 } },
		{ SYS_process_vm_writev, { 1, 0, 0, 0 } },
		{ SYS_kcmp, { 0, 0, 99, 0 } },
		{ SYS_move_pages, { 0, -1, 0, 0 } },
		{ SYS_ptrace, { 0x7777, 0, 0, 0 } },
		{ SYS_prlimit64, { 1, 999, 0, 0 } },
		{ SYS_ioctl, { -1, 0x5412, 0, 0 } },           /* TIOCSTI */
	};
	int r = ANSWER_NOTHING;

	(void)t;
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		long got = syscall(calls[i].nr, calls[i].args[0], calls[i].args[1], calls[i].args[2], calls[i].args[3], 0L);

		r = worse(r, got < 0 && errno == EPERM ? -EPERM : 0);
	}
	return r;
}
int realtime(const struct target *t)
{
	struct sched_param p = { .sched_priority = 1 };

	(void)t;
	return outcome(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &p));
}
int priority(const struct target *t)
{
	(void)t;
	return outcome(setpriority(PRIO_PROCESS, 0, -10));
}
int io_priority(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_ioprio_set, 1, 0, IOPRIO_REALTIME));
}
int limit_raise(const struct target *t)
{
	struct rlimit l;

	(void)t;
	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return -errno;
	l.rlim_max++;
	return outcome(setrlimit(RLIMIT_NOFILE, &l));
}
int terminal_inject(const struct target *t)
{
	int master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), slave, unlock = 0;
	char c = 'x';

	(void)t;
	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return -ENOSPC; /* all are taken: it could not be tried */
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return -ENOSPC;
	(void)setsid();
	(void)ioctl(slave, TIOCSCTTY, 0);
	return outcome(ioctl(slave, TIOCSTI, &c));
}

/* ---- what is counted once for all ---- */

int inotify_own(const struct target *t)
{
	(void)t;
	return outcome(inotify_init1(IN_CLOEXEC));
}
int message_queue(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_mq_open, "vnas-verify", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, NULL));
}
int aio_contexts(const struct target *t)
{
	unsigned long context = 0;

	(void)t;
	return outcome(syscall(SYS_io_setup, 1, &context));
}
int fanotify(const struct target *t)
{
	(void)t;
	return outcome(syscall(SYS_fanotify_init, 0x200, 0)); /* by file handles, which needs no right */
}
