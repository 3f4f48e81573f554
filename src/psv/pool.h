/* SPDX-License-Identifier: GPL-2.0-or-later */
/* File pools: a folder of the Psv's that holds images, SERVER.VOLUME.img. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "psv/conf.h"

struct err;
struct psv;

/* A thin pool promises more than it has: beyond POOL_WARN_PERCENT of its file system it is said, beyond
 * POOL_REFUSE_PERCENT nothing more is promised. */
enum { POOL_WARN_PERCENT = 80, POOL_REFUSE_PERCENT = 90 };

struct pool_usage {
	uint64_t total_bytes, available_bytes; /* of the pool's file system */
	unsigned used_percent;
};

/* pool_find: the pool of a volume; -EINVAL: there is none of that name, or it holds no images. */
int pool_find(const struct psv *psv, const struct conf_volume *v, const struct conf_pool **ret, struct err *err);

/* pool_open: its folder, made if it is missing.  Descriptor or -errno. */
int pool_open(const struct conf_pool *p, struct err *err);

int pool_usage(const struct conf_pool *p, struct pool_usage *ret, struct err *err);

/* pool_admit: whether that much more may be taken.  0; VOLUME_POOL_FILLING; -ENOSPC. */
int pool_admit(const struct conf_pool *p, uint64_t more_bytes, struct err *err);

/* pool_image_name: "SERVER.VOLUME.img".  0 or -ENAMETOOLONG. */
int pool_image_name(const char *server, const char *volume, char *buf, size_t size, struct err *err);
