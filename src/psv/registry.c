/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which Vsv there are, who is changing one, and their numbers.
 *
 * Locks are files below RUN/locks that hold "VERB PID START" of who has them.  A file is taken away only by who has the
 * lock; so whoever gets a lock looks whether the file still stands under its name, and begins again if not. */
#include "psv/psv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "lib/when.h"

enum { ID_MAX = 65535, LOCK_POLL_MS = 5, LOCK_POLL_MAX_MS = 50 };

/* Names. */

static bool name_of_file(const char *file, char name[VSV_NAME_MAX + 1])
{
	size_t n = strlen(file);

	if (n < 6 || n - 5 > VSV_NAME_MAX || strcmp(file + n - 5, ".conf") != 0)
		return false;
	memcpy(name, file, n - 5);
	name[n - 5] = '\0';
	return conf_name_check(name, NULL) == 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int psv_list(const struct psv *psv, struct strlist *ret, struct err *err)
{
	_cleanup_closedir_ DIR *d = opendir(psv->etc);
	_cleanup_strlist_ struct strlist names = { 0 };
	char name[VSV_NAME_MAX + 1];
	const struct dirent *e;

	if (!d) {
		if (errno != ENOENT)
			return err_set(err, -errno, "cannot read %s: %m", psv->etc);
		*ret = (struct strlist){ 0 };
		return 0;
	}
	for (errno = 0; (e = readdir(d)); errno = 0)
		if (name_of_file(e->d_name, name))
			strlist_add(&names, name);
	if (errno)
		return err_set(err, -errno, "cannot read %s: %m", psv->etc);
	if (names.n)
		qsort(names.v, names.n, sizeof(*names.v), compare_names);
	*ret = names;
	names = (struct strlist){ 0 };
	return 0;
}

int psv_exists(const struct psv *psv, const char *name, struct err *err)
{
	char path[PATH_MAX];
	struct stat st;

	if (conf_name_check(name, NULL) < 0)
		return 0;
	if (stat(psv_conf_path(psv, name, path), &st) == 0)
		return S_ISREG(st.st_mode);
	return errno == ENOENT || errno == ENOTDIR ? 0 : err_set(err, -errno, "cannot look at %s: %m", path);
}

int psv_require(const struct psv *psv, const char *name, struct err *err)
{
	int r = psv_exists(psv, name, err);

	if (r != 0)
		return r < 0 ? r : 0;
	(void)err_exit(err, VNAS_EXIT_NO_SUCH, -ENOENT, "there is no such virtual file server");
	return err_hint(err, -ENOENT, "`vnas list` shows those there are");
}

/* Locks. */

static void lock_path(const struct psv *psv, const char *name, char buf[PATH_MAX])
{
	/* A dot begins no Vsv's name. */
	(void)str_format(buf, PATH_MAX, "%s/locks/%s.lock", psv->run, name ? name : ".registry");
}

static int lock_open(const char *path, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);

	if (fd >= 0)
		return fd;
	if (errno == EACCES || errno == EPERM || errno == EROFS || (errno == ENOENT && geteuid() != 0))
		return err_exit(err, VNAS_EXIT_NOT_PERMITTED, -errno, "cannot open %s: %m", path);
	return err_set(err, -errno, "cannot open %s: %m", path);
}

/* 0; -EAGAIN: somebody has it; -ESTALE: got, but the file is no longer the one under its name. */
static int lock_try(int fd, const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat mine, named;

	if (fcntl(fd, F_OFD_SETLK, &lock) < 0)
		return errno == EACCES ? -EAGAIN : -errno;
	if (fstat(fd, &mine) < 0)
		return -errno;
	if (stat(path, &named) < 0)
		return errno == ENOENT ? -ESTALE : -errno;
	return mine.st_dev == named.st_dev && mine.st_ino == named.st_ino ? 0 : -ESTALE;
}

