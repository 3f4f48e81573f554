/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shadow's programs lock each file by one beside it that holds their process number.  One that was killed leaves it, and
 * after a restart another process has that number soon: its lock would last for ever. */
#include "psv/shadow.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/err.h"
#include "lib/str.h"
#include "psv/inside_run.h"

/* is_shadow_program: somebody is at work: a tenant's root may be. */
static bool is_shadow_program(const struct inside_ref *ref, uint32_t pid)
{
	static const char *const programs[] = { "useradd",  "userdel",  "usermod", "groupadd", "groupdel", "groupmod",
						"gpasswd",  "passwd",   "chpasswd", "chage",   "chfn",     "chsh",
						"newusers", "vipw",     "pwck",    "grpck",    NULL };
	_cleanup_strbuf_ struct strbuf comm = { 0 };
	struct inside_ref brief = inside_brief(ref);
	char path[32];
	int r;

	(void)str_format(path, sizeof(path), "/proc/%u/comm", pid);
	/* One that cannot be seen may be: its lock stays. */
	r = inside_run(&brief, (const char *const[]){ "cat", "--", path, NULL }, NULL, &comm, NULL);
	if (r != 0)
		return r < 0 || !strstr(strbuf_str(&comm), "No such");
	if (comm.len > 0 && comm.buf[comm.len - 1] == '\n')
		comm.buf[--comm.len] = '\0';
	for (size_t i = 0; programs[i]; i++)
		if (strcmp(strbuf_str(&comm), programs[i]) == 0)
			return true;
	return false;
}

/* clear_locks: true if there was a stale one. */
static bool clear_locks(const struct inside_ref *ref)
{
	static const char *const locks[] = { "/etc/passwd.lock", "/etc/shadow.lock", "/etc/group.lock", "/etc/gshadow.lock", NULL };
	struct inside_ref brief = inside_brief(ref);
	bool cleared = false;

	for (size_t i = 0; locks[i]; i++) {
		_cleanup_strbuf_ struct strbuf text = { 0 };
		uint32_t pid;

		if (inside_run(&brief, (const char *const[]){ "cat", "--", locks[i], NULL }, NULL, &text, NULL) != 0)
			continue;
		while (text.len > 0 && strchr("\n ", text.buf[text.len - 1]))
			text.buf[--text.len] = '\0';
		/* The text may have a NUL at its end, where strbuf_str() ends it too. */
		if (parse_u32(strbuf_str(&text), INT32_MAX, &pid) == 0 && is_shadow_program(ref, pid))
			continue;
		cleared |= inside_run(ref, (const char *const[]){ "rm", "-f", "--", locks[i], NULL }, NULL, NULL, NULL) == 0;
	}
	return cleared;
}

int shadow_run(const struct inside_ref *ref, const char *const argv[], const char *input, struct err *err)
{
	int r = inside_must(ref, argv, input, err);

	if (r != -EIO || !clear_locks(ref))
		return r;
	err_clear(err);
	return inside_must(ref, argv, input, err);
}
