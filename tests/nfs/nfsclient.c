/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client of NFS for tests, one call at a time:
 *
 *	mount ADDRESS MOUNTD-PORT PATH          the handle of a share's folder, in hexadecimal
 *	lookup ADDRESS HANDLE NAME              that of a file in it
 *	read ADDRESS HANDLE                     the first bytes of a file, as text
 *	getattr ADDRESS HANDLE                  "ok FSID FILEID", or "error N" of NFS 3: 70 is a stale handle
 *	create ADDRESS HANDLE UID NAME          as that user, whose group has the same number: the handle of a new file
 *	write ADDRESS HANDLE UID TEXT           … "ok"
 *	chmod ADDRESS HANDLE UID MODE           …
 *	chown ADDRESS HANDLE UID OWNER GROUP    …
 *	remove ADDRESS HANDLE UID NAME          …
 *	lock|unlock ADDRESS LOCKD-PORT HANDLE OFFSET LENGTH [reclaim]    a lock of NFS 3: "granted", or the status
 *	setxattr ADDRESS SHARE FILE NAME VALUE  by NFS 4.2: "ok", or the status: 10004 is not supported
 *	owner ADDRESS SHARE FILE                by NFS 4.1: as whose the server shows it
 *	open41 ADDRESS SHARE FILE               by NFS 4.1, opened for reading; the client stays in the server's records
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rpc.h"

enum {
	NFS = 100003, MOUNT = 100005, NLM = 100021, NFS_PORT = 2049, HANDLE_MAX = 128,
	NFS3_GETATTR = 1, NFS3_SETATTR = 2, NFS3_LOOKUP = 3, NFS3_READ = 6, NFS3_WRITE = 7, NFS3_CREATE = 8, NFS3_REMOVE = 12, MOUNT_MNT = 1, NLM4_LOCK = 2, NLM4_UNLOCK = 4,
	OP_GETATTR = 9, OP_LOOKUP = 15, OP_OPEN = 18, OP_PUTROOTFH = 24, OP_EXCHANGE_ID = 42, OP_CREATE_SESSION = 43,
	OP_SEQUENCE = 53, OP_RECLAIM_COMPLETE = 58, OP_SETXATTR = 73,
};

struct handle {
	unsigned char data[HANDLE_MAX];
	size_t len;
};

static void print_handle(const struct handle *h)
{
	for (size_t i = 0; i < h->len; i++)
		printf("%02x", h->data[i]);
	printf("\n");
}

static struct handle parse_handle(const char *s)
{
	struct handle h = { .len = strlen(s) / 2 };

	if (h.len == 0 || h.len > HANDLE_MAX)
		die("'%s' is no handle", s);
	for (size_t i = 0; i < h.len; i++) {
		const char two[] = { s[2 * i], s[2 * i + 1], '\0' };

		h.data[i] = (unsigned char)strtoul(two, NULL, 16);
	}
	return h;
}

/* status: of an answer that begins with one; an error ends the program, as a line on its output. */
static void status(struct xdr *x)
{
	uint32_t s = get32(x);

	if (s == 0)
		return;
	printf("error %u\n", s);
	exit(3);
}

static int do_mount(char **argv)
{
	struct xdr args = { .len = 0 }, ret;
	struct handle h;

	put_string(&args, argv[2]);
	rpc_call(rpc_connect(argv[0], atoi(argv[1])), MOUNT, 3, MOUNT_MNT, 0, &args, &ret);
	status(&ret);
	h.len = get_opaque(&ret, h.data, sizeof(h.data));
	print_handle(&h);
	return 0;
}

static int do_lookup(char **argv)
{
	struct handle h = parse_handle(argv[1]);
	struct xdr args = { .len = 0 }, ret;

	put_opaque(&args, h.data, h.len);
	put_string(&args, argv[2]);
	rpc_call(rpc_connect(argv[0], NFS_PORT), NFS, 3, NFS3_LOOKUP, 0, &args, &ret);
	status(&ret);
	h.len = get_opaque(&ret, h.data, sizeof(h.data));
	print_handle(&h);
	return 0;
}

