/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [service NAME]: the values of its keys.  A command is words as a shell would part them, and nothing else of a shell. */
#include "psv/conf_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "service/capability.h"
#include "vsv/proto.h"

enum {
	WORDS_MAX = 128,
	PREPARE_MAX = 16,
	PACKAGES_MAX = 32,
	PACKAGE_MAX_BYTES = 80,
	USER_MAX_BYTES = PROTO_NAME_MAX - 1,
};

static int why(struct conf_value *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int why(struct conf_value *v, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(v->why, sizeof(v->why), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* take_quoted: what stands in quotation marks at *s, which then points behind them.  false: they do not end. */
static bool take_quoted(const char **s, struct strbuf *word)
{
	char quote = *(*s)++;

	for (; **s && **s != quote; (*s)++) {
		if (quote == '"' && **s == '\\' && ((*s)[1] == '"' || (*s)[1] == '\\'))
			(*s)++;
		strbuf_add(word, *s, 1);
	}
	if (!**s)
		return false;
	(*s)++;
	return true;
}

bool conf_words_split(const char *s, struct strlist *ret)
{
	for (;;) {
		_cleanup_strbuf_ struct strbuf word = { 0 };

		while (conf_is_blank(*s))
			s++;
		if (!*s)
			return true;
		while (*s && !conf_is_blank(*s)) {
			if (*s == '"' || *s == '\'') {
				if (!take_quoted(&s, &word))
					return false;
				continue;
			}
			strbuf_add(&word, s++, 1);
		}
		strlist_add(ret, strbuf_str(&word));
	}
}

static bool path_ok(const char *s)
{
	if (*s != '/')
		return false;
	while (*s) {
		size_t n = strcspn(++s, "/");

		if (n == 0 || (n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
			return false;
		s += n;
	}
	return true;
}

static int check_command(struct conf_value *v)
{
	_cleanup_strlist_ struct strlist words = { 0 };
	size_t bytes = 0;

	if (!conf_words_split(v->text, &words))
		return why(v, "has a quotation mark without its other one");
	if (words.n == 0 || !path_ok(words.v[0]))
		return why(v, "does not begin with a program: expected an absolute path without '//', '.' and '..'");
	for (size_t i = 0; i < words.n; i++)
		bytes += strlen(words.v[i]) + 1;
	if (words.n > WORDS_MAX || bytes > PROTO_SERVICE_ARGS_BYTES)
		return why(v, "is too long: expected at most %d words and %d bytes", WORDS_MAX, PROTO_SERVICE_ARGS_BYTES);
	return 0;
}

static int parse_command(struct conf_value *v, void *target)
{
	char **p = target;
	int r = check_command(v);

	if (r < 0)
		return r;
	free(*p);
	*p = xstrdup(v->text);
	return 0;
}

static void print_string(struct strbuf *out, const char *key, const void *target)
{
	const char *const *p = target;

	if (*p)
		strbuf_addf(out, "%s = %s\n", key, *p);
}

static int add(struct conf_value *v, struct strlist *l, size_t max)
{
	if (strlist_has(l, v->text))
		return why(v, "is doubled");
	if (l->n == max)
		return why(v, "is one too many: expected at most %zu", max);
	strlist_add(l, v->text);
	return 0;
}

static void print_list(struct strbuf *out, const char *key, const void *target)
{
	const struct strlist *l = target;

	for (size_t i = 0; i < l->n; i++)
		strbuf_addf(out, "%s = %s\n", key, l->v[i]);
}

static int parse_prepare(struct conf_value *v, void *target)
{
	int r = check_command(v);

	return r < 0 ? r : add(v, target, PREPARE_MAX);
}

#define COMMAND_EXPECTED "the absolute path of a program as it is inside, and its arguments"
const struct conf_type conf_type_command = {
	.what = "command", .expected = COMMAND_EXPECTED, .parse = parse_command, .print = print_string,
};
const struct conf_type conf_type_prepare = {
	.what = "command", .expected = COMMAND_EXPECTED ", one command a line", .parse = parse_prepare, .print = print_list,
};

static int parse_ready(struct conf_value *v, void *target)
{
	uint32_t port;

	if (!str_starts(v->text, "tcp:") || parse_u32(v->text + 4, UINT16_MAX, &port) < 0 || port == 0)
		return -EINVAL;
	*(uint16_t *)target = (uint16_t)port;
	return 0;
}

static void print_ready(struct strbuf *out, const char *key, const void *target)
{
	uint16_t port = *(const uint16_t *)target;

	if (port)
		strbuf_addf(out, "%s = tcp:%u\n", key, port);
}

const struct conf_type conf_type_ready = {
	.what = "sign of readiness", .expected = "tcp:PORT, as in tcp:22", .parse = parse_ready, .print = print_ready,
};

static int parse_run_as(struct conf_value *v, void *target)
{
	const char *s = v->text + (*v->text == '_');
	char **p = target;

	if (!conf_word_ok(s, USER_MAX_BYTES - 1, "_.-$") || s[strspn(s, "0123456789")] == '\0')
		return -EINVAL;
	free(*p);
	*p = xstrdup(v->text);
	return 0;
}

const struct conf_type conf_type_run_as = {
	.what = "user", .expected = "the name of a user of the server, at most 30 letters, digits, '_', '-', '.' and '$'",
	.parse = parse_run_as, .print = print_string,
};

static int parse_capabilities(struct conf_value *v, void *target)
{
	_cleanup_strlist_ struct strlist words = { 0 };
	uint64_t set = 0;

	strlist_split(&words, v->text, " \t");
	for (size_t i = 0; i < words.n; i++) {
		const char *reason;
		char quoted[72];
		int cap = capability_find(words.v[i], &reason);

		(void)conf_quote(words.v[i], quoted, sizeof(quoted));
		if (cap < 0)
			return why(v, "names '%s', which is no capability", quoted);
		if (reason)
			return why(v, "names '%s', which no service of a virtual server can have: %s", quoted, reason);
		if (set & UINT64_C(1) << cap)
			return why(v, "names '%s' twice", quoted);
		set |= UINT64_C(1) << cap;
	}
	if (!set)
		return -EINVAL;
	*(uint64_t *)target = set;
	return 0;
}

static void print_capabilities(struct strbuf *out, const char *key, const void *target)
{
	uint64_t set = *(const uint64_t *)target;

	if (!set)
		return;
	strbuf_addf(out, "%s = ", key);
	capability_print(set, out);
	strbuf_addstr(out, "\n");
}

const struct conf_type conf_type_capabilities = {
	.what = "list of capabilities",
	.expected = "names out of chown, dac_override, fowner, fsetid, kill, lease, net_bind_service, setgid, setuid and "
		    "sys_chroot",
	.parse = parse_capabilities, .print = print_capabilities,
};

static int parse_package(struct conf_value *v, void *target)
{
	const char *s = v->text;
	size_t n = strlen(s);

	/* Debian Policy 5.6.1 */
	if (n < 2 || n > PACKAGE_MAX_BYTES || s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789+-.")] || strchr("+-.", *s))
		return -EINVAL;
	return add(v, target, PACKAGES_MAX);
}

const struct conf_type conf_type_package = {
	.what = "name of a package", .expected = "a Debian package that is installed on the Psv, one a line",
	.parse = parse_package, .print = print_list,
};

static const struct {
	const char *name;
	int number;
} signals[] = {
	{ "TERM", SIGTERM }, { "INT", SIGINT }, { "QUIT", SIGQUIT }, { "HUP", SIGHUP }, { "USR1", SIGUSR1 },
	{ "USR2", SIGUSR2 }, { "WINCH", SIGWINCH }, { "KILL", SIGKILL },
};

static int parse_signal(struct conf_value *v, void *target)
{
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		if (strcmp(v->text, signals[i].name) != 0)
			continue;
		*(int *)target = signals[i].number;
		return 0;
	}
	return -EINVAL;
}

static void print_signal(struct strbuf *out, const char *key, const void *target)
{
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		if (signals[i].number == *(const int *)target)
			strbuf_addf(out, "%s = %s\n", key, signals[i].name);
}

const struct conf_type conf_type_signal = {
	.what = "signal", .expected = "TERM, INT, QUIT, HUP, USR1, USR2, WINCH or KILL", .parse = parse_signal,
	.print = print_signal,
};
