/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changing one line of a configuration and leaving all others as somebody wrote them.  New text is made of slices of
 * the old one; what the parser would refuse is passed over, because the caller parses the new text anyway. */
#include "psv/conf_internal.h"

#include <string.h>

enum { FOLDED_MAX = 256 };

/* Where a section stands in a text. */
struct span {
	const char *header, *end; /* [header, end): its lines; NULL: not there */
	const char *body;         /* after the header's line */
	const char *last;         /* after its last key, or after its header */
	struct conf_line style;   /* its last key, whose look a new line takes; CONF_LINE_BLANK: none */
	enum conf_section section;
};

static bool slice_is(struct conf_slice a, struct conf_slice b)
{
	return a.len == b.len && memcmp(a.s, b.s, a.len) == 0;
}

static bool slice_is_str(struct conf_slice a, const char *s)
{
	return slice_is(a, (struct conf_slice){ .s = s, .len = strlen(s) });
}

/* "share a b" to its kind and name.  false: that is no section's line. */
static bool section_scan(const char *section, struct strbuf *header, struct conf_line *ret)
{
	if (!*section || conf_text_check(section, strlen(section)) || strpbrk(section, "[]"))
		return false;
	strbuf_addf(header, "[%s]", section);
	conf_line_scan(header->buf, header->buf + header->len, ret);
	return ret->kind == CONF_LINE_SECTION && ret->name.len;
}

/* "KEY = VALUE" reads as just that. */
static bool key_ok(const char *key, const char *value)
{
	_cleanup_strbuf_ struct strbuf line = { 0 };
	struct conf_line l;

	strbuf_addf(&line, "%s = %s", key, value ? value : "");
	if (conf_text_check(line.buf, line.len))
		return false;
	conf_line_scan(line.buf, line.buf + line.len, &l);
	return l.kind == CONF_LINE_KEY && slice_is_str(l.name, key) && (!value || slice_is_str(l.value, value));
}

static struct span section_find(const char *text, const struct conf_line *wanted)
{
	struct span s = { .style = { .kind = CONF_LINE_BLANK }, .section = conf_section_find(wanted->name) };
	const char *end = text + strlen(text);

	for (const char *at = text; at < end;) {
		struct conf_line l;

		conf_line_scan(at, end, &l);
		if (l.kind == CONF_LINE_SECTION && s.header) {
			s.end = at;
			return s;
		}
		if (l.kind == CONF_LINE_SECTION && slice_is(l.name, wanted->name) && slice_is(l.value, wanted->value)) {
			s.header = at;
			s.body = s.last = l.next;
			s.end = end;
		} else if (l.kind == CONF_LINE_KEY && s.header) {
			s.last = l.next;
			s.style = l;
		}
		at = l.next;
	}
	return s;
}

static bool is_key(const struct conf_line *l, enum conf_section section, const char *folded)
{
	char buf[FOLDED_MAX];

	return l->kind == CONF_LINE_KEY && conf_key_fold(section, l->name, buf, sizeof(buf)) && strcmp(buf, folded) == 0;
}

static bool fold(enum conf_section section, const char *key, char *buf, size_t size)
{
	return conf_key_fold(section, (struct conf_slice){ .s = key, .len = strlen(key) }, buf, size);
}

static void add_range(struct strbuf *out, const char *from, const char *to)
{
	strbuf_add(out, from, (size_t)(to - from));
}

/* Ends what was written so far as a line; true if a new line had to be made up. */
static bool end_line(struct strbuf *out)
{
	if (!out->len || out->buf[out->len - 1] == '\n')
		return false;
	strbuf_addstr(out, "\n");
	return true;
}

/* A new line in the look of another: its indentation, and '=' in the same column where the key leaves room. */
static void add_line(struct strbuf *out, const struct conf_line *style, const char *key, const char *value)
{
	size_t width = 0;

	if (style->kind == CONF_LINE_KEY) {
		const char *equals = memchr(style->name.s + style->name.len, '=',
					    (size_t)(style->whole.s + style->whole.len - style->name.s) - style->name.len);

		add_range(out, style->whole.s, style->name.s);
		/* A tab's width is anybody's guess. */
		if (equals && !memchr(style->name.s, '\t', (size_t)(equals - style->name.s)))
			width = (size_t)(equals - style->name.s);
	}
	strbuf_addstr(out, key);
	strbuf_addf(out, "%*s=%s%s", width > strlen(key) ? (int)(width - strlen(key)) : 1, "", *value ? " " : "", value);
}

/* The value's place in a line gets another one; all before it stays. */
static void replace_value(struct strbuf *out, const struct conf_line *l, const char *value)
{
	const char *end = l->whole.s + l->whole.len;
	const char *equals = memchr(l->name.s + l->name.len, '=', (size_t)(end - l->name.s) - l->name.len);
	const char *at = equals + 1;

	while (at < end && conf_is_blank(*at))
		at++;
	if (!*value)
		at = equals + 1;
	add_range(out, l->whole.s, at);
	if (*value && at == equals + 1 && equals > l->whole.s && conf_is_blank(equals[-1]))
		strbuf_addstr(out, " ");
	strbuf_addstr(out, value);
}

