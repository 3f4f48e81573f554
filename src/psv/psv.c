/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The folders of the physical server. */
#include "psv/psv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fd.h"

/* Where a Vsv's folders and files lie below these: the longest is RUN/locks/NAME.lock, and cgroup and bpf names
 * follow. */
enum { PREFIX_MAX_BYTES = 1024 };

static int read_prefix(char *buf, size_t size, struct err *err)
{
	const char *s = getenv("VNAS_PREFIX");
	size_t n = s ? strlen(s) : 0;

	while (n > 0 && s[n - 1] == '/')
		n--;
	buf[0] = '\0';
	if (!s || !*s)
		return 0;
	if (*s != '/')
		return err_exit(err, VNAS_EXIT_USAGE, -EINVAL, "VNAS_PREFIX is '%.200s': expected an absolute path", s);
	if (n >= size)
		return err_exit(err, VNAS_EXIT_USAGE, -ENAMETOOLONG, "VNAS_PREFIX is longer than %zu bytes", size - 1);
	memcpy(buf, s, n);
	buf[n] = '\0';
	return 0;
}

/* FNV-1a: short, stable, and two prefixes of one machine will not meet. */
static uint32_t hash(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h;
}

static int make_folder(const char *base, const char *below, mode_t mode, struct err *err)
{
	char path[PATH_MAX], *slash;
	int r;

	if (!str_format(path, sizeof(path), "%s%s", base, below))
		return err_set(err, -ENAMETOOLONG, "the path %s is too long", base);
	if (access(path, F_OK) == 0)
		return 0;
	/* What lies above (PREFIX/etc, PREFIX/var/lib) is for all to pass through. */
	slash = strrchr(path, '/');
	*slash = '\0';
	r = *path ? dir_make_path(path, 0755) : 0;
	*slash = '/';
	if (r == 0)
		r = dir_make_path(path, mode);
	return r < 0 ? err_set(err, r, "cannot make the folder %s: %m", path) : 0;
}

static int make_folders(const struct psv *psv, struct err *err)
{
	const struct {
		const char *base, *below;
		mode_t mode;
	} folders[] = {
		{ psv->etc, "", 0755 }, { psv->lib, "", 0700 }, { psv->lib, "/servers", 0700 },
		{ psv->run, "", 0700 }, { psv->run, "/locks", 0700 },
	};

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		int r = make_folder(folders[i].base, folders[i].below, folders[i].mode, err);

		if (r < 0)
			return r;
	}
	return 0;
}

int psv_paths(struct psv *ret, struct err *err)
{
	char prefix[PREFIX_MAX_BYTES];
	struct psv psv = { 0 };
	int r = read_prefix(prefix, sizeof(prefix), err);

	if (r < 0)
		return r;
	(void)str_format(psv.etc, sizeof(psv.etc), "%s/etc/vnas", prefix);
	(void)str_format(psv.lib, sizeof(psv.lib), "%s/var/lib/vnas", prefix);
	(void)str_format(psv.run, sizeof(psv.run), "%s/run/vnas", prefix);
	(void)str_copy(psv.tag, sizeof(psv.tag), "vnas");
	if (*prefix)
		(void)str_format(psv.tag, sizeof(psv.tag), "vnas-%08x", hash(prefix));
	*ret = psv;
	return 0;
}

int psv_open(struct psv *ret, struct err *err)
{
	char path[PATH_MAX];
	struct psv psv;
	int r = psv_paths(&psv, err);

	if (r < 0)
		return r;
	if (geteuid() == 0) {
		r = make_folders(&psv, err);
		if (r < 0)
			return r;
	}
	(void)str_format(path, sizeof(path), "%s/vnas.conf", psv.etc);
	r = conf_psv_read(path, psv.lib, &psv.conf, err);
	if (r < 0)
		return r;
	*ret = psv;
	return 0;
}

void psv_close(struct psv *psv)
{
	conf_psv_free(&psv->conf);
	*psv = (struct psv){ 0 };
}

char *psv_conf_path(const struct psv *psv, const char *name, char buf[PATH_MAX])
{
	(void)str_format(buf, PATH_MAX, "%s/%s.conf", psv->etc, name);
	return buf;
}
