/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Volumes: block devices from a pool, each with a filesystem and, outside it, a label.
 *
 * The label is one MiB that the Psv can read without mounting what may be hostile, and that a tenant cannot reach.  It
 * carries the Vsv's name, the volume's role, the filesystem's UUID, the generation and a copy of the configuration.  An
 * image begins with it, and the loop device begins behind it, so that growing never moves it and a tenant who reads the
 * device does not see it.  A device as it is ends with it: the filesystem is that much smaller; there a tenant can read
 * its own label, and write neither.  (A device also still holds what was on it before, in the blocks that the new
 * filesystem does not use, and its tenant can read those: give a device that served somebody else only after
 * `blkdiscard -z`.)
 *
 * One lock per volume lives exactly as long as its device: flock(2) on the image, through the open file that the loop
 * device keeps (loop(4)); O_EXCL on a block device (open(2)), which the mount takes over as its own claim.
 *
 * Generations.  The root volume's label is the authority.  volumes_advance() writes the data volumes' labels first and
 * the root's last, each durable before the next, all with the root's generation + 1.  So a kill in between leaves every
 * data volume with the root's generation or with one more, and the next start gives all of them the root's + 1 again.
 * Anything else is a copy that is older than the others, and volumes_check() refuses it.  This Psv also remembers the
 * highest generation that it has started (LIB/servers/NAME/generation), so that all volumes of one old copy together
 * are refused too. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "psv/conf.h"

struct err;
struct psv;

#define LABEL_BYTES (1024 * 1024)

struct label {
	char server[VSV_NAME_MAX + 1];
	char role[VOLUME_NAME_MAX + 1]; /* the volume's name */
	char uuid[37];                  /* of the filesystem */
	uint64_t generation;            /* counted up at every start and change of the configuration; 0: being made */
	uint64_t fs_offset;             /* where the filesystem begins: LABEL_BYTES in an image, 0 on a device */
	uint64_t fs_bytes;              /* its length */
	char *conf;                     /* a copy of NAME.conf */
};

/* label_read: 0; 1: there is no label (no error); -errno: damaged (checksum) or unreadable.  fd: image or device. */
int label_read(int fd, struct label *ret, struct err *err);
int label_write(int fd, const struct label *l, struct err *err); /* durable when it returns */
void label_free(struct label *l);

/* Outcomes that are no errors. */
enum {
	VOLUME_REPAIRED = 1,      /* volume_mount_end: a check ran and repaired something */
	VOLUME_POOL_FILLING = 2,  /* volume_check: granted, but the thin pool is over 80 % full; err says so */
	VOLUME_GROW_AT_START = 3, /* volume_grow: done, but the filesystem takes the space at the next start only */
};

/* One opened volume.  Closing its descriptors gives everything back by itself once no mount uses it: the loop device
 * clears itself (LO_FLAGS_AUTOCLEAR), and with it goes the lock. */
struct volume {
	const struct conf_volume *conf;
	char path[4096];   /* image or device */
	char device[64];   /* /dev/loopN, or the device's canonical path */
	dev_t rdev;        /* what the gate lets the tenant read */
	int backing_fd;    /* image (with the lock) or device */
	bool sparse;       /* the image has holes that could not be filled: its pool is not thin, but full */
	int device_fd;     /* loop device; -1 for a device as it is */
	int mount_fd;      /* detached mount of the whole filesystem; -1: not mounted */
	struct volume_mounting *mounting; /* between volume_mount_begin() and volume_mount_end() */
	struct label label;
};

/* volume_path: where the volume of that configuration lies (image in its pool, or device). */
int volume_path(const struct psv *psv, const char *server, const struct conf_volume *v, char *buf, size_t size,
		struct err *err);

/* volume_check: what create would refuse, without changing anything: size against the pool's free space (thin pools: 90
 * %), a foreign signature on the device (unless force), a use of the device, a file of that name.  0, VOLUME_POOL_FILLING or
 * -errno. */
int volume_check(const struct psv *psv, const char *server, const struct conf_volume *v, bool force, struct err *err);

/* volume_create: image preallocated (fallocate) or device, mkfs, label with generation 1.  For the root volume the five
 * folders etc, var, home, root, srv are made; for a data volume the folder "data".  Everything it made is gone again
 * when it fails.  A kill leaves nothing (the image has no name before it is whole), or on a pool without O_TMPFILE a file
 * IMAGE.new, which volume_sweep() removes; a device that was being made can be created again.  ret_uuid gets the
 * filesystem's. */
int volume_create(const struct psv *psv, const char *server, const struct conf_volume *v, const char *conf_text,
		  bool force, char ret_uuid[37], struct err *err);
int volume_sweep(const struct psv *psv, const char *server, struct err *err);

