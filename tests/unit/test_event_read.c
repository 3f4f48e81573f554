/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of events, as their readers and writers meet: a follower while a file is replaced by its newer half, a full disk, and
 * how much of it is wanted. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "psv/event.h"
#include "psv/psv.h"
#include "test.h"
#include "vsv/event_file.h"

enum { BOUND = 16 * 1024 };

static int folder_of(const struct psv *psv, const char *name)
{
	char path[PATH_MAX];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/servers", psv->lib);
	(void)mkdir(path, 0700);
	(void)snprintf(path, sizeof(path), "%s/servers/%s", psv->lib, name);
	(void)mkdir(path, 0700);
	fd = dir_open(AT_FDCWD, path);
	CHECK(fd >= 0);
	return fd;
}

static void open_psv(struct psv *psv)
{
	struct err err = { 0 };

	if (geteuid() != 0)
		SKIP("needs root: only root makes the folders");
	CHECK_INT(setenv("VNAS_PREFIX", test_dir(), 1), 0);
	CHECK_INT(psv_open(psv, &err), 0);
}

/* add: an event of that number, by a time that follows from it. */
static int add(int folder, const char *file, const char *server, unsigned n)
{
	char line[256];

	(void)snprintf(line, sizeof(line), "{\"time\":\"2026-01-01T00:%02u:%02u.000000Z\",\"server\":\"%s\",\"event\":\"x\",\"n\":%u,"
					   "\"detail\":\"%040u\"}\n", n / 60, n % 60, server, n, n);
	return event_file_add(folder, file, BOUND, line, strlen(line));
}

/* What came, in the order in which it came. */
struct seen {
	atomic_uint n, wrong;
	unsigned last;
};

static int see(json_t *event, void *arg)
{
	struct seen *s = arg;
	unsigned n = (unsigned)json_integer_value(json_object_get(event, "n"));

	if (n != s->last + 1)
		atomic_fetch_add(&s->wrong, 1);
	s->last = n;
	atomic_fetch_add(&s->n, 1);
	return 0;
}

static void wait_for(const struct seen *s, unsigned n)
{
	for (int i = 0; i < 3000 && atomic_load(&s->n) < n; i++)
		(void)usleep(10000);
	CHECK_INT(atomic_load(&s->n), n);
}

/* The writer waits for the reader before it goes on to where the older half would be lost to it. */
TEST(event_follower_misses_nothing_where_the_file_is_halved)
{
	_cleanup_strlist_ struct strlist names = { 0 };
	struct seen *seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	_cleanup_close_ int folder = -1;
	struct stat first, st;
	unsigned halved = 0;
	struct psv psv;
	pid_t pid;

	CHECK(seen != MAP_FAILED);
	open_psv(&psv);
	folder = folder_of(&psv, "a");
	strlist_add(&names, "a");
	CHECK_INT(add(folder, EVENTS_FILE, "a", 1), 0);
	pid = fork();
	if (pid == 0) {
		struct events_wanted w = { .names = &names, .follow = true, .each = see, .arg = seen };
		struct err err = { 0 };

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)events_read(&psv, &w, &err);
		_exit(1);
	}
	for (unsigned n = 2; n <= 400; n++) {
		CHECK_INT(fstatat(folder, EVENTS_FILE, &first, 0), 0);
		CHECK_INT(add(folder, EVENTS_FILE, "a", n), 0);
		CHECK_INT(fstatat(folder, EVENTS_FILE, &st, 0), 0);
		CHECK(st.st_size <= BOUND);
		halved += st.st_ino != first.st_ino;
		if (n % 50 == 0)
			wait_for(seen, n);
	}
	CHECK(halved >= 2);
	CHECK_INT(atomic_load(&seen->wrong), 0);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	psv_close(&psv);
}

/* ---- how much ---- */

static int note(json_t *event, void *arg)
{
	strbuf_addf(arg, "%s%d ", json_string_value(json_object_get(event, "server")),
		    (int)json_integer_value(json_object_get(event, "n")));
	return 0;
}

static void check_read(const struct psv *psv, const struct strlist *names, unsigned last, const char *since, const char *want)
{
	_cleanup_strbuf_ struct strbuf got = { 0 };
	struct events_wanted w = { .names = names, .last = last, .since = since, .each = note, .arg = &got };
	struct err err = { 0 };

	CHECK_INT(events_read(psv, &w, &err), 0);
	CHECK_STR(strbuf_str(&got), want);
}

