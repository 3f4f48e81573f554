/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each server has two files of events (vsv/event_file.h).  Each is read whole, since their bound is small, but of all together no more is held than
 * where each line lies and of what time it is: put in order, they are read one by one.  A file that is replaced by its newer half
 * meanwhile is still the one that is open.  A follower looks twice a second whether they have grown or were replaced. */
#include "psv/event.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "psv/psv.h"
#include "vsv/event_file.h"

enum {
	FILE_MAX_BYTES = 16 * 1024 * 1024, /* more than ours have: somebody wrote into it */
	LINE_MAX_BYTES = 16 * 1024, NAME_MAX_BYTES = 64, FOLLOW_MS = 500,
};

/* One file, and how far it has been read. */
struct source {
	char path[PATH_MAX];
	char *server;        /* whose; NULL: the Psv's */
	dev_t dev;
	ino_t ino;           /* 0: not read yet */
	off_t offset;        /* behind the last whole line */
	char *last;          /* that line, by which its place in a replaced file is found */
	int fd;              /* while there are rows of it; -1: none */
};

/* Where an event lies. */
struct row {
	uint64_t second;     /* as digits: 20260131090000 */
	uint64_t at;         /* in its file */
	uint32_t ns, len, source;
};

struct rows {
	struct row *v;
	size_t n, room;
};

struct reader {
	const struct psv *psv;
	const struct events_wanted *w;
	struct source *sources;
	size_t n;
};

static void reader_free(struct reader *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->sources[i].server);
		free(r->sources[i].last);
		cleanup_close(&r->sources[i].fd);
	}
	free(r->sources);
}

/* ---- lines ---- */

static bool is_name(const json_t *j)
{
	const char *s = json_string_value(j);

	return s && *s && strlen(s) < NAME_MAX_BYTES;
}

/* RFC 3339 in UTC, by which events are put in order as text: digits where they belong and a Z at the end. */
static bool is_time(const json_t *j)
{
	static const char form[] = "0000-00-00T00:00:00";
	const char *s = json_string_value(j);
	size_t n = s ? strlen(s) : 0;

	if (n < sizeof(form) || n > 32 || s[n - 1] != 'Z')
		return false;
	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == '0' ? s[i] < '0' || s[i] > '9' : s[i] != form[i])
			return false;
	for (size_t i = sizeof(form) - 1; i < n - 1; i++)
		if (s[i] != '.' && (s[i] < '0' || s[i] > '9'))
			return false;
	return true;
}

json_t *event_parse(const char *line, size_t len)
{
	json_t *o = len <= LINE_MAX_BYTES ? json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL) : NULL, *value;
	const char *key;
	void *next;

	if (!json_is_object(o) || !is_time(json_object_get(o, "time")) || !is_name(json_object_get(o, "event")) ||
	    !(json_is_null(json_object_get(o, "server")) || is_name(json_object_get(o, "server")))) {
		json_decref(o);
		return NULL;
	}
	/* What somebody else wrote there is nobody's list of lists. */
	json_object_foreach_safe(o, next, key, value)
		if (json_is_object(value) || json_is_array(value))
			(void)json_object_del(o, key);
	return o;
}

/* ---- files ---- */

/* source_of: its number. */
static uint32_t source_of(struct reader *r, const char *server, const char *file)
{
	char path[PATH_MAX];

	(void)str_format(path, sizeof(path), "%s%s%s/%s", r->psv->lib, server ? "/servers/" : "", server ? server : "", file);
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->sources[i].path, path) == 0)
			return (uint32_t)i;
	r->sources = xrealloc(r->sources, r->n + 1, sizeof(*r->sources));
	r->sources[r->n] = (struct source){ .server = server ? xstrdup(server) : NULL, .fd = -1 };
	(void)str_copy(r->sources[r->n].path, sizeof(r->sources[r->n].path), path);
	return (uint32_t)r->n++;
}

