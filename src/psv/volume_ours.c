/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "lib/cleanup.h"
#include "psv/volume.h"

bool volume_is_ours(const struct psv *psv, const char *server, const struct conf_volume *v)
{
	_cleanup_close_ int fd = -1;
	struct label label = { 0 };
	char path[PATH_MAX];
	bool ours = false;

	if (volume_path(psv, server, v, path, sizeof(path), NULL) < 0)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd >= 0 && label_read(fd, &label, NULL) == 0)
		ours = strcmp(label.server, server) == 0 && strcmp(label.role, v->name) == 0;
	label_free(&label);
	return ours;
}
