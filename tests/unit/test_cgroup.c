/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "lib/str.h"
#include "lib/sys.h"
#include "psv/cgroup.h"
#include "psv/cgroup_layout.h"
#include "psv/psv.h"
#include "psv/sockets.h"
#include "test.h"

/* The words of a failure are in `e`. */
#define OK(call)                                                          \
	do {                                                              \
		if ((call) < 0) {                                         \
			(void)fprintf(stderr, "    %s\n", e.text);        \
			test_fail(__FILE__, __LINE__, #call);             \
		}                                                         \
	} while (0)

static const struct conf_limits some = { .memory_bytes = 64 * 1024 * 1024, .tasks = 10 };

static struct psv own_psv(void)
{
	struct psv psv = { 0 };
	struct cgroup_layout l;

	if (geteuid() != 0)
		SKIP("needs root");
	if (cgroup_layout(&l, NULL) < 0)
		SKIP("no cgroup v2 is mounted");
	if (access(l.v2, W_OK) < 0)
		SKIP("cgroup v2 is read-only here");
	CHECK(str_format(psv.tag, sizeof(psv.tag), "vnas-t%d", getpid()));
	return psv;
}

static bool exists(const struct psv *psv, const char *name)
{
	struct cgroup_layout l;
	char path[1024];
	bool there = false;

	CHECK_INT(cgroup_layout(&l, NULL), 0);
	CHECK(str_format(path, sizeof(path), "%s/%s/%s", l.v2, psv->tag, name));
	there |= access(path, F_OK) == 0;
	for (size_t i = 0; i < CGROUP_CONTROLLERS; i++) {
		CHECK(str_format(path, sizeof(path), "%s/%s/%s", l.v1[i], psv->tag, name));
		there |= l.v1[i][0] && access(path, F_OK) == 0;
	}
	return there;
}

/* A process that waits to be killed, in the group, and with psv in the v1 ones of "a". */
static pid_t spawn_into(const struct psv *psv, int fd)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)fd };
	struct err e = { 0 };
	char entered = 0;
	int pair[2];
	pid_t pid;

	OK(pipe(pair));
	pid = sys_clone3(&args);
	CHECK(pid >= 0);
	if (pid == 0) {
		(void)alarm(60);
		if (!psv || cgroup_enter_v1(psv, "a", &e) == 0)
			(void)!write(pair[1], "y", 1);
		for (;;)
			(void)pause();
	}
	(void)close(pair[1]);
	CHECK(read(pair[0], &entered, 1) == 1 && entered == 'y');
	(void)close(pair[0]);
	return pid;
}

TEST(cgroup_layout_mixed)
{
	static const char text[] =
		"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
		"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
		"33 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"
		"35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
		"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
		"44 31 0:39 / /srv/not\\040this rw,relatime - cgroup2 cgroup2 rw\n";
	struct cgroup_layout l;

	cgroup_layout_parse(text, &l);
	CHECK_STR(l.v2, "/sys/fs/cgroup/unified");
	CHECK_STR(l.v1[CGROUP_MEMORY], "/sys/fs/cgroup/memory");
	CHECK_STR(l.v1[CGROUP_CPU], "/sys/fs/cgroup/cpu,cpuacct");
	CHECK_STR(l.v1[CGROUP_PIDS], "");
}

TEST(cgroup_layout_broken_lines)
{
	static const char *const texts[] = { "", "\n\n", " - ", "1 2 3 - cgroup2", "a b c d e f - cgroup2 x", " - cgroup2 a b" };
	struct cgroup_layout l;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		cgroup_layout_parse(texts[i], &l);
		CHECK_STR(l.v2, "");
	}
}

TEST(cgroup_words)
{
	CHECK(cgroup_word("cpu memory pids", "memory"));
	CHECK(cgroup_word("rw,cpu,cpuacct", "cpu"));
	CHECK(!cgroup_word("cpuset cpuacct", "cpu"));
	CHECK(!cgroup_word("", "cpu"));
	CHECK(cgroup_word("pids", "pids"));
}

TEST(cgroup_default_limits)
{
	struct conf_limits none = { 0 }, l = cgroup_limits(&none);

	CHECK(l.memory_bytes >= 128 * 1024 * 1024 && l.tasks == 2048 && l.files == 20000);
	l = cgroup_limits(&some);
	CHECK(l.memory_bytes == some.memory_bytes && l.tasks == 10);
}

