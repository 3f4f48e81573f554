/* SPDX-License-Identifier: GPL-2.0-or-later */
/* (b) devices, mounts, handles, and what paths and descriptors lead to; (c) settings. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "verify/prober.h"
#include "vsv/small.h"

enum { NR_open_tree = 428, NR_fsopen = 430, NR_fsconfig = 431, NR_fsmount = 432, NR_mount_setattr = 442 };
enum { FS_CREATE = 6, TREE_CLONE = 1, TREE_CLOEXEC = O_CLOEXEC };

static int open_path(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), r = outcome(fd);

	if (fd >= 0)
		(void)close(fd);
	return r;
}

/* ---- devices ---- */

/* make_and_open: a node in a folder, looked at and taken away again. */
static int make_and_open(int folder, mode_t kind, unsigned major_number, unsigned minor_number, int flags)
{
	static const char name[] = ".vnas-verify-node";
	int fd, r;

	(void)unlinkat(folder, name, 0);
	if (mknodat(folder, name, kind | 0600, makedev(major_number, minor_number)) < 0)
		return -errno;
	fd = openat(folder, name, flags | O_CLOEXEC | O_NONBLOCK);
	r = outcome(fd);
	if (fd >= 0)
		(void)close(fd);
	(void)unlinkat(folder, name, 0);
	return r;
}

/* Wherever a node might be made; ENOSPC and kin of a full one say nothing. */
static int device(mode_t kind, unsigned major_number, unsigned minor_number)
{
	static const char *const folders[] = { "/dev", "/dev/shm", "/tmp", "/root", "/run", "/srv" };
	int r = ANSWER_NOTHING;

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders) && r != 0; i++) {
		int folder = open(folders[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), one;

		if (folder < 0)
			continue;
		one = make_and_open(folder, kind, major_number, minor_number, O_RDONLY);
		(void)close(folder);
		if (one != -EROFS)
			r = worse(r, one);
	}
	return r == ANSWER_NOTHING ? -ENOSPC : r; /* somebody has taken the folders away */
}

int device_null(const struct target *t)
{
	(void)t;
	return open_path("/dev/null", O_RDWR);
}

int device_other(const struct target *t)
{
	int r = ANSWER_NOTHING;

	for (unsigned i = 0; i < t->n_devices && r != 0; i++)
		r = worse(r, device(S_IFBLK, t->devices[i].major, t->devices[i].minor));
	return r;
}

int device_mem(const struct target *t)
{
	static const char *const paths[] = { "/dev/mem", "/dev/kmsg", "/dev/loop-control", "/dev/fuse", "/dev/port", "/dev/net/tun",
					     "/dev/kvm", "/dev/mapper/control", "/dev/console", "/dev/btrfs-control" };
	int r = worse(device(S_IFCHR, 1, 1), device(S_IFCHR, 10, 237));

	(void)t;
	r = worse(r, device(S_IFCHR, 1, 11));
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		int one = open_path(paths[i], O_RDONLY);

		if (one != -ENOENT)
			r = worse(r, one);
	}
	return r;
}

static int strange_nodes(const struct target *t, const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int r = -ENOENT;

	if (!d)
		return -errno;
	while (r != 0 && (e = readdir(d))) {
		struct stat st;
		bool own = false;

		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISBLK(st.st_mode))
			continue;
		for (unsigned i = 0; i < t->n_devices; i++)
			own = own || (major(st.st_rdev) == t->devices[i].major && minor(st.st_rdev) == t->devices[i].minor);
		if (!own)
			r = 0;
	}
	(void)closedir(d);
	return r;
}

/* Block nodes in /dev that are not the Vsv's own. */
int device_nodes(const struct target *t)
{
	return worse(strange_nodes(t, "/dev"), strange_nodes(t, "/dev/volumes"));
}

/* gate_folder: a file system of one's own, where nodes are honoured; with the Psv's rights. */
static int gate_folder(void)
{
	int fs = (int)syscall(NR_fsopen, "tmpfs", 1), mnt;

	if (fs < 0)
		return -errno;
	if (syscall(NR_fsconfig, fs, FS_CREATE, NULL, NULL, 0) < 0) {
		(void)close(fs);
		return -errno;
	}
	mnt = (int)syscall(NR_fsmount, fs, 1, 0);
	(void)close(fs);
	return mnt < 0 ? -errno : mnt;
}