/* "VERB of process PID", or who is not known (it has just taken it, or was killed between the two). */
static void lock_holder(int fd, char *buf, size_t size)
{
	char text[128], verb[32];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	uint64_t start, now;
	long pid;

	text[n > 0 ? n : 0] = '\0';
	if (sscanf(text, "%31s %ld %" SCNu64, verb, &pid, &start) == 3 && pid > 0 &&
	    pid_start_time((pid_t)pid, &now) == 0 && now == start)
		(void)str_format(buf, size, "%s of process %ld", verb, pid);
	else
		(void)str_copy(buf, size, "another process");
}

static void lock_sign(int fd, const char *verb)
{
	uint64_t start = 0;
	char text[128];

	(void)pid_start_time(getpid(), &start);
	(void)str_format(text, sizeof(text), "%.31s %ld %" PRIu64 "\n", *verb ? verb : "vnas", (long)getpid(), start);
	/* Only for messages: a full /run must not stop a `stop`. */
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, strlen(text), 0) < 0)
		return;
}

static int lock_refused(int fd, const char *name, struct err *err)
{
	char holder[80];

	lock_holder(fd, holder, sizeof(holder));
	(void)err_exit(err, VNAS_EXIT_IN_USE, -EWOULDBLOCK, "%s is being changed by %s", name ? name : "the registry", holder);
	return err_hint(err, -EWOULDBLOCK, "try again when it is done");
}

int psv_lock(const struct psv *psv, const char *name, const char *verb, int timeout_ms,
	     void (*notice)(const char *line), struct err *err)
{
	int64_t until = now_ms() + timeout_ms;
	_cleanup_close_ int fd = -1;
	long poll_ms = LOCK_POLL_MS;
	char path[PATH_MAX];

	if (name) {
		int r = conf_name_check(name, err);

		if (r < 0)
			return r;
	}
	lock_path(psv, name, path);
	for (;;) {
		int r;

		if (fd < 0)
			fd = lock_open(path, err);
		if (fd < 0)
			return fd;
		r = lock_try(fd, path);
		if (r == 0)
			break;
		if (r == -ESTALE) {
			(void)close(steal_fd(&fd));
			continue;
		}
		if (r != -EAGAIN)
			return err_set(err, r, "cannot lock %s: %m", path);
		if (timeout_ms >= 0 && now_ms() >= until)
			return lock_refused(fd, name, err);
		if (notice) {
			char holder[80], line[128];

			lock_holder(fd, holder, sizeof(holder));
			(void)str_format(line, sizeof(line), "waiting for %s", holder);
			notice(line);
			notice = NULL;
		}
		sleep_ms(poll_ms);
		if (poll_ms < LOCK_POLL_MAX_MS)
			poll_ms *= 2;
	}
	lock_sign(fd, verb);
	return steal_fd(&fd);
}

bool psv_lock_held(const struct psv *psv, const char *name)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];

	lock_path(psv, name, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

void psv_lock_remove(const struct psv *psv, const char *name)
{
	char path[PATH_MAX];

	lock_path(psv, name, path);
	(void)unlink(path);
}

/* Numbers: LIB/servers/NAME/id holds one.  Who looks for a free one holds LIB/servers itself by flock(2). */

static int servers_lock(const struct psv *psv, struct err *err)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int r;

	(void)str_format(path, sizeof(path), "%s/servers", psv->lib);
	r = dir_make_path(path, 0700);
	if (r < 0)
		return err_set(err, r, "cannot make the folder %s: %m", path);
	fd = dir_open(AT_FDCWD, path);
	if (fd < 0)
		return err_set(err, fd, "cannot open %s: %m", path);
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_set(err, -errno, "cannot lock %s: %m", path);
	return steal_fd(&fd);
}

/* -ENOENT: none; -EBADMSG: the file is damaged. */
static int id_read(int servers, const char *name, uint32_t *ret)
{
	char path[VSV_NAME_MAX + 8], text[16];
	uint32_t id;
	int r;

	if (!str_format(path, sizeof(path), "%s/id", name))
		return -ENOENT;
	r = file_read_small(servers, path, text, sizeof(text));
	if (r < 0)
		return r == -ENOTDIR ? -ENOENT : r;
	if (parse_u32(text, ID_MAX, &id) < 0 || id == 0)
		return -EBADMSG;
	*ret = id;
	return 0;
}

