/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading a Vsv's log: log.1 and then log, and what comes.  The supervisor writes whole lines and renames log to log.1 when
 * it is full, so a reader that follows finds the end of the one that it has and goes on with the new one. */
#include "psv/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "psv/psv.h"

enum { LINE_MAX_BYTES = 16 * 1024, WAIT_MS = 1000 };

struct reader {
	const struct supervise_log *l;
	uint64_t skip;      /* lines that are older than wanted */
	const char *since;  /* lines with an earlier time are; NULL: none, or we follow already */
	size_t len;
	char buf[LINE_MAX_BYTES];
};

/* too_old: all times are written with the same digits, so they compare as text. */
static bool too_old(const struct reader *r, const char *line, size_t len)
{
	size_t n = r->since ? strlen(r->since) : 0;

	return n && (len < n || memcmp(line, r->since, n) < 0);
}

/* read_lines: all whole lines up to the present end.  0, line()'s answer or -errno. */
static int read_lines(struct reader *r, int fd)
{
	for (;;) {
		ssize_t n = read(fd, r->buf + r->len, sizeof(r->buf) - r->len);
		char *p = r->buf, *nl;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		r->len += (size_t)n;
		while ((nl = memchr(p, '\n', r->len - (size_t)(p - r->buf)))) {
			bool old = r->skip > 0 || too_old(r, p, (size_t)(nl - p));
			int ret = old ? 0 : r->l->line(p, (size_t)(nl - p), r->l->arg);

			r->skip -= r->skip > 0;
			if (ret)
				return ret;
			p = nl + 1;
		}
		r->len -= (size_t)(p - r->buf);
		memmove(r->buf, p, r->len);
		if (r->len == sizeof(r->buf))
			r->len = 0; /* not ours: no line is that long */
	}
}

static uint64_t count_lines(int fd)
{
	char buf[64 * 1024];
	uint64_t lines = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (char *p = buf; (p = memchr(p, '\n', (size_t)(buf + n - p))); p++)
			lines++;
	(void)lseek(fd, 0, SEEK_SET);
	return lines;
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return a >= 0 && b >= 0 && fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino;
}

static int open_log(int folder, const char *name)
{
	return openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
}

/* replaced: the file of that name is another one now. */
static bool replaced(int folder, int fd)
{
	struct stat mine, named;

	return fstatat(folder, "log", &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (fd < 0 || (fstat(fd, &mine) == 0 && mine.st_ino != named.st_ino));
}

/* enough: reading has come to an end that line() wanted, or to an error. */
static int enough(int ret, const char *path, struct err *err)
{
	return ret < 0 ? err_set(err, ret, "cannot pass on the log in %s: %m", path) : 0;
}

static int follow(struct reader *r, int folder, const char *path, int *fd, struct err *err)
{
	_cleanup_close_ int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd p = { .fd = watch, .events = POLLIN };
	char events[4096];

	r->since = NULL;
	/* Without it (all instances in use) we look once a second. */
	if (watch >= 0)
		(void)inotify_add_watch(watch, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO);
	for (;;) {
		int ret = *fd >= 0 ? read_lines(r, *fd) : 0;

		if (ret)
			return enough(ret, path, err);
		if (replaced(folder, *fd)) {
			if (*fd >= 0) {
				ret = read_lines(r, *fd); /* written before it was renamed */
				(void)close(*fd);
			}
			if (ret)
				return enough(ret, path, err);
			r->len = 0;
			*fd = open_log(folder, "log");
			continue;
		}
		if (poll(&p, 1, WAIT_MS) > 0)
			(void)!read(watch, events, sizeof(events));
	}
}

int supervise_log_read(const struct psv *psv, const char *name, const struct supervise_log *l, struct err *err)
{
	_cleanup_close_ int folder = -1, old = -1, fd = -1;
	_cleanup_free_ struct reader *r = xcalloc(1, sizeof(*r));
	char path[PATH_MAX];
	int ret = 0;

	(void)str_format(path, sizeof(path), "%s/servers/%s", psv->lib, name);
	folder = dir_open(AT_FDCWD, path);
	if (folder < 0)
		return err_set(err, folder, "cannot open %s: %m", path);
	r->l = l;
	r->since = *l->since ? l->since : NULL;
	/* The newer one first: when it is renamed in between it is found twice, and nothing is left out. */
	fd = open_log(folder, "log");
	old = open_log(folder, "log.1");
	if (same_file(old, fd)) {
		cleanup_close(&old);
		old = -1;
	}
	if (l->last) {
		uint64_t lines = (old >= 0 ? count_lines(old) : 0) + (fd >= 0 ? count_lines(fd) : 0);

		r->skip = lines > l->last ? lines - l->last : 0;
	}
	if (old >= 0)
		ret = read_lines(r, old);
	if (ret == 0 && fd >= 0)
		ret = read_lines(r, fd);
	if (ret || !l->follow)
		return enough(ret, path, err);
	return follow(r, folder, path, &fd, err);
}
