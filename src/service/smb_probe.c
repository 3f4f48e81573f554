/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A service is ready when its protocol answers, not when its port is open: smbd opens the port before it can serve.  The
 * answer comes from a tenant, so every field is checked against what was received, and the time for all of it is limited. */
#include "service/smb_probe.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "lib/addr.h"
#include "lib/cleanup.h"
#include "lib/when.h"
#include "service/tcp_probe.h"

enum {
	SMB2_HEADER_BYTES = 64,
	SMB2_COMMAND_NEGOTIATE = 0,
	SMB2_FLAGS_SERVER_TO_REDIR = 1,
	SMB2_NEGOTIATE_SIGNING_ENABLED = 1,
	NEGOTIATE_REQUEST_STRUCTURE = 36,
	NEGOTIATE_RESPONSE_STRUCTURE = 65,
	ERROR_RESPONSE_STRUCTURE = 9,
	ANSWER_MAX_BYTES = 64 * 1024,
};

#define STATUS_SUCCESS 0u
#define STATUS_NOT_SUPPORTED 0xC00000BBu /* alive, but none of our dialects is allowed: SMB 3.1.1 only */

struct smb2_header { /* [MS-SMB2] 2.2.1.2, all little-endian */
	uint8_t protocol[4];
	uint16_t structure_size;
	uint16_t credit_charge;
	uint32_t status;
	uint16_t command;
	uint16_t credits;
	uint32_t flags;
	uint32_t next_command;
	uint64_t message_id;
	uint32_t reserved;
	uint32_t tree_id;
	uint64_t session_id;
	uint8_t signature[16];
} __attribute__((packed));
_Static_assert(sizeof(struct smb2_header) == SMB2_HEADER_BYTES, "MS-SMB2 2.2.1.2");

/* 3.1.1 is left out: it needs negotiate contexts, and a server that speaks only that is told by its refusal. */
static const uint16_t dialects[] = { 0x0202, 0x0210, 0x0300, 0x0302 };
enum { N_DIALECTS = sizeof(dialects) / sizeof(*dialects) };

struct negotiate_request { /* 2.2.3 */
	uint32_t length; /* of the direct TCP transport, 2.1: big-endian, the first byte is 0 */
	struct smb2_header header;
	uint16_t structure_size;
	uint16_t dialect_count;
	uint16_t security_mode;
	uint16_t reserved;
	uint32_t capabilities;
	uint8_t client_guid[16];
	uint64_t client_start_time;
	uint16_t dialects[N_DIALECTS];
} __attribute__((packed));

struct negotiate_answer { /* 2.2.4, as far as it is read */
	struct smb2_header header;
	uint16_t structure_size;
	uint16_t security_mode;
	uint16_t dialect;
} __attribute__((packed));

static void request_fill(struct negotiate_request *q)
{
	*q = (struct negotiate_request){
		.length = htobe32(sizeof(*q) - sizeof(q->length)),
		.header = { .protocol = { 0xFE, 'S', 'M', 'B' },
			    .structure_size = htole16(SMB2_HEADER_BYTES),
			    .command = htole16(SMB2_COMMAND_NEGOTIATE),
			    .credits = htole16(1) },
		.structure_size = htole16(NEGOTIATE_REQUEST_STRUCTURE),
		.dialect_count = htole16(N_DIALECTS),
		.security_mode = htole16(SMB2_NEGOTIATE_SIGNING_ENABLED),
	};
	for (size_t i = 0; i < N_DIALECTS; i++)
		q->dialects[i] = htole16(dialects[i]);
	/* Only 2.1 and later look at it, and nothing depends on it: a failure leaves zeros. */
	if (getrandom(q->client_guid, sizeof(q->client_guid), GRND_NONBLOCK) < 0)
		memset(q->client_guid, 0, sizeof(q->client_guid));
}

static bool dialect_was_offered(uint16_t d)
{
	for (size_t i = 0; i < N_DIALECTS; i++)
		if (dialects[i] == d)
			return true;
	return false;
}

static bool answer_is_valid(const struct negotiate_answer *a)
{
	static const uint8_t protocol[4] = { 0xFE, 'S', 'M', 'B' };
	const struct smb2_header *h = &a->header;

	if (memcmp(h->protocol, protocol, sizeof(protocol)) != 0 || le16toh(h->structure_size) != SMB2_HEADER_BYTES ||
	    le16toh(h->command) != SMB2_COMMAND_NEGOTIATE || !(le32toh(h->flags) & SMB2_FLAGS_SERVER_TO_REDIR) ||
	    h->message_id != 0)
		return false;
	if (le32toh(h->status) == STATUS_NOT_SUPPORTED)
		return le16toh(a->structure_size) == ERROR_RESPONSE_STRUCTURE;
	return le32toh(h->status) == STATUS_SUCCESS && le16toh(a->structure_size) == NEGOTIATE_RESPONSE_STRUCTURE &&
	       dialect_was_offered(le16toh(a->dialect));
}

int smb_probe(const struct ipaddr *address, uint16_t port, int timeout_ms)
{
	int64_t deadline = now_ms() + timeout_ms;
	struct negotiate_request q;
	struct negotiate_answer a;
	_cleanup_close_ int fd = probe_connect(address, port, deadline);
	uint32_t length;

	if (fd < 0)
		return -EAGAIN;
	request_fill(&q);
	if (probe_send(fd, &q, sizeof(q), deadline) < 0 || probe_receive(fd, &length, sizeof(length), deadline) < 0)
		return -EAGAIN;
	length = be32toh(length);
	if (length < sizeof(a) || length > ANSWER_MAX_BYTES)
		return -EAGAIN;
	/* The head says all; what follows (the security blob) is nothing that we would use. */
	if (probe_receive(fd, &a, sizeof(a), deadline) < 0 || !answer_is_valid(&a))
		return -EAGAIN;
	return 0;
}
