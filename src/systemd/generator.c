/* SPDX-License-Identifier: GPL-2.0-or-later */
/* systemd.generator(7): has vnas.target want vnas@NAME.service for every server with autostart = yes.  Runs early in the
 * boot and at each daemon-reload, so it reads /etc/vnas and writes nothing but links into the folder that it is given.
 *
 *     vnas-generator NORMAL_DIR [EARLY_DIR LATE_DIR] */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "psv/conf.h"
#include "psv/psv.h"

#define WANTS "vnas.target.wants"

/* wanted: one that cannot be read is, so that its unit says what is wrong with it. */
static bool wanted(const struct psv *psv, const char *name)
{
	char path[PATH_MAX];
	struct conf conf;
	bool ret = conf_read(psv_conf_path(psv, name, path), name, &conf, NULL) < 0 || conf.autostart;

	conf_free(&conf);
	return ret;
}

static int add_link(int dir, const char *name, struct err *err)
{
	char link[VSV_NAME_MAX + 32];

	(void)str_format(link, sizeof(link), WANTS "/vnas@%s.service", name);
	if (mkdirat(dir, WANTS, 0755) < 0 && errno != EEXIST)
		return err_set(err, -errno, "cannot make " WANTS ": %m");
	if (symlinkat(VNAS_UNITDIR "/vnas@.service", dir, link) < 0 && errno != EEXIST)
		return err_set(err, -errno, "cannot make %s: %m", link);
	return 0;
}

static int generate(const char *path, struct err *err)
{
	_cleanup_strlist_ struct strlist names = { 0 };
	_cleanup_close_ int dir = dir_open(AT_FDCWD, path);
	struct psv psv;
	int r;

	if (dir < 0)
		return err_set(err, dir, "cannot open %s: %m", path);
	r = psv_paths(&psv, err); /* not psv_open: no folder is made while the root may be read-only still */
	if (r == 0)
		r = psv_list(&psv, &names, err);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		if (wanted(&psv, names.v[i]))
			r = add_link(dir, names.v[i], err);
	return r;
}

int main(int argc, char **argv)
{
	struct err err = { 0 };

	if (argc < 2) {
		(void)fputs("usage: vnas-generator NORMAL_DIR [EARLY_DIR LATE_DIR]\n", stderr);
		return VNAS_EXIT_USAGE;
	}
	if (generate(argv[1], &err) < 0) {
		(void)fprintf(stderr, "vnas-generator: %s\n", err.text);
		return VNAS_EXIT_FAILED;
	}
	return VNAS_EXIT_OK;
}
