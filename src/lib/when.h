/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Points in time that a person writes, and moments that a program waits for. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define WHEN_EXPECTED "RFC 3339 as in 2026-01-31T09:00:00Z, a date, 90s, 10m, 2h, 3d or 1w ago, today or yesterday"

/* when_now_ns: nanoseconds since the epoch. */
int64_t when_now_ns(void);
/* now_ms: milliseconds of CLOCK_MONOTONIC, which nobody sets: for limits and durations, meaningless after a reboot. */
int64_t now_ms(void);
/* sleep_ms: a signal that is caught ends it early. */
void sleep_ms(long ms);
/* when_parse: nanoseconds since the epoch.  Without an offset, and for dates, the local time zone holds.  0 or -EINVAL. */
int when_parse(const char *s, int64_t now_ns, int64_t *ret_ns);
/* when_text: RFC 3339 in UTC with microseconds, always of the same length; 28 bytes. */
char *when_text(int64_t ns, char *buf, size_t size);
