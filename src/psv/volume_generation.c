/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The generations of a Vsv's volumes: the order that psv/volume.h promises. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "psv/psv.h"
#include "psv/volume.h"

static const char file_name[] = "generation";

static int known_dir(const struct psv *psv, const char *server, bool make, char buf[PATH_MAX])
{
	int r = 0;

	if (!str_format(buf, PATH_MAX, "%s/servers/%s", psv->lib, server))
		return -ENAMETOOLONG;
	if (make)
		r = dir_make_path(buf, 0700);
	return r < 0 ? r : dir_open(AT_FDCWD, buf);
}

int volume_generation_known(const struct psv *psv, const char *server, uint64_t *ret, struct err *err)
{
	char path[PATH_MAX], text[32];
	_cleanup_close_ int dir = known_dir(psv, server, false, path);
	uint64_t v;
	int r = dir < 0 ? dir : file_read_small(dir, file_name, text, sizeof(text));

	if (r == -ENOENT) {
		*ret = 0;
		return 0;
	}
	if (r == 0)
		r = parse_u64(text, UINT64_MAX, &v);
	if (r < 0)
		return err_set(err, r, "cannot read %s/%s: %m", path, file_name);
	*ret = v;
	return 0;
}

int volume_generation_remember(const struct psv *psv, const char *server, uint64_t generation, struct err *err)
{
	char path[PATH_MAX], text[32];
	_cleanup_close_ int dir = known_dir(psv, server, true, path);
	int r = dir;

	if (r >= 0) {
		(void)snprintf(text, sizeof(text), "%" PRIu64 "\n", generation);
		r = file_write_atomic_at(dir, file_name, text, strlen(text), 0600);
	}
	return r < 0 ? err_set(err, r, "cannot write %s/%s: %m", path, file_name) : 0;
}

static int too_old(const struct volume *v, uint64_t than, struct err *err)
{
	(void)err_set(err, -ESTALE, "volume %s: %s is an older copy: generation %" PRIu64 ", and %" PRIu64 " is the newest",
		      v->conf->name, v->path, v->label.generation, than);
	return err_hint(err, -ESTALE, "bring the newest copy back");
}

int volumes_check(const struct psv *psv, const struct volume *volumes, size_t n, struct err *err)
{
	uint64_t root = volumes[0].label.generation, known;
	int r = volume_generation_known(psv, volumes[0].label.server, &known, err);

	if (r < 0)
		return r;
	if (root < known)
		return too_old(&volumes[0], known, err);
	for (size_t i = 1; i < n; i++) {
		if (volumes[i].label.generation < root)
			return too_old(&volumes[i], root, err);
		if (volumes[i].label.generation > root + 1)
			return too_old(&volumes[0], volumes[i].label.generation, err);
	}
	return 0;
}

int volume_set_generation(struct volume *v, uint64_t generation, const char *conf_text, struct err *err)
{
	struct label l = v->label;
	int r;

	l.generation = generation;
	l.conf = xstrdup(conf_text);
	r = label_write(v->backing_fd, &l, err);
	if (r < 0) {
		free(l.conf);
		return err_wrap(err, r, "volume %s (%s)", v->conf->name, v->path);
	}
	free(v->label.conf);
	v->label = l;
	return 0;
}

int volumes_advance(const struct psv *psv, struct volume *volumes, size_t n, const char *conf_text, struct err *err)
{
	uint64_t next = volumes[0].label.generation + 1;

	for (size_t i = n; i > 0; i--) {
		int r = volume_set_generation(&volumes[i - 1], next, conf_text, err);

		if (r < 0)
			return r;
	}
	return volume_generation_remember(psv, volumes[0].label.server, next, err);
}

int volume_store_conf(const struct psv *psv, const char *server, const struct conf_volume *root, const char *conf_text,
		      struct err *err)
{
	struct volume v = { .conf = root, .backing_fd = -1, .device_fd = -1, .mount_fd = -1 };
	int r = volume_path(psv, server, root, v.path, sizeof(v.path), err);

	if (r < 0)
		return r;
	v.backing_fd = open(v.path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	r = v.backing_fd < 0 ? err_set(err, -errno, "cannot open %s: %m", v.path) : label_read(v.backing_fd, &v.label, err);
	if (r == 0 && (strcmp(v.label.server, server) != 0 || strcmp(v.label.role, root->name) != 0))
		r = 1;
	if (r > 0)
		r = err_set(err, -EUCLEAN, "%s does not carry this volume's label", v.path);
	if (r == 0)
		r = volume_set_generation(&v, v.label.generation, conf_text, err);
	volume_close(&v);
	return r;
}