TEST(event_read_in_order_and_no_more_than_is_wanted)
{
	_cleanup_strlist_ struct strlist names = { 0 };
	_cleanup_close_ int a = -1, b = -1;
	struct psv psv;

	open_psv(&psv);
	a = folder_of(&psv, "a");
	b = folder_of(&psv, "b");
	strlist_add(&names, "a");
	strlist_add(&names, "b");
	CHECK_INT(add(a, EVENTS_FILE, "a", 3) | add(a, EVENTS_FILE, "a", 7) | add(a, REFUSALS_FILE, "a", 5) | add(a, REFUSALS_FILE, "a", 1), 0);
	CHECK_INT(add(b, EVENTS_FILE, "b", 3) | add(b, REFUSALS_FILE, "b", 6) | add(b, REFUSALS_FILE, "b", 2), 0);
	check_read(&psv, &names, 0, NULL, "a1 b2 a3 b3 a5 b6 a7 ");
	check_read(&psv, &names, 1, NULL, "a7 ");
	check_read(&psv, &names, 4, "", "b3 a5 b6 a7 ");
	check_read(&psv, &names, 5, NULL, "a3 b3 a5 b6 a7 ");
	check_read(&psv, &names, 100, NULL, "a1 b2 a3 b3 a5 b6 a7 ");
	check_read(&psv, &names, 0, "2026-01-01T00:00:05", "a5 b6 a7 ");
	check_read(&psv, &names, 2, "2026-01-01T00:00:05", "b6 a7 ");
	check_read(&psv, &names, 4, "2026-01-01T00:00:06.5", "a7 ");
	psv_close(&psv);
}

/* ---- a full disk ---- */

static void fill(int folder)
{
	static char zeros[4096];
	_cleanup_close_ int fd = openat(folder, "ballast", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	while (write(fd, zeros, sizeof(zeros)) > 0)
		;
	CHECK_INT(errno, ENOSPC);
}

static int lines_in(int folder, bool *ret_whole)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int n = 0;

	CHECK_INT(file_read_at(folder, "f", BOUND, &text, &len), 0);
	for (char *p = text, *nl; (nl = strchr(p, '\n')); p = nl + 1) {
		json_t *o = event_parse(p, (size_t)(nl - p));

		n += o != NULL;
		json_decref(o);
	}
	*ret_whole = len > 0 && text[len - 1] == '\n';
	return n;
}

/* As far as it goes, and no further; nothing of what was there is lost.  With room again it goes on. */
static void on_a_full_disk(unsigned lines, bool at_bound)
{
	_cleanup_close_ int folder = dir_open(AT_FDCWD, test_dir());
	struct stat st;
	bool failed = false, whole;
	int n;

	CHECK(folder >= 0);
	for (unsigned i = 0; i < lines; i++)
		CHECK_INT(add(folder, "f", "a", i), 0);
	fill(folder);
	for (unsigned i = lines; i < 400; i++)
		failed |= add(folder, "f", "a", i) < 0;
	n = lines_in(folder, &whole);
	CHECK(failed && n >= (int)lines && n < 400);
	CHECK(fstatat(folder, "f", &st, 0) == 0 && st.st_size <= BOUND && (st.st_size > BOUND - 256) == at_bound);
	CHECK_INT(faccessat(folder, ".f.new", F_OK, 0), -1);
	CHECK_INT(unlinkat(folder, "ballast", 0), 0);
	CHECK_INT(add(folder, "f", "a", 400), 0);
	CHECK(lines_in(folder, &whole) >= (at_bound ? n / 2 - 1 : n + 1) && whole);
	CHECK_INT(unlinkat(folder, "f", 0), 0);
}

TEST(event_files_on_a_full_disk)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0)
		SKIP("needs root: it mounts a small file system");
	CHECK_INT(mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	CHECK_INT(mount("vnas-test", test_dir(), "tmpfs", 0, "size=64k"), 0);
	on_a_full_disk(60, false); /* in the midst of a line, where a page ends */
	on_a_full_disk(100, true); /* where it is time for the newer half, for which there is no room */
	CHECK_INT(umount2(test_dir(), MNT_DETACH), 0);
}
