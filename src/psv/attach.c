/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate/gate.h"
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
	int mount_id; /* to take away; 0: whatever is mounted there */
};

/* mount_id_of: asked in a way that asks the file system nothing, which can be broken; 0: unknown.  name_to_handle_at(2): the
 * mount's number comes also when there is no room for a handle. */
static int mount_id_of(int dir, const char *name)
{
	struct file_handle none = { .handle_bytes = 0 };
	int id = 0;

	return name_to_handle_at(dir, name, &none, &id, 0) == 0 || errno == EOVERFLOW ? id : 0;
}

/* take_away: a mount point cannot be renamed; the folders above it can, before the look and never between it and the call.
 * -ESTALE: another mount, or none, is there. */
static int take_away(const struct attach_job *job, int dir, const char *name)
{
	bool given = job->mount_id != 0;

	if (given && mount_id_of(dir, name) != job->mount_id)
		return -ESTALE;
	if (fchdir(dir) == 0 && umount2(name, UMOUNT_NOFOLLOW | job->umount_flags) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOENT)
		return -errno;
	/* A folder of that mount's, not its root. */
	return given ? -ESTALE : 0;
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
		int r;

		(void)umask(022);
		r = setns(pidfd, CLONE_NEWNS) < 0 ? -errno : attach_in_child(job);

		_exit(-r);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
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

/* mounted_at: of a line of mountinfo: the mount's number and, unescaped, its place; false: of another device. */
static bool mounted_at(char *line, dev_t rdev, int *ret_id, const char **ret_path)
{
	const char *id = strsep(&line, " "), *parent = strsep(&line, " "), *dev = strsep(&line, " "), *root = strsep(&line, " ");
	char *path = strsep(&line, " ");
	unsigned major, minor;
	uint32_t number;

	(void)parent;
	(void)root;
	if (!path || parse_u32(id, INT32_MAX, &number) < 0 || sscanf(dev, "%u:%u", &major, &minor) != 2 || makedev(major, minor) != rdev)
		return false;
	unescape(path);
	*ret_id = (int)number;
	*ret_path = path;
	return true;
}

/* find_mount: where a device's file system lies inside now.  1: there; 0: nowhere; -ESRCH: nothing is there any more. */
static int find_mount(const struct state *st, dev_t rdev, int *ret_id, char **ret_path)
{
	_cleanup_close_ int pidfd = pid_open_checked(st->init_pid, st->init_start);
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	const char *path = NULL;
	char proc[64];
	size_t size = 0;

	(void)str_format(proc, sizeof(proc), "/proc/%d/mountinfo", (int)st->init_pid);
	f = fopen(proc, "re");
	if (pidfd < 0 || !f)
		return -ESRCH;
	while (!path && getline(&line, &size, f) >= 0)
		(void)mounted_at(line, rdev, ret_id, &path);
	/* What was read is of another process if this one has ended. */
	if (ferror(f) || pidfd_send_signal(pidfd, 0, NULL, 0) < 0)
		return -ESRCH;
	*ret_path = path ? xstrdup(path) : NULL;
	return path != NULL;
}

/* take_volume_away: wherever it lies: the root inside renames the folders above a mount point as it likes. */
static int take_volume_away(const struct state *st, dev_t rdev)
{
	int r = -ESTALE;

	for (int i = 0; r == -ESTALE && i < TAKE_TRIES; i++) {
		struct attach_job job = { .mount_fd = -1 };
		_cleanup_free_ char *path = NULL;

		r = find_mount(st, rdev, &job.mount_id, &path);
		if (r <= 0)
			return r;
		job.target = path;
		r = in_mount_namespace(st, &job);
	}
	return r == -ESTALE ? -EBUSY : r;
}

static const struct state_volume *find_device(const struct walk *w, const char *volume)
{
	for (size_t i = 0; i < w->st.n_volumes; i++)
		if (strcmp(w->st.volumes[i].name, volume) == 0)
			return &w->st.volumes[i];
	return NULL;
}

/* is_attached: in the mount table, too. */
static bool is_attached(const struct walk *w, const struct conf_volume *cv)
{
	const struct state_volume *device = find_device(w, cv->name);
	_cleanup_free_ char *path = NULL;
	int id;

	return device && find_mount(&w->st, device->rdev, &id, &path) == 1;
}

/* attach_one: 1. */
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
	/* Only what is there, and stays: the gate is told by the state. */
	if (r == 0) {
		walk_add_device(w, cv->name, v.rdev);
		r = state_write(w->psv, w->name, &w->st, err);
	}
	volume_close(&v);
	return r < 0 ? r : 1;
}

