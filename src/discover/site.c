/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "discover/site.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "vsv/small.h"

/* ---- the file ---- */

static int set_text(char *field, size_t size, const char *value)
{
	if (!*value || strlen(value) >= size)
		return -EINVAL;
	copy_str(field, size, value);
	return 0;
}

static int set_address(struct site *s, const char *value)
{
	struct site_address *a = &s->addresses[s->n_addresses];

	if (s->n_addresses == SITE_ADDRESSES)
		return -E2BIG;
	if (ipaddr_parse_prefix(value, &a->addr, &a->prefix) < 0)
		return -EINVAL;
	s->n_addresses++;
	return 0;
}

static int set_service(struct site *s, char *value)
{
	struct site_service *v = &s->services[s->n_services];
	char *space = strchr(value, ' ');
	uint64_t port;

	if (s->n_services == SITE_SERVICES)
		return -E2BIG;
	if (!space || decimal(space + 1, UINT16_MAX, &port) < 0)
		return -EINVAL;
	*space = '\0';
	*v = (struct site_service){ .port = (uint16_t)port };
	if (set_text(v->type, sizeof(v->type), value) < 0)
		return -EINVAL;
	s->n_services++;
	return 0;
}

static int set(struct site *s, const char *key, char *value)
{
	struct site_service *last = s->n_services ? &s->services[s->n_services - 1] : NULL;

	if (strcmp(key, "host") == 0)
		return set_text(s->host, sizeof(s->host), value);
	if (strcmp(key, "netbios") == 0)
		return set_text(s->netbios, sizeof(s->netbios), value);
	if (strcmp(key, "uuid") == 0)
		return set_text(s->uuid, sizeof(s->uuid), value);
	if (strcmp(key, "workgroup") == 0 || strcmp(key, "domain") == 0) {
		s->member = *key == 'd';
		return set_text(s->group, sizeof(s->group), value);
	}
	if (strcmp(key, "address") == 0)
		return set_address(s, value);
	if (strcmp(key, "service") == 0)
		return set_service(s, value);
	if (last && strcmp(key, "instance") == 0)
		return set_text(last->instance, sizeof(last->instance), value);
	if (last && strcmp(key, "txt") == 0)
		return set_text(last->txt, sizeof(last->txt), value);
	return -EINVAL;
}

static bool is_whole(const struct site *s)
{
	for (size_t i = 0; i < s->n_services; i++)
		if (!*s->services[i].instance)
			return false;
	return *s->host && *s->netbios && *s->group && *s->uuid;
}

int site_parse(char *text, struct site *ret)
{
	*ret = (struct site){ .n_addresses = 0 };
	while (*text) {
		char *end = strchr(text, '\n'), *space;
		int r;

		if (!end)
			return -EINVAL;
		*end = '\0';
		space = strchr(text, ' ');
		if (!space)
			return -EINVAL;
		*space = '\0';
		r = set(ret, text, space + 1);
		if (r < 0)
			return r;
		text = end + 1;
	}
	return is_whole(ret) ? 0 : -EINVAL;
}