/* place: where to go on in a file that is not the one of the last time: behind the last line, if it is in there. */
static size_t place(const struct source *s, const char *text, size_t len)
{
	size_t n = s->last ? strlen(s->last) : 0;
	const char *at = n ? memmem(text, len, s->last, n) : NULL;

	return at ? (size_t)(at - text) + n : 0;
}

static const char *time_of(const json_t *o)
{
	return json_string_value(json_object_get(o, "time"));
}

/* row_of: a time that is_time() takes, as numbers. */
static struct row row_of(const char *time, uint32_t source, size_t at, size_t len)
{
	struct row row = { .at = at, .len = (uint32_t)len, .source = source };
	uint32_t unit = 100000000;

	for (; *time != '.' && *time != 'Z'; time++)
		if (*time >= '0' && *time <= '9')
			row.second = row.second * 10 + (uint64_t)(*time - '0');
	while (unit && *++time >= '0' && *time <= '9') {
		row.ns += (uint32_t)(*time - '0') * unit;
		unit /= 10;
	}
	return row;
}

static void rows_add(struct rows *rows, const struct row *row)
{
	if (rows->n == rows->room) {
		rows->room = rows->room ? 2 * rows->room : 256;
		rows->v = xrealloc(rows->v, rows->room, sizeof(*rows->v));
	}
	rows->v[rows->n++] = *row;
}

/* take_line: an event that is wanted. */
static void take_line(const struct reader *r, uint32_t source, const char *line, size_t at, size_t len, const char *since,
		      struct rows *rows)
{
	json_t *o = event_parse(line, len);
	struct row row;

	if (o && (!since || strcmp(time_of(o), since) >= 0)) {
		row = row_of(time_of(o), source, at, len);
		rows_add(rows, &row);
		if (r->w->measure)
			r->w->measure(o, r->w->arg);
	}
	json_decref(o);
}

