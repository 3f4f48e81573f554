/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The prober as the Psv meets it: who can speak in its place, which of its answers counts, and how long it may take. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "lib/when.h"
#include "test.h"
#include "verify/anew.h"
#include "verify/channel.h"
#include "verify/internal.h"
#include "verify/prober.h"

enum { WAIT_MS = 10 * 1000 };

static int program(void)
{
	_cleanup_close_ int in = open(TEST_LIBEXEC "/vnas-prober", O_RDONLY | O_CLOEXEC);
	int fd = memfd_create("vnas-prober", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	CHECK(in >= 0 && fd >= 0);
	while (sendfile(fd, in, NULL, 1 << 20) > 0)
		;
	CHECK_INT(fchmod(fd, 0111), 0);
	return fd;
}

/* started: as a PID 1 that was taken over would start it: with the sockets of another in the places of its own, and the name.  *ret:
 * their other end.  execute: -1: it does not even execute the program. */
static pid_t started_as(const char *name, int execute, int *ret)
{
	char *const args[] = { (char *)(uintptr_t)name, NULL }, *const env[] = { NULL };
	int pair[2];
	pid_t pid;
	char c;

	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)prctl(PR_SET_NAME, PROBER_NAME);
		/* Nobody inside has it. */
		(void)prctl(PR_CAPBSET_DROP, CAP_SYS_PTRACE);
		if (dup2(pair[1], PROBER_OWN_FD) < 0 || dup2(pair[1], PROBER_CHANNEL_FD) < 0)
			_exit(1);
		(void)close(pair[0]);
		if (execute >= 0)
			(void)execveat(execute, "", args, env, AT_EMPTY_PATH);
		(void)!read(PROBER_OWN_FD, &c, 1);
		_exit(1);
	}
	(void)close(pair[1]);
	*ret = pair[0];
	return pid;
}

static pid_t started(int execute, int *ret)
{
	return started_as(PROBER_NAME, execute, ret);
}

/* open_channel: channel_open, of a process that lives. */
static int open_channel(int prober, pid_t pid, int *ret)
{
	_cleanup_close_ int pidfd = pidfd_open(pid, 0);

	return pidfd < 0 ? -errno : channel_open(prober, pid, pidfd, ret);
}

static void ended(pid_t pid)
{
	CHECK_INT(kill(pid, SIGKILL), 0);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
}

TEST(verify_speaks_with_the_prober_alone)
{
	_cleanup_close_ int prober = program(), planted = -1, channel = -1;
	_cleanup_strbuf_ struct strbuf said = { 0 };
	int64_t until_ms = now_ms() + WAIT_MS;
	pid_t pid = started(prober, &planted);
	int r = -EAGAIN;
	char c;

	while (r == -EAGAIN && now_ms() < until_ms) {
		r = open_channel(prober, pid, &channel);
		sleep_ms(1);
	}
	CHECK_INT(r, 0);
	CHECK_INT(channel_talk(channel, "limit 20\nmode inside\n", WAIT_MS, &said), 0);
	CHECK_STR(strbuf_str(&said), "end\n");
	/* Who planted a socket has heard nothing: its other end went when the prober put its own in its place. */
	CHECK_INT(recv(planted, &c, 1, MSG_DONTWAIT), 0);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	CHECK_INT(open_channel(prober, pid, &channel), -ESRCH);
}

/* shares: executes the prober in a process with which it has root and folder in common, and changes them when it is told. */
static void shares(int program, int conn)
{
	static char *const args[] = { (char *)(uintptr_t) "vnas-prober", NULL }, *const env[] = { NULL };
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0);
	char c;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (pid == 0) {
		(void)execveat(program, "", args, env, AT_EMPTY_PATH);
		_exit(1);
	}
	if (write(conn, &pid, sizeof(pid)) != (ssize_t)sizeof(pid) || read(conn, &c, 1) != 1 || chroot("/proc/self") < 0 ||
	    write(conn, "", 1) != 1)
		_exit(1);
	(void)pause();
}

TEST(verify_prober_stands_by_itself)
{
	_cleanup_close_ int prober = program(), conn = -1, theirs = -1, channel = -1;
	int64_t until_ms = now_ms() + WAIT_MS;
	pid_t starter, pid;
	int pair[2], r = -EAGAIN;
	char c;

	if (geteuid() != 0)
		SKIP("not root");
	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	conn = pair[0];
	theirs = pair[1];
	starter = fork();
	if (starter == 0) {
		shares(prober, theirs);
		_exit(0);
	}
	CHECK_INT(read(conn, &pid, sizeof(pid)), sizeof(pid));
	while (r == -EAGAIN && now_ms() < until_ms) {
		r = open_channel(prober, pid, &channel);
		sleep_ms(1);
	}
	CHECK_INT(r, 0);
	CHECK(channel_stands_with(pid, getpid()));
	CHECK_INT(write(conn, "", 1), 1);
	CHECK_INT(read(conn, &c, 1), 1);
	CHECK(!channel_stands_with(starter, getpid()));
	CHECK(channel_stands_with(pid, getpid()));
	ended(starter);
	CHECK_INT(kill(pid, SIGKILL), 0);
	CHECK(!channel_stands_with(starter, getpid()));
}

