/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asked from the Psv at an own address of the Vsv's.  The answers are a tenant's: of each, the first bytes are looked at. */
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/cleanup.h"
#include "lib/str.h"
#include "lib/when.h"
#include "psv/conf.h"
#include "service/discovery.h"
#include "service/tcp_probe.h"

enum { MDNS_PORT = 5353, HTTP_PORT = 5357, FLAG_RESPONSE = 0x8000, RCODE_MASK = 0xf, NAME_EXISTS = 6, TYPE_ANY = 255, CLASS_IN = 1 };

struct dns_head { /* RFC 1035 4.1.1, all big-endian */
	uint16_t id, flags, n[4];
} __attribute__((packed));

/* make_question: for the server's name, any type.  Its size. */
static size_t make_question(const struct conf *conf, uint16_t id, char buf[512])
{
	static const char local[] = "\5local"; /* and its NUL is the root */
	const struct dns_head h = { .id = id, .n = { htobe16(1) } };
	const uint16_t rest[2] = { htobe16(TYPE_ANY), htobe16(CLASS_IN) };
	size_t len = strcspn(conf->hostname, "."), at = sizeof(h);

	memcpy(buf, &h, sizeof(h));
	buf[at++] = (char)len;
	memcpy(buf + at, conf->hostname, len);
	at += len;
	memcpy(buf + at, local, sizeof(local));
	at += sizeof(local);
	memcpy(buf + at, rest, sizeof(rest));
	return at + sizeof(rest);
}

static int connect_udp(const struct ipaddr *a)
{
	_cleanup_close_ int fd = socket(a->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(MDNS_PORT) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(MDNS_PORT) };
	int r;

	memcpy(&four.sin_addr, a->bytes, sizeof(four.sin_addr));
	memcpy(&six.sin6_addr, a->bytes, sizeof(six.sin6_addr));
	if (fd < 0)
		return -EAGAIN;
	if (a->family == AF_INET)
		r = connect(fd, (struct sockaddr *)&four, sizeof(four));
	else
		r = connect(fd, (struct sockaddr *)&six, sizeof(six));
	return r < 0 ? -EAGAIN : steal_fd(&fd);
}

int mdns_probe(const struct conf *conf, const struct ipaddr *address, int timeout_ms)
{
	int64_t deadline = now_ms() + timeout_ms;
	_cleanup_close_ int fd = connect_udp(address);
	char question[512];
	uint16_t id = 0;
	struct dns_head a;
	size_t len;

	if (fd < 0 || strcspn(conf->hostname, ".") > 63)
		return -EAGAIN;
	if (getrandom(&id, sizeof(id), GRND_NONBLOCK) < 0)
		id = 1;
	len = make_question(conf, id, question);
	if (send(fd, question, len, 0) != (ssize_t)len || probe_wait(fd, POLLIN, deadline) < 0 ||
	    recv(fd, &a, sizeof(a), 0) != (ssize_t)sizeof(a) || a.id != id || !(be16toh(a.flags) & FLAG_RESPONSE))
		return -EAGAIN;
	return (be16toh(a.flags) & RCODE_MASK) == NAME_EXISTS ? 1 : 0;
}

int wsd_probe(const struct conf *conf, const struct ipaddr *address, int timeout_ms)
{
	static const char good[] = "HTTP/1.1 200 ";
	static const char body[] =
		"<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" "
		"xmlns:a=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\"><s:Header>"
		"<a:Action>http://schemas.xmlsoap.org/ws/2004/09/transfer/Get</a:Action><a:MessageID>urn:uuid:0</a:MessageID>"
		"</s:Header><s:Body/></s:Envelope>";
	int64_t deadline = now_ms() + timeout_ms;
	_cleanup_close_ int fd = probe_connect(address, HTTP_PORT, deadline);
	char answer[sizeof(good) - 1];
	_cleanup_strbuf_ struct strbuf q = { 0 };
	size_t got = 0;

	if (fd < 0)
		return -EAGAIN;
	strbuf_addf(&q, "POST /%s HTTP/1.1\r\nContent-Length: %zu\r\n\r\n%s", conf->volumes[0].uuid, strlen(body), body);
	if (send(fd, q.buf, q.len, MSG_NOSIGNAL) != (ssize_t)q.len)
		return -EAGAIN;
	while (got < sizeof(answer)) {
		ssize_t n = probe_wait(fd, POLLIN, deadline) < 0 ? -1 : recv(fd, answer + got, sizeof(answer) - got, 0);

		if (n <= 0)
			return -EAGAIN;
		got += (size_t)n;
	}
	return memcmp(answer, good, sizeof(answer)) == 0 ? 0 : -EAGAIN;
}
