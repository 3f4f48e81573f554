/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/fsmount.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/str.h"
#include "lib/sys.h"

enum {
	CREATE_EXCL = 8, /* FSCONFIG_CMD_CREATE_EXCL, Linux 6.6: not in glibc 2.36 */
	CHILD_STACK_BYTES = 64 * 1024,
};

/* linux fs/ext4/ext4.h, fs/xfs/libxfs/xfs_fs.h */
#define EXT4_IOC_RESIZE_FS _IOW('f', 16, uint64_t)
struct xfs_growfs_data {
	uint64_t newblocks;
	uint32_t imaxpct;
};
#define XFS_IOC_FSGROWFSDATA _IOW('X', 110, struct xfs_growfs_data)

struct fs_option {
	const char *key, *value; /* value NULL: a flag */
};

/* All of them, so that defaults stored in a superblock cannot choose. */
static const struct fs_option ext4_options[] = {
	{ "errors", "remount-ro" }, { "data", "ordered" }, { "barrier", NULL },
	{ "nodiscard", NULL },      { "acl", NULL },       { "user_xattr", NULL },
	{ NULL, NULL },
};
static const struct fs_option xfs_options[] = {
	{ "noquota", NULL },
	{ "nodiscard", NULL },
	{ NULL, NULL },
};
static const struct fs_option *const fs_options[] = {
	[CONF_FS_EXT4] = ext4_options,
	[CONF_FS_XFS] = xfs_options,
};

/* What the kernel said through the context, one message a read; the errors are what matters. */
static void context_words(int ctx, struct strbuf *sb)
{
	char buf[512];
	ssize_t n;

	while ((n = read(ctx, buf, sizeof(buf) - 1)) > 0) {
		while (n > 0 && buf[n - 1] == '\n')
			n--;
		buf[n] = '\0';
		if (n < 2 || buf[0] != 'e')
			continue;
		strbuf_addf(sb, "%s%s", sb->len ? "; " : "", buf + 2);
	}
}

static int refuse(int ctx, int code, enum conf_fs fs, const char *device, struct err *err)
{
	_cleanup_strbuf_ struct strbuf words = { 0 };

	if (ctx >= 0)
		context_words(ctx, &words);
	if (words.len)
		return err_set(err, code, "cannot mount the %s filesystem on %s: %s", conf_fs_name(fs), device,
			       strbuf_str(&words));
	return err_set(err, code, "cannot mount the %s filesystem on %s: %m", conf_fs_name(fs), device);
}

static int configure(int ctx, enum conf_fs fs, const char *device)
{
	if (fsconfig(ctx, FSCONFIG_SET_STRING, "source", device, 0) < 0)
		return -errno;
	for (const struct fs_option *o = fs_options[fs]; o->key; o++)
		if (fsconfig(ctx, o->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, o->key, o->value, 0) < 0)
			return -errno;
	return 0;
}

struct fs_mounting {
	enum conf_fs fs;
	char *device;
	dev_t rdev;
	int ctx; /* fsopen(2) */
	bool beside;
	pthread_t thread; /* beside: makes the superblock */
	int result;       /* 0 or -errno, when that is done */
};

