/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The system calls that nobody inside has, as a table for three readers: the filter (seccomp.c), the lines about refusals
 * (refusal.c), and the list that the tests hold against what a Vsv answers.  X(name, number, errno, who answers):
 * TOLD: PID 1, which notes it.  ALONE: the kernel, without a word to anybody, so that it does not hang on PID 1 either: what
 * does not exist; and what the kernel would give to who has no capability and what leads beyond the Vsv, to kernel code that
 * was broken again and again, or to what is user 0's of the whole machine. */
#pragma once

#include <errno.h>
#include <sys/syscall.h>

/* Numbers that are the same everywhere since Linux 5.1; the C library's headers may be older than they are. */
enum {
	NR_io_uring_setup = 425, NR_io_uring_enter = 426, NR_io_uring_register = 427, NR_open_tree = 428,
	NR_move_mount = 429, NR_fsopen = 430, NR_fsconfig = 431, NR_fsmount = 432, NR_fspick = 433, NR_clone3 = 435,
	NR_pidfd_getfd = 438, NR_process_madvise = 440, NR_mount_setattr = 442, NR_quotactl_fd = 443,
	NR_memfd_secret = 447, NR_setxattrat = 463, NR_removexattrat = 466,
};

/* The last call that the table has thought about: futex_requeue, Linux 6.7.  What is newer does not exist inside. */
enum { LAST_KNOWN_CALL = 456 };

/* clang-format off */
#define REFUSED_CALLS_ALL(X) \
	/* A filter cannot look into its arguments; the C library falls back to clone. */ \
	X(clone3, NR_clone3, ENOSYS, ALONE) \
	/* Another way into the kernel for sockets and files, past every filter on calls. */ \
	X(io_uring_setup, NR_io_uring_setup, EPERM, ALONE) \
	X(io_uring_enter, NR_io_uring_enter, EPERM, ALONE) \
	X(io_uring_register, NR_io_uring_register, EPERM, ALONE) \
	/* Its contexts are counted for the whole machine (fs.aio-max-nr). */ \
	X(io_setup, SYS_io_setup, ENOSYS, ALONE) \
	/* Keyrings are a user's, and user 0 is the machine's. */ \
	X(add_key, SYS_add_key, EPERM, ALONE) \
	X(request_key, SYS_request_key, EPERM, ALONE) \
	X(keyctl, SYS_keyctl, EPERM, ALONE) \
	/* Its groups are counted as inotify's instances are, and no file server uses them. */ \
	X(fanotify_init, SYS_fanotify_init, EPERM, ALONE) \
	/* Mounts are made by the Psv alone. */ \
	X(mount, SYS_mount, EPERM, TOLD) \
	X(umount2, SYS_umount2, EPERM, TOLD) \
	X(pivot_root, SYS_pivot_root, EPERM, TOLD) \
	X(open_tree, NR_open_tree, EPERM, TOLD) \
	X(move_mount, NR_move_mount, EPERM, TOLD) \
	X(fsopen, NR_fsopen, EPERM, TOLD) \
	X(fsconfig, NR_fsconfig, EPERM, TOLD) \
	X(fsmount, NR_fsmount, EPERM, TOLD) \
	X(fspick, NR_fspick, EPERM, TOLD) \
	X(mount_setattr, NR_mount_setattr, EPERM, TOLD) \
	X(setns, SYS_setns, EPERM, TOLD) \
	X(swapon, SYS_swapon, EPERM, TOLD) \
	X(swapoff, SYS_swapoff, EPERM, TOLD) \
	X(quotactl, SYS_quotactl, EPERM, TOLD) \
	X(quotactl_fd, NR_quotactl_fd, EPERM, TOLD) \
	X(acct, SYS_acct, EPERM, TOLD) \
	/* Other processes' insides. */ \
	X(ptrace, SYS_ptrace, EPERM, TOLD) \
	X(process_vm_readv, SYS_process_vm_readv, EPERM, TOLD) \
	X(process_vm_writev, SYS_process_vm_writev, EPERM, TOLD) \
	X(pidfd_getfd, NR_pidfd_getfd, EPERM, TOLD) \
	X(process_madvise, NR_process_madvise, EPERM, TOLD) \
	X(kcmp, SYS_kcmp, EPERM, TOLD) \
	X(migrate_pages, SYS_migrate_pages, EPERM, TOLD) \
	X(move_pages, SYS_move_pages, EPERM, TOLD) \
	/* Much kernel for no file server. */ \
	X(bpf, SYS_bpf, EPERM, ALONE) \
	X(perf_event_open, SYS_perf_event_open, EPERM, ALONE) \
	X(userfaultfd, SYS_userfaultfd, EPERM, ALONE) \
	X(memfd_secret, NR_memfd_secret, EPERM, ALONE) \
	X(vhangup, SYS_vhangup, EPERM, TOLD) \
	/* The machine itself. */ \
	X(reboot, SYS_reboot, EPERM, TOLD) \
	X(kexec_load, SYS_kexec_load, EPERM, TOLD) \
	X(init_module, SYS_init_module, EPERM, TOLD) \
	X(finit_module, SYS_finit_module, EPERM, TOLD) \
	X(delete_module, SYS_delete_module, EPERM, TOLD) \
	X(syslog, SYS_syslog, EPERM, ALONE) \
	X(settimeofday, SYS_settimeofday, EPERM, TOLD) \
	X(clock_settime, SYS_clock_settime, EPERM, TOLD) \
	X(clock_adjtime, SYS_clock_adjtime, EPERM, TOLD) \
	X(adjtimex, SYS_adjtimex, EPERM, TOLD) \
	X(sethostname, SYS_sethostname, EPERM, TOLD) \
	X(setdomainname, SYS_setdomainname, EPERM, TOLD) \
	X(lookup_dcookie, SYS_lookup_dcookie, EPERM, TOLD) \
	X(nfsservctl, SYS_nfsservctl, EPERM, TOLD)

