/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "verify/prober.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "verify/layers.h"
#include "vsv/aside.h"
#include "vsv/small.h"

enum { ASKED_S = 12, ATTEMPT_MS = 4000, LINE_BYTES = 512 };

struct target self;
static struct target target;

static const struct {
	struct probe p;
	probe_function *run;
} table[] = {
#define PROBE(name, row, when, kind, answers, control, function) \
	{ { name, ROW_##row, WHEN_##when, KIND_##kind, answers, control }, function },
#include "verify/probes.def"
#undef PROBE
};

int outcome(long r)
{
	return r < 0 ? -errno : 0;
}

int past(long r, int error)
{
	return r < 0 && errno != error ? -errno : 0;
}

socklen_t address_len(const union address *a)
{
	return a->sa.sa_family == AF_INET ? sizeof(a->in4) : sizeof(a->in6);
}

bool address_is4(const union address *a)
{
	return a->sa.sa_family == AF_INET;
}

/* ---- what is said ---- */

static char out[4096];
static struct text line = TEXT(out);

static void flush(void)
{
	for (size_t done = 0; done < line.len;) {
		ssize_t n = send(PROBER_OWN_FD, out + done, line.len - done, MSG_NOSIGNAL);

		if (n <= 0 && errno != EINTR)
			_exit(1);
		done += n > 0 ? (size_t)n : 0;
	}
	line.len = 0;
}

static void say(const char *name, unsigned index, int answer)
{
	if (line.len > sizeof(out) - 128)
		flush();
	text_add(&line, name);
	text_add(&line, " ");
	text_u64(&line, index);
	text_add(&line, answer < 0 ? " -" : " ");
	text_u64(&line, (uint64_t)(answer < 0 ? -(int64_t)answer : answer));
	text_add(&line, "\n");
}

/* ---- trying ---- */

/* await: the child's answer, or that it gave none.  It may have been stopped by somebody. */
static int await(int from, pid_t pid)
{
	struct pollfd p = { .fd = from, .events = POLLIN };
	int answer = ANSWER_KILLED, got, r;

	do
		r = poll(&p, 1, ATTEMPT_MS);
	while (r < 0 && errno == EINTR);
	if (r > 0 && read(from, &got, sizeof(got)) == (ssize_t)sizeof(got))
		answer = got;
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return answer;
}

int in_child(probe_function *f, const struct target *t)
{
	int pipes[2], answer;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		(void)alarm(ATTEMPT_MS / 1000 + 1);
		answer = f(t);
		_exit(write(pipes[1], &answer, sizeof(answer)) == (ssize_t)sizeof(answer) ? 0 : 1);
	}
	(void)close(pipes[1]);
	answer = pid < 0 ? -errno : await(pipes[0], pid);
	(void)close(pipes[0]);
	return answer;
}

enum mode { MODE_INSIDE, MODE_GATE, MODE_CONTROL };

static bool is_wanted(const struct probe *p, enum mode mode, const struct target *t)
{
	bool to_self = t == &self;

	if (mode == MODE_CONTROL)
		return to_self && strcmp(p->control, "@psv") == 0;
	switch (p->when) {
	case WHEN_OWN:
	case WHEN_SELF:
		return mode == MODE_INSIDE && to_self;
	case WHEN_PEER:
		return mode == MODE_INSIDE && !to_self;
	case WHEN_PEER_PSV:
		return mode == MODE_INSIDE && !to_self && t->is_psv;
	case WHEN_PEER_VSV:
		return mode == MODE_INSIDE && !to_self && !t->is_psv;
	case WHEN_GATE_OWN:
	case WHEN_GATE_SELF:
		return mode == MODE_GATE && to_self;
	case WHEN_GATE_PEER:
		return mode == MODE_GATE && !to_self;
	case WHEN_GATE_PEER_PSV:
		return mode == MODE_GATE && !to_self && t->is_psv;
	case WHEN_GATE_PEER_VSV:
		return mode == MODE_GATE && !to_self && !t->is_psv;
	}
	return false;
}

/* What acts on the process itself, or may leave something open, is tried in one of its own; what is tried against each of
 * many targets is none of it. */
static void try_all(enum mode mode, const struct target *t, unsigned index)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		if (!is_wanted(&table[i].p, mode, t))
			continue;
		say(table[i].p.name, index, t == &self ? in_child(table[i].run, t) : table[i].run(t));
	}
	flush();
}