static int id_damaged(const struct psv *psv, const char *name, int r, struct err *err)
{
	if (r != -EBADMSG)
		return err_set(err, r, "cannot read %s/servers/%s/id: %m", psv->lib, name);
	(void)err_set(err, r, "%s/servers/%s/id is damaged: expected a number from 1 to %d", psv->lib, name, ID_MAX);
	return err_hint(err, r, "remove it while %s is stopped; the next start gives it a new number", name);
}

static int id_smallest_free(const struct psv *psv, int servers, uint32_t *ret, struct err *err)
{
	_cleanup_free_ uint8_t *taken = xcalloc(ID_MAX + 1, 1);
	_cleanup_closedir_ DIR *d = NULL;
	const struct dirent *e;
	int fd = openat(servers, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		int r = -errno;

		if (fd >= 0)
			(void)close(fd);
		return err_set(err, r, "cannot read %s/servers: %m", psv->lib);
	}
	for (errno = 0; (e = readdir(d)); errno = 0) {
		uint32_t id;
		int r = e->d_name[0] == '.' ? -ENOENT : id_read(servers, e->d_name, &id);

		/* A damaged one may be any number: two Vsv with one would share their rights. */
		if (r < 0 && r != -ENOENT)
			return id_damaged(psv, e->d_name, r, err);
		if (r == 0)
			taken[id] = 1;
	}
	if (errno)
		return err_set(err, -errno, "cannot read %s/servers: %m", psv->lib);
	for (uint32_t id = 1; id <= ID_MAX; id++) {
		if (taken[id])
			continue;
		*ret = id;
		return 0;
	}
	return err_set(err, -EUSERS, "there are %d virtual file servers already", ID_MAX);
}

int psv_id_claim(const struct psv *psv, const char *name, uint32_t *ret, struct err *err)
{
	_cleanup_close_ int servers = -1, folder = -1;
	char text[16];
	uint32_t id;
	int r = conf_name_check(name, err);

	if (r < 0)
		return r;
	servers = servers_lock(psv, err);
	if (servers < 0)
		return servers;
	r = id_read(servers, name, &id);
	if (r < 0 && r != -ENOENT)
		return id_damaged(psv, name, r, err);
	if (r == 0) {
		*ret = id;
		return 0;
	}
	r = id_smallest_free(psv, servers, &id, err);
	if (r < 0)
		return r;
	if (mkdirat(servers, name, 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "cannot make the folder %s/servers/%s: %m", psv->lib, name);
	folder = dir_open(servers, name);
	if (folder < 0)
		return err_set(err, folder, "cannot open %s/servers/%s: %m", psv->lib, name);
	(void)str_format(text, sizeof(text), "%" PRIu32 "\n", id);
	r = file_write_atomic_at(folder, "id", text, strlen(text), 0600);
	if (r < 0)
		return err_set(err, r, "cannot write %s/servers/%s/id: %m", psv->lib, name);
	*ret = id;
	return 0;
}

int psv_id_get(const struct psv *psv, const char *name, uint32_t *ret, struct err *err)
{
	_cleanup_close_ int servers = -1;
	char path[PATH_MAX];
	int r = conf_name_check(name, err);

	if (r < 0)
		return r;
	(void)str_format(path, sizeof(path), "%s/servers", psv->lib);
	servers = dir_open(AT_FDCWD, path);
	r = servers < 0 ? servers : id_read(servers, name, ret);
	if (r == -ENOENT)
		return err_set(err, r, "%s has no number yet", name);
	return r < 0 ? id_damaged(psv, name, r, err) : 0;
}

int psv_id_release(const struct psv *psv, const char *name, struct err *err)
{
	_cleanup_close_ int servers = -1;
	char path[VSV_NAME_MAX + 8];
	int r = conf_name_check(name, err);

	if (r < 0)
		return r;
	servers = servers_lock(psv, err);
	if (servers < 0)
		return servers;
	(void)str_format(path, sizeof(path), "%s/id", name);
	if (unlinkat(servers, path, 0) < 0 && errno != ENOENT && errno != ENOTDIR)
		return err_set(err, -errno, "cannot remove %s/servers/%s: %m", psv->lib, path);
	return 0;
}