static int do_getattr(char **argv)
{
	struct handle h = parse_handle(argv[1]);
	struct xdr args = { .len = 0 }, ret;

	put_opaque(&args, h.data, h.len);
	rpc_call(rpc_connect(argv[0], NFS_PORT), NFS, 3, NFS3_GETATTR, 0, &args, &ret);
	status(&ret);
	for (int i = 0; i < 5; i++) /* type, mode, links, uid, gid */
		(void)get32(&ret);
	for (int i = 0; i < 3; i++) /* size, used, rdev */
		(void)get64(&ret);
	printf("ok %" PRIx64, get64(&ret));
	printf(" %" PRIu64 "\n", get64(&ret));
	return 0;
}

static int do_read(char **argv)
{
	struct handle h = parse_handle(argv[1]);
	struct xdr args = { .len = 0 }, ret;
	char text[1024];
	size_t n;

	put_opaque(&args, h.data, h.len);
	put64(&args, 0);
	put32(&args, sizeof(text));
	rpc_call(rpc_connect(argv[0], NFS_PORT), NFS, 3, NFS3_READ, 0, &args, &ret);
	status(&ret);
	if (get32(&ret))
		ret.at += 84; /* fattr3 */
	(void)get32(&ret);
	(void)get32(&ret);
	n = get_opaque(&ret, text, sizeof(text));
	(void)fwrite(text, 1, n, stdout);
	return 0;
}

/* call3: NFS 3 as that user; ends the program unless it succeeds. */
static void call3(char **argv, uint32_t procedure, const struct xdr *args, struct xdr *ret)
{
	rpc_call(rpc_connect(argv[0], NFS_PORT), NFS, 3, procedure, (uint32_t)strtoul(argv[2], NULL, 10), args, ret);
	status(ret);
}

static void put_handle(struct xdr *x, const char *text)
{
	struct handle h = parse_handle(text);

	put_opaque(x, h.data, h.len);
}

/* put_attributes: sattr3; what is negative stays as it is. */
static void put_attributes(struct xdr *x, long mode, long uid, long gid)
{
	const long values[] = { mode, uid, gid };

	for (int i = 0; i < 3; i++) {
		put32(x, values[i] >= 0);
		if (values[i] >= 0)
			put32(x, (uint32_t)values[i]);
	}
	for (int i = 0; i < 3; i++) /* size, times */
		put32(x, 0);
}

static int do_create(char **argv)
{
	struct xdr args = { .len = 0 }, ret;
	struct handle h;

	put_handle(&args, argv[1]);
	put_string(&args, argv[3]);
	put32(&args, 1); /* must not be there */
	put_attributes(&args, 0600, -1, -1);
	call3(argv, NFS3_CREATE, &args, &ret);
	if (!get32(&ret))
		die("no handle");
	h.len = get_opaque(&ret, h.data, sizeof(h.data));
	print_handle(&h);
	return 0;
}

static int do_write(char **argv)
{
	struct xdr args = { .len = 0 }, ret;

	put_handle(&args, argv[1]);
	put64(&args, 0);
	put32(&args, (uint32_t)strlen(argv[3]));
	put32(&args, 2); /* on the disk */
	put_string(&args, argv[3]);
	call3(argv, NFS3_WRITE, &args, &ret);
	printf("ok\n");
	return 0;
}

static int set_attributes(char **argv, long mode, long uid, long gid)
{
	struct xdr args = { .len = 0 }, ret;

	put_handle(&args, argv[1]);
	put_attributes(&args, mode, uid, gid);
	put32(&args, 0); /* whatever its time is */
	call3(argv, NFS3_SETATTR, &args, &ret);
	printf("ok\n");
	return 0;
}
static int do_chmod(char **argv) { return set_attributes(argv, strtol(argv[3], NULL, 8), -1, -1); }
static int do_chown(char **argv) { return set_attributes(argv, -1, strtol(argv[3], NULL, 10), strtol(argv[4], NULL, 10)); }

static int do_remove(char **argv)
{
	struct xdr args = { .len = 0 }, ret;

	put_handle(&args, argv[1]);
	put_string(&args, argv[3]);
	call3(argv, NFS3_REMOVE, &args, &ret);
	printf("ok\n");
	return 0;
}

