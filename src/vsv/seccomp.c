/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The seccomp filter: a table of what is refused, and a small assembler for the calls whose arguments decide.
 *
 * The kernel's own rule applies to what is not in the table, but a call that is newer than this table does not exist
 * (ENOSYS), as on an older kernel: so nothing opens by an update of the Psv's kernel.  Calls that are allowed whatever
 * their arguments are cost almost nothing, because the kernel remembers them in a bitmap (Linux 5.11); for that the
 * filter looks at nothing but number and architecture before it knows which call it is. */
#include "vsv/seccomp.h"

#include <endian.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/weaken.h"

#include "vsv/refused_calls.h"

#if defined(__x86_64__)
enum { X32_BIT = 0x40000000 };
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#else
#error "the seccomp filter does not know this architecture"
#endif

enum { TOLD, ALONE };
#define REFUSED_ROW(name, nr, error, by) { nr, error, by },
static const struct {
	uint16_t nr, error, by;
} refused[] = { REFUSED_CALLS(REFUSED_ROW) };

/* What PID 1 makes for the caller. */
static const uint32_t asked[] = {
#ifdef SYS_inotify_init
	SYS_inotify_init,
#endif
	SYS_inotify_init1,
#ifdef SYS_epoll_create
	SYS_epoll_create,
#endif
	SYS_epoll_create1,
};

enum { PROGRAM_MAX = 320, FLAG_WAIT_KILLABLE_RECV = 1 << 5 /* Linux 5.19 */ };

struct program {
	struct sock_filter f[PROGRAM_MAX];
	unsigned n;
	bool told; /* PID 1 is told of what is refused */
};

static void emit(struct program *p, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	if (p->n < PROGRAM_MAX)
		p->f[p->n] = (struct sock_filter){ code, jt, jf, k };
	p->n++;
}

/* emit_return: EPERM is a refusal, of which PID 1 makes a note before it gives that answer (init_count.c); other errors say
 * that there is no such thing, and come at once.  emit_refuse_alone: the same answer by the kernel, which cannot be made another; it
 * leaves no note. */
static void emit_return(struct program *p, unsigned error)
{
	uint32_t answer = error ? SECCOMP_RET_ERRNO | error : SECCOMP_RET_ALLOW;

	if (error == EPERM && p->told)
		answer = SECCOMP_RET_USER_NOTIF;
	emit(p, BPF_RET | BPF_K, answer, 0, 0);
}

static void emit_refuse_alone(struct program *p)
{
	emit(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
}

static void emit_load(struct program *p, size_t offset)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* emit_load_arg: the lower 32 bits, which are all that the kernel looks at in the calls below. */
static void emit_load_arg(struct program *p, unsigned arg)
{
	emit_load(p, offsetof(struct seccomp_data, args) + arg * sizeof(uint64_t) +
			     (__BYTE_ORDER == __LITTLE_ENDIAN ? 0 : sizeof(uint32_t)));
}

static void emit_load_arg_high(struct program *p, unsigned arg)
{
	emit_load(p, offsetof(struct seccomp_data, args) + arg * sizeof(uint64_t) +
			     (__BYTE_ORDER == __LITTLE_ENDIAN ? sizeof(uint32_t) : 0));
}

/* return_if: ends with that answer when the loaded value is k (or has a bit of k). */
static void return_if(struct program *p, uint32_t k, unsigned error)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, k, 0, 1);
	emit_return(p, error);
}

static void return_if_any(struct program *p, uint32_t bits, unsigned error)
{
	emit(p, BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
	emit_return(p, error);
}

/* begin, end: what stands between is run only when the loaded value is k, and must not fall through. */
static unsigned begin(struct program *p, uint32_t k)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, k, 0, 0);
	return p->n;
}

static void end(struct program *p, unsigned start)
{
	if (start - 1 < PROGRAM_MAX)
		p->f[start - 1].jf = (uint8_t)(p->n - start);
}

