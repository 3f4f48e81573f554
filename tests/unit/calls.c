/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Run inside and outside by test_confine.c: makes each system call of a table and prints "NAME ERRNO" (0: it succeeded).
 * The arguments are such that a call that is let through does no harm, and fails otherwise than by EPERM as root. */
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __NR_io_uring_setup
#define __NR_io_uring_setup 425
#endif

static const long bad = -4096; /* no address */
static struct rlimit64 core_limit = { 0, 0 };

static const struct {
	const char *name;
	long nr, args[6];
} calls[] = {
	{ "socket_inet_tcp", SYS_socket, { AF_INET, SOCK_STREAM, 0 } },
	{ "socket_inet6_udp", SYS_socket, { AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP } },
	{ "socket_unix", SYS_socket, { AF_UNIX, SOCK_SEQPACKET, 0 } },
	{ "socket_route", SYS_socket, { AF_NETLINK, SOCK_RAW, NETLINK_ROUTE } },
	{ "socket_netfilter", SYS_socket, { AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER } },
	{ "socket_audit", SYS_socket, { AF_NETLINK, SOCK_RAW, NETLINK_AUDIT } },
	{ "socket_generic", SYS_socket, { AF_NETLINK, SOCK_RAW, NETLINK_GENERIC } },
	{ "socket_raw", SYS_socket, { AF_INET, SOCK_RAW, IPPROTO_ICMP } },
	{ "socket_ping", SYS_socket, { AF_INET, SOCK_DGRAM, IPPROTO_ICMP } },
	{ "socket_mptcp", SYS_socket, { AF_INET, SOCK_STREAM, 262 } },
	{ "socket_sctp", SYS_socket, { AF_INET6, SOCK_STREAM, 132 } },
	{ "socket_udplite", SYS_socket, { AF_INET, SOCK_DGRAM, 136 } },
	{ "socket_old_packet", SYS_socket, { AF_INET, SOCK_PACKET, 0 } },
	{ "socket_packet", SYS_socket, { AF_PACKET, SOCK_RAW, 0 } },
	{ "socket_vsock", SYS_socket, { 40, SOCK_STREAM, 0 } },
	{ "socket_alg", SYS_socket, { 38, SOCK_SEQPACKET, 0 } },
	{ "socket_xdp", SYS_socket, { 44, SOCK_RAW, 0 } },
	{ "socketpair_tipc", SYS_socketpair, { 30, SOCK_STREAM, 0, bad } },
	{ "bindtodevice", SYS_setsockopt, { -1, SOL_SOCKET, 25, 0, 0 } },
	{ "bindtoifindex", SYS_setsockopt, { -1, SOL_SOCKET, 62, 0, 0 } },
	{ "port_range", SYS_setsockopt, { -1, IPPROTO_IP, 51, 0, 0 } },
	/* The kernel looks at the lower 32 bits only, and so must the filter. */
	{ "bindtodevice_high", SYS_setsockopt, { -1, SOL_SOCKET | (1L << 32), 25 | (1L << 40), 0, 0 } },
	{ "reuseaddr", SYS_setsockopt, { -1, SOL_SOCKET, SO_REUSEADDR, 0, 0 } },
	{ "unshare_fs", SYS_unshare, { CLONE_FS } },
	{ "unshare_user", SYS_unshare, { CLONE_NEWUSER | CLONE_SYSVSEM | 1 } },
	{ "unshare_time", SYS_unshare, { 0x80 | 1 } },
	{ "unshare_net", SYS_unshare, { CLONE_NEWNET | 1 } },
	{ "clone_newuser", SYS_clone, { CLONE_NEWUSER | CLONE_FS | CLONE_SIGHAND, 0, 0, 0, 0 } },
	{ "clone_newns", SYS_clone, { CLONE_NEWNS | CLONE_FS, 0, 0, 0, 0 } },
	{ "clone3", 435, { bad, 8 } },
	{ "setns", SYS_setns, { -1, 0 } },
	{ "mount", SYS_mount, { bad, bad, bad, 0, bad } },
	{ "umount", SYS_umount2, { bad, 0x1000 } },
	{ "pivot_root", SYS_pivot_root, { bad, bad } },
	{ "open_tree", 428, { -1, bad, 0 } },
	{ "move_mount", 429, { -1, bad, -1, bad, 0 } },
	{ "fsopen", 430, { bad, 0 } },
	{ "fsconfig", 431, { -1, 99 } },
	{ "fsmount", 432, { -1, 0, 0 } },
	{ "fspick", 433, { -1, bad, 0 } },
	{ "mount_setattr", 442, { -1, bad, 0x10000, bad, 32 } },
	{ "keyctl", SYS_keyctl, { 0, -3, 0 } },
	{ "add_key", SYS_add_key, { bad, bad, 0, 0, -3 } },
	{ "request_key", SYS_request_key, { bad, bad, 0, 0 } },
	{ "bpf", SYS_bpf, { 0, bad, 16 } },
	{ "perf_event_open", SYS_perf_event_open, { bad, 0, -1, -1, 0 } },
	{ "userfaultfd", SYS_userfaultfd, { 0x40 } },
	{ "io_setup", SYS_io_setup, { 0, bad } },
	{ "io_uring_setup", 425, { 0, bad } },
	{ "io_uring_enter", 426, { -1, 0, 0, 0, 0, 0 } },
	{ "io_uring_register", 427, { -1, 0, 0, 0 } },
	{ "fanotify_init", SYS_fanotify_init, { -1, 0 } },
	{ "memfd_secret", 447, { 0x7fffffff } },
	{ "ptrace", SYS_ptrace, { PTRACE_ATTACH, 0x3fffffff, 0, 0 } },
	{ "process_vm_readv", SYS_process_vm_readv, { 0x3fffffff, bad, 1, bad, 1, 0 } },
	{ "process_vm_writev", SYS_process_vm_writev, { 0x3fffffff, bad, 1, bad, 1, 0 } },
	{ "kcmp", SYS_kcmp, { 0x3fffffff, 0x3fffffff, 0, 0, 0 } },
	{ "pidfd_getfd", 438, { -1, 0, 0 } },
	{ "open_by_handle_at", SYS_open_by_handle_at, { -1, bad, 0 } },
	{ "quotactl", SYS_quotactl, { 0x7fffffff, bad, 0, 0 } },
	{ "reboot", SYS_reboot, { 1, 2, 3, 0 } },
	{ "swapon", SYS_swapon, { bad, 0x7fffffff } },
	{ "swapoff", SYS_swapoff, { bad } },
	{ "syslog", SYS_syslog, { 99, 0, 0 } },
	{ "acct", SYS_acct, { bad } },
	{ "settimeofday", SYS_settimeofday, { bad, 0 } },
	{ "clock_settime", SYS_clock_settime, { 0, bad } },
	{ "adjtimex", SYS_adjtimex, { bad } },
	{ "sethostname", SYS_sethostname, { bad, 4 } },
	{ "init_module", SYS_init_module, { bad, 0, bad } },
	{ "delete_module", SYS_delete_module, { bad, 0 } },
	{ "mknod_block", SYS_mknodat, { -1, bad, S_IFBLK | 0600, 0x701 } },
	{ "mknod_char", SYS_mknodat, { -1, bad, S_IFCHR | 0600 | (1L << 40), 0x101 } },
	{ "mknod_whiteout", SYS_mknodat, { -1, bad, S_IFCHR, 1L << 40 } },
	{ "mknod_fifo", SYS_mknodat, { -1, bad, S_IFIFO | 0600, 0x701 } },
#ifdef SYS_mknod
	{ "mknod_old_block", SYS_mknod, { bad, S_IFBLK | 0600, 0x701 } },
	{ "mknod_old_fifo", SYS_mknod, { bad, S_IFIFO | 0600, 0x701 } },
#endif
	{ "personality_asks", SYS_personality, { 0xffffffff } },
	{ "personality_sets", SYS_personality, { 0x0040000 } },
	{ "core_limit_with_old", SYS_prlimit64, { 0, RLIMIT_CORE, (long)&core_limit, bad } },
	/* What /proc/PID/exe says is what we go by: PR_SET_MM_EXE_FILE wants CAP_SYS_RESOURCE. */
	{ "exe_file", SYS_prctl, { PR_SET_MM, PR_SET_MM_EXE_FILE, -1, 0, 0 } },
	{ "tiocsti", SYS_ioctl, { -1, TIOCSTI, 0 } },
	{ "tiocsetd", SYS_ioctl, { -1, TIOCSETD, 0 } },
	{ "tiocgwinsz", SYS_ioctl, { -1, TIOCGWINSZ, 0 } },
	{ "newer_than_the_table", 600, { 0 } },
#ifdef __x86_64__
	{ "x32_getpid", 0x40000000 | SYS_getpid, { 0 } },
	{ "iopl", SYS_iopl, { 4 } },
	{ "modify_ldt", SYS_modify_ldt, { 99, 0, 0 } },
#endif
};