static void *make_superblock(void *arg)
{
	struct fs_mounting *m = arg;

	m->result = 0;
	if (fsconfig(m->ctx, CREATE_EXCL, NULL, NULL, 0) == 0)
		return NULL;
	/* EOPNOTSUPP: before Linux 6.6. */
	if (errno != EOPNOTSUPP || fsconfig(m->ctx, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		m->result = -errno;
	return NULL;
}

/* No thread to be had is no reason to fail: it is made here and now. */
static void begin_beside(struct fs_mounting *m)
{
	pthread_attr_t attr;
	sigset_t all, before;

	if (pthread_attr_init(&attr) == 0) {
		(void)pthread_attr_setstacksize(&attr, CHILD_STACK_BYTES);
		/* A signal is for who waits. */
		(void)sigfillset(&all);
		(void)pthread_sigmask(SIG_SETMASK, &all, &before);
		m->beside = pthread_create(&m->thread, &attr, make_superblock, m) == 0;
		(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
		(void)pthread_attr_destroy(&attr);
	}
	if (!m->beside)
		(void)make_superblock(m);
}

int fs_mount_begin(enum conf_fs fs, const char *device, dev_t rdev, struct fs_mounting **ret, struct err *err)
{
	_cleanup_close_ int ctx = fsopen(conf_fs_name(fs), FSOPEN_CLOEXEC);
	struct fs_mounting *m;
	int r;

	if (ctx < 0) {
		r = err_set(err, -errno, "this kernel has no %s: %m", conf_fs_name(fs));
		return err_hint(err, r, "load it: modprobe %s", conf_fs_name(fs));
	}
	r = configure(ctx, fs, device);
	if (r < 0)
		return refuse(ctx, r, fs, device, err);
	m = xcalloc(1, sizeof(*m));
	m->fs = fs;
	m->device = xstrdup(device);
	m->rdev = rdev;
	m->ctx = steal_fd(&ctx);
	begin_beside(m);
	*ret = m;
	return 0;
}

static void wait_for(struct fs_mounting *m)
{
	if (m->beside)
		(void)pthread_join(m->thread, NULL);
	m->beside = false;
}

static int finish(const struct fs_mounting *m, struct err *err)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	errno = -m->result;
	if (m->result < 0)
		return refuse(m->ctx, m->result, m->fs, m->device, err);
	fd = fsmount(m->ctx, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID);
	if (fd < 0)
		return refuse(m->ctx, -errno, m->fs, m->device, err);
	/* The device's name was resolved once more by the kernel: it must have found the one that we hold. */
	if (fstat(fd, &st) < 0 || st.st_dev != m->rdev)
		return err_set(err, -ESTALE, "%s was replaced while it was mounted", m->device);
	return steal_fd(&fd);
}

int fs_mount_end(struct fs_mounting *m, struct err *err)
{
	int r;

	wait_for(m);
	r = finish(m, err);
	fs_mount_abandon(m);
	return r;
}

void fs_mount_abandon(struct fs_mounting *m)
{
	if (!m)
		return;
	wait_for(m);
	(void)close(m->ctx);
	free(m->device);
	free(m);
}

int fs_folder(int dirfd, const char *folder, struct err *err)
{
	int fd = sys_openat2(dirfd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, 0,
			     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);

	return fd < 0 ? err_set(err, -errno, "cannot open the folder '%s' of the volume: %m", folder) : fd;
}

static int subtree_clone(int mount_fd, const char *folder)
{
	_cleanup_close_ int fd = sys_openat2(mount_fd, folder, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, 0,
					     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV |
					     RESOLVE_NO_MAGICLINKS);
	int tree;

	if (fd < 0)
		return -errno;
	tree = open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return tree < 0 ? -errno : tree;
}

int fs_subtree(int mount_fd, const char *folder, struct err *err)
{
	int r = subtree_clone(mount_fd, folder);

	if (r == -EINVAL)
		return fs_subtree_attached(mount_fd, folder, err);
	return r < 0 ? err_set(err, r, "cannot take the folder '%s' of the volume: %m", folder) : r;
}

struct attached {
	int mount_fd;
	const char *folder;
	int result;
};

/* In a mount namespace that lives no longer than this function, but with the parent's descriptors and memory. */
static int attached_child(void *arg)
{
	struct attached *a = arg;
	int again;

	a->result = -1;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    move_mount(a->mount_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0) {
		a->result = -errno;
		return 0;
	}
	a->result = subtree_clone(a->mount_fd, a->folder);
	/* Attached, it ends with this namespace: the caller keeps a detached clone under the same number. */
	again = open_tree(a->mount_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (again < 0 || dup3(again, a->mount_fd, O_CLOEXEC) < 0) {
		int r = -errno;

		if (a->result >= 0)
			(void)close(a->result);
		a->result = r;
	}
	if (again >= 0)
		(void)close(again);
	return 0;
}

int fs_subtree_attached(int mount_fd, const char *folder, struct err *err)
{
	struct attached a = { .mount_fd = mount_fd, .folder = folder, .result = -EIO };
	_cleanup_free_ char *stack = xmalloc(CHILD_STACK_BYTES);
	int status;
	pid_t pid;

	pid = clone(attached_child, stack + CHILD_STACK_BYTES,
		    CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_NEWNS | SIGCHLD, &a);
	if (pid < 0)
		return err_set(err, -errno, "cannot make a mount namespace: %m");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (a.result < 0)
		return err_set(err, a.result, "cannot take the folder '%s' of the volume: %m", folder);
	return a.result;
}

int fs_grow(int fs_fd, const struct superblock *sb, uint64_t bytes, struct err *err)
{
	uint64_t blocks = bytes / sb->block_bytes;
	struct xfs_growfs_data xfs = { .newblocks = blocks, .imaxpct = sb->imax_percent };
	/* A descriptor of fsmount(2) or open_tree(2) is a path only (O_PATH). */
	_cleanup_close_ int dir = openat(fs_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (dir < 0)
		return err_set(err, -errno, "cannot open the mounted filesystem: %m");
	if (sb->fs == CONF_FS_XFS)
		r = ioctl(dir, XFS_IOC_FSGROWFSDATA, &xfs);
	else
		r = ioctl(dir, EXT4_IOC_RESIZE_FS, &blocks);
	if (r < 0)
		return err_set(err, -errno, "cannot enlarge the mounted %s filesystem: %m", conf_fs_name(sb->fs));
	return 0;
}
