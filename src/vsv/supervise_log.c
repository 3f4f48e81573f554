/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LIB/servers/NAME/log and events.jsonl.  What comes from inside is hostile: nothing of it may act on a terminal that shows
 * it, and none of it may fill the Psv's disk.  So control characters and what is no UTF-8 are written as \xNN, and the log
 * is two files of half its bound each; the bound stands in the state file, because it can change while we run.  events.jsonl is shared with event_log(): whoever writes holds its lock and looks
 * whether it is still the file of that name. */
#include "vsv/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/printable.h"
#include "vsv/small.h"

/* add_safe: json: for the inside of a JSON string. */
static void add_safe(struct text *t, const char *s, size_t len, bool json)
{
	static const char hex[] = "0123456789abcdef";

	while (len) {
		size_t n = printable_len(s, len);

		if (n && json && (*s == '"' || *s == '\\' || *s == '\t')) {
			text_add(t, *s == '"' ? "\\\"" : *s == '\\' ? "\\\\" : "\\t");
		} else if (n) {
			text_add_n(t, s, n);
		} else {
			char e[] = { hex[(unsigned char)*s >> 4], hex[*s & 15], '\0' };

			text_add(t, json ? "\\\\x" : "\\x");
			text_add(t, e);
			n = 1;
		}
		s += n;
		len -= n;
	}
}

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

/* keep_newest: the end of a file, from the beginning of a line at or after `from`, and a line more, under the same name. */
static void keep_newest(int folder, const char *name, int old, off_t from, off_t size, const char *line, size_t len)
{
	_cleanup_close_ int fd = -1;
	char path[32], c = '\0';
	struct text t = TEXT(path);

	text_add(&t, ".");
	text_add(&t, name);
	text_add(&t, ".new");
	(void)unlinkat(folder, path, 0);
	fd = openat(folder, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	while (from < size && c != '\n')
		if (pread(old, &c, 1, from++) != 1)
			return;
	while (from < size)
		if (sendfile(fd, old, &from, (size_t)(size - from)) <= 0)
			return;
	if (fd_write_all(fd, line, len) == 0 && fsync(fd) == 0)
		(void)renameat(folder, path, folder, name);
}

/* trim: log.1 after the bound was lowered. */
static void trim(const struct log_files *f)
{
	_cleanup_close_ int fd = openat(f->folder, "log.1", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	off_t half = (off_t)(f->max_bytes / 2);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > half)
		keep_newest(f->folder, "log.1", fd, st.st_size - half, st.st_size, "", 0);
}

static void look_at_bound(struct log_files *f)
{
	struct state_view v;
	uint64_t max = 0;

	f->looked_bytes = 0;
	if (state_open(f->run_dir, f->server, &v) == 0) {
		(void)state_number(&v, "log_bytes", &max);
		state_close(&v);
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
	add_safe(&t, text, len, false);
	if (t.len > t.size - 2)
		t.len = t.size - 2; /* one of nothing but control characters is cut */
	text_add(&t, "\n");
	f->out_len = t.len;
}

/* open_events: locked. */
static int open_events(int folder)
{
	for (;;) {
		_cleanup_close_ int fd = openat(folder, "events.jsonl",
						O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
		struct stat mine, named;

		if (fd < 0)
			return -errno;
		while (flock(fd, LOCK_EX) < 0)
			if (errno != EINTR)
				return -errno;
		if (fstat(fd, &mine) < 0)
			return -errno;
		if (fstatat(folder, "events.jsonl", &named, AT_SYMLINK_NOFOLLOW) == 0 && mine.st_ino == named.st_ino &&
		    mine.st_dev == named.st_dev)
			return steal_fd(&fd);
	}
}

static void keep_event(struct log_files *f, int64_t when_ns, const char *name, const char *text, size_t len)
{
	_cleanup_close_ int fd = open_events(f->folder);
	const char *space = memchr(text, ' ', len);
	size_t word = space ? (size_t)(space - text) : len, rest = space ? len - word - 1 : 0;
	char line[1024], last;
	struct text t = TEXT(line);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	text_add(&t, "{\"time\":\"");
	text_time(&t, when_ns);
	t.len -= sizeof(".000000Z") - 1; /* whole seconds, as the others */
	text_add(&t, "Z\",\"server\":\"");
	text_add(&t, f->server);
	text_add(&t, "\",\"event\":\"");
	add_safe(&t, text, word > 64 ? 64 : word, true);
	text_add(&t, "\",\"detail\":\"");
	add_safe(&t, name, strlen(name), true);
	if (rest)
		text_add(&t, ": ");
	add_safe(&t, text + len - rest, rest > 128 ? 128 : rest, true);
	text_add(&t, "\"}\n");
	if (st.st_size + (off_t)t.len > EVENTS_MAX_BYTES) {
		keep_newest(f->folder, "events.jsonl", fd, st.st_size / 2, st.st_size, line, t.len);
		return;
	}
	if (st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n')
		(void)!write(fd, "\n", 1);
	(void)fd_write_all(fd, line, t.len);
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
