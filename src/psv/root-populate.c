/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing the skeleton.  The volume is fresh and nobody else's yet; even so every step goes by descriptor and follows no
 * link, so that running it again on a volume that lived is only as bad as what it overwrites. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "lib/sys.h"
#include "psv/root-parts.h"
#include "psv/volume.h"
#include "service/service.h"

/* The folder above a path, and its last component. */
static int open_above(int root_fd, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char above[PATH_MAX];
	int fd;

	*ret_name = slash ? slash + 1 : path;
	if (!str_format(above, sizeof(above), "%.*s", slash ? (int)(slash - path) : 1, slash ? path : "."))
		return -ENAMETOOLONG;
	fd = sys_openat2(root_fd, above, O_PATH | O_DIRECTORY | O_CLOEXEC, 0,
			 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
	return fd < 0 ? -errno : fd;
}

static int write_folder(int dir, const char *name, const struct skeleton_entry *e)
{
	_cleanup_close_ int fd = -1;

	if (mkdirat(dir, name, e->mode & 0777) < 0 && errno != EEXIST)
		return -errno;
	fd = dir_open(dir, name);
	if (fd < 0)
		return fd;
	if (fchown(fd, 0, e->gid) < 0 || fchmod(fd, e->mode & 07777) < 0)
		return -errno;
	return 0;
}

static int write_file(int dir, const char *name, const struct skeleton_entry *e)
{
	_cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, e->content, strlen(e->content));
	if (r < 0)
		return r;
	if (fchown(fd, 0, e->gid) < 0 || fchmod(fd, e->mode & 07777) < 0)
		return -errno;
	return 0;
}

static int write_entry(int root_fd, const struct skeleton_entry *e)
{
	_cleanup_close_ int dir = -1;
	const char *name;

	dir = open_above(root_fd, e->path, &name);
	if (dir < 0)
		return dir;
	if (S_ISDIR(e->mode))
		return write_folder(dir, name, e);
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return -errno;
	if (S_ISLNK(e->mode))
		return symlinkat(e->content, dir, name) < 0 ? -errno : 0;
	return write_file(dir, name, e);
}

int skeleton_write(int root_fd, const struct skeleton_entry *entries, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		int r = write_entry(root_fd, &entries[i]);

		if (r < 0)
			return err_set(err, r, "cannot write /%s: %s", entries[i].path, strerror(-r));
	}
	return 0;
}

/* machine-id(5): of this Vsv alone, and it stays with the volume. */
static int write_machine_id(int root_fd, struct err *err)
{
	unsigned char random[16];
	char text[2 * sizeof(random) + 2];
	const struct skeleton_entry e = { "etc/machine-id", S_IFREG | 0444, 0, text };

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return err_set(err, -EIO, "cannot get random bytes");
	random[6] = (random[6] & 0x0f) | 0x40;
	random[8] = (random[8] & 0x3f) | 0x80;
	for (size_t i = 0; i < sizeof(random); i++)
		(void)snprintf(text + 2 * i, 3, "%02x", random[i]);
	(void)str_copy(text + 2 * sizeof(random), 2, "\n");
	return skeleton_write(root_fd, &e, 1, err);
}

static int populate(const struct conf *conf, int root_fd, struct err *err)
{
	int r = skeleton_write(root_fd, skeleton, n_skeleton, err);

	if (r == 0)
		r = write_machine_id(root_fd, err);
	for (size_t i = 0; r == 0 && services[i]; i++) {
		/* Wanted or not: it may be later, and then the volume is the tenant's. */
		if (!services[i]->populate)
			continue;
		r = services[i]->populate(conf, root_fd, err);
		if (r < 0)
			r = err_wrap(err, r, "service %s", services[i]->name);
	}
	return r;
}

int root_populate(const struct conf *conf, const struct volume *root_volume, struct err *err)
{
	_cleanup_close_ int root = openat(root_volume->mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mode_t mask;
	int r;

	if (root < 0) {
		r = -errno;
		(void)err_set(err, r, "cannot open the root volume: %m");
		return err_wrap(err, r, "root");
	}
	mask = umask(022);
	r = populate(conf, root, err);
	(void)umask(mask);
	/* One wait for all of it instead of one a file. */
	if (r == 0 && syncfs(root) < 0)
		r = err_set(err, -errno, "cannot write the root volume: %m");
	return r < 0 ? err_wrap(err, r, "root") : 0;
}
