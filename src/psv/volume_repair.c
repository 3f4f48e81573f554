/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a start never does by itself, because something can be lost by it: it is done on the administrator's word. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/str.h"
#include "psv/label.h"
#include "psv/mkfs.h"
#include "psv/psv.h"
#include "psv/volume_internal.h"

/* Opened and locked, whatever its label says. */
static int hold(struct volume *v, struct err *err)
{
	struct blockdev b;
	int r;

	if (!v->conf->device) {
		v->backing_fd = image_open(v->path, err);
		return v->backing_fd < 0 ? v->backing_fd : 0;
	}
	r = blockdev_open(v->path, true, &b, err);
	if (r == 0)
		v->backing_fd = b.fd;
	return r;
}

/* The label is written anew only for a filesystem that is beyond doubt this volume's: its UUID stands in the
 * configuration, and its superblock is whole. */
static int make_label(const struct psv *psv, const char *server, struct volume *v, const char *conf_text, struct err *err)
{
	uint64_t offset = v->conf->device ? 0 : LABEL_BYTES, size_bytes, known;
	struct superblock sb;
	struct label l = { .fs_offset = offset, .conf = (char *)(uintptr_t)conf_text };
	int r = superblock_read(v->backing_fd, offset, &sb);

	if (r != 0 || !sb.intact || !v->conf->uuid[0] || strcmp(sb.uuid, v->conf->uuid) != 0)
		return err_set(err, -EUCLEAN, "%s: its label is lost, and its filesystem is not the one that the configuration names",
			       v->path);
	r = fd_size(v->backing_fd, &size_bytes);
	if (r < 0)
		return err_set(err, r, "cannot read the size of %s: %m", v->path);
	if (sb.bytes + LABEL_BYTES > size_bytes)
		return err_set(err, -EUCLEAN, "%s is cut off: its filesystem is longer", v->path);
	r = volume_generation_known(psv, server, &known, err);
	if (r < 0)
		return r;
	l.fs_bytes = round_down_mib(size_bytes) - LABEL_BYTES;
	l.generation = known ? known : 1;
	memcpy(l.uuid, sb.uuid, sizeof(l.uuid));
	if (!str_copy(l.server, sizeof(l.server), server) || !str_copy(l.role, sizeof(l.role), v->conf->name))
		return err_set(err, -ENAMETOOLONG, "its name is too long");
	return label_write(v->backing_fd, &l, err);
}

/* An image that was cut short is as long again as its label says; what stood there is zero.  VOLUME_REPAIRED; 0. */
static int make_whole(const struct psv *psv, const struct volume *v, struct err *err)
{
	uint64_t want = v->label.fs_offset + v->label.fs_bytes;
	struct stat st;
	int r;

	if (v->conf->device)
		return 0;
	if (fstat(v->backing_fd, &st) < 0)
		return err_set(err, -errno, "cannot look at %s: %m", v->path);
	if ((uint64_t)st.st_size >= want)
		return 0;
	r = image_extend(psv, v, (uint64_t)st.st_size, want, err);
	return r < 0 ? r : VOLUME_REPAIRED;
}

/* 0: label and length are right; VOLUME_REPAIRED: they are now. */
static int repair_label(const struct psv *psv, const char *server, const struct conf_volume *v, const char *conf_text,
			struct err *err)
{
	struct volume vol;
	int r = volume_init(psv, server, v, &vol, err);

	if (r == 0)
		r = hold(&vol, err);
	if (r == 0) {
		r = label_read(vol.backing_fd, &vol.label, err);
		if (r == -EBADMSG || r == 1) {
			r = make_label(psv, server, &vol, conf_text, err);
			r = r < 0 ? r : VOLUME_REPAIRED;
		} else if (r == 0 && strcmp(vol.label.server, server) == 0 && strcmp(vol.label.role, v->name) == 0) {
			r = make_whole(psv, &vol, err);
		}
	}
	volume_close(&vol);
	return r;
}

static int repair_filesystem(const struct psv *psv, const char *server, const struct conf_volume *v, struct err *err)
{
	struct volume vol;
	int repaired = 0, r = volume_open(psv, server, v, 0, &vol, err);

	if (r < 0)
		return r;
	r = volume_release_claim(&vol, err);
	/* A log is to be replayed by the kernel first; if the filesystem is too damaged for that, the check decides what becomes of
	 * it.  Any other failure of the mount says nothing about the log, which would be thrown away. */
	if (r == 0 && v->fs == CONF_FS_XFS) {
		r = volume_mount(&vol, err);
		if (r >= 0) {
			cleanup_close(&vol.mount_fd);
			vol.mount_fd = -1;
		}
		if (r >= 0 || volume_is_damage(r)) {
			err_clear(err);
			r = 0;
		}
	}
	if (r == 0)
		repaired = mkfs_repair(v->fs, vol.device, err);
	if (r == 0)
		r = repaired < 0 ? repaired : volume_mount(&vol, err);
	volume_close(&vol);
	return r < 0 ? r : repaired || r ? VOLUME_REPAIRED : 0;
}

int volume_repair(const struct psv *psv, const char *server, const struct conf_volume *v, const char *conf_text,
		  struct err *err)
{
	int label = repair_label(psv, server, v, conf_text, err);
	int r = label < 0 ? label : repair_filesystem(psv, server, v, err);

	if (r < 0)
		return err_wrap(err, r, "volume %s", v->name);
	return label || r ? VOLUME_REPAIRED : 0;
}