/* read_new: the lines that have come since the last time, to the end of the rows; since: "" or NULL: all. */
static int read_new(const struct reader *r, uint32_t source, const char *since, struct rows *rows, struct err *err)
{
	struct source *s = &r->sources[source];
	_cleanup_close_ int path_fd = open(s->path, O_PATH | O_CLOEXEC), fd = -1;
	_cleanup_free_ char *text = NULL;
	size_t len, at = 0, last = 0, last_len = 0, n_before = rows->n;
	char path[64];
	struct stat st;
	const char *nl;
	int ret;

	if (path_fd < 0 && errno == ENOENT)
		return 0;
	if (path_fd < 0 || fstat(path_fd, &st) < 0)
		return err_set(err, -errno, "cannot read %s: %m", s->path);
	if (s->ino == st.st_ino && s->dev == st.st_dev && s->offset == st.st_size)
		return 0;
	/* The one that was looked at: by now its name may be its newer half's. */
	(void)str_format(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	ret = file_read_at(AT_FDCWD, path, FILE_MAX_BYTES, &text, &len);
	if (ret < 0)
		return err_set(err, ret, "cannot read %s: %m", s->path);
	if (s->ino == st.st_ino && s->dev == st.st_dev && (size_t)s->offset <= len)
		at = (size_t)s->offset;
	else if (s->ino)
		at = place(s, text, len);
	for (; at < len && (nl = memchr(text + at, '\n', len - at)); at += last_len) {
		last = at;
		last_len = (size_t)(nl - (text + at)) + 1;
		take_line(r, source, text + at, at, last_len - 1, since, rows);
	}
	if (last_len) {
		free(s->last);
		s->last = xasprintf("%.*s", (int)last_len, text + last);
	}
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	s->offset = (off_t)at;
	if (rows->n == n_before)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return err_set(err, -errno, "cannot read %s: %m", s->path);
	cleanup_close(&s->fd);
	s->fd = steal_fd(&fd);
	return 0;
}

/* ---- order ---- */

/* by_time: those of one moment in the order of their files. */
static int by_time(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->second != y->second)
		return x->second < y->second ? -1 : 1;
	if (x->ns != y->ns)
		return x->ns < y->ns ? -1 : 1;
	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static void in_order(struct rows *rows)
{
	if (rows->n)
		qsort(rows->v, rows->n, sizeof(*rows->v), by_time);
}

/* keep_last: only that many. */
static void keep_last(struct rows *rows, size_t last)
{
	if (!last || rows->n <= last)
		return;
	in_order(rows);
	memmove(rows->v, rows->v + rows->n - last, last * sizeof(*rows->v));
	rows->n = last;
}

/* event_at: NULL: it is none any more, because somebody cut the file short or wrote over it. */
static json_t *event_at(const struct reader *r, const struct row *row)
{
	char line[LINE_MAX_BYTES];
	ssize_t n = row->len <= sizeof(line) ? pread(r->sources[row->source].fd, line, row->len, (off_t)row->at) : -1;

	return n == (ssize_t)row->len ? event_parse(line, row->len) : NULL;
}

static int give(const struct reader *r, struct rows *rows)
{
	int ret = 0;

	in_order(rows);
	for (size_t i = 0; i < rows->n && ret == 0; i++) {
		json_t *o = event_at(r, &rows->v[i]);

		if (o)
			ret = r->w->each(o, r->w->arg);
		json_decref(o);
	}
	return ret;
}

/* ---- servers ---- */

/* fetch: what cannot be fetched now, is with the next look; a server that does not run has nothing to fetch. */
static void fetch(const struct psv *psv, const char *name)
{
	struct state st = { 0 };
	struct err err = { 0 };

	if (state_read(psv, name, &st, &err) == 0 && st.id)
		(void)event_fetch(psv, name, &st);
	state_free(&st);
}

/* look: the first time as much as is wanted of what there is. */
static int look(struct reader *r, bool first, struct rows *rows, struct err *err)
{
	_cleanup_strlist_ struct strlist all = { 0 };
	const struct strlist *names = r->w->names;
	const char *since = first ? r->w->since : NULL;
	int ret = 0;

	if (!names->n) {
		ret = psv_list(r->psv, &all, err);
		if (ret == 0)
			ret = read_new(r, source_of(r, NULL, EVENTS_FILE), since, rows, err);
		names = &all;
	}
	for (size_t i = 0; ret == 0 && i < names->n; i++) {
		fetch(r->psv, names->v[i]);
		ret = read_new(r, source_of(r, names->v[i], EVENTS_FILE), since, rows, err);
		if (ret == 0)
			ret = read_new(r, source_of(r, names->v[i], REFUSALS_FILE), since, rows, err);
		if (first)
			keep_last(rows, r->w->last);
	}
	if (first)
		keep_last(rows, r->w->last);
	return ret;
}

/* allow_files: two for each server. */
static void allow_files(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
		l.rlim_cur = l.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &l);
	}
}

static void close_sources(struct reader *r)
{
	for (size_t i = 0; i < r->n; i++) {
		cleanup_close(&r->sources[i].fd);
		r->sources[i].fd = -1;
	}
}

int events_read(const struct psv *psv, const struct events_wanted *w, struct err *err)
{
	_cleanup_(reader_free) struct reader r = { .psv = psv, .w = w };
	const struct timespec pause = { .tv_nsec = FOLLOW_MS * 1000000L };
	bool first = true;
	int ret;

	allow_files();
	do {
		struct rows rows = { .n = 0 };

		if (!first)
			(void)nanosleep(&pause, NULL);
		ret = look(&r, first, &rows, err);
		if (ret == 0) {
			ret = give(&r, &rows);
			if (ret < 0)
				(void)err_set(err, ret, "cannot pass on the events: %m");
		}
		free(rows.v);
		close_sources(&r);
		first = false;
	} while (ret == 0 && w->follow);
	return ret < 0 ? ret : 0;
}