#ifdef SYS_kexec_file_load
#define REFUSED_CALLS_KEXEC(X) \
	X(kexec_file_load, SYS_kexec_file_load, EPERM, TOLD)
#else
#define REFUSED_CALLS_KEXEC(X)
#endif

#ifdef __x86_64__
#define REFUSED_CALLS_MACHINE(X) \
	X(iopl, SYS_iopl, EPERM, TOLD) \
	X(ioperm, SYS_ioperm, EPERM, TOLD) \
	X(modify_ldt, SYS_modify_ldt, EPERM, ALONE) \
	X(uselib, SYS_uselib, EPERM, TOLD) \
	X(ustat, SYS_ustat, EPERM, TOLD) \
	X(sysfs, SYS_sysfs, EPERM, TOLD) \
	X(_sysctl, SYS__sysctl, EPERM, TOLD) \
	X(create_module, SYS_create_module, EPERM, TOLD) \
	X(get_kernel_syms, SYS_get_kernel_syms, EPERM, TOLD) \
	X(query_module, SYS_query_module, EPERM, TOLD)
#else
#define REFUSED_CALLS_MACHINE(X)
#endif
/* clang-format on */

#define REFUSED_CALLS(X) REFUSED_CALLS_ALL(X) REFUSED_CALLS_KEXEC(X) REFUSED_CALLS_MACHINE(X)

/* Calls of which some are refused, by their arguments: the filter says which. */
#define JUDGED_CALLS_ALL(X)                                                                 \
	X(socket, SYS_socket) X(socketpair, SYS_socketpair) X(setsockopt, SYS_setsockopt)  \
	X(clone, SYS_clone) X(unshare, SYS_unshare) X(ioctl, SYS_ioctl)                    \
	X(prlimit64, SYS_prlimit64) X(personality, SYS_personality) X(mknodat, SYS_mknodat)

#ifdef SYS_mknod
#define JUDGED_CALLS(X) JUDGED_CALLS_ALL(X) X(mknod, SYS_mknod)
#else
#define JUDGED_CALLS(X) JUDGED_CALLS_ALL(X)
#endif
