/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the Psv reads of a disk before anybody agreed to it: labels and superblocks, on any bytes.  A hostile disk has
 * right checksums, so every input is tried once more with the checksum put right.  A label that is accepted is exactly
 * one that we would write. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "lib/cleanup.h"
#include "lib/str.h"
#include "psv/crc32c.h"
#include "psv/label.h"
#include "psv/superblock.h"

static void require(bool cond)
{
	if (!cond)
		abort();
}

static void parse(const uint8_t *slot, size_t len, uint64_t at)
{
	_cleanup_free_ uint8_t *again = NULL;
	struct label l = { 0 };
	uint64_t sequence;
	size_t again_len, used;
	int r = label_parse(slot, len, at, &l, &sequence);

	if (r != 0) {
		require(!l.conf);
		return;
	}
	require(l.fs_bytes && l.fs_bytes % LABEL_BYTES == 0 && label_offset(l.fs_offset, l.fs_bytes) == at);
	require(label_build(&l, sequence, &again, &again_len) == 0);
	used = LABEL_HEADER_BYTES + strlen(l.conf);
	require(used <= len && used <= again_len && memcmp(slot, again, used) == 0);
	label_free(&l);
}

static void parse_with_right_checksum(const uint8_t *data, size_t len, uint64_t at)
{
	_cleanup_free_ uint8_t *slot = NULL;
	uint32_t conf_bytes, crc;

	if (len < LABEL_HEADER_BYTES)
		return;
	slot = xmalloc(len);
	memcpy(slot, data, len);
	memcpy(slot, "VNASLBL1", 8);
	memcpy(&conf_bytes, slot + 16, 4);
	if (le32toh(conf_bytes) > len - LABEL_HEADER_BYTES) {
		conf_bytes = htole32((uint32_t)(len - LABEL_HEADER_BYTES));
		memcpy(slot + 16, &conf_bytes, 4);
	}
	memset(slot + 12, 0, 4);
	crc = htole32(~crc32c(~0u, slot, LABEL_HEADER_BYTES + le32toh(conf_bytes)));
	memcpy(slot + 12, &crc, 4);
	parse(slot, len, at);
}

static void superblock(const uint8_t *data, size_t len)
{
	uint8_t block[4096] = { 0 };
	struct superblock sb;

	memcpy(block, data, len < sizeof(block) ? len : sizeof(block));
	if (superblock_parse(block, &sb) != 0)
		return;
	require(sb.bytes && sb.bytes <= INT64_MAX && sb.block_bytes >= 512 && sb.bytes % sb.block_bytes == 0);
	require(strlen(sb.uuid) == 36);
	require(!sb.clean || sb.intact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	parse(data, len, 0);
	parse(data, len, 63 * LABEL_BYTES);
	parse_with_right_checksum(data, len, 0);
	parse_with_right_checksum(data, len, 63 * LABEL_BYTES);
	superblock(data, len);
	return 0;
}
