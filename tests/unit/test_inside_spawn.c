/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making PID 1: what fails has words, and nothing stays when the maker dies. */
#include "test_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "psv/root.h"
#include "test.h"

static int spawn(struct tiny *t, struct root *root, int (*before_go)(pid_t, void *, struct err *), struct err *err)
{
	_cleanup_close_ int cgroup_fd = open(t->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct inside_spawn s = { .hostname = "tiny", .domainname = "", .root = root, .nofile = 256, .cgroup_fd = cgroup_fd,
				  .before_go = before_go };

	t->pid = 0;
	return inside_spawn(&s, &t->pid, err);
}

static void root_close_all(struct root *root)
{
	for (size_t i = 0; i < root->n; i++)
		(void)close(root->mounts[i].fd);
	(void)close(root->conf_fd);
}

/* One failure: what `spoil` did to the root must show in the words, and no process be left. */
static void fails(struct tiny *t, void (*spoil)(int root_fd), int error, const char *words)
{
	struct err err = { 0 };
	struct root root;

	tiny_root(&root);
	spoil(root.mounts[0].fd);
	CHECK_INT(spawn(t, &root, NULL, &err), error);
	CHECK_STR(err.text, words);
	CHECK_INT(tiny_processes(t), 0);
	root_close_all(&root);
}

static void no_init(int fd)
{
	CHECK_INT(unlinkat(fd, "usr/lib/vnas/vnas-init", 0), 0);
}

static void no_null(int fd)
{
	CHECK_INT(unlinkat(fd, "dev/null", 0), 0);
}

static void false_null(int fd)
{
	_cleanup_close_ int file = -1;

	no_null(fd);
	file = openat(fd, "dev/null", O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	CHECK(file >= 0);
}

static void linked_null(int fd)
{
	no_null(fd);
	CHECK_INT(symlinkat("zero", fd, "dev/null"), 0);
}

static void linked_target(int fd)
{
	CHECK_INT(unlinkat(fd, "dev/pts", AT_REMOVEDIR), 0);
	CHECK_INT(symlinkat("/etc", fd, "dev/pts"), 0);
}

static void linked_above_target(int fd)
{
	CHECK_INT(renameat(fd, "dev", fd, "elsewhere"), 0);
	CHECK_INT(symlinkat("elsewhere", fd, "dev"), 0);
}

static void file_target(int fd)
{
	_cleanup_close_ int file = -1;

	CHECK_INT(unlinkat(fd, "dev/pts", AT_REMOVEDIR), 0);
	file = openat(fd, "dev/pts", O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	CHECK(file >= 0);
}

TEST(inside_spawn_fails_with_words)
{
	struct tiny t;

	if (geteuid() != 0)
		SKIP("needs root");
	(void)close(tiny_cgroup(&t));
	fails(&t, no_init, -ENOENT, "cannot execute /usr/lib/vnas/vnas-init: No such file or directory");
	fails(&t, no_null, -ENOENT, "cannot open /dev/null in the virtual server: No such file or directory");
	fails(&t, false_null, -ENODEV, "/dev/null in the virtual server is something else: No such device");
	fails(&t, linked_null, -ELOOP, "cannot open /dev/null in the virtual server: Too many levels of symbolic links");
	fails(&t, linked_target, -ELOOP,
	      "cannot open dev/pts in the root of the virtual server: Too many levels of symbolic links");
	fails(&t, linked_above_target, -ELOOP,
	      "cannot open dev/pts in the root of the virtual server: Too many levels of symbolic links");
	fails(&t, file_target, -EINVAL, "cannot attach dev/pts: Invalid argument");
	CHECK_INT(rmdir(t.cgroup), 0);
}

static int refuse(pid_t pid, void *arg, struct err *err)
{
	(void)arg;
	CHECK(pid > 0);
	return err_set(err, -ECANCELED, "no");
}

/* As a life cycle does it that writes the start time down, when PID 1 was quicker. */
static int sees_the_end(pid_t pid, void *arg, struct err *err)
{
	uint64_t start;

	(void)arg;
	for (unsigned i = 0; pid_start_time(pid, &start) == 0; i++) {
		CHECK(i < 5000);
		(void)usleep(1000);
	}
	return err_set(err, -ESRCH, "PID 1 ended at once");
}

TEST(inside_spawn_that_ended_has_words)
{
	struct err err = { 0 };
	struct root root;
	struct tiny t;

	if (geteuid() != 0)
		SKIP("needs root");
	(void)close(tiny_cgroup(&t));
	tiny_root(&root);
	linked_target(root.mounts[0].fd);
	CHECK_INT(spawn(&t, &root, sees_the_end, &err), -ELOOP);
	CHECK_STR(err.text, "cannot open dev/pts in the root of the virtual server: Too many levels of symbolic links");
	CHECK_INT(tiny_processes(&t), 0);
	root_close_all(&root);
	CHECK_INT(rmdir(t.cgroup), 0);
}

TEST(inside_spawn_is_refused)
{
	struct err err = { 0 };
	struct root root;
	struct tiny t;

	tiny_root(&root);
	(void)close(tiny_cgroup(&t));
	CHECK_INT(spawn(&t, &root, refuse, &err), -ECANCELED);
	CHECK_STR(err.text, "no");
	CHECK_INT(tiny_processes(&t), 0);
	CHECK_INT(rmdir(t.cgroup), 0);
}

static int told[2];

static int tell(pid_t pid, void *arg, struct err *err)
{
	(void)arg;
	(void)err;
	return write(told[1], &pid, sizeof(pid)) == sizeof(pid) ? 0 : -EIO;
}

/* The maker is killed at more and more of its way: before PID 1 answers it must take everything with it, and afterwards
 * PID 1 is what before_go wrote down. */
TEST(inside_spawn_killed)
{
	unsigned gone = 0, lives = 0;
	struct tiny t;

	if (geteuid() != 0)
		SKIP("needs root");
	(void)close(tiny_cgroup(&t));
	CHECK_INT(pipe2(told, O_CLOEXEC | O_NONBLOCK), 0);
	for (unsigned us = 0; us < 200000; us += 100 + us / 8) {
		struct root root;
		pid_t maker, init = 0;
		bool alive = false;

		tiny_root(&root);
		maker = fork();
		if (maker == 0) {
			(void)spawn(&t, &root, tell, NULL);
			for (;;)
				(void)pause();
		}
		(void)usleep(us);
		(void)kill(maker, SIGKILL);
		(void)waitpid(maker, NULL, 0);
		root_close_all(&root);
		while (read(told[0], &init, sizeof(init)) == sizeof(init))
			;
		for (int i = 0; tiny_processes(&t) && !alive && i < 100; i++) {
			uint64_t start;
			int conn = init && pid_start_time(init, &start) == 0 ? inside_connect(init, start, NULL) : -1;

			alive = conn >= 0;
			cleanup_close(&conn);
			(void)usleep(1000);
		}
		if (!alive) {
			CHECK_INT(tiny_processes(&t), 0);
			gone++;
			continue;
		}
		lives++;
		CHECK_INT(kill(init, SIGKILL), 0);
		for (int i = 0; tiny_processes(&t) && i < 500; i++)
			(void)usleep(1000);
		CHECK_INT(tiny_processes(&t), 0);
	}
	/* The range covers both, or the test proves nothing. */
	CHECK(gone && lives);
	CHECK_INT(rmdir(t.cgroup), 0);
}

/* No descriptor stays with the maker, and PID 1 keeps only its own. */
TEST(inside_spawn_leaks_nothing)
{
	struct tiny t;
	char path[64];
	unsigned n = 0;

	tiny_start(&t, 0);
	for (int fd = 0; fd < 64; fd++) {
		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)t.pid, fd);
		n += faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	}
	/* 0, 1, 2; three of the protocol; /proc; /dev/log; where calls are asked of it; our connection.  And two standby
	 * listeners with a connection each, unless another one has their ports of this network namespace. */
	CHECK(n >= 10 && n <= 14 && n % 2 == 0);
	tiny_stop(&t);
}
