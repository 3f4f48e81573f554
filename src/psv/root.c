/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The root of a Vsv, out of detached mounts.  `/` is a tmpfs of the Psv's, so everything above the tenant's own folders is
 * out of the tenant's reach.  Only a data volume's place may lie in a folder that the tenant writes (srv, home): it is
 * made ready component by component, by descriptor, and nothing on the way is ever followed.  Whoever attaches the mounts
 * resolves their targets without links as well. */
#include "psv/root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "lib/sys.h"
#include "lib/weaken.h"
#include "psv/cgroup.h"
#include "psv/root-mount.h"
#include "psv/root-parts.h"
#include "psv/volume.h"

#define MIB (UINT64_C(1024) * 1024)

#define SAFE (MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID)
#define SAFE_DATA (SAFE | MOUNT_ATTR_NOEXEC)

/* The root volume's folders, in the order in which they are attached. */
static const char *const subtrees[] = { "etc", "var", "home", "root", "srv" };
/* What else there is to attach to; proc is made by the one who attaches. */
static const char *const folders[] = { "usr", "etc", "var", "home", "root", "srv", "dev", "proc", "run", "tmp" };
/* Links into usr, where the template has that folder. */
static const char merged[][8] = { "bin", "sbin", "lib", "lib32", "lib64", "libx32" };

int tmpfs_new(uint64_t size_bytes, unsigned int inodes, const char *mode, unsigned int attributes, struct err *err)
{
	char size[24], nr_inodes[16];
	const struct mount_option options[] = {
		{ "size", size }, { "nr_inodes", nr_inodes }, { "mode", mode }, { NULL, NULL },
	};

	(void)str_format(size, sizeof(size), "%llu", (unsigned long long)size_bytes);
	(void)str_format(nr_inodes, sizeof(nr_inodes), "%u", inodes);
	return mount_new("tmpfs", options, attributes, err);
}

int root_add(struct root *r, int fd, const char *target, struct err *err)
{
	struct root_mount *m = &r->mounts[r->n];

	if (fd < 0)
		return fd;
	if (r->n == ROOT_MOUNTS_MAX || !str_copy(m->target, sizeof(m->target), target)) {
		(void)close(fd);
		return r->n == ROOT_MOUNTS_MAX ? err_set(err, -E2BIG, "more than %d mounts", ROOT_MOUNTS_MAX) :
						 err_set(err, -ENAMETOOLONG, "the path /%s is too long", target);
	}
	m->fd = fd;
	r->n++;
	return 0;
}

/* ---- Places of data volumes ---- */

/* The mount in which a target lies: the longest one above it.  *ret_rest: the path from there. */
static const struct root_mount *mount_of(const struct root *r, const char *target, const char **ret_rest)
{
	const struct root_mount *best = &r->mounts[0];

	*ret_rest = target;
	for (size_t i = 1; i < r->n; i++) {
		size_t n = strlen(r->mounts[i].target);

		if (strncmp(target, r->mounts[i].target, n) != 0 || (target[n] != '/' && target[n] != '\0') ||
		    n < strlen(best->target))
			continue;
		best = &r->mounts[i];
		*ret_rest = target + n + strspn(target + n, "/");
	}
	return best;
}

