/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two small programs, vnas-init and vnas-supervise, use in place of stdio and malloc: every page that they
 * touch is there a thousand times on a machine with a thousand Vsv. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A bounded text that is always ended by a NUL; what does not fit is cut. */
struct text {
	char *buf;
	size_t size, len;
};
#define TEXT(array) { .buf = (array), .size = sizeof(array), .len = 0 }

void text_add(struct text *t, const char *s);
void text_add_n(struct text *t, const char *s, size_t n);
void text_u64(struct text *t, uint64_t v);
/* text_time: RFC 3339 in UTC with microseconds. */
void text_time(struct text *t, int64_t realtime_ns);
/* text_status: a wait status in words: "status 1", "signal 9". */
void text_status(struct text *t, int status);

int64_t clock_ms(void);      /* monotonic */
int64_t clock_realtime_ns(void);

/* copy_str: s into a field with its NUL, cut if need be. */
void copy_str(char *field, size_t size, const char *s);

/* decimal: the whole string must be a number below max; no sign, no space.  0 or -EINVAL. */
int decimal(const char *s, uint64_t max, uint64_t *ret);
