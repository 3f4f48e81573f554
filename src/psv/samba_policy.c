/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/samba_policy.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/str.h"
#include "psv/conf.h"
#include "psv/inside_run.h"
#include "psv/samba_note.h"
#include "service/samba.h"

#define NOTE "password-rules"

/* What Samba calls them, in which unit, and what it takes where nothing is said (pdbedit(8), 4.17). */
static const struct {
	const char *name;
	size_t offset; /* of the number in struct conf_passwords */
	uint32_t factor;
	uint32_t fallback;
} rules[] = {
	{ "min password length", offsetof(struct conf_passwords, length), 1, 5 },
	{ "maximum password age", offsetof(struct conf_passwords, age_days), 24 * 60 * 60, UINT32_MAX },
	{ "password history", offsetof(struct conf_passwords, history), 1, 0 },
	{ "bad lockout attempt", offsetof(struct conf_passwords, lockout_attempts), 1, 0 },
	{ "lockout duration", offsetof(struct conf_passwords, lockout_minutes), 1, 30 },
	/* Wrong passwords are forgotten after the time for which they would lock. */
	{ "reset count minutes", offsetof(struct conf_passwords, lockout_minutes), 1, 30 },
};
enum { RULES = sizeof(rules) / sizeof(*rules) };

static uint32_t said(const struct conf *conf, size_t i)
{
	uint32_t n;

	memcpy(&n, (const char *)&conf->passwords + rules[i].offset, sizeof(n));
	return n;
}

static uint32_t wanted(const struct conf *conf, size_t i)
{
	return said(conf, i) ? said(conf, i) * rules[i].factor : rules[i].fallback;
}

static int apply(const struct conf *conf, const struct inside_ref *ref, struct err *err)
{
	char number[16];
	int r = 0;

	for (size_t i = 0; r == 0 && i < RULES; i++) {
		(void)str_format(number, sizeof(number), "%u", wanted(conf, i));
		r = inside_must(ref,
				(const char *const[]){ "pdbedit", "-s", SAMBA_CONF_INSIDE, "-P", rules[i].name, "-C", number,
						       NULL },
				NULL, err);
		if (r < 0)
			return err_wrap(err, r, "the rule '%s'", rules[i].name);
	}
	return r;
}

int samba_policy_apply(const struct psv *psv, const struct conf *conf, const struct inside_ref *ref, struct err *err)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };
	bool any = false;
	int r;

	/* The directory's accounts are under the directory's rules. */
	if (conf->directory.samba_accounts)
		return 0;
	for (size_t i = 0; i < RULES; i++) {
		strbuf_addf(&text, "%s%u", i ? " " : "", said(conf, i));
		any |= said(conf, i) != 0;
	}
	if (samba_note_is(psv, conf, NOTE, strbuf_str(&text)) || (!any && !samba_note_there(psv, conf, NOTE)))
		return 0;
	r = apply(conf, ref, err);
	if (r == 0)
		samba_note_take(psv, conf, NOTE, strbuf_str(&text));
	return r;
}

/* characters: of UTF-8. */
static size_t characters(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

int samba_policy_check(const struct conf *conf, const char *password, struct err *err)
{
	if (characters(password) >= conf->passwords.length)
		return 0;
	return err_set(err, -EINVAL, "the password is too short: [directory] password length asks for %u characters",
		       conf->passwords.length);
}
