/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The caller's side of a command: passes its streams through unchanged and brings its status back.
 *
 * Nothing here blocks in one direction while another could go on, and nothing is copied where splice(2) can do without:
 * a flow waits for its source, then for its destination, then moves what there is.  Half closing is kept: the end of our
 * standard input closes the command's, a reader of ours that goes away gives the command SIGPIPE, and what the command
 * wrote before its end is read to the end. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/when.h"
#include "psv/inside_private.h"

enum {
	CHUNK = 256 * 1024, /* also a pipe's size, as far as it is allowed */
	BUFFER = 64 * 1024,
	GATHER_MAX = 4 * 1024 * 1024, /* a hostile command must not fill our memory */
	STREAMS_MS = 10 * 1000,
	SILENCE_MS = 500,             /* after the end, for those in the background who hold the streams open */
	TERMINAL_EOF = 4,
};

enum flow_state { FLOW_SOURCE, FLOW_DESTINATION, FLOW_DONE };

struct flow {
	enum flow_state state;
	int from, to;          /* -1: text or sink */
	bool own_from, own_to; /* closed with the flow */
	bool terminal;         /* into a terminal: its end is a character */
	bool no_splice;
	int error;             /* it could not be passed on */
	const char *text;      /* in place of `from` */
	size_t text_left;
	struct strbuf *sink;   /* in place of `to` */
	size_t sink_max;
	char *buf;
	size_t begin, end;
};

enum { FLOW_IN, FLOW_OUT, FLOW_ERR, FLOWS };

struct relay {
	int conn, signals, master;
	struct flow flows[FLOWS];
	bool ended;
	int status;
	int error;             /* it could not be run */
	char words[PROTO_WORDS_MAX];
	struct termios saved;
	bool raw;
	int64_t deadline_ms;   /* 0: none */
};

static void flow_close(struct flow *f)
{
	if (f->own_from)
		(void)close(f->from);
	if (f->own_to)
		(void)close(f->to);
	f->own_from = f->own_to = false;
	free(steal_ptr(&f->buf));
	f->state = FLOW_DONE;
}

/* flow_end: the source has no more. */
static void flow_end(struct flow *f)
{
	static const char eof = TERMINAL_EOF;

	if (f->terminal)
		(void)!write(f->to, &eof, 1);
	flow_close(f);
}

/* broken: what could not be passed on.  A reader that went away is no failure: the command gets its SIGPIPE. */
static void broken(struct flow *f)
{
	f->error = errno == EPIPE ? 0 : -errno;
	flow_close(f);
}

static void gather(struct flow *f)
{
	char buf[4096];
	ssize_t n = read(f->from, buf, sizeof(buf));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && f->sink->len <= f->sink_max)
		strbuf_add(f->sink, buf, (size_t)n < f->sink_max - f->sink->len + 1 ? (size_t)n : f->sink_max - f->sink->len + 1);
	if (n < 0)
		broken(f); /* what came before is not all that it said */
	else if (n == 0 || f->sink->len > f->sink_max)
		flow_close(f);
}

static void put_text(struct flow *f)
{
	ssize_t n = f->text_left ? write(f->to, f->text, f->text_left) : 0;

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		f->text_left = 0;
	if (n > 0) {
		f->text += n;
		f->text_left -= (size_t)n;
	}
	if (f->text_left == 0)
		flow_end(f);
}

/* fill: reads into the buffer, where splice cannot. */
static void fill(struct flow *f)
{
	ssize_t n;

	if (!f->buf)
		f->buf = xmalloc(BUFFER);
	n = read(f->from, f->buf, BUFFER);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) { /* a terminal whose other side is closed: EIO */
		flow_end(f);
		return;
	}
	f->begin = 0;
	f->end = (size_t)n;
	f->state = FLOW_DESTINATION;
}

static void drain(struct flow *f)
{
	/* A pipe that is not ours blocks; it has room for this much when it polls writable. */
	size_t len = f->end - f->begin > PIPE_BUF ? PIPE_BUF : f->end - f->begin;
	ssize_t n = send(f->to, f->buf + f->begin, f->end - f->begin, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno == ENOTSOCK)
		n = write(f->to, f->buf + f->begin, len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		broken(f);
		return;
	}
	f->begin += (size_t)n;
	if (f->begin == f->end)
		f->state = FLOW_SOURCE;
}

