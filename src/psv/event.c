/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happened, one line of JSON each.  A log that grows past its limit loses its older half by a new file under
 * the same name; who writes holds the file's lock and looks whether it is still the one under its name. */
#include "psv/psv.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fd.h"

enum { LOG_MAX_BYTES = 1024 * 1024, DETAIL_MAX_BYTES = 2048 };

static const char file_name[] = "events.jsonl";

/* A string of JSON from anything: what is no UTF-8 is told by '?'. */
static json_t *any_string(char *s)
{
	json_t *j = json_string(s);

	if (j)
		return j;
	for (char *c = s; *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	return json_string(s);
}

static char *event_line(const char *name, const char *event, char *detail)
{
	char when[32];
	json_t *o = json_pack("{s:s, s:s?, s:s, s:o}", "time", time_rfc3339(time(NULL), when, sizeof(when)), "server", name,
			      "event", event, "detail", any_string(detail));
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	char *line = text ? xasprintf("%s\n", text) : NULL;

	free(text);
	json_decref(o);
	return line;
}

/* The log, locked.  Descriptor or -errno. */
static int log_open(int folder)
{
	for (;;) {
		_cleanup_close_ int fd = openat(folder, file_name,
						O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
		struct stat mine, named;

		if (fd < 0)
			return -errno;
		while (flock(fd, LOCK_EX) < 0)
			if (errno != EINTR)
				return -errno;
		if (fstat(fd, &mine) < 0)
			return -errno;
		if (fstatat(folder, file_name, &named, AT_SYMLINK_NOFOLLOW) == 0 && mine.st_ino == named.st_ino &&
		    mine.st_dev == named.st_dev)
			return steal_fd(&fd);
	}
}

/* The newer half, from the beginning of a line, with one more line. */
static void log_halve(int folder, const char *line)
{
	_cleanup_strbuf_ struct strbuf sb = { 0 };
	_cleanup_free_ char *text = NULL;
	const char *half;
	size_t len;

	/* What cannot be read, or was made far too large by somebody else, goes altogether. */
	if (file_read_at(folder, file_name, 4 * (size_t)LOG_MAX_BYTES, &text, &len) == 0) {
		half = memchr(text + len / 2, '\n', len - len / 2);
		if (half)
			strbuf_add(&sb, half + 1, len - (size_t)(half + 1 - text));
	}
	strbuf_addstr(&sb, line);
	(void)file_write_atomic_at(folder, file_name, sb.buf, sb.len, 0600);
}

static void log_append(int folder, const char *line)
{
	_cleanup_close_ int fd = log_open(folder);
	struct stat st;
	char last;

	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	if (st.st_size + (off_t)strlen(line) > LOG_MAX_BYTES) {
		log_halve(folder, line);
		return;
	}
	/* A writer that was killed, or a full disk, may have left a part of a line. */
	if (st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n')
		(void)fd_write_all(fd, "\n", 1);
	(void)fd_write_all(fd, line, strlen(line));
}

void event_log(const struct psv *psv, const char *name, const char *event, const char *fmt, ...)
{
	char path[PATH_MAX], detail[DETAIL_MAX_BYTES];
	_cleanup_close_ int folder = -1;
	_cleanup_free_ char *line = NULL;
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	(void)str_format(path, sizeof(path), "%s%s%s", psv->lib, name ? "/servers/" : "", name ? name : "");
	folder = dir_open(AT_FDCWD, path);
	line = event_line(name, event, detail);
	if (folder >= 0 && line)
		log_append(folder, line);
	errno = saved;
}