static int by_gate(mode_t kind, unsigned major_number, unsigned minor_number, int flags)
{
	int folder = gate_folder(), r;

	if (folder < 0)
		return -ETIMEDOUT; /* nothing that the gate said */
	r = make_and_open(folder, kind, major_number, minor_number, flags);
	(void)close(folder);
	return r;
}
/* Opening for mknod is asked of the gate too, so it is told from a refusal of the latter by null, which it allows. */
int gate_null(const struct target *t)
{
	(void)t;
	return open_path("/dev/null", O_RDWR);
}
int gate_device(const struct target *t)
{
	int r = ANSWER_NOTHING;

	for (unsigned i = 0; i < t->n_devices && r != 0; i++)
		r = worse(r, by_gate(S_IFBLK, t->devices[i].major, t->devices[i].minor, O_RDONLY));
	return r;
}
int gate_device_mem(const struct target *t)
{
	(void)t;
	return worse(by_gate(S_IFCHR, 1, 1, O_RDONLY), by_gate(S_IFCHR, 10, 237, O_RDONLY));
}
int gate_device_own_write(const struct target *t)
{
	return t->n_devices ? by_gate(S_IFBLK, t->devices[0].major, t->devices[0].minor, O_WRONLY) : ANSWER_NOTHING;
}

/* ---- files outside ---- */

int open_own(const struct target *t)
{
	struct stat st;

	(void)t;
	if (stat("/", &st) < 0)
		return -errno;
	return open_path("/dev/null", O_WRONLY);
}

/* By every superblock that the process has a descriptor to or a path of. */
int open_by_handle(const struct target *t)
{
	static const char *const at[] = { "/",    "/usr", "/etc",     "/var",     "/root",   "/srv", "/run", "/run/vnas",
					  "/dev", "/tmp", "/dev/shm", "/dev/pts", "/proc",   "/home", "/proc/self/exe" };
	union {
		struct file_handle h;
		char space[sizeof(struct file_handle) + HANDLE_BYTES];
	} u;
	int r = ANSWER_NOTHING;

	for (unsigned i = 0; i < t->n_handles && r != 0; i++) {
		memset(&u, 0, sizeof(u));
		u.h.handle_bytes = t->handles[i].len;
		u.h.handle_type = t->handles[i].type;
		memcpy(u.space + offsetof(struct file_handle, f_handle), t->handles[i].bytes, t->handles[i].len);
		for (size_t k = 0; k < sizeof(at) / sizeof(*at) && r != 0; k++) {
			int mount = open(at[k], O_RDONLY | O_CLOEXEC), fd;

			if (mount < 0)
				continue;
			fd = open_by_handle_at(mount, &u.h, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
			r = worse(r, outcome(fd));
			if (fd >= 0) {
				struct stat st;

				/* A number that both file systems have is one's own file. */
				if (fstat(fd, &st) == 0 && (st.st_dev != t->handles[i].dev || st.st_ino != t->handles[i].inode))
					r = -ESTALE;
				(void)close(fd);
			}
			(void)close(mount);
		}
	}
	return r;
}

static bool is_root(const char *path, const struct stat *own)
{
	struct stat st;

	return stat(path, &st) < 0 || (st.st_dev == own->st_dev && st.st_ino == own->st_ino);
}

int dot_dot(const struct target *t)
{
	struct stat own;

	(void)t;
	if (stat("/", &own) < 0)
		return -errno;
	return is_root("/../../../../../..", &own) && is_root("/proc/self/root/..", &own) && is_root("/proc/self/cwd/../..", &own) ?
		       -ENOENT : 0;
}

int proc_roots(const struct target *t)
{
	struct stat own;
	struct dirent *e;
	int r = -ENOENT;
	DIR *d;

	(void)t;
	if (stat("/", &own) < 0)
		return -errno;
	d = opendir("/proc");
	if (!d)
		return -errno;
	while (r != 0 && (e = readdir(d))) {
		char path[300];
		struct text p = TEXT(path), q = TEXT(path);

		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		text_add(&p, "/proc/");
		text_add(&p, e->d_name);
		text_add(&p, "/root/.");
		if (!is_root(path, &own))
			r = 0;
		text_add(&q, "/proc/");
		text_add(&q, e->d_name);
		text_add(&q, "/cwd/../../../../../../../../../..");
		if (!is_root(path, &own))
			r = 0;
	}
	(void)closedir(d);
	return r;
}

/* What was handed in besides 0, 1 and 2, which are pipes; and one pipe to a parent, and two sockets, of ours. */
int descriptors(const struct target *t)
{
	(void)t;
	for (int fd = 0; fd < 1024; fd++) {
		struct stat st;

		if (fd != PROBER_OWN_FD && fd != PROBER_CHANNEL_FD && fstat(fd, &st) == 0 && !S_ISFIFO(st.st_mode))
			return 0;
	}
	return -ENOENT;
}

static int write_in(const char *path)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600), r = outcome(fd);

	if (fd >= 0) {
		(void)close(fd);
		(void)unlink(path);
	}
	return r;
}
int write_root(const struct target *t)
{
	(void)t;
	return write_in("/.vnas-verify");
}
int write_usr(const struct target *t)
{
	(void)t;
	return write_in("/usr/bin/.vnas-verify");
}
int write_generated(const struct target *t)
{
	(void)t;
	return write_in("/run/vnas/.vnas-verify");
}

