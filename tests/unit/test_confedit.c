/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/str.h"
#include "psv/conf.h"
#include "test.h"

#define CHECK_EDIT(expr, want)             \
	do {                               \
		char *edited_ = (expr);    \
		CHECK_STR(edited_, want);  \
		free(edited_);             \
	} while (0)

static const char text[] =
	"# head\n"
	"\n"
	"[server]\n"
	"  address   =  192.0.2.1/24\n"
	"  # the second\n"
	"  address   = 192.0.2.2/24\n"
	"  stack=shared\n"
	"\n"
	"# about docs\n"
	"[share docs]\n"
	"read_only = yes\n"
	"\n"
	"# about x\n"
	"[share x]\n"
	"path = /srv/x\n";

TEST(confedit_set_replaces_the_value_alone)
{
	CHECK_EDIT(confedit_set("[server]\n  hostname   =\ta  \n", "server", "hostname", "b"), "[server]\n  hostname   =\tb\n");
	CHECK_EDIT(confedit_set("[server]\nhostname=a", "server", "hostname", "b"), "[server]\nhostname=b");
	CHECK_EDIT(confedit_set("[server]\nhostname =", "server", "hostname", "b"), "[server]\nhostname = b");
	CHECK_EDIT(confedit_set("[share x]\nread_only = yes\n", "share x", "read only", "no"), "[share x]\nread_only = no\n");
	CHECK_EDIT(confedit_set("[ share \t x ]\nguest = yes\n", "share x", "guest", "no"), "[ share \t x ]\nguest = no\n");
	CHECK_EDIT(confedit_set("[smb]\nMin Protocol = a\n", "smb", "min protocol", "b"), "[smb]\nMin Protocol = b\n");
}

TEST(confedit_set_removes_the_others)
{
	CHECK_EDIT(confedit_set("[server]\ndns = a\n# c\ndns = b\nsearch = d\n", "server", "dns", "x"),
		   "[server]\ndns = x\n# c\nsearch = d\n");
	CHECK_EDIT(confedit_set("[server]\ndns = a\n# c\ndns = b\n[smb]\ndns = z\n", "server", "dns", NULL),
		   "[server]\n# c\n[smb]\ndns = z\n");
	CHECK_EDIT(confedit_set("[smb]\ndns = z\n", "server", "dns", NULL), "[smb]\ndns = z\n");
}

TEST(confedit_set_adds_at_the_end_in_the_same_look)
{
	CHECK_EDIT(confedit_set("[server]\n  stack    = a\n\n# next\n[smb]\n", "server", "dns", "x"),
		   "[server]\n  stack    = a\n  dns      = x\n\n# next\n[smb]\n");
	CHECK_EDIT(confedit_set("[server]\na=b", "server", "dns", "x"), "[server]\na=b\ndns = x");
	CHECK_EDIT(confedit_set("[server]", "server", "dns", "x"), "[server]\ndns = x");
	CHECK_EDIT(confedit_set("[server]\n", "volume data", "size", "1G"), "[server]\n\n[volume data]\nsize = 1G\n");
	CHECK_EDIT(confedit_set("", "volume data", "size", "1G"), "[volume data]\nsize = 1G\n");
	CHECK_EDIT(confedit_set("# c", "volume data", "size", "1G"), "# c\n\n[volume data]\nsize = 1G\n");
}

TEST(confedit_add_and_remove_one_of_a_list)
{
	CHECK_EDIT(confedit_add("[server]\naddress   = a\nstack = b\n", "server", "address", "c"),
		   "[server]\naddress   = a\naddress   = c\nstack = b\n");
	CHECK_EDIT(confedit_remove("[server]\naddress   = a\n# k\naddress=c\n", "server", "address", "c"),
		   "[server]\naddress   = a\n# k\n");
	CHECK(!confedit_remove("[server]\naddress = a\n", "server", "address", "c"));
	CHECK(!confedit_remove("[server]\naddress = a\n", "smb", "address", "a"));
}

