/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The values of [limits]: how each is read and printed, and what must fit together. */
#include "psv/conf_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { CPU_PERCENT_MAX = 1024 * 100, IOPS_MAX = 100000000 };

static const uint64_t MIB = UINT64_C(1) << 20, TIB = UINT64_C(1) << 40;

#define BYTES(name, least, most, words, range)                                                         \
	static int parse_##name(struct conf_value *v, void *target)                                    \
	{                                                                                              \
		return conf_parse_bytes(v, target, least, most);                                       \
	}                                                                                              \
	const struct conf_type conf_type_##name = {                                                    \
		.what = words, .expected = "a number of bytes with an optional K, M, G or T, " range ", in whole M", \
		.parse = parse_##name, .print = conf_print_bytes,                                      \
	}

BYTES(memory, 16 * MIB, 1024 * TIB, "size", "from 16M to 1024T");
BYTES(log, MIB, TIB, "size", "from 1M to 1T");
BYTES(rate, MIB, TIB, "number of bytes a second", "from 1M to 1T");

CONF_COUNT(tasks, 16, 4194304, "number of processes and threads", "16 to 4194304");
CONF_COUNT(files, 64, 1048576, "number of open files", "64 to 1048576");
CONF_COUNT(weight, 1, CONF_WEIGHT_MAX, "weight", "1 to 10000");
CONF_COUNT(iops, 10, IOPS_MAX, "number of operations a second", "10 to 100000000");

static int parse_cpu_weight(struct conf_value *v, void *target)
{
	if (strcmp(v->text, "idle") != 0)
		return conf_parse_count(v, target, 1, CONF_WEIGHT_MAX);
	*(uint32_t *)target = CONF_CPU_IDLE;
	return 0;
}

static void print_cpu_weight(struct strbuf *out, const char *key, const void *target)
{
	if (*(const uint32_t *)target == CONF_CPU_IDLE)
		strbuf_addf(out, "%s = idle\n", key);
	else
		conf_print_count(out, key, target);
}

const struct conf_type conf_type_cpu_weight = {
	.what = "weight", .expected = "1 to 10000, or idle", .parse = parse_cpu_weight, .print = print_cpu_weight,
};

/* "50%", or "1", "1.5", "0.25": all end up as hundredths of a processor. */
static int parse_cpu(struct conf_value *v, void *target)
{
	static const char digits[] = "0123456789";
	size_t n = strspn(v->text, digits), decimals;
	const char *rest = v->text + n;
	uint32_t percent = 0;

	if (n == 0 || n > 6)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		percent = percent * 10 + (uint32_t)(v->text[i] - '0');
	if (strcmp(rest, "%") != 0) {
		percent *= 100;
		decimals = *rest == '.' ? strspn(rest + 1, digits) : 0;
		if (*rest && (decimals < 1 || decimals > 2 || rest[1 + decimals]))
			return -EINVAL;
		percent += decimals > 0 ? (uint32_t)(rest[1] - '0') * 10 : 0;
		percent += decimals > 1 ? (uint32_t)(rest[2] - '0') : 0;
	}
	if (percent < 1 || percent > CPU_PERCENT_MAX)
		return -EINVAL;
	*(uint32_t *)target = percent;
	return 0;
}

static void print_cpu(struct strbuf *out, const char *key, const void *target)
{
	uint32_t v = *(const uint32_t *)target;

	if (v && v % 100 == 0)
		strbuf_addf(out, "%s = %" PRIu32 "\n", key, v / 100);
	else if (v)
		strbuf_addf(out, "%s = %" PRIu32 ".%02" PRIu32 "\n", key, v / 100, v % 100);
}

const struct conf_type conf_type_cpu = {
	.what = "number of processors",
	.expected = "0.01 to 1024 with at most two decimals, or a percentage of one as 50%",
	.parse = parse_cpu, .print = print_cpu,
};

/* parse_cpu_number: *text is moved behind it. */
static int parse_cpu_number(const char **text, unsigned *ret)
{
	size_t n = strspn(*text, "0123456789");

	*ret = 0;
	for (size_t i = 0; i < n && *ret < CONF_CPUS_MAX; i++)
		*ret = *ret * 10 + (unsigned)((*text)[i] - '0');
	*text += n;
	return n == 0 || *ret >= CONF_CPUS_MAX ? -EINVAL : 0;
}

/* What is kept is what the kernel says of the same processors: in order, once, neighbours as a range. */
static int print_cpus(const bool *cpus, char *ret, size_t size)
{
	size_t len = 0;

	for (unsigned i = 0; i < CONF_CPUS_MAX; i++) {
		unsigned last = i;
		char range[32];

		if (!cpus[i])
			continue;
		while (last + 1 < CONF_CPUS_MAX && cpus[last + 1])
			last++;
		if (last > i)
			(void)str_format(range, sizeof(range), "%s%u-%u", len ? "," : "", i, last);
		else
			(void)str_format(range, sizeof(range), "%s%u", len ? "," : "", i);
		if (!str_copy(ret + len, size - len, range))
			return -EINVAL;
		len += strlen(range);
		i = last;
	}
	return 0;
}

static int parse_cpus(struct conf_value *v, void *target)
{
	bool cpus[CONF_CPUS_MAX] = { false };
	const char *p = v->text;

	for (;;) {
		unsigned first, last;
		int r = parse_cpu_number(&p, &first);

		last = first;
		if (r == 0 && *p == '-') {
			p++;
			r = parse_cpu_number(&p, &last);
		}
		if (r < 0 || last < first || (*p && *p != ','))
			return -EINVAL;
		for (unsigned i = first; i <= last; i++)
			cpus[i] = true;
		if (!*p++)
			return print_cpus(cpus, target, CONF_CPUS_BYTES);
	}
}

static void print_cpu_list(struct strbuf *out, const char *key, const void *target)
{
	const char *list = target;

	if (*list)
		strbuf_addf(out, "%s = %s\n", key, list);
}

const struct conf_type conf_type_cpus = {
	.what = "list of processors",
	.expected = "numbers from 0 and ranges of them, as 0-3,8, in at most 127 characters",
	.parse = parse_cpus, .print = print_cpu_list,
};

int conf_check_limits(const struct conf_parser *p)
{
	const struct conf_limits *l = &p->conf->limits;

	if (l->reserve_bytes && l->memory_bytes && l->reserve_bytes > l->memory_bytes)
		return conf_bad(p, conf_line_of(p, CONF_SECTION_LIMITS, 0, "memory reserve"),
				"key 'memory reserve': more than 'memory', which is all that it can have");
	return 0;
}
