/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What comes from the other side: messages to and from PID 1, the tenant's /etc/passwd and /etc/group, the kernel's messages
 * about the network with a state file beside them, lines for the log, and the rings between them.  The first byte of the
 * input chooses. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "vsv/init_log.c"
#include "vsv/init_user.c"
#include "vsv/small.c"
#include "vsv/supervise_net.c"
#include "vsv/supervise_state.c"

#include "vsv/safe.h"

static void require(bool cond)
{
	if (!cond)
		abort();
}

/* A copy that ends exactly where the input ends, aligned as a receive buffer is, so that a read beyond it shows. */
static void *exact(const uint8_t *data, size_t len)
{
	void *p = malloc(len ? len : 1);

	require(p);
	memcpy(p, data, len);
	return p;
}

static void messages(const uint8_t *data, size_t len)
{
	struct proto_header *h = exact(data, len);
	int type;

	/* Most inputs would fall over the frame, so that is made right. */
	if (len >= sizeof(*h))
		proto_init(h, (enum proto_type)(h->type % 64), len);
	type = proto_check(h, len);
	require(type != 0 && type < 64);
	if (type == PROTO_EXEC || type == PROTO_SERVICE_START) {
		const char *args[PROTO_ARGS_MAX + 1];
		size_t fixed = type == PROTO_EXEC ? sizeof(struct proto_exec) : sizeof(struct proto_service_start);
		uint32_t argc = type == PROTO_EXEC ? ((struct proto_exec *)(void *)h)->argc :
						     ((struct proto_service_start *)(void *)h)->argc;

		proto_args(h, fixed, argc, args);
		require(args[argc] == NULL && args[0][0] != '\0');
		for (uint32_t i = 0; i < argc; i++)
			require(args[i] + strlen(args[i]) < (const char *)h + len);
	}
	if (type == PROTO_RECORD)
		require(strlen(((struct proto_record *)(void *)h)->name) < PROTO_NAME_MAX);
	free(h);
}

static int file_of(const uint8_t *data, size_t len)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	require(fd >= 0 && write(fd, data, len) == (ssize_t)len && lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

/* The user's name, then /etc/passwd and /etc/group, with a 0 between each. */
static void users(const uint8_t *data, size_t len)
{
	const uint8_t *a = memchr(data, 0, len), *b = a ? memchr(a + 1, 0, len - (size_t)(a + 1 - data)) : NULL;
	struct init_user u = { .uid = 7 };
	int passwd_fd, group_fd, r;

	if (!b)
		return;
	passwd_fd = file_of(a + 1, (size_t)(b - a - 1));
	group_fd = file_of(b + 1, len - (size_t)(b + 1 - data));
	r = user_find_in(passwd_fd, group_fd, (const char *)data, &u);
	require(r == 0 || u.uid == 7);
	if (r == 0) {
		require(u.uid != UINT32_MAX && u.gid != UINT32_MAX && u.home[0] == '/' && strlen(u.home) < sizeof(u.home));
		require(u.n_groups >= 1 && u.n_groups <= sizeof(u.groups) / sizeof(*u.groups) && u.groups[0] == u.gid);
	}
	(void)close(passwd_fd);
	(void)close(group_fd);
}

/* A message of the kernel's with its length in the first two bytes, then the state file. */
static void network(const uint8_t *data, size_t len)
{
	struct state_view v;
	size_t n;
	char *msg, *text;

	if (len < 3)
		return;
	n = (size_t)(data[0] | data[1] << 8) % (len - 2);
	msg = exact(data + 2, n);
	text = exact(data + 2 + n, len - 2 - n);
	v = (struct state_view){ .text = text, .len = len - 2 - n };
	(void)net_message_concerns(msg, n, &v);
	(void)state_is(&v, "phase", "running");
	(void)state_has_ifindex(&v, 1);
	(void)state_has_address(&v, "\xc0\x00\x02\x01", 4);
	free(msg);
	free(text);
}

/* Nothing that a terminal acts on, nothing that ends the line or the string. */
static void lines(const uint8_t *data, size_t len)
{
	char buf[4096];
	char *s = exact(data, len);

	for (int json = 0; json < 2; json++) {
		struct text t = TEXT(buf);

		buf[0] = '\0';
		text_add_safe(&t, s, len, json);
		require(t.len < sizeof(buf) && buf[t.len] == '\0');
		for (size_t i = 0; i < t.len; i++) {
			unsigned char c = (unsigned char)buf[i];

			require(c >= ' ' || (c == '\t' && !json));
			require(c != 0x7f && !(c == 0xc2 && (unsigned char)buf[i + 1] < 0xa0 && t.len < sizeof(buf) - 8));
			if (!json)
				continue;
			require(c != '"');
			i += c == '\\';
		}
	}
	free(s);
}

/* Records in and out: numbers rise by one but for those that were pushed out, and each comes as it went. */
static void ring(const uint8_t *data, size_t len)
{
	union {
		struct proto_record record;
		struct proto_refused refused;
		union log_head head;
		char bytes[sizeof(union log_head) + PROTO_TEXT_MAX];
	} out;
	struct ring_cursor cursor;
	struct ring *r = &rings[PROTO_EVENT];
	char text[PROTO_TEXT_MAX];
	uint64_t last = 0;

	*r = (struct ring){ .buf = r->buf, .size = r->size, .first = 1, .next = 1 };
	log_begin(PROTO_EVENT, &cursor);
	for (size_t i = 0; i + 1 < len; i += 2) {
		size_t n = data[i + 1] * 4u, got;

		if (data[i] & 16) {
			log_refused(&(struct proto_refused){ .call = data[i + 1], .error = 1 });
			continue;
		}
		if (data[i] & 1) {
			memset(text, (int)(n & 0xff), sizeof(text));
			log_add(PROTO_EVENT, data[i] & 2 ? "a-longer-name" : "a", text, n);
			continue;
		}
		got = log_next(PROTO_EVENT, &cursor, &out, sizeof(out));
		if (!got)
			continue;
		if (proto_check(&out, got) == PROTO_REFUSED) {
			require(out.refused.seq > last && out.refused.error == 1);
			last = out.refused.seq;
			continue;
		}
		require(proto_check(&out, got) == PROTO_RECORD && out.record.seq > last);
		last = out.record.seq;
		for (size_t j = 0; j < out.record.text_len; j++)
			require(out.bytes[sizeof(out.record) + j] == (char)out.record.text_len);
		if (data[i] & 4)
			log_ack(PROTO_EVENT, last);
		if (data[i] & 8)
			log_begin(PROTO_EVENT, &cursor);
		require(cursor.seq <= r->next);
		last = data[i] & 8 ? cursor.seq - 1 : last;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static void (*const targets[])(const uint8_t *, size_t) = { messages, users, network, lines, ring };

	if (len)
		targets[data[0] % (sizeof(targets) / sizeof(*targets))](data + 1, len - 1);
	return 0;
}
