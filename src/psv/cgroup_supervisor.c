/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a supervisor lives.  Born beside who started it, it would end with the unit or the session that `vnas start` was
 * called from: systemd kills by v2 group, on a mixed layout too. */
#include "psv/cgroup.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "psv/cgroup_layout.h"
#include "psv/cgroup_tree.h"
#include "psv/psv.h"

enum { KILL_TIMEOUT_MS = 5 * 1000, OWN_MAX_BYTES = 64 * 1024, TAG_MAX = 40 };

/* Beside the group of the Vsv, not in it: what bounds all of them must not keep what watches them from working. */
static const char *tag_of(const struct psv *psv, char buf[TAG_MAX])
{
	(void)str_format(buf, TAG_MAX, "%s-supervisors", psv->tag);
	return buf;
}

int cgroup_supervisor_up(const struct psv *psv, const char *name, struct err *err)
{
	_cleanup_close_ int tag_fd = -1;
	struct cgroup_layout l;
	char tag[TAG_MAX];
	int name_fd = -1, r = cgroup_layout(&l, err);

	if (r == 0)
		r = cgroup_tree_make(l.v2, tag_of(psv, tag), name, &tag_fd, &name_fd, err);
	return r < 0 ? r : name_fd;
}

void cgroup_supervisor_discard(const struct psv *psv, const char *name)
{
	_cleanup_close_ int root = -1, tag_fd = -1;
	struct cgroup_layout l;
	char tag[TAG_MAX];

	if (cgroup_layout(&l, NULL) < 0)
		return;
	root = dir_open(AT_FDCWD, l.v2);
	tag_fd = root < 0 ? -1 : dir_open(root, tag_of(psv, tag));
	/* The kernel removes none in which there is a process, or another group. */
	if (tag_fd >= 0 && unlinkat(tag_fd, name, AT_REMOVEDIR) == 0)
		(void)unlinkat(root, tag, AT_REMOVEDIR);
}

/* lives_in: that process does; a number of 0 is this one's.  /proc/PID/cgroup has one line for v2: "0::/PATH". */
static bool lives_in(pid_t pid, const char *tag, const char *name)
{
	_cleanup_free_ char *text = NULL;
	char path[TAG_MAX + VSV_NAME_MAX + 8], file[64];
	char *line;
	size_t len, want;

	(void)str_format(file, sizeof(file), "/proc/%d/cgroup", (int)(pid ? pid : getpid()));
	if (file_read_at(AT_FDCWD, file, OWN_MAX_BYTES, &text, NULL) < 0)
		return true; /* rather leave something than end ourselves */
	line = str_starts(text, "0::") ? text : strstr(text, "\n0::");
	if (!line || !str_format(path, sizeof(path), "/%s/%s", tag, name))
		return false;
	line += line != text;
	len = strcspn(line, "\n");
	want = strlen(path);
	return len >= want && memcmp(line + len - want, path, want) == 0;
}

bool cgroup_supervisor_is_ours(const struct psv *psv, const char *name, pid_t pid)
{
	char tag[TAG_MAX];

	return lives_in(pid, tag_of(psv, tag), name);
}

int cgroup_supervisor_down(const struct psv *psv, const char *name, struct err *err)
{
	struct cgroup_layout l;
	char tag[TAG_MAX];
	int r = cgroup_layout(&l, err);

	if (r < 0)
		return r;
	/* A recovery that outlived its supervisor, which starts a new one there or leaves it to the next command. */
	if (lives_in(0, tag_of(psv, tag), name))
		return 0;
	/* What the supervisor ran (`vnas reassert`) waits for the lock that we hold. */
	r = cgroup_tree_kill(l.v2, tag, name, KILL_TIMEOUT_MS, err);
	return r < 0 ? r : cgroup_tree_remove(l.v2, tag, name, err);
}
