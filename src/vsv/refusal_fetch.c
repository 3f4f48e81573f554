/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vsv/refusal_fetch.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "gate/gate_sys.h"
#include "lib/cleanup.h"
#include "vsv/event_file.h"
#include "vsv/proto.h"
#include "vsv/refusal.h"
#include "vsv/safe.h"
#include "vsv/small.h"

enum { NOTICE = 5 };

void psv_syslog(const char *run_dir, int facility, const char *server, const char *event, const char *detail, size_t len)
{
	static const char below[] = "/run/vnas";
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct text path = TEXT(a.sun_path);
	size_t prefix = strlen(run_dir);
	_cleanup_close_ int fd = -1;
	char line[768];
	struct text t = TEXT(line);

	if (facility < 0 || prefix < sizeof(below) - 1)
		return;
	prefix -= sizeof(below) - 1;
	if (prefix + sizeof("/dev/log") > sizeof(a.sun_path))
		return;
	text_add_n(&path, run_dir, prefix);
	text_add(&path, "/dev/log");
	text_add(&t, "<");
	text_u64(&t, (uint64_t)facility * 8 + NOTICE);
	text_add(&t, ">vnas[");
	text_u64(&t, (uint64_t)getpid());
	text_add(&t, "]: ");
	text_add(&t, server ? server : "psv");
	text_add(&t, ": ");
	text_add_safe(&t, event, strlen(event), false);
	text_add(&t, ": ");
	text_add_safe(&t, detail, len, false);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0)
		(void)sendto(fd, line, t.len, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&a, sizeof(a));
}

/* ---- lines, gathered ---- */

struct batch {
	struct refusal_log *l;
	struct refusal last;     /* not written yet: the next may be the same */
	char lines[4096];
	size_t len;
	int n;
	int error;
};

static void flush_lines(struct batch *b)
{
	int r = b->len ? event_file_add(b->l->folder, REFUSALS_FILE, REFUSALS_MAX_BYTES, b->lines, b->len) : 0;

	if (r < 0)
		b->error = r;
	b->len = 0;
}

static void write_last(struct batch *b)
{
	struct text t = { .buf = b->lines, .size = sizeof(b->lines), .len = b->len }, w;
	char words[320];

	if (!b->last.count)
		return;
	if (t.size - t.len < REFUSAL_LINE_MAX) {
		flush_lines(b);
		t.len = 0;
	}
	refusal_line(&t, b->l->server, &b->last);
	b->len = t.len;
	b->n++;
	w = (struct text)TEXT(words);
	refusal_words(&w, &b->last);
	psv_syslog(b->l->run_dir, b->l->syslog, b->l->server, "refused", words, w.len);
	b->last.count = 0;
}

static void put(struct batch *b, const struct refusal *r)
{
	if (b->last.count && refusal_same(&b->last, r)) {
		b->last.count += r->count;
		return;
	}
	write_last(b);
	b->last = *r;
}

static void put_unnoted(struct batch *b, enum refusal_kind kind, uint64_t count)
{
	if (count)
		put(b, &(struct refusal){ .realtime_ns = clock_realtime_ns(), .kind = kind, .count = count, .unnoted = true });
}

static int finish(struct batch *b)
{
	write_last(b);
	flush_lines(b);
	return b->error < 0 ? b->error : b->n;
}

void refusals_add(struct refusal_log *l, const struct proto_refused *m)
{
	struct batch b = { .l = l };
	struct refusal r;

	put_unnoted(&b, REFUSAL_CALL, m->unnoted);
	if (m->call != PROTO_NO_CALL) {
		refusal_of_call(m, &r);
		put(&b, &r);
	}
	(void)finish(&b);
}

/* ---- the number of a process inside ---- */