/* All of these name the volume in err themselves: no caller wraps that again. */
/* volume_open: takes the lock, attaches the loop device (direct I/O where the file system of the pool can), reads the
 * label, checks server, role and UUID (a swapped disk is refused) and generation (older than `generation` is refused;
 * 0: any).  -EBUSY with VNAS_EXIT_IN_USE: somebody has it. */
int volume_open(const struct psv *psv, const char *server, const struct conf_volume *v, uint64_t generation,
		struct volume *ret, struct err *err);
/* volume_mount_begin: reads the clean flag from the superblock, runs fsck if it is not clean, and begins to mount detached
 * (fsopen…fsmount; nodev, nosuid, errors=remount-ro for ext4): see fs_mount_begin() for what the caller may do meanwhile.
 * 0 or -errno.
 * volume_mount_end: the mount into v->mount_fd.  Completes a growth that was interrupted.  VOLUME_REPAIRED; 0; -errno.
 * volume_mount: both. */
int volume_mount_begin(struct volume *v, struct err *err);
int volume_mount_end(struct volume *v, struct err *err);
int volume_mount(struct volume *v, struct err *err);
/* volume_is_damage: that a mount failed with that says that the filesystem is damaged: the kernel's words for what the superblock does
 * not show, and ours for what it does. */
bool volume_is_damage(int r);
/* volume_subtree: a detached clone (open_tree) of one folder of the filesystem, resolved without links and without
 * leaving it.  Descriptor or -errno. */
int volume_subtree(const struct volume *v, const char *folder, struct err *err);
/* volumes_check: whether the opened volumes of one Vsv belong together, and are not older than this Psv knows; [0] is the
 * root.  volumes_advance: gives all of them the next generation and that configuration, and remembers it here.
 * volume_generation_known: 0: none. */
int volumes_check(const struct psv *psv, const struct volume *volumes, size_t n, struct err *err);
int volumes_advance(const struct psv *psv, struct volume *volumes, size_t n, const char *conf_text, struct err *err);
int volume_generation_known(const struct psv *psv, const char *server, uint64_t *ret, struct err *err);
int volume_generation_remember(const struct psv *psv, const char *server, uint64_t generation, struct err *err);
/* volume_store_conf: the copy of the configuration that adopting reads, after a change, of a running or a stopped server.
 * The generation stays.  The caller holds the server's lock. */
int volume_store_conf(const struct psv *psv, const char *server, const struct conf_volume *root, const char *conf_text,
		      struct err *err);
/* volume_set_generation: one label, durable when it returns. */
int volume_set_generation(struct volume *v, uint64_t generation, const char *conf_text, struct err *err);
void volume_close(struct volume *v); /* also of one that is `{ 0 }` */
/* volume_is_ours: 1 if what lies at its path is labelled as this server's volume of that name; 0; -errno: that cannot be seen. */
int volume_is_ours(const struct psv *psv, const char *server, const struct conf_volume *v, struct err *err);
/* volume_wait_gone: after its last user died, waits until the lock can be had again.  0 or -ETIME. */
int volume_wait_gone(const struct psv *psv, const char *server, const struct conf_volume *v, int timeout_ms,
		     struct err *err);
/* volume_is_held: true if somebody holds its lock now. */
bool volume_is_held(const struct psv *psv, const char *server, const struct conf_volume *v);

/* volume_grow: to size_bytes, stopped or running (running_fs_fd: a descriptor on the running mount, or -1).  A size below
 * the present one is refused.  A device takes what it has now (size_bytes 0).  A kill in between leaves the old or the
 * new size for the next command.  0, VOLUME_GROW_AT_START or -errno. */
int volume_grow(const struct psv *psv, const char *server, const struct conf_volume *v, uint64_t size_bytes,
		int running_fs_fd, struct err *err);

/* volume_repair: of a stopped volume, on the administrator's word: checks the filesystem wholly and answers every question
 * with yes (e2fsck -f -y; xfs_repair, with the log thrown away if it cannot be replayed), so data can be lost; writes a
 * label that is lost anew, if the filesystem is the one that the configuration names; and makes an image that was cut short
 * as long again as its label says.  VOLUME_REPAIRED; 0: nothing was wrong; -errno. */
int volume_repair(const struct psv *psv, const char *server, const struct conf_volume *v, const char *conf_text,
		  struct err *err);

/* volume_purge: deletes an image, or wipes the signatures of a device.  volume_orphan: leaves it where it is; the label
 * makes it an orphan.  volume_orphans: every labelled image in the file pools that no Vsv of this Psv names. */
int volume_purge(const struct psv *psv, const char *server, const struct conf_volume *v, struct err *err);
struct orphan {
	char path[4096];
	struct label label;
	uint64_t size_bytes;
};
/* volume_find_conf: the copy of the configuration on the server's root volume, if that is an image in a pool.  0; 1: none. */
int volume_find_conf(const struct psv *psv, const char *server, char **ret);
int volume_orphans(const struct psv *psv, struct orphan **ret, size_t *ret_n, struct err *err);
void orphans_free(struct orphan *o, size_t n);
