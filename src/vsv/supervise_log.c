/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LIB/servers/NAME/log and events.jsonl.  What comes from inside is hostile: nothing of it may act on a terminal that shows
 * it, and none of it may fill the Psv's disk.  So control characters and what is no UTF-8 are written as \xNN, and the log
 * is two files of half its bound each; the bound stands in the state file, because it can change while we run.  events.jsonl
 * is shared with event_log() (vsv/event_file.h). */
#include "vsv/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "vsv/event_file.h"
#include "vsv/refusal_fetch.h"
#include "vsv/safe.h"
#include "vsv/small.h"

static void open_log(struct log_files *f)
{
	struct stat st;
	char last;

	f->log = openat(f->folder, "log", O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	if (f->log < 0 || fstat(f->log, &st) < 0)
		return;
	f->log_bytes = (uint64_t)st.st_size;
	/* A supervisor that was killed may have left a part of a line. */
	if (st.st_size > 0 && pread(f->log, &last, 1, st.st_size - 1) == 1 && last != '\n')
		(void)!write(f->log, "\n", 1);
}

/* trim: log.1 after the bound was lowered. */
static void trim(const struct log_files *f)
{
	_cleanup_close_ int fd = openat(f->folder, "log.1", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	off_t half = (off_t)(f->max_bytes / 2);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > half)
		(void)event_file_keep_newest(f->folder, "log.1", fd, st.st_size - half, "", 0);
}

static void look_at_bound(struct log_files *f)
{
	struct state_view v;
	uint64_t max = 0;

	f->looked_bytes = 0;
	if (state_open(f->run_dir, f->server, &v) == 0) {
		(void)state_number(&v, "log_bytes", &max);
		state_close(&v);
	} else if (f->max_bytes) {
		return; /* what holds goes on */
	}
	/* No more than that is lost by a file that is damaged. */
	if (max < LOG_LEAST_BYTES)
		max = f->max_bytes ? f->max_bytes : LOG_DEFAULT_BYTES;
	if (max == f->max_bytes)
		return;
	f->max_bytes = max;
	trim(f);
}

static void rotate(struct log_files *f)
{
	(void)renameat(f->folder, "log", f->folder, "log.1");
	(void)close(f->log);
	f->log = -1;
	if (f->log_bytes > f->max_bytes / 2)
		trim(f);
}

void keep_flush(struct log_files *f)
{
	if (f->out_len == 0)
		return;
	if (f->log < 0)
		open_log(f);
	if (f->max_bytes == 0 || f->looked_bytes > LOG_LOOK_BYTES)
		look_at_bound(f);
	if (f->log >= 0 && f->log_bytes + f->out_len > f->max_bytes / 2) {
		rotate(f);
		open_log(f);
	}
	if (f->log >= 0 && fd_write_all(f->log, f->out, f->out_len) == 0)
		f->log_bytes += f->out_len;
	f->looked_bytes += f->out_len;
	f->out_len = 0;
}

static void keep_line(struct log_files *f, int64_t when_ns, const char *who, const char *text, size_t len)
{
	struct text t = { .buf = f->out, .size = sizeof(f->out), .len = f->out_len };
	enum { HEAD = 128 }; /* time and name */

	if (t.len && t.size - t.len < HEAD + 4 * len + 2) {
		keep_flush(f);
		t.len = 0;
	}
	text_time(&t, when_ns);
	text_add(&t, " ");
	text_add(&t, who);
	text_add(&t, ": ");
	text_add_safe(&t, text, len, false);
	if (t.len > t.size - 2)
		t.len = t.size - 2; /* one of nothing but control characters is cut */
	text_add(&t, "\n");
	f->out_len = t.len;
}

/* facility: where the Psv's syslog hears of events; the state file says, because it can change while we run. */
static int facility(const struct log_files *f, uint32_t *ret_id)
{
	uint64_t syslog = 0, id = 0;
	struct state_view v;

	if (state_open(f->run_dir, f->server, &v) == 0) {
		(void)state_number(&v, "syslog", &syslog);
		(void)state_number(&v, "id", &id);
		state_close(&v);
	}
	if (ret_id)
		*ret_id = (uint32_t)id;
	return syslog > 0 && syslog < SYSLOG_FACILITIES ? (int)syslog : -1;
}

static void keep_event(struct log_files *f, int64_t when_ns, const char *name, const char *text, size_t len)
{
	const char *space = memchr(text, ' ', len);
	size_t word = space ? (size_t)(space - text) : len, rest = space ? len - word - 1 : 0;
	char line[1024], what[65];
	struct text t = TEXT(line), w = TEXT(what);

	text_add(&t, "{\"time\":\"");
	text_time(&t, when_ns);
	text_add(&t, "\",\"server\":\"");
	text_add(&t, f->server);
	text_add(&t, "\",\"event\":\"");
	text_add_safe(&t, text, word > 64 ? 64 : word, true);
	text_add(&t, "\",\"detail\":\"");
	text_add_safe(&t, name, strlen(name), true);
	if (rest)
		text_add(&t, ": ");
	text_add_safe(&t, text + len - rest, rest > 128 ? 128 : rest, true);
	text_add(&t, "\"}\n");
	(void)event_file_add(f->folder, EVENTS_FILE, EVENTS_MAX_BYTES, line, t.len);
	/* "NAME: detail", as above. */
	t = (struct text)TEXT(line);
	text_add(&t, name);
	text_add(&t, rest ? ": " : "");
	text_add_n(&t, text + len - rest, rest > 128 ? 128 : rest);
	copy_str(what, sizeof(what), "");
	text_add_n(&w, text, word);
	psv_syslog(f->run_dir, facility(f, NULL), f->server, what, line, t.len);
}

static void keep(struct log_files *f, enum proto_kind kind, int64_t when_ns, const char *name, const char *text,
		 size_t len)
{
	if (kind == PROTO_EVENT)
		keep_event(f, when_ns, name, text, len);
	/* Events stand in the log too, between the lines of the services. */
	keep_line(f, when_ns, name, text, len);
}

void keep_own(struct log_files *f, enum proto_kind kind, const char *text)
{
	keep(f, kind, clock_realtime_ns(), "supervisor", text, strlen(text));
	keep_flush(f);
}

/* count: what a gap in the numbers says. */
static void count(struct log_files *f, enum proto_kind kind, uint64_t seq)
{
	uint64_t *next = &f->next[kind];
	char buf[96];
	struct text t = TEXT(buf);

	if (*next && seq > *next) {
		text_u64(&t, seq - *next);
		text_add(&t, kind == PROTO_EVENT ? " events were lost" : " lines were lost");
		keep_own(f, PROTO_LOG, buf);
	}
	*next = seq + 1;
}

void keep_record(struct log_files *f, const struct proto_record *m)
{
	count(f, m->kind, m->seq);
	keep(f, m->kind, m->realtime_ns, m->name, (const char *)(m + 1), m->text_len);
}

/* "TAG[PID] FACILITY.SEVERITY": no service has a space in its name, so no sender can pass for one. */
void keep_syslog(struct log_files *f, const struct proto_syslog *m)
{
	static const char *const facilities[SYSLOG_FACILITIES] = {
		"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
		"ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
		"local7",
	};
	static const char *const severities[SYSLOG_SEVERITIES] = {
		"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
	};
	char who[96];
	struct text t = TEXT(who);

	text_add(&t, m->tag);
	text_add(&t, "[");
	text_u64(&t, m->pid);
	text_add(&t, "] ");
	text_add(&t, facilities[m->facility]);
	text_add(&t, ".");
	text_add(&t, severities[m->severity]);
	count(f, PROTO_LOG, m->seq);
	keep_line(f, m->realtime_ns, who, (const char *)(m + 1), m->text_len);
}

static struct refusal_log refusal_log_of(const struct log_files *f, pid_t init_pid)
{
	struct refusal_log l = { .server = f->server, .run_dir = f->run_dir, .folder = f->folder, .init_pid = init_pid,
				 .stats = f->stats, .taken = f->taken };

	l.syslog = facility(f, &l.id);
	return l;
}

/* A PID 1 of ours sends no more than that; one that has been taken over may send as many as it likes. */
enum { REFUSED_BURST = 64, REFUSED_PAUSE_MS = 250 };

void keep_refused(struct log_files *f, const struct proto_refused *m)
{
	int64_t now = clock_ms(), from = f->refused_due_ms > now ? f->refused_due_ms : now;
	struct proto_refused counted = *m;
	struct refusal_log l;

	count(f, PROTO_EVENT, m->seq);
	counted.unnoted += f->refused_unnoted;
	if (from - now >= REFUSED_BURST * REFUSED_PAUSE_MS) {
		f->refused_unnoted = counted.unnoted + 1;
		return;
	}
	f->refused_unnoted = 0;
	f->refused_due_ms = from + REFUSED_PAUSE_MS;
	l = refusal_log_of(f, 0);
	refusals_add(&l, &counted);
}

int keep_fetch(struct log_files *f, pid_t init_pid)
{
	struct refusal_log l = refusal_log_of(f, init_pid);
	int r = refusals_fetch(&l);

	f->stats = l.stats;
	f->taken = l.taken;
	return r;
}
