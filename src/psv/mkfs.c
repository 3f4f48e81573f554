/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options are fixed and complete: what /etc/mke2fs.conf or a newer xfsprogs would choose does not matter, so that a
 * volume made here mounts on every kernel from 6.1 on.  Blocks and xfs sectors are 4096 bytes, as the loop device has.
 *
 * What checks or resizes reads a filesystem that may be hostile, so it is confined: it can write that device only.
 * xfs_repair keeps CAP_SYS_ADMIN, because it fails when it cannot flush the device (BLKFLSBUF). */
#include "psv/mkfs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "lib/err.h"
#include "lib/process.h"
#include "lib/str.h"
#include "psv/volume.h"

#define MIB UINT64_C(1048576)

enum { BLOCK_BYTES = 4096, CHECK_TIMEOUT_MS = 24 * 3600 * 1000 };

uint64_t mkfs_min_bytes(enum conf_fs fs, bool is_root)
{
	/* mkfs.xfs refuses less than 300 MiB. */
	if (fs == CONF_FS_XFS)
		return 300 * MIB + LABEL_BYTES;
	return (is_root ? 32 : 16) * MIB;
}

/* On an image every block reads zero because it was never written (fallocate) or is a hole: nothing stale can show, so
 * neither the journal nor the inode tables are written, now or later by the kernel's thread.  On a device the inode
 * tables are cleared in the background after the first mount (lazy_itable_init), the journal at once. */
static int make_ext4(const char *device, const char *uuid, uint64_t bytes, bool zeroed, struct err *err)
{
	static const char features[] =
		"none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,"
		"large_file,huge_file,dir_nlink,extra_isize,metadata_csum";
	const char *extended = zeroed ? "nodiscard,assume_storage_prezeroed=1,root_owner=0:0"
				      : "lazy_itable_init=1,lazy_journal_init=0,root_owner=0:0";
	/* A small volume holds small files: /etc, /var. */
	const char *bytes_per_inode = bytes < 1024 * MIB ? "8192" : "16384";
	char blocks[24];
	const char *const argv[] = { "mkfs.ext4", "-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256",
				     "-i", bytes_per_inode, "-m", "1", "-e", "remount-ro", "-O", features,
				     "-E", extended, "-U", uuid, device, blocks, NULL };

	(void)snprintf(blocks, sizeof(blocks), "%" PRIu64, bytes / BLOCK_BYTES);
	return run(argv, NULL, err);
}

static int make_xfs(const char *device, const char *uuid, uint64_t bytes, bool zeroed, struct err *err)
{
	char data[48], meta[128];
	const char *const keep[] = { "mkfs.xfs", "-q", "-f", "-K", "-b", "size=4096", "-s", "size=4096", "-d", data,
				     "-m", meta, "-i", "size=512,nrext64=0", device, NULL };
	const char *const discard[] = { "mkfs.xfs", "-q", "-f", "-b", "size=4096", "-s", "size=4096", "-d", data,
					"-m", meta, "-i", "size=512,nrext64=0", device, NULL };

	(void)snprintf(data, sizeof(data), "size=%" PRIu64, bytes);
	(void)snprintf(meta, sizeof(meta), "crc=1,finobt=1,rmapbt=0,reflink=1,bigtime=1,inobtcount=1,uuid=%s", uuid);
	return run(zeroed ? keep : discard, NULL, err);
}

int mkfs_make(enum conf_fs fs, const char *device, const char uuid[37], uint64_t bytes, bool zeroed, struct err *err)
{
	int r = fs == CONF_FS_XFS ? make_xfs(device, uuid, bytes, zeroed, err)
				  : make_ext4(device, uuid, bytes, zeroed, err);

	if (r == -ENOENT)
		return err_hint(err, r, "install the package %s", fs == CONF_FS_XFS ? "xfsprogs" : "e2fsprogs");
	return r;
}

