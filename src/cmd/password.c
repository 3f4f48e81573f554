/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/password.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"

enum { LINE_BYTES = 1024 };

void password_free(char **password)
{
	if (*password)
		explicit_bzero(*password, strlen(*password));
	free(*password);
	*password = NULL;
}

/* read_line: byte by byte, so that what follows the line stays for others.  0 or -errno; -ENODATA: nothing came. */
static int read_line(int fd, char line[LINE_BYTES])
{
	size_t n = 0;

	for (;;) {
		char c;
		ssize_t r = read(fd, &c, 1);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0 && n == 0)
			return -ENODATA;
		if (r == 0 || c == '\n')
			break;
		if (c == '\0' || n + 1 >= LINE_BYTES)
			return -EINVAL;
		line[n++] = c;
	}
	line[n] = '\0';
	return 0;
}

static int take_line(int fd, char **ret, struct err *err)
{
	char line[LINE_BYTES] = { 0 };
	int r = read_line(fd, line);

	if (r == 0)
		*ret = xstrdup(line);
	explicit_bzero(line, sizeof(line));
	return r < 0 ? err_set(err, r, "cannot read the password: %s",
			       r == -ENODATA ? "standard input is empty" : strerror(-r)) : 0;
}

/* ask: one line without echo.  Signals wait until the echo is back. */
static int ask(int tty, const char *prompt, char **ret, struct err *err)
{
	struct termios saved, quiet;
	sigset_t stop, before;
	int r;

	if (tcgetattr(tty, &saved) < 0)
		return err_set(err, -errno, "cannot use the terminal: %m");
	(void)sigemptyset(&stop);
	(void)sigaddset(&stop, SIGINT);
	(void)sigaddset(&stop, SIGTERM);
	(void)sigaddset(&stop, SIGTSTP);
	(void)sigprocmask(SIG_BLOCK, &stop, &before);
	quiet = saved;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	(void)tcsetattr(tty, TCSAFLUSH, &quiet);
	r = fd_write_all(tty, prompt, strlen(prompt));
	r = r < 0 ? err_set(err, r, "cannot write to the terminal: %s", strerror(-r)) : take_line(tty, ret, err);
	(void)fd_write_all(tty, "\n", 1);
	(void)tcsetattr(tty, TCSAFLUSH, &saved);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

static int open_terminal(const struct call *c, struct err *err)
{
	int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	return tty < 0 ? usage_error(c, err, "there is no terminal to ask for the password: use --password-stdin") : tty;
}

int password_ask(const struct call *c, const char *prompt, char **ret, struct err *err)
{
	_cleanup_close_ int tty = -1;

	if (call_flag(c, "password-stdin"))
		return take_line(STDIN_FILENO, ret, err);
	tty = open_terminal(c, err);
	return tty < 0 ? tty : ask(tty, prompt, ret, err);
}

int password_take(const struct call *c, char **ret, struct err *err)
{
	_cleanup_password_ char *first = NULL, *second = NULL;
	_cleanup_close_ int tty = -1;
	int r;

	if (call_flag(c, "password-stdin"))
		return take_line(STDIN_FILENO, ret, err);
	tty = open_terminal(c, err);
	if (tty < 0)
		return tty;
	r = ask(tty, "New password: ", &first, err);
	if (r == 0)
		r = ask(tty, "The same again: ", &second, err);
	if (r < 0)
		return r;
	if (strcmp(first, second) != 0)
		return err_set(err, -EINVAL, "the two passwords differ");
	*ret = steal_ptr(&first);
	return 0;
}
