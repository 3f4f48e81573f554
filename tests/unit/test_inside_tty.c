/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands on a terminal: the caller's own, which the test plays, and the one inside. */
#include "test_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "test.h"

struct terminal {
	int master;
	pid_t pid;
	struct termios before;
	struct strbuf seen;
};

static void open_terminal(struct terminal *term, const struct tiny *t, const char *user, const char *command)
{
	const char *const argv[] = { "sh", "-c", command, NULL };
	struct inside_exec e = { .argv = argv, .tty = true, .user = user };
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	struct err err = { 0 };
	int slave, conn, r;

	*term = (struct terminal){ .master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC) };
	if (term->master < 0)
		SKIP("no terminals here");
	CHECK_INT(grantpt(term->master) | unlockpt(term->master), 0);
	CHECK_INT(ioctl(term->master, TIOCSWINSZ, &size), 0);
	slave = open(ptsname(term->master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(slave >= 0);
	CHECK_INT(tcgetattr(slave, &term->before), 0);
	CHECK_INT(setenv("TERM", "vt100", 1), 0);
	term->pid = fork();
	if (term->pid == 0) {
		(void)setsid();
		if (ioctl(slave, TIOCSCTTY, 0) < 0 || dup2(slave, 0) < 0 || dup2(slave, 1) < 0 || dup2(slave, 2) < 0)
			_exit(99);
		(void)close_range(3, ~0U, 0);
		conn = inside_connect(t->pid, t->start, &err);
		r = inside_exec(conn, &e, &err);
		_exit(r < 0 ? 98 : r);
	}
	(void)close(slave);
}

static bool see(struct terminal *term, const char *what)
{
	struct pollfd p = { .fd = term->master, .events = POLLIN };
	char buf[4096];

	while (!strstr(strbuf_str(&term->seen), what)) {
		ssize_t n;

		if (poll(&p, 1, 5000) <= 0)
			break;
		n = read(term->master, buf, sizeof(buf));
		if (n <= 0)
			break;
		strbuf_add(&term->seen, buf, (size_t)n);
	}
	if (strstr(strbuf_str(&term->seen), what))
		return true;
	(void)fprintf(stderr, "    seen: %s\n", strbuf_str(&term->seen));
	return false;
}

static void type(struct terminal *term, const char *text)
{
	CHECK_INT(fd_write_all(term->master, text, strlen(text)), 0);
}

static int close_terminal(struct terminal *term)
{
	struct termios after;
	int status, slave = open(ptsname(term->master), O_RDWR | O_NOCTTY | O_CLOEXEC);

	CHECK_INT(waitpid(term->pid, &status, 0), term->pid);
	/* As it was before, however the command ended. */
	CHECK_INT(tcgetattr(slave, &after), 0);
	CHECK_INT(after.c_lflag, term->before.c_lflag);
	CHECK_INT(after.c_iflag, term->before.c_iflag);
	CHECK_INT(after.c_oflag, term->before.c_oflag);
	(void)close(slave);
	(void)close(term->master);
	strbuf_free(&term->seen);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

TEST(inside_terminal)
{
	struct winsize size = { .ws_row = 50, .ws_col = 132 };
	struct terminal term;
	struct tiny t;

	tiny_start(&t, 1ULL << CAP_KILL | 1ULL << CAP_SETUID | 1ULL << CAP_SETGID);
	open_terminal(&term, &t, NULL, "tty; echo $TERM; stty size; read x; echo got $x; stty size; exit 6");
	CHECK(see(&term, "/dev/pts/0\r\nvt100\r\n24 80\r\n"));
	CHECK_INT(ioctl(term.master, TIOCSWINSZ, &size), 0);
	CHECK_INT(kill(term.pid, SIGWINCH), 0);
	(void)usleep(100000);
	type(&term, "hello\r");
	CHECK(see(&term, "got hello\r\n50 132\r\n"));
	CHECK_INT(close_terminal(&term), 6);
	/* A user's own terminal is the user's. */
	open_terminal(&term, &t, "alice", "stat -c '%U %a' $(tty); echo x > $(tty)");
	CHECK(see(&term, "alice 620\r\nx\r\n"));
	CHECK_INT(close_terminal(&term), 0);
	/* ^C and ^D are for the command. */
	open_terminal(&term, &t, NULL, "trap 'echo INT; cat; exit 3' INT; echo ready; while :; do sleep 0.1; done");
	CHECK(see(&term, "ready"));
	type(&term, "\003");
	CHECK(see(&term, "INT"));
	type(&term, "\004");
	CHECK_INT(close_terminal(&term), 3);
	/* The caller is ended by a signal: the terminal is as it was, and the session is gone. */
	open_terminal(&term, &t, NULL, "echo ready; trap '' HUP TERM; sleep 1000");
	CHECK(see(&term, "ready"));
	CHECK_INT(kill(term.pid, SIGTERM), 0);
	CHECK_INT(close_terminal(&term), 1000 + SIGTERM);
	for (int i = 0; tiny_processes(&t) > 1 && i < 200; i++)
		(void)usleep(10000);
	CHECK_INT(tiny_processes(&t), 1);
	tiny_stop(&t);
}

/* Much output right before the end is not lost. */
TEST(inside_terminal_is_drained)
{
	struct terminal term;
	struct tiny t;

	tiny_start(&t, 0);
	open_terminal(&term, &t, NULL, "seq 1 20000; echo the-end");
	CHECK(see(&term, "the-end\r\n"));
	CHECK(strstr(strbuf_str(&term.seen), "\r\n19999\r\n20000\r\nthe-end\r\n"));
	CHECK_INT(close_terminal(&term), 0);
	tiny_stop(&t);
}
