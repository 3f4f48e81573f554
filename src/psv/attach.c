/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/process.h"
#include "lib/sys.h"
#include "psv/cgroup_disk.h"
#include "psv/root-parts.h"
#include "psv/walk.h"

enum { RESOLVE_STRICT = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS, TAKE_TRIES = 100 };

int open_inside(pid_t init_pid, const char *path)
{
	_cleanup_close_ int root = -1;
	char proc[64];
	int fd;

	(void)str_format(proc, sizeof(proc), "/proc/%d/root", (int)init_pid);
	root = open(proc, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	while (*path == '/')
		path++;
	fd = sys_openat2(root, *path ? path : ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0, RESOLVE_STRICT);
	return fd < 0 ? -errno : fd;
}

/* Both run in the child, after setns: the root and the working folder are the Vsv's. */
struct attach_job {
	const char *target; /* absolute, inside */
	int mount_fd;       /* -1: take away */
	int umount_flags;
	uint64_t mount_id; /* to take away; 0: whatever is mounted there */
};

/* take_away: a mount point cannot be renamed; the folders above it can, before the look and never between it and the call.
 * -ESTALE: another mount, or none, is there. */
static int take_away(const struct attach_job *job, int dir, const char *name)
{
	struct statx st;

	if (job->mount_id) {
		if (statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) < 0)
			return errno == ENOENT ? -ESTALE : -errno;
		if (st.stx_mnt_id != job->mount_id)
			return -ESTALE;
	}
	if (fchdir(dir) < 0 || umount2(name, UMOUNT_NOFOLLOW | job->umount_flags) < 0)
		return errno == EINVAL || errno == ENOENT ? 0 : -errno;
	return 0;
}

/* open_parent: of what lies at path; make: folders that are missing are made.  *ret_name: its last component. */
static int open_parent(const char *path, bool make, const char **ret_name)
{
	_cleanup_free_ char *folders = xstrdup(path);
	char *slash = strrchr(folders, '/'), *next = folders, *name;
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), r = fd < 0 ? -errno : 0;

	*ret_name = slash ? path + (slash - folders) + 1 : path;
	if (slash)
		*slash = '\0';
	else
		next = NULL;
	while (r == 0 && (name = strsep(&next, "/"))) {
		_cleanup_close_ int dir = fd;

		if (!*name) {
			fd = steal_fd(&dir);
			continue;
		}
		fd = -1;
		r = make && mkdirat(dir, name, 0755) < 0 && errno != EEXIST ? -errno : 0;
		if (r == 0)
			fd = sys_openat2(dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, RESOLVE_STRICT);
		if (r == 0 && fd < 0)
			r = -errno;
	}
	return r < 0 ? r : fd;
}

