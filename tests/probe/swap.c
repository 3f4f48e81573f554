/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A hostile root that is quicker than whoever looks: exchanges a folder with a link, without end.
 *
 *   swap NAME OTHER TARGET…                               inside a Vsv, until it is killed (five minutes at most)
 *   swap --image FILE NAME OTHER TARGET… -- COMMAND…      on a test's host, while the command starts a Vsv
 *
 * NAME is the folder, OTHER the name of the link to TARGET that it is exchanged with.  With an image the names lie in the
 * ext4 on the loop device that the command attaches: as soon as the kernel has that file system it is mounted once more,
 * by a descriptor alone, for HOLD_MS at most, since a start that failed waits until its devices are gone.  At the end each
 * NAME is a folder again and what a start moved out of its way is removed.  Prints the number of exchanges; the status is
 * the command's. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HOLD_MS = 250, POLL_US = 50, TIMEOUT_S = 300, ASIDES_MAX = 99, PATH_SIZE = 4096 };

struct pair {
	const char *name, *other, *target;
};

static long now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool is_backed_by(const char *loop, const char *image)
{
	char path[PATH_SIZE], got[PATH_SIZE];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", loop);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, got, sizeof(got) - 1);
	(void)close(fd);
	if (n <= 0)
		return false;
	got[n] = '\0';
	got[strcspn(got, "\n")] = '\0';
	return strcmp(got, image) == 0;
}

/* mount_again: the file system on the image, if it is mounted already, by a descriptor; or -1. */
static int mount_again(const char *image)
{
	DIR *d = opendir("/sys/fs/ext4");
	int root = -1;

	for (struct dirent *e; d && root < 0 && (e = readdir(d)) != NULL;) {
		char device[PATH_SIZE];
		int fs;

		if (strncmp(e->d_name, "loop", 4) != 0 || !is_backed_by(e->d_name, image))
			continue;
		(void)snprintf(device, sizeof(device), "/dev/%s", e->d_name);
		fs = fsopen("ext4", FSOPEN_CLOEXEC);
		if (fs >= 0 && fsconfig(fs, FSCONFIG_SET_STRING, "source", device, 0) == 0 &&
		    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
			root = fsmount(fs, FSMOUNT_CLOEXEC, 0);
		if (fs >= 0)
			(void)close(fs);
	}
	if (d)
		(void)closedir(d);
	return root;
}

/* kind: S_IFDIR and kin, 0 if there is nothing. */
static mode_t kind(int at, const char *name)
{
	struct stat st;

	return fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : st.st_mode & S_IFMT;
}

/* settle: the folder at its name, the link at the other, and nothing of what vnas moved aside. */
static void settle(int at, const struct pair *p)
{
	char aside[PATH_SIZE];

	for (int i = 1; i <= ASIDES_MAX; i++) {
		(void)snprintf(aside, sizeof(aside), "%s.vnas-%d", p->name, i);
		if (unlinkat(at, aside, 0) < 0 && errno != ENOENT)
			(void)unlinkat(at, aside, AT_REMOVEDIR);
	}
	if (kind(at, p->other) == S_IFDIR) {
		/* Two folders: vnas made one of them, which is empty. */
		if (kind(at, p->name) == S_IFDIR && unlinkat(at, p->other, AT_REMOVEDIR) < 0 &&
		    unlinkat(at, p->name, AT_REMOVEDIR) == 0)
			(void)renameat(at, p->other, at, p->name);
		else if (kind(at, p->name) == 0)
			(void)renameat(at, p->other, at, p->name);
		else if (kind(at, p->name) != S_IFDIR)
			(void)renameat2(at, p->name, at, p->other, RENAME_EXCHANGE);
	}
	if (kind(at, p->name) == 0)
		(void)mkdirat(at, p->name, 0755);
	/* What cannot be made now is tried again at the next exchange. */
	if (kind(at, p->other) == 0 && symlinkat(p->target, at, p->other) < 0)
		return;
}

static unsigned long exchange(int at, const struct pair *pairs, size_t n)
{
	unsigned long done = 0;

	for (size_t i = 0; i < n; i++) {
		if (renameat2(at, pairs[i].name, at, pairs[i].other, RENAME_EXCHANGE) == 0)
			done++;
		else if (errno == ENOENT)
			settle(at, &pairs[i]);
	}
	return done;
}

static bool ended(pid_t pid, int *ret_status)
{
	return waitpid(pid, ret_status, WNOHANG) == pid;
}

static int during(const char *image, const struct pair *pairs, size_t n, char **command)
{
	unsigned long done = 0;
	int root = -1, status = 0;
	bool over = false;
	long end;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid < 0)
		return 126;
	if (pid == 0) {
		(void)execvp(command[0], command);
		_exit(127);
	}
	while (root < 0 && !(over = ended(pid, &status))) {
		root = mount_again(image);
		if (root < 0)
			(void)usleep(POLL_US);
	}
	end = now_ms() + HOLD_MS;
	while (root >= 0 && now_ms() < end && !(over = ended(pid, &status)))
		for (int i = 0; i < 100; i++)
			done += exchange(root, pairs, n);
	for (size_t i = 0; root >= 0 && i < n; i++)
		settle(root, &pairs[i]);
	if (root >= 0)
		(void)close(root);
	if (!over)
		(void)waitpid(pid, &status, 0);
	(void)printf("swapped %lu\n", done);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	enum { PAIRS_MAX = 16 };
	struct pair pairs[PAIRS_MAX];
	const char *image = NULL;
	int i = 1;
	size_t n = 0;

	if (argc > 2 && strcmp(argv[1], "--image") == 0) {
		image = argv[2];
		i = 3;
	}
	for (; n < PAIRS_MAX && i + 2 < argc && strcmp(argv[i], "--") != 0; i += 3)
		pairs[n++] = (struct pair){ argv[i], argv[i + 1], argv[i + 2] };
	if (n == 0 || (image ? i + 1 >= argc : i != argc)) {
		(void)fputs("usage: swap [--image FILE] NAME OTHER TARGET... [-- COMMAND...]\n", stderr);
		return 2;
	}
	if (image)
		return during(image, pairs, n, argv + i + 1);
	(void)alarm(TIMEOUT_S);
	for (size_t p = 0; p < n; p++)
		settle(AT_FDCWD, &pairs[p]);
	(void)puts("swapping");
	(void)fflush(NULL);
	for (;;)
		(void)exchange(AT_FDCWD, pairs, n);
}
