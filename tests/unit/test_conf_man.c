/* SPDX-License-Identifier: GPL-2.0-or-later */
/* man/vnas.conf.5 has every section and key of the table, in its order, and no other; its examples are
 * configurations. */
#include <fcntl.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "psv/conf.h"
#include "test.h"

static char *read_page(void)
{
	char *text;

	CHECK_INT(file_read_at(AT_FDCWD, VNAS_SOURCE_DIR "/man/vnas.conf.5", 1024 * 1024, &text, NULL), 0);
	return text;
}

/* ".Ss [share NAME]\&" gives "[share NAME]"; ".It Ic read only No = …" gives "read only", with KEY for any word. */
static void note_line(struct strlist *found, const char *line, bool *in_section)
{
	char buf[128];
	const char *end;

	if (str_starts(line, ".Ss ") || str_starts(line, ".Sh "))
		*in_section = str_starts(line, ".Ss [");
	if (str_starts(line, ".Ss [")) {
		end = strstr(line, "\\&");
		CHECK(end && (size_t)(end - line) < sizeof(buf));
		strlist_addf(found, "%.*s", (int)(end - line - 4), line + 4);
		return;
	}
	if (!*in_section || !str_starts(line, ".It "))
		return;
	end = strstr(line, " No = ");
	CHECK(end);
	(void)str_format(buf, sizeof(buf), "%.*s", (int)(end - line - 4), line + 4);
	if (strcmp(buf, "Ar KEY") == 0)
		strlist_add(found, "*");
	else if (strcmp(buf, "Ic smb.\\& Ns Ar KEY") == 0)
		strlist_add(found, "smb.*");
	else if (str_starts(buf, "Ic "))
		strlist_add(found, buf + 3);
	else
		test_fail(__FILE__, __LINE__, line);
}

TEST(conf_manual_has_every_key_and_no_other)
{
	struct strlist found = { 0 }, wanted = { 0 };
	bool in_section = false;
	char *text = read_page();

	for (char *save = NULL, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		note_line(&found, line, &in_section);
	for (size_t i = 0; i < conf_n_keys; i++) {
		const struct conf_section_info *s = &conf_sections[conf_keys[i].section];

		if (i == 0 || conf_keys[i - 1].section != conf_keys[i].section)
			strlist_addf(&wanted, "[%s%s%s]", s->name, s->what ? " " : "", s->what ? s->what : "");
		strlist_add(&wanted, conf_keys[i].key);
	}
	for (size_t i = 0; i < wanted.n || i < found.n; i++)
		CHECK_STR(i < found.n ? found.v[i] : "(nothing more)", i < wanted.n ? wanted.v[i] : "(nothing more)");
	strlist_free(&found);
	strlist_free(&wanted);
	free(text);
}

/* The nth literal block. */
static char *example(const char *text, unsigned n)
{
	const char *end;

	do {
		text = strstr(text, "\n.Bd -literal");
		CHECK(text);
		text = strchr(text + 1, '\n') + 1;
	} while (n--);
	end = strstr(text, ".Ed\n");
	CHECK(end);
	return xasprintf("%.*s", (int)(end - text), text);
}

TEST(conf_manual_examples_are_right)
{
	char *text = read_page(), *first = example(text, 0), *second = example(text, 3);
	struct conf_psv psv;
	struct err err = { 0 };
	struct conf c;

	for (unsigned i = 1; i <= 2; i++) {
		char *more = example(text, i);

		if (conf_parse(more, strlen(more), "more", "filesrv01", &c, &err) < 0)
			test_fail(__FILE__, __LINE__, err.text);
		conf_free(&c);
		free(more);
	}
	if (conf_parse(first, strlen(first), "first", "filesrv01", &c, &err) < 0 ||
	    conf_psv_parse(second, strlen(second), "second", "/lib", &psv, &err) < 0)
		test_fail(__FILE__, __LINE__, err.text);
	conf_free(&c);
	conf_psv_free(&psv);
	free(first);
	free(second);
	free(text);
}
