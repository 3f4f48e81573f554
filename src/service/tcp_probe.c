/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/tcp_probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/addr.h"
#include "lib/cleanup.h"
#include "lib/when.h"

int probe_wait(int fd, short events, int64_t deadline)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		int64_t left = deadline - now_ms();
		int r;

		if (left < 0)
			return -EAGAIN;
		r = poll(&p, 1, (int)left);
		if (r > 0)
			return 0;
		if (r == 0 || errno != EINTR)
			return -EAGAIN;
	}
}

int probe_connect(const struct ipaddr *a, uint16_t port, int64_t deadline)
{
	_cleanup_close_ int fd = socket(a->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int error = 0, r;
	socklen_t len = sizeof(error);

	if (fd < 0)
		return -EAGAIN;
	memcpy(&v4.sin_addr, a->bytes, sizeof(v4.sin_addr));
	memcpy(&v6.sin6_addr, a->bytes, sizeof(v6.sin6_addr));
	if (a->family == AF_INET)
		r = connect(fd, (struct sockaddr *)&v4, sizeof(v4));
	else
		r = connect(fd, (struct sockaddr *)&v6, sizeof(v6));
	if (r < 0 && errno != EINPROGRESS)
		return -EAGAIN;
	if (probe_wait(fd, POLLOUT, deadline) < 0)
		return -EAGAIN;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error != 0)
		return -EAGAIN;
	return steal_fd(&fd);
}

int probe_send(int fd, const void *data, size_t len, int64_t deadline_ms)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno != EAGAIN || probe_wait(fd, POLLOUT, deadline_ms) < 0))
			return -EAGAIN;
		if (n < 0)
			continue;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int probe_receive(int fd, void *data, size_t len, int64_t deadline_ms)
{
	char *p = data;

	while (len > 0) {
		ssize_t n;

		if (probe_wait(fd, POLLIN, deadline_ms) < 0)
			return -EAGAIN;
		n = recv(fd, p, len, 0);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return -EAGAIN;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int tcp_probe(const struct ipaddr *address, uint16_t port, int timeout_ms)
{
	_cleanup_close_ int fd = probe_connect(address, port, now_ms() + timeout_ms);

	return fd < 0 ? fd : 0;
}
