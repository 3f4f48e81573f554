/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the gate noted and what PID 1 says, as lines; and lines of the files of events, whoever wrote them.  The first byte of
 * the input chooses. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "psv/event.h"
#include "vsv/proto.h"
#include "vsv/refusal.h"
#include "vsv/small.h"

static void require(bool cond)
{
	if (!cond)
		abort();
}

/* line: whole, printable, and an event for the reader. */
static void line(const struct refusal *r)
{
	char buf[REFUSAL_LINE_MAX + 1];
	struct text t = TEXT(buf);
	json_t *o;

	refusal_line(&t, "abcdefghijklmnopqrstuvwxyz012345", r);
	require(t.len < sizeof(buf) - 1 && buf[t.len - 1] == '\n');
	for (size_t i = 0; i + 1 < t.len; i++)
		require((unsigned char)buf[i] >= ' ' && buf[i] != 0x7f);
	o = event_parse(buf, t.len - 1);
	require(o && json_is_string(json_object_get(o, "detail")) && json_is_string(json_object_get(o, "kind")));
	json_decref(o);
	require(refusal_same(r, r) == !r->unnoted);
}

static void gate(const uint8_t *data, size_t len)
{
	struct gate_event e = { .number = 0 };
	struct refusal r;

	memcpy(&e, data, len < sizeof(e) ? len : sizeof(e));
	if (!refusal_of_gate(&e, &r))
		return;
	r.realtime_ns = (int64_t)e.boot_ns;
	line(&r);
	r.unnoted = true;
	line(&r);
}

static void call(const uint8_t *data, size_t len)
{
	struct proto_refused m = { .seq = 0 };
	struct refusal r;

	memcpy(&m, data, len < sizeof(m) ? len : sizeof(m));
	proto_init(&m.h, PROTO_REFUSED, sizeof(m));
	if (proto_check(&m, sizeof(m)) != PROTO_REFUSED)
		return;
	refusal_of_call(&m, &r);
	line(&r);
}

static void parse(const uint8_t *data, size_t len)
{
	json_t *o = event_parse((const char *)data, len), *value;
	const char *key;

	if (!o)
		return;
	require(json_is_string(json_object_get(o, "time")) && json_is_string(json_object_get(o, "event")));
	json_object_foreach(o, key, value)
		require(!json_is_object(value) && !json_is_array(value));
	json_decref(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static void (*const targets[])(const uint8_t *, size_t) = { gate, call, parse };

	if (len)
		targets[data[0] % (sizeof(targets) / sizeof(*targets))](data + 1, len - 1);
	return 0;
}
