/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /dev: the few nodes that every program expects, on a tmpfs that is read-only inside, with a devpts instance of its own.
 * Each node is looked at after it was made: nothing else may ever stand under its name. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "psv/root-mount.h"
#include "psv/root-parts.h"

static const struct {
	const char *name;
	unsigned int major, minor;
} nodes[] = {
	{ "null", 1, 3 }, { "zero", 1, 5 }, { "full", 1, 7 }, { "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
};

static const struct {
	const char *name, *target;
} links[] = {
	{ "ptmx", "pts/ptmx" },          { "fd", "/proc/self/fd" },         { "stdin", "/proc/self/fd/0" },
	{ "stdout", "/proc/self/fd/1" }, { "stderr", "/proc/self/fd/2" }, { "log", "/run/log" },
};

static int make_node(int dev, const char *name, mode_t mode, dev_t number, struct err *err)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (mknodat(dev, name, mode, number) < 0)
		return err_set(err, -errno, "cannot make /dev/%s: %m", name);
	fd = openat(dev, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, -errno, "cannot look at /dev/%s: %m", name);
	if (st.st_mode != mode || st.st_rdev != number || st.st_uid != 0)
		return err_set(err, -ENODEV, "/dev/%s is something else", name);
	return 0;
}

int root_volume_nodes(const struct root_node *volumes, size_t n, struct err *err)
{
	_cleanup_close_ int dir = tmpfs_new(64 * 1024, 64, "0700", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, err);
	int res = dir < 0 ? dir : 0;

	for (size_t i = 0; res == 0 && i < n; i++)
		res = make_node(dir, volumes[i].name, S_IFBLK | 0400, volumes[i].number, err);
	if (res == 0)
		res = mount_attributes(dir, MOUNT_ATTR_RDONLY, 0, err);
	return res < 0 ? res : steal_fd(&dir);
}

int root_add_dev(struct root *r, struct err *err)
{
	/* A limit of its own: all instances draw on one number of the machine's. */
	static const struct mount_option pts[] = {
		{ "ptmxmode", "0666" }, { "mode", "0620" }, { "gid", "5" }, { "max", "128" }, { NULL, NULL },
	};
	int dev = tmpfs_new(64 * 1024, 64, "0755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, err);
	int res = root_add(r, dev, "dev", err);

	if (res < 0)
		return res;
	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++) {
		res = make_node(dev, nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor), err);
		if (res < 0)
			return res;
	}
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
		if (symlinkat(links[i].target, dev, links[i].name) < 0)
			return err_set(err, -errno, "cannot make /dev/%s: %m", links[i].name);
	if (mkdirat(dev, "pts", 0755) < 0 || mkdirat(dev, "shm", 0755) < 0 || mkdirat(dev, "volumes", 0700) < 0)
		return err_set(err, -errno, "cannot make the folders of /dev: %m");
	res = mount_attributes(dev, MOUNT_ATTR_RDONLY, 0, err);
	if (res == 0)
		res = root_add(r, mount_new("devpts", pts, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, err), "dev/pts", err);
	if (res == 0)
		res = root_add(r,
			       tmpfs_new(64 << 20, 4096, "1777",
					 MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err),
			       "dev/shm", err);
	return res;
}
