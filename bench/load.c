/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench-load: puts load on file servers or folders, for as long as it is told to, and says how much got through.
 *
 *   bench-load CLIENTS FILE_MIB TARGET…
 *
 * So many clients, each a process with a connection and files of its own, are connected to every target (smb://SERVER/SHARE,
 * nfs://SERVER/EXPORT, or a folder; one may be named twice), and stay so.  Each line of standard input is a measurement, "TARGET PATTERN MS", TARGET
 * counted from 0; its answer is a line "OPERATIONS MIB P50_MS P99_MS": per second, all clients together, and how long one
 * operation took.  So who calls can interleave targets as they need; what waits costs nothing.  Ends with standard input. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "load.h"
#include "stats.h"

enum { CLIENTS_MAX = 64, TARGETS_MAX = 16, SAMPLES = 8192, SMALL_FILES = 64, MIB = 1 << 20 };

static const struct pattern {
	const char *name;
	size_t bytes;
	bool write, random;
	bool small;  /* each operation opens and closes a small file */
	bool sync;   /* each write is followed by a sync */
	bool direct; /* O_DIRECT, where the target has it */
	bool fresh;  /* each write goes where no write was before, until the file is full */
} patterns[] = {
	{ .name = "read-seq", .bytes = MIB },
	{ .name = "write-seq", .bytes = MIB, .write = true },
	{ .name = "read-random", .bytes = 4096, .random = true },
	{ .name = "write-random", .bytes = 4096, .random = true, .write = true },
	{ .name = "read-small", .bytes = 4096, .small = true },
	{ .name = "write-small", .bytes = 4096, .small = true, .write = true },
	{ .name = "sync-seq", .bytes = MIB, .write = true, .sync = true },
	{ .name = "sync-random", .bytes = 4096, .write = true, .random = true, .sync = true },
	{ .name = "sync-fresh", .bytes = 4096, .write = true, .sync = true, .fresh = true },
	{ .name = "direct-seq", .bytes = MIB, .direct = true },
	{ .name = "direct-random", .bytes = 4096, .random = true, .direct = true },
};
enum { N_PATTERNS = sizeof(patterns) / sizeof(*patterns) };

struct order {
	unsigned pattern, ms;
};

/* In shared memory; a latency in milliseconds of every operation, or of the last SAMPLES. */
struct answer {
	double seconds;
	size_t n;
	double ms[SAMPLES];
};

struct worker {
	int orders, answers; /* pipes */
	struct answer *answer;
};

struct client {
	const struct backend *b;
	void *c, *big, *direct, *fresh;
	unsigned number;
	size_t file_bytes, next;
	unsigned random;
	char *buf;
};

static const struct backend *const backends[] = { &load_smb, &load_nfs, &load_file };

static double now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* --- a client --- */

static char *small_name(const struct client *c, size_t i, char buf[64])
{
	(void)snprintf(buf, 64, "bench-%u-small-%zu", c->number, i % SMALL_FILES);
	return buf;
}

static bool whole_file(struct client *c, const char *name, size_t bytes)
{
	void *f = c->b->open(c->c, name, O_CREAT | O_RDWR | O_TRUNC);
	bool ok = f;

	for (size_t at = 0; ok && at < bytes; at += MIB) {
		size_t n = bytes - at < MIB ? bytes - at : MIB;

		ok = c->b->write(c->c, f, c->buf, n, at) == (ssize_t)n;
	}
	return f && c->b->close(c->c, f) == 0 && ok;
}

static bool client_begin(struct client *c)
{
	char name[64];

	c->buf = aligned_alloc(4096, MIB);
	if (!c->buf)
		return false;
	/* Nothing that a file system could compress or leave out. */
	for (size_t i = 0; i < MIB; i++)
		c->buf[i] = (char)rand();
	for (size_t i = 0; i < SMALL_FILES; i++)
		if (!whole_file(c, small_name(c, i, name), patterns[4].bytes))
			return false;
	(void)snprintf(name, sizeof(name), "bench-%u-big", c->number);
	if (!whole_file(c, name, c->file_bytes))
		return false;
	c->big = c->b->open(c->c, name, O_RDWR);
	c->direct = c->b == &load_file ? c->b->open(c->c, name, O_RDWR | O_DIRECT) : NULL;
	(void)snprintf(name, sizeof(name), "bench-%u-fresh", c->number);
	c->fresh = c->b->open(c->c, name, O_CREAT | O_RDWR | O_TRUNC);
	return c->big && c->fresh;
}

static bool transfer(struct client *c, void *f, const struct pattern *p, uint64_t at)
{
	ssize_t r = p->write ? c->b->write(c->c, f, c->buf, p->bytes, at) : c->b->read(c->c, f, c->buf, p->bytes, at);

	return r == (ssize_t)p->bytes && (!p->sync || c->b->sync(c->c, f) == 0);
}

/* Which block comes next.  Of fresh ones each once, far from the one before: a prime is a stranger to every number of MiB. */
static uint64_t block(const struct client *c, const struct pattern *p)
{
	enum { STEP = 7919 };
	size_t blocks = c->file_bytes / p->bytes;

	if (p->fresh)
		return c->next * STEP % blocks;
	return p->random ? (c->random >> 8) % blocks : c->next % blocks;
}

static bool operate(struct client *c, const struct pattern *p)
{
	void *f = p->direct ? c->direct : p->fresh ? c->fresh : c->big;
	char name[64];
	bool ok;

	c->random = c->random * 1103515245 + 12345;
	c->next++;
	if (!p->small)
		return f && transfer(c, f, p, block(c, p) * p->bytes);
	f = c->b->open(c->c, small_name(c, c->next, name), p->write ? O_CREAT | O_RDWR | O_TRUNC : O_RDONLY);
	ok = f && transfer(c, f, p, 0);
	return f && c->b->close(c->c, f) == 0 && ok;
}

static bool client_measure(struct client *c, const struct order *o, struct answer *ret)
{
	const struct pattern *p = &patterns[o->pattern];
	double start = now_ms(), t = start;

	ret->n = 0;
	while (t - start < o->ms) {
		double after;

		if (!operate(c, p))
			return false;
		after = now_ms();
		ret->ms[ret->n++ % SAMPLES] = after - t;
		t = after;
	}
	ret->seconds = (t - start) / 1e3;
	return true;
}

/* The worker of one client and target: never returns. */
static void work(const char *target, unsigned number, size_t file_bytes, int orders, int answers, struct answer *answer)
{
	struct client c = { .number = number, .file_bytes = file_bytes, .random = number + 1 };
	struct order o;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < sizeof(backends) / sizeof(*backends); i++)
		if (strncmp(target, backends[i]->prefix, strlen(backends[i]->prefix)) == 0)
			c.b = backends[i];
	if (!c.b) {
		(void)fprintf(stderr, "bench-load: %s: expected smb://, nfs:// or the path of a folder\n", target);
		_exit(1);
	}
	c.c = c.b->connect(target);
	if (!c.c)
		_exit(1);
	if (!client_begin(&c)) {
		(void)fprintf(stderr, "bench-load: cannot make the files in %s: %m\n", target);
		_exit(1);
	}
	if (write(answers, "", 1) != 1)
		_exit(1);
	while (read(orders, &o, sizeof(o)) == sizeof(o)) {
		if (!client_measure(&c, &o, answer)) {
			(void)fprintf(stderr, "bench-load: %s: %s failed: %m\n", target, patterns[o.pattern].name);
			_exit(1);
		}
		if (write(answers, "", 1) != 1)
			_exit(1);
	}
	_exit(0);
}

