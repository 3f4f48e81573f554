/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of events under a reader: written, halved, cut short, written over, replaced and taken away between its looks, and while it
 * gives what it has found.  The input is a list of such steps. */
#include "psv/event_read.c"

#include <dirent.h>

#include "fuzz.h"

enum { BOUND = 2048 /* in place of EVENTS_MAX_BYTES */, STEPS_MAX = 400 };

static struct run {
	int folder;
	const uint8_t *data;
	size_t left;
	unsigned written, last; /* the numbers of the events of ours */
	bool foreign;           /* somebody else has had the file: nothing is known of its order */
} run;

static void require(bool cond)
{
	if (!cond)
		abort();
}

static unsigned next(void)
{
	if (!run.left)
		return 0;
	run.left--;
	return *run.data++;
}

static void append(const char *file)
{
	_cleanup_close_ int fd = openat(run.folder, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0600);
	size_t n = next() * 4;

	n = n < run.left ? n : run.left;
	if (fd >= 0)
		(void)!write(fd, run.data, n);
	run.data += n;
	run.left -= n;
	run.foreign = true;
}

static void cut(const char *file)
{
	_cleanup_close_ int fd = openat(run.folder, file, O_WRONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0)
		(void)!ftruncate(fd, (off_t)next() * 16);
	run.foreign = true;
}

/* add: as event_log() does. */
static void add(void)
{
	char line[256];
	int n;

	run.written++;
	n = snprintf(line, sizeof(line), "{\"time\":\"2026-01-01T00:00:00.%06uZ\",\"server\":\"a\",\"event\":\"e\",\"n\":%u,\"detail\":\"%.*s\"}\n",
		     run.written, run.written, (int)(next() % 64), "0123456789012345678901234567890123456789012345678901234567890123");
	(void)event_file_add(run.folder, EVENTS_FILE, BOUND, line, (size_t)n);
}

static void replace(void)
{
	_cleanup_close_ int fd = openat(run.folder, EVENTS_FILE, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0)
		(void)event_file_keep_newest(run.folder, EVENTS_FILE, fd, (long long)next() * 8, "", 0);
	run.foreign = true;
}

static void change(unsigned step)
{
	switch (step % 9) {
	case 0:
	case 1:
	case 2:
		add();
		break;
	case 3:
		append(EVENTS_FILE);
		break;
	case 4:
		append(REFUSALS_FILE);
		break;
	case 5:
		cut(next() & 1 ? EVENTS_FILE : REFUSALS_FILE);
		break;
	case 6:
		replace();
		break;
	case 7:
		(void)unlinkat(run.folder, EVENTS_FILE, 0);
		run.foreign = true;
		break;
	default: /* nothing that can be read */
		(void)unlinkat(run.folder, REFUSALS_FILE, 0);
		if (next() & 1)
			(void)mkfifoat(run.folder, REFUSALS_FILE, 0600);
		break;
	}
}

/* each: none twice, and none that is not one. */
static int each(json_t *event, void *arg)
{
	json_int_t n = json_integer_value(json_object_get(event, "n"));
	unsigned step;

	(void)arg;
	require(is_time(json_object_get(event, "time")) && is_name(json_object_get(event, "event")));
	if (!run.foreign) {
		require(n > run.last && n <= run.written);
		run.last = (unsigned)n;
	}
	step = next();
	if (step & 1)
		change(step >> 1);
	return step == 254;
}

static void clear(void)
{
	(void)unlinkat(run.folder, EVENTS_FILE, 0);
	(void)unlinkat(run.folder, REFUSALS_FILE, 0);
}

static void open_folder(struct psv *psv)
{
	static char dir[] = "/dev/shm/vnas-fuzz-XXXXXX";
	char path[PATH_MAX];

	if (run.folder)
		return;
	require(mkdtemp(dir) && str_copy(psv->lib, sizeof(psv->lib), dir) && str_copy(psv->run, sizeof(psv->run), dir));
	(void)str_format(path, sizeof(path), "%s/servers", dir);
	require(mkdir(path, 0700) == 0);
	(void)str_format(path, sizeof(path), "%s/servers/a", dir);
	require(mkdir(path, 0700) == 0);
	run.folder = dir_open(AT_FDCWD, path);
	require(run.folder > 0);
}

static struct psv psv;

/* remove_folder: what a fuzzer that was killed leaves lies in memory until the machine ends. */
static void remove_folder(void)
{
	char path[PATH_MAX];

	clear();
	(void)str_format(path, sizeof(path), "%s/servers/a", psv.lib);
	(void)rmdir(path);
	(void)str_format(path, sizeof(path), "%s/servers", psv.lib);
	(void)rmdir(path);
	(void)rmdir(psv.lib);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_strlist_ struct strlist names = { 0 };
	struct events_wanted w = { .names = &names, .each = each, .follow = true };
	struct reader r = { .psv = &psv, .w = &w };
	bool first = true;

	if (!run.folder) {
		open_folder(&psv);
		(void)atexit(remove_folder);
	}
	clear();
	run = (struct run){ .folder = run.folder, .data = data, .left = len };
	strlist_add(&names, "a");
	w.last = next() % 8;
	w.since = next() & 1 ? "2026-01-01T00:00:00.000003Z" : NULL;
	for (unsigned i = 0; run.left && i < STEPS_MAX; i++) {
		unsigned step = next();

		if (step & 3) {
			change(step >> 2);
			continue;
		}
		struct rows rows = { .n = 0 };
		struct err err = { 0 };

		if (look(&r, first, &rows, &err) == 0)
			(void)give(&r, &rows);
		free(rows.v);
		close_sources(&r);
		first = false;
	}
	for (size_t i = 0; i < r.n; i++)
		require(r.sources[i].fd == -1);
	reader_free(&r);
	return 0;
}
