/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our configuration is UTF-8; smbd reads smb.conf in its `unix charset`, the one of the names on the disk. */
#include <ctype.h>
#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "psv/conf.h"
#include "service/samba.h"

enum { CHARSET_MAX = 32, BYTES_A_BYTE = 4 };

/* charset_ok: iconv(3) would take options and the paths of modules after a slash, and the sets that switch with escapes
 * would hide the end of a line. */
static bool charset_ok(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > CHARSET_MAX || strncasecmp(name, "ISO-2022", 8) == 0 || strncasecmp(name, "ISO2022", 7) == 0 ||
	    strncasecmp(name, "UTF-16", 6) == 0 || strncasecmp(name, "UTF16", 5) == 0)
		return false;
	for (const char *p = name; *p; p++)
		if (!isascii(*p) || !(isalnum((unsigned char)*p) || strchr("-_:.", *p)))
			return false;
	return true;
}

static int convert(iconv_t cd, const char *text, char **ret)
{
	size_t in_left = strlen(text), out_left = in_left * BYTES_A_BYTE;
	_cleanup_free_ char *buf = xmalloc(out_left + 1);
	char *in = (char *)(uintptr_t)text, *out = buf;

	/* A positive number would count characters that are not the same any more. */
	if (iconv(cd, &in, &in_left, &out, &out_left) != 0)
		return -EINVAL;
	*out = '\0';
	*ret = steal_ptr(&buf);
	return 0;
}

int samba_charset_convert(const struct conf *conf, const char *text, char **ret, struct err *err)
{
	const char *charset = samba_param(conf, (const char *const[]){ "unix charset", NULL });
	iconv_t cd;
	int r;

	if (!charset || strcasecmp(charset, "UTF-8") == 0 || strcasecmp(charset, "UTF8") == 0) {
		*ret = xstrdup(text);
		return 0;
	}
	cd = charset_ok(charset) ? iconv_open(charset, "UTF-8") : (iconv_t)-1;
	if (cd == (iconv_t)-1)
		return err_set(err, -EINVAL, "unix charset: '%.40s' is no character set that names of files can have here", charset);
	r = convert(cd, text, ret);
	(void)iconv_close(cd);
	return r < 0 ? err_set(err, r, "'%s' cannot be written in the unix charset %s", text, charset) : 0;
}
