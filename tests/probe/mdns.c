/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client of mDNS for tests: what hosts on a link say, in words.
 *
 *   mdns ask INTERFACE 4|6 MS NAME TYPE [qu | legacy]   asks the group, and prints every record of every answer
 *   mdns direct ADDRESS MS NAME TYPE                    asks one host by plain DNS, and prints the first answer
 *   mdns hear INTERFACE 4|6 MS                          asks nothing, and prints what is said meanwhile
 *   mdns rival INTERFACE MS NAME ADDRESS                says for so long that the IPv4 name is that address's
 *
 * A line is "FROM SECTION NAME TYPE TTL DATA", of a query "FROM query NAME TYPE".  The status is 0 if there was one. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "discover/dns.h"
#include "lib/when.h"

enum { PORT = 5353 };

union address {
	struct sockaddr sa;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

static unsigned printed;

static const char *address_text(const union address *a)
{
	static char text[INET6_ADDRSTRLEN];

	if (a->sa.sa_family == AF_INET)
		return inet_ntop(AF_INET, &a->in4.sin_addr, text, sizeof(text));
	return inet_ntop(AF_INET6, &a->in6.sin6_addr, text, sizeof(text));
}

static const struct {
	const char *name;
	uint16_t type;
} types[] = { { "A", DNS_A }, { "AAAA", DNS_AAAA }, { "PTR", DNS_PTR }, { "SRV", DNS_SRV }, { "TXT", DNS_TXT },
	      { "NSEC", DNS_NSEC }, { "ANY", DNS_ANY } };

static const char *type_text(uint16_t type)
{
	static char number[8];

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (types[i].type == type)
			return types[i].name;
	(void)snprintf(number, sizeof(number), "%u", type);
	return number;
}

static uint16_t type_number(const char *name)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strcmp(types[i].name, name) == 0)
			return types[i].type;
	fprintf(stderr, "mdns: no type %s\n", name);
	exit(2);
}

static void print_bytes(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		printf(isgraph(p[i]) && p[i] != '\\' ? "%c" : "\\%03u", p[i]);
}

static void print_name(const uint8_t *wire)
{
	if (!*wire)
		putchar('.');
	for (; *wire; wire += 1 + *wire) {
		print_bytes(wire + 1, *wire);
		if (wire[1 + *wire])
			putchar('.');
	}
}

static void print_data(const struct dns_record *r)
{
	char text[INET6_ADDRSTRLEN];

	if (r->len == SIZE_MAX)
		printf("long");
	else if ((r->type == DNS_A && r->len == 4) || (r->type == DNS_AAAA && r->len == 16))
		printf("%s", inet_ntop(r->type == DNS_A ? AF_INET : AF_INET6, r->rdata, text, sizeof(text)));
	else if (r->type == DNS_PTR)
		print_name(r->rdata);
	else if (r->type == DNS_SRV) {
		print_name(r->rdata + 6);
		printf(" %d", r->rdata[4] << 8 | r->rdata[5]);
	} else if (r->type == DNS_TXT && r->len)
		print_bytes(r->rdata + 1, r->len - 1);
	else
		printf("%zu bytes", r->len);
}

static void print_message(const union address *from, const uint8_t *msg, size_t len)
{
	static const char *const sections[] = { "", "answer", "authority", "additional" };
	struct dns_reader r = { .msg = msg, .len = len };
	struct dns_header h;
	struct dns_question q;
	struct dns_record rec;

	if (dns_read_header(&r, &h) < 0)
		return;
	for (unsigned i = 0; i < h.n[0] && dns_read_question(&r, &q) == 0; i++) {
		if (h.flags & DNS_RESPONSE)
			continue;
		printf("%s query ", address_text(from));
		print_name(q.name.wire);
		printf(" %s\n", type_text(q.type));
		printed++;
	}
	for (unsigned s = 1; s < 4 && h.flags & DNS_RESPONSE; s++) {
		for (unsigned i = 0; i < h.n[s] && dns_read_record(&r, &rec) == 0; i++) {
			printf("%s %s ", address_text(from), sections[s]);
			print_name(rec.name.wire);
			printf(" %s %u ", type_text(rec.type), rec.ttl);
			print_data(&rec);
			putchar('\n');
			printed++;
		}
	}
	if (h.flags & DNS_RCODE)
		printf("%s rcode %d\n", address_text(from), h.flags & DNS_RCODE);
	(void)fflush(stdout);
}

static int fail(const char *what)
{
	fprintf(stderr, "mdns: %s: %s\n", what, strerror(errno));
	exit(2);
}

static socklen_t group_address(bool six, unsigned ifindex, union address *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (six) {
		ret->in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(PORT), .sin6_scope_id = ifindex };
		(void)inet_pton(AF_INET6, "ff02::fb", &ret->in6.sin6_addr);
		return sizeof(ret->in6);
	}
	ret->in4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(PORT) };
	(void)inet_pton(AF_INET, "224.0.0.251", &ret->in4.sin_addr);
	return sizeof(ret->in4);
}

static void set(int fd, int level, int option, int value)
{
	if (setsockopt(fd, level, option, &value, sizeof(value)) < 0)
		fail("setsockopt");
}

