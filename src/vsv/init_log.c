/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two rings of records.  The newest always finds room by pushing out the oldest, so no service ever waits for a reader,
 * and a noisy service cannot push out events, which have a ring of their own. */
#include "vsv/init.h"

#include <string.h>

#include "vsv/small.h"

struct record {
	uint32_t size; /* with this header and the name */
	uint32_t name_len;
	uint64_t seq;
	int64_t realtime_ns;
};

struct ring {
	unsigned char *buf;
	size_t size;
	size_t begin, used;     /* offset of the oldest record, bytes in use */
	uint64_t first, next;   /* number of the oldest record, and of the next one */
	uint64_t acked;
};

static unsigned char log_buf[64 * 1024], event_buf[8 * 1024];
static struct ring rings[] = {
	[PROTO_LOG] = { log_buf, sizeof(log_buf), 0, 0, 1, 1, 0 },
	[PROTO_EVENT] = { event_buf, sizeof(event_buf), 0, 0, 1, 1, 0 },
};

static void ring_put(struct ring *r, size_t offset, const void *data, size_t len)
{
	size_t at = offset % r->size, part = r->size - at < len ? r->size - at : len;

	memcpy(r->buf + at, data, part);
	memcpy(r->buf, (const unsigned char *)data + part, len - part);
}

static void ring_get(const struct ring *r, size_t offset, void *data, size_t len)
{
	size_t at = offset % r->size, part = r->size - at < len ? r->size - at : len;

	memcpy(data, r->buf + at, part);
	memcpy((unsigned char *)data + part, r->buf, len - part);
}

static void ring_drop_oldest(struct ring *r)
{
	struct record rec;

	ring_get(r, r->begin, &rec, sizeof(rec));
	r->begin = (r->begin + rec.size) % r->size;
	r->used -= rec.size;
	r->first++;
}

void log_add(enum proto_kind kind, const char *name, const char *text, size_t len)
{
	struct ring *r = &rings[kind];
	struct record rec = { .name_len = (uint32_t)strlen(name), .realtime_ns = clock_realtime_ns() };
	size_t end;

	if (len > PROTO_TEXT_MAX)
		len = PROTO_TEXT_MAX;
	rec.size = (uint32_t)(sizeof(rec) + rec.name_len + len);
	rec.seq = r->next;
	while (r->size - r->used < rec.size)
		ring_drop_oldest(r);
	end = r->begin + r->used;
	ring_put(r, end, &rec, sizeof(rec));
	ring_put(r, end + sizeof(rec), name, rec.name_len);
	ring_put(r, end + sizeof(rec) + rec.name_len, text, len);
	r->used += rec.size;
	r->next++;
}

void log_event(const char *name, const char *word, const char *detail)
{
	char buf[256];
	struct text t = TEXT(buf);

	text_add(&t, word);
	text_add(&t, " ");
	text_add(&t, detail);
	log_add(PROTO_EVENT, name, buf, t.len);
}

void log_begin(enum proto_kind kind, struct ring_cursor *c)
{
	struct ring *r = &rings[kind];

	c->seq = r->first;
	c->offset = r->begin;
	while (c->seq < r->next && c->seq <= r->acked) {
		struct record rec;

		ring_get(r, c->offset, &rec, sizeof(rec));
		c->offset = (c->offset + rec.size) % r->size;
		c->seq++;
	}
}

void log_ack(enum proto_kind kind, uint64_t seq)
{
	if (seq > rings[kind].acked && seq < rings[kind].next)
		rings[kind].acked = seq;
}

bool log_pending(enum proto_kind kind, const struct ring_cursor *c)
{
	return c->seq < rings[kind].next;
}

size_t log_next(enum proto_kind kind, struct ring_cursor *c, void *buf, size_t size)
{
	struct ring *r = &rings[kind];
	struct proto_record *m = buf;
	struct record rec;
	size_t text_len;

	if (c->seq < r->first) { /* pushed out meanwhile */
		c->seq = r->first;
		c->offset = r->begin;
	}
	if (c->seq >= r->next)
		return 0;
	ring_get(r, c->offset, &rec, sizeof(rec));
	text_len = rec.size - sizeof(rec) - rec.name_len;
	if (size < sizeof(*m) + text_len || rec.name_len >= sizeof(m->name))
		return 0;
	*m = (struct proto_record){ .kind = kind, .text_len = (uint32_t)text_len, .seq = rec.seq,
				    .realtime_ns = rec.realtime_ns };
	proto_init(&m->h, PROTO_RECORD, sizeof(*m) + text_len);
	ring_get(r, c->offset + sizeof(rec), m->name, rec.name_len);
	ring_get(r, c->offset + sizeof(rec) + rec.name_len, m + 1, text_len);
	c->offset = (c->offset + rec.size) % r->size;
	c->seq++;
	return sizeof(*m) + text_len;
}
