/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Run inside by test_confine.c: what the Vsv's filter answers to every system call there is a number for, as lines
 * "WAY NUMBER ERRNO" (0: a descriptor or so came back).  With a file of calls (recorded.h), run by test_init_calls.c: what it
 * answers to those that it does not let through, "recorded NUMBER ERRNO", and how many it was asked.
 *
 * None of them is carried out: this process puts a filter of its own above, which hands every call to a tracer that is not
 * there.  That is answered with ENOSYS, and comes after every refusal (seccomp(2), "precedence"): so ENOSYS says that
 * the Vsv's filter has nothing against the call, or says itself that there is none.  Numbers that it takes for none are tried
 * without that filter, so there the answer is its own. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorded.h"

enum { LAST_NATIVE = 456, LAST_TRIED = 1100, LAST_FOREIGN = 500 };

/* uretprobe and uprobe (Linux 6.11, 6.17): the kernel asks no filter about them, and ends whoever calls them from elsewhere
 * than its own trampolines. */
enum { NR_URETPROBE = 335, NR_UPROBE = 336 };

static char out[128 * 1024];
static size_t len;

/* In memory until the end: nothing can be written on the way. */
static void say(const char *way, long nr, long r)
{
	len += (size_t)snprintf(out + len, sizeof(out) - len, "%s %ld %d\n", way, nr, r < 0 ? errno : 0);
}

/* Our own two last calls are told by an argument that they do not have. */
#define OURS 0x6f757273UL

static int stop_all(void)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OURS, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = sizeof(f) / sizeof(*f), .filter = f };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
}

#ifdef __x86_64__
enum { X32_BIT = 0x40000000 };

static long i386(long nr)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(0L), "c"(0L), "d"(0L), "S"(0L), "D"(0L)
			 : "memory", "r8", "r9", "r10", "r11");
	if (r < 0)
		errno = (int)-r;
	return r;
}
#endif

static void foreign(void)
{
	for (long nr = LAST_NATIVE + 1; nr <= LAST_TRIED; nr++)
		say("newer", nr, syscall(nr, 0, 0, 0, 0, 0, 0));
#ifdef __x86_64__
	for (long nr = 0; nr <= LAST_TRIED; nr++)
		say("x32", nr, syscall(X32_BIT | nr, 0, 0, 0, 0, 0, 0));
	for (long nr = 0; nr <= LAST_FOREIGN; nr++)
		say("i386", nr, i386(nr));
#endif
}

/* try_recorded: the arguments are another process's addresses: none of these calls may be carried out. */
static void try_recorded(const struct recorded_call *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const unsigned long *a = calls[i].args;
		long r = syscall(calls[i].nr, a[0], a[1], a[2], a[3], a[4], a[5] == OURS ? 0 : a[5]);

		if (r >= 0 || errno != ENOSYS)
			say("recorded", calls[i].nr, r);
	}
	len += (size_t)snprintf(out + len, sizeof(out) - len, "asked %zu\n", n);
}

static void try_all(void)
{
	for (long nr = 0; nr <= LAST_NATIVE; nr++)
		if (nr != NR_URETPROBE && nr != NR_UPROBE)
			say("native", nr, syscall(nr, 0, 0, 0, 0, 0, 0));
}

int main(int argc, char **argv)
{
	static struct recorded_call calls[RECORDED_MAX];
	ssize_t n = argc > 1 ? read(open(argv[1], O_RDONLY | O_CLOEXEC), calls, sizeof(calls)) : 0;

	if (argc == 1)
		foreign();
	if (n < 0 || stop_all() < 0) {
		(void)printf("cannot load calls or a filter: %d\n", errno);
		return 1;
	}
	if (argc > 1)
		try_recorded(calls, (size_t)n / sizeof(*calls));
	else
		try_all();
	n = syscall(SYS_write, 1, out, len, 0, 0, OURS);
	(void)syscall(SYS_exit_group, n != (ssize_t)len, 0, 0, 0, 0, OURS);
	return 1;
}
