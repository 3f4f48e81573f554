/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The shapes of words and paths, and names that a Vsv can have. */
#include "psv/conf_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"

enum { LABEL_MAX_BYTES = 63 };

/* isalnum(3) asks the locale; these ask ASCII. */
static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool conf_word_ok(const char *s, size_t max, const char *others)
{
	size_t n = strlen(s);

	if (n == 0 || n > max || !is_alnum(*s))
		return false;
	for (; *s; s++)
		if (!is_alnum(*s) && !strchr(others, *s))
			return false;
	return true;
}

bool conf_interface_ok(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n >= IFNAMSIZ || strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s > '~' || *s == '/' || *s == ':' || *s == '@')
			return false;
	return true;
}

void conf_upper(char *s)
{
	for (; *s; s++)
		if (*s >= 'a' && *s <= 'z')
			*s = (char)(*s - 'a' + 'A');
}

bool conf_path_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return strncmp(path, folder, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

bool conf_uuid_ok(const char *s)
{
	static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	if (strlen(s) != sizeof(shape) - 1)
		return false;
	for (size_t i = 0; s[i]; i++)
		if (shape[i] == '-' ? s[i] != '-' : !strchr("0123456789abcdef", s[i]))
			return false;
	return true;
}

bool conf_domain_ok(const char *s, size_t max)
{
	if (strlen(s) > max)
		return false;
	for (;;) {
		char label[LABEL_MAX_BYTES + 1];
		size_t n = strcspn(s, ".");

		if (n > LABEL_MAX_BYTES)
			return false;
		memcpy(label, s, n);
		label[n] = '\0';
		if (!conf_word_ok(label, LABEL_MAX_BYTES, "-") || label[n - 1] == '-')
			return false;
		if (!s[n])
			return true;
		s += n + 1;
	}
}

char *conf_quote(const char *s, char *buf, size_t size)
{
	size_t n = strlen(s), max = size - 4 < 60 ? size - 4 : 60;

	if (n <= max) {
		memcpy(buf, s, n + 1);
		return buf;
	}
	n = max;
	while (n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	memcpy(buf, s, n);
	memcpy(buf + n, "...", 4);
	return buf;
}

int conf_name_check(const char *name, struct err *err)
{
	/* RUN holds a folder of each Vsv beside these; "psv" names the Psv in `peer`; vnas.conf is the Psv's own. */
	static const char *const reserved[] = { "vnas", "psv", "locks", "bpf", "templates" };
	char quoted[72];

	if (!conf_word_ok(name, VSV_NAME_MAX, "_-"))
		return err_exit(err, VNAS_EXIT_USAGE, -EINVAL,
			       "'%s' is no name of a virtual file server: expected 1 to %d letters, digits, '_' and '-', "
			       "beginning with a letter or digit",
			       conf_text_check(name, strlen(name)) ? "?" : conf_quote(name, quoted, sizeof(quoted)),
			       VSV_NAME_MAX);
	for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++)
		if (strcmp(name, reserved[i]) == 0)
			return err_exit(err, VNAS_EXIT_USAGE, -EINVAL,
					"'%s' is reserved: a virtual file server needs another name", name);
	return 0;
}
