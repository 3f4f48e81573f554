/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "discover/dns.h"

#include <errno.h>
#include <string.h>

enum { POINTER = 0xc0, POINTER_MAX = 0x3fff, SRV_HEAD = 6, JUMPS_MAX = 32 };
_Static_assert((int)DNS_SEND_MAX <= (int)POINTER_MAX, "a pointer reaches every place");

/* ---- names ---- */

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

void dns_name_root(struct dns_name *ret)
{
	ret->len = 1;
	ret->wire[0] = 0;
}

bool dns_name_add(struct dns_name *n, const char *label, size_t len)
{
	if (len == 0 || len > DNS_LABEL_MAX || n->len + 1 + len > DNS_NAME_MAX)
		return false;
	n->wire[n->len - 1] = (uint8_t)len;
	memcpy(n->wire + n->len, label, len);
	n->len += 1 + len;
	n->wire[n->len - 1] = 0;
	return true;
}

bool dns_name_add_dotted(struct dns_name *n, const char *dotted)
{
	while (*dotted) {
		size_t len = strcspn(dotted, ".");

		if (!dns_name_add(n, dotted, len))
			return false;
		dotted += len + (dotted[len] == '.');
	}
	return true;
}

/* Lengths are below 'A', so that they can be compared as if they were letters. */
static bool same_bytes(const uint8_t *a, const uint8_t *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

bool dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
	return a->len == b->len && same_bytes(a->wire, b->wire, a->len);
}

/* ---- reading ---- */

static int read_u16(struct dns_reader *r, uint16_t *ret)
{
	if (r->len - r->at < 2)
		return -EBADMSG;
	*ret = (uint16_t)(r->msg[r->at] << 8 | r->msg[r->at + 1]);
	r->at += 2;
	return 0;
}

static int read_u32(struct dns_reader *r, uint32_t *ret)
{
	uint16_t high, low;

	if (read_u16(r, &high) < 0 || read_u16(r, &low) < 0)
		return -EBADMSG;
	*ret = (uint32_t)high << 16 | low;
	return 0;
}

int dns_read_header(struct dns_reader *r, struct dns_header *ret)
{
	if (read_u16(r, &ret->id) < 0 || read_u16(r, &ret->flags) < 0)
		return -EBADMSG;
	for (unsigned i = 0; i < 4; i++)
		if (read_u16(r, &ret->n[i]) < 0)
			return -EBADMSG;
	return 0;
}

/* A pointer leads backwards, and only so many are followed: a name that points to itself ends. */
static int read_name(struct dns_reader *r, struct dns_name *ret)
{
	size_t at = r->at, end = 0;

	dns_name_root(ret);
	for (unsigned jumps = 0;;) {
		size_t len, to;

		if (at >= r->len)
			return -EBADMSG;
		len = r->msg[at];
		if (len == 0) {
			r->at = end ? end : at + 1;
			return 0;
		}
		if ((len & POINTER) == 0) {
			if (r->len - at - 1 < len || !dns_name_add(ret, (const char *)r->msg + at + 1, len))
				return -EBADMSG;
			at += 1 + len;
			continue;
		}
		if ((len & POINTER) != POINTER || r->len - at < 2 || ++jumps > JUMPS_MAX)
			return -EBADMSG;
		to = (len & ~(size_t)POINTER) << 8 | r->msg[at + 1];
		if (to >= at)
			return -EBADMSG;
		if (!end)
			end = at + 2;
		at = to;
	}
}

int dns_read_question(struct dns_reader *r, struct dns_question *ret)
{
	if (read_name(r, &ret->name) < 0 || read_u16(r, &ret->type) < 0 || read_u16(r, &ret->class) < 0)
		return -EBADMSG;
	return 0;
}

/* A name of rdata, in a message that ends where rdata ends. */
static int expand_name(const struct dns_reader *r, size_t at, size_t end, struct dns_record *rec)
{
	struct dns_reader in = { .msg = r->msg, .len = end, .at = at };
	struct dns_name name;

	if (read_name(&in, &name) < 0 || in.at != end)
		return -EBADMSG;
	memcpy(rec->rdata + rec->len, name.wire, name.len);
	rec->len += name.len;
	return 0;
}

int dns_read_record(struct dns_reader *r, struct dns_record *ret)
{
	uint16_t len;
	size_t at;

	if (read_name(r, &ret->name) < 0 || read_u16(r, &ret->type) < 0 || read_u16(r, &ret->class) < 0 ||
	    read_u32(r, &ret->ttl) < 0 || read_u16(r, &len) < 0 || r->len - r->at < len)
		return -EBADMSG;
	at = r->at;
	r->at += len;
	ret->len = 0;
	if (ret->type == DNS_PTR || ret->type == DNS_CNAME || ret->type == DNS_NS)
		return expand_name(r, at, r->at, ret);
	if (ret->type == DNS_SRV) {
		if (len < SRV_HEAD)
			return -EBADMSG;
		memcpy(ret->rdata, r->msg + at, SRV_HEAD);
		ret->len = SRV_HEAD;
		return expand_name(r, at + SRV_HEAD, r->at, ret);
	}
	if (len > DNS_RDATA_MAX) {
		ret->len = SIZE_MAX;
		return 0;
	}
	memcpy(ret->rdata, r->msg + at, len);
	ret->len = len;
	return 0;
}

