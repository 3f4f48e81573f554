/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "verify/probe_net.h"

#include <errno.h>
#include <string.h>

int each_address(const struct addresses *list, address_function *f)
{
	int r = ANSWER_NOTHING;

	for (unsigned i = 0; i < list->n && r != 0; i++)
		r = worse(r, f(&list->v[i]));
	return r;
}

int every_address(const struct addresses *list, address_function *f)
{
	int r = ANSWER_NOTHING;

	for (unsigned i = 0; i < list->n && (r == 0 || r == ANSWER_NOTHING); i++)
		r = f(&list->v[i]);
	return r;
}

int socket_for(const union address *a, int type)
{
	int fd = socket(a->sa.sa_family, type | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

union address with_port(const union address *a, uint16_t port)
{
	union address r = *a;

	if (address_is4(a))
		r.in4.sin_port = htons(port);
	else
		r.in6.sin6_port = htons(port);
	return r;
}

uint16_t port_of(const union address *a)
{
	return ntohs(address_is4(a) ? a->in4.sin_port : a->in6.sin6_port);
}

bool to_mapped(const union address *a, union address *ret)
{
	if (!address_is4(a))
		return false;
	memset(ret, 0, sizeof(*ret));
	ret->in6.sin6_family = AF_INET6;
	ret->in6.sin6_port = a->in4.sin_port;
	ret->in6.sin6_addr.s6_addr[10] = ret->in6.sin6_addr.s6_addr[11] = 0xff;
	memcpy(&ret->in6.sin6_addr.s6_addr[12], &a->in4.sin_addr, 4);
	return true;
}

union address wildcard(int family)
{
	union address a;

	memset(&a, 0, sizeof(a));
	a.sa.sa_family = (sa_family_t)family;
	return a;
}

union address loopback(int family, uint8_t last)
{
	union address a = wildcard(family);

	if (family == AF_INET)
		a.in4.sin_addr.s_addr = htonl(0x7f000000u | last);
	else
		a.in6.sin6_addr.s6_addr[15] = 1;
	return a;
}