static void emit_inet(struct program *p)
{
	emit_load_arg(p, 1);
	emit(p, BPF_ALU | BPF_AND | BPF_K, 0xf, 0, 0); /* without SOCK_NONBLOCK, SOCK_CLOEXEC */
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, SOCK_STREAM, 2, 0);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, SOCK_DGRAM, 1, 0);
	emit_return(p, EPERM);
	emit_load_arg(p, 2);
	return_if(p, 0, 0);
	return_if(p, IPPROTO_TCP, 0);
	return_if(p, IPPROTO_UDP, 0);
	emit_return(p, EPERM);
}

static void emit_socket(struct program *p)
{
	unsigned call = begin(p, SYS_socket), family;

	emit_load_arg(p, 0);
	return_if(p, AF_UNIX, 0);
	family = begin(p, AF_NETLINK);
	emit_load_arg(p, 2);
	return_if(p, NETLINK_ROUTE, 0);
	/* As on a kernel without auditing: with EPERM useradd, groupadd and all their kin refuse to work (libaudit). */
	return_if(p, NETLINK_AUDIT, EPROTONOSUPPORT);
	emit_return(p, EPERM);
	end(p, family);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 2, 0);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 1, 0);
	emit_return(p, EPERM);
	emit_inet(p);
	end(p, call);

	call = begin(p, SYS_socketpair);
	emit_load_arg(p, 0);
	return_if(p, AF_UNIX, 0);
	emit_return(p, EPERM);
	end(p, call);
}

/* Options that bind past the gate's rules on addresses and ports. */
static void emit_setsockopt(struct program *p)
{
	enum { BINDTODEVICE = 25, BINDTOIFINDEX = 62, LOCAL_PORT_RANGE = 51 };
	unsigned call = begin(p, SYS_setsockopt), level;

	emit_load_arg(p, 1);
	level = begin(p, SOL_SOCKET);
	emit_load_arg(p, 2);
	return_if(p, BINDTODEVICE, EPERM);
	return_if(p, BINDTOIFINDEX, EPERM);
	emit_return(p, 0);
	end(p, level);
	level = begin(p, IPPROTO_IP);
	emit_load_arg(p, 2);
	return_if(p, LOCAL_PORT_RANGE, EPERM);
	emit_return(p, 0);
	end(p, level);
	emit_return(p, 0);
	end(p, call);
}

/* refuse_user_space: it is made without any capability, and gives them all, over the kernel's code for mounts and networks. */
static void refuse_user_space(struct program *p)
{
	emit(p, BPF_JMP | BPF_JSET | BPF_K, CLONE_NEWUSER, 0, 1);
	emit_refuse_alone(p);
}

static void emit_namespaces(struct program *p)
{
	enum { NEW_TIME = 0x80 }; /* in clone these bits are the signal */
	const uint32_t new = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET;
	unsigned call = begin(p, SYS_clone);

	emit_load_arg(p, 0);
	refuse_user_space(p);
	return_if_any(p, new, EPERM);
	emit_return(p, 0);
	end(p, call);
	call = begin(p, SYS_unshare); /* smbd needs CLONE_FS */
	emit_load_arg(p, 0);
	refuse_user_space(p);
	return_if_any(p, new | NEW_TIME, EPERM);
	emit_return(p, 0);
	end(p, call);
}

/* emit_device_node: the kernel refuses it to who has no CAP_MKNOD, which is everybody inside; by this PID 1 hears of it.  A
 * character device of number 0 is a whiteout, which all may make. */
static void emit_device_node(struct program *p, uint32_t nr, unsigned mode, unsigned dev)
{
	unsigned call = begin(p, nr), character;

	emit_load_arg(p, mode);
	emit(p, BPF_ALU | BPF_AND | BPF_K, S_IFMT, 0, 0);
	return_if(p, S_IFBLK, EPERM);
	character = begin(p, S_IFCHR);
	emit_load_arg(p, dev);
	return_if(p, 0, 0);
	emit_return(p, EPERM);
	end(p, character);
	emit_return(p, 0);
	end(p, call);
}