static uint64_t pid_space(uint64_t pid)
{
	char path[64];
	struct text t = TEXT(path);
	struct stat st;

	text_add(&t, "/proc/");
	text_u64(&t, pid);
	text_add(&t, "/ns/pid");
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* inside_pid: as the Vsv counts, of a process that the gate saw by the Psv's number; 0: it is gone, or another has the
 * number. */
static uint32_t inside_pid(const struct refusal_log *l, uint32_t psv_pid)
{
	char path[64], buf[2048], *p, *last = NULL;
	struct text t = TEXT(path);
	_cleanup_close_ int fd = -1;
	uint64_t space = l->init_pid ? pid_space((uint64_t)l->init_pid) : 0, v;
	ssize_t n;

	if (!psv_pid || !space || pid_space(psv_pid) != space)
		return 0;
	text_add(&t, "/proc/");
	text_u64(&t, psv_pid);
	text_add(&t, "/status");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (n <= 0)
		return 0;
	buf[n] = '\0';
	p = strstr(buf, "\nNSpid:");
	if (!p)
		return 0;
	p[1 + strcspn(p + 1, "\n")] = '\0';
	for (p = strchr(p, '\t'); p; p = strchr(p + 1, '\t'))
		last = p + 1;
	return last && decimal(last, INT32_MAX, &v) == 0 ? (uint32_t)v : 0;
}

/* ---- the gate's notes ---- */

static int map_open(const char *run_dir, const char *name)
{
	char path[4096];
	struct text t = TEXT(path);

	text_add(&t, run_dir);
	text_add(&t, "/bpf/maps-");
	text_u64(&t, GATE_LAYOUT);
	text_add(&t, "/");
	text_add(&t, name);
	return gate_obj_get(path);
}

static int open_maps(struct refusal_log *l)
{
	if (l->stats < 0)
		l->stats = map_open(l->run_dir, "stats");
	if (l->stats >= 0 && l->taken < 0)
		l->taken = map_open(l->run_dir, "taken");
	return l->stats < 0 ? l->stats : l->taken < 0 ? l->taken : 0;
}

void refusals_close(struct refusal_log *l)
{
	cleanup_close(&l->stats);
	cleanup_close(&l->taken);
	l->stats = l->taken = -1;
}

static int64_t boot_to_real_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_BOOTTIME, &ts);
	return clock_realtime_ns() - ((int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec);
}

static void take(struct batch *b, const struct gate_stats *s, struct gate_taken *t)
{
	int64_t real = boot_to_real_ns();

	/* Somebody may have begun anew. */
	if (s->head < t->head || s->head - t->head > GATE_EVENTS)
		*t = (struct gate_taken){ .head = s->head > GATE_EVENTS ? s->head - GATE_EVENTS : 0 };
	while (t->head < s->head) {
		const struct gate_event *e = &s->events[t->head % GATE_EVENTS];
		struct refusal r;

		if (e->number != t->head + 1)
			break; /* being written this moment: the next time */
		t->head++;
		if (!refusal_of_gate(e, &r))
			continue;
		r.realtime_ns = real + (int64_t)e->boot_ns;
		/* One look for those that came in a row. */
		r.pid = b->last.count && b->last.psv_pid == r.psv_pid ? b->last.pid : inside_pid(b->l, r.psv_pid);
		put(b, &r);
	}
	for (unsigned k = 0; k < GATE_N_KINDS; k++) {
		put_unnoted(b, (enum refusal_kind)k, s->unnoted[k] >= t->unnoted[k] ? s->unnoted[k] - t->unnoted[k] : s->unnoted[k]);
		t->unnoted[k] = s->unnoted[k];
	}
}

static int fetch_locked(struct refusal_log *l)
{
	struct gate_taken t = { 0 }, before;
	struct batch b = { .l = l };
	struct gate_stats s;
	int r = gate_map_lookup(l->stats, &l->id, &s);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	(void)gate_map_lookup(l->taken, &l->id, &t);
	before = t;
	take(&b, &s, &t);
	r = finish(&b);
	/* What could not be written is lost, rather than that a full disk should keep the gate's notes from newer ones. */
	if (memcmp(&before, &t, sizeof(t)) != 0)
		(void)gate_map_update(l->taken, &l->id, &t, BPF_ANY);
	return r;
}

int refusals_fetch(struct refusal_log *l)
{
	int r = l->id ? open_maps(l) : -ENOENT;

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (flock(l->folder, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	r = fetch_locked(l);
	(void)flock(l->folder, LOCK_UN);
	return r;
}