TEST(cgroup_comes_and_goes)
{
	struct psv psv = own_psv();
	struct cgroup_usage u;
	struct err e = { 0 };
	int fd, status;
	pid_t pid;

	OK(cgroup_down(&psv, "a", &e));
	OK(cgroup_kill(&psv, "a", 1000, &e));
	OK(cgroup_usage(&psv, "a", &u, &e));
	CHECK(!u.memory_real && u.tasks == 0);
	OK(fd = cgroup_up(&psv, "a", &some, &e));
	CHECK(exists(&psv, "a"));
	pid = spawn_into(&psv, fd);
	CHECK_INT(cgroup_down(&psv, "a", &e), -EBUSY);
	OK(cgroup_usage(&psv, "a", &u, &e));
	if (u.tasks_real)
		CHECK(u.tasks == 1 && u.tasks_max == 10);
	if (u.memory_real)
		CHECK(u.memory_max_bytes == some.memory_bytes);
	/* again: only the limits */
	OK(cgroup_up(&psv, "a", &(struct conf_limits){ .memory_bytes = 128 * 1024 * 1024, .tasks = 20 }, &e));
	OK(cgroup_usage(&psv, "a", &u, &e));
	if (u.tasks_real)
		CHECK(u.tasks_max == 20);
	if (u.memory_real)
		CHECK(u.memory_max_bytes == 128 * 1024 * 1024);
	OK(cgroup_kill(&psv, "a", 5000, &e));
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	OK(cgroup_down(&psv, "a", &e));
	CHECK(!exists(&psv, "a") && !exists(&psv, ""));
}

TEST(cgroup_of_the_last_takes_the_folder_with_it)
{
	struct psv psv = own_psv();
	struct err e = { 0 };

	OK(cgroup_up(&psv, "a", &some, &e));
	OK(cgroup_up(&psv, "b", &some, &e));
	OK(cgroup_down(&psv, "a", &e));
	CHECK(!exists(&psv, "a") && exists(&psv, "b"));
	OK(cgroup_down(&psv, "b", &e));
	CHECK(!exists(&psv, ""));
}

TEST(cgroup_up_and_down_of_two_race_safely)
{
	struct psv psv = own_psv();
	struct err e = { 0 };
	int status;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	CHECK(pid >= 0);
	for (int i = 0; i < 100; i++) {
		const char *name = pid ? "a" : "b";
		int fd;

		OK(fd = cgroup_up(&psv, name, &some, &e));
		(void)close(fd);
		OK(cgroup_down(&psv, name, &e));
	}
	if (pid == 0)
		_exit(0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(!exists(&psv, ""));
}

TEST(cgroup_tasks_are_limited)
{
	struct psv psv = own_psv();
	struct cgroup_usage u;
	struct err e = { 0 };
	int fd, status;
	pid_t pid;

	OK(fd = cgroup_up(&psv, "a", &(struct conf_limits){ .tasks = 3 }, &e));
	OK(cgroup_usage(&psv, "a", &u, &e));
	if (!u.tasks_real) {
		OK(cgroup_down(&psv, "a", &e));
		SKIP("nothing limits tasks here");
	}
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)fd };
	pid = sys_clone3(&args);
	CHECK(pid >= 0);
	if (pid == 0) {
		int made = 0;

		if (cgroup_enter_v1(&psv, "a", &e) < 0)
			_exit(100);
		while (made < 20 && fork() > 0)
			made++;
		_exit(made); /* a child, too: it ends at once, and stays a zombie that counts */
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	CHECK_INT(WEXITSTATUS(status), 2);
	OK(cgroup_kill(&psv, "a", 5000, &e));
	OK(cgroup_down(&psv, "a", &e));
}

TEST(cgroup_numbers_tell_what_is_below)
{
	struct psv psv = own_psv(), other = psv;
	struct err e = { 0 };
	uint64_t root, a, there;
	struct stat st;
	int fd;

	other.tag[0] = 'w';
	CHECK(cgroup_root_id(&psv) == 0);
	OK(fd = cgroup_up(&psv, "a", &some, &e));
	CHECK(fstat(fd, &st) == 0);
	a = st.st_ino;
	OK(cgroup_up(&other, "a", &some, &e));
	root = cgroup_root_id(&psv);
	there = cgroup_root_id(&other);
	CHECK(root && there && root != there);
	CHECK(cgroup_id_is_below(a, root) && cgroup_id_is_below(root, root));
	CHECK(!cgroup_id_is_below(a, there) && !cgroup_id_is_below(root, a) && !cgroup_id_is_below(1, root));
	CHECK(!cgroup_id_is_below(a, 0) && !cgroup_id_is_below(0, root) && !cgroup_id_is_below(UINT64_MAX, root));
	OK(cgroup_down(&psv, "a", &e));
	OK(cgroup_down(&other, "a", &e));
}

