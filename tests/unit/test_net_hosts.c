/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test_net_hosts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "test.h"

enum { ECHO_PORT = 7 };

static void run_ip(const char *words, struct strbuf *out)
{
	struct strlist argv = { 0 };
	struct err e = { 0 };

	strlist_add(&argv, "ip");
	strlist_split(&argv, words, " ");
	if (run((const char *const *)argv.v, &(struct run_opts){ .out = out }, &e) < 0) {
		(void)fprintf(stderr, "    ip %s: %s\n", words, e.text);
		test_fail(__FILE__, __LINE__, "ip failed");
	}
	strlist_free(&argv);
}

void ip(const char *fmt, ...)
{
	char words[512];
	va_list ap;

	va_start(ap, fmt);
	CHECK(vsnprintf(words, sizeof(words), fmt, ap) < (int)sizeof(words));
	va_end(ap);
	run_ip(words, NULL);
}

void ip_says(struct strbuf *ret, const char *words)
{
	run_ip(words, ret);
}

static size_t count(const char *text, const char *word)
{
	size_t n = 0;

	for (const char *p = text; (p = strstr(p, word)); p++)
		n++;
	return n;
}

void host_settle(void)
{
	for (int i = 0; i < 1000; i++) {
		struct strbuf addresses = { 0 }, routes = { 0 };
		bool same;

		ip_says(&addresses, "-o -6 addr show");
		ip_says(&routes, "-o -6 route show table local type local");
		same = count(strbuf_str(&addresses), " inet6 ") == count(strbuf_str(&routes), "local ");
		strbuf_free(&addresses);
		strbuf_free(&routes);
		if (same)
			return;
		(void)usleep(2000);
	}
	test_fail(__FILE__, __LINE__, "IPv6 does not settle");
}

const char *host_dump(void)
{
	static struct strlist kept; /* until the test's process ends */
	struct strbuf all = { 0 };

	host_settle();
	ip_says(&all, "-d addr show");
	ip_says(&all, "-d route show table all");
	ip_says(&all, "-d -6 route show table all");
	ip_says(&all, "-d rule show");
	ip_says(&all, "-d -6 rule show");
	strlist_add(&kept, strbuf_str(&all));
	strbuf_free(&all);
	return kept.v[kept.n - 1];
}

void hosts_begin(void)
{
	if (geteuid() != 0 || !program_find("ip", NULL, 0))
		SKIP("needs root and ip(8)");
	if (unshare(CLONE_NEWNET) < 0)
		SKIP("network namespaces cannot be made here");
}

struct host host_new(void)
{
	struct host h;

	CHECK(unshare(CLONE_NEWNET) == 0);
	h.ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	CHECK(h.ns >= 0);
	CHECK_INT(file_write_at(AT_FDCWD, "/proc/sys/net/ipv6/conf/all/accept_dad", "0"), 0);
	CHECK_INT(file_write_at(AT_FDCWD, "/proc/sys/net/ipv6/conf/default/accept_dad", "0"), 0);
	ip("link set lo up");
	return h;
}

void host_enter(const struct host *h)
{
	CHECK(setns(h->ns, CLONE_NEWNET) == 0);
}

/* The kernel does these two a little later, and a dump must not change by itself. */
static void wait_for_link(const char *name)
{
	char words[64];

	CHECK(str_format(words, sizeof(words), "addr show dev %s", name));
	for (int i = 0; i < 1000; i++) {
		struct strbuf said = { 0 };
		bool ready;

		ip_says(&said, words);
		ready = strstr(strbuf_str(&said), "state UP") && strstr(strbuf_str(&said), "inet6 fe80:");
		strbuf_free(&said);
		if (ready)
			return;
		(void)usleep(2000);
	}
	test_fail(__FILE__, __LINE__, "link does not come up");
}

void host_link(const struct host *a, const char *a_name, const struct host *b, const char *b_name)
{
	host_enter(a);
	ip("link add %s type veth peer name %s netns /proc/%d/fd/%d", a_name, b_name, getpid(), b->ns);
	ip("link set %s up", a_name);
	host_enter(b);
	ip("link set %s up", b_name);
	wait_for_link(b_name);
	host_enter(a);
	wait_for_link(a_name);
	host_enter(b);
}

struct conf_address address(const char *text)
{
	struct conf_address a = { 0 };
	char copy[96], *at;

	CHECK(str_copy(copy, sizeof(copy), text));
	at = strchr(copy, '@');
	if (at) {
		*at = '\0';
		CHECK(str_copy(a.interface, sizeof(a.interface), at + 1));
	}
	CHECK_INT(ipaddr_parse_prefix(copy, &a.addr, &a.prefix), 0);
	return a;
}

static const char *peer_text(const struct sockaddr_in6 *peer, char *buf, size_t size)
{
	const struct sockaddr_in *in = (const void *)peer;

	if (peer->sin6_family == AF_INET)
		return inet_ntop(AF_INET, &in->sin_addr, buf, (socklen_t)size);
	if (IN6_IS_ADDR_V4MAPPED(&peer->sin6_addr))
		return inet_ntop(AF_INET, &peer->sin6_addr.s6_addr[12], buf, (socklen_t)size);
	return inet_ntop(AF_INET6, &peer->sin6_addr, buf, (socklen_t)size);
}

static void serve(int listener) __attribute__((noreturn));
static void serve(int listener)
{
	for (;;) {
		struct sockaddr_in6 peer;
		socklen_t len = sizeof(peer);
		char text[INET6_ADDRSTRLEN];
		int fd = accept(listener, (struct sockaddr *)&peer, &len);

		if (fd < 0)
			_exit(1);
		if (peer_text(&peer, text, sizeof(text)))
			(void)!write(fd, text, strlen(text));
		(void)close(fd);
	}
}

void echo_serve(const struct host *h)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(ECHO_PORT) };
	int fd, one = 1;

	host_enter(h);
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(fd >= 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	CHECK(bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0 && listen(fd, 8) == 0);
	(void)fflush(NULL);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(fd);
	}
	(void)close(fd);
}

static socklen_t socket_address(const char *text, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *in6 = (void *)ret;
	struct sockaddr_in *in = (void *)ret;
	struct ipaddr a;

	CHECK_INT(ipaddr_parse(text, &a), 0);
	memset(ret, 0, sizeof(*ret));
	ret->ss_family = a.family;
	if (a.family == AF_INET) {
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, a.bytes, 4);
		return sizeof(*in);
	}
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, a.bytes, 16);
	return sizeof(*in6);
}

const char *echo_ask(const char *from, const char *to)
{
	static char answer[64];
	struct timeval limit = { .tv_sec = 2 };
	struct sockaddr_storage sa;
	socklen_t len = socket_address(to, ECHO_PORT, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ssize_t n = -1;

	CHECK(fd >= 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (*from) {
		struct sockaddr_storage own;
		socklen_t own_len = socket_address(from, 0, &own);

		CHECK(bind(fd, (struct sockaddr *)&own, own_len) == 0);
	}
	if (connect(fd, (struct sockaddr *)&sa, len) == 0)
		n = read(fd, answer, sizeof(answer) - 1);
	if (n < 0)
		(void)snprintf(answer, sizeof(answer), "errno %d", errno);
	else
		answer[n] = '\0';
	(void)close(fd);
	return answer;
}
