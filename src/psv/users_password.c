/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A password goes in by standard input, never in an argument array. */
#include "psv/users_password.h"

#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/str.h"
#include "psv/inside_run.h"
#include "psv/shadow.h"
#include "service/samba.h"

static void forget(char *text)
{
	explicit_bzero(text, strlen(text));
	free(text);
}

static int set_unix(const struct inside_ref *ref, const char *user, const char *password, struct err *err)
{
	char *input = xasprintf("%s:%s\n", user, password);
	int r = shadow_run(ref, (const char *const[]){ "chpasswd", NULL }, input, err);

	forget(input);
	return r;
}

static int set_smb(const struct inside_ref *ref, const char *user, const char *password, bool add, struct err *err)
{
	const char *argv[8] = { "smbpasswd", "-c", SAMBA_CONF_INSIDE, "-s" };
	size_t n = 4;
	char *input = xasprintf("%s\n%s\n", password, password);
	int r;

	if (add)
		argv[n++] = "-a";
	argv[n++] = user;
	r = inside_must(ref, argv, input, err);
	forget(input);
	return r;
}

/* unlock: an account that wrong passwords locked stays so for its time even with a new password.  Its other flags stay. */
static int unlock(const struct inside_ref *ref, const char *user, struct err *err)
{
	static const char label[] = "Account Flags:", kept[] = "DHNX";
	_cleanup_strbuf_ struct strbuf said = { 0 };
	char flags[sizeof(kept) + 2], *at = flags;
	const char *p, *end;
	struct inside_ref brief = inside_brief(ref);
	int r = inside_run(&brief, (const char *const[]){ "pdbedit", "-s", SAMBA_CONF_INSIDE, "-d", "0", "-L", "-v", user, NULL }, NULL,
			   &said, err);

	if (r < 0)
		return r;
	p = strstr(strbuf_str(&said), label);
	p = p ? strchr(p, '[') : NULL;
	end = p ? strchr(p, ']') : NULL;
	if (!end || !memchr(p, 'L', (size_t)(end - p)))
		return 0;
	*at++ = '[';
	for (size_t i = 0; kept[i]; i++)
		if (memchr(p, kept[i], (size_t)(end - p)))
			*at++ = kept[i];
	*at++ = ']';
	*at = '\0';
	return inside_must(ref,
			   (const char *const[]){ "pdbedit", "-s", SAMBA_CONF_INSIDE, "-r", "-u", user, "-z", "-c", flags, NULL },
			   NULL, err);
}

int users_password_set(const struct inside_ref *ref, const char *user, const char *password, bool has_unix,
		       enum users_smb smb, struct err *err)
{
	int r = has_unix ? set_unix(ref, user, password, err) : 0;

	if (r < 0 || smb == USERS_SMB_NONE)
		return r;
	r = set_smb(ref, user, password, smb == USERS_SMB_ADD, err);
	return r < 0 || smb == USERS_SMB_ADD ? r : unlock(ref, user, err);
}
