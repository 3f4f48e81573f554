/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vsv/small.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

void text_add_n(struct text *t, const char *s, size_t n)
{
	if (t->len + n >= t->size)
		n = t->size - 1 - t->len;
	memcpy(t->buf + t->len, s, n);
	t->len += n;
	t->buf[t->len] = '\0';
}

void text_add(struct text *t, const char *s)
{
	text_add_n(t, s, strlen(s));
}

/* text_padded: with leading zeros to at least `width` digits. */
static void text_padded(struct text *t, uint64_t v, unsigned width)
{
	char digits[20];
	size_t n = sizeof(digits);

	do {
		digits[--n] = (char)('0' + v % 10);
		v /= 10;
	} while (v || sizeof(digits) - n < width);
	text_add_n(t, digits + n, sizeof(digits) - n);
}

void text_u64(struct text *t, uint64_t v)
{
	text_padded(t, v, 1);
}

void text_time(struct text *t, int64_t realtime_ns)
{
	uint64_t ns = realtime_ns < 0 ? 0 : (uint64_t)realtime_ns, s = ns / 1000000000;
	/* Days to a date in the calendar of which March is the first month: leap days then stand at the end. */
	uint64_t z = s / 86400 + 719468, era = z / 146097, doe = z - era * 146097;
	uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	uint64_t day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;

	text_padded(t, yoe + era * 400 + (month <= 2), 4);
	text_add(t, "-");
	text_padded(t, month, 2);
	text_add(t, "-");
	text_padded(t, day, 2);
	text_add(t, "T");
	text_padded(t, s / 3600 % 24, 2);
	text_add(t, ":");
	text_padded(t, s / 60 % 60, 2);
	text_add(t, ":");
	text_padded(t, s % 60, 2);
	text_add(t, ".");
	text_padded(t, ns / 1000 % 1000000, 6);
	text_add(t, "Z");
}

void text_status(struct text *t, int status)
{
	text_add(t, WIFSIGNALED(status) ? "signal " : "status ");
	text_u64(t, (uint64_t)(WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)));
}

int64_t clock_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_realtime_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void copy_str(char *field, size_t size, const char *s)
{
	size_t n = strlen(s);

	if (n >= size)
		n = size - 1;
	memcpy(field, s, n);
	memset(field + n, 0, size - n);
}

int decimal(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		unsigned d = (unsigned)(*s - '0');

		if (d > 9 || v > (UINT64_MAX - d) / 10)
			return -EINVAL;
		v = v * 10 + d;
	}
	if (v > max)
		return -EINVAL;
	*ret = v;
	return 0;
}
