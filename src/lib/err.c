/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 0)))
static void set_text(struct err *err, const char *fmt, va_list ap)
{
	/* Built aside: an argument may be the err's own text. */
	char text[sizeof(err->text)];

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	memcpy(err->text, text, sizeof(text));
	err->hint[0] = '\0';
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	errno = -code;
	va_start(ap, fmt);
	set_text(err, fmt, ap);
	va_end(ap);
	err->exit = VNAS_EXIT_OK;
	return code;
}

int err_exit(struct err *err, enum vnas_exit status, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	errno = -code;
	va_start(ap, fmt);
	set_text(err, fmt, ap);
	va_end(ap);
	err->exit = status;
	return code;
}

int err_wrap(struct err *err, int code, const char *fmt, ...)
{
	char context[sizeof(err->text)];
	char text[sizeof(err->text)];
	va_list ap;
	size_t n;

	if (!err)
		return code;
	va_start(ap, fmt);
	(void)vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	memcpy(text, err->text, sizeof(text));
	/* The reason is worth more than the context when both do not fit. */
	n = sizeof(text) - strlen(text);
	(void)snprintf(err->text, sizeof(err->text), "%.*s: %s", n > 3 ? (int)n - 3 : 0, context, text);
	return code;
}

int err_hint(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	(void)vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
	return code;
}

void err_clear(struct err *err)
{
	if (err)
		memset(err, 0, sizeof(*err));
}
