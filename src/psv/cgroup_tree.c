/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/cgroup_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "lib/when.h"
#include "psv/cgroup_layout.h"
#include "psv/conf.h"
#include "psv/psv.h"

enum { MAKE_TRIES = 100, REMOVE_TRIES = 50, KILL_AGAIN_MS = 100 };

int cgroup_tree_make(const char *mount, const char *tag, const char *name, int *ret_tag, int *ret_name, struct err *err)
{
	_cleanup_close_ int root = dir_open(AT_FDCWD, mount);

	if (root < 0)
		return err_set(err, root, "cannot open %s: %m", mount);
	for (int i = 0; i < MAKE_TRIES; i++) {
		_cleanup_close_ int tag_fd = -1, name_fd = -1;

		if (mkdirat(root, tag, 0755) < 0 && errno != EEXIST)
			return err_set(err, -errno, "cannot make the control group %s/%s: %m", mount, tag);
		tag_fd = dir_open(root, tag);
		if (tag_fd >= 0 && (mkdirat(tag_fd, name, 0755) == 0 || errno == EEXIST))
			name_fd = dir_open(tag_fd, name);
		else if (tag_fd >= 0 && errno != ENOENT)
			return err_set(err, -errno, "cannot make the control group %s/%s/%s: %m", mount, tag, name);
		if (name_fd >= 0) {
			*ret_tag = steal_fd(&tag_fd);
			*ret_name = steal_fd(&name_fd);
			return 0;
		}
		/* Another Vsv that was the last one took TAG away meanwhile. */
	}
	return err_set(err, -EAGAIN, "cannot make the control group %s/%s/%s: it is taken away again and again", mount, tag,
		       name);
}

int cgroup_tree_open(const char *mount, const char *tag, const char *name)
{
	char path[CGROUP_PATH_MAX + 64 + VSV_NAME_MAX];

	if (!str_format(path, sizeof(path), "%s/%s/%s", mount, tag, name))
		return -ENAMETOOLONG;
	return dir_open(AT_FDCWD, path);
}

static bool is_populated(int events_fd)
{
	char text[256];
	ssize_t n = pread(events_fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return false; /* -ENODEV: removed meanwhile */
	text[n] = '\0';
	return strstr(text, "populated 1") != NULL;
}

int cgroup_tree_kill(const char *mount, const char *tag, const char *name, int timeout_ms, struct err *err)
{
	_cleanup_close_ int fd = cgroup_tree_open(mount, tag, name), events = -1;
	int64_t end = now_ms() + timeout_ms;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return err_set(err, fd, "cannot open the control group %s/%s/%s: %m", mount, tag, name);
	events = openat(fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	if (events < 0)
		return errno == ENOENT ? 0 : err_set(err, -errno, "cannot open cgroup.events: %m");
	while (is_populated(events)) {
		struct pollfd p = { .fd = events, .events = POLLPRI };
		int64_t left = end - now_ms();
		int r;

		if (left < 0)
			return err_set(err, -ETIME, "processes in the control group %s/%s do not end", tag, name);
		/* Again and again: a process may have been cloned into it just now. */
		r = file_write_at(fd, "cgroup.kill", "1");
		if (r < 0 && r != -ENOENT && r != -ENODEV)
			return err_set(err, r, "cannot kill the processes in %s/%s: %m", tag, name);
		(void)poll(&p, 1, left < KILL_AGAIN_MS ? (int)left + 1 : KILL_AGAIN_MS);
	}
	return 0;
}

/* Removes a group and those below it (which a Vsv cannot make: no cgroup file system is inside).  0; -EBUSY; -errno. */
static int remove_group(int parent, const char *name)
{
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *e;
	int fd, r;

	fd = dir_open(parent, name);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	d = fdopendir(fd);
	if (!d) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	while ((e = readdir(d))) {
		if (e->d_type != DT_DIR || strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		r = remove_group(dirfd(d), e->d_name);
		if (r < 0)
			return r;
	}
	/* A process that has just ended counts for a moment longer. */
	for (int i = 0; i < REMOVE_TRIES; i++) {
		if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (errno != EBUSY)
			return -errno;
		(void)usleep(1000);
	}
	return -EBUSY;
}

int cgroup_tree_remove(const char *mount, const char *tag, const char *name, struct err *err)
{
	_cleanup_close_ int root = dir_open(AT_FDCWD, mount), tag_fd = -1;
	int r;

	if (root < 0)
		return root == -ENOENT ? 0 : err_set(err, root, "cannot open %s: %m", mount);
	tag_fd = dir_open(root, tag);
	if (tag_fd == -ENOENT)
		return 0;
	r = tag_fd < 0 ? tag_fd : remove_group(tag_fd, name);
	if (r < 0)
		return err_set(err, r, "cannot remove the control group %s/%s/%s: %s", mount, tag, name,
			       r == -EBUSY ? "a process is in it" : strerror(-r));
	/* Refused as long as there is another one in it. */
	(void)unlinkat(root, tag, AT_REMOVEDIR);
	return 0;
}