static void emit_device_nodes(struct program *p)
{
#ifdef SYS_mknod
	emit_device_node(p, SYS_mknod, 1, 2);
#endif
	emit_device_node(p, SYS_mknodat, 2, 3);
}

/* emit_core_limit: RLIMIT_CORE stays 1, for with another one a crash would be fed to a program of the Psv's where
 * core_pattern is a pipe, as its root, outside (core(5)).  Who sets it is told that it is done, because programs end when it
 * fails; who asks for the old one at the same time, that it may not.  Falls through for all others. */
static void emit_core_limit(struct program *p, unsigned resource, unsigned new, int old)
{
	unsigned core;

	emit_load_arg(p, resource);
	core = begin(p, RLIMIT_CORE);
	emit_load_arg(p, new);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3);
	emit_load_arg_high(p, new);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1);
	emit_return(p, 0); /* it only asks */
	if (old >= 0) {
		emit_load_arg(p, (unsigned)old);
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
		emit_refuse_alone(p);
	}
	emit(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO, 0, 0); /* of no error */
	end(p, core);
}

static void emit_others(struct program *p)
{
	enum { TIOC_LINUX = 0x541c, TIOC_STI = 0x5412, TIOC_SETD = 0x5423 };
	unsigned call = begin(p, SYS_ioctl);

	emit_load_arg(p, 1);
	return_if(p, TIOC_STI, EPERM);   /* types into the terminal of whoever looks */
	return_if(p, TIOC_LINUX, EPERM); /* the same by selection */
	return_if(p, TIOC_SETD, EPERM);  /* line disciplines */
	emit_return(p, 0);
	end(p, call);
	/* Limits of others: PID 1 has the same user, and with no descriptor to take it answers nobody any more. */
	call = begin(p, SYS_prlimit64);
	emit_load_arg(p, 0);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
	emit_return(p, EPERM);
	emit_core_limit(p, 1, 2, 3);
	emit_return(p, 0);
	end(p, call);
#ifdef SYS_setrlimit
	call = begin(p, SYS_setrlimit);
	emit_core_limit(p, 0, 1, -1);
	emit_return(p, 0);
	end(p, call);
#endif
	call = begin(p, SYS_personality);
	emit_load_arg(p, 0);
	return_if(p, 0, 0);
	return_if(p, 0xffffffff, 0); /* asks */
	emit_return(p, EPERM);
	end(p, call);
}

/* emit_asked: PID 1 makes the descriptor in the caller's place (init_count.c).  What PID 1 calls for that passes by its
 * pass, in the two last arguments, at which the kernel does not look: it does not have so many. */
static void emit_asked(struct program *p, uint32_t nr, const struct seccomp_pass *pass)
{
	enum { FIRST = 4, WORDS = sizeof(*pass) / sizeof(uint32_t) };
	unsigned call = begin(p, nr);
	uint32_t words[WORDS];

	memcpy(words, pass, sizeof(words));
	for (unsigned i = 0; i < WORDS; i++) {
		emit_load(p, offsetof(struct seccomp_data, args[FIRST]) + i * sizeof(uint32_t));
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, words[i], 0, (uint8_t)(2 * (WORDS - 1 - i) + 1));
	}
	emit_return(p, 0);
	emit(p, BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF, 0, 0);
	end(p, call);
}

static int load(struct program *p, unsigned flags)
{
	struct sock_fprog prog = { .len = (unsigned short)p->n, .filter = p->f };
	long r;

	if (p->n > PROGRAM_MAX)
		return -E2BIG;
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	return r < 0 ? -errno : (int)r;
}

static void emit_begin(struct program *p)
{
	emit_load(p, offsetof(struct seccomp_data, arch));
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	emit_return(p, weakened("seccomp-abi") ? 0 : ENOSYS); /* a foreign ABI has other numbers, and socketcall hides its arguments */
	emit_load(p, offsetof(struct seccomp_data, nr));
}

