/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the Vsv's configurations hold, remembered, so that a start beside a thousand of them need not read or even stat them
 * all.  It is only a sieve: it says which of them surely hold nothing in common with ours; the others are read.
 *
 * As long as the folder is unchanged, all records count: whoever edits a file in place has to start or reload that Vsv, and
 * is refused then, because one's own configuration is never taken from here and is added to one's record.  When the folder
 * has changed, a record counts if its file has the same inode, size and time of change.  What changed in the last two
 * seconds is not relied upon, as it could change again within the same tick of the clock. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "psv/conf.h"

struct err;
struct psv;

enum { INDEX_KEYS_MAX = 26 };

struct index_stamp { /* of a file or folder */
	uint64_t inode, size_bytes;
	int64_t ctime_s, ctime_ns;
};

/* What one configuration holds: addresses, names and UUIDs as numbers. */
struct index_record {
	char name[VSV_NAME_MAX + 8];
	struct index_stamp stamp;
	bool always_read; /* not readable, too new, or too much to remember */
	bool has_device;  /* whose many names no number tells */
	bool is_private;  /* stands on an interface of the Psv's by a private stack */
	bool hands_over;  /* … which is handed over whole, or a VLAN of it */
	uint32_t n_keys;
	uint64_t keys[INDEX_KEYS_MAX];
};

struct index {
	struct index_record *v; /* one a Vsv, sorted by name */
	size_t n;
	void *map;     /* in which v lies; NULL: v is allocated */
	size_t map_bytes;
	struct index_stamp folder; /* {0}: not to be relied upon */
	bool changed;
};

/* index_load: a record of every Vsv that there is now. */
int index_load(const struct psv *psv, struct index *ret, struct err *err);
/* index_record_of: what conf holds. */
struct index_record index_record_of(const struct conf *conf);
struct index_record *index_find(const struct index *x, const char *name);
/* index_merge: what `own` holds is added to the record of that name, if there is one. */
void index_merge(struct index *x, const struct index_record *own);
/* index_may_collide: the two may hold something in common. */
bool index_may_collide(const struct index_record *a, const struct index_record *b);
/* index_save: if something changed.  A failure only costs time later. */
void index_save(const struct psv *psv, const struct index *x);
void index_free(struct index *x);
