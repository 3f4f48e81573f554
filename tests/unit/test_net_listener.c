/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/sys.h"
#include "psv/cgroup.h"
#include "psv/net.h"
#include "psv/psv.h"
#include "test.h"
#include "test_net_hosts.h"

static int open_socket(int family, int type, const char *text, uint16_t port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	bool v4 = family == AF_INET;
	int fd = socket(family, type | SOCK_CLOEXEC, 0), one = 1;

	CHECK(fd >= 0);
	CHECK(inet_pton(family, text, v4 ? (void *)&in.sin_addr : (void *)&in6.sin6_addr) == 1);
	if (!v4)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	CHECK(bind(fd, v4 ? (void *)&in : (void *)&in6, v4 ? sizeof(in) : sizeof(in6)) == 0);
	if (type == SOCK_STREAM)
		CHECK(listen(fd, 1) == 0);
	return fd;
}

static const struct net_listener *find(const struct net_listener *l, size_t n, int family, int protocol, uint16_t port)
{
	for (size_t i = 0; i < n; i++)
		if (l[i].family == family && l[i].protocol == protocol && l[i].port == port)
			return &l[i];
	return NULL;
}

TEST(net_listeners_are_named)
{
	static const uint16_t ports[] = { 445, 139, 2049, 22 };
	struct net_listener *l;
	struct err e = { 0 };
	size_t n;

	hosts_begin();
	(void)host_new();
	CHECK_INT(net_listeners(ports, 4, NULL, 0, 0, &l, &n, &e), 0);
	CHECK_INT(n, 0);
	free(l);
	(void)prctl(PR_SET_NAME, "a-listener");
	(void)open_socket(AF_INET, SOCK_STREAM, "0.0.0.0", 445);
	(void)open_socket(AF_INET6, SOCK_STREAM, "::", 139);
	(void)open_socket(AF_INET, SOCK_STREAM, "127.0.0.1", 2049);   /* not the wildcard */
	(void)open_socket(AF_INET6, SOCK_STREAM, "::1", 2049);
	(void)open_socket(AF_INET, SOCK_STREAM, "0.0.0.0", 80);       /* another port */
	(void)open_socket(AF_INET, SOCK_DGRAM, "0.0.0.0", 22);
	CHECK_INT(net_listeners(ports, 4, NULL, 0, 0, &l, &n, &e), 0);
	CHECK_INT(n, 3);
	CHECK(find(l, n, AF_INET, IPPROTO_TCP, 445) && find(l, n, AF_INET6, IPPROTO_TCP, 139) &&
	      find(l, n, AF_INET, IPPROTO_UDP, 22));
	for (size_t i = 0; i < n; i++) {
		CHECK_INT(l[i].pid, getpid());
		CHECK_STR(l[i].comm, "a-listener");
	}
	free(l);
	CHECK_INT(net_listeners(ports, 0, NULL, 0, 0, &l, &n, &e), 0);
	CHECK_INT(n, 0);
	free(l);
}

/* A socket that stood on an address before the server got it: with IP_FREEBIND, or by the address's earlier life. */
TEST(net_listeners_on_a_given_address)
{
	static const uint16_t port = 445;
	struct conf_address asked[2] = { 0 };
	struct net_listener *l;
	struct err e = { 0 };
	size_t n;

	hosts_begin();
	(void)host_new();
	CHECK_INT(ipaddr_parse_prefix("127.0.0.2/8", &asked[0].addr, &asked[0].prefix), 0);
	CHECK_INT(ipaddr_parse_prefix("::1/128", &asked[1].addr, &asked[1].prefix), 0);
	(void)open_socket(AF_INET, SOCK_STREAM, "127.0.0.1", port);
	CHECK_INT(net_listeners(&port, 1, asked, 2, 0, &l, &n, &e), 0);
	CHECK_INT(n, 0);
	free(l);
	(void)open_socket(AF_INET, SOCK_STREAM, "127.0.0.2", port);
	(void)open_socket(AF_INET6, SOCK_DGRAM, "::1", port);
	CHECK_INT(net_listeners(&port, 1, asked, 2, 0, &l, &n, &e), 0);
	CHECK_INT(n, 2);
	CHECK(find(l, n, AF_INET, IPPROTO_TCP, port) && find(l, n, AF_INET6, IPPROTO_UDP, port));
	CHECK(!l[0].wildcard && !l[1].wildcard);
	free(l);
}

TEST(net_listeners_of_many_ports)
{
	uint16_t ports[200];
	struct net_listener *l;
	struct err e = { 0 };
	size_t n;

	hosts_begin();
	(void)host_new();
	for (uint16_t i = 0; i < 200; i++)
		ports[i] = (uint16_t)(1000 + i);
	for (uint16_t i = 990; i < 1210; i++)
		(void)open_socket(AF_INET, SOCK_STREAM, "0.0.0.0", i);
	CHECK_INT(net_listeners(ports, 200, NULL, 0, 0, &l, &n, &e), 0);
	CHECK_INT(n, 200);
	CHECK(find(l, n, AF_INET, IPPROTO_TCP, 1000) && find(l, n, AF_INET, IPPROTO_TCP, 1199));
	free(l);
}

/* A child in the control group listens; then its socket is a Vsv's. */
TEST(net_listeners_of_a_vsv_are_left_out)
{
	static const uint16_t port = 445;
	struct net_listener *l;
	struct psv psv = { 0 };
	struct err e = { 0 };
	char byte = 0;
	int fd, pipe_fds[2];
	size_t n;
	pid_t pid;

	hosts_begin();
	CHECK(str_format(psv.tag, sizeof(psv.tag), "vnas-t%d", getpid()));
	fd = cgroup_up(&psv, "a", &(struct conf_limits){ 0 }, &e);
	if (fd < 0)
		SKIP("no control groups can be made here");
	(void)host_new();
	CHECK(pipe(pipe_fds) == 0);
	(void)fflush(NULL);
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)fd };
	pid = sys_clone3(&args);
	CHECK(pid >= 0);
	if (pid == 0) {
		(void)alarm(60);
		(void)open_socket(AF_INET, SOCK_STREAM, "0.0.0.0", port);
		(void)!write(pipe_fds[1], &byte, 1);
		for (;;)
			(void)pause();
	}
	CHECK(read(pipe_fds[0], &byte, 1) == 1);
	CHECK_INT(net_listeners(&port, 1, NULL, 0, 0, &l, &n, &e), 0);
	CHECK_INT(n, 1);
	CHECK_INT(l[0].pid, pid);
	free(l);
	CHECK_INT(net_listeners(&port, 1, NULL, 0, cgroup_root_id(&psv), &l, &n, &e), 0);
	CHECK_INT(n, 0);
	free(l);
	CHECK_INT(cgroup_kill(&psv, "a", 5000, &e), 0);
	CHECK_INT(cgroup_down(&psv, "a", &e), 0);
}
