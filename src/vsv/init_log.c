/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two rings of records.  The newest always finds room by pushing out the oldest, so no service ever waits for a reader,
 * and a noisy service cannot push out events, which have a ring of their own. */
#include "vsv/init.h"

#include <stddef.h>
#include <string.h>

#include "vsv/small.h"
#include "vsv/syslog.h"

/* A record's message, and so what its text is; RECORD_REFUSED: the rest of its struct. */
enum record_type { RECORD_LINE, RECORD_SYSLOG, RECORD_REFUSED };

struct record {
	uint32_t size; /* with this header and the name */
	uint16_t name_len;
	uint8_t type;  /* enum record_type */
	uint8_t priority; /* of RECORD_SYSLOG, and pid */
	uint32_t pid, zero;
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

/* add: rec says what the record is; the rest of it is filled in here. */
static void add(struct ring *r, struct record rec, const char *name, const char *text, size_t len)
{
	size_t end;

	rec.name_len = (uint16_t)strlen(name);
	rec.realtime_ns = clock_realtime_ns();

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

void log_add(enum proto_kind kind, const char *name, const char *text, size_t len)
{
	add(&rings[kind], (struct record){ .type = RECORD_LINE }, name, text, len);
}

void log_add_syslog(const struct syslog_line *line, pid_t pid)
{
	const struct record rec = { .type = RECORD_SYSLOG, .priority = line->priority, .pid = (uint32_t)pid };

	add(&rings[PROTO_LOG], rec, line->tag, line->text, line->len);
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

/* Refusals are a tenant's own doing, as many as it likes: they take a bounded part of the ring, so that they never push
 * out what became of the services, and come no faster than somebody can read. */
enum {
	REFUSED_HEAD = offsetof(struct proto_refused, unnoted), REFUSED_REST = sizeof(struct proto_refused) - REFUSED_HEAD,
	REFUSED_WAITING_MAX = 24, REFUSED_PAUSE_MS = 500, REFUSED_SAY_MS = 1000,
};
static struct {
	unsigned waiting; /* not fetched */
	uint64_t unnoted;
	int64_t due_ms;   /* when as many may come at once again */
	int64_t say_ms;   /* when those are told of that have no record */
} refused;

bool log_refused_wanted(void)
{
	int64_t now = clock_ms(), from = refused.due_ms > now ? refused.due_ms : now;

	if (refused.waiting < REFUSED_WAITING_MAX && from - now < REFUSED_WAITING_MAX * REFUSED_PAUSE_MS) {
		refused.due_ms = from + REFUSED_PAUSE_MS;
		return true;
	}
	refused.unnoted++;
	refused.say_ms = now + REFUSED_SAY_MS;
	return false;
}

int64_t log_refused_tick(int64_t now_ms)
{
	if (!refused.unnoted || refused.waiting >= REFUSED_WAITING_MAX)
		return -1;
	if (refused.say_ms > now_ms)
		return refused.say_ms;
	log_refused(&(struct proto_refused){ .call = PROTO_NO_CALL });
	return -1;
}

void log_refused(const struct proto_refused *what)
{
	struct proto_refused m = *what;

	m.unnoted = refused.unnoted;
	refused.unnoted = 0;
	refused.waiting++;
	add(&rings[PROTO_EVENT], (struct record){ .type = RECORD_REFUSED }, "", (const char *)&m + REFUSED_HEAD, REFUSED_REST);
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
	if (kind == PROTO_EVENT && rings[kind].acked + 1 == rings[kind].next)
		refused.waiting = 0;
}

bool log_pending(enum proto_kind kind, const struct ring_cursor *c)
{
	return c->seq < rings[kind].next;
}

/* head_put: what stands before a record's text in its message, all but the name.  Where the name goes. */
static char *head_put(const struct record *rec, enum proto_kind kind, size_t text_len, void *buf, size_t *ret_size)
{
	struct proto_record *m = buf;
	struct proto_syslog *s = buf;

	if (rec->type == RECORD_REFUSED) {
		struct proto_refused *f = buf;

		*f = (struct proto_refused){ .seq = rec->seq, .realtime_ns = rec->realtime_ns };
		*ret_size = REFUSED_HEAD + text_len;
		proto_init(&f->h, PROTO_REFUSED, *ret_size);
		return f->process; /* it has no name: nothing is put there */
	}
	if (rec->type == RECORD_SYSLOG) {
		*s = (struct proto_syslog){ .text_len = (uint32_t)text_len, .facility = rec->priority >> 3,
					    .severity = rec->priority & 7, .seq = rec->seq,
					    .realtime_ns = rec->realtime_ns, .pid = rec->pid };
		*ret_size = sizeof(*s) + text_len;
		proto_init(&s->h, PROTO_SYSLOG, *ret_size);
		return s->tag;
	}
	*m = (struct proto_record){ .kind = kind, .text_len = (uint32_t)text_len, .seq = rec->seq,
				    .realtime_ns = rec->realtime_ns };
	*ret_size = sizeof(*m) + text_len;
	proto_init(&m->h, PROTO_RECORD, *ret_size);
	return m->name;
}

size_t log_next(enum proto_kind kind, struct ring_cursor *c, void *buf, size_t size)
{
	struct ring *r = &rings[kind];
	size_t text_len, len;
	struct record rec;
	char *name;

	if (c->seq < r->first) { /* pushed out meanwhile */
		c->seq = r->first;
		c->offset = r->begin;
	}
	if (c->seq >= r->next)
		return 0;
	ring_get(r, c->offset, &rec, sizeof(rec));
	text_len = rec.size - sizeof(rec) - rec.name_len;
	if (size < sizeof(union log_head) + text_len || rec.name_len >= PROTO_NAME_MAX)
		return 0;
	name = head_put(&rec, kind, text_len, buf, &len);
	ring_get(r, c->offset + sizeof(rec), name, rec.name_len);
	ring_get(r, c->offset + sizeof(rec) + rec.name_len, (char *)buf + len - text_len, text_len);
	c->offset = (c->offset + rec.size) % r->size;
	c->seq++;
	return len;
}
