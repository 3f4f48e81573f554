/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/cgroup_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"

enum { MOUNTINFO_MAX_BYTES = 16 * 1024 * 1024 };

#define USUAL_MOUNT "/sys/fs/cgroup"

const char *const cgroup_controller_names[CGROUP_CONTROLLERS] = {
	[CGROUP_MEMORY] = "memory",
	[CGROUP_PIDS] = "pids",
	[CGROUP_CPU] = "cpu",
	/* Together with memory it makes the kernel of v2 throttle who writes too fast, and not everybody. */
	[CGROUP_IO] = "io",
	[CGROUP_CPUSET] = "cpuset",
};
/* blkio knows nothing of whose the written pages are. */
static const char *const v1_names[CGROUP_CONTROLLERS] = {
	[CGROUP_MEMORY] = "memory",
	[CGROUP_PIDS] = "pids",
	[CGROUP_CPU] = "cpu",
	[CGROUP_IO] = "blkio",
	[CGROUP_CPUSET] = "cpuset",
};

bool cgroup_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	while (*list) {
		size_t n = strcspn(list, " ,\n");

		if (n == len && memcmp(list, word, n) == 0)
			return true;
		list += n + (list[n] != '\0');
	}
	return false;
}

/* One line: "36 35 98:0 /root /point rw,noatime shared:1 - TYPE source OPTIONS". */
static void parse_line(char *line, struct cgroup_layout *ret)
{
	char *rest = strstr(line, " - "), *save = NULL, *word, *point = NULL, *type, *options;

	if (!rest)
		return;
	*rest = '\0';
	word = strtok_r(line, " ", &save);
	for (int i = 0; word && i < 5; i++) {
		point = word;
		word = strtok_r(NULL, " ", &save);
	}
	type = strtok_r(rest + 3, " ", &save);
	(void)strtok_r(NULL, " ", &save);
	options = strtok_r(NULL, " ", &save);
	/* An escaped character in a mount point: no layout that anybody uses. */
	if (!word || !point || !type || !options || strchr(point, '\\'))
		return;
	if (strcmp(type, "cgroup2") == 0 && !ret->v2[0])
		(void)str_copy(ret->v2, sizeof(ret->v2), point);
	if (strcmp(type, "cgroup") != 0)
		return;
	for (size_t i = 0; i < CGROUP_CONTROLLERS; i++)
		if (cgroup_word(options, v1_names[i]) && !ret->v1[i][0])
			(void)str_copy(ret->v1[i], sizeof(ret->v1[i]), point);
}

void cgroup_layout_parse(const char *mountinfo, struct cgroup_layout *ret)
{
	_cleanup_free_ char *copy = xstrdup(mountinfo);
	char *save = NULL;

	*ret = (struct cgroup_layout){ 0 };
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		parse_line(line, ret);
}

static int find_controllers(struct cgroup_layout *l, struct err *err)
{
	_cleanup_close_ int fd = dir_open(AT_FDCWD, l->v2);
	char list[512];
	int r = fd < 0 ? fd : file_read_small(fd, "cgroup.controllers", list, sizeof(list));

	if (r < 0)
		return err_set(err, r, "cannot read %s/cgroup.controllers: %m", l->v2);
	for (size_t i = 0; i < CGROUP_CONTROLLERS; i++) {
		l->in_v2[i] = cgroup_word(list, cgroup_controller_names[i]);
		if (l->in_v2[i])
			l->v1[i][0] = '\0';
	}
	return 0;
}

int cgroup_layout(struct cgroup_layout *ret, struct err *err)
{
	static struct cgroup_layout known; /* a start asks three times, and a command is over before the machine has another one */
	_cleanup_free_ char *mountinfo = NULL;
	struct cgroup_layout l = { 0 };
	struct statfs fs;
	int r;

	if (known.v2[0]) {
		*ret = known;
		return 0;
	}
	/* The usual case is told by one call, without reading a table that may have thousands of lines. */
	if (statfs(USUAL_MOUNT, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC) {
		(void)str_copy(l.v2, sizeof(l.v2), USUAL_MOUNT);
	} else {
		r = file_read_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX_BYTES, &mountinfo, NULL);
		if (r < 0)
			return err_set(err, r, "cannot read /proc/self/mountinfo: %m");
		cgroup_layout_parse(mountinfo, &l);
	}
	if (!l.v2[0]) {
		(void)err_set(err, -ENOENT, "no cgroup v2 hierarchy is mounted");
		return err_hint(err, -ENOENT, "mount one: mount -t cgroup2 none %s", USUAL_MOUNT);
	}
	r = find_controllers(&l, err);
	if (r < 0)
		return r;
	*ret = known = l;
	return 0;
}

bool cgroup_is_v1(enum cgroup_controller which)
{
	struct cgroup_layout l;

	return cgroup_layout(&l, NULL) == 0 && l.v1[which][0];
}