/* ---- what is asked ---- */

static bool parse_address(const char *text, unsigned port, union address *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &ret->in4.sin_addr) == 1) {
		ret->in4.sin_family = AF_INET;
		ret->in4.sin_port = htons((uint16_t)port);
		return true;
	}
	ret->in6.sin6_family = AF_INET6;
	ret->in6.sin6_port = htons((uint16_t)port);
	return inet_pton(AF_INET6, text, &ret->in6.sin6_addr) == 1;
}

static void add_address(struct addresses *list, const char *text, const char *port)
{
	if (list->n < ADDRESSES_MAX && parse_address(text, (unsigned)strtoul(port, NULL, 10), &list->v[list->n]))
		list->n++;
}

static unsigned from_hex(const char *text, uint8_t *ret, unsigned max)
{
	unsigned n = 0;

	for (; text[0] && text[1] && n < max; text += 2) {
		const char pair[3] = { text[0], text[1], '\0' };

		ret[n++] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return n;
}

/* fact: one line about a target; false: an unknown word. */
static bool fact(struct target *t, const char *word, const char *a, const char *b)
{
	static const struct {
		const char *word;
		size_t offset;
	} lists[] = {
		{ "address", offsetof(struct target, own) },       { "tcp", offsetof(struct target, tcp) },
		{ "udp", offsetof(struct target, udp) },           { "deny", offsetof(struct target, deny) },
		{ "broadcast", offsetof(struct target, broadcast) }, { "absent", offsetof(struct target, absent) },
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		if (strcmp(word, lists[i].word) == 0) {
			add_address((struct addresses *)(void *)((char *)t + lists[i].offset), a, b);
			return true;
		}
	if (strcmp(word, "loopback") == 0) {
		t->loopback_port = (uint16_t)strtoul(a, NULL, 10);
	} else if (strcmp(word, "wild") == 0) {
		t->wild_port = (uint16_t)strtoul(a, NULL, 10);
	} else if (strcmp(word, "pid") == 0) {
		if (t->n_pids < PIDS_MAX)
			t->pids[t->n_pids++] = (pid_t)strtol(a, NULL, 10);
	} else if (strcmp(word, "device") == 0) {
		if (t->n_devices < ADDRESSES_MAX) {
			t->devices[t->n_devices].major = (unsigned)strtoul(a, NULL, 10);
			t->devices[t->n_devices++].minor = (unsigned)strtoul(b, NULL, 10);
		}
	} else if (strcmp(word, "handle") == 0) {
		if (t->n_handles < HANDLES_MAX) {
			char *rest;

			t->handles[t->n_handles].type = (int)strtol(a, &rest, 10);
			t->handles[t->n_handles].dev = *rest ? strtoull(rest + 1, &rest, 10) : 0;
			t->handles[t->n_handles].inode = *rest ? strtoull(rest + 1, &rest, 10) : 0;
			t->handles[t->n_handles].len = from_hex(b, t->handles[t->n_handles].bytes, HANDLE_BYTES);
			t->n_handles++;
		}
	} else if (strcmp(word, "abstract") == 0) {
		copy_str(t->abstract, sizeof(t->abstract), a);
	} else if (strcmp(word, "file") == 0) {
		t->file_dev = strtoull(a, NULL, 10);
		t->file_inode = strtoull(b, NULL, 10);
	} else if (strcmp(word, "link") == 0) {
		if (t->n_links < LINKS_MAX && from_hex(a, t->links[t->n_links], 6) == 6)
			t->n_links++;
	} else if (strcmp(word, "shm") == 0) {
		if (t->n_shm < KEYS_MAX)
			t->shm_keys[t->n_shm++] = (int)strtol(a, NULL, 10);
	} else if (strcmp(word, "capabilities") == 0) {
		t->capabilities = strtoull(a, NULL, 16);
	} else if (strcmp(word, "hostname") == 0) {
		copy_str(t->hostname, sizeof(t->hostname), a);
	} else if (strcmp(word, "discovery") == 0) {
		t->discovery = (unsigned)strtoul(a, NULL, 10);
	} else if (strcmp(word, "private") == 0) {
		t->private = true;
	} else if (strcmp(word, "token") == 0) {
		copy_str(t->token, sizeof(t->token), a);
	} else {
		return false;
	}
	return true;
}

/* read_line: without its new line; false: there are no more. */
static bool read_line(char *buf, size_t size)
{
	static char in[4096];
	static size_t begin, end;
	size_t n = 0;

	for (;;) {
		if (begin == end) {
			ssize_t got = read(PROBER_OWN_FD, in, sizeof(in));

			if (got < 0 && errno == EINTR)
				continue;
			if (got <= 0)
				return false;
			/* The Psv has its end: when that is gone, so are we. */
			(void)close(PROBER_CHANNEL_FD);
			begin = 0;
			end = (size_t)got;
		}
		if (in[begin] == '\n') {
			begin++;
			buf[n] = '\0';
			return true;
		}
		if (n == size - 1)
			return false;
		buf[n++] = in[begin++];
	}
}

/* split: the line's words, NUL-ended in place; missing ones are "". */
static void split(char *text, char *words[3])
{
	for (int i = 0; i < 3; i++) {
		words[i] = text;
		text += strcspn(text, " ");
		if (*text)
			*text++ = '\0';
	}
}

/* make_channel: a fork has both ends too, and is the same program; what it executes is nothing. */
static bool make_channel(void)
{
	int pair[2], own, other;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return false;
	/* Beyond both places first, so that neither is written over. */
	own = fcntl(pair[0], F_DUPFD_CLOEXEC, PROBER_CHANNEL_FD + 1);
	other = fcntl(pair[1], F_DUPFD_CLOEXEC, PROBER_CHANNEL_FD + 1);
	(void)close(pair[0]);
	(void)close(pair[1]);
	if (own < 0 || other < 0 || dup2(own, PROBER_OWN_FD) < 0 || dup2(other, PROBER_CHANNEL_FD) < 0)
		return false;
	(void)close(own);
	(void)close(other);
	return true;
}

/* execute_anew: when the Psv watches (verify/anew.c), and has ended the stop.  What has been done to this process and its memory until then
 * counts for nothing. */
static void execute_anew(void) __attribute__((noreturn));
static void execute_anew(void)
{
	static char *const args[] = { (char *)(uintptr_t)PROBER_NAME, NULL }, *const env[] = { NULL };

	(void)alarm(ASKED_S);
	if (raise(SIGSTOP) == 0 && capabilities_aside(ASIDE_READING) == 0)
		(void)execve("/proc/self/exe", args, env);
	_exit(1);
}

static int own_layers(const struct target *t)
{
	(void)t;
	return layers_left();
}

int main(int argc, char *argv[])
{
	struct target *now = &self;
	enum mode mode = MODE_INSIDE;
	char buf[LINE_BYTES], *w[3];
	unsigned index = 0;

	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (argc == 1 && strcmp(argv[0], PROBER_STARTED) == 0)
		execute_anew();
	(void)signal(SIGPIPE, SIG_IGN);
	/* Whoever started it may share its root and folder with it, and change them while it tries. */
	if (unshare(CLONE_FS) < 0)
		return 1;
	if (!make_channel() || prctl(PR_SET_NAME, PROBER_NAME, 0, 0, 0) < 0)
		return 1;
	(void)alarm(ASKED_S);
	while (read_line(buf, sizeof(buf))) {
		split(buf, w);
		if (strcmp(w[0], "mode") == 0) {
			mode = strcmp(w[1], "gate") == 0 ? MODE_GATE : strcmp(w[1], "control") == 0 ? MODE_CONTROL : MODE_INSIDE;
		} else if (strcmp(w[0], "limit") == 0) {
			(void)alarm((unsigned)strtoul(w[1], NULL, 10));
		} else if (strcmp(w[0], "layers") == 0) {
			say("layers", 0, in_child(own_layers, &self));
		} else if (strcmp(w[0], "self") == 0) {
			now = &self;
		} else if (strcmp(w[0], "target") == 0) {
			now = &target;
			memset(&target, 0, sizeof(target));
			copy_str(target.name, sizeof(target.name), w[1]);
			target.is_psv = strcmp(w[1], "psv") == 0;
			index++;
		} else if (strcmp(w[0], "go") == 0) {
			try_all(mode, now, now == &self ? 0 : index);
		} else if (!fact(now, w[0], w[1], w[2])) {
			return 2;
		}
	}
	text_add(&line, "end\n");
	flush();
	return 0;
}