#ifdef __x86_64__
/* The i386 way in: getpid is 20 there. */
static long foreign(void)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
	return r;
}
#endif

/* limits: who sets the limit of cores, and what it is then; and that another one can be set. */
static void say_limit(const char *what, long r, int resource)
{
	struct rlimit64 l = { 7, 7 };
	long got = syscall(SYS_prlimit64, 0, resource, 0, &l);

	(void)printf("%s %d %lld %lld\n", what, r < 0 || got < 0 ? errno : 0, (long long)l.rlim_cur, (long long)l.rlim_max);
}

static int limits(void)
{
	struct rlimit64 none = { 0, 0 }, old, nine = { 9, 9 };

	say_limit("prlimit64", syscall(SYS_prlimit64, 0, RLIMIT_CORE, &none, 0), RLIMIT_CORE);
#ifdef SYS_setrlimit
	say_limit("setrlimit", syscall(SYS_setrlimit, RLIMIT_CORE, &none), RLIMIT_CORE);
#else
	say_limit("setrlimit", 0, RLIMIT_CORE);
#endif
	say_limit("with old", syscall(SYS_prlimit64, 0, RLIMIT_CORE, &none, &old), RLIMIT_CORE);
	say_limit("asks", syscall(SYS_prlimit64, 0, RLIMIT_CORE, 0, &old), RLIMIT_CORE);
	say_limit("other", syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &nine, 0), RLIMIT_NOFILE);
	return 0;
}

static int is_named(const char *name, char **names)
{
	while (*names && strcmp(*names, name) != 0)
		names++;
	return *names != NULL;
}

/* Of all calls, or of those that are named. */
int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "limits") == 0)
		return limits();
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		const long *a = calls[i].args;
		long r;

		if (argc > 1 && !is_named(calls[i].name, argv + 1))
			continue;
		r = syscall(calls[i].nr, a[0], a[1], a[2], a[3], a[4], a[5]);
		if (r == 0 && (calls[i].nr == SYS_clone))
			_exit(0);
		(void)printf("%s %d\n", calls[i].name, r < 0 ? errno : 0);
		(void)fflush(stdout);
	}
	if (argc > 1)
		return 0;
#ifdef __x86_64__
	(void)printf("int80_getpid %ld\n", foreign() < 0 ? -foreign() : 0);
#endif
	return 0;
}