static int attach_in_child(const struct attach_job *job)
{
	const char *name;
	_cleanup_close_ int dir = open_parent(job->target, job->mount_fd >= 0, &name), target = -1;

	if (dir < 0)
		return job->mount_id && (dir == -ENOENT || dir == -ELOOP || dir == -ENOTDIR) ? -ESTALE : dir;
	if (job->mount_fd < 0)
		return take_away(job, dir, name);
	if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	target = sys_openat2(dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, RESOLVE_STRICT | RESOLVE_NO_XDEV);
	if (target < 0)
		return -errno;
	if (move_mount(job->mount_fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

static int in_mount_namespace(const struct state *st, const struct attach_job *job)
{
	_cleanup_close_ int pidfd = pid_open_checked(st->init_pid, st->init_start);
	int status;
	pid_t pid;

	if (pidfd < 0)
		return -ESRCH;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		int r = setns(pidfd, CLONE_NEWNS) < 0 ? -errno : attach_in_child(job);

		_exit(-r);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

static int attach_one(struct walk *w, const struct conf_volume *cv, struct err *err)
{
	struct attach_job job = { .target = cv->mount };
	struct volume v = { 0 };
	int r = volume_open(w->psv, w->name, cv, w->st.generation, &v, err);

	if (r < 0)
		return r;
	r = volume_mount(&v, err);
	job.mount_fd = r < 0 ? r : volume_subtree(&v, "data", err);
	if (job.mount_fd >= 0) {
		r = in_mount_namespace(&w->st, &job);
		if (r < 0)
			r = err_set(err, r, "volume %s: cannot mount it at %s: %m", cv->name, cv->mount);
		(void)close(job.mount_fd);
	} else {
		r = job.mount_fd;
	}
	if (r == 0)
		walk_add_device(w, cv->name, v.rdev);
	volume_close(&v);
	return r;
}

static const struct state_volume *find_device(const struct walk *w, const char *volume)
{
	for (size_t i = 0; i < w->st.n_volumes; i++)
		if (strcmp(w->st.volumes[i].name, volume) == 0)
			return &w->st.volumes[i];
	return NULL;
}

/* unescape: as the kernel writes a name in mountinfo: three octal digits after a backslash. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		unsigned value;

		if (*s == '\\' && sscanf(s + 1, "%3o", &value) == 1) {
			*to++ = (char)value;
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* where_mounted: where a volume lies inside now.  1: there; 0: nowhere; -errno.  proc(5), mountinfo. */
static int where_mounted(const struct state *st, dev_t rdev, uint64_t *ret_id, char **ret_path)
{
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	char proc[64];
	size_t size = 0;

	(void)str_format(proc, sizeof(proc), "/proc/%d/mountinfo", (int)st->init_pid);
	f = fopen(proc, "re");
	if (!f)
		return -errno;
	while (getline(&line, &size, f) >= 0) {
		unsigned major, minor;
		char *path = NULL;

		if (sscanf(line, "%" SCNu64 " %*u %u:%u %*s %ms", ret_id, &major, &minor, &path) == 4 &&
		    makedev(major, minor) == rdev) {
			unescape(path);
			*ret_path = path;
			return 1;
		}
		free(path);
	}
	return ferror(f) ? -EIO : 0;
}

/* take_volume_away: wherever it lies: the root inside renames the folders above a mount point as it likes. */
static int take_volume_away(const struct state *st, dev_t rdev)
{
	int r = -ESTALE;

	for (int i = 0; r == -ESTALE && i < TAKE_TRIES; i++) {
		struct attach_job job = { .mount_fd = -1 };
		_cleanup_free_ char *path = NULL;

		r = where_mounted(st, rdev, &job.mount_id, &path);
		if (r <= 0)
			return r;
		job.target = path;
		r = in_mount_namespace(st, &job);
	}
	return r == -ESTALE ? -EBUSY : r;
}

/* What is left to be written to it is held back no more; what stays is bounded as it was. */
static int unmount_unbound(const struct walk *w, const struct conf *old, const struct conf_volume *cv, struct err *err)
{
	const struct attach_job job = { .target = cv->mount, .mount_fd = -1 };
	const struct state_volume *device = find_device(w, cv->name);
	int r = device ? cgroup_disk_free(w->psv, w->name, device, 1, err) : 0;

	if (r < 0)
		return r;
	r = device ? take_volume_away(&w->st, device->rdev) : in_mount_namespace(&w->st, &job);
	if (r < 0 && device)
		(void)cgroup_disk_set(w->psv, w->name, &old->limits, device, 1, NULL);
	return r;
}

static int detach_one(struct walk *w, const struct conf *old, const struct conf_volume *cv, struct err *err)
{
	int r = unmount_unbound(w, old, cv, err);

	if (r == -EBUSY) {
		(void)err_exit(err, VNAS_EXIT_IN_USE, r, "volume %s: files on it are in use", cv->name);
		return err_hint(err, r, "`vnas sessions %s` shows by whom; end them first", w->name);
	}
	if (r < 0)
		return err_set(err, r, "volume %s: cannot take it away from %s: %m", cv->name, cv->mount);
	walk_remove_device(w, cv->name);
	return volume_wait_gone(w->psv, w->name, cv, 10 * 1000, err);
}

/* Those of the data volumes that there are now; whoever looks into the former ones goes on with them. */
static int renew_nodes(struct walk *w, struct err *err)
{
	struct attach_job old = { .target = "/dev/volumes", .mount_fd = -1, .umount_flags = MNT_DETACH };
	struct attach_job new = { .target = old.target };
	_cleanup_free_ struct root_node *nodes = xcalloc(w->st.n_volumes, sizeof(*nodes));
	_cleanup_close_ int fd = -1;
	size_t n = 0;
	int r;

	for (size_t i = 0; i < w->st.n_volumes; i++)
		if (strcmp(w->st.volumes[i].name, "root") != 0)
			nodes[n++] = (struct root_node){ w->st.volumes[i].name, w->st.volumes[i].rdev };
	fd = root_volume_nodes(nodes, n, err);
	if (fd < 0)
		return fd;
	new.mount_fd = fd;
	r = in_mount_namespace(&w->st, &old);
	if (r == 0)
		r = in_mount_namespace(&w->st, &new);
	if (r == 0)
		return 0;
	(void)err_set(err, r, "cannot show its volumes to the NFS service: %m");
	return r == -EROFS ? err_hint(err, r, "restart the server: it was started by an older vnas") : r;
}

int attach_changed_volumes(struct walk *w, const struct conf *old, struct err *err)
{
	bool changed = conf_serves_nfs(&w->conf) && !conf_serves_nfs(old);
	int r;

	for (size_t i = 0; i < old->n_volumes; i++) {
		if (conf_volume_find(&w->conf, old->volumes[i].name))
			continue;
		changed = true;
		r = detach_one(w, old, &old->volumes[i], err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < w->conf.n_volumes; i++) {
		if (conf_volume_find(old, w->conf.volumes[i].name))
			continue;
		changed = true;
		r = attach_one(w, &w->conf.volumes[i], err);
		if (r < 0)
			return r;
	}
	return changed && conf_serves_nfs(&w->conf) ? renew_nodes(w, err) : 0;
}
