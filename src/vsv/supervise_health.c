/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "vsv/health.h"
#include "vsv/small.h"
#include "vsv/supervise.h"

enum { ROWS_MAX = 16 };

static struct {
	struct health_row rows[ROWS_MAX];
	size_t n;
	bool no_carrier;
	bool known; /* what stands in the file is ours: another supervisor's may be there at first */
} last;

static bool among(const struct health_row *rows, size_t n, const struct health_row *row)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].rdev == row->rdev && rows[i].what == row->what)
			return true;
	return false;
}

/* say: an event for each row that is not among the others. */
static size_t say(struct log_files *f, const char *event, const struct health_row *rows, size_t n,
		  const struct health_row *others, size_t n_others)
{
	size_t said = 0;

	for (size_t i = 0; i < n; i++) {
		char buf[320];
		struct text t = TEXT(buf);

		if (among(others, n_others, &rows[i]))
			continue;
		text_add(&t, event);
		text_add(&t, " ");
		text_add(&t, rows[i].mount);
		text_add(&t, ": ");
		text_add(&t, health_words(rows[i].what));
		keep_own(f, PROTO_EVENT, buf);
		said++;
	}
	return said;
}

static size_t say_carrier(struct log_files *f, bool no_carrier)
{
	if (no_carrier == last.no_carrier)
		return 0;
	keep_own(f, PROTO_EVENT, no_carrier ? "interface-degraded its interface has no carrier"
					    : "interface-recovered its interface has a carrier again");
	return 1;
}

static void write_down(const char *run_dir, const char *server, const struct health_row *rows, size_t n, bool no_carrier)
{
	_cleanup_close_ int folder = -1;
	char path[4096], buf[ROWS_MAX * 256 + 64];
	struct text p = TEXT(path), t = TEXT(buf);

	text_add(&p, run_dir);
	text_add(&p, "/");
	text_add(&p, server);
	folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (folder < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		text_add(&t, rows[i].mount);
		text_add(&t, ": ");
		text_add(&t, health_words(rows[i].what));
		text_add(&t, "\n");
	}
	if (no_carrier)
		text_add(&t, "interface: no carrier\n");
	if (t.len)
		(void)file_write_atomic_at(folder, "degraded", buf, t.len, 0600);
	else
		(void)unlinkat(folder, "degraded", 0);
}

void health_watch(struct log_files *f, const char *run_dir, pid_t init_pid, int net_fd)
{
	bool no_carrier = net_fd >= 0 && !net_carrier(net_fd);
	struct health_row rows[ROWS_MAX];
	int n = health_read(init_pid, rows, ROWS_MAX);
	size_t news;

	if (n < 0)
		return;
	news = say(f, "volume-degraded", rows, (size_t)n, last.rows, last.n);
	news += say(f, "volume-recovered", last.rows, last.n, rows, (size_t)n);
	news += say_carrier(f, no_carrier);
	if (news == 0 && last.known)
		return;
	last.no_carrier = no_carrier;
	last.known = true;
	write_down(run_dir, f->server, rows, (size_t)n, no_carrier);
	memcpy(last.rows, rows, sizeof(*rows) * (size_t)n);
	last.n = (size_t)n;
}
