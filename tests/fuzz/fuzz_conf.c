/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration's parser, its canonical text and the editor, on any bytes.  Each property is an abort(): what we
 * print must parse again to the same; an edit of text that parses keeps its lines; nothing reads or writes where it
 * should not. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/str.h"
#include "psv/conf.h"

static void require(bool cond)
{
	if (!cond)
		abort();
}

/* Every error has its words, on one line. */
static void require_words(const struct err *err)
{
	require(*err->text && !strchr(err->text, '\n'));
}

static void print_and_parse_again(const struct conf *c)
{
	_cleanup_strbuf_ struct strbuf first = { 0 }, second = { 0 };
	struct conf again;

	conf_print(c, &first);
	/* A file that was just small enough may print as one that is too large: defaults are written out. */
	if (first.len > CONF_MAX_BYTES)
		return;
	require(conf_parse(first.buf, first.len, "printed", c->name, &again, NULL) == 0);
	conf_print(&again, &second);
	require(first.len == second.len && memcmp(first.buf, second.buf, first.len) == 0);
	conf_free(&again);
}

static void parse(const char *text, size_t len)
{
	struct err err = { 0 };
	struct conf c;

	if (conf_parse(text, len, "input", "sales", &c, &err) < 0) {
		require_words(&err);
		return;
	}
	print_and_parse_again(&c);
	conf_free(&c);
}

static void parse_psv(const char *text, size_t len)
{
	_cleanup_strbuf_ struct strbuf first = { 0 }, second = { 0 };
	struct err err = { 0 };
	struct conf_psv c, again;

	if (conf_psv_parse(text, len, "input", "/lib", &c, &err) < 0) {
		require_words(&err);
		return;
	}
	conf_psv_print(&c, &first);
	require(conf_psv_parse(first.buf, first.len, "printed", "/elsewhere", &again, NULL) == 0);
	conf_psv_print(&again, &second);
	require(strcmp(strbuf_str(&first), strbuf_str(&second)) == 0);
	conf_psv_free(&again);
	conf_psv_free(&c);
}

static size_t count_lines(const char *s)
{
	size_t n = 0;

	while (*s) {
		size_t len = strcspn(s, "\n");

		n++;
		s += len + (s[len] == '\n');
	}
	return n;
}

/* Set, add, remove on text that may be anything. */
static void edit(const char *text, const char *section, const char *key, const char *value)
{
	char *set = confedit_set(text, section, key, value);
	char *added = confedit_add(text, section, key, value);
	char *gone = confedit_remove_section(text, section);

	require((set == NULL) == (added == NULL));
	if (set) {
		_cleanup_free_ char *again = confedit_set(set, section, key, value);
		_cleanup_free_ char *unset = confedit_set(set, section, key, NULL);
		_cleanup_free_ char *removed = confedit_remove(added, section, key, value);

		require(again && strcmp(again, set) == 0);
		require(unset && strlen(unset) < strlen(set));
		require(removed && strlen(removed) < strlen(added) && count_lines(removed) >= count_lines(text));
	}
	if (gone)
		require(strlen(gone) < strlen(text));
	free(set);
	free(added);
	free(gone);
}

/* A text that parses and gets another comment on a share parses again, and only the comment differs. */
static void edit_what_parses(const char *text)
{
	struct conf before, after;
	char section[128];

	if (conf_parse(text, strlen(text), "input", "sales", &before, NULL) < 0)
		return;
	for (size_t i = 0; i < before.n_shares && i < 3; i++) {
		_cleanup_strbuf_ struct strbuf was = { 0 }, is = { 0 };
		_cleanup_free_ char *edited = NULL;

		(void)str_format(section, sizeof(section), "share %s", before.shares[i].name);
		edited = confedit_set(text, section, "comment", "fuzzed");
		require(edited);
		if (strlen(edited) > CONF_MAX_BYTES)
			continue;
		require(conf_parse(edited, strlen(edited), "edited", "sales", &after, NULL) == 0);
		require(strcmp(after.shares[i].comment, "fuzzed") == 0);
		free(after.shares[i].comment);
		after.shares[i].comment = before.shares[i].comment ? xstrdup(before.shares[i].comment) : NULL;
		conf_print(&before, &was);
		conf_print(&after, &is);
		require(strcmp(was.buf, is.buf) == 0);
		conf_free(&after);
	}
	conf_free(&before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_free_ char *text = xmalloc(len + 1);
	const char *nl;

	memcpy(text, data, len);
	text[len] = '\0';
	parse(text, len);
	parse_psv(text, len);
	edit(text, "server", "address", "192.0.2.1/24");
	edit(text, "share x", "smb.vfs objects", "recycle");
	edit_what_parses(text);
	/* The first line as a key, a value and a section for the rest. */
	nl = strchr(text, '\n');
	if (nl) {
		_cleanup_free_ char *line = xasprintf("%.*s", (int)(nl - text), text);

		edit(nl + 1, "server", line, "value");
		edit(nl + 1, "server", "key", line);
		edit(nl + 1, line, "key", "value");
	}
	return 0;
}