int site_read(const char *path, struct site *ret)
{
	static char text[SITE_FILE_MAX + 1];
	static struct site fresh; /* too large for a stack of small programs */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;
	int r;

	if (fd < 0)
		return -errno;
	while (n > 0 && len < SITE_FILE_MAX) {
		n = read(fd, text + len, SITE_FILE_MAX - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (n < 0)
		return -errno;
	if (len == SITE_FILE_MAX)
		return -E2BIG;
	text[len] = '\0';
	r = site_parse(text, &fresh);
	if (r == 0)
		*ret = fresh;
	return r;
}

/* ---- the interfaces ---- */

void site_address_seen(struct site *s, const struct ipaddr *a, uint32_t ifindex)
{
	for (size_t i = 0; i < s->n_addresses; i++)
		if (ipaddr_equal(&s->addresses[i].addr, a))
			s->addresses[i].ifindex = ifindex;
}

static bool same_address(const struct site_address *a, const struct site_address *b)
{
	return ipaddr_equal(&a->addr, &b->addr) && a->prefix == b->prefix && a->ifindex == b->ifindex;
}

static bool same_service(const struct site_service *a, const struct site_service *b)
{
	return strcmp(a->type, b->type) == 0 && a->port == b->port && strcmp(a->instance, b->instance) == 0 &&
	       strcmp(a->txt, b->txt) == 0;
}

bool site_equal(const struct site *a, const struct site *b)
{
	if (a->n_addresses != b->n_addresses || a->n_services != b->n_services || a->member != b->member ||
	    strcmp(a->host, b->host) != 0 || strcmp(a->netbios, b->netbios) != 0 || strcmp(a->group, b->group) != 0 ||
	    strcmp(a->uuid, b->uuid) != 0)
		return false;
	for (size_t i = 0; i < a->n_addresses; i++)
		if (!same_address(&a->addresses[i], &b->addresses[i]))
			return false;
	for (size_t i = 0; i < a->n_services; i++)
		if (!same_service(&a->services[i], &b->services[i]))
			return false;
	return true;
}

bool site_is_own(const struct site *s, const struct ipaddr *a)
{
	for (size_t i = 0; i < s->n_addresses; i++)
		if (ipaddr_equal(&s->addresses[i].addr, a))
			return true;
	return false;
}

static bool is_link_local(const struct ipaddr *a)
{
	return a->family == AF_INET6 && a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

bool site_is_near(const struct site *s, const struct ipaddr *a, uint32_t ifindex)
{
	if (site_is_own(s, a) || is_link_local(a))
		return true;
	for (size_t i = 0; i < s->n_addresses; i++)
		if (s->addresses[i].ifindex == ifindex && s->addresses[i].addr.family == a->family &&
		    ipaddr_in(a, &s->addresses[i].addr, s->addresses[i].prefix))
			return true;
	return false;
}

/* on_address: IFA_LOCAL is the address where both are there; IPv6 has IFA_ADDRESS alone. */
static void on_address(struct site *s, const char *p, size_t len)
{
	struct ifaddrmsg m;
	struct rtattr a;
	struct ipaddr local = { 0 };
	size_t want, step;

	if (len < NLMSG_ALIGN(sizeof(m)))
		return;
	memcpy(&m, p, sizeof(m));
	want = m.ifa_family == AF_INET ? 4 : 16;
	p += NLMSG_ALIGN(sizeof(m));
	len -= NLMSG_ALIGN(sizeof(m));
	for (; len >= sizeof(a); p += step, len -= step) {
		memcpy(&a, p, sizeof(a));
		if (a.rta_len < sizeof(a) || a.rta_len > len)
			break;
		step = RTA_ALIGN((size_t)a.rta_len) > len ? len : RTA_ALIGN((size_t)a.rta_len);
		if ((a.rta_type != IFA_LOCAL && (a.rta_type != IFA_ADDRESS || local.family)) || a.rta_len != RTA_LENGTH(want))
			continue;
		local.family = m.ifa_family;
		memcpy(local.bytes, p + RTA_LENGTH(0), want);
	}
	if (m.ifa_family == AF_INET || m.ifa_family == AF_INET6)
		site_address_seen(s, &local, m.ifa_index);
}

/* read_dump: 1: there is more to come. */
static int read_dump(struct site *s, int fd)
{
	static char buf[16384];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);
	size_t left = n < 0 ? 0 : (size_t)n, step;
	struct nlmsghdr h;

	if (n < 0)
		return errno == EINTR ? 1 : -errno;
	for (const char *p = buf; left >= sizeof(h); p += step, left -= step) {
		memcpy(&h, p, sizeof(h));
		if (h.nlmsg_type == NLMSG_DONE)
			return 0;
		if (h.nlmsg_type == NLMSG_ERROR || h.nlmsg_len < sizeof(h) || h.nlmsg_len > left)
			return -EIO;
		step = NLMSG_ALIGN((size_t)h.nlmsg_len) > left ? left : NLMSG_ALIGN((size_t)h.nlmsg_len);
		if (h.nlmsg_type == RTM_NEWADDR)
			on_address(s, p + NLMSG_HDRLEN, h.nlmsg_len - NLMSG_HDRLEN);
	}
	return 1;
}

int site_locate(struct site *s)
{
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct {
		struct nlmsghdr h;
		struct ifaddrmsg m;
	} req = { .h = { .nlmsg_len = sizeof(req), .nlmsg_type = RTM_GETADDR, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP } };
	struct timeval patience = { .tv_sec = 2 };
	int r = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    send(fd, &req, sizeof(req), 0) < 0)
		return -errno;
	for (size_t i = 0; i < s->n_addresses; i++)
		s->addresses[i].ifindex = 0;
	while (r > 0)
		r = read_dump(s, fd);
	return r;
}
