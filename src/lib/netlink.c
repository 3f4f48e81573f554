/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"

/* The kernel makes no message of a dump larger than this (netlink(7), NLMSG_GOODSIZE and its growth to 32 KiB). */
enum { ANSWER_BYTES = 32768 };

#define FOR_EACH_ATTR(a, h, extra) \
	for ((a) = nl_first_attr(h, extra); nl_attr_ok(a, nl_tail(h)); (a) = nl_attr_next(a))

int netlink_open(int protocol, struct netlink *ret, struct err *err)
{
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	struct sockaddr_nl me = { .nl_family = AF_NETLINK };
	int one = 1;

	if (fd < 0 || bind(fd, (struct sockaddr *)&me, sizeof(me)) < 0)
		return err_set(err, -errno, "cannot open a netlink socket: %m");
	/* Better words, shorter answers, and filters that really filter: each only makes things nicer. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	*ret = (struct netlink){ .fd = steal_fd(&fd) };
	return 0;
}

void netlink_close(struct netlink *nl)
{
	if (nl->fd >= 0)
		(void)close(nl->fd);
	nl->fd = -1;
}

void *netlink_begin(struct netlink_msg *m, uint16_t type, uint16_t flags, size_t extra)
{
	struct nlmsghdr *h;

	memset(m, 0, sizeof(*m));
	h = &m->h;
	h->nlmsg_len = NLMSG_HDRLEN;
	h->nlmsg_type = type;
	/* NLM_F_DUMP is two bits, one of which means something else in a request that changes. */
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	if ((flags & NLM_F_DUMP) != NLM_F_DUMP)
		h->nlmsg_flags |= NLM_F_ACK;
	return nl_put_header(h, extra);
}

void netlink_attrs(const struct nlmsghdr *h, size_t extra, const struct nlattr **ret, uint16_t max)
{
	const struct nlattr *a;

	memset(ret, 0, sizeof(*ret) * (max + 1u));
	FOR_EACH_ATTR(a, h, extra)
		if (nl_attr_type(a) <= max)
			ret[nl_attr_type(a)] = a;
}

void netlink_nested(const struct nlattr *in, const struct nlattr **ret, uint16_t max)
{
	const char *end = (const char *)nl_attr_data(in) + nl_attr_len(in);

	memset(ret, 0, sizeof(*ret) * (max + 1u));
	for (const struct nlattr *a = nl_attr_data(in); nl_attr_ok(a, end); a = nl_attr_next(a))
		if (nl_attr_type(a) <= max)
			ret[nl_attr_type(a)] = a;
}

/* The number in an NLMSG_ERROR or NLMSG_DONE, and the kernel's words for it. */
static int ack(const struct nlmsghdr *h, struct err *err)
{
	size_t fixed = h->nlmsg_type == NLMSG_DONE ? sizeof(int) : sizeof(struct nlmsgerr);
	const struct nlattr *a;
	const char *words = NULL;
	int code;

	if (nl_payload_len(h) < sizeof(int))
		return h->nlmsg_type == NLMSG_DONE ? 0 : err_set(err, -EBADMSG, "the kernel's answer is too short");
	memcpy(&code, nl_payload(h), sizeof(code));
	if (code >= 0)
		return 0;
	if (h->nlmsg_type == NLMSG_ERROR && !(h->nlmsg_flags & NLM_F_CAPPED))
		fixed += nl_payload_len(h) > fixed ?
			 ((const struct nlmsgerr *)nl_payload(h))->msg.nlmsg_len - sizeof(struct nlmsghdr) : 0;
	if (h->nlmsg_flags & NLM_F_ACK_TLVS && nl_payload_len(h) > fixed)
		FOR_EACH_ATTR(a, h, fixed)
			if (nl_attr_type(a) == NLMSGERR_ATTR_MSG)
				words = nl_attr_str(a);
	return err_set(err, code, "%s", words ? words : strerror(-code));
}

int netlink_talk(struct netlink *nl, struct nlmsghdr *request, int (*cb)(const struct nlmsghdr *h, void *arg), void *arg,
		 struct err *err)
{
	union {
		struct nlmsghdr align;
		char bytes[ANSWER_BYTES];
	} answer;
	int result = 0, changed = 0;

	request->nlmsg_seq = ++nl->seq;
	if (send(nl->fd, request, request->nlmsg_len, 0) < 0)
		return err_set(err, -errno, "cannot ask the kernel: %m");
	for (;;) {
		struct iovec iov = { answer.bytes, sizeof(answer.bytes) };
		struct sockaddr_nl from;
		struct msghdr msg = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n = recvmsg(nl->fd, &msg, 0);
		size_t left = n < 0 ? 0 : (size_t)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, -errno, "cannot read the kernel's answer: %m");
		if (msg.msg_flags & MSG_TRUNC)
			return err_set(err, -EMSGSIZE, "the kernel's answer is too long");
		if (from.nl_pid != 0)
			continue; /* another process can send here, too */
		for (struct nlmsghdr *h = &answer.align; nl_ok(h, left); h = nl_next(h, &left)) {
			if (h->nlmsg_seq != nl->seq)
				continue; /* the rest of an answer that was given up */
			if (h->nlmsg_flags & NLM_F_DUMP_INTR)
				changed = 1;
			if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
				int r = ack(h, err);

				if (r < 0)
					return r;
				return result < 0 ? result : changed;
			}
			if (cb && result == 0)
				result = cb(h, arg);
		}
	}
}