bool dns_rdata_equal(uint16_t type, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	size_t head = type == DNS_SRV ? SRV_HEAD : 0;

	if (a_len != b_len || a_len == SIZE_MAX)
		return false;
	if (type != DNS_PTR && type != DNS_SRV)
		return memcmp(a, b, a_len) == 0;
	return a_len >= head && memcmp(a, b, head) == 0 && same_bytes(a + head, b + head, a_len - head);
}

/* ---- writing ---- */

struct mark {
	size_t len;
	unsigned n_seen;
};

static struct mark mark(const struct dns_writer *w)
{
	return (struct mark){ w->len, w->n_seen };
}

static bool back(struct dns_writer *w, struct mark m)
{
	w->len = m.len;
	w->n_seen = m.n_seen;
	return false;
}

static bool put(struct dns_writer *w, const void *data, size_t len)
{
	if (sizeof(w->buf) - w->len < len)
		return false;
	memcpy(w->buf + w->len, data, len);
	w->len += len;
	return true;
}

static bool put_u16(struct dns_writer *w, unsigned v)
{
	const uint8_t bytes[] = { (uint8_t)(v >> 8), (uint8_t)v };

	return put(w, bytes, sizeof(bytes));
}

static bool put_u32(struct dns_writer *w, uint32_t v)
{
	return put_u16(w, v >> 16) && put_u16(w, v & 0xffff);
}

/* stands_at: the rest of a name is what begins at that place of our own message. */
static bool stands_at(const struct dns_writer *w, size_t at, const uint8_t *rest)
{
	for (;;) {
		size_t len = w->buf[at];

		while ((len & POINTER) == POINTER) {
			at = (len & ~(size_t)POINTER) << 8 | w->buf[at + 1];
			len = w->buf[at];
		}
		if (len != *rest || memcmp(w->buf + at, rest, 1 + len) != 0)
			return false;
		if (len == 0)
			return true;
		at += 1 + len;
		rest += 1 + len;
	}
}

static bool put_name(struct dns_writer *w, const uint8_t *wire)
{
	while (*wire) {
		for (unsigned i = 0; i < w->n_seen; i++)
			if (stands_at(w, w->seen[i], wire))
				return put_u16(w, POINTER << 8 | w->seen[i]);
		/* Noted only when the label is there: place 0 is the header's. */
		if (!put(w, wire, 1u + *wire))
			return false;
		wire += 1 + *wire;
	}
	return put(w, "", 1);
}

/* note_labels: of a name that was just written whole: what came before it could not point into it. */
static void note_labels(struct dns_writer *w, size_t at)
{
	while (at < w->len && w->n_seen < DNS_LABELS_SEEN) {
		size_t len = w->buf[at];

		if (len == 0 || (len & POINTER) == POINTER)
			return;
		w->seen[w->n_seen++] = (uint16_t)at;
		at += 1 + len;
	}
}

static bool write_name(struct dns_writer *w, const uint8_t *wire)
{
	size_t at = w->len;

	if (!put_name(w, wire))
		return false;
	note_labels(w, at);
	return true;
}

void dns_write_begin(struct dns_writer *w, uint16_t id, uint16_t flags)
{
	w->len = 0;
	w->n_seen = 0;
	memset(w->n, 0, sizeof(w->n));
	(void)put_u16(w, id);
	(void)put_u16(w, flags);
	(void)put_u32(w, 0);
	(void)put_u32(w, 0);
}

bool dns_write_question(struct dns_writer *w, const struct dns_name *name, uint16_t type, uint16_t class)
{
	struct mark m = mark(w);

	if (!write_name(w, name->wire) || !put_u16(w, type) || !put_u16(w, class))
		return back(w, m);
	w->n[DNS_QUESTION]++;
	return true;
}

static bool write_rdata(struct dns_writer *w, uint16_t type, const uint8_t *rdata, size_t len)
{
	size_t head = type == DNS_SRV ? SRV_HEAD : 0;

	if (type != DNS_PTR && type != DNS_SRV)
		return put(w, rdata, len);
	return put(w, rdata, head) && write_name(w, rdata + head);
}

bool dns_write_record(struct dns_writer *w, enum dns_section section, const struct dns_name *name, uint16_t type, uint16_t class,
		      uint32_t ttl, const uint8_t *rdata, size_t len)
{
	struct mark m = mark(w);
	size_t at;

	if (!write_name(w, name->wire) || !put_u16(w, type) || !put_u16(w, class) || !put_u32(w, ttl))
		return back(w, m);
	at = w->len;
	if (!put_u16(w, 0) || !write_rdata(w, type, rdata, len))
		return back(w, m);
	w->buf[at] = (uint8_t)((w->len - at - 2) >> 8);
	w->buf[at + 1] = (uint8_t)(w->len - at - 2);
	w->n[section]++;
	return true;
}

void dns_write_end(struct dns_writer *w)
{
	for (unsigned i = 0; i < 4; i++) {
		w->buf[4 + 2 * i] = (uint8_t)(w->n[i] >> 8);
		w->buf[5 + 2 * i] = (uint8_t)w->n[i];
	}
}
