/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows (b) and (c), when named: devices, mounts, what /proc and leaked descriptors lead to.
 * Parameters: own_device and other_device (MAJOR:MINOR). */
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* device: makes a node wherever that is possible and opens it: refused by mknod, by nodev or by the gate. */
static int device(const char *key, mode_t kind, int flags)
{
	static const char *const folders[] = { "/dev", "/tmp", "/root", "/run", "/srv" };
	unsigned major_number, minor_number;
	int r = -ENOENT;

	if (sscanf(param(key), "%u:%u", &major_number, &minor_number) != 2)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char path[64];
		int fd;

		(void)snprintf(path, sizeof(path), "%s/probe-node-%d", folders[i], (int)getpid());
		if (mknod(path, kind | 0600, makedev(major_number, minor_number)) < 0) {
			r = -errno;
			continue;
		}
		fd = open(path, flags | O_CLOEXEC);
		r = fd < 0 ? -errno : 0;
		(void)unlink(path);
		if (r == 0)
			return 0;
	}
	return r;
}
static int device_other_write(void) { return device("other_device", S_IFBLK, O_RDWR); }
static int device_own_write(void) { return device("own_device", S_IFBLK, O_RDWR); }

/* What stands in /dev: block nodes by number, for the test to compare. */
static int device_nodes(void)
{
	char text[1024] = "";
	size_t len = 0;
	struct dirent *e;
	DIR *d = opendir("/dev");

	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		struct stat st;

		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISBLK(st.st_mode))
			continue;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%u:%u,", major(st.st_rdev), minor(st.st_rdev));
		if (len >= sizeof(text))
			break;
	}
	(void)closedir(d);
	return result("%s", *text ? text : "none");
}