/* A line after `at`, or a section of its own at the end. */
static char *insert(const char *text, const struct span *s, const char *at, const struct conf_line *style,
		    const char *section, const char *key, const char *value)
{
	struct strbuf out = { 0 };
	const char *end = text + strlen(text);
	bool cut;

	if (!s->header) {
		strbuf_addstr(&out, text);
		(void)end_line(&out);
		strbuf_addf(&out, "%s[%s]\n", out.len ? "\n" : "", section);
		add_line(&out, style, key, value);
		strbuf_addstr(&out, "\n");
		return strbuf_steal(&out);
	}
	add_range(&out, text, at);
	/* A last line without a new line stays one. */
	cut = end_line(&out);
	add_line(&out, style, key, value);
	if (!cut)
		strbuf_addstr(&out, "\n");
	add_range(&out, at, end);
	return strbuf_steal(&out);
}

char *confedit_set(const char *text, const char *section, const char *key, const char *value)
{
	_cleanup_strbuf_ struct strbuf header = { 0 };
	struct strbuf out = { 0 };
	char folded[FOLDED_MAX];
	struct conf_line wanted;
	bool done = value == NULL;
	struct span s;

	if (!section_scan(section, &header, &wanted) || !key_ok(key, value))
		return NULL;
	s = section_find(text, &wanted);
	if (!fold(s.section, key, folded, sizeof(folded)))
		return NULL;
	if (!s.header)
		return value ? insert(text, &s, NULL, &s.style, section, key, value) : xstrdup(text);
	add_range(&out, text, s.body);
	for (const char *at = s.body; at < s.end;) {
		struct conf_line l;

		conf_line_scan(at, s.end, &l);
		if (!is_key(&l, s.section, folded)) {
			add_range(&out, at, l.next);
		} else if (!done) {
			replace_value(&out, &l, value);
			add_range(&out, l.whole.s + l.whole.len, l.next);
			done = true;
		}
		at = l.next;
	}
	if (!done) {
		strbuf_free(&out);
		return insert(text, &s, s.last, &s.style, section, key, value);
	}
	strbuf_addstr(&out, s.end);
	return strbuf_steal(&out);
}

char *confedit_add(const char *text, const char *section, const char *key, const char *value)
{
	_cleanup_strbuf_ struct strbuf header = { 0 };
	char folded[FOLDED_MAX];
	struct conf_line wanted;
	struct span s;
	const char *after;

	if (!value || !section_scan(section, &header, &wanted) || !key_ok(key, value))
		return NULL;
	s = section_find(text, &wanted);
	if (!fold(s.section, key, folded, sizeof(folded)))
		return NULL;
	after = s.last;
	for (const char *at = s.body; at && at < s.end;) {
		struct conf_line l;

		conf_line_scan(at, s.end, &l);
		if (is_key(&l, s.section, folded)) {
			after = l.next;
			s.style = l;
		}
		at = l.next;
	}
	return insert(text, &s, after, &s.style, section, key, value);
}

char *confedit_remove(const char *text, const char *section, const char *key, const char *value)
{
	_cleanup_strbuf_ struct strbuf header = { 0 };
	char folded[FOLDED_MAX];
	struct conf_line wanted;
	struct span s;

	if (!value || !section_scan(section, &header, &wanted))
		return NULL;
	s = section_find(text, &wanted);
	if (!s.header || !fold(s.section, key, folded, sizeof(folded)))
		return NULL;
	for (const char *at = s.body; at < s.end;) {
		struct strbuf out = { 0 };
		struct conf_line l;

		conf_line_scan(at, s.end, &l);
		if (!is_key(&l, s.section, folded) || !slice_is_str(l.value, value)) {
			at = l.next;
			continue;
		}
		add_range(&out, text, at);
		strbuf_addstr(&out, l.next);
		return strbuf_steal(&out);
	}
	return NULL;
}

/* The line that ends before `at` (at > text). */
static struct conf_line line_before(const char *text, const char *at)
{
	const char *line = at - 1;
	struct conf_line l;

	while (line > text && line[-1] != '\n')
		line--;
	conf_line_scan(line, at, &l);
	return l;
}

/* The first of the lines of that kind right above `at`. */
static const char *first_of_kind(const char *text, const char *at, enum conf_line_kind kind)
{
	while (at > text) {
		struct conf_line l = line_before(text, at);

		if (l.kind != kind)
			break;
		at = l.whole.s;
	}
	return at;
}

char *confedit_remove_section(const char *text, const char *section)
{
	_cleanup_strbuf_ struct strbuf header = { 0 };
	const char *from, *to, *end = text + strlen(text);
	struct strbuf out = { 0 };
	struct conf_line wanted;
	struct span s;

	if (!section_scan(section, &header, &wanted))
		return NULL;
	s = section_find(text, &wanted);
	if (!s.header)
		return NULL;
	/* The comments right above the next section are that one's. */
	to = s.end < end ? first_of_kind(text, s.end, CONF_LINE_COMMENT) : end;
	from = first_of_kind(text, s.header, CONF_LINE_COMMENT);
	/* At the end of the file the blank lines that parted it from the one before go too. */
	if (to == end)
		from = first_of_kind(text, from, CONF_LINE_BLANK);
	add_range(&out, text, from);
	strbuf_addstr(&out, to);
	return strbuf_steal(&out);
}
