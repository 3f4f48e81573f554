/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of a netlink(7) message: put together, and taken apart again.  A shared library for these few lines would cost every
 * command the finding and binding of it.
 *
 * What is put is not checked against the room for it: struct netlink_msg (lib/netlink.h) holds all requests of ours. */
#pragma once

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ---- a message ---- */

static inline void *nl_payload(const struct nlmsghdr *h)
{
	return (char *)(uintptr_t)h + NLMSG_HDRLEN;
}

static inline size_t nl_payload_len(const struct nlmsghdr *h)
{
	return h->nlmsg_len - (size_t)NLMSG_HDRLEN;
}

/* nl_first_attr: behind an extra header of that size. */
static inline const struct nlattr *nl_first_attr(const struct nlmsghdr *h, size_t extra)
{
	return (const struct nlattr *)(const void *)((const char *)h + NLMSG_HDRLEN + NLMSG_ALIGN(extra));
}

/* nl_tail: where the next attribute goes. */
static inline void *nl_tail(const struct nlmsghdr *h)
{
	return (char *)(uintptr_t)h + NLMSG_ALIGN((size_t)h->nlmsg_len);
}

/* nl_put_header: so many bytes more, zeroed. */
static inline void *nl_put_header(struct nlmsghdr *h, size_t size)
{
	char *p = nl_tail(h);

	memset(p, 0, NLMSG_ALIGN(size));
	h->nlmsg_len = (uint32_t)((size_t)(p - (char *)h) + NLMSG_ALIGN(size));
	return p;
}

/* nl_ok: a whole message stands at the beginning of so many bytes. */
static inline bool nl_ok(const struct nlmsghdr *h, size_t left)
{
	return left >= sizeof(*h) && h->nlmsg_len >= sizeof(*h) && h->nlmsg_len <= left;
}

static inline struct nlmsghdr *nl_next(const struct nlmsghdr *h, size_t *left)
{
	size_t step = NLMSG_ALIGN((size_t)h->nlmsg_len);

	step = step > *left ? *left : step;
	*left -= step;
	return (struct nlmsghdr *)(void *)((char *)(uintptr_t)h + step);
}

/* ---- its attributes ---- */

static inline uint16_t nl_attr_type(const struct nlattr *a)
{
	return a->nla_type & NLA_TYPE_MASK;
}

static inline void *nl_attr_data(const struct nlattr *a)
{
	return (char *)(uintptr_t)a + NLA_HDRLEN;
}

static inline size_t nl_attr_len(const struct nlattr *a)
{
	return a->nla_len - (size_t)NLA_HDRLEN;
}

/* nl_attr_ok: a whole attribute stands between there and the end. */
static inline bool nl_attr_ok(const struct nlattr *a, const void *end)
{
	ptrdiff_t left = (const char *)end - (const char *)a;

	return left >= (ptrdiff_t)sizeof(*a) && a->nla_len >= NLA_HDRLEN && a->nla_len <= left;
}

static inline const struct nlattr *nl_attr_next(const struct nlattr *a)
{
	return (const struct nlattr *)(const void *)((const char *)a + NLA_ALIGN((size_t)a->nla_len));
}

/* nl_attr_number: as many bytes of it as there are, at most size; what is missing is 0. */
static inline void nl_attr_number(const struct nlattr *a, void *ret, size_t size)
{
	size_t len = nl_attr_len(a);

	memset(ret, 0, size);
	memcpy(ret, nl_attr_data(a), len < size ? len : size);
}

static inline uint8_t nl_attr_u8(const struct nlattr *a)
{
	uint8_t v;

	nl_attr_number(a, &v, sizeof(v));
	return v;
}

static inline uint16_t nl_attr_u16(const struct nlattr *a)
{
	uint16_t v;

	nl_attr_number(a, &v, sizeof(v));
	return v;
}

static inline uint32_t nl_attr_u32(const struct nlattr *a)
{
	uint32_t v;

	nl_attr_number(a, &v, sizeof(v));
	return v;
}

static inline uint64_t nl_attr_u64(const struct nlattr *a)
{
	uint64_t v;

	nl_attr_number(a, &v, sizeof(v));
	return v;
}

/* nl_attr_str: NULL: no string that ends within it. */
static inline const char *nl_attr_str(const struct nlattr *a)
{
	const char *s = nl_attr_data(a);
	size_t len = nl_attr_len(a);

	return len && memchr(s, '\0', len) ? s : NULL;
}

static inline void nl_attr_put(struct nlmsghdr *h, uint16_t type, size_t len, const void *data)
{
	struct nlattr *a = nl_tail(h);

	a->nla_type = type;
	a->nla_len = (uint16_t)(NLA_HDRLEN + len);
	if (len)
		memcpy(nl_attr_data(a), data, len);
	memset((char *)nl_attr_data(a) + len, 0, NLA_ALIGN(len) - len);
	h->nlmsg_len += (uint32_t)NLA_ALIGN(NLA_HDRLEN + len);
}

static inline void nl_attr_put_u8(struct nlmsghdr *h, uint16_t type, uint8_t v)
{
	nl_attr_put(h, type, sizeof(v), &v);
}

static inline void nl_attr_put_u16(struct nlmsghdr *h, uint16_t type, uint16_t v)
{
	nl_attr_put(h, type, sizeof(v), &v);
}

static inline void nl_attr_put_u32(struct nlmsghdr *h, uint16_t type, uint32_t v)
{
	nl_attr_put(h, type, sizeof(v), &v);
}

/* nl_attr_put_str and nl_attr_put_strz: without the zero at its end, and with it. */
static inline void nl_attr_put_str(struct nlmsghdr *h, uint16_t type, const char *s)
{
	nl_attr_put(h, type, strlen(s), s);
}

static inline void nl_attr_put_strz(struct nlmsghdr *h, uint16_t type, const char *s)
{
	nl_attr_put(h, type, strlen(s) + 1, s);
}

/* nl_attr_nest_start … nl_attr_nest_end: what is put between the two lies within that attribute. */
static inline struct nlattr *nl_attr_nest_start(struct nlmsghdr *h, uint16_t type)
{
	struct nlattr *start = nl_tail(h);

	nl_attr_put(h, (uint16_t)(type | NLA_F_NESTED), 0, NULL);
	return start;
}

static inline void nl_attr_nest_end(const struct nlmsghdr *h, struct nlattr *start)
{
	start->nla_len = (uint16_t)((char *)nl_tail(h) - (char *)start);
}
