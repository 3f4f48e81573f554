/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Row (d), the machine itself: clock, modules, tracing, scheduling, and the doors that kernel bugs come through. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/acct.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

static int clock_set(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return outcome(clock_settime(CLOCK_REALTIME, &now));
}
static int clock_adjust(void)
{
	struct timex t = { .modes = ADJ_TICK, .tick = 10000 };

	return outcome(adjtimex(&t));
}
/* CAD_OFF is the present state inside a container, so that even a success changes nothing. */
static int machine_reboot(void)
{
	return outcome(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_CAD_OFF, NULL));
}
static int module_load(void) { return outcome(syscall(SYS_init_module, "", 0, "")); }
static int module_load_file(void) { return outcome(syscall(SYS_finit_module, 0, "", 0)); }
static int module_unload(void) { return outcome(syscall(SYS_delete_module, "probe-none", O_NONBLOCK)); }
static int kexec(void) { return outcome(syscall(SYS_kexec_load, 0, 0, NULL, 0)); }
static int kernel_log(void) { return outcome(klogctl(3, (char[64]){ 0 }, 64)); }
static int bpf_map(void)
{
	uint32_t attr[16] = { 2, 4, 4, 1 };

	return outcome(syscall(SYS_bpf, 0, attr, sizeof(attr)));
}
static int perf(void)
{
	struct perf_event_attr a = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(a), .config = PERF_COUNT_SW_CPU_CLOCK };

	return outcome(syscall(SYS_perf_event_open, &a, -1, 0, -1, 0));
}
static int io_uring(void)
{
	uint32_t p[30] = { 0 };

	return outcome(syscall(SYS_io_uring_setup, 1, p));
}
static int user_fault(void) { return outcome(syscall(SYS_userfaultfd, O_CLOEXEC | 1)); }
static int fanotify(void) { return outcome(fanotify_init(FAN_CLASS_CONTENT, O_RDONLY)); }
/* Which needs no right, and is counted by user. */
static int fanotify_plain(void) { return outcome(fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID, O_RDONLY)); }
static int swap_on(void) { return outcome(swapon("/probe-none", 0)); }
static int accounting(void) { return outcome(acct("/probe-none")); }
static int ports(void) { return outcome(syscall(SYS_iopl, 3)); }
static int quota(void) { return outcome(syscall(SYS_quotactl, 0x800001U << 8, NULL, 0, NULL)); }
static int realtime(void)
{
	struct sched_param p = { .sched_priority = 1 };

	return outcome(sched_setscheduler(0, SCHED_FIFO, &p));
}
static int priority(void) { return outcome(setpriority(PRIO_PROCESS, 0, -10)); }
static int io_priority(void)
{
	return outcome(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_RT, 0)));
}
static int memory_lock(void)
{
	size_t size = 64 * 1024 * 1024;
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -errno : outcome(mlock(p, size));
}
static int limit_raise(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return -errno;
	l.rlim_max++;
	return outcome(setrlimit(RLIMIT_NOFILE, &l));
}
static int terminal_inject(void)
{
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), slave, unlock = 0;
	char c = 'x';

	if (master < 0)
		return -errno;
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return -errno;
	slave = ioctl(master, TIOCGPTPEER, O_RDWR);
	if (slave < 0)
		return -errno;
	(void)setsid();
	(void)ioctl(slave, TIOCSCTTY, 0);
	return outcome(ioctl(slave, TIOCSTI, &c));
}

/* The capabilities that a process can have or get back: bounding, permitted and ambient, as one mask. */
static int capabilities(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = { { 0 } };
	uint64_t mask = 0;

	for (unsigned i = 0; i < 64; i++)
		if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
			mask |= UINT64_C(1) << i;
	if (syscall(SYS_capget, &h, d) < 0)
		return -errno;
	mask |= d[0].permitted | (uint64_t)d[1].permitted << 32 | d[0].inheritable | (uint64_t)d[1].inheritable << 32;
	return result("0x%llx", (unsigned long long)mask);
}

#ifdef __x86_64__
/* The 32-bit entry: getpid by int 0x80, and a socket by socketcall, which a filter for the native calls does not see. */
static int foreign_abi(void)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
	return r < 0 ? (int)r : 0;
}
#else
static int foreign_abi(void)
{
	return -ENOSYS;
}
#endif

const struct attempt machine_attempts[] = {
	{ "clock-set", clock_set },
	{ "clock-adjust", clock_adjust },
	{ "reboot", machine_reboot },
	{ "module-load", module_load },
	{ "module-load-file", module_load_file },
	{ "module-unload", module_unload },
	{ "kexec", kexec },
	{ "kernel-log", kernel_log },
	{ "bpf", bpf_map },
	{ "perf", perf },
	{ "io-uring", io_uring },
	{ "userfaultfd", user_fault },
	{ "fanotify", fanotify },
	{ "fanotify-plain", fanotify_plain },
	{ "swapon", swap_on },
	{ "acct", accounting },
	{ "iopl", ports },
	{ "quotactl", quota },
	{ "realtime", realtime },
	{ "priority", priority },
	{ "io-priority", io_priority },
	{ "memory-lock", memory_lock },
	{ "limit-raise", limit_raise },
	{ "terminal-inject", terminal_inject },
	{ "capabilities", capabilities },
	{ "foreign-abi", foreign_abi },
	{ NULL, NULL },
};
