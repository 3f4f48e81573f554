/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client of ONC RPC (RFC 5531) that says four things and reads the answers.  What comes back is a tenant's: every word is
 * read against what was received, a record has a bound, and the time for all of it is limited. */
#include "service/nfs_probe.h"

#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "lib/addr.h"
#include "lib/cleanup.h"
#include "lib/when.h"
#include "psv/conf.h"
#include "service/tcp_probe.h"

enum {
	RPCBIND_PORT = 111,
	PROGRAM_RPCBIND = 100000, PROGRAM_NFS = 100003, PROGRAM_MOUNT = 100005,
	RPCBIND_V2 = 2, RPCBIND_GETPORT = 3,
	MSG_CALL = 0, MSG_REPLY = 1, REPLY_ACCEPTED = 0, ACCEPT_SUCCESS = 0, AUTH_NONE = 0, RPC_VERSION = 2,
	VERIFIER_MAX_BYTES = 400,
	NFS4_COMPOUND = 1, NFS4_OP_GETATTR = 9, NFS4_OP_PUTROOTFH = 24, NFS4_ATTR_TYPE = 1 << 1, NFS4_DIRECTORY = 2,
	NFS4_OK = 0, NFS4ERR_ACCESS = 13, NFS4ERR_WRONGSEC = 10016, NFS4ERR_OP_NOT_IN_SESSION = 10071,
	RECORD_MAX_BYTES = 2048, CALL_WORDS = 40,
};
#define LAST_FRAGMENT 0x80000000u

/* A call: words of 32 bits, big-endian on the wire. */
struct call {
	uint32_t words[CALL_WORDS];
	size_t n;
};

static void put(struct call *c, uint32_t word)
{
	if (c->n < CALL_WORDS)
		c->words[c->n++] = htobe32(word);
}

static void call_begin(struct call *c, uint32_t xid, uint32_t program, uint32_t version, uint32_t procedure)
{
	c->n = 0;
	put(c, 0); /* the record's mark */
	put(c, xid);
	put(c, MSG_CALL);
	put(c, RPC_VERSION);
	put(c, program);
	put(c, version);
	put(c, procedure);
	/* A root that wants more than AUTH_NONE says so, and that is an answer too. */
	put(c, AUTH_NONE);
	put(c, 0);
	put(c, AUTH_NONE);
	put(c, 0);
}

/* What was received, read word by word. */
struct reader {
	const unsigned char *p;
	size_t left;
};

static bool get(struct reader *r, uint32_t *ret)
{
	uint32_t word;

	if (r->left < sizeof(word))
		return false;
	memcpy(&word, r->p, sizeof(word));
	r->p += sizeof(word);
	r->left -= sizeof(word);
	*ret = be32toh(word);
	return true;
}

static bool get_is(struct reader *r, uint32_t wanted)
{
	uint32_t word;

	return get(r, &word) && word == wanted;
}

/* skip: bytes that are filled up to whole words. */
static bool skip(struct reader *r, uint32_t bytes, uint32_t most)
{
	size_t n = ((size_t)bytes + 3) & ~(size_t)3;

	if (bytes > most || n > r->left)
		return false;
	r->p += n;
	r->left -= n;
	return true;
}

/* take_head: up to the procedure's own results. */
static bool take_head(struct reader *r, uint32_t xid)
{
	uint32_t flavour, len;

	return get_is(r, xid) && get_is(r, MSG_REPLY) && get_is(r, REPLY_ACCEPTED) && get(r, &flavour) && get(r, &len) &&
	       skip(r, len, VERIFIER_MAX_BYTES) && get_is(r, ACCEPT_SUCCESS);
}

int nfs_null_check(const void *record, size_t len, uint32_t xid)
{
	struct reader r = { record, len };

	return take_head(&r, xid) && r.left == 0 ? 0 : -EAGAIN;
}

int nfs_port_check(const void *record, size_t len, uint32_t xid, uint32_t port)
{
	struct reader r = { record, len };

	return take_head(&r, xid) && get_is(&r, port) && r.left == 0 ? 0 : -EAGAIN;
}

/* The result of one operation of a compound: its number and its status. */
static bool take_op(struct reader *r, uint32_t op, uint32_t *ret_status)
{
	return get_is(r, op) && get(r, ret_status);
}

/* says_why: the server is there and speaks, and has a reason not to show its root to the Psv, or to anybody without a
 * session. */
static bool says_why(uint32_t status)
{
	return status == NFS4ERR_ACCESS || status == NFS4ERR_WRONGSEC || status == NFS4ERR_OP_NOT_IN_SESSION;
}

int nfs_root_check(const void *record, size_t len, uint32_t xid)
{
	struct reader r = { record, len };
	uint32_t status, tag, ops, op_status;

	if (!take_head(&r, xid) || !get(&r, &status) || !get(&r, &tag) || !skip(&r, tag, RECORD_MAX_BYTES) || !get(&r, &ops))
		return -EAGAIN;
	/* Without a session NFS 4.1 and 4.2 carry nothing out. */
	if (ops == 0)
		return status == NFS4ERR_OP_NOT_IN_SESSION && r.left == 0 ? 0 : -EAGAIN;
	if (ops > 2 || !take_op(&r, NFS4_OP_PUTROOTFH, &op_status))
		return -EAGAIN;
	if (says_why(status) && ops == 1)
		return op_status == status ? 0 : -EAGAIN;
	if (op_status != NFS4_OK || ops != 2 || !take_op(&r, NFS4_OP_GETATTR, &op_status) || op_status != status)
		return -EAGAIN;
	if (says_why(status))
		return 0;
	/* One word of a bit mask, and one of attributes: it is a folder. */
	return status == NFS4_OK && get_is(&r, 1) && get_is(&r, NFS4_ATTR_TYPE) && get_is(&r, sizeof(uint32_t)) &&
			       get_is(&r, NFS4_DIRECTORY) ? 0 : -EAGAIN;
}