/* For lib/weaken.h: what is left out of the table. */
static bool is_left_out(unsigned nr)
{
	static const struct {
		const char *name;
		unsigned from, to;
	} parts[] = {
		{ "seccomp-io-uring", NR_io_uring_setup, NR_io_uring_register },
		{ "seccomp-clone3", NR_clone3, NR_clone3 },
		{ "seccomp-pidfd-getfd", NR_pidfd_getfd, NR_pidfd_getfd },
		{ "seccomp-mount-calls", NR_open_tree, NR_fspick },
		{ "seccomp-key", SYS_add_key, SYS_keyctl },
		{ "seccomp-fanotify", SYS_fanotify_init, SYS_fanotify_init },
		{ "seccomp-userfaultfd", SYS_userfaultfd, SYS_userfaultfd },
		{ "seccomp-aio", SYS_io_setup, SYS_io_setup },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (nr >= parts[i].from && nr <= parts[i].to && weakened(parts[i].name))
			return true;
	return false;
}

/* no_filter: a listener that never says anything. */
static int no_filter(void)
{
	int pair[2];

	return pipe(pair) < 0 ? -errno : pair[0];
}

/* emit_refused: the table. */
static void emit_refused(struct program *p)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		if (is_left_out(refused[i].nr))
			continue;
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, refused[i].nr, 0, 1);
		if (refused[i].by == ALONE && refused[i].error == EPERM)
			emit_refuse_alone(p);
		else
			emit_return(p, refused[i].error);
	}
}

int seccomp_load_all(const struct seccomp_pass *pass)
{
	struct program p = { .told = true };

	if (weakened("seccomp"))
		return no_filter();
	emit_begin(&p);
#ifdef __x86_64__
	emit(&p, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	emit_return(&p, ENOSYS);
#endif
	emit(&p, BPF_JMP | BPF_JGT | BPF_K, LAST_KNOWN_CALL, 0, 1);
	emit_return(&p, weakened("seccomp-unknown") ? 0 : ENOSYS);
	if (!weakened("seccomp-socket"))
		emit_socket(&p);
	if (!weakened("seccomp-option"))
		emit_setsockopt(&p);
	if (!weakened("seccomp-namespace"))
		emit_namespaces(&p);
	if (!weakened("seccomp-others"))
		emit_others(&p);
	if (!weakened("capability-mknod"))
		emit_device_nodes(&p);
	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++)
		emit_asked(&p, asked[i], pass);
	emit_refused(&p);
	emit_return(&p, 0);
	/* Once PID 1 has it in hand, only a fatal signal ends the caller's wait: a handler must not make inotify_init1 EINTR. */
	return load(&p, SECCOMP_FILTER_FLAG_NEW_LISTENER | FLAG_WAIT_KILLABLE_RECV);
}

int seccomp_load_child(bool no_file_handles, bool no_xattrs)
{
	/* As on a file system without them: what copies attributes where it can goes on without.  A filter cannot read the
	 * attribute's name, and user.NTACL, which decides who may do what by SMB, is smbd's alone to write. */
	static const int xattrs[] = {
		SYS_setxattr, SYS_lsetxattr, SYS_fsetxattr, SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr,
		NR_setxattrat, NR_removexattrat,
	};
	struct program p = { .n = 0 };

	if (!no_file_handles && !no_xattrs)
		return 0;
	emit_begin(&p);
	if (no_file_handles)
		return_if(&p, SYS_open_by_handle_at, weakened("seccomp-handles") ? 0 : EPERM);
	for (size_t i = 0; no_xattrs && i < sizeof(xattrs) / sizeof(*xattrs); i++)
		return_if(&p, (uint32_t)xattrs[i], EOPNOTSUPP);
	emit_return(&p, 0);
	return load(&p, 0);
}
