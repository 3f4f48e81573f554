/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The standby listeners, one a family: each listens on the own loopback, its queue holds one connection, which is its own, and so the
 * kernel leaves every other one without an answer (tcp_conn_request, a full accept queue). The gate sends there who connects to a port
 * whose listener has closed a moment ago (struct gate_closed): not refused, the client asks again after a second, and meets the
 * service that PID 1 has started again. Where it cannot be made, clients are refused, as anywhere. */
#include "vsv/init.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gate/gate_shared.h"
#include "lib/cleanup.h"
#include "lib/fd.h"

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static void open_on(const union address *a, socklen_t len)
{
	_cleanup_close_ int listener = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	_cleanup_close_ int guest = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (listener < 0 || guest < 0 || bind(listener, &a->any, len) < 0 || listen(listener, 0) < 0 ||
	    (connect(guest, &a->any, len) < 0 && errno != EINPROGRESS))
		return;
	/* For as long as PID 1 lives. */
	(void)steal_fd(&listener);
	(void)steal_fd(&guest);
}

void standby_open(void)
{
	const union address four = { .in = { .sin_family = AF_INET, .sin_port = htons(GATE_STANDBY_PORT),
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) } };
	const union address six = { .in6 = { .sin6_family = AF_INET6, .sin6_port = htons(GATE_STANDBY_PORT),
					     .sin6_addr = IN6ADDR_LOOPBACK_INIT } };

	open_on(&four, sizeof(four.in));
	open_on(&six, sizeof(six.in6));
}
