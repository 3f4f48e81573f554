/* SPDX-License-Identifier: GPL-2.0-or-later */
/* (a) binding addresses. */
#include <string.h>
#include <unistd.h>

#include "verify/probe_net.h"

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif

static int bind_with(const union address *a, int type, int level, int option)
{
	int one = 1, fd = socket_for(a, type), r;

	if (fd < 0)
		return fd;
	r = option ? outcome(setsockopt(fd, level, option, &one, sizeof(one))) : 0;
	if (r == 0)
		r = outcome(bind(fd, &a->sa, address_len(a)));
	(void)close(fd);
	return r;
}

static int free_tcp(const union address *a)
{
	union address b = with_port(a, 0);

	return bind_with(&b, SOCK_STREAM, 0, 0);
}
int free_udp(const union address *a)
{
	union address b = with_port(a, 0);

	return bind_with(&b, SOCK_DGRAM, 0, 0);
}
static int free_mapped(const union address *a)
{
	union address b;

	return to_mapped(a, &b) ? bind_with(&b, SOCK_STREAM, 0, 0) : ANSWER_NOTHING;
}
static int freebind(const union address *a, int type)
{
	return address_is4(a) ? bind_with(a, type, IPPROTO_IP, IP_FREEBIND) : bind_with(a, type, IPPROTO_IPV6, IPV6_FREEBIND);
}
static int freebind_tcp(const union address *a) { return freebind(a, SOCK_STREAM); }
static int freebind_udp(const union address *a) { return freebind(a, SOCK_DGRAM); }
static int transparent(const union address *a)
{
	return address_is4(a) ? bind_with(a, SOCK_STREAM, IPPROTO_IP, IP_TRANSPARENT) :
				bind_with(a, SOCK_STREAM, IPPROTO_IPV6, IPV6_TRANSPARENT);
}

int bind_own(const struct target *t) { return every_address(&t->own, free_tcp); }
int bind_own_udp(const struct target *t) { return every_address(&t->own, free_udp); }
int bind_own_mapped(const struct target *t)
{
	for (unsigned i = 0; i < t->own.n; i++)
		if (address_is4(&t->own.v[i]))
			return free_mapped(&t->own.v[i]);
	return ANSWER_NOTHING;
}
int bind_tcp(const struct target *t) { return each_address(&t->own, free_tcp); }
int bind_udp(const struct target *t) { return each_address(&t->own, free_udp); }
int bind_mapped(const struct target *t) { return each_address(&t->own, free_mapped); }
int bind_freebind(const struct target *t) { return each_address(&t->own, freebind_tcp); }
int bind_freebind_udp(const struct target *t) { return each_address(&t->own, freebind_udp); }
int bind_transparent(const struct target *t) { return each_address(&t->own, transparent); }
int bind_nobody(const struct target *t) { return worse(each_address(&t->absent, freebind_tcp), each_address(&t->absent, freebind_udp)); }

/* At the very place where another listens. */
static int share(const union address *a)
{
	return worse(bind_with(a, SOCK_STREAM, SOL_SOCKET, SO_REUSEPORT), bind_with(a, SOCK_STREAM, SOL_SOCKET, SO_REUSEADDR));
}
int port_share(const struct target *t) { return each_address(&t->tcp, share); }
