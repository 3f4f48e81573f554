/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who a command runs as.  The files are the tenant's and may hold anything, so they are read strictly, line by line, in the
 * child that is about to become that user; a number is believed only when an entry of /etc/passwd has it. */
#include "vsv/init.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "vsv/small.h"

enum { LINE_MAX_BYTES = 4096, FILE_MAX_BYTES = 4 * 1024 * 1024, FIELDS_MAX = 7 };
/* -1 means "unchanged" to setresuid(2). */
#define ID_MAX 0xfffffffeULL

struct lines {
	int fd;
	size_t total;
	size_t begin, end;
	char buf[LINE_MAX_BYTES];
};

/* next_line: without its new line; a line that is too long is left out.  NULL: no more. */
static char *next_line(struct lines *l)
{
	bool skip = false;

	for (;;) {
		char *nl = memchr(l->buf + l->begin, '\n', l->end - l->begin), *line = l->buf + l->begin;
		ssize_t n;

		if (nl) {
			*nl = '\0';
			l->begin = (size_t)(nl + 1 - l->buf);
			if (!skip && strlen(line) == (size_t)(nl - line))
				return line;
			skip = false;
			continue;
		}
		if (l->begin == 0 && l->end == sizeof(l->buf) - 1) {
			skip = true;
			l->end = 0;
		}
		memmove(l->buf, l->buf + l->begin, l->end - l->begin);
		l->end -= l->begin;
		l->begin = 0;
		if (l->total > FILE_MAX_BYTES)
			return NULL;
		do
			n = read(l->fd, l->buf + l->end, sizeof(l->buf) - 1 - l->end);
		while (n < 0 && errno == EINTR);
		if (n <= 0) {
			if (l->end == 0 || skip)
				return NULL;
			l->buf[l->end] = '\n'; /* the last line has none */
			l->end++;
			l->total = FILE_MAX_BYTES + 1;
			continue;
		}
		l->end += (size_t)n;
		l->total += (size_t)n;
	}
}

static unsigned split(char *line, char *fields[FIELDS_MAX])
{
	unsigned n = 0;

	for (char *p = line; p && n < FIELDS_MAX;) {
		fields[n++] = p;
		p = strchr(p, ':');
		if (p)
			*p++ = '\0';
	}
	return n;
}

static int find_passwd(int fd, const char *name, struct init_user *ret, char *ret_name, size_t size)
{
	struct lines l = { .fd = fd };
	char *line, *f[FIELDS_MAX];
	uint64_t wanted = 0, uid, gid;
	bool numeric = decimal(name, ID_MAX, &wanted) == 0;

	while ((line = next_line(&l))) {
		if (split(line, f) < 6 || decimal(f[2], ID_MAX, &uid) < 0 || decimal(f[3], ID_MAX, &gid) < 0)
			continue;
		if (numeric ? uid != wanted : strcmp(f[0], name) != 0)
			continue;
		ret->uid = (uint32_t)uid;
		ret->gid = (uint32_t)gid;
		copy_str(ret->home, sizeof(ret->home), f[5][0] == '/' ? f[5] : "/");
		copy_str(ret_name, size, f[0]);
		return 0;
	}
	return -ENOENT;
}

/* member: name stands in a list with commas. */
static bool member(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = list; len && *p; p += strcspn(p, ","), p += *p == ',')
		if (strncmp(p, name, len) == 0 && (p[len] == ',' || p[len] == '\0'))
			return true;
	return false;
}

static void find_groups(int fd, const char *name, struct init_user *u)
{
	struct lines l = { .fd = fd };
	char *line, *f[FIELDS_MAX];
	uint64_t gid;

	while ((line = next_line(&l)))
		if (split(line, f) >= 4 && member(f[3], name) && decimal(f[2], ID_MAX, &gid) == 0 &&
		    gid != u->gid && u->n_groups < sizeof(u->groups) / sizeof(*u->groups))
			u->groups[u->n_groups++] = (uint32_t)gid;
}

int user_find_in(int passwd_fd, int group_fd, const char *name, struct init_user *ret)
{
	struct init_user u = { .n_groups = 1 };
	char real[PROTO_NAME_MAX * 2];
	int r = find_passwd(passwd_fd, name, &u, real, sizeof(real));

	if (r < 0)
		return r;
	u.groups[0] = u.gid;
	if (group_fd >= 0)
		find_groups(group_fd, real, &u);
	*ret = u;
	return 0;
}

/* open_file: a regular file; opening anything else could wait for ever. */
static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	(void)close(fd);
	return -EINVAL;
}

int user_find(const char *name, struct init_user *ret)
{
	_cleanup_close_ int passwd_fd = -1, group_fd = -1;

	if (!*name || strcmp(name, "root") == 0) {
		/* Root must work when the tenant has broken its files. */
		*ret = (struct init_user){ .home = "/root", .n_groups = 1 };
		return 0;
	}
	passwd_fd = open_file("/etc/passwd");
	if (passwd_fd < 0)
		return passwd_fd;
	group_fd = open_file("/etc/group");
	return user_find_in(passwd_fd, group_fd, name, ret);
}