TEST(verify_sees_another_namespace)
{
	static const int kinds[] = { CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWCGROUP };

	if (geteuid() != 0)
		SKIP("not root");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		_cleanup_close_ int conn = -1, theirs = -1;
		int pair[2];
		pid_t pid;
		char c;

		CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		conn = pair[0];
		theirs = pair[1];
		pid = fork();
		if (pid == 0) {
			c = unshare(kinds[i]) == 0;
			(void)!write(theirs, &c, 1);
			(void)pause();
			_exit(0);
		}
		CHECK_INT(read(conn, &c, 1), 1);
		/* A machine may allow no user namespaces. */
		CHECK(c == 1 || kinds[i] == CLONE_NEWUSER);
		CHECK(channel_stands_with(pid, getpid()) == (c == 0));
		ended(pid);
	}
}

TEST(verify_does_not_believe_an_impostor)
{
	_cleanup_close_ int prober = program(), other = program(), planted = -1;
	pid_t pid = started(-1, &planted);
	int channel = -1;

	/* It has the name, waits for questions in the right place, and executes nothing of ours. */
	for (int i = 0; i < 20; i++, sleep_ms(5))
		CHECK_INT(open_channel(prober, pid, &channel), -EAGAIN);
	ended(pid);
	(void)close(planted);
	/* The prober of another verify, which may be an older one. */
	pid = started(other, &planted);
	for (int i = 0; i < 20; i++, sleep_ms(5))
		CHECK_INT(open_channel(prober, pid, &channel), -EAGAIN);
	ended(pid);
	CHECK_INT(channel, -1);
}

static void wait_until_runs(int prober, pid_t pid)
{
	for (int64_t until_ms = now_ms() + WAIT_MS; !channel_runs(prober, pid) && now_ms() < until_ms;)
		sleep_ms(1);
}

static int open_memory(pid_t pid)
{
	char path[40];
	int fd;

	(void)str_format(path, sizeof(path), "/proc/%d/mem", (int)pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0);
	return fd;
}

/* code_address: of the program in its memory. */
static off_t code_address(pid_t pid)
{
	_cleanup_free_ char *maps = NULL;
	char path[40], *line;

	(void)str_format(path, sizeof(path), "/proc/%d/maps", (int)pid);
	CHECK_INT(file_read_at(AT_FDCWD, path, 65536, &maps, NULL), 0);
	line = strstr(maps, "/memfd:");
	CHECK(line);
	*line = '\0';
	line = strrchr(maps, '\n');
	return (off_t)strtoull(line ? line + 1 : maps, NULL, 16);
}

/* Who started it can do with the first one what he likes; the second one is another's. */
TEST(verify_executes_the_prober_anew)
{
	_cleanup_close_ int prober = program(), planted = -1, channel = -1, memory = -1, later = -1;
	_cleanup_strbuf_ struct strbuf said = { 0 };
	struct anew a = { .pidfd = -1, .conn = -1 };
	int64_t until_ms = now_ms() + WAIT_MS;
	int r = -EAGAIN;
	pid_t pid;
	char c[2];

	if (geteuid() != 0)
		SKIP("not root");
	pid = started_as(PROBER_STARTED, prober, &planted);
	CHECK_INT(waitpid(pid, NULL, WUNTRACED), pid);
	memory = open_memory(pid);
	CHECK_INT(pread(memory, c, 1, code_address(pid)), 1);
	CHECK_INT(anew_begin(prober, pid, &a), 0);
	/* What was held of the first one's memory leads nowhere. */
	CHECK(pread(memory, c, 1, code_address(pid)) <= 0);
	CHECK(pwrite(memory, "x", 1, code_address(pid)) <= 0);
	CHECK_INT(open_channel(prober, pid, &channel), -EAGAIN);
	anew_go(&a);
	while (r == -EAGAIN && now_ms() < until_ms) {
		r = channel_open(prober, pid, a.pidfd, &channel);
		sleep_ms(1);
	}
	CHECK_INT(r, 0);
	CHECK_INT(channel_talk(channel, "layers\nlimit 20\nmode inside\n", WAIT_MS, &said), 0);
	CHECK(strstr(strbuf_str(&said), "layers 0 "));
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	CHECK_INT(channel_open(prober, pid, a.pidfd, &later), -ESRCH);
	anew_end(&a);
}

