/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happened, one line of JSON each (vsv/event_file.h). */
#include "psv/psv.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "vsv/event_file.h"
#include "vsv/refusal_fetch.h"
#include "vsv/small.h"

enum { DETAIL_MAX_BYTES = 2048 };

/* A string of JSON from anything: what is no UTF-8 is told by '?'. */
static json_t *any_string(char *s)
{
	json_t *j = json_string(s);

	if (j)
		return j;
	for (char *c = s; *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	return json_string(s);
}

static char *event_line(const char *name, const char *event, char *detail)
{
	char when[32];
	struct text t = TEXT(when);
	json_t *o;
	char *text, *line;

	text_time(&t, clock_realtime_ns());
	o = json_pack("{s:s, s:s?, s:s, s:o}", "time", when, "server", name, "event", event, "detail", any_string(detail));
	text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	line = text ? xasprintf("%s\n", text) : NULL;
	free(text);
	json_decref(o);
	return line;
}

void event_log(const struct psv *psv, const char *name, const char *event, const char *fmt, ...)
{
	char path[PATH_MAX], detail[DETAIL_MAX_BYTES];
	_cleanup_close_ int folder = -1;
	_cleanup_free_ char *line = NULL;
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	(void)str_format(path, sizeof(path), "%s%s%s", psv->lib, name ? "/servers/" : "", name ? name : "");
	folder = dir_open(AT_FDCWD, path);
	line = event_line(name, event, detail);
	if (folder >= 0 && line)
		(void)event_file_add(folder, EVENTS_FILE, EVENTS_MAX_BYTES, line, strlen(line));
	psv_syslog(psv->run, psv->conf.syslog ? (int)psv->conf.syslog : -1, name, event, detail, strlen(detail));
	errno = saved;
}

int event_fetch(const struct psv *psv, const char *name, const struct state *st)
{
	struct refusal_log l = { .server = name, .run_dir = psv->run, .id = st->id, .init_pid = st->init_pid, .stats = -1,
				 .taken = -1, .syslog = psv->conf.syslog ? (int)psv->conf.syslog : -1 };
	_cleanup_close_ int folder = -1;
	char path[PATH_MAX];
	int r;

	(void)str_format(path, sizeof(path), "%s/servers/%s", psv->lib, name);
	folder = dir_open(AT_FDCWD, path);
	if (folder < 0)
		return folder;
	l.folder = folder;
	r = refusals_fetch(&l);
	refusals_close(&l);
	return r < 0 ? r : 0;
}