/* What is left to be written to it is held back no more; what stays is bounded as it was. */
static int unmount_unbound(const struct walk *w, const struct conf_limits *limits, const struct state_volume *device, struct err *err)
{
	int r = cgroup_disk_free(w->psv, w->name, device, 1, err);

	if (r < 0)
		return r;
	r = take_volume_away(&w->st, device->rdev);
	if (r < 0)
		(void)cgroup_disk_set(w->psv, w->name, limits, device, 1, NULL);
	return r;
}

static int tell_gate(const struct walk *w, dev_t rdev, bool allow, struct err *err)
{
	char dir[PATH_MAX];

	return gate_let_device(walk_bpf_dir(w->psv, dir, sizeof(dir)), w->st.id, rdev, allow, err);
}

/* detach_one: cv: NULL: no configuration that is known says more of it.  Before its device is let go, and may become another server's,
 * neither the gate nor the state has it any more: a kill leaves it mounted rather than open. */
static int detach_one(struct walk *w, const struct conf *old, const struct conf_volume *cv, const struct state_volume *device,
		      struct err *err)
{
	int r = tell_gate(w, device->rdev, false, err);

	if (r < 0)
		return r;
	walk_remove_device(w, device->name);
	r = state_write(w->psv, w->name, &w->st, err);
	if (r == 0)
		r = unmount_unbound(w, &old->limits, device, err);
	if (r < 0) {
		walk_add_device(w, device->name, device->rdev);
		(void)state_write(w->psv, w->name, &w->st, NULL);
		(void)tell_gate(w, device->rdev, true, NULL);
	}
	if (r == -EBUSY) {
		(void)err_exit(err, VNAS_EXIT_IN_USE, r, "volume %s: files on it are in use", device->name);
		return err_hint(err, r, "`vnas sessions %s` shows by whom; end them first", w->name);
	}
	if (r < 0)
		return err_set(err, r, "volume %s: cannot take it away: %m", device->name);
	return !cv ? 0 : volume_wait_gone(w->psv, w->name, cv, 10 * 1000, err);
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

/* detach_former: all that w->conf does not have.  The number of them, or -errno.  One that old does not have either is left of a change
 * that was taken back, and keeps no other change from being made. */
static int detach_former(struct walk *w, const struct conf *old, const struct conf *tried, struct err *err)
{
	size_t n = w->st.n_volumes;
	_cleanup_free_ struct state_volume *list = xcalloc(n, sizeof(*list));
	int detached = 0;

	for (size_t i = 0; i < n; i++)
		list[i] = w->st.volumes[i];
	for (size_t i = 0; i < n; i++) {
		const struct conf_volume *cv = conf_volume_find(old, list[i].name);
		bool left = !cv;
		struct err why = { 0 };
		int r;

		if (conf_volume_find(&w->conf, list[i].name))
			continue;
		if (left)
			cv = conf_volume_find(tried, list[i].name);
		r = detach_one(w, old, cv, &list[i], left ? &why : err);
		if (r < 0 && !left)
			return r;
		if (r < 0)
			walk_notice(w, "%s", why.text);
		detached += r == 0;
	}
	return detached;
}

/* attach_missing: what old has and is not there, a change that was taken back could not attach again: root inside can see to that, and
 * keeps no other change from being made. */
static int attach_missing(struct walk *w, const struct conf *old, struct err *err)
{
	int n = 0;

	for (size_t i = 0; i < w->conf.n_volumes; i++) {
		const struct conf_volume *cv = &w->conf.volumes[i];
		bool before = conf_volume_find(old, cv->name) != NULL;
		struct err why = { 0 };
		int r = is_attached(w, cv) ? 0 : attach_one(w, cv, before ? &why : err);

		if (r < 0 && !before)
			return r;
		if (r < 0)
			walk_notice(w, "%s", why.text);
		n += r > 0;
	}
	return n;
}

static bool same_volumes(const struct conf *a, const struct conf *b)
{
	for (size_t i = 0; i < a->n_volumes && a->n_volumes == b->n_volumes; i++)
		if (!conf_volume_find(b, a->volumes[i].name))
			return false;
	return a->n_volumes == b->n_volumes;
}

int attach_changed_volumes(struct walk *w, const struct conf *old, const struct conf *tried, struct err *err)
{
	int detached = detach_former(w, old, tried, err), attached = detached < 0 ? detached : attach_missing(w, old, err);

	if (attached < 0)
		return attached;
	/* A kill can have come between a volume and its node. */
	if (!conf_serves_nfs(&w->conf) || (detached + attached == 0 && conf_serves_nfs(old) && same_volumes(old, &w->conf)))
		return 0;
	return renew_nodes(w, err);
}