static void move(struct flow *f)
{
	ssize_t n = splice(f->from, NULL, f->to, NULL, CHUNK, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) {
		f->state = FLOW_SOURCE;
		return;
	}
	if (n == 0) {
		flow_end(f);
		return;
	}
	if (errno != EINVAL) {
		broken(f);
		return;
	}
	f->no_splice = true; /* a terminal, a file opened for appending, some devices */
	fill(f);
}

/* flow_ready: what it waited for is there. */
static void flow_ready(struct flow *f)
{
	if (f->state == FLOW_SOURCE && f->sink) {
		gather(f);
		return;
	}
	if (f->state == FLOW_SOURCE && f->no_splice) {
		fill(f);
		return;
	}
	if (f->state == FLOW_SOURCE) {
		f->state = FLOW_DESTINATION;
		return;
	}
	if (f->from < 0)
		put_text(f);
	else if (f->no_splice)
		drain(f);
	else
		move(f);
}

static void read_message(struct relay *r, struct err *err)
{
	union inside_message m;
	int type = inside_recv(r->conn, &m, NULL, 0, NULL, 0, err);

	if (type == PROTO_EXEC_FAILED) {
		r->error = m.result.error ? m.result.error : -EIO;
		memcpy(r->words, m.result.words, sizeof(r->words));
		return;
	}
	r->ended = true;
	if (type == PROTO_EXEC_EXIT) {
		r->status = m.exec_exit.status;
		return;
	}
	if (r->error == 0)
		r->error = type < 0 ? type : -EBADMSG;
	if (!r->words[0])
		(void)str_copy(r->words, sizeof(r->words), "the virtual server has ended");
}

static void set_size(int master)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		(void)ioctl(master, TIOCSWINSZ, &size);
}

static void cook(struct relay *r)
{
	if (r->raw)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &r->saved);
	r->raw = false;
}

