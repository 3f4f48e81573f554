/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mount namespace that each Vsv's is a copy of: one empty folder, and the Vsv's root is mounted over it.  A copy of the Psv's
 * own has all of its mounts, which must be got rid of: pivot_root(2) looks at every process of the machine, whether it stands in the
 * old root, and the kernel waits for its readers before the old mounts are gone.
 *
 * It is made once and pinned at RUN/.base/mnt, which is a mount of its own because a namespace cannot be pinned where mounts are passed
 * on to others.  Nothing depends on it: where it is missing, or cannot be entered, the Psv's own is copied. */
#include "psv/root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "psv/psv.h"
#include "psv/root-mount.h"

/* No server's name begins with a dot. */
#define FOLDER ".base"
#define PIN "mnt"

/* The file that the pin is mounted on, and its folder. */
static const struct mount_option place[] = { { "size", "4096" }, { "nr_inodes", "2" }, { "mode", "0700" }, { NULL, NULL } };

static int open_pin(int dir)
{
	_cleanup_close_ int fd = openat(dir, PIN, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd >= 0 && ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNS ? steal_fd(&fd) : -1;
}

static bool same_device(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) < 0 || fstat(b, &y) < 0 || x.st_dev == y.st_dev;
}

/* open_place: RUN/.base as a private mount of its own; what a kill left of it is taken as it is. */
static int open_place(int run)
{
	const struct mount_attr private = { .propagation = MS_PRIVATE };
	_cleanup_close_ int at = dir_open(run, FOLDER), mnt = -1;

	if (at < 0)
		return -1;
	if (same_device(run, at)) {
		mnt = mount_new("tmpfs", place, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, NULL);
		if (mnt < 0 || move_mount(mnt, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
			return -1;
		(void)close(steal_fd(&at));
		at = dir_open(run, FOLDER);
	}
	return at >= 0 && mount_setattr(at, "", AT_EMPTY_PATH, (struct mount_attr *)(uintptr_t)&private, sizeof(private)) == 0 ?
		       steal_fd(&at) :
		       -1;
}

static bool pin(int at, const char *path, int ns)
{
	_cleanup_close_ int file = openat(at, PIN, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	char source[32];

	(void)str_format(source, sizeof(source), "/proc/self/fd/%d", ns);
	return file >= 0 && mount(source, path, NULL, MS_BIND, NULL) == 0;
}

/* make_pinned: a namespace can be pinned in an older one alone, so that none pins itself.  The kernel goes by their numbers, and newer
 * ones (6.18) give each processor a range of these: what is made now can have the lower number, but not where the older one was made.
 * (The machine's first namespace is older than all.)  Without a pin it serves this one start. */
static int make_pinned(int at, const char *path)
{
	_cleanup_close_ int ns = mount_namespace_empty(NULL);
	bool pinned = ns < 0 || pin(at, path, ns);
	cpu_set_t all, one;

	if (pinned || sched_getaffinity(0, sizeof(all), &all) < 0)
		return steal_fd(&ns);
	for (int i = 0; i < CPU_SETSIZE && !pinned; i++) {
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		if (!CPU_ISSET(i, &all) || sched_setaffinity(0, sizeof(one), &one) < 0)
			continue;
		cleanup_close(&ns);
		ns = mount_namespace_empty(NULL);
		pinned = ns < 0 || pin(at, path, ns);
	}
	(void)sched_setaffinity(0, sizeof(all), &all);
	return steal_fd(&ns);
}

/* make: under a lock, so that two first starts make one. */
static int make(const struct psv *psv, const char *path)
{
	_cleanup_close_ int run = dir_open(AT_FDCWD, psv->run), lock = -1, at = -1, ns = -1;

	if (run < 0 || (mkdirat(run, FOLDER, 0700) < 0 && errno != EEXIST))
		return -1;
	lock = dir_open(run, "locks");
	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return -1;
	at = open_place(run);
	if (at < 0)
		return -1;
	ns = open_pin(at);
	if (ns >= 0)
		return steal_fd(&ns);
	return make_pinned(at, path);
}

int root_base(const struct psv *psv)
{
	_cleanup_close_ int dir = -1, ns = -1;
	char path[PATH_MAX];

	if (!str_format(path, sizeof(path), "%s/" FOLDER, psv->run))
		return -1;
	dir = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	ns = dir >= 0 ? open_pin(dir) : -1;
	if (ns >= 0)
		return steal_fd(&ns);
	return str_format(path, sizeof(path), "%s/" FOLDER "/" PIN, psv->run) ? make(psv, path) : -1;
}