/* --- all of them --- */

static struct worker workers[TARGETS_MAX][CLIENTS_MAX];
static size_t n_targets, n_clients;

static void worker_start(const char *target, unsigned number, size_t file_bytes, struct worker *w)
{
	int orders[2], answers[2];

	w->answer = mmap(NULL, sizeof(*w->answer), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (w->answer == MAP_FAILED || pipe2(orders, O_CLOEXEC) < 0 || pipe2(answers, O_CLOEXEC) < 0) {
		perror("bench-load");
		exit(1);
	}
	if (fork() == 0) {
		(void)close(orders[1]);
		(void)close(answers[0]);
		work(target, number, file_bytes, orders[0], answers[1], w->answer);
	}
	(void)close(orders[0]);
	(void)close(answers[1]);
	w->orders = orders[1];
	w->answers = answers[0];
}

static void worker_wait(const struct worker *w)
{
	char byte;

	if (read(w->answers, &byte, 1) != 1)
		exit(1); /* it has said why */
}

static void measure(size_t target, const struct order *o)
{
	static double ms[(size_t)CLIENTS_MAX * SAMPLES];
	double operations = 0;
	size_t n = 0;

	for (size_t i = 0; i < n_clients; i++)
		if (write(workers[target][i].orders, o, sizeof(*o)) != sizeof(*o))
			exit(1);
	for (size_t i = 0; i < n_clients; i++) {
		const struct answer *a = workers[target][i].answer;
		size_t kept;

		worker_wait(&workers[target][i]);
		kept = a->n < SAMPLES ? a->n : SAMPLES;
		operations += (double)a->n / a->seconds;
		memcpy(ms + n, a->ms, kept * sizeof(*ms));
		n += kept;
	}
	(void)spread_of(ms, n);
	(void)printf("%.2f %.3f %.4f %.4f\n", operations, operations * (double)patterns[o->pattern].bytes / MIB,
		     quantile(ms, n, 0.5), quantile(ms, n, 0.99));
	(void)fflush(stdout);
}

static bool order_parse(const char *line, size_t *ret_target, struct order *ret)
{
	char name[32];

	if (sscanf(line, "%zu %31s %u", ret_target, name, &ret->ms) != 3 || *ret_target >= n_targets)
		return false;
	for (ret->pattern = 0; ret->pattern < N_PATTERNS; ret->pattern++)
		if (strcmp(patterns[ret->pattern].name, name) == 0)
			return true;
	return false;
}

int main(int argc, char **argv)
{
	size_t mib, target;
	struct order o;
	char line[128];

	n_clients = argc > 3 ? strtoul(argv[1], NULL, 10) : 0;
	mib = argc > 3 ? strtoul(argv[2], NULL, 10) : 0;
	n_targets = argc > 3 ? (size_t)argc - 3 : 0;
	if (n_clients < 1 || n_clients > CLIENTS_MAX || mib < 1 || n_targets > TARGETS_MAX) {
		(void)fprintf(stderr, "usage: bench-load CLIENTS FILE_MIB TARGET…\n");
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t t = 0; t < n_targets; t++)
		for (size_t i = 0; i < n_clients; i++)
			worker_start(argv[t + 3], (unsigned)(t * n_clients + i), mib * MIB, &workers[t][i]);
	for (size_t t = 0; t < n_targets; t++)
		for (size_t i = 0; i < n_clients; i++)
			worker_wait(&workers[t][i]);
	(void)printf("ready\n");
	(void)fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (!order_parse(line, &target, &o)) {
			(void)fprintf(stderr, "bench-load: expected TARGET PATTERN MS: %s", line);
			return 2;
		}
		measure(target, &o);
	}
	return 0;
}
