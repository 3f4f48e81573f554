/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System calls that glibc 2.36 (Debian 12) has no wrapper for.  Each returns as the kernel's manual page says:
 * -1 and errno on failure. */
#pragma once

#include <linux/openat2.h>
#include <linux/sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* openat2(2), Linux 5.6 */
static inline int sys_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = { .flags = flags, .mode = mode, .resolve = resolve };
	return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
}

/* clone3(2) with CLONE_INTO_CGROUP, Linux 5.7; runs as fork(2) does. */
static inline pid_t sys_clone3(struct clone_args *args)
{
	return (pid_t)syscall(SYS_clone3, args, sizeof(*args));
}

/* close_range(2), Linux 5.9 */
static inline int sys_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}
