/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/when.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const int64_t NS = 1000000000;

int64_t when_now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * NS + ts.tv_nsec;
}

int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void sleep_ms(long ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	(void)nanosleep(&ts, NULL);
}

/* digits: exactly n of them, at *s, which then points behind them; -1: there is something else. */
static int digits(const char **s, unsigned n)
{
	int v = 0;

	for (; n; n--, (*s)++) {
		if (!isdigit((unsigned char)**s))
			return -1;
		v = v * 10 + (**s - '0');
	}
	return v;
}

static bool take(const char **s, const char *one_of)
{
	if (!**s || !strchr(one_of, **s))
		return false;
	(*s)++;
	return true;
}

static int parse_ago(const char *s, int64_t now_ns, int64_t *ret)
{
	static const char units[] = "smhdw";
	static const int64_t seconds[] = { 1, 60, 3600, 86400, 7 * 86400 };
	const char *unit;
	int64_t n = 0, ns;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	for (; isdigit((unsigned char)*s); s++) {
		n = n * 10 + (*s - '0');
		if (n > INT32_MAX)
			return -EINVAL;
	}
	unit = *s ? strchr(units, *s) : NULL;
	if (!unit || s[1])
		return -EINVAL;
	/* Before the epoch there is nothing. */
	if (__builtin_mul_overflow(n, seconds[unit - units] * NS, &ns) || ns > now_ns)
		ns = now_ns;
	*ret = now_ns - ns;
	return 0;
}

/* local: what mktime(3) says, but no date that it has to mend. */
static int local(struct tm tm, time_t *ret)
{
	struct tm copy = tm;

	copy.tm_isdst = -1;
	*ret = mktime(&copy);
	return copy.tm_mday == tm.tm_mday && copy.tm_mon == tm.tm_mon ? 0 : -EINVAL;
}

static int parse_day(int64_t now_ns, int back, int64_t *ret)
{
	time_t now = (time_t)(now_ns / NS), t;
	struct tm tm;

	if (!localtime_r(&now, &tm))
		return -EINVAL;
	tm.tm_mday -= back;
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_isdst = -1;
	t = mktime(&tm);
	*ret = (int64_t)t * NS;
	return 0;
}

/* parse_zone: seconds east of UTC; 1: none is given. */
static int parse_zone(const char *s, int *ret_east)
{
	int sign = *s == '-' ? -1 : 1, hours, minutes;

	if (!*s)
		return 1;
	*ret_east = 0;
	if ((*s == 'Z' || *s == 'z') && !s[1])
		return 0;
	if (!take(&s, "+-"))
		return -EINVAL;
	hours = digits(&s, 2);
	if (hours < 0 || hours > 23 || !take(&s, ":"))
		return -EINVAL;
	minutes = digits(&s, 2);
	if (minutes < 0 || minutes > 59 || *s)
		return -EINVAL;
	*ret_east = sign * (hours * 3600 + minutes * 60);
	return 0;
}

static int64_t parse_fraction(const char **s)
{
	int64_t ns = 0, unit = NS / 10;

	for (; isdigit((unsigned char)**s); (*s)++, unit /= 10)
		ns += (**s - '0') * unit;
	return ns;
}

static int parse_clock(const char **s, struct tm *tm, int64_t *ret_ns)
{
	tm->tm_hour = digits(s, 2);
	if (tm->tm_hour < 0 || tm->tm_hour > 23 || !take(s, ":"))
		return -EINVAL;
	tm->tm_min = digits(s, 2);
	if (tm->tm_min < 0 || tm->tm_min > 59)
		return -EINVAL;
	tm->tm_sec = take(s, ":") ? digits(s, 2) : 0;
	if (tm->tm_sec < 0 || tm->tm_sec > 60)
		return -EINVAL;
	*ret_ns = take(s, ".") ? parse_fraction(s) : 0;
	return 0;
}

static int parse_date(const char *s, int64_t *ret)
{
	struct tm tm = { 0 };
	int64_t ns = 0;
	int east, zone = 1;
	time_t t;

	tm.tm_year = digits(&s, 4) - 1900;
	if (tm.tm_year < 70 || !take(&s, "-"))
		return -EINVAL;
	tm.tm_mon = digits(&s, 2) - 1;
	if (tm.tm_mon < 0 || tm.tm_mon > 11 || !take(&s, "-"))
		return -EINVAL;
	tm.tm_mday = digits(&s, 2);
	if (tm.tm_mday < 1 || tm.tm_mday > 31)
		return -EINVAL;
	if (*s && (!take(&s, "Tt ") || parse_clock(&s, &tm, &ns) < 0))
		return -EINVAL;
	zone = parse_zone(s, &east);
	if (zone < 0)
		return zone;
	if (zone > 0) {
		if (local(tm, &t) < 0)
			return -EINVAL;
	} else {
		struct tm copy = tm;

		t = timegm(&copy) - east;
		if (copy.tm_mday != tm.tm_mday && tm.tm_sec < 60)
			return -EINVAL;
	}
	/* Nanoseconds of a later year do not fit. */
	if (tm.tm_year > 300)
		return -EINVAL;
	*ret = (int64_t)t * NS + ns;
	return *ret < 0 ? -EINVAL : 0;
}

int when_parse(const char *s, int64_t now_ns, int64_t *ret_ns)
{
	int64_t ns;
	int r;

	if (strcmp(s, "now") == 0) {
		*ret_ns = now_ns;
		return 0;
	}
	if (strcmp(s, "today") == 0 || strcmp(s, "yesterday") == 0)
		r = parse_day(now_ns, *s == 'y', &ns);
	else
		r = parse_ago(s, now_ns, &ns) == 0 ? 0 : parse_date(s, &ns);
	if (r < 0)
		return r;
	*ret_ns = ns;
	return 0;
}

char *when_text(int64_t ns, char *buf, size_t size)
{
	time_t t = (time_t)(ns / NS);
	struct tm tm;
	char day[32];

	if (!gmtime_r(&t, &tm) || strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		day[0] = '\0';
	(void)snprintf(buf, size, "%.19s.%06dZ", day, (int)(ns % NS / 1000));
	return buf;
}
