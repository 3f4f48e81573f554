/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The name of the last start stands in a file on the root volume, so that it moves with the volume; it is written last, so
 * that what a kill interrupted is done again.  All of it is the tenant's: what is read is checked as such. */
#include "psv/samba_identity.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/str.h"
#include "psv/conf.h"
#include "psv/inside_run.h"
#include "psv/samba_note.h"
#include "service/samba.h"

#define NAME_FILE "/var/lib/samba/vnas-netbios-name"
#define NOTE "netbios-name"
#define NET "net", "-s", SAMBA_CONF_INSIDE

enum { NETBIOS_NAME_MAX = 15 };

static bool name_ok(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > NETBIOS_NAME_MAX || !isalnum((unsigned char)*name))
		return false;
	for (const char *p = name; *p; p++)
		if (!isascii(*p) || !(isalnum((unsigned char)*p) || strchr("_-.$", *p)))
			return false;
	return true;
}

/* last_name: 0; 1: there was no start before; -errno. */
static int last_name(const struct inside_ref *ref, char name[NETBIOS_NAME_MAX + 1], struct err *err)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };
	struct inside_ref brief = inside_brief(ref);
	int r = inside_run(&brief, (const char *const[]){ "cat", "--", NAME_FILE, NULL }, NULL, &text, err);

	if (r < 0)
		return r;
	if (r > 0)
		return strstr(strbuf_str(&text), "No such file") ? 1 :
			       err_set(err, -EIO, "cannot read " NAME_FILE ": cat failed with status %d", r);
	while (text.len > 0 && isspace((unsigned char)text.buf[text.len - 1]))
		text.buf[--text.len] = '\0';
	return str_copy(name, NETBIOS_NAME_MAX + 1, strbuf_str(&text)) && name_ok(name) ? 0 : 1;
}

/* find_sid: the machine SID in what `net getlocalsid` says: S-1-5-21-X-Y-Z, each a number of 32 bits. */
static char *find_sid(const char *text)
{
	static const char prefix[] = "S-1-5-21-";
	const char *p = strstr(text, prefix);
	size_t len = p ? strspn(p, "S0123456789-") : 0;
	_cleanup_free_ char *sid = p ? strndup(p, len) : NULL;
	_cleanup_strlist_ struct strlist parts = { 0 };
	uint32_t number;

	if (!sid)
		return NULL;
	strlist_split(&parts, sid + sizeof(prefix) - 1, "-");
	for (size_t i = 0; i < parts.n; i++)
		if (parse_u32(parts.v[i], UINT32_MAX, &number) < 0)
			return NULL;
	return parts.n == 3 ? steal_ptr(&sid) : NULL;
}

static int hand_on(const struct inside_ref *ref, const char *old, struct err *err)
{
	_cleanup_strbuf_ struct strbuf said = { 0 };
	_cleanup_free_ char *sid = NULL;
	struct inside_ref brief = inside_brief(ref);
	int r = inside_run(&brief, (const char *const[]){ NET, "getlocalsid", old, NULL }, NULL, &said, err);

	if (r < 0)
		return r;
	sid = r == 0 ? find_sid(strbuf_str(&said)) : NULL;
	if (!sid)
		return err_set(err, -ENOENT, "there is none for the name %s", old);
	return inside_must(ref, (const char *const[]){ NET, "setlocalsid", sid, NULL }, NULL, err);
}

static int remember(const struct conf *conf, const struct inside_ref *ref, struct err *err)
{
	_cleanup_free_ char *line = xasprintf("%s\n", conf->netbios_name);

	return inside_must(ref, (const char *const[]){ "tee", "--", NAME_FILE, NULL }, line, err);
}

static int keep(const struct conf *conf, const struct inside_ref *ref, char old[NETBIOS_NAME_MAX + 1], struct err *err)
{
	int r = last_name(ref, old, err);

	if (r == 0 && strcasecmp(old, conf->netbios_name) == 0)
		return 0;
	if (r == 0)
		r = hand_on(ref, old, err);
	return r < 0 ? r : remember(conf, ref, err);
}

void samba_identity_keep(const struct psv *psv, const struct conf *conf, const struct inside_ref *ref,
			 void (*notice)(const char *line))
{
	char old[NETBIOS_NAME_MAX + 1] = "";
	struct err why = { 0 };

	if (samba_note_is(psv, conf, NOTE, conf->netbios_name))
		return;
	if (keep(conf, ref, old, &why) == 0) {
		samba_note_take(psv, conf, NOTE, conf->netbios_name);
		return;
	}
	if (notice) {
		_cleanup_free_ char *line = xasprintf("its machine SID is not handed on from the name '%s': %s", old, why.text);

		notice(line);
	}
}
