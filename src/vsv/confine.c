/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Capabilities, limits and Landlock.  PID 1 stays user 0 with a few capabilities that no child inherits: a child's
 * bounding set is cut to its own, and with no_new_privs nothing gets it back.
 *
 * The scopes are PID 1's own, so that all inside share one domain and can signal each other; a process that entered with
 * scopes of its own could not.  Landlock's scopes do not stop anybody from binding an abstract name. */
#include "vsv/confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/weaken.h"
#include "vsv/proto.h"
#include "vsv/seccomp.h"

#define BIT(cap) (1ULL << (cap))

_Static_assert(CONFINE_OWN_CAPABILITIES ==
		       (BIT(CAP_KILL) | BIT(CAP_CHOWN) | BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_SETPCAP)), "PID 1's own");

static int set_bounding(uint64_t keep)
{
	for (unsigned long cap = 0; cap < 64; cap++) {
		if (keep & (1ULL << cap))
			continue;
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) < 0)
			break; /* beyond the kernel's last one */
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -errno;
	}
	return 0;
}

/* set_capabilities: permitted and effective become what is kept of the permitted ones; ambient empty, inheritable too
 * unless inherit. */
static int set_capabilities(uint64_t keep, bool inherit)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 || syscall(SYS_capget, &h, d) < 0)
		return -errno;
	for (unsigned i = 0; i < 2; i++) {
		d[i].permitted &= (uint32_t)(keep >> (32 * i));
		d[i].effective = d[i].permitted;
		d[i].inheritable = inherit ? d[i].permitted : 0;
	}
	return syscall(SYS_capset, &h, d) < 0 ? -errno : 0;
}

/* Not in the headers of Linux 6.1. */
struct landlock_attr {
	uint64_t handled_access_fs, handled_access_net, scoped;
};
enum { LANDLOCK_VERSION = 1, SCOPE_ABSTRACT_UNIX_SOCKET = 1, SCOPE_SIGNAL = 2, SCOPES_SINCE_ABI = 6 };

static int set_scopes(void)
{
	struct landlock_attr attr = { .scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);
	int fd, r = 0;

	if (abi < SCOPES_SINCE_ABI || weakened("landlock"))
		return 0; /* vnas verify reports what stays open */
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (fd < 0)
		return -errno;
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		r = -errno;
	(void)close(fd);
	return r;
}

/* set_limit: to the wanted value, or to what the hard limit allows where it cannot be raised. */
static int set_limit(int what, rlim_t want)
{
	struct rlimit l, new = { want, want };

	if (setrlimit(what, &new) == 0)
		return 0;
	if (getrlimit(what, &l) < 0)
		return -errno;
	new.rlim_cur = new.rlim_max = l.rlim_max < want ? l.rlim_max : want;
	return setrlimit(what, &new) < 0 ? -errno : 0;
}

/* Descriptors on their way through unix sockets are counted by user for the whole machine, and who sends one is refused
 * while they are more than his own limit of open files: a tenant who fills that count would keep every other PID 1 of
 * user 0 from sending a command's streams.  So PID 1 has a higher limit than any child. */
enum { INIT_NOFILE = 1 << 20 /* fs.nr_open, unless somebody changed it */ };

static rlim_t child_nofile;

static int set_open_files(uint32_t nofile)
{
	struct rlimit l;
	rlim_t below;
	int r = set_limit(RLIMIT_NOFILE, INIT_NOFILE);

	if (r < 0)
		return r;
	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return -errno;
	below = l.rlim_max - l.rlim_max / 8; /* each message can go 253 beyond the limit */
	child_nofile = nofile < below ? nofile : below;
	return 0;
}

static int set_limits(uint32_t nofile)
{
	struct rlimit l;
	int r;

	r = set_open_files(nofile);
	if (r < 0)
		return r;
	/* 1 writes no core and runs no helper of the Psv's; 0 would feed a core_pattern that is a pipe (core(5)). */
	r = set_limit(RLIMIT_CORE, weakened("limit-core") ? 0 : 1);
	if (r < 0)
		return r;
	/* Both are counted by user for the whole machine: no message queues, and never all of the queued signals. */
	r = weakened("limit-message-queue") ? 0 : set_limit(RLIMIT_MSGQUEUE, 0);
	if (r < 0)
		return r;
	if (getrlimit(RLIMIT_SIGPENDING, &l) < 0)
		return -errno;
	return l.rlim_max == RLIM_INFINITY ? 0 : set_limit(RLIMIT_SIGPENDING, l.rlim_max / 4);
}

/* For lib/weaken.h: without no_new_privs, this right is needed to load a filter. */
static uint64_t for_filter(void)
{
	return weakened("no-new-privs") ? BIT(CAP_SYS_ADMIN) : 0;
}

int confine_init(uint64_t bounding, uint32_t nofile, const struct seccomp_pass *pass, const char **ret_step)
{
	int r, listener;

	*ret_step = "set limits";
	r = set_limits(nofile);
	if (r < 0)
		return r;
	*ret_step = "set no_new_privs";
	if (!weakened("no-new-privs") && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	*ret_step = "set Landlock scopes";
	r = set_scopes();
	if (r < 0)
		return r;
	*ret_step = "cut the bounding set";
	r = weakened("capability-bounding") ? 0 : set_bounding(bounding | CONFINE_OWN_CAPABILITIES);
	if (r < 0)
		return r;
	*ret_step = "drop capabilities";
	r = set_capabilities(bounding | CONFINE_OWN_CAPABILITIES | for_filter(), weakened("capability-inheritable"));
	if (r < 0)
		return r;
	*ret_step = "load the seccomp filter";
	listener = seccomp_load_all(pass);
	if (listener >= 0 && for_filter() && set_capabilities(bounding | CONFINE_OWN_CAPABILITIES, false) < 0)
		return -errno;
	return listener;
}

int confine_child(uint64_t capabilities, uint32_t flags, const char **ret_step)
{
	int r;

	*ret_step = "set limits";
	r = set_limit(RLIMIT_NOFILE, child_nofile);
	if (r < 0)
		return r;
	if (weakened("no-new-privs") && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	*ret_step = "cut the bounding set";
	r = set_bounding(capabilities);
	if (r < 0)
		return r;
	*ret_step = "load the seccomp filter";
	return seccomp_load_child(!(flags & PROTO_SERVICE_FILE_HANDLES), flags & PROTO_SERVICE_NO_XATTRS);
}

int confine_drop(uint64_t capabilities)
{
	return set_capabilities(capabilities, false);
}

int confine_drop_ambient(uint64_t capabilities)
{
	int r = set_capabilities(capabilities, true);

	for (unsigned long cap = 0; r == 0 && cap < 64; cap++)
		if ((capabilities & (1ULL << cap)) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			r = -errno;
	return r;
}