/* open_group: on the port of mDNS (or, legacy, on any), joined on that interface. */
static int open_group(unsigned ifindex, bool six, bool legacy)
{
	int fd = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	union address any = { .sa.sa_family = six ? AF_INET6 : AF_INET }, group;

	(void)group_address(six, ifindex, &group);
	set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (six) {
		struct ipv6_mreq m = { .ipv6mr_multiaddr = group.in6.sin6_addr, .ipv6mr_interface = ifindex };

		set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
		set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)ifindex);
		set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0);
		if (setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m, sizeof(m)) < 0)
			fail("join");
		any.in6.sin6_port = htons(legacy ? 0 : PORT);
	} else {
		struct ip_mreqn m = { .imr_multiaddr = group.in4.sin_addr, .imr_ifindex = (int)ifindex };

		set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
		if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof(m)) < 0 ||
		    setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)) < 0)
			fail("join");
		any.in4.sin_port = htons(legacy ? 0 : PORT);
	}
	if (bind(fd, &any.sa, six ? sizeof(any.in6) : sizeof(any.in4)) < 0)
		fail("bind");
	return fd;
}

static void make_query(struct dns_writer *w, const char *name, uint16_t type, bool qu)
{
	struct dns_name n;

	dns_name_root(&n);
	if (!dns_name_add_dotted(&n, name))
		exit(2);
	dns_write_begin(w, 4711, 0);
	(void)dns_write_question(w, &n, type, (uint16_t)(DNS_IN | (qu ? DNS_TOP_BIT : 0)));
	dns_write_end(w);
}

/* hear: until the time is over, or one message has come. */
static void hear(int fd, int ms, bool once, void (*on_message)(int fd, const uint8_t *msg, size_t len))
{
	int64_t until = now_ms() + ms;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t msg[DNS_RECEIVE_MAX];

	for (int64_t left; (left = until - now_ms()) > 0;) {
		union address from;
		socklen_t len = sizeof(from);
		ssize_t n;

		if (poll(&p, 1, (int)left) <= 0)
			continue;
		n = recvfrom(fd, msg, sizeof(msg), 0, &from.sa, &len);
		if (n < 0)
			continue;
		print_message(&from, msg, (size_t)n);
		if (on_message)
			on_message(fd, msg, (size_t)n);
		if (once)
			return;
	}
}

static struct dns_writer answer;
static struct dns_name contested;
static unsigned rival_ifindex;

static void contest(int fd, const uint8_t *msg, size_t len)
{
	struct dns_reader r = { .msg = msg, .len = len };
	struct dns_header h;
	struct dns_question q;
	union address group;
	socklen_t group_len = group_address(false, rival_ifindex, &group);

	if (dns_read_header(&r, &h) < 0 || h.flags & DNS_RESPONSE)
		return;
	for (unsigned i = 0; i < h.n[0] && dns_read_question(&r, &q) == 0; i++)
		if (dns_name_equal(&q.name, &contested))
			(void)sendto(fd, answer.buf, answer.len, 0, &group.sa, group_len);
}

static void rival(int fd, int ms, const char *name, const char *address)
{
	struct in_addr a;

	dns_name_root(&contested);
	if (!dns_name_add_dotted(&contested, name) || inet_pton(AF_INET, address, &a) != 1)
		exit(2);
	dns_write_begin(&answer, 0, DNS_RESPONSE | DNS_AUTHORITATIVE);
	(void)dns_write_record(&answer, DNS_ANSWER, &contested, DNS_A, DNS_IN | DNS_TOP_BIT, 120, (const uint8_t *)&a, sizeof(a));
	dns_write_end(&answer);
	hear(fd, ms, false, contest);
}

static void direct(const char *host, int ms, const struct dns_writer *w)
{
	bool six = strchr(host, ':');
	int fd = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	union address to;

	(void)group_address(six, 0, &to);
	if (inet_pton(to.sa.sa_family, host, six ? (void *)&to.in6.sin6_addr : (void *)&to.in4.sin_addr) != 1 ||
	    connect(fd, &to.sa, six ? sizeof(to.in6) : sizeof(to.in4)) < 0 || send(fd, w->buf, w->len, 0) < 0)
		fail(host);
	hear(fd, ms, true, NULL);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	bool asks = strcmp(verb, "ask") == 0 && argc >= 7, six = argc > 3 && strcmp(argv[3], "6") == 0;
	bool legacy = asks && argc > 7 && strcmp(argv[7], "legacy") == 0;
	unsigned ifindex = argc > 2 ? if_nametoindex(argv[2]) : 0;
	struct dns_writer w;

	if (strcmp(verb, "direct") == 0 && argc == 6) {
		make_query(&w, argv[4], type_number(argv[5]), false);
		direct(argv[2], atoi(argv[3]), &w);
	} else if (strcmp(verb, "rival") == 0 && argc == 6 && ifindex) {
		rival_ifindex = ifindex;
		rival(open_group(ifindex, false, false), atoi(argv[3]), argv[4], argv[5]);
	} else if ((asks || (strcmp(verb, "hear") == 0 && argc == 5)) && ifindex) {
		int fd = open_group(ifindex, six, legacy);

		if (asks) {
			union address group;
			socklen_t len = group_address(six, ifindex, &group);

			make_query(&w, argv[5], type_number(argv[6]), argc > 7 && strcmp(argv[7], "qu") == 0);
			if (sendto(fd, w.buf, w.len, 0, &group.sa, len) < 0)
				fail("send");
		}
		hear(fd, atoi(argv[4]), false, NULL);
	} else {
		fputs("usage: mdns ask|direct|hear|rival … (see the source)\n", stderr);
		return 2;
	}
	return printed ? 0 : 1;
}
