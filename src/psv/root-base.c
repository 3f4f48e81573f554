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
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/nspin.h"
#include "lib/str.h"
#include "psv/psv.h"
#include "psv/root-mount.h"
#include "psv/root-parts.h"

/* No server's name begins with a dot. */
#define FOLDER ".base"
#define PIN "mnt"

static bool same_device(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) < 0 || fstat(b, &y) < 0 || x.st_dev == y.st_dev;
}

/* make_place: RUN/.base as a private mount of its own; what a kill left of it is taken as it is. */
static int make_place(int run)
{
	struct mount_attr private = { .propagation = MS_PRIVATE };
	_cleanup_close_ int at = dir_open(run, FOLDER), mnt = -1;

	if (at < 0)
		return -1;
	if (same_device(run, at)) {
		/* Room for the folder and for the file that is mounted over. */
		mnt = tmpfs_new(4096, 2, "0700", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, NULL);
		if (mnt < 0 || move_mount(mnt, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
			return -1;
		(void)close(steal_fd(&at));
		at = dir_open(run, FOLDER);
	}
	return at < 0 ? -1 : mount_setattr(at, "", AT_EMPTY_PATH, &private, sizeof(private));
}

/* make_pinned: a namespace can be pinned in an older one alone, so that none pins itself.  The kernel goes by their numbers, and newer
 * ones (6.18) give each processor a range of these: what is made now can have the lower number, but not where the older one was made.
 * (The machine's first namespace is older than all.)  Without a pin it serves this one start. */
static int make_pinned(const char *path)
{
	_cleanup_close_ int ns = mount_namespace_empty(NULL);
	bool done = ns < 0 || nspin(path, ns) == 0;
	cpu_set_t all, one;

	if (done || sched_getaffinity(0, sizeof(all), &all) < 0)
		return steal_fd(&ns);
	for (int i = 0; i < CPU_SETSIZE && !done; i++) {
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		if (!CPU_ISSET(i, &all) || sched_setaffinity(0, sizeof(one), &one) < 0)
			continue;
		cleanup_close(&ns);
		ns = mount_namespace_empty(NULL);
		done = ns < 0 || nspin(path, ns) == 0;
	}
	(void)sched_setaffinity(0, sizeof(all), &all);
	return steal_fd(&ns);
}

/* make: under a lock, so that two first starts make one. */
static int make(const struct psv *psv, const char *path)
{
	_cleanup_close_ int run = dir_open(AT_FDCWD, psv->run), lock = -1;
	int ns;

	if (run < 0 || (mkdirat(run, FOLDER, 0700) < 0 && errno != EEXIST))
		return -1;
	lock = dir_open(run, "locks");
	if (lock < 0 || flock(lock, LOCK_EX) < 0 || make_place(run) < 0)
		return -1;
	ns = nspin_open(path, CLONE_NEWNS);
	return ns == -ENOENT ? make_pinned(path) : ns;
}

int root_base(const struct psv *psv)
{
	char path[PATH_MAX];
	int ns;

	if (!str_format(path, sizeof(path), "%s/" FOLDER "/" PIN, psv->run))
		return -1;
	ns = nspin_open(path, CLONE_NEWNS);
	return ns == -ENOENT ? make(psv, path) : ns;
}