static void read_signal(struct relay *r)
{
	struct signalfd_siginfo info;
	sigset_t set;

	if (read(r->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGWINCH) {
		set_size(r->master);
		return;
	}
	/* The end that the sender wants, but with the terminal as it was.  PID 1 then kills the session. */
	cook(r);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, (int)info.ssi_signo);
	(void)raise((int)info.ssi_signo);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* wait_time: -1: for ever. */
static int wait_time(const struct relay *r)
{
	int64_t left = -1;

	if (r->deadline_ms) {
		left = r->deadline_ms - now_ms();
		left = left < 0 ? 0 : left > INT_MAX ? INT_MAX : left;
	}
	if (!r->ended)
		return (int)left;
	for (int i = 0; i < FLOWS; i++)
		if (r->flows[i].state == FLOW_DESTINATION)
			return (int)left; /* a slow reader of ours */
	return left >= 0 && left < SILENCE_MS ? (int)left : SILENCE_MS;
}

static bool output_done(const struct relay *r)
{
	return r->flows[FLOW_OUT].state == FLOW_DONE && r->flows[FLOW_ERR].state == FLOW_DONE;
}

static int pump(struct relay *r, struct err *err)
{
	while (!r->ended || !output_done(r)) {
		struct pollfd p[2 + 2 * FLOWS] = {
			{ .fd = r->ended ? -1 : r->conn, .events = POLLIN },
			{ .fd = r->signals, .events = POLLIN },
		};
		int n;

		for (int i = 0; i < FLOWS; i++) {
			struct flow *f = &r->flows[i];
			bool source = f->state == FLOW_SOURCE, done = f->state == FLOW_DONE;

			p[2 + 2 * i] = (struct pollfd){ .fd = done || !source ? -1 : f->from, .events = POLLIN };
			/* Its errors matter always: nobody reads there any more. */
			p[3 + 2 * i] = (struct pollfd){ .fd = done ? -1 : f->to, .events = source ? 0 : POLLOUT };
		}
		n = poll(p, sizeof(p) / sizeof(*p), wait_time(r));
		if (n < 0)
			continue;
		/* Also while something comes all the time. */
		if (r->deadline_ms && now_ms() >= r->deadline_ms)
			return err_set(err, -ETIME, "the command did not end in time and was killed");
		if (n == 0)
			return 0; /* ended, and silent since */
		if (p[1].revents)
			read_signal(r);
		for (int i = 0; i < FLOWS; i++) {
			struct flow *f = &r->flows[i];

			if (p[3 + 2 * i].revents & (POLLERR | POLLHUP | POLLNVAL))
				flow_close(f);
			else if (p[2 + 2 * i].revents & POLLNVAL)
				flow_end(f);
			else if (p[2 + 2 * i].revents || p[3 + 2 * i].revents & POLLOUT)
				flow_ready(f);
		}
		if (p[0].revents)
			read_message(r, err);
		if (r->ended && r->flows[FLOW_IN].state != FLOW_DONE)
			flow_close(&r->flows[FLOW_IN]);
	}
	return 0;
}

static int send_sealed(int conn, const struct inside_exec *e, struct err *err)
{
	struct proto_exec_sealed m = { .capabilities = e->sealed->capabilities,
				       .flags = e->sealed->file_handles ? PROTO_SERVICE_FILE_HANDLES : 0 };
	int r;

	(void)str_copy(m.name, sizeof(m.name), e->argv[0]);
	proto_init(&m.h, PROTO_EXEC_SEALED, sizeof(m));
	r = fd_send(conn, &m, sizeof(m), &e->sealed->fd, 1);
	return r < 0 ? err_set(err, r, "cannot speak to the first process of the virtual server: %m") : 0;
}

static int send_request(int conn, const struct inside_exec *e, struct err *err)
{
	_cleanup_strbuf_ struct strbuf sb = { 0 };
	struct proto_exec m = { .flags = e->tty ? PROTO_EXEC_TTY : 0 };
	const char *term = e->tty ? getenv("TERM") : NULL;
	struct winsize size;

	if (e->user && !str_copy(m.user, sizeof(m.user), e->user))
		return err_set(err, -EINVAL, "the user name '%s' is too long", e->user);
	if (term)
		(void)str_copy(m.term, sizeof(m.term), term);
	if (e->tty && (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)) {
		m.rows = size.ws_row;
		m.cols = size.ws_col;
	}
	while (e->argv[m.argc])
		m.argc++;
	strbuf_add(&sb, &m, sizeof(m));
	for (uint32_t i = 0; i < m.argc; i++)
		strbuf_add(&sb, e->argv[i], strlen(e->argv[i]) + 1);
	proto_init((struct proto_header *)(void *)sb.buf, PROTO_EXEC, sb.len);
	if (proto_check(sb.buf, sb.len) < 0)
		return err_set(err, -E2BIG, "the command cannot be sent: it is empty, or longer than %d bytes",
			       PROTO_MESSAGE_MAX);
	return inside_send(conn, sb.buf, sb.len, err);
}

static bool is_pipe(int fd, int mode)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && (fcntl(fd, F_GETFL) & O_ACCMODE) == mode;
}

static void set_flow(struct flow *f, int from, bool own_from, int to, bool own_to)
{
	*f = (struct flow){ .from = from, .own_from = own_from, .to = to, .own_to = own_to };
	/* The ends that came from inside are nobody else's, so this flag touches nobody else. */
	if (own_from)
		(void)fcntl(from, F_SETFL, O_NONBLOCK);
	if (own_to)
		(void)fcntl(to, F_SETFL, O_NONBLOCK);
	/* Fewer changes between the processes; a limit that refuses it costs only time. */
	(void)fcntl(own_from ? from : to, F_SETPIPE_SZ, CHUNK);
}

static void set_pipes(struct relay *r, const struct inside_exec *e, const int fds[3])
{
	bool quiet = e->input || e->output;

	set_flow(&r->flows[FLOW_IN], quiet ? -1 : STDIN_FILENO, false, fds[0], true);
	set_flow(&r->flows[FLOW_OUT], fds[1], true, e->output ? -1 : STDOUT_FILENO, false);
	set_flow(&r->flows[FLOW_ERR], fds[2], true, e->output ? -1 : STDERR_FILENO, false);
	r->flows[FLOW_OUT].sink = r->flows[FLOW_ERR].sink = e->output;
	r->flows[FLOW_OUT].sink_max = r->flows[FLOW_ERR].sink_max = e->output_max ? e->output_max : GATHER_MAX - 1;
	if (!quiet)
		return;
	r->flows[FLOW_IN].text = e->input ? e->input : "";
	r->flows[FLOW_IN].text_left = e->input ? strlen(e->input) : 0;
	r->flows[FLOW_IN].state = FLOW_DESTINATION;
}