TEST(verify_executes_the_prober_anew_though_it_was_stopped)
{
	_cleanup_close_ int prober = program(), planted = -1;
	struct anew a = { .pidfd = -1, .conn = -1 };
	int status;
	pid_t pid;

	if (geteuid() != 0)
		SKIP("not root");
	pid = started_as(PROBER_STARTED, prober, &planted);
	CHECK_INT(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status) && channel_runs(prober, pid));
	CHECK_INT(anew_begin(prober, pid, &a), 0);
	/* It ends with who watches. */
	anew_end(&a);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* It is not believed of a program that whoever has no CAP_SYS_PTRACE could have looked into. */
TEST(verify_refuses_a_prober_that_others_look_into)
{
	_cleanup_close_ int prober = program(), planted = -1;
	struct anew a = { .pidfd = -1, .conn = -1 };
	int status;
	pid_t pid;

	if (geteuid() != 0)
		SKIP("not root");
	CHECK_INT(fchmod(prober, 0755), 0);
	pid = started_as(PROBER_STARTED, prober, &planted);
	wait_until_runs(prober, pid);
	CHECK_INT(anew_begin(prober, pid, &a), -EACCES);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status));
}

TEST(verify_does_not_wait_for_who_never_executes)
{
	_cleanup_close_ int prober = program(), planted = -1;
	struct anew a = { .pidfd = -1, .conn = -1 };
	int64_t begin_ms = now_ms();
	pid_t pid;

	if (geteuid() != 0)
		SKIP("not root");
	/* As if it had been executed anew already, unseen. */
	pid = started(prober, &planted);
	wait_until_runs(prober, pid);
	/* Somebody else has it. */
	CHECK_INT(ptrace(PTRACE_SEIZE, pid, 0, 0), 0);
	CHECK_INT(anew_begin(prober, pid, &a), -EPERM);
	CHECK_INT(ptrace(PTRACE_INTERRUPT, pid, 0, 0), 0);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	CHECK_INT(ptrace(PTRACE_DETACH, pid, 0, 0), 0);
	CHECK_INT(anew_begin(prober, pid, &a), -ETIME);
	CHECK(now_ms() - begin_ms < WAIT_MS);
	ended(pid);
	(void)close(planted);
	pid = started_as(PROBER_STARTED, -1, &planted);
	CHECK_INT(anew_begin(prober, pid, &a), -EAGAIN);
	/* It was let go as it was. */
	CHECK_INT(waitpid(pid, NULL, WNOHANG), 0);
	ended(pid);
	CHECK_INT(anew_begin(prober, pid, &a), -ESRCH);
	CHECK_INT(a.watcher, 0);
}

TEST(verify_orders_answers)
{
	static const int all[] = {
		0, ANSWER_NOTHING, ANSWER_SENT, ANSWER_KILLED, -EPERM, -EACCES, -EADDRNOTAVAIL, -ENETUNREACH, -EINVAL, -EEXIST,
		-ENOMEM, -EMFILE, -EAGAIN, -EIO, -EPIPE, -ENOTTY,
	};
	enum { N = sizeof(all) / sizeof(*all) };

	for (size_t a = 0; a < N; a++) {
		CHECK_INT(worse(all[a], all[a]), all[a]);
		CHECK_INT(worse(all[a], 0), 0);
		CHECK_INT(worse(all[a], ANSWER_NOTHING), all[a]);
		for (size_t b = 0; b < N; b++) {
			CHECK_INT(worse(all[a], all[b]), worse(all[b], all[a]));
			for (size_t c = 0; c < N; c++)
				CHECK_INT(worse(worse(all[a], all[b]), all[c]), worse(all[a], worse(all[b], all[c])));
		}
	}
	CHECK_INT(worse(-EPERM, -EIO), -EIO);
	CHECK_INT(worse(-EIO, -ENOMEM), -ENOMEM);
	CHECK_INT(worse(-ENETUNREACH, -EPERM), -ENETUNREACH);
	CHECK_INT(worse(-ENOMEM, ANSWER_KILLED), ANSWER_KILLED);
	CHECK_INT(worse(ANSWER_KILLED, ANSWER_SENT), ANSWER_SENT);
}

TEST(verify_gives_time_for_each_target)
{
	CHECK_INT(prober_limit_ms(0), 15000);
	CHECK(prober_limit_ms(50) >= 15000 + 50 * 100 && prober_limit_ms(50) <= 30000);
	CHECK(prober_limit_ms(500) >= 60000);
	CHECK_INT(prober_limit_ms(1000000), 10 * 60 * 1000);
}
