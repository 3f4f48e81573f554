/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A look at what is there, for the Psv, which resolves no path of a tenant's itself; and for a service that begins otherwise
 * when there is nothing from before.  In a process of its own: a disk can take as long as it likes.  It opens folders and
 * /etc/passwd alone, and runs no program, because that takes longer than all the rest. */
#include "vsv/init.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/fd.h"
#include "vsv/small.h"

/* look_at_path: a path that leads nowhere is not astray as far as it leads. */
static unsigned look_at_path(const char *path)
{
	const struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	if (fd >= 0) {
		(void)close(fd);
		return PROTO_LOOK_THERE;
	}
	if (errno != ELOOP)
		return 0;
	return PROTO_LOOK_ASTRAY | (access(path, F_OK) == 0 ? PROTO_LOOK_THERE : 0);
}

static unsigned look_at(const char *word)
{
	struct init_user user;

	if (*word == '/')
		return look_at_path(word);
	return user_find(word, &user) == 0 ? PROTO_LOOK_THERE : 0;
}

static void child(const struct proto_look *m, int conn) __attribute__((noreturn));
static void child(const struct proto_look *m, int conn)
{
	struct {
		struct proto_looked looked;
		unsigned char found[PROTO_ARGS_MAX];
	} answer = { .looked = { .n = m->argc } };
	const char *word = (const char *)(m + 1);

	spawn_reset();
	(void)setsid();
	for (uint32_t i = 0; i < m->argc; i++, word += strlen(word) + 1)
		answer.found[i] = (unsigned char)look_at(word);
	proto_init(&answer.looked.h, PROTO_LOOKED, sizeof(answer.looked) + m->argc);
	_exit(fd_send(conn, &answer, answer.looked.h.size, NULL, 0) < 0 ? 1 : 0);
}

pid_t look_start(const struct proto_look *m, int conn)
{
	pid_t pid = fork();

	if (pid == 0)
		child(m, conn);
	return pid < 0 ? -errno : pid;
}

bool folder_is_empty(const char *path)
{
	struct {
		struct dirent64 first;
		char more[4096];
	} buf;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool empty = true;
	ssize_t n = 0;

	while (empty && fd >= 0 && (n = syscall(SYS_getdents64, fd, &buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *d = (const void *)((const char *)&buf + at);

			empty = empty && d->d_name[0] == '.';
			at += d->d_reclen;
		}
	}
	/* What cannot be read is not said to be empty. */
	empty = empty && (fd >= 0 ? n == 0 : errno == ENOENT);
	if (fd >= 0)
		(void)close(fd);
	return empty;
}