/* ---- mounts: each asks for what cannot be, so that who may do it is told something else ---- */

int mount_new_fs(const struct target *t)
{
	(void)t;
	return past(mount("none", "/proc", "vnas-none", 0, NULL), ENODEV);
}
int mount_bind(const struct target *t)
{
	(void)t;
	return past(mount("/proc/self/none", "/proc", NULL, MS_BIND, NULL), ENOENT);
}
int mount_remount(const struct target *t)
{
	(void)t;
	return past(mount(NULL, "/proc/self", NULL, MS_REMOUNT | MS_BIND, NULL), EINVAL);
}
int mount_attributes(const struct target *t)
{
	uint64_t attr[4] = { 0, 0, 0, 0 };

	(void)t;
	return outcome(syscall(NR_mount_setattr, AT_FDCWD, "/", 0, attr, sizeof(attr)));
}
int mount_fsopen(const struct target *t)
{
	(void)t;
	return outcome(syscall(NR_fsopen, "tmpfs", 1));
}
int mount_open_tree(const struct target *t)
{
	(void)t;
	return outcome(syscall(NR_open_tree, AT_FDCWD, "/", TREE_CLONE | TREE_CLOEXEC));
}
int umount_it(const struct target *t)
{
	(void)t;
	return past(umount2("/proc/self", MNT_DETACH), EINVAL);
}
int root_pivot(const struct target *t)
{
	(void)t;
	return past(syscall(SYS_pivot_root, "/proc/self", "/proc/self"), EINVAL);
}

int see_disks(const struct target *t)
{
	static const char *const paths[] = { "/proc/partitions", "/proc/diskstats", "/proc/mounts/../../partitions", "/sys/block",
					     "/sys/class/block", "/dev/disk", "/proc/swaps", "/proc/mdstat" };
	int r = ANSWER_NOTHING;

	(void)t;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		int one = open_path(paths[i], O_RDONLY);

		r = worse(r, one == -ENOTDIR ? -ENOENT : one);
	}
	return r;
}

/* ---- (c) ---- */

int settings_own(const struct target *t)
{
	char name[256];

	if (gethostname(name, sizeof(name)) < 0)
		return -errno;
	if (strcmp(name, t->hostname) != 0)
		return -ENODATA; /* somebody else's */
	return open_path("/etc", O_RDONLY | O_DIRECTORY);
}

int settings_psv(const struct target *t)
{
	static const char *const paths[] = { "/etc", "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/hostname", "/etc/samba",
					     "/etc/samba/smb.conf", "/etc/exports", "/var/lib/samba", "/run/samba" };
	struct stat st;

	if (!t->file_dev)
		return ANSWER_NOTHING;
	/* Nothing of these lies on the file system of the Psv's own. */
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (stat(paths[i], &st) == 0 && st.st_dev == t->file_dev)
			return 0;
	return -ENOENT;
}

int hostname_set(const struct target *t)
{
	static const char longest[300];

	(void)t;
	return past(sethostname(longest, sizeof(longest)), EINVAL);
}
