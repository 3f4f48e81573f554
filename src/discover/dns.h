/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS messages as mDNS sends them (RFC 1035 section 4, RFC 6762 section 18): reading what came from the network, which is
 * anybody's, and writing.  Nothing here allocates, and nothing looks beyond the message that it was given. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DNS_NAME_MAX = 255,      /* bytes on the wire, with the root's */
	DNS_LABEL_MAX = 63,
	DNS_RDATA_MAX = 512,     /* of the records that are compared with ours; longer ones are others' */
	DNS_RECEIVE_MAX = 9000,  /* RFC 6762 section 17 */
	DNS_SEND_MAX = 1432,     /* one frame of 1,500 bytes, also by IPv6 */
	DNS_LABELS_SEEN = 96,    /* places in a message that a later name can point to */
};

enum dns_type {
	DNS_A = 1, DNS_NS = 2, DNS_CNAME = 5, DNS_PTR = 12, DNS_TXT = 16, DNS_AAAA = 28, DNS_SRV = 33, DNS_NSEC = 47,
	DNS_ANY = 255,
};
enum {
	DNS_IN = 1,
	DNS_TOP_BIT = 0x8000,    /* of the class: in a question, the answer may be unicast; in a record, it is the only one */
	DNS_RESPONSE = 0x8000, DNS_OPCODE = 0x7800, DNS_AUTHORITATIVE = 0x0400, DNS_TRUNCATED = 0x0200, DNS_RCODE = 0x000f,
	DNS_NAME_EXISTS = 6,     /* YXDOMAIN, RFC 2136 */
};

/* A name in its wire form, uncompressed, ended by the root's empty label. */
struct dns_name {
	size_t len;
	uint8_t wire[DNS_NAME_MAX];
};
void dns_name_root(struct dns_name *ret);
/* dns_name_add: one more label at the end.  false: the label or the name is too long, and the name is as it was. */
bool dns_name_add(struct dns_name *n, const char *label, size_t len);
/* dns_name_add_dotted: "_smb._tcp.local". */
bool dns_name_add_dotted(struct dns_name *n, const char *dotted);
/* dns_name_equal: as names are compared, without the case of ASCII letters. */
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b);

struct dns_header {
	uint16_t id, flags;
	uint16_t n[4]; /* by enum dns_section */
};
enum dns_section { DNS_QUESTION, DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL };

struct dns_question {
	struct dns_name name;
	uint16_t type, class;
};

struct dns_record {
	struct dns_name name;
	uint16_t type, class;
	uint32_t ttl;
	size_t len;                   /* of rdata, in which names are whole; SIZE_MAX: it is longer than DNS_RDATA_MAX */
	uint8_t rdata[DNS_RDATA_MAX];
};

/* Reading, from the front to the end.  All give 0, or -EBADMSG after which nothing more can be read. */
struct dns_reader {
	const uint8_t *msg;
	size_t len, at;
};
int dns_read_header(struct dns_reader *r, struct dns_header *ret);
int dns_read_question(struct dns_reader *r, struct dns_question *ret);
int dns_read_record(struct dns_reader *r, struct dns_record *ret);

/* dns_rdata_equal: the same data; names in it without the case of letters. */
bool dns_rdata_equal(uint16_t type, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);

/* Writing.  A question or record that does not fit is not there at all, and the call says false. */
struct dns_writer {
	uint8_t buf[DNS_SEND_MAX];
	size_t len;
	uint16_t n[4];
	uint16_t seen[DNS_LABELS_SEEN]; /* where labels begin, by which names are compressed */
	unsigned n_seen;
};
void dns_write_begin(struct dns_writer *w, uint16_t id, uint16_t flags);
bool dns_write_question(struct dns_writer *w, const struct dns_name *name, uint16_t type, uint16_t class);
/* dns_write_record: rdata has its names whole.  Sections come in their order. */
bool dns_write_record(struct dns_writer *w, enum dns_section section, const struct dns_name *name, uint16_t type, uint16_t class,
		      uint32_t ttl, const uint8_t *rdata, size_t len);
/* dns_write_end: puts the counts into the header; the message is buf of len bytes. */
void dns_write_end(struct dns_writer *w);
