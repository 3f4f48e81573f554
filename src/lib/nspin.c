/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/nspin.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "lib/cleanup.h"
#include "lib/str.h"

int nspin(const char *path, int ns_fd)
{
	_cleanup_close_ int file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	char source[32];

	(void)str_format(source, sizeof(source), "/proc/self/fd/%d", ns_fd);
	return file < 0 || mount(source, path, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

int nspin_open(const char *path, int type)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int r;

	if (fd < 0)
		return -errno;
	r = ioctl(fd, NS_GET_NSTYPE);
	/* Any other failure does not say that there is no namespace: who believed that would let the last hold on it go. */
	if (r < 0 && errno != ENOTTY)
		return -errno;
	return r == type ? steal_fd(&fd) : -ENOENT;
}
