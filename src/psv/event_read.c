/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each server has two files of events (vsv/event_file.h).  They are read whole, since their bound is small, and a follower
 * looks twice a second whether they have grown or were replaced by their newer half. */
#include "psv/event.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
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

static struct source *source_of(struct reader *r, const char *server, const char *file)
{
	char path[PATH_MAX];

	(void)str_format(path, sizeof(path), "%s%s%s/%s", r->psv->lib, server ? "/servers/" : "", server ? server : "", file);
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->sources[i].path, path) == 0)
			return &r->sources[i];
	r->sources = xrealloc(r->sources, r->n + 1, sizeof(*r->sources));
	r->sources[r->n] = (struct source){ .server = server ? xstrdup(server) : NULL };
	(void)str_copy(r->sources[r->n].path, sizeof(r->sources[r->n].path), path);
	return &r->sources[r->n++];
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

/* read_new: the lines that have come since the last time, to the end of the list; since: "" or NULL: all. */
static int read_new(struct source *s, const char *since, json_t *list, struct err *err)
{
	_cleanup_close_ int fd = open(s->path, O_PATH | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	size_t len, at = 0;
	char path[64];
	struct stat st;
	int r;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, -errno, "cannot read %s: %m", s->path);
	if (s->ino == st.st_ino && s->dev == st.st_dev && s->offset == st.st_size)
		return 0;
	/* The one that was looked at: by now its name may be its newer half's. */
	(void)str_format(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = file_read_at(AT_FDCWD, path, FILE_MAX_BYTES, &text, &len);
	if (r < 0)
		return err_set(err, r, "cannot read %s: %m", s->path);
	if (s->ino == st.st_ino && s->dev == st.st_dev && (size_t)s->offset <= len)
		at = (size_t)s->offset;
	else if (s->ino)
		at = place(s, text, len);
	while (at < len) {
		const char *nl = memchr(text + at, '\n', len - at);
		size_t n = nl ? (size_t)(nl - (text + at)) : 0;
		json_t *o;

		if (!nl)
			break;
		o = event_parse(text + at, n);
		if (o && since && strcmp(time_of(o), since) < 0)
			json_decref(o);
		else if (o)
			(void)json_array_append_new(list, o);
		free(s->last);
		s->last = xasprintf("%.*s\n", (int)n, text + at);
		at += n + 1;
	}
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	s->offset = (off_t)at;
	return 0;
}

/* ---- order ---- */

struct row {
	json_t *event;
	const char *time;
	size_t place;
};

static int by_time(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int c = strcmp(x->time, y->time);

	return c ? c : (x->place > y->place) - (x->place < y->place);
}

/* in_order: by time; those of one moment in that of their files. */
static struct row *in_order(json_t *list)
{
	size_t n = json_array_size(list);
	struct row *rows = xcalloc(n ? n : 1, sizeof(*rows));

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_array_get(list, i);

		rows[i] = (struct row){ o, time_of(o), i };
	}
	qsort(rows, n, sizeof(*rows), by_time);
	return rows;
}

/* keep_last: only that many, so that what is not wanted is not held for all servers together. */
static void keep_last(json_t *list, size_t last)
{
	size_t n = json_array_size(list);
	struct row *rows;
	json_t *kept;

	if (!last || n <= last)
		return;
	rows = in_order(list);
	kept = json_array();
	for (size_t i = n - last; i < n; i++)
		(void)json_array_append(kept, rows[i].event);
	(void)json_array_clear(list);
	(void)json_array_extend(list, kept);
	json_decref(kept);
	free(rows);
}

static int give(const struct events_wanted *w, json_t *list)
{
	size_t n = json_array_size(list);
	struct row *rows = in_order(list);
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = w->each(rows[i].event, w->arg);
	free(rows);
	return r;
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
static int look(struct reader *r, bool first, json_t *list, struct err *err)
{
	_cleanup_strlist_ struct strlist all = { 0 };
	const struct strlist *names = r->w->names;
	const char *since = first ? r->w->since : NULL;
	int ret = 0;

	if (!names->n) {
		ret = psv_list(r->psv, &all, err);
		if (ret == 0)
			ret = read_new(source_of(r, NULL, EVENTS_FILE), since, list, err);
		names = &all;
	}
	for (size_t i = 0; ret == 0 && i < names->n; i++) {
		fetch(r->psv, names->v[i]);
		ret = read_new(source_of(r, names->v[i], EVENTS_FILE), since, list, err);
		if (ret == 0)
			ret = read_new(source_of(r, names->v[i], REFUSALS_FILE), since, list, err);
		if (first)
			keep_last(list, r->w->last);
	}
	if (first)
		keep_last(list, r->w->last);
	return ret;
}

int events_read(const struct psv *psv, const struct events_wanted *w, struct err *err)
{
	_cleanup_(reader_free) struct reader r = { .psv = psv, .w = w };
	const struct timespec pause = { .tv_nsec = FOLLOW_MS * 1000000L };
	bool first = true;
	int ret;

	do {
		json_t *list = json_array();

		if (!first)
			(void)nanosleep(&pause, NULL);
		ret = look(&r, first, list, err);
		if (ret == 0) {
			ret = give(w, list);
			if (ret < 0)
				(void)err_set(err, ret, "cannot pass on the events: %m");
		}
		json_decref(list);
		first = false;
	} while (ret == 0 && w->follow);
	return ret < 0 ? ret : 0;
}