/* A supervisor's group stands beside those of the Vsv, which it neither needs nor keeps. */
TEST(cgroup_of_a_supervisor_is_emptied_and_goes)
{
	struct psv psv = own_psv();
	struct cgroup_layout l;
	struct err e = { 0 };
	char path[1024];
	int fd, status;
	pid_t pid;

	CHECK_INT(cgroup_layout(&l, NULL), 0);
	CHECK(str_format(path, sizeof(path), "%s/%s-supervisors", l.v2, psv.tag));
	OK(cgroup_supervisor_down(&psv, "a", &e));
	OK(fd = cgroup_supervisor_up(&psv, "a", &e));
	OK(cgroup_supervisor_up(&psv, "b", &e));
	CHECK(!exists(&psv, ""));
	pid = spawn_into(NULL, fd);
	OK(cgroup_supervisor_down(&psv, "a", &e));
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK(access(path, F_OK) == 0);
	OK(cgroup_supervisor_down(&psv, "b", &e));
	CHECK(access(path, F_OK) < 0 && errno == ENOENT);
}

/* `vnas recover` may have outlived its supervisor: it does not end itself. */
TEST(cgroup_of_a_supervisor_spares_who_asks)
{
	struct psv psv = own_psv();
	struct err e = { 0 };
	int fd, status;
	pid_t pid;

	OK(fd = cgroup_supervisor_up(&psv, "a", &e));
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)fd };
	pid = sys_clone3(&args);
	CHECK(pid >= 0);
	if (pid == 0)
		_exit(cgroup_supervisor_down(&psv, "a", &e) == 0 ? 7 : 1);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	CHECK_INT(WEXITSTATUS(status), 7);
	OK(cgroup_supervisor_down(&psv, "a", &e));
}

TEST(cgroup_figures)
{
	enum { ROUNDS = 20 };
	double up = 1e9, down = 1e9;
	struct psv psv = own_psv();
	struct err e = { 0 };

	for (int i = 0; i < ROUNDS; i++) {
		struct timespec t[3];
		double ms;
		int fd;

		(void)clock_gettime(CLOCK_MONOTONIC, &t[0]);
		OK(fd = cgroup_up(&psv, "a", &some, &e));
		(void)clock_gettime(CLOCK_MONOTONIC, &t[1]);
		OK(cgroup_down(&psv, "a", &e));
		(void)clock_gettime(CLOCK_MONOTONIC, &t[2]);
		(void)close(fd);
		ms = (double)(t[1].tv_sec - t[0].tv_sec) * 1e3 + (double)(t[1].tv_nsec - t[0].tv_nsec) / 1e6;
		up = ms < up ? ms : up;
		ms = (double)(t[2].tv_sec - t[1].tv_sec) * 1e3 + (double)(t[2].tv_nsec - t[1].tv_nsec) / 1e6;
		down = ms < down ? ms : down;
	}
	if (getenv("VNAS_TEST_FIGURES"))
		(void)fprintf(stderr, "    cgroup_up: %.3f ms, cgroup_down: %.3f ms\n", up, down);
}

/* What `name` in the test's folder says, after it was `before` and all were raised to 1000 pages. */
static const char *raised(const char *name, const char *before, int want)
{
	static char text[128];
	_cleanup_close_ int dir = open(test_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK_INT(fd_write_all(fd, before, strlen(before)), 0);
	CHECK_INT(sockets_raise(test_dir(), 1000 * (uint64_t)sysconf(_SC_PAGESIZE)), want);
	CHECK_INT(file_read_small(dir, name, text, sizeof(text)), 0);
	return text;
}

TEST(cgroup_socket_memory_is_only_raised)
{
	CHECK_INT(sockets_raise("/proc/sys/net/no-such", 1), -ENOENT);
	CHECK_INT(sockets_raise(test_dir(), 1), -ENOENT);
	CHECK_STR(raised("udp_mem", "1\t2\t3\n", -ENOENT), "1\t2\t3");
	CHECK_STR(raised("tcp_mem", "100\t200\t300\n", 0), "1000 1000 1000");
	CHECK_STR(raised("tcp_mem", "100\t200\t3000\n", 0), "1000 1000 3000");
	CHECK_STR(raised("tcp_mem", "1000\t1000\t1000\n", 0), "1000\t1000\t1000");
	CHECK_STR(raised("udp_mem", "18446744073709551615 5000 9000\n", 0), "18446744073709551615 5000 9000");
	CHECK_STR(raised("tcp_mem", "1 2\n", -EBADMSG), "1 2");
	CHECK_STR(raised("tcp_mem", "1 2 99999999999999999999999\n", -EBADMSG), "1 2 99999999999999999999999");
	CHECK_STR(raised("tcp_mem", "many\n", -EBADMSG), "many");
}
