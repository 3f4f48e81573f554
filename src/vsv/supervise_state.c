/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RUN/NAME/state.json, written by the Psv alone and replaced as a whole.  A few keys of it are looked up in the text:
 * they are the first of their name, or stand in the list of addresses. */
#include "vsv/supervise.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "vsv/small.h"

int state_open(const char *run_dir, const char *server, struct state_view *ret)
{
	_cleanup_close_ int fd = -1;
	char path[4096];
	struct text t = TEXT(path);
	struct stat st;
	void *p;

	text_add(&t, run_dir);
	text_add(&t, "/");
	text_add(&t, server);
	text_add(&t, "/state.json");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return -EINVAL;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	*ret = (struct state_view){ .text = p, .len = (size_t)st.st_size };
	return 0;
}

bool state_is_none(int r)
{
	return r == -ENOENT || r == -EINVAL;
}

void state_close(struct state_view *v)
{
	if (v->text)
		(void)munmap((void *)(uintptr_t)v->text, v->len);
	*v = (struct state_view){ .text = NULL };
}

/* value_of: behind `"key":` at or after `from`; NULL: none. */
static const char *value_of(const struct state_view *v, const char *key, const char *from)
{
	size_t key_len = strlen(key);
	const char *end = v->text + v->len;

	for (const char *p = from; (p = memchr(p, '"', (size_t)(end - p))); p++) {
		const char *q = p + 1;

		if ((size_t)(end - q) <= key_len || memcmp(q, key, key_len) != 0 || q[key_len] != '"')
			continue;
		q += key_len + 1;
		while (q < end && (*q == ' ' || *q == '\n'))
			q++;
		if (q == end || *q != ':')
			continue;
		for (q++; q < end && (*q == ' ' || *q == '\n'); q++)
			;
		return q < end ? q : NULL;
	}
	return NULL;
}

/* copy_value: a number or the inside of a string, into a buffer. */
static bool copy_value(const struct state_view *v, const char *p, char *buf, size_t size)
{
	const char *end = v->text + v->len;
	size_t n = 0;

	p += *p == '"';
	for (; p < end && !strchr("\",} \n]", *p); p++) {
		if (n + 1 >= size)
			return false;
		buf[n++] = *p;
	}
	buf[n] = '\0';
	return p < end;
}

int state_number(const struct state_view *v, const char *key, uint64_t *ret)
{
	const char *p = value_of(v, key, v->text);
	char buf[24];

	return p && copy_value(v, p, buf, sizeof(buf)) && decimal(buf, UINT64_MAX, ret) == 0 ? 0 : -ENOENT;
}

bool state_has(const struct state_view *v, const char *key)
{
	return value_of(v, key, v->text) != NULL;
}

bool state_text(const struct state_view *v, const char *key, char *buf, size_t size)
{
	const char *p = value_of(v, key, v->text);

	return p && copy_value(v, p, buf, size);
}

bool state_is(const struct state_view *v, const char *key, const char *value)
{
	char buf[64];

	return state_text(v, key, buf, sizeof(buf)) && strcmp(buf, value) == 0;
}

bool state_runs(const char *run_dir, const char *server)
{
	struct state_view v;
	bool running;
	int r;

	r = state_open(run_dir, server, &v);
	if (r < 0)
		return !state_is_none(r);
	running = state_is(&v, "phase", "running");
	state_close(&v);
	return running;
}

bool state_has_address(const struct state_view *v, const void *bytes, size_t len)
{
	char buf[64];
	unsigned char addr[16];

	for (const char *p = v->text; (p = value_of(v, "address", p));)
		if (copy_value(v, p, buf, sizeof(buf)) &&
		    inet_pton(len == 4 ? AF_INET : AF_INET6, buf, addr) == 1 && memcmp(addr, bytes, len) == 0)
			return true;
	return false;
}

const char *state_next_address(const struct state_view *v, const char *at, struct own_address *ret)
{
	const char *p = value_of(v, "address", at ? at : v->text), *prefix = p ? value_of(v, "prefix", p) : NULL;
	const char *index = prefix ? value_of(v, "ifindex", prefix) : NULL;
	char buf[64];
	uint64_t bits, number;

	*ret = (struct own_address){ .family = AF_INET };
	if (!index || !copy_value(v, p, buf, sizeof(buf)))
		return NULL;
	if (strchr(buf, ':'))
		ret->family = AF_INET6;
	if (inet_pton(ret->family, buf, ret->bytes) != 1 || !copy_value(v, prefix, buf, sizeof(buf)) ||
	    decimal(buf, ret->family == AF_INET ? 32 : 128, &bits) < 0 ||
	    !copy_value(v, index, buf, sizeof(buf)) || decimal(buf, INT32_MAX, &number) < 0)
		return NULL;
	ret->prefix = (unsigned)bits;
	ret->ifindex = (unsigned)number;
	return prefix;
}

bool state_has_ifindex(const struct state_view *v, uint32_t ifindex)
{
	char buf[24];
	uint64_t n;

	for (const char *p = v->text; (p = value_of(v, "ifindex", p));)
		if (copy_value(v, p, buf, sizeof(buf)) && decimal(buf, UINT32_MAX, &n) == 0 && n == ifindex)
			return true;
	return false;
}
