/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rpc.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LAST = (int)0x80000000u, AUTH_SYS = 1 };

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	exit(1);
}

static void room(const struct xdr *x, size_t n)
{
	if (n > sizeof(x->data) - x->len)
		die("a call is too long");
}

void put32(struct xdr *x, uint32_t v)
{
	v = htobe32(v);
	room(x, sizeof(v));
	memcpy(x->data + x->len, &v, sizeof(v));
	x->len += sizeof(v);
}

void put64(struct xdr *x, uint64_t v)
{
	put32(x, (uint32_t)(v >> 32));
	put32(x, (uint32_t)v);
}

void put_bytes(struct xdr *x, const void *p, size_t n)
{
	size_t padded = (n + 3) & ~(size_t)3;

	room(x, padded);
	memset(x->data + x->len, 0, padded);
	memcpy(x->data + x->len, p, n);
	x->len += padded;
}

void put_opaque(struct xdr *x, const void *p, size_t n)
{
	put32(x, (uint32_t)n);
	put_bytes(x, p, n);
}

void put_string(struct xdr *x, const char *s)
{
	put_opaque(x, s, strlen(s));
}

uint32_t get32(struct xdr *x)
{
	uint32_t v;

	if (x->len - x->at < sizeof(v))
		die("an answer is too short");
	memcpy(&v, x->data + x->at, sizeof(v));
	x->at += sizeof(v);
	return be32toh(v);
}

uint64_t get64(struct xdr *x)
{
	uint64_t high = get32(x);

	return high << 32 | get32(x);
}

void get_bytes(struct xdr *x, void *p, size_t n)
{
	size_t padded = (n + 3) & ~(size_t)3;

	if (padded > x->len - x->at)
		die("an answer is too short");
	memcpy(p, x->data + x->at, n);
	x->at += padded;
}

size_t get_opaque(struct xdr *x, void *p, size_t max)
{
	size_t n = get32(x);

	if (n > max)
		die("an answer has %zu bytes where %zu are the most", n, max);
	get_bytes(x, p, n);
	return n;
}

/* Servers may ask for a port of root's. One that was in use a moment ago is not taken again: the connection would be refused. */
static void bind_low(int fd, int family)
{
	for (int port = 1023; port > 600; port--) {
		struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
		struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
		int r = family == AF_INET ? bind(fd, (struct sockaddr *)&v4, sizeof(v4)) : bind(fd, (struct sockaddr *)&v6, sizeof(v6));

		if (r == 0 || errno != EADDRINUSE)
			return;
	}
}

int rpc_connect(const char *address, int port)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *a;
	const struct timeval limit = { .tv_sec = 20 };
	char service[16];
	int fd;

	(void)snprintf(service, sizeof(service), "%d", port);
	if (getaddrinfo(address, service, &hints, &a) != 0)
		die("%s is no address", address);
	fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket: %s", strerror(errno));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	bind_low(fd, a->ai_family);
	if (connect(fd, a->ai_addr, a->ai_addrlen) < 0)
		die("connect to %s port %d: %s", address, port, strerror(errno));
	freeaddrinfo(a);
	return fd;
}

static void receive(int fd, void *p, size_t n)
{
	ssize_t got = recv(fd, p, n, MSG_WAITALL);

	if (got != (ssize_t)n)
		die("no answer: %s", got < 0 ? strerror(errno) : "the server closed the connection");
}

/* A record in one fragment or several. */
static void receive_record(int fd, struct xdr *ret)
{
	uint32_t mark;

	ret->len = ret->at = 0;
	do {
		receive(fd, &mark, sizeof(mark));
		mark = be32toh(mark);
		if ((mark & ~(uint32_t)LAST) > sizeof(ret->data) - ret->len)
			die("an answer is too long");
		receive(fd, ret->data + ret->len, mark & ~(uint32_t)LAST);
		ret->len += mark & ~(uint32_t)LAST;
	} while (!(mark & (uint32_t)LAST));
}

static void put_head(struct xdr *x, uint32_t xid, uint32_t program, uint32_t version, uint32_t procedure, uint32_t uid)
{
	struct xdr cred = { .len = 0 };

	put32(&cred, 0); /* stamp */
	put_string(&cred, "nfsclient");
	put32(&cred, uid);
	put32(&cred, uid); /* group */
	put32(&cred, 0);   /* no more groups */
	put32(x, xid);
	put32(x, 0); /* a call */
	put32(x, 2);
	put32(x, program);
	put32(x, version);
	put32(x, procedure);
	put32(x, AUTH_SYS);
	put_opaque(x, cred.data, cred.len);
	put32(x, 0); /* no verifier */
	put32(x, 0);
}

void rpc_call(int fd, uint32_t program, uint32_t version, uint32_t procedure, uint32_t uid, const struct xdr *args,
	      struct xdr *ret)
{
	static uint32_t xid;
	struct xdr x = { .len = 0 };
	unsigned char verifier[400];
	uint32_t mark, status;

	put32(&x, 0); /* the mark's place */
	put_head(&x, ++xid ^ (uint32_t)getpid() << 8, program, version, procedure, uid);
	room(&x, args->len);
	memcpy(x.data + x.len, args->data, args->len);
	x.len += args->len;
	mark = htobe32((uint32_t)LAST | (uint32_t)(x.len - sizeof(mark)));
	memcpy(x.data, &mark, sizeof(mark));
	if (send(fd, x.data, x.len, MSG_NOSIGNAL) != (ssize_t)x.len)
		die("send: %s", strerror(errno));
	do
		receive_record(fd, ret);
	while (get32(ret) != (xid ^ (uint32_t)getpid() << 8));
	if (get32(ret) != 1 || get32(ret) != 0)
		die("the call was not accepted");
	(void)get32(ret);
	(void)get_opaque(ret, verifier, sizeof(verifier));
	status = get32(ret);
	if (status != 0)
		die("the server does not know the call: %u", status);
}
