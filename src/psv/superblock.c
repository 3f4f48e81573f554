/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Superblocks of ext4 (linux fs/ext4/ext4.h, struct ext4_super_block) and xfs (fs/xfs/libxfs/xfs_format.h,
 * struct xfs_dsb), as far as struct superblock needs.  The disk is hostile: nothing read here is used as a length or an
 * index, only compared. */
#include "psv/superblock.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "psv/crc32c.h"

enum {
	SB_READ_BYTES = 4096,

	EXT4_AT = 1024,
	EXT4_MAGIC = 0xef53,
	EXT4_STATE_VALID = 1,
	EXT4_STATE_ERRORS = 2,
	EXT4_COMPAT_HAS_JOURNAL = 0x4,
	EXT4_INCOMPAT_JOURNAL_DEV = 0x8,
	EXT4_INCOMPAT_64BIT = 0x80,
	EXT4_RO_METADATA_CSUM = 0x400,
	EXT4_JOURNAL_INODE = 8,

	XFS_SB_CRC_AT = 224,
	XFS_VERSION_MASK = 0xf,
	XFS_VERSION_5 = 5,
};

static uint16_t le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t le32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint32_t be32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static uint64_t be64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

static void uuid_text(const uint8_t u[16], char buf[37])
{
	(void)snprintf(buf, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1],
		       u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
}

/* A superblock can name a journal on another device, and mount options, which the kernel takes with the Psv's rights. */
static const char *ext4_hazard(const uint8_t *sb)
{
	if (le32(sb + 0x60) & EXT4_INCOMPAT_JOURNAL_DEV)
		return "it is the journal of another filesystem";
	if (le32(sb + 0x5c) & EXT4_COMPAT_HAS_JOURNAL && (le32(sb + 0xe0) != EXT4_JOURNAL_INODE || le32(sb + 0xe4) != 0))
		return "its journal lies on another device";
	if (sb[0x200] != '\0')
		return "its superblock carries mount options";
	return NULL;
}

static int ext4_parse(const uint8_t *sb, struct superblock *ret)
{
	uint64_t blocks = le32(sb + 0x04);
	uint32_t log_block = le32(sb + 0x18);
	uint16_t state = le16(sb + 0x3a);

	if (le16(sb + 0x38) != EXT4_MAGIC || log_block > 6)
		return 1;
	if (le32(sb + 0x60) & EXT4_INCOMPAT_64BIT)
		blocks |= (uint64_t)le32(sb + 0x150) << 32;
	if (blocks == 0 || blocks > (uint64_t)INT64_MAX >> (10 + log_block))
		return 1;
	*ret = (struct superblock){
		.fs = CONF_FS_EXT4,
		.block_bytes = 1024u << log_block,
		.bytes = blocks << (10 + log_block),
		.intact = !(le32(sb + 0x64) & EXT4_RO_METADATA_CSUM) || crc32c(~0u, sb, 0x3fc) == le32(sb + 0x3fc),
		.hazard = ext4_hazard(sb),
	};
	ret->clean = ret->intact && state & EXT4_STATE_VALID && !(state & EXT4_STATE_ERRORS);
	uuid_text(sb + 0x68, ret->uuid);
	return 0;
}

/* The checksum goes over the whole sector, so a sector must not be longer than what was read. */
static bool xfs_is_intact(const uint8_t *sb, uint16_t sector_bytes)
{
	static const uint8_t zero[4];
	uint32_t crc;

	if (sector_bytes < 512 || sector_bytes > SB_READ_BYTES)
		return false;
	crc = crc32c(~0u, sb, XFS_SB_CRC_AT);
	crc = crc32c(crc, zero, sizeof(zero));
	crc = crc32c(crc, sb + XFS_SB_CRC_AT + 4, (size_t)sector_bytes - XFS_SB_CRC_AT - 4);
	return ~crc == le32(sb + XFS_SB_CRC_AT);
}

static int xfs_parse(const uint8_t *sb, struct superblock *ret)
{
	uint32_t block_bytes = be32(sb + 4);
	uint64_t blocks = be64(sb + 8);
	bool v5 = (sb[101] & XFS_VERSION_MASK) == XFS_VERSION_5;

	if (memcmp(sb, "XFSB", 4) != 0)
		return 1;
	if (block_bytes < 512 || block_bytes > 65536 || (block_bytes & (block_bytes - 1)) || blocks == 0 ||
	    blocks > (uint64_t)INT64_MAX / block_bytes)
		return 1;
	*ret = (struct superblock){
		.fs = CONF_FS_XFS,
		.block_bytes = block_bytes,
		.bytes = blocks * block_bytes,
		.imax_percent = sb[127],
		.intact = !v5 || xfs_is_intact(sb, (uint16_t)(sb[102] << 8 | sb[103])),
		.hazard = be64(sb + 48) == 0 ? "its log lies on another device" : NULL,
	};
	/* A log that is to be replayed is the mount's work; there is no other flag. */
	ret->clean = ret->intact;
	uuid_text(sb + 32, ret->uuid);
	return 0;
}

int superblock_parse(const uint8_t block[4096], struct superblock *ret)
{
	if (xfs_parse(block, ret) == 0)
		return 0;
	return ext4_parse(block + EXT4_AT, ret);
}

int superblock_read(int fd, uint64_t offset, struct superblock *ret)
{
	uint8_t block[SB_READ_BYTES];
	size_t len = 0;

	while (len < sizeof(block)) {
		ssize_t n = pread(fd, block + len, sizeof(block) - len, (off_t)(offset + len));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 1;
		len += (size_t)n;
	}
	return superblock_parse(block, ret);
}
