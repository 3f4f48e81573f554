/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A folder of this machine. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "load.h"

static void *file_connect(const char *target)
{
	int *dir = malloc(sizeof(*dir));

	if (!dir)
		return NULL;
	*dir = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*dir < 0) {
		(void)fprintf(stderr, "bench-load: cannot open %s: %m\n", target);
		free(dir);
		return NULL;
	}
	return dir;
}

static void *file_open(void *c, const char *name, int flags)
{
	int *fd = malloc(sizeof(*fd));

	if (!fd)
		return NULL;
	*fd = openat(*(int *)c, name, flags | O_CLOEXEC, 0600);
	if (*fd >= 0)
		return fd;
	free(fd);
	return NULL;
}

static ssize_t file_read(void *c, void *file, void *buf, size_t n, uint64_t at)
{
	(void)c;
	return pread(*(int *)file, buf, n, (off_t)at);
}

static ssize_t file_write(void *c, void *file, const void *buf, size_t n, uint64_t at)
{
	(void)c;
	return pwrite(*(int *)file, buf, n, (off_t)at);
}

static int file_sync(void *c, void *file)
{
	(void)c;
	return fdatasync(*(int *)file);
}

static int file_close(void *c, void *file)
{
	int r = close(*(int *)file);

	(void)c;
	free(file);
	return r;
}

const struct backend load_file = {
	.prefix = "/",
	.connect = file_connect,
	.open = file_open,
	.read = file_read,
	.write = file_write,
	.sync = file_sync,
	.close = file_close,
};
