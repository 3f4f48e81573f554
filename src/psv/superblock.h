/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the Psv must know of a filesystem before the kernel sees it: which one, how large, whether it was left clean,
 * and whether it asks for something that no filesystem of a tenant may ask for. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "psv/conf.h"

struct superblock {
	enum conf_fs fs;
	char uuid[37];
	uint64_t bytes;       /* where the filesystem ends */
	uint32_t block_bytes;
	uint8_t imax_percent; /* xfs: to be handed back when it grows */
	bool clean;           /* no check is needed; a journal that is to be replayed is clean */
	bool intact;          /* its checksum is right */
	const char *hazard;   /* why it must not be mounted, or NULL */
};

/* superblock_read: at offset of fd.  0; 1: none that we know; -errno: cannot be read. */
int superblock_read(int fd, uint64_t offset, struct superblock *ret);

/* superblock_parse: from the first 4096 bytes of a filesystem.  0; 1: none that we know. */
int superblock_parse(const uint8_t block[4096], struct superblock *ret);