TEST(confedit_remove_section_takes_its_comments)
{
	CHECK_EDIT(confedit_remove_section(text, "share docs"),
		   "# head\n\n[server]\n  address   =  192.0.2.1/24\n  # the second\n  address   = 192.0.2.2/24\n  stack=shared\n"
		   "\n# about x\n[share x]\npath = /srv/x\n");
	CHECK_EDIT(confedit_remove_section("[server]\na = b\n\n# about x\n[share x]\npath = /srv/x\n", "share x"),
		   "[server]\na = b\n");
	CHECK_EDIT(confedit_remove_section("[server]\n", "server"), "");
	CHECK(!confedit_remove_section(text, "share y"));
	CHECK(!confedit_remove_section(text, "share"));
}

TEST(confedit_refuses_what_is_more_than_a_line)
{
	CHECK(!confedit_set(text, "share x", "comment", "a\nguest = yes"));
	CHECK(!confedit_add(text, "share x", "comment", "a\rb"));
	CHECK(!confedit_set(text, "share x", "comment", " a"));
	CHECK(!confedit_set(text, "share x", "a = b", "c"));
	CHECK(!confedit_set(text, "share x", "#a", "c"));
	CHECK(!confedit_set(text, "share x", "", "c"));
	CHECK(!confedit_set(text, "share x]\n[smb", "a", "c"));
	CHECK(!confedit_set(text, "", "a", "c"));
}

/* Properties over generated texts: a change touches the lines that it should and no others, it can be read back, and
 * its opposite gives the old text again. */

static unsigned seed = 1;

static unsigned pick(unsigned n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 16) % n;
}

static void generate(struct strbuf *sb)
{
	static const char *const lines[] = {
		"[server]\n", "[share x]\n", "[ share  x ]\n", "[smb]\n", "[volume data]\n", "# comment\n", "\t# c = d\n", "\n", " \n",
		"address = a\n", "  address=b\n", "address\t=\tc\n", "address =\n", "stack = shared\n", "read only = yes\n",
		"read_only   = no\n", "garbage\n", "= x\n", "[broken\n", "smb.a b = c\n", "smb.AB = d\n",
	};
	unsigned n = pick(14);

	while (n--)
		strbuf_addstr(sb, lines[pick(sizeof(lines) / sizeof(*lines))]);
	if (sb->len && pick(4) == 0)
		sb->buf[--sb->len] = '\0';
}

/* The lines of `after` without one line are those of `before`, or are all of them (n_more lines were added). */
static bool is_subsequence(const char *few, const char *many, size_t *ret_more)
{
	*ret_more = 0;
	while (*many) {
		size_t n = strcspn(many, "\n"), m = strcspn(few, "\n");

		if (*few && n == m && memcmp(few, many, n) == 0) {
			few += m + (few[m] == '\n');
		} else {
			(*ret_more)++;
		}
		many += n + (many[n] == '\n');
	}
	return *few == '\0';
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

TEST(confedit_keeps_all_other_lines)
{
	static const char *const sections[] = { "server", "share x", "smb", "volume data", "share new" };
	static const char *const keys[] = { "address", "stack", "read only", "smb.ab", "new key" };

	for (unsigned i = 0; i < 20000; i++) {
		_cleanup_strbuf_ struct strbuf sb = { 0 };
		const char *section = sections[pick(5)], *key = keys[pick(5)], *before;
		char *added, *removed, *set, *unset, *again;
		size_t more;

		generate(&sb);
		before = strbuf_str(&sb);
		/* Added: one line more (with a section: up to three), and taking it away again leaves the old lines. */
		added = confedit_add(before, section, key, "unheard-of");
		CHECK(added && is_subsequence(before, added, &more) && more >= 1 && more <= 3);
		removed = confedit_remove(added, section, key, "unheard-of");
		CHECK(removed && is_subsequence(before, removed, &more));
		CHECK(!confedit_remove(removed, section, key, "unheard-of"));
		/* Set twice is set once; set, then unset, leaves no line of that key and only takes lines away. */
		set = confedit_set(before, section, key, "value");
		again = confedit_set(set, section, key, "value");
		CHECK_STR(again, set);
		unset = confedit_set(set, section, key, NULL);
		CHECK(unset && is_subsequence(unset, set, &more) && more == 1);
		free(again);
		again = confedit_set(unset, section, key, NULL);
		CHECK_STR(again, unset);
		free(again);
		/* A section that goes takes lines away only. */
		again = confedit_remove_section(before, section);
		CHECK(!again || (is_subsequence(again, before, &more) && more == count_lines(before) - count_lines(again)));
		free(again);
		free(added);
		free(removed);
		free(set);
		free(unset);
	}
}
