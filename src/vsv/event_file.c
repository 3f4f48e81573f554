/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vsv/event_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "vsv/small.h"

static int write_newest(int to, int old, off_t from, const char *lines, size_t len)
{
	struct stat st;
	char c = '\0';

	if (fstat(old, &st) < 0)
		return -errno;
	while (from < st.st_size && c != '\n')
		if (pread(old, &c, 1, from++) != 1)
			return -EIO;
	while (from < st.st_size) {
		ssize_t n = sendfile(to, old, &from, (size_t)(st.st_size - from));

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
	}
	/* A part of a line, which a kill left. */
	if (st.st_size > 0 && len && pread(old, &c, 1, st.st_size - 1) == 1 && c != '\n' && write(to, "\n", 1) != 1)
		return -EIO;
	if (fd_write_all(to, lines, len) < 0 || fsync(to) < 0)
		return -EIO;
	return 0;
}

int event_file_keep_newest(int folder, const char *name, int old, long long from, const char *lines, size_t len)
{
	_cleanup_close_ int fd = -1;
	char path[64];
	struct text t = TEXT(path);
	int r;

	text_add(&t, ".");
	text_add(&t, name);
	text_add(&t, ".new");
	(void)unlinkat(folder, path, 0);
	fd = openat(folder, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = write_newest(fd, old, (off_t)from, lines, len);
	if (r == 0 && renameat(folder, path, folder, name) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(folder, path, 0);
	return r;
}

/* open_locked: the file that has the name when we have its lock. */
static int open_locked(int folder, const char *name)
{
	for (;;) {
		_cleanup_close_ int fd = openat(folder, name, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY,
						0600);
		struct stat mine, named;

		if (fd < 0)
			return -errno;
		while (flock(fd, LOCK_EX) < 0)
			if (errno != EINTR)
				return -errno;
		if (fstat(fd, &mine) < 0)
			return -errno;
		if (fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && mine.st_ino == named.st_ino &&
		    mine.st_dev == named.st_dev)
			return steal_fd(&fd);
	}
}

int event_file_add(int folder, const char *name, size_t max_bytes, const char *lines, size_t len)
{
	_cleanup_close_ int fd = open_locked(folder, name);
	off_t half = (off_t)max_bytes / 2;
	struct stat st;
	char last;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	/* Of one that somebody else made far too large, no more than that stays either. */
	if (st.st_size + (off_t)len > (off_t)max_bytes)
		return event_file_keep_newest(folder, name, fd, st.st_size > half ? st.st_size - half : 0, lines, len);
	if (st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n' && write(fd, "\n", 1) != 1)
		return -EIO;
	return fd_write_all(fd, lines, len);
}
