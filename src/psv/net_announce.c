/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Telling the network where an address is now. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if_arp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/sys.h"
#include "psv/net.h"
#include "psv/net_frame.h"

static int announce_one(int fd, const struct conf_address *a, uint32_t ifindex, struct err *err)
{
	struct net_link link;
	struct frame f;
	int r;

	r = net_link_get(ifindex, &link, err);
	if (r < 0 || !link.ethernet)
		return r;
	if (a->addr.family == AF_INET6) {
		frame_advertisement(&f, &a->addr, link.mac);
		return frame_send(fd, ifindex, &f, err);
	}
	/* Both forms: some systems heed the one, some the other. */
	frame_arp(&f, ARPOP_REQUEST, link.mac, &a->addr, &a->addr);
	r = frame_send(fd, ifindex, &f, err);
	if (r < 0)
		return r;
	frame_arp(&f, ARPOP_REPLY, link.mac, &a->addr, &a->addr);
	return frame_send(fd, ifindex, &f, err);
}

/* hold: the child's whole life: the socket is its own when the other end of the pipe is closed. */
static void hold(int fd, int until) __attribute__((noreturn));
static void hold(int fd, int until)
{
	char byte;

	fd = fcntl(fd, F_DUPFD_CLOEXEC, 2); /* where it is in nobody's way */
	if (fd < 0 || dup2(until, 0) < 0 || dup2(fd, 1) < 0)
		_exit(1);
	(void)sys_close_range(2, UINT_MAX, 0);
	while (read(0, &byte, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

/* The kernel waits for an RCU grace period, 6 to 16 ms, when the last descriptor of a packet socket is closed: let that be
 * a child's, which holds nothing else (no lock, no pipe that somebody reads to its end), and waits until ours is closed: on two
 * processors it would be done before.  It is reaped by the next one's maker, by what this process becomes, or, when this process has
 * ended, by who takes its children over. */
static void close_aside(int fd)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	static pid_t before;
	int closed[2];

	if (before > 0)
		(void)waitpid(before, NULL, WNOHANG);
	before = 0;
	if (pipe2(closed, O_CLOEXEC) < 0) {
		(void)close(fd);
		return;
	}
	before = sys_clone3(&args);
	if (before == 0) {
		(void)close(closed[1]);
		hold(fd, closed[0]);
	}
	(void)close(fd);
	(void)close(closed[0]);
	(void)close(closed[1]);
}

int net_announce_all(const struct conf_address *a, const uint32_t *ifindex, size_t n, struct err *err)
{
	char text[IPADDR_STR_MAX];
	int fd, first = 0;

	if (n == 0)
		return 0;
	fd = frame_socket(0, err);
	if (fd < 0)
		return fd;
	/* One that fails keeps no other from being announced. */
	for (size_t i = 0; i < n; i++) {
		int r = announce_one(fd, &a[i], ifindex[i], first ? NULL : err);

		if (r < 0 && !first)
			first = err_wrap(err, r, "cannot announce %s", ipaddr_str(&a[i].addr, text));
	}
	close_aside(fd);
	return first;
}

int net_announce(const struct conf_address *a, uint32_t ifindex, struct err *err)
{
	return net_announce_all(a, &ifindex, 1, err);
}
