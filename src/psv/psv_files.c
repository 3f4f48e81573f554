/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A Vsv's two places on the Psv: its configuration, and its folder LIB/servers/NAME. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "psv/psv.h"

int psv_conf_text(const struct psv *psv, const char *name, char **ret, size_t *ret_len, struct err *err)
{
	char path[PATH_MAX];
	int r = file_read_at(AT_FDCWD, psv_conf_path(psv, name, path), CONF_MAX_BYTES, ret, ret_len);

	return r < 0 ? err_set(err, r, "cannot read %s: %m", path) : 0;
}

int psv_conf_load(const struct psv *psv, const char *name, char **ret_text, struct conf *ret, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	struct conf ignored = { 0 };
	char path[PATH_MAX];
	size_t len;
	int r = psv_conf_text(psv, name, &text, &len, err);

	if (r < 0)
		return r;
	/* By its whole length: a NUL byte in it is an error and not an end. */
	r = conf_parse(text, len, psv_conf_path(psv, name, path), name, ret ? ret : &ignored, err);
	if (r < 0)
		return r;
	conf_free(&ignored);
	if (ret_text)
		*ret_text = steal_ptr(&text);
	return 0;
}

int psv_conf_write(const struct psv *psv, const char *name, const char *text, struct err *err)
{
	_cleanup_close_ int etc = dir_open(AT_FDCWD, psv->etc);
	char file[VSV_NAME_MAX + 8];
	int r;

	(void)str_format(file, sizeof(file), "%s.conf", name);
	r = etc < 0 ? etc : file_write_atomic_at(etc, file, text, strlen(text), 0600);
	return r < 0 ? err_set(err, r, "cannot write %s/%s: %m", psv->etc, file) : 0;
}

void psv_conf_sweep(const struct psv *psv, const char *name)
{
	char path[PATH_MAX];

	if (str_format(path, sizeof(path), "%s/.%s.conf.new", psv->etc, name))
		(void)unlink(path);
}

int psv_server_dir(const struct psv *psv, const char *name, struct err *err)
{
	char path[PATH_MAX];
	int r, fd;

	(void)str_format(path, sizeof(path), "%s/servers/%s", psv->lib, name);
	r = dir_make_path(path, 0700);
	fd = r < 0 ? r : dir_open(AT_FDCWD, path);
	return fd < 0 ? err_set(err, fd, "cannot make %s: %m", path) : fd;
}
