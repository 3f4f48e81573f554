/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "psv/volume.h"

static bool is_absent(int code)
{
	return code == -ENOENT || code == -ENOTDIR || code == -ENXIO || code == -ENODEV || code == -ENOMEDIUM;
}

int volume_is_ours(const struct psv *psv, const char *server, const struct conf_volume *v, struct err *err)
{
	_cleanup_close_ int fd = -1;
	struct label label = { 0 };
	char path[PATH_MAX];
	int r;

	/* A pool that is no longer configured: nothing is found there, and nothing made. */
	if (volume_path(psv, server, v, path, sizeof(path), NULL) < 0)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return is_absent(-errno) ? 0 : err_set(err, -errno, "cannot open %s: %m", path);
	r = label_read(fd, &label, err);
	if (r == 0)
		r = strcmp(label.server, server) == 0 && strcmp(label.role, v->name) == 0;
	else if (r > 0 || r == -EBADMSG)
		r = 0;
	else
		r = err_wrap(err, r, "%s", path);
	label_free(&label);
	return r;
}
