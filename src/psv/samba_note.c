/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A note begins with the root volume's UUID: another volume under the same name is another machine. */
#include "psv/samba_note.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "psv/conf.h"
#include "psv/psv.h"

enum { NOTE_MAX = 256 };

static int open_folder(const struct psv *psv, const char *server)
{
	char path[PATH_MAX];

	(void)str_format(path, sizeof(path), "%s/servers/%s", psv->lib, server);
	return dir_open(AT_FDCWD, path);
}

static bool read_note(const struct psv *psv, const struct conf *conf, const char *note, char text[NOTE_MAX])
{
	_cleanup_close_ int dir = open_folder(psv, conf->name);

	return dir >= 0 && file_read_small(dir, note, text, NOTE_MAX) == 0;
}

bool samba_note_is(const struct psv *psv, const struct conf *conf, const char *note, const char *text)
{
	_cleanup_free_ char *want = xasprintf("%s %s", conf->volumes[0].uuid, text);
	char found[NOTE_MAX];

	return read_note(psv, conf, note, found) && strcmp(found, want) == 0;
}

bool samba_note_there(const struct psv *psv, const struct conf *conf, const char *note)
{
	char found[NOTE_MAX];

	return read_note(psv, conf, note, found) && str_starts(found, conf->volumes[0].uuid);
}

void samba_note_take(const struct psv *psv, const struct conf *conf, const char *note, const char *text)
{
	_cleanup_close_ int dir = open_folder(psv, conf->name);
	_cleanup_free_ char *line = xasprintf("%s %s", conf->volumes[0].uuid, text);

	if (dir >= 0)
		(void)file_write_atomic_at(dir, note, line, strlen(line), 0600);
}
