/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listening to what the kernel says about addresses, routes, rules and links.  Which of it concerns this server is read
 * from its state file at that moment, so that an address that was just added needs nobody to tell us. */
#include "vsv/supervise.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "vsv/small.h"

/* The routing table of server n is TABLE_BASE + n (psv/net.h). */
#define TABLE_BASE 0x564e0000u

enum { BUFFER = 8192, READS_MAX = 64 };

/* Lets only those messages wake us that can speak of this server: every start and stop of any server makes a dozen, and
 * there may be a thousand supervisors.  table: ours; 0: not known.  Without a filter all is looked at, so its failure is
 * no matter. */
static void filter(int fd, uint32_t table)
{
	/* Both messages have a header of the same length and the same number for their table. */
	_Static_assert(sizeof(struct rtmsg) == sizeof(struct fib_rule_hdr) && (int)RTA_TABLE == (int)FRA_TABLE, "alike");
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWLINK), 14, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELADDR), 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 6, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWRULE), 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELRULE), 4, 11),
		/* Where the attribute is that says whose address it was (net_address.c).  None: not one of ours, or put on by
		 * an older vnas. */
		BPF_STMT(BPF_LD | BPF_IMM, NLMSG_HDRLEN + sizeof(struct ifaddrmsg)),
		BPF_STMT(BPF_LDX | BPF_IMM, IFA_RT_PRIORITY),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_NLATTR)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 6, 3),
		/* Where the attribute with the table is. */
		BPF_STMT(BPF_LD | BPF_IMM, NLMSG_HDRLEN + sizeof(struct rtmsg)),
		BPF_STMT(BPF_LDX | BPF_IMM, RTA_TABLE),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_NLATTR)),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_IND, NLA_HDRLEN),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(table), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(*code), .filter = (struct sock_filter *)(uintptr_t)code };

	if (table)
		(void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static uint32_t table_of(const char *run_dir, const char *server)
{
	struct state_view v = { .text = NULL };
	uint64_t id = 0;

	if (state_open(run_dir, server, &v) < 0)
		return 0;
	if (state_number(&v, "id", &id) < 0)
		id = 0;
	state_close(&v);
	return id ? (uint32_t)(TABLE_BASE + id) : 0;
}

int net_is_private(const char *run_dir, const char *server)
{
	struct state_view v = { .text = NULL };
	bool private;
	int r = state_open(run_dir, server, &v);

	if (r < 0)
		return state_is_none(r) ? 0 : r;
	private = state_has(&v, "host_interface");
	state_close(&v);
	return private;
}

bool net_carrier(int fd)
{
	struct ifreq r = { .ifr_name = "eth0" /* LINK_INSIDE of psv/link.h */ };

	/* Any socket tells of the network that it was made in. */
	return ioctl(fd, SIOCGIFFLAGS, &r) == 0 && (r.ifr_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
}

static int rtnl_socket(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	return fd < 0 ? -errno : fd;
}

/* Made over there, used here. */
static int socket_in(int pidfd)
{
	_cleanup_close_ int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int fd;

	if (home < 0 || setns(pidfd, CLONE_NEWNET) < 0)
		return -errno;
	fd = rtnl_socket();
	/* What this process starts would act on the wrong network.  It is missed by nobody but who starts a new one. */
	if (setns(home, CLONE_NEWNET) < 0)
		_exit(1);
	return fd;
}

int net_open(const char *run_dir, const char *server, int pidfd, bool rarely)
{
	static const int groups[] = { RTNLGRP_LINK /* first */, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_IPV4_IFADDR,
				      RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE };
	size_t n = rarely ? 1 : sizeof(groups) / sizeof(*groups);
	_cleanup_close_ int fd = pidfd < 0 ? rtnl_socket() : socket_in(pidfd);
	struct sockaddr_nl any = { .nl_family = AF_NETLINK };

	if (fd < 0)
		return fd;
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		return -errno;
	/* In a network of its own all is its own. */
	if (pidfd < 0)
		filter(fd, table_of(run_dir, server));
	for (size_t i = 0; i < n; i++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof(groups[i])) < 0)
			return -errno;
	return steal_fd(&fd);
}

struct attributes {
	const char *p;
	size_t len;
};

/* next_attribute: its type; -1: no more. */
static int next_attribute(struct attributes *a, const void **ret, size_t *ret_len)
{
	struct rtattr h;
	size_t step;

	if (a->len < sizeof(h))
		return -1;
	memcpy(&h, a->p, sizeof(h));
	if (h.rta_len < sizeof(h) || h.rta_len > a->len)
		return -1;
	*ret = a->p + RTA_ALIGN(sizeof(h));
	*ret_len = h.rta_len - sizeof(h);
	step = RTA_ALIGN((size_t)h.rta_len);
	step = step > a->len ? a->len : step;
	a->p += step;
	a->len -= step;
	return h.rta_type & NLA_TYPE_MASK;
}

static bool own_address(const struct state_view *v, const void *data, size_t len)
{
	return (len == 4 || len == 16) && state_has_address(v, data, len);
}

static bool own_table(const struct state_view *v, const void *data, size_t len)
{
	uint32_t table;
	uint64_t id;

	if (len != sizeof(table) || state_number(v, "id", &id) < 0)
		return false;
	memcpy(&table, data, len);
	return table == TABLE_BASE + id;
}

/* concerns: one of the attributes is an address of ours (in two places), or our table. */
static bool concerns(const char *p, size_t len, size_t head, int address_a, int address_b, int table,
		     const struct state_view *v)
{
	struct attributes a = { .p = p + NLMSG_ALIGN(head), .len = len };
	const void *data;
	size_t data_len;
	int type;

	if (len < NLMSG_ALIGN(head))
		return false;
	a.len -= NLMSG_ALIGN(head);
	while ((type = next_attribute(&a, &data, &data_len)) >= 0)
		if (((type == address_a || type == address_b) && own_address(v, data, data_len)) ||
		    (type == table && own_table(v, data, data_len)))
			return true;
	return false;
}

static bool link_came(const char *p, size_t len, const struct state_view *v)
{
	struct ifinfomsg m;

	if (len < sizeof(m))
		return false;
	memcpy(&m, p, sizeof(m));
	return (m.ifi_flags & IFF_UP) && (m.ifi_change & IFF_UP) && state_has_ifindex(v, (uint32_t)m.ifi_index);
}

static unsigned if_gone(bool concerned)
{
	return concerned ? NET_GONE : 0;
}

unsigned net_message_concerns(const void *msg, size_t len, const struct state_view *v)
{
	const struct nlmsghdr *h = msg;
	const char *p = (const char *)msg + NLMSG_HDRLEN;

	if (len < NLMSG_HDRLEN || h->nlmsg_len < NLMSG_HDRLEN || h->nlmsg_len > len)
		return 0;
	len = h->nlmsg_len - NLMSG_HDRLEN;
	switch (h->nlmsg_type) {
	case RTM_DELADDR:
		return if_gone(concerns(p, len, sizeof(struct ifaddrmsg), IFA_ADDRESS, IFA_LOCAL, -1, v));
	case RTM_DELROUTE:
		return if_gone(concerns(p, len, sizeof(struct rtmsg), RTA_DST, RTA_PREFSRC, RTA_TABLE, v));
	case RTM_DELRULE:
		return if_gone(concerns(p, len, sizeof(struct fib_rule_hdr), FRA_SRC, FRA_DST, FRA_TABLE, v));
	case RTM_NEWRULE:
		return concerns(p, len, sizeof(struct fib_rule_hdr), -1, -1, FRA_TABLE, v) ? NET_NEW : 0;
	case RTM_NEWADDR: /* in a network of its own, which has no rules; elsewhere the filter keeps it away */
		return concerns(p, len, sizeof(struct ifaddrmsg), IFA_ADDRESS, IFA_LOCAL, -1, v) ? NET_NEW : 0;
	case RTM_NEWLINK:
		return if_gone(link_came(p, len, v));
	default:
		return 0;
	}
}

static unsigned packet_concerns(const char *p, size_t len, const char *run_dir, const char *server)
{
	struct state_view v = { .text = NULL };
	unsigned found = 0;

	if (state_open(run_dir, server, &v) < 0)
		return 0;
	while (len >= NLMSG_HDRLEN) {
		size_t step = NLMSG_ALIGN((size_t)((const struct nlmsghdr *)(const void *)p)->nlmsg_len);

		found |= net_message_concerns(p, len, &v);
		if (step < NLMSG_HDRLEN || step > len)
			break;
		p += step;
		len -= step;
	}
	state_close(&v);
	return found;
}

unsigned net_read(int fd, const char *run_dir, const char *server)
{
	union {
		struct nlmsghdr align;
		char bytes[BUFFER];
	} buf;
	unsigned found = 0;

	for (unsigned i = 0; i < READS_MAX; i++) {
		struct sockaddr_nl from;
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(fd, &buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);

		if (n < 0 && errno == ENOBUFS)
			found |= NET_GONE; /* some were lost: look */
		else if (n < 0 && errno != EINTR)
			break;
		else if (n > 0 && from.nl_pid == 0)
			found |= packet_concerns(buf.bytes, (size_t)n, run_dir, server);
	}
	return found;
}

struct link_seen {
	uint32_t index, master; /* that of its bridge or bond; 0: none */
	bool bridge;            /* it is one */
	bool joins;             /* it was left in the middle of becoming a port (LINK_JOINS of psv/link.h) */
};

static bool is_text(const void *data, size_t len, const char *text)
{
	return len >= strlen(text) && memcmp(data, text, strlen(text)) == 0 && (len == strlen(text) || !((const char *)data)[strlen(text)]);
}

static bool ends_as_joining(const void *data, size_t len)
{
	static const char joins[] = " joins";

	len = strnlen(data, len);
	return len >= strlen(joins) && memcmp((const char *)data + len - strlen(joins), joins, strlen(joins)) == 0;
}

static void read_seen(struct attributes a, struct link_seen *ret)
{
	const void *data;
	size_t len;
	int type;

	while ((type = next_attribute(&a, &data, &len)) >= 0) {
		if (type == IFLA_MASTER && len == sizeof(ret->master))
			memcpy(&ret->master, data, len);
		else if (type == IFLA_IFALIAS)
			ret->joins = ends_as_joining(data, len);
		else if (type == IFLA_LINKINFO) {
			struct attributes info = { .p = data, .len = len };

			while ((type = next_attribute(&info, &data, &len)) >= 0)
				if (type == IFLA_INFO_KIND)
					ret->bridge = is_text(data, len, "bridge");
		}
	}
}

/* link_ask: an interface of the Psv's by its name.  false: there is none. */
static bool link_ask(int fd, const char *name, struct link_seen *ret)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg m;
		struct rtattr a;
		char name[IFNAMSIZ];
	} ask = { .h = { .nlmsg_len = sizeof(ask), .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST },
		  .a = { .rta_len = RTA_LENGTH(IFNAMSIZ), .rta_type = IFLA_IFNAME } };
	union {
		struct nlmsghdr align;
		char bytes[2 * BUFFER];
	} buf;
	struct text t = TEXT(ask.name);
	ssize_t n;

	text_add(&t, name);
	if (send(fd, &ask, sizeof(ask), 0) < 0)
		return false;
	n = recv(fd, &buf, sizeof(buf), 0);
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct ifinfomsg)) || buf.align.nlmsg_type != RTM_NEWLINK || buf.align.nlmsg_len > (size_t)n)
		return false;
	*ret = (struct link_seen){ .index = (uint32_t)((struct ifinfomsg *)NLMSG_DATA(&buf.align))->ifi_index };
	read_seen((struct attributes){ .p = buf.bytes + NLMSG_SPACE(sizeof(struct ifinfomsg)),
				       .len = buf.align.nlmsg_len - NLMSG_SPACE(sizeof(struct ifinfomsg)) }, ret);
	return true;
}

bool net_port_astray(const char *run_dir, const char *server, uint32_t *bridge_seen)
{
	_cleanup_close_ int fd = rtnl_socket();
	char port[IFNAMSIZ], bridge[IFNAMSIZ];
	struct state_view v = { .text = NULL };
	struct link_seen end, parent;
	bool known, other;

	if (fd < 0 || state_open(run_dir, server, &v) < 0)
		return false;
	known = state_text(&v, "host_interface", port, sizeof(port)) && *port && state_text(&v, "parent", bridge, sizeof(bridge));
	state_close(&v);
	/* What has the name now may be no bridge: then there is nothing to join, and status says so. */
	if (!known || !link_ask(fd, port, &end) || !link_ask(fd, bridge, &parent) || !parent.bridge)
		return false;
	other = *bridge_seen && *bridge_seen != parent.index;
	*bridge_seen = parent.index;
	return other || end.master != parent.index || end.joins;
}
