/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"

enum { RETURN_TRIES = 100, RETURN_PAUSE_NS = 10 * 1000 * 1000 };

static int own(struct err *err)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? err_set(err, -errno, "cannot open the network namespace: %m") : fd;
}

int netns_enter(int fd, struct netns_visit *ret, struct err *err)
{
	_cleanup_close_ int home = -1;

	if (fd < 0) {
		*ret = (struct netns_visit)NETNS_HOME;
		return 0;
	}
	home = own(err);
	if (home < 0)
		return home;
	if (setns(fd, CLONE_NEWNET) < 0)
		return err_set(err, -errno, "cannot enter the network namespace of the virtual server: %m");
	ret->home = steal_fd(&home);
	return 0;
}

void netns_leave(struct netns_visit *v)
{
	struct timespec pause = { .tv_nsec = RETURN_PAUSE_NS };

	if (v->home < 0)
		return;
	/* Memory can be short for a moment. */
	for (int i = 0; setns(v->home, CLONE_NEWNET) < 0; i++) {
		if (i == RETURN_TRIES) {
			perror("vnas: cannot return to the network namespace");
			abort();
		}
		(void)nanosleep(&pause, NULL);
	}
	(void)close(v->home);
	v->home = -1;
}

static int set_lo_up(struct err *err)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		return err_set(err, -errno, "cannot set up a loopback interface: %m");
	return 0;
}

/* /proc/sys/net is that of the process's own namespace. */
static int set_defaults(struct err *err)
{
	static const struct {
		const char *path, *value;
	} settings[] = {
		/* Nothing that comes from the wire adds an address or a route. */
		{ "/proc/sys/net/ipv6/conf/default/accept_ra", "0" },
		{ "/proc/sys/net/ipv6/conf/default/autoconf", "0" },
		{ "/proc/sys/net/ipv6/conf/default/accept_redirects", "0" },
		{ "/proc/sys/net/ipv4/conf/all/accept_redirects", "0" },
		{ "/proc/sys/net/ipv4/conf/default/accept_redirects", "0" },
		/* What the Psv has for itself (IPv4 begins with the machine's own settings) is not for a server. */
		{ "/proc/sys/net/ipv4/conf/all/forwarding", "0" },
		{ "/proc/sys/net/ipv4/conf/default/forwarding", "0" },
		{ "/proc/sys/net/ipv4/conf/all/route_localnet", "0" },
		{ "/proc/sys/net/ipv4/conf/default/route_localnet", "0" },
		{ "/proc/sys/net/ipv4/conf/all/accept_local", "0" },
		{ "/proc/sys/net/ipv4/conf/default/accept_local", "0" },
		{ "/proc/sys/net/ipv4/conf/all/accept_source_route", "0" },
		{ "/proc/sys/net/ipv4/conf/default/accept_source_route", "0" },
		{ "/proc/sys/net/ipv4/conf/all/proxy_arp", "0" },
		{ "/proc/sys/net/ipv4/conf/default/proxy_arp", "0" },
		{ "/proc/sys/net/ipv4/conf/all/arp_ignore", "0" },
		{ "/proc/sys/net/ipv4/conf/default/arp_ignore", "0" },
		/* No address but those that were assigned: no link-local one either. */
		{ "/proc/sys/net/ipv6/conf/default/addr_gen_mode", "1" },
		/* The probe has asked for them already. */
		{ "/proc/sys/net/ipv6/conf/default/accept_dad", "0" },
		/* Taking an address away takes no others of its network. */
		{ "/proc/sys/net/ipv4/conf/all/promote_secondaries", "1" },
		/* Addresses come back by themselves when the interface was down for a while. */
		{ "/proc/sys/net/ipv6/conf/default/keep_addr_on_down", "1" },
		{ "/proc/sys/net/ipv6/conf/all/keep_addr_on_down", "1" },
	};

	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		int r = file_write_at(AT_FDCWD, settings[i].path, settings[i].value);

		/* Where IPv6 is switched off there is nothing to set. */
		if (r < 0 && !(r == -ENOENT && strstr(settings[i].path, "ipv6")))
			return err_set(err, r, "cannot write %s: %s", settings[i].path, strerror(-r));
	}
	return 0;
}

int netns_new(struct err *err)
{
	struct netns_visit visit _cleanup_netns_ = NETNS_HOME;
	_cleanup_close_ int home = own(err), fd = -1;
	int r;

	if (home < 0)
		return home;
	if (unshare(CLONE_NEWNET) < 0)
		return err_set(err, -errno, "cannot make a network namespace: %m");
	visit.home = steal_fd(&home);
	fd = own(err);
	r = fd < 0 ? fd : set_lo_up(err);
	if (r == 0)
		r = set_defaults(err);
	return r < 0 ? r : steal_fd(&fd);
}