/* What the tenant put there in a folder's place keeps its content under another name. */
static int move_aside(int dir, const char *name, struct err *err)
{
	char aside[NAME_MAX + 1];

	for (unsigned i = 1; i < 1000; i++) {
		if (!str_format(aside, sizeof(aside), "%.200s.vnas-%u", name, i))
			break;
		if (renameat2(dir, name, dir, aside, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return err_set(err, -errno, "cannot move '%s' out of a volume's place: %m", name);
	}
	return err_set(err, -EEXIST, "cannot move '%s' out of a volume's place", name);
}

static int enter_folder(int dir, const char *name)
{
	int fd = sys_openat2(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0,
			     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);

	return fd < 0 ? -errno : fd;
}

static int make_folder(int dir, const char *name, struct err *err)
{
	int fd = enter_folder(dir, name), r;

	if (fd == -ENOTDIR || fd == -ELOOP) {
		r = move_aside(dir, name, err);
		if (r < 0)
			return r;
		fd = -ENOENT;
	}
	if (fd == -ENOENT) {
		if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
			return err_set(err, -errno, "cannot make the folder '%s' for a volume: %m", name);
		fd = enter_folder(dir, name);
	}
	return fd < 0 ? err_set(err, fd, "cannot open the folder '%s' for a volume: %s", name, strerror(-fd)) : fd;
}

int root_make_place(const struct root *r, const char *target, struct err *err)
{
	_cleanup_strlist_ struct strlist names = { 0 };
	_cleanup_close_ int at = -1;
	const char *rest;

	at = fcntl(mount_of(r, target, &rest)->fd, F_DUPFD_CLOEXEC, 0);
	if (at < 0)
		return err_set(err, -errno, "cannot open the root: %m");
	strlist_split(&names, rest, "/");
	for (size_t i = 0; i < names.n; i++) {
		int next;

		if (strcmp(names.v[i], ".") == 0 || strcmp(names.v[i], "..") == 0)
			return err_set(err, -EINVAL, "'/%s' is no place for a volume", target);
		next = make_folder(at, names.v[i], err);
		if (next < 0)
			return next;
		(void)close(at);
		at = next;
	}
	return 0;
}

static int by_mount(const void *a, const void *b)
{
	const struct volume *const *x = a, *const *y = b;

	return strcmp((*x)->conf->mount, (*y)->conf->mount);
}

/* Sorted by path: what holds another's place comes before it. */
static int add_data(struct root *r, struct volume *volumes, size_t n_volumes, struct err *err)
{
	_cleanup_free_ struct volume **sorted = xcalloc(n_volumes, sizeof(*sorted));
	size_t n = 0;

	for (size_t i = 1; i < n_volumes; i++)
		if (volumes[i].conf->mount)
			sorted[n++] = &volumes[i];
	if (n)
		qsort(sorted, n, sizeof(struct volume *), by_mount);
	for (size_t i = 0; i < n; i++) {
		const char *target = sorted[i]->conf->mount + strspn(sorted[i]->conf->mount, "/");
		int res = root_make_place(r, target, err), fd = -1;

		if (res == 0) {
			fd = volume_subtree(sorted[i], "data", err);
			/* Which volume that was it has said. */
			if (fd < 0)
				return fd;
			res = root_add(r, fd, target, err);
		}
		if (res < 0)
			return err_wrap(err, res, "volume %s", sorted[i]->conf->name);
	}
	return 0;
}

/* ---- The rest ---- */

/* Made writable; read-only at the end. */
static int add_base(struct root *r, int overlay_fd, struct err *err)
{
	int fd = tmpfs_new(MIB / 16, 512, "0755", SAFE, err), res = root_add(r, fd, "", err);
	char target[16];
	struct stat st;

	if (res < 0)
		return res;
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		if (mkdirat(fd, folders[i], 0755) < 0)
			return err_set(err, -errno, "cannot make /%s: %m", folders[i]);
	for (size_t i = 0; i < sizeof(merged) / sizeof(*merged); i++) {
		if (fstatat(overlay_fd, merged[i], &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno == ENOENT)
				continue;
			return err_set(err, -errno, "cannot look for %s in the template: %m", merged[i]);
		}
		(void)str_format(target, sizeof(target), "usr/%s", merged[i]);
		if (symlinkat(target, fd, merged[i]) < 0)
			return err_set(err, -errno, "cannot make /%s: %m", merged[i]);
	}
	return 0;
}

static int add_subtrees(struct root *r, const struct volume *root_volume, struct err *err)
{
	for (size_t i = 0; i < sizeof(subtrees) / sizeof(*subtrees); i++) {
		bool psvs = weakened("bind-usr") && strcmp(subtrees[i], "home") == 0;
		int fd = psvs ? open_tree(AT_FDCWD, "/usr", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC) :
				volume_subtree(root_volume, subtrees[i], err);
		int res;

		/* Which volume that was it has said. */
		if (fd < 0)
			return fd;
		res = root_add(r, fd, subtrees[i], err);
		if (res == 0)
			res = weakened("mount-attributes") ? mount_attributes(fd, 0, SAFE, err) :
							     mount_attributes(fd, psvs ? SAFE | MOUNT_ATTR_RDONLY : SAFE, 0, err);
		if (res < 0)
			return err_wrap(err, res, "volume root");
	}
	return 0;
}

/* run/vnas: one superblock, two mounts: ours, and a read-only one for the inside. */
static int add_generated(struct root *r, struct err *err)
{
	int inside, res;

	r->conf_fd = tmpfs_new(4 * MIB, 1024, "0755", SAFE_DATA, err);
	if (r->conf_fd < 0)
		return r->conf_fd;
	inside = mount_clone(r->conf_fd, "", err);
	res = root_add(r, inside, "run/vnas", err);
	return res < 0 ? res : mount_attributes(inside, (weakened("conf-writable") ? 0 : MOUNT_ATTR_RDONLY) | SAFE_DATA, 0, err);
}

/* What lies in /run and /tmp is memory, also where no controller counts it: never more than a part of what the Vsv may
 * use. */
static uint64_t part_of_memory(const struct conf *conf, unsigned int divisor, uint64_t most_bytes)
{
	uint64_t bytes = cgroup_limits(&conf->limits).memory_bytes / divisor, least_bytes = 32 * MIB;

	if (bytes < least_bytes)
		return least_bytes;
	return bytes > most_bytes ? most_bytes : bytes;
}

static const char *const run_folders[] = { "vnas", "ganesha" };

/* smbd keeps its tables of open files and locks here, some KiB a file, and does not survive a full /run. */
static int add_run(struct root *r, const struct conf *conf, struct err *err)
{
	int fd = tmpfs_new(part_of_memory(conf, 8, 512 * MIB), 8192, "0755", SAFE_DATA, err);
	int res = root_add(r, fd, "run", err);

	if (res < 0)
		return res;
	/* What some services expect costs a program each at the start, if it is made inside. */
	for (size_t i = 0; i < sizeof(run_folders) / sizeof(*run_folders); i++)
		if (mkdirat(fd, run_folders[i], 0755) < 0)
			return err_set(err, -errno, "cannot make /run/%s: %m", run_folders[i]);
	/* What rpcbind is to know at its start lies where it cannot change it. */
	if (symlinkat("vnas/rpcbind", fd, "rpcbind") < 0)
		return err_set(err, -errno, "cannot make /run/rpcbind: %m");
	if (mkdirat(fd, "lock", 01777) < 0 || fchmodat(fd, "lock", 01777, 0) < 0)
		return err_set(err, -errno, "cannot make /run/lock: %m");
	return add_generated(r, err);
}

static int add_nodes(struct root *r, const struct volume *volumes, size_t n_volumes, struct err *err)
{
	_cleanup_free_ struct root_node *nodes = xcalloc(n_volumes, sizeof(*nodes));

	for (size_t i = 1; i < n_volumes; i++)
		nodes[i - 1] = (struct root_node){ volumes[i].conf->name, volumes[i].rdev };
	return root_add(r, root_volume_nodes(nodes, n_volumes ? n_volumes - 1 : 0, err), "dev/volumes", err);
}

/* The overlay is taken. */
static int begin(const struct conf *conf, const struct volume *volumes, size_t n_volumes, int *overlay, struct root *r,
		 struct err *err)
{
	int res = add_base(r, *overlay, err);

	if (res == 0)
		res = root_add(r, steal_fd(overlay), "usr", err);
	if (res == 0)
		res = root_add_dev(r, err);
	if (res == 0 && conf_serves_nfs(conf))
		res = add_nodes(r, volumes, n_volumes, err);
	if (res == 0)
		res = add_run(r, conf, err);
	if (res == 0)
		res = root_add(r, tmpfs_new(part_of_memory(conf, 4, 1024 * MIB), 65536, "1777", SAFE, err), "tmp", err);
	return res;
}

int root_begin(const struct conf *conf, const struct volume *volumes, size_t n_volumes, int overlay_fd, struct root *ret,
	       struct err *err)
{
	_cleanup_close_ int overlay = overlay_fd;
	struct root r = { .conf_fd = -1 };
	mode_t mask = umask(0);
	int res = begin(conf, volumes, n_volumes, &overlay, &r, err);

	(void)umask(mask);
	if (res < 0) {
		root_close(&r);
		return res;
	}
	*ret = r;
	return 0;
}

int root_add_volumes(struct root *r, struct volume *volumes, size_t n_volumes, struct err *err)
{
	mode_t mask = umask(0);
	int res = add_subtrees(r, &volumes[0], err);

	if (res == 0)
		res = add_data(r, volumes, n_volumes, err);
	/* After the places of data volumes were made. */
	if (res == 0)
		res = mount_attributes(r->mounts[0].fd, (weakened("root-writable") ? 0 : MOUNT_ATTR_RDONLY) | SAFE, 0, err);
	(void)umask(mask);
	return res;
}

void root_close(struct root *r)
{
	for (size_t i = r->n; i > 0; i--)
		cleanup_close(&r->mounts[i - 1].fd);
	cleanup_close(&r->conf_fd);
	*r = (struct root){ .conf_fd = -1 };
}
