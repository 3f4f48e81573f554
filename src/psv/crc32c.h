/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CRC32C (Castagnoli), as ext4 and xfs use it for their superblocks, and the label for itself.  It finds damage and torn
 * writes; it is no signature. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* crc32c: start with ~0u and chain; the common final inversion is the caller's, because ext4 leaves it out. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);