static int lock_call(char **argv, uint32_t procedure)
{
	static const char *const names[] = { "granted", "denied", "no-locks", "blocked", "grace" };
	struct handle h = parse_handle(argv[2]);
	struct xdr args = { .len = 0 }, ret;
	char cookie[4] = "cook", name[64] = "", owner[] = "owner";
	uint32_t s;

	(void)gethostname(name, sizeof(name) - 1);
	put_opaque(&args, cookie, sizeof(cookie));
	if (procedure == NLM4_LOCK) {
		put32(&args, 0); /* does not wait */
		put32(&args, 1); /* exclusive */
	}
	put_string(&args, name);
	put_opaque(&args, h.data, h.len);
	put_opaque(&args, owner, strlen(owner));
	put32(&args, 4711); /* svid */
	put64(&args, strtoull(argv[3], NULL, 0));
	put64(&args, strtoull(argv[4], NULL, 0));
	if (procedure == NLM4_LOCK) {
		put32(&args, argv[5] && strcmp(argv[5], "reclaim") == 0);
		put32(&args, 1); /* state */
	}
	rpc_call(rpc_connect(argv[0], atoi(argv[1])), NLM, 4, procedure, 0, &args, &ret);
	(void)get_opaque(&ret, cookie, sizeof(cookie));
	s = get32(&ret);
	if (s < sizeof(names) / sizeof(*names))
		printf("%s\n", names[s]);
	else
		printf("error %u\n", s);
	return s ? 3 : 0;
}
static int do_lock(char **argv) { return lock_call(argv, NLM4_LOCK); }
static int do_unlock(char **argv) { return lock_call(argv, NLM4_UNLOCK); }

/* NFS 4: one client, one session, one slot. */

struct session {
	int fd;
	uint32_t minor, sequence;
	uint64_t client;
	unsigned char id[16];
};

static void compound_begin(struct xdr *x, uint32_t minor, uint32_t ops)
{
	x->len = x->at = 0;
	put32(x, 0); /* no tag */
	put32(x, minor);
	put32(x, ops);
}

static void compound_call(const struct session *s, const struct xdr *args, struct xdr *ret)
{
	char tag[64];

	rpc_call(s->fd, NFS, 4, 1, 0, args, ret);
	(void)get32(ret); /* the status is that of the last operation, too */
	(void)get_opaque(ret, tag, sizeof(tag));
	(void)get32(ret);
}

static void take_op(struct xdr *ret, uint32_t op)
{
	uint32_t got = get32(ret);

	if (got != op)
		die("an answer to operation %u where %u was asked", got, op);
	status(ret);
}

static void session_open(struct session *s, const char *address, uint32_t minor)
{
	struct xdr args, ret;
	uint32_t sequence;
	char name[96];

	*s = (struct session){ .fd = rpc_connect(address, NFS_PORT), .minor = minor };
	(void)snprintf(name, sizeof(name), "nfsclient-%s", address);
	compound_begin(&args, minor, 1);
	put32(&args, OP_EXCHANGE_ID);
	put64(&args, (uint64_t)time(NULL) << 16 | (uint64_t)getpid()); /* another instance each time */
	put_string(&args, name);
	put32(&args, 0); /* flags */
	put32(&args, 0); /* SP4_NONE */
	put32(&args, 0); /* no implementation */
	compound_call(s, &args, &ret);
	take_op(&ret, OP_EXCHANGE_ID);
	s->client = get64(&ret);
	sequence = get32(&ret);
	compound_begin(&args, minor, 1);
	put32(&args, OP_CREATE_SESSION);
	put64(&args, s->client);
	put32(&args, sequence);
	put32(&args, 0); /* flags */
	for (int i = 0; i < 2; i++) { /* fore and back channel */
		static const uint32_t channel[] = { 0, 8192, 8192, 8192, 16, 1, 0 };

		for (size_t k = 0; k < sizeof(channel) / sizeof(*channel); k++)
			put32(&args, channel[k]);
	}
	put32(&args, 0x40000000); /* callback program, never called */
	put32(&args, 1);
	put32(&args, 0); /* AUTH_NONE */
	compound_call(s, &args, &ret);
	take_op(&ret, OP_CREATE_SESSION);
	get_bytes(&ret, s->id, sizeof(s->id));
}

/* ops: besides SEQUENCE. */
static void session_begin(struct session *s, struct xdr *args, uint32_t ops)
{
	compound_begin(args, s->minor, ops + 1);
	put32(args, OP_SEQUENCE);
	put_bytes(args, s->id, sizeof(s->id));
	put32(args, ++s->sequence);
	put32(args, 0); /* slot */
	put32(args, 0); /* highest slot */
	put32(args, 0); /* is not kept */
}

