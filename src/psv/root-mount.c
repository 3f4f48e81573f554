/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/root-mount.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "lib/sys.h"

/* A folder that is there on every machine and that nobody misses in the child's namespace: mounts are stacked on it, so
 * no folder has to be made and taken away. */
#define ATTACH_POINT "/proc/fs"

/* The kernel's own words about a mount that failed: "e overlay: …". */
static int mount_failed(struct err *err, int fs, int code, const char *what, const char *type)
{
	char words[256];
	ssize_t n = fs >= 0 ? read(fs, words, sizeof(words) - 1) : -1;

	errno = -code;
	if (n <= 0)
		return err_set(err, code, "cannot %s %s: %m", what, type);
	words[n] = '\0';
	words[strcspn(words, "\n")] = '\0';
	errno = -code;
	return err_set(err, code, "cannot %s %s: %m (%s)", what, type, n > 2 ? words + 2 : words);
}

static bool has_option(const struct mount_option *options, const char *key)
{
	for (; options && options->key; options++)
		if (strcmp(options->key, key) == 0)
			return true;
	return false;
}

int mount_new(const char *type, const struct mount_option *options, unsigned int attributes, struct err *err)
{
	_cleanup_close_ int fs = fsopen(type, FSOPEN_CLOEXEC);
	int fd, r;

	if (fs < 0) {
		r = -errno;
		(void)err_set(err, r, "cannot use the file system %s: %m", type);
		return r == -ENODEV ? err_hint(err, r, "this kernel needs the module %s", type) : r;
	}
	/* For df(1) and findmnt(8) inside, which would show "none". */
	if (!has_option(options, "source"))
		(void)fsconfig(fs, FSCONFIG_SET_STRING, "source", type, 0);
	for (; options && options->key; options++) {
		r = options->value ? fsconfig(fs, FSCONFIG_SET_STRING, options->key, options->value, 0) :
				     fsconfig(fs, FSCONFIG_SET_FLAG, options->key, NULL, 0);
		if (r < 0) {
			r = -errno;
			(void)mount_failed(err, fs, r, "set an option of", type);
			return err_wrap(err, r, "%s", options->key);
		}
	}
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return mount_failed(err, fs, -errno, "make", type);
	fd = fsmount(fs, FSMOUNT_CLOEXEC, attributes);
	return fd < 0 ? mount_failed(err, fs, -errno, "mount", type) : fd;
}

