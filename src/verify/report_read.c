/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading a report, which may be anybody's: the last line is compared letter by letter, and nothing of the rest is looked at
 * before its signature fits. */
#include "verify/report.h"

#include <errno.h>
#include <string.h>

enum { SIGNATURE_HEX = 2 * REPORT_SIGNATURE_BYTES };

static const char before_key[] = "{\"signature\":\"ed25519\",\"key\":\"", before_value[] = "\",\"value\":\"", at_end[] = "\"}\n";
enum { LINE_BYTES = sizeof(before_key) - 1 + REPORT_DIGEST_HEX + sizeof(before_value) - 1 + SIGNATURE_HEX + sizeof(at_end) - 1 };

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* take: the next bytes must be these. */
static bool take(const char **p, const char *want, size_t len)
{
	if (memcmp(*p, want, len) != 0)
		return false;
	*p += len;
	return true;
}

int report_split(const char *text, size_t len, size_t *ret_body, uint8_t ret_signature[REPORT_SIGNATURE_BYTES],
		 char ret_key[REPORT_DIGEST_HEX + 1])
{
	const char *p;

	if (len <= LINE_BYTES)
		return -EBADMSG;
	p = text + len - LINE_BYTES;
	/* A line of its own, so the body ends with a new line too. */
	if (p[-1] != '\n' || !take(&p, before_key, sizeof(before_key) - 1))
		return -EBADMSG;
	for (size_t i = 0; i < REPORT_DIGEST_HEX; i++)
		if (hex_digit(p[i]) < 0)
			return -EBADMSG;
	memcpy(ret_key, p, REPORT_DIGEST_HEX);
	ret_key[REPORT_DIGEST_HEX] = '\0';
	p += REPORT_DIGEST_HEX;
	if (!take(&p, before_value, sizeof(before_value) - 1))
		return -EBADMSG;
	for (size_t i = 0; i < REPORT_SIGNATURE_BYTES; i++) {
		int high = hex_digit(p[2 * i]), low = hex_digit(p[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EBADMSG;
		ret_signature[i] = (uint8_t)(high << 4 | low);
	}
	p += SIGNATURE_HEX;
	if (!take(&p, at_end, sizeof(at_end) - 1))
		return -EBADMSG;
	*ret_body = len - LINE_BYTES;
	return 0;
}

int report_parse(const char *text, size_t len, json_t **ret)
{
	json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

	if (!json_is_object(o) || !json_is_integer(json_object_get(o, "vnas_report")) || !json_is_string(json_object_get(o, "date")) ||
	    !json_is_string(json_object_get(o, "host")) || !json_is_object(json_object_get(o, "sum")) ||
	    !json_is_array(json_object_get(o, "probes"))) {
		json_decref(o);
		return -EBADMSG;
	}
	*ret = o;
	return 0;
}