/* exchange: sends the call, and receives a record of one fragment, which is how a short answer comes.  Its length, or
 * -EAGAIN. */
static ssize_t exchange(int fd, struct call *c, unsigned char record[static RECORD_MAX_BYTES], int64_t deadline_ms)
{
	uint32_t mark;

	c->words[0] = htobe32(LAST_FRAGMENT | (uint32_t)((c->n - 1) * sizeof(uint32_t)));
	if (probe_send(fd, c->words, c->n * sizeof(uint32_t), deadline_ms) < 0 || probe_receive(fd, &mark, sizeof(mark), deadline_ms) < 0)
		return -EAGAIN;
	mark = be32toh(mark);
	if (!(mark & LAST_FRAGMENT))
		return -EAGAIN;
	mark &= ~LAST_FRAGMENT;
	if (mark > RECORD_MAX_BYTES || probe_receive(fd, record, mark, deadline_ms) < 0)
		return -EAGAIN;
	return (ssize_t)mark;
}

/* What one connection is asked. */
struct question {
	uint32_t xid;
	int64_t deadline_ms;
};

static int ask_null(int fd, const struct question *q, uint32_t program, uint32_t version)
{
	unsigned char record[RECORD_MAX_BYTES];
	struct call c;
	ssize_t n;

	call_begin(&c, q->xid, program, version, 0);
	n = exchange(fd, &c, record, q->deadline_ms);
	return n < 0 ? -EAGAIN : nfs_null_check(record, (size_t)n, q->xid);
}

static int ask_port(int fd, const struct question *q, uint32_t program, uint32_t version, uint32_t port)
{
	unsigned char record[RECORD_MAX_BYTES];
	struct call c;
	ssize_t n;

	call_begin(&c, q->xid, PROGRAM_RPCBIND, RPCBIND_V2, RPCBIND_GETPORT);
	put(&c, program);
	put(&c, version);
	put(&c, IPPROTO_TCP);
	put(&c, 0);
	n = exchange(fd, &c, record, q->deadline_ms);
	return n < 0 ? -EAGAIN : nfs_port_check(record, (size_t)n, q->xid, port);
}

static int ask_root(int fd, const struct question *q, uint32_t minor)
{
	unsigned char record[RECORD_MAX_BYTES];
	struct call c;
	ssize_t n;

	call_begin(&c, q->xid, PROGRAM_NFS, 4, NFS4_COMPOUND);
	put(&c, 0); /* no tag */
	put(&c, minor);
	put(&c, 2); /* operations */
	put(&c, NFS4_OP_PUTROOTFH);
	put(&c, NFS4_OP_GETATTR);
	put(&c, 1);
	put(&c, NFS4_ATTR_TYPE);
	n = exchange(fd, &c, record, q->deadline_ms);
	return n < 0 ? -EAGAIN : nfs_root_check(record, (size_t)n, q->xid);
}

static uint32_t lowest_minor(unsigned versions)
{
	return versions & CONF_NFS_4_0 ? 0 : versions & CONF_NFS_4_1 ? 1 : 2;
}

static int probe_nfsd(const struct conf_nfs *nfs, const struct ipaddr *address, const struct question *q)
{
	_cleanup_close_ int fd = probe_connect(address, NFS_PORT, q->deadline_ms);
	int r = fd < 0 ? fd : 0;

	if (r == 0 && (nfs->versions & CONF_NFS_3))
		r = ask_null(fd, q, PROGRAM_NFS, 3);
	if (r == 0 && (nfs->versions & CONF_NFS_4_ANY))
		r = ask_null(fd, q, PROGRAM_NFS, 4);
	if (r == 0 && (nfs->versions & CONF_NFS_4_ANY))
		r = ask_root(fd, q, lowest_minor(nfs->versions));
	return r;
}

static int probe_helpers(const struct conf_nfs *nfs, const struct ipaddr *address, const struct question *q)
{
	_cleanup_close_ int mountd = probe_connect(address, (uint16_t)nfs->mountd_port, q->deadline_ms);
	_cleanup_close_ int rpcbind = mountd < 0 ? -EAGAIN : probe_connect(address, RPCBIND_PORT, q->deadline_ms);
	int r = mountd < 0 || rpcbind < 0 ? -EAGAIN : ask_null(mountd, q, PROGRAM_MOUNT, 3);

	if (r == 0)
		r = ask_port(rpcbind, q, PROGRAM_MOUNT, 3, nfs->mountd_port);
	return r < 0 ? r : ask_port(rpcbind, q, PROGRAM_NFS, 3, NFS_PORT);
}

int nfs_probe(const struct conf *conf, const struct ipaddr *address, int timeout_ms)
{
	struct question q = { .deadline_ms = now_ms() + timeout_ms };
	int r;

	/* A number that is easily guessed is no harm: it keeps answers apart. */
	if (getrandom(&q.xid, sizeof(q.xid), GRND_NONBLOCK) < 0)
		q.xid = 1;
	r = probe_nfsd(&conf->nfs, address, &q);
	if (r == 0 && (conf->nfs.versions & CONF_NFS_3))
		r = probe_helpers(&conf->nfs, address, &q);
	return r;
}
