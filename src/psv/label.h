/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The label's place and form on disk; struct label and the functions for everybody are in psv/volume.h.
 *
 * LABEL_BYTES hold two slots.  A write goes to the slot that does not hold the newest copy, so a torn write leaves the
 * one before.  A slot is a header of one block, then the configuration's text:
 *
 *    0  "VNASLBL1"          24  sequence, 64 bits         64  server, 40 bytes
 *    8  version, 32 bits    32  generation, 64 bits      104  role, 40 bytes
 *   12  CRC32C, 32 bits     40  fs_offset, 64 bits       144  uuid, 40 bytes
 *   16  conf_bytes, 32 bits 48  fs_bytes, 64 bits        184  zero, up to 4096
 *   20  zero, 32 bits       56  label_offset, 64 bits   4096  the configuration
 *
 * all little endian; the CRC is of header and configuration, taken with its own field zero.  The higher sequence is the
 * newer copy.  A disk is hostile input: whatever is not exactly of this form is damaged. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "psv/volume.h"

enum {
	LABEL_SLOTS = 2,
	LABEL_SLOT_BYTES = LABEL_BYTES / LABEL_SLOTS,
	LABEL_HEADER_BYTES = 4096,
	LABEL_CONF_MAX = LABEL_SLOT_BYTES - LABEL_HEADER_BYTES,
};

/* label_parse: one slot that was read at label_offset.  0; 1: blank (no magic); -EBADMSG: damaged. */
int label_parse(const uint8_t *slot, size_t len, uint64_t label_offset, struct label *ret, uint64_t *ret_sequence);

/* label_build: the slot's bytes (a multiple of LABEL_HEADER_BYTES), which the caller frees.  0; -EFBIG; -EINVAL. */
int label_build(const struct label *l, uint64_t sequence, uint8_t **ret, size_t *ret_len);

/* label_offset: where the label of a filesystem lies that begins and ends there. */
uint64_t label_offset(uint64_t fs_offset, uint64_t fs_bytes);

/* fd_size: of a regular file or a block device.  0 or -errno. */
int fd_size(int fd, uint64_t *ret_bytes);

/* label_erase: makes the label at this place blank, durably. */
int label_erase(int fd, uint64_t offset, struct err *err);