static int open_path(const char *path, int flags)
{
	return outcome(open(path, flags | O_CLOEXEC, 0600));
}
static int device_mem(void) { return open_path("/dev/mem", O_RDONLY); }
static int device_kmsg(void) { return open_path("/dev/kmsg", O_RDONLY); }
static int device_loop_control(void) { return open_path("/dev/loop-control", O_RDWR); }
static int device_fuse(void) { return open_path("/dev/fuse", O_RDWR); }
static int device_null(void) { return open_path("/dev/null", O_RDWR); }
static int device_new_null(void)
{
	if (mknod("/tmp/probe-null", S_IFCHR | 0600, makedev(1, 1)) < 0)
		return -errno;
	return outcome(open("/tmp/probe-null", O_RDONLY | O_CLOEXEC));
}
static int proc_core_pattern(void) { return open_path("/proc/sys/kernel/core_pattern", O_WRONLY); }
static int proc_sysrq(void) { return open_path("/proc/sysrq-trigger", O_WRONLY); }
static int proc_ip_forward(void) { return open_path("/proc/sys/net/ipv4/ip_forward", O_WRONLY); }
static int proc_kcore(void) { return open_path("/proc/kcore", O_RDONLY); }
static int proc_drop_caches(void) { return open_path("/proc/sys/vm/drop_caches", O_WRONLY); }
static int sys_power(void) { return open_path("/sys/power/state", O_WRONLY); }
static int sys_cgroup(void) { return open_path("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY); }
static int write_root(void) { return open_path("/probe", O_CREAT | O_WRONLY); }
static int write_usr(void) { return open_path("/usr/bin/probe", O_CREAT | O_WRONLY); }
static int write_generated(void) { return open_path("/run/vnas/probe", O_CREAT | O_WRONLY); }
static int mount_proc(void) { return outcome(mount("proc", "/tmp", "proc", 0, NULL)); }
static int mount_bind(void) { return outcome(mount("/etc", "/tmp", NULL, MS_BIND, NULL)); }
static int mount_remount(void) { return outcome(mount(NULL, "/usr", NULL, MS_REMOUNT | MS_BIND, NULL)); }
static int mount_cgroup(void) { return outcome(mount("none", "/tmp", "cgroup2", 0, NULL)); }
static int mount_umount(void) { return outcome(umount2("/usr", MNT_DETACH)); }
static int mount_fsopen(void) { return outcome(syscall(SYS_fsopen, "tmpfs", 0)); }
static int mount_open_tree(void) { return outcome(syscall(SYS_open_tree, AT_FDCWD, "/etc", OPEN_TREE_CLONE)); }
static int mount_setattr_usr(void)
{
	uint64_t attr[4] = { 0, 1, 0, 0 }; /* clear MOUNT_ATTR_RDONLY */

	return outcome(syscall(SYS_mount_setattr, AT_FDCWD, "/usr", 0, attr, sizeof(attr)));
}
static int root_chroot(void) { return outcome(chroot("/tmp")); }
static int root_pivot(void) { return outcome(syscall(SYS_pivot_root, "/tmp", "/tmp")); }
static int unshare_mount(void) { return outcome(unshare(CLONE_NEWNS)); }
static int unshare_user(void) { return outcome(unshare(CLONE_NEWUSER)); }
static int unshare_net(void) { return outcome(unshare(CLONE_NEWNET)); }
static int unshare_pid(void) { return outcome(unshare(CLONE_NEWPID)); }
static int forked(long pid)
{
	if (pid == 0)
		_exit(0);
	return outcome(pid);
}
static int clone_user(void)
{
	return forked(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
}
static int clone3_user(void)
{
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };

	return forked(syscall(SYS_clone3, &args, sizeof(args)));
}
static int setns_parent(void)
{
	int fd = open("/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : outcome(setns(fd, 0));
}

/* climb: who may chroot(2) and leaves its current folder outside of the new root goes up as far as there are mounts: to its own root, not
 * to what that lies over. */
static int climb(void)
{
	struct stat root, at;

	if (chdir("/") < 0 || stat("/", &root) < 0 || chroot("/tmp") < 0)
		return -errno;
	for (int i = 0; i < 16; i++)
		if (chdir("..") < 0)
			return -errno;
	if (stat(".", &at) < 0 || chroot(".") < 0)
		return -errno;
	return at.st_dev == root.st_dev && at.st_ino == root.st_ino ? outcome(access("/usr", F_OK)) : result("elsewhere");
}

/* dot_dot: climbing from the root ends at the root. */
static int dot_dot(void)
{
	struct stat a, b;

	if (stat("/", &a) < 0 || stat("/../../../../../..", &b) < 0)
		return -errno;
	return result("%s", a.st_dev == b.st_dev && a.st_ino == b.st_ino ? "same" : "OUTSIDE");
}

/* proc_roots: every process that /proc shows has our root. */
static int proc_roots(void)
{
	struct stat own, st;
	struct dirent *e;
	unsigned strange = 0;
	DIR *d = opendir("/proc");

	if (!d || stat("/", &own) < 0)
		return -errno;
	while ((e = readdir(d))) {
		char path[300];

		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%s/root", e->d_name);
		if (stat(path, &st) == 0 && (st.st_dev != own.st_dev || st.st_ino != own.st_ino))
			strange++;
		(void)snprintf(path, sizeof(path), "/proc/%s/cwd/../../../..", e->d_name);
		if (stat(path, &st) == 0 && (st.st_dev != own.st_dev || st.st_ino != own.st_ino))
			strange++;
	}
	(void)closedir(d);
	return strange ? result("%u-OUTSIDE", strange) : result("same");
}

/* descriptors: what was handed in besides 0, 1 and 2, and whether those are pipes, sockets or character devices. */
static int descriptors(void)
{
	static const char *const kinds[] = { [S_IFIFO >> 12] = "pipe", [S_IFSOCK >> 12] = "socket", [S_IFCHR >> 12] = "char" };
	char text[256] = "";
	size_t len = 0;

	for (int fd = 0; fd < 256; fd++) {
		struct stat st;
		const char *kind;

		if (fstat(fd, &st) < 0)
			continue;
		kind = kinds[(st.st_mode & S_IFMT) >> 12];
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%d=%s,", fd, kind ? kind : "FILE");
		if (len >= sizeof(text))
			break;
	}
	return result("%s", text);
}

/* superblocks: every device number that a mount shows, for the test to compare with what was assigned. */
static int superblocks(void)
{
	char line[1024], text[1024] = "";
	size_t len = 0;
	FILE *f = fopen("/proc/self/mountinfo", "re");

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f) && len < sizeof(text) - 64) {
		unsigned maj, min;
		char *dash = strstr(line, " - "), type[32];

		if (sscanf(line, "%*d %*d %u:%u", &maj, &min) == 2 && dash && sscanf(dash, " - %31s", type) == 1)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s=%u:%u,", type, maj, min);
	}
	(void)fclose(f);
	return result("%s", text);
}

static int set_hostname(void) { return outcome(sethostname("stolen", 6)); }
const struct attempt mount_attempts[] = {
	{ "device-nodes", device_nodes },
	{ "device-other-write", device_other_write },
	{ "device-own-write", device_own_write },
	{ "device-mem", device_mem },
	{ "device-kmsg", device_kmsg },
	{ "device-loop-control", device_loop_control },
	{ "device-fuse", device_fuse },
	{ "device-null", device_null },
	{ "device-mem-made", device_new_null },
	{ "proc-core-pattern", proc_core_pattern },
	{ "proc-sysrq", proc_sysrq },
	{ "proc-ip-forward", proc_ip_forward },
	{ "proc-kcore", proc_kcore },
	{ "proc-drop-caches", proc_drop_caches },
	{ "sys-power", sys_power },
	{ "sys-cgroup", sys_cgroup },
	{ "write-root", write_root },
	{ "write-usr", write_usr },
	{ "write-generated", write_generated },
	{ "mount-proc", mount_proc },
	{ "mount-bind", mount_bind },
	{ "mount-remount", mount_remount },
	{ "mount-cgroup", mount_cgroup },
	{ "mount-umount", mount_umount },
	{ "mount-fsopen", mount_fsopen },
	{ "mount-open-tree", mount_open_tree },
	{ "mount-setattr", mount_setattr_usr },
	{ "chroot", root_chroot },
	{ "pivot-root", root_pivot },
	{ "unshare-mount", unshare_mount },
	{ "unshare-user", unshare_user },
	{ "unshare-net", unshare_net },
	{ "unshare-pid", unshare_pid },
	{ "clone-user", clone_user },
	{ "clone3-user", clone3_user },
	{ "setns", setns_parent },
	{ "climb", climb },
	{ "dot-dot", dot_dot },
	{ "proc-roots", proc_roots },
	{ "descriptors", descriptors },
	{ "superblocks", superblocks },
	{ "set-hostname", set_hostname },
	{ NULL, NULL },
};