/* Exit status of e2fsck(8): 1 errors corrected, 2 reboot (not for an unmounted one), 4 errors left. */
static int check_ext4(const char *device, bool force, struct err *err)
{
	const char *const argv[] = { "e2fsck", "-p", force ? "-f" : device, force ? device : NULL, NULL };
	struct run_opts opts = { .timeout_ms = CHECK_TIMEOUT_MS, .accept_status = true, .confine = device };
	int r = run(argv, &opts, err);

	if (r < 0)
		return r;
	if (r & ~3)
		return err_set(err, -EUCLEAN, "e2fsck cannot repair it without a decision (status %d)", r);
	return r & 1;
}

/* xfs_repair(8) never works on a log that is to be replayed: it then ends with 2. */
static int check_xfs(const char *device, struct err *err)
{
	const char *const argv[] = { "xfs_repair", device, NULL };
	struct run_opts opts = { .timeout_ms = CHECK_TIMEOUT_MS, .accept_status = true, .confine = device,
				 .confine_admin = true };
	int r = run(argv, &opts, err);

	if (r < 0)
		return r;
	if (r)
		return err_set(err, -EUCLEAN, "xfs_repair cannot repair it without a decision (status %d)", r);
	return 1;
}

int mkfs_check(enum conf_fs fs, const char *device, bool force, struct err *err)
{
	return fs == CONF_FS_XFS ? check_xfs(device, err) : check_ext4(device, force, err);
}

static int repair_ext4(const char *device, struct err *err)
{
	const char *const argv[] = { "e2fsck", "-f", "-y", device, NULL };
	struct run_opts opts = { .timeout_ms = CHECK_TIMEOUT_MS, .accept_status = true, .confine = device };
	int r = run(argv, &opts, err);

	if (r < 0)
		return r;
	return r & ~3 ? err_set(err, -EUCLEAN, "e2fsck cannot repair it (status %d)", r) : r & 1;
}

/* Only with -n does xfs_repair tell by its status whether anything is wrong; -L throws a log away that cannot be
 * replayed. */
static int repair_xfs(const char *device, struct err *err)
{
	const char *const look[] = { "xfs_repair", "-n", device, NULL };
	const char *const repair[] = { "xfs_repair", "-L", device, NULL };
	struct run_opts opts = { .timeout_ms = CHECK_TIMEOUT_MS, .accept_status = true, .confine = device,
				 .confine_admin = true };
	int r = run(look, &opts, err);

	if (r <= 0)
		return r;
	r = run(repair, &opts, err);
	if (r < 0)
		return r;
	return r ? err_set(err, -EUCLEAN, "xfs_repair cannot repair it (status %d)", r) : 1;
}

int mkfs_repair(enum conf_fs fs, const char *device, struct err *err)
{
	return fs == CONF_FS_XFS ? repair_xfs(device, err) : repair_ext4(device, err);
}

int mkfs_enlarge_ext4(const char *device, uint64_t bytes, struct err *err)
{
	char blocks[24];
	const char *const argv[] = { "resize2fs", device, blocks, NULL };
	struct run_opts opts = { .timeout_ms = CHECK_TIMEOUT_MS, .confine = device };
	int r;

	(void)snprintf(blocks, sizeof(blocks), "%" PRIu64, bytes / BLOCK_BYTES);
	/* resize2fs wants a filesystem that was checked since its last mount. */
	r = mkfs_check(CONF_FS_EXT4, device, true, err);
	if (r < 0)
		return r;
	return run(argv, &opts, err);
}

int uuid_make(char ret[37], struct err *err)
{
	uint8_t u[16];

	if (getrandom(u, sizeof(u), 0) != sizeof(u))
		return err_set(err, -EIO, "cannot make a UUID: no random numbers");
	u[6] = (uint8_t)((u[6] & 0x0f) | 0x40);
	u[8] = (uint8_t)((u[8] & 0x3f) | 0x80);
	(void)snprintf(ret, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1],
		       u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
	return 0;
}