static void session_call(struct session *s, const struct xdr *args, struct xdr *ret)
{
	compound_call(s, args, ret);
	take_op(ret, OP_SEQUENCE);
	ret->at += 16 + 5 * 4;
}

static void reclaim_complete(struct session *s)
{
	struct xdr args, ret;

	session_begin(s, &args, 1);
	put32(&args, OP_RECLAIM_COMPLETE);
	put32(&args, 0);
	session_call(s, &args, &ret);
	take_op(&ret, OP_RECLAIM_COMPLETE);
}

static void put_lookup(struct xdr *args, const char *name)
{
	put32(args, OP_LOOKUP);
	put_string(args, name);
}

static int do_setxattr(char **argv)
{
	struct xdr args, ret;
	struct session s;

	session_open(&s, argv[0], 2);
	reclaim_complete(&s);
	session_begin(&s, &args, 4);
	put32(&args, OP_PUTROOTFH);
	put_lookup(&args, argv[1]);
	put_lookup(&args, argv[2]);
	put32(&args, OP_SETXATTR);
	put32(&args, 0); /* made or replaced */
	put_string(&args, argv[3]);
	put_string(&args, argv[4]);
	session_call(&s, &args, &ret);
	take_op(&ret, OP_PUTROOTFH);
	take_op(&ret, OP_LOOKUP);
	take_op(&ret, OP_LOOKUP);
	take_op(&ret, OP_SETXATTR);
	printf("ok\n");
	return 0;
}

static int do_owner(char **argv)
{
	struct xdr args, ret;
	struct session s;
	char name[256];
	size_t n;

	session_open(&s, argv[0], 1);
	reclaim_complete(&s);
	session_begin(&s, &args, 4);
	put32(&args, OP_PUTROOTFH);
	put_lookup(&args, argv[1]);
	put_lookup(&args, argv[2]);
	put32(&args, OP_GETATTR);
	put32(&args, 2); /* two words of bits */
	put32(&args, 0);
	put32(&args, 1 << (36 - 32)); /* the owner */
	session_call(&s, &args, &ret);
	take_op(&ret, OP_PUTROOTFH);
	take_op(&ret, OP_LOOKUP);
	take_op(&ret, OP_LOOKUP);
	take_op(&ret, OP_GETATTR);
	for (uint32_t words = get32(&ret); words > 0; words--)
		(void)get32(&ret);
	(void)get32(&ret); /* bytes of attributes */
	n = get_opaque(&ret, name, sizeof(name));
	printf("%.*s\n", (int)n, name);
	return 0;
}

static int do_open41(char **argv)
{
	struct xdr args, ret;
	struct session s;

	session_open(&s, argv[0], 1);
	reclaim_complete(&s);
	session_begin(&s, &args, 3);
	put32(&args, OP_PUTROOTFH);
	put_lookup(&args, argv[1]);
	put32(&args, OP_OPEN);
	put32(&args, 0); /* sequence, not used */
	put32(&args, 1); /* reading */
	put32(&args, 0); /* denies nobody */
	put64(&args, s.client);
	put_string(&args, "owner");
	put32(&args, 0); /* does not make it */
	put32(&args, 0); /* CLAIM_NULL */
	put_string(&args, argv[2]);
	session_call(&s, &args, &ret);
	take_op(&ret, OP_PUTROOTFH);
	take_op(&ret, OP_LOOKUP);
	take_op(&ret, OP_OPEN);
	printf("ok\n");
	return 0;
}

static const struct {
	const char *name;
	int args;
	int (*run)(char **argv);
} verbs[] = {
	{ "mount", 3, do_mount }, { "lookup", 3, do_lookup },     { "getattr", 2, do_getattr }, { "read", 2, do_read },
	{ "create", 4, do_create }, { "write", 4, do_write },   { "chmod", 4, do_chmod },   { "chown", 5, do_chown },
	{ "remove", 4, do_remove },
	{ "lock", 5, do_lock },   { "unlock", 5, do_unlock },     { "setxattr", 5, do_setxattr }, { "open41", 3, do_open41 }, { "owner", 3, do_owner },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(*verbs); i++)
		if (strcmp(argv[1], verbs[i].name) == 0 && argc - 2 >= verbs[i].args)
			return verbs[i].run(argv + 2);
	die("usage: nfsclient VERB ADDRESS …, see nfsclient.c");
}
