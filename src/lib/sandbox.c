/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Without capabilities uid 0 still owns the Psv's files; Landlock takes them away.  What it may read holds no secrets,
 * because what it writes can be read by the tenant. */
#include "lib/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"

/* linux/landlock.h of later kernels than Debian 12's headers. */
enum {
	FS_READ = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
	FS_TRUNCATE = 1 << 14,  /* ABI 3 */
	FS_IOCTL_DEV = 1 << 15, /* ABI 5 */
	NET_ALL = 3,            /* ABI 4: bind and connect of TCP */
	SCOPE_ALL = 3,          /* ABI 6: abstract sockets and signals */
};

struct ruleset {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

static const struct {
	int abi;
	size_t size;
	struct ruleset attr;
} rulesets[] = {
	{ 6, 24, { (1 << 16) - 1, NET_ALL, SCOPE_ALL } },
	{ 5, 16, { (1 << 16) - 1, NET_ALL, 0 } },
	{ 4, 16, { (1 << 15) - 1, NET_ALL, 0 } },
	{ 3, 8, { (1 << 15) - 1, 0, 0 } },
	{ 2, 8, { (1 << 14) - 1, 0, 0 } },
	{ 1, 8, { (1 << 13) - 1, 0, 0 } },
};

static const char *const readable[] = {
	"/usr", "/bin", "/sbin", "/lib", "/lib64", "/proc", "/sys",
	"/etc/ld.so.cache", "/etc/e2fsck.conf", "/etc/mke2fs.conf", "/dev/urandom",
};

static int drop_capabilities(int keep)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (cap != keep && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -errno;
	if (keep >= 0)
		data[keep / 32].effective = data[keep / 32].permitted = 1u << keep % 32;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 || syscall(SYS_capset, &head, data) < 0)
		return -errno;
	return 0;
}

static int allow(int ruleset, const char *path, uint64_t access)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = fd };

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0)
		return 0;
	/* A right for folders cannot be given to a file. */
	rule.allowed_access &= ~(uint64_t)LANDLOCK_ACCESS_FS_READ_DIR;
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

static int restrict_files(const char *writable)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	_cleanup_close_ int ruleset = -1;
	uint64_t write_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
	size_t i = 0;
	int r = 0;

	if (abi < 1)
		return 0; /* not in this kernel, or switched off */
	while (rulesets[i].abi > abi)
		i++;
	if (rulesets[i].abi >= 3)
		write_access |= FS_TRUNCATE;
	if (rulesets[i].abi >= 5)
		write_access |= FS_IOCTL_DEV;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &rulesets[i].attr, rulesets[i].size, 0);
	if (ruleset < 0)
		return -errno;
	for (size_t j = 0; r == 0 && j < sizeof(readable) / sizeof(*readable); j++)
		r = allow(ruleset, readable[j], FS_READ);
	if (r == 0)
		r = allow(ruleset, "/dev/null", write_access);
	if (r == 0)
		r = allow(ruleset, writable, write_access);
	if (r == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		r = -errno;
	return r;
}

int sandbox_enter(const char *writable, int keep_capability)
{
	int r;

	/* EINVAL: a kernel without one of them. */
	if (unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0 && errno != EINVAL)
		return -errno;
	r = drop_capabilities(keep_capability);
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return restrict_files(writable);
}
