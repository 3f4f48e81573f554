/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One supervisor a Vsv: RUN/locks/NAME.supervisor.  It holds who has it, as "PID START", and is taken away only by who has the lock, so
 * whoever gets it looks whether the file is still there. */
#include "vsv/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "vsv/small.h"

enum { PATH_BYTES = 4096 };

static void lock_path(const char *run_dir, const char *server, char *buf, size_t size)
{
	struct text t = { .buf = buf, .size = size };

	text_add(&t, run_dir);
	text_add(&t, "/locks/");
	text_add(&t, server);
	text_add(&t, ".supervisor");
}

uint64_t process_start(pid_t pid)
{
	_cleanup_close_ int fd = -1;
	char path[64], buf[1024], *p;
	struct text t = TEXT(path);
	uint64_t start = 0;
	ssize_t n;

	text_add(&t, "/proc/");
	text_u64(&t, (uint64_t)pid);
	text_add(&t, "/stat");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (n <= 0)
		return 0;
	buf[n] = '\0';
	p = strrchr(buf, ')');
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (!p)
		return 0;
	p[1 + strcspn(p + 1, " ")] = '\0';
	return decimal(p + 1, UINT64_MAX, &start) == 0 ? start : 0;
}

int lock_take(const char *run_dir, const char *server)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	_cleanup_close_ int fd = -1;
	char path[PATH_BYTES], words[64];
	struct text t = TEXT(words), folder = TEXT(path);
	struct stat mine, named;

	text_add(&folder, run_dir);
	text_add(&folder, "/locks");
	(void)mkdir(path, 0700);
	lock_path(run_dir, server, path, sizeof(path));
	do {
		cleanup_close(&fd);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			return -errno;
		/* Of the open file: others can ask who has it without taking it for a moment. */
		if (fcntl(fd, F_OFD_SETLK, &lock) < 0)
			return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
	} while (fstat(fd, &mine) < 0 || lstat(path, &named) < 0 || mine.st_ino != named.st_ino);
	text_u64(&t, (uint64_t)getpid());
	text_add(&t, " ");
	text_u64(&t, process_start(getpid()));
	text_add(&t, "\n");
	if (ftruncate(fd, 0) < 0 || pwrite(fd, words, t.len, 0) < 0)
		return -errno;
	return steal_fd(&fd);
}

void lock_leave(const char *run_dir, const char *server)
{
	char path[PATH_BYTES];

	lock_path(run_dir, server, path, sizeof(path));
	(void)unlink(path);
}
