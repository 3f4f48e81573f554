/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/nbt_probe.h"

#include <arpa/inet.h>
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

enum { NAME_PORT = 137, TYPE_NBSTAT = 0x21, CLASS_IN = 1, FLAG_RESPONSE = 0x8000, RCODE_MASK = 0xf };

struct nbt_header { /* RFC 1002 4.2.1.1, all big-endian */
	uint16_t id, flags, questions, answers, authorities, additional;
} __attribute__((packed));

struct nbt_question {
	uint8_t length;
	char name[32]; /* 4.1: each half of a byte as a letter; here "*" and fifteen zeros */
	uint8_t end;
	uint16_t type, class;
} __attribute__((packed));

struct nbt_request {
	struct nbt_header header;
	struct nbt_question question;
} __attribute__((packed));

static int open_to(const struct ipaddr *address)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(NAME_PORT) };

	memcpy(&to.sin_addr, address->bytes, sizeof(to.sin_addr));
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -EAGAIN;
	return steal_fd(&fd);
}

int nbt_probe(const struct ipaddr *address, int timeout_ms)
{
	_cleanup_close_ int fd = open_to(address);
	struct nbt_request q = {
		.header = { .questions = htobe16(1) },
		.question = { .length = sizeof(q.question.name), .type = htobe16(TYPE_NBSTAT), .class = htobe16(CLASS_IN) },
	};
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct nbt_header a;

	if (fd < 0)
		return -EAGAIN;
	memset(q.question.name, 'A', sizeof(q.question.name));
	memcpy(q.question.name, "CK", 2); /* '*' */
	if (getrandom(&q.header.id, sizeof(q.header.id), GRND_NONBLOCK) < 0)
		q.header.id = 1;
	if (send(fd, &q, sizeof(q), 0) != (ssize_t)sizeof(q) || poll(&p, 1, timeout_ms) <= 0)
		return -EAGAIN;
	if (recv(fd, &a, sizeof(a), 0) != (ssize_t)sizeof(a) || a.id != q.header.id)
		return -EAGAIN;
	if (!(be16toh(a.flags) & FLAG_RESPONSE) || be16toh(a.flags) & RCODE_MASK || be16toh(a.answers) != 1)
		return -EAGAIN;
	return 0;
}
