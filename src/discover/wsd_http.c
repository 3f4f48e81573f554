/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "discover/wsd_http.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "discover/http.h"
#include "lib/cleanup.h"

enum { CONNECTIONS = 16, PATIENCE_MS = 10 * 1000, HEAD_MAX = 256, ACCEPTS = 16 };

struct connection {
	int fd; /* 0: none; standard input is nobody's connection */
	int64_t until_ms;
	size_t in_len, out_len, out_at;
	char in[HTTP_REQUEST_MAX], out[HEAD_MAX + SOAP_SEND_MAX];
};

static struct connection connections[CONNECTIONS];
static int listeners[2] = { -1, -1 };

static int listen_on(int family)
{
	_cleanup_close_ int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(SOAP_HTTP_PORT) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(SOAP_HTTP_PORT) };
	const struct sockaddr *at = family == AF_INET ? (struct sockaddr *)&four : (struct sockaddr *)&six;
	int one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0) ||
	    bind(fd, at, family == AF_INET ? sizeof(four) : sizeof(six)) < 0 || listen(fd, CONNECTIONS) < 0)
		return -errno;
	return steal_fd(&fd);
}

/* One a family: a socket for both would serve one alone where the Vsv has several addresses (the gate's wildcard). */
int http_begin(void)
{
	listeners[0] = listen_on(AF_INET);
	listeners[1] = listen_on(AF_INET6);
	return listeners[0] < 0 && listeners[1] < 0 ? listeners[0] : 0;
}

static void drop(struct connection *c)
{
	(void)close(c->fd);
	c->fd = 0;
}

/* ---- one connection ---- */

static void answer(struct connection *c, const char *status, const char *body, size_t len)
{
	struct text t = TEXT(c->out);

	text_add(&t, "HTTP/1.1 ");
	text_add(&t, status);
	text_add(&t, "\r\nContent-Type: application/soap+xml\r\nConnection: close\r\nContent-Length: ");
	text_u64(&t, len);
	text_add(&t, "\r\n\r\n");
	text_add_n(&t, body, len);
	c->out_len = t.len;
	c->out_at = 0;
}

static void answer_request(struct connection *c, const struct http_request *q)
{
	static char body[SOAP_SEND_MAX];
	struct text t = TEXT(body);
	struct soap_request s;

	if (!wsd_is_our_path(q->path, q->path_len))
		answer(c, "404 Not Found", "", 0);
	else if (!q->post)
		answer(c, "405 Method Not Allowed", "", 0);
	else if (soap_parse(q->body, q->body_len, &s) < 0 || s.kind != SOAP_GET)
		answer(c, "400 Bad Request", "", 0);
	else if (!wsd_write(SOAP_GET_RESPONSE, 0, 0, s.id, &t))
		answer(c, "500 Internal Server Error", "", 0);
	else
		answer(c, "200 OK", body, t.len);
}

static void read_request(struct connection *c)
{
	struct http_request q;
	ssize_t n = read(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len);
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	c->in_len += (size_t)n;
	r = http_parse(c->in, c->in_len, &q);
	if (r == 0)
		answer_request(c, &q);
	else if (r == -EOPNOTSUPP)
		answer(c, "411 Length Required", "", 0);
	else if (r < 0)
		answer(c, "400 Bad Request", "", 0);
	else if (c->in_len == sizeof(c->in))
		answer(c, "413 Content Too Large", "", 0);
}

static void write_answer(struct connection *c)
{
	ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		c->out_at += (size_t)n;
	if (n < 0 || c->out_at == c->out_len)
		drop(c);
}

/* place: a free one, or that of who has been here longest. */
static struct connection *place(void)
{
	struct connection *oldest = &connections[0];

	for (size_t i = 0; i < CONNECTIONS; i++) {
		if (!connections[i].fd)
			return &connections[i];
		if (connections[i].until_ms < oldest->until_ms)
			oldest = &connections[i];
	}
	drop(oldest);
	return oldest;
}

static void accept_all(int listener, int64_t now)
{
	for (unsigned i = 0; i < ACCEPTS; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct connection *c;

		if (fd < 0)
			return;
		c = place();
		c->fd = fd;
		c->until_ms = now + PATIENCE_MS;
		c->in_len = c->out_len = c->out_at = 0;
	}
}

/* ---- the loop's ---- */

_Static_assert(CONNECTIONS + 2 <= 24, "DISCOVER_POLLS");

size_t http_polls(struct pollfd *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < 2; i++)
		ret[n++] = (struct pollfd){ .fd = listeners[i], .events = POLLIN };
	for (size_t i = 0; i < CONNECTIONS; i++)
		ret[n++] = (struct pollfd){ .fd = connections[i].fd ? connections[i].fd : -1,
					    .events = connections[i].out_len ? POLLOUT : POLLIN };
	return n;
}

void http_ready(const struct pollfd *p, size_t n, int64_t now_ms)
{
	for (size_t i = 2; i < n; i++) {
		struct connection *c = &connections[i - 2];

		if (!p[i].revents || !c->fd)
			continue;
		if (c->out_len)
			write_answer(c);
		else
			read_request(c);
	}
	for (size_t i = 0; i < 2 && i < n; i++)
		if (p[i].revents)
			accept_all(listeners[i], now_ms);
}

int64_t http_tick(int64_t now_ms)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < CONNECTIONS; i++) {
		struct connection *c = &connections[i];

		if (c->fd && c->until_ms <= now_ms)
			drop(c);
		if (c->fd && c->until_ms < next)
			next = c->until_ms;
	}
	return next;
}