static int set_terminal(struct relay *r, int master, struct err *err)
{
	struct termios raw;
	unsigned number;
	sigset_t set;

	if (ioctl(master, TIOCGPTN, &number) < 0)
		return err_set(err, -EBADMSG, "the first process of the virtual server sent no terminal");
	r->master = master;
	(void)fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
	set_flow(&r->flows[FLOW_IN], STDIN_FILENO, false, master, false);
	set_flow(&r->flows[FLOW_OUT], master, false, STDOUT_FILENO, false);
	r->flows[FLOW_IN].no_splice = r->flows[FLOW_OUT].no_splice = true;
	r->flows[FLOW_IN].terminal = true;
	r->flows[FLOW_ERR].state = FLOW_DONE;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGWINCH);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGQUIT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	r->signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (tcgetattr(STDIN_FILENO, &r->saved) < 0)
		return 0;
	raw = r->saved;
	cfmakeraw(&raw);
	r->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
	return 0;
}

/* wait_streams: 0, or 1: there will be none, because it failed before. */
static int wait_streams(struct relay *r, const struct inside_exec *e, struct err *err)
{
	size_t n = 0, want = e->tty ? 1 : 3;
	int fds[3] = { -1, -1, -1 }, type, ret = 0;
	union inside_message m;

	type = inside_recv(r->conn, &m, fds, 3, &n, STREAMS_MS, err);
	if (type < 0)
		return type;
	if (type == PROTO_EXEC_STREAMS && n == want &&
	    (e->tty || (is_pipe(fds[0], O_WRONLY) && is_pipe(fds[1], O_RDONLY) && is_pipe(fds[2], O_RDONLY)))) {
		if (!e->tty)
			set_pipes(r, e, fds);
		else
			ret = set_terminal(r, fds[0], err);
		return ret;
	}
	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]);
	if (type == PROTO_RESULT && m.result.error == -EOPNOTSUPP)
		return err_hint(err, err_set(err, -EOPNOTSUPP, "its first process is older than this vnas"), "restart the server");
	if (type != PROTO_EXEC_FAILED)
		return err_set(err, -EBADMSG, "the first process of the virtual server sent no streams");
	r->error = m.result.error ? m.result.error : -EIO;
	memcpy(r->words, m.result.words, sizeof(r->words));
	return 1;
}

static int finish(const struct relay *r, const struct inside_exec *e, struct err *err)
{
	if (r->error) {
		(void)err_set(err, r->error, "cannot run '%s': %s: %s", e->argv[0], r->words, strerror(-r->error));
		return r->error != -EAGAIN ? r->error :
			       err_hint(err, r->error, "it has as many processes as `tasks` in [limits] allows, or the machine has");
	}
	if (r->status == 0 && r->flows[FLOW_OUT].error)
		return err_set(err, r->flows[FLOW_OUT].error, "cannot hand on what the command said: %m");
	return WIFSIGNALED(r->status) ? 128 + WTERMSIG(r->status) : WEXITSTATUS(r->status);
}

int inside_exec(int conn, const struct inside_exec *e, struct err *err)
{
	struct relay r = { .conn = conn, .signals = -1, .master = -1 };
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	sigset_t mask;
	int ret;

	for (int i = 0; i < FLOWS; i++)
		r.flows[i] = (struct flow){ .state = FLOW_DONE, .from = -1, .to = -1 };
	if (e->timeout_ms)
		r.deadline_ms = now_ms() + e->timeout_ms;
	ret = e->sealed ? send_sealed(conn, e, err) : send_request(conn, e, err);
	if (ret < 0)
		return ret;
	(void)sigprocmask(SIG_SETMASK, NULL, &mask);
	(void)sigaction(SIGPIPE, &ignore, &old);
	ret = wait_streams(&r, e, err);
	if (ret == 0)
		ret = pump(&r, err);
	for (int i = 0; i < FLOWS; i++)
		flow_close(&r.flows[i]);
	cook(&r);
	cleanup_close(&r.signals);
	cleanup_close(&r.master);
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	(void)sigaction(SIGPIPE, &old, NULL);
	return ret < 0 ? ret : finish(&r, e, err);
}