int mount_attributes(int fd, unsigned long long set, unsigned long long clear, struct err *err)
{
	struct mount_attr attr = { .attr_set = set, .attr_clr = clear };

	if (mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return err_set(err, -errno, "cannot change the attributes of a mount: %m");
	return 0;
}

/* ---- By a namespace of its own ---- */

enum { CHILD_FDS = 2 };

typedef int (*child_function)(const void *arg, int ret_fds[CHILD_FDS], size_t *ret_n, struct err *err);

struct child_report {
	int result;
	struct err err;
};

static int enter_namespace(struct err *err)
{
	if (unshare(CLONE_NEWNS) < 0)
		return err_set(err, -errno, "cannot make a mount namespace: %m");
	/* Nothing goes back to the Psv; what the Psv unmounts is not held here either. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_set(err, -errno, "cannot separate a mount namespace: %m");
	return 0;
}

static int attach(int fd, struct err *err)
{
	if (move_mount(fd, "", AT_FDCWD, ATTACH_POINT, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_set(err, -errno, "cannot attach a mount in a namespace of its own: %m");
	return 0;
}

static void child_run(int sock, pid_t parent, child_function f, const void *arg) __attribute__((noreturn));
static void child_run(int sock, pid_t parent, child_function f, const void *arg)
{
	struct child_report report = { 0 };
	int fds[CHILD_FDS];
	size_t n = 0;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	report.result = enter_namespace(&report.err);
	if (report.result == 0)
		report.result = f(arg, fds, &n, &report.err);
	(void)fd_send(sock, &report, sizeof(report), fds, n);
	_exit(0);
}

/* ret_fds and ret_n are what the child sent, also when it failed. */
static int by_namespace(child_function f, const void *arg, int ret_fds[CHILD_FDS], size_t *ret_n, struct err *err)
{
	struct child_report report = { 0 };
	int socks[2], status, r;
	pid_t pid, parent = getpid();
	ssize_t got;

	*ret_n = 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks) < 0)
		return err_set(err, -errno, "cannot make a socket: %m");
	pid = fork();
	if (pid == 0)
		child_run(socks[1], parent, f, arg);
	r = -errno;
	(void)close(socks[1]);
	if (pid < 0) {
		(void)close(socks[0]);
		return err_set(err, r, "cannot fork: %m");
	}
	got = fd_recv(socks[0], &report, sizeof(report), ret_fds, CHILD_FDS, ret_n, 0);
	(void)close(socks[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (got != (ssize_t)sizeof(report))
		return err_set(err, -EIO, "the child that makes mounts ended early");
	if (report.result < 0 && err)
		*err = report.err;
	return report.result;
}

/* ---- An empty namespace ---- */

static int empty_in_child(const void *p, int ret_fds[CHILD_FDS], size_t *ret_n, struct err *err)
{
	static const struct mount_option nothing[] = { { "size", "4096" }, { "nr_inodes", "1" }, { "ro", NULL }, { NULL, NULL } };
	_cleanup_close_ int root = mount_new("tmpfs", nothing,
					     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);
	int r = root < 0 ? root : attach(root, err);

	(void)p;
	if (r < 0)
		return r;
	ret_fds[0] = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (ret_fds[0] < 0)
		return err_set(err, -errno, "cannot open a mount namespace: %m");
	*ret_n = 1;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0)
		return err_set(err, -errno, "cannot empty a mount namespace: %m");
	return 0;
}

int mount_namespace_empty(struct err *err)
{
	_cleanup_close_ int ns = -1;
	int fds[CHILD_FDS], r;
	size_t n;

	r = by_namespace(empty_in_child, NULL, fds, &n, err);
	if (n > 0)
		ns = fds[0];
	return r < 0 ? r : steal_fd(&ns);
}

/* ---- Clones ---- */

int mount_clone_directly(int fd, const char *folder, struct err *err)
{
	_cleanup_close_ int at = -1;
	int clone;

	if (*folder) {
		at = sys_openat2(fd, folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0,
				 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
		if (at < 0)
			return err_set(err, -errno, "cannot open the folder '%s': %m", folder);
	}
	clone = open_tree(at >= 0 ? at : fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	return clone < 0 ? err_set(err, -errno, "cannot clone the mount of '%s': %m", folder) : clone;
}

struct clone_arg {
	int fd;
	const char *folder;
};

static int clone_in_child(const void *p, int ret_fds[CHILD_FDS], size_t *ret_n, struct err *err)
{
	const struct clone_arg *arg = p;
	int r = attach(arg->fd, err);

	if (r < 0)
		return r;
	/* The whole first: the caller needs it also when there is no such folder. */
	for (size_t i = 0; i < CHILD_FDS; i++) {
		ret_fds[i] = mount_clone_directly(arg->fd, i == 0 ? "" : arg->folder, err);
		if (ret_fds[i] < 0)
			return ret_fds[i];
		*ret_n = i + 1;
	}
	return 0;
}

int mount_clone_by_namespace(int fd, const char *folder, struct err *err)
{
	struct clone_arg arg = { fd, folder };
	_cleanup_close_ int whole = -1, clone = -1;
	int fds[CHILD_FDS], r;
	size_t n;

	r = by_namespace(clone_in_child, &arg, fds, &n, err);
	if (n > 0)
		whole = fds[0];
	if (n > 1)
		clone = fds[1];
	/* The mount that fd named went with the child's namespace. */
	if (whole >= 0 && dup3(whole, fd, O_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot keep a mount: %m");
	return r < 0 ? r : steal_fd(&clone);
}

int mount_clone(int fd, const char *folder, struct err *err)
{
	int r = mount_clone_directly(fd, folder, err);

	if (r != -EINVAL)
		return r;
	err_clear(err);
	return mount_clone_by_namespace(fd, folder, err);
}

/* ---- Overlays ---- */

int mount_overlay_directly(const int lower[2], struct err *err)
{
	char layers[64];
	/* Without nfs_export the overlay cannot be entered by a file handle. */
	const struct mount_option options[] = {
		{ "lowerdir", layers }, { "nfs_export", "off" }, { "index", "off" },      { "metacopy", "off" },
		{ "redirect_dir", "nofollow" }, { "ro", NULL }, { NULL, NULL },
	};

	(void)str_format(layers, sizeof(layers), "/proc/self/fd/%d:/proc/self/fd/%d", lower[0], lower[1]);
	return mount_new("overlay", options, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
}

static int overlay_in_child(const void *p, int ret_fds[CHILD_FDS], size_t *ret_n, struct err *err)
{
	const int *lower = p;
	int r = attach(lower[0], err);

	if (r == 0)
		r = attach(lower[1], err);
	if (r < 0)
		return r;
	ret_fds[0] = mount_overlay_directly(lower, err);
	if (ret_fds[0] < 0)
		return ret_fds[0];
	*ret_n = 1;
	return 0;
}

int mount_overlay_by_namespace(const int lower[2], struct err *err)
{
	int fds[CHILD_FDS], r;
	size_t n;

	r = by_namespace(overlay_in_child, lower, fds, &n, err);
	return r < 0 ? r : fds[0];
}

int mount_overlay(const int lower[2], struct err *err)
{
	_cleanup_close_ int probe = mount_clone_directly(lower[1], "", NULL);
	int r;

	/* Asked this way first, because a refused overlay puts a line into the kernel's log each time. */
	if (probe == -EINVAL)
		return mount_overlay_by_namespace(lower, err);
	r = mount_overlay_directly(lower, err);
	if (r != -EINVAL)
		return r;
	err_clear(err);
	return mount_overlay_by_namespace(lower, err);
}
