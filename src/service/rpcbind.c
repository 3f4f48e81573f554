/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rpcbind, which tells where the programs of NFS 3 and ypbind are.  What registers with it does that once, so one that was killed and
 * started again knew nobody.  All programs of NFS 3 have fixed ports: they are generated as the two files that rpcbind reads at each of
 * its starts (its "warm start", -w), RFC 1833's rpcblist and pmaplist in XDR (RFC 4506).  Its own user cannot change or
 * remove them.  A program that then registers the same address is told that all is well. */
#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "psv/conf.h"
#include "service/directories.h"
#include "service/ganesha.h"
#include "service/nfs_probe.h"
#include "service/service.h"

#define BIT(cap) (UINT64_C(1) << (cap))
#define OWNER "superuser"
#define RPCB_LIST "rpcbind.xdr"
#define PMAP_LIST "portmap.xdr"

enum {
	RPCBIND_PORT = 111,
	PROGRAM_RPCBIND = 100000, PROGRAM_NFS = 100003, PROGRAM_MOUNT = 100005, PROGRAM_NLM = 100021, PROGRAM_STATD = 100024,
};

static const char *const packages[] = { "rpcbind", NULL };

static bool wanted(const struct conf *conf)
{
	return conf->directory.type == CONF_DIRECTORY_NIS || ganesha_serves_v3(conf);
}

static void argv(const struct conf *conf, struct strlist *ret)
{
	(void)conf;
	strlist_add(ret, "/usr/sbin/rpcbind");
	strlist_add(ret, "-f");
	/* Also without NFS 3, for then there are no lists: with NIS it runs on when NFS comes or goes. */
	strlist_add(ret, "-w");
}

/* The networks of netconfig(5). */
static const struct network {
	const char *id, *any; /* the wildcard address */
	uint32_t protocol;    /* 0: not in the list of version 2, which is for IPv4 alone */
} networks[] = {
	{ "tcp6", "::", 0 }, { "udp6", "::", 0 }, { "tcp", "0.0.0.0", IPPROTO_TCP }, { "udp", "0.0.0.0", IPPROTO_UDP },
};

struct program {
	uint32_t number, version, port;
};

static void put(struct strbuf *sb, uint32_t word)
{
	word = htobe32(word);
	strbuf_add(sb, (const char *)&word, sizeof(word));
}

static void put_string(struct strbuf *sb, const char *text)
{
	size_t n = strlen(text);

	put(sb, (uint32_t)n);
	strbuf_add(sb, text, n);
	strbuf_add(sb, "\0\0\0", (4 - n % 4) % 4);
}

static void put_rpcb(struct strbuf *sb, const struct program *p, const char *network, const char *address)
{
	put(sb, 1); /* one more follows */
	put(sb, p->number);
	put(sb, p->version);
	put_string(sb, network);
	put_string(sb, address);
	put_string(sb, OWNER);
}

static void add_program(const struct program *p, struct strbuf *rpcb, struct strbuf *pmap)
{
	for (size_t i = 0; i < sizeof(networks) / sizeof(*networks); i++) {
		const struct network *n = &networks[i];
		_cleanup_free_ char *address = xasprintf("%s.%u.%u", n->any, p->port >> 8, p->port & 255);

		/* Versions 3 and 4 of rpcbind itself are everywhere, 2 for IPv4. */
		if (n->protocol || p->number != PROGRAM_RPCBIND || p->version > 2)
			put_rpcb(rpcb, p, n->id, address);
		if (!n->protocol)
			continue;
		put(pmap, 1);
		put(pmap, p->number);
		put(pmap, p->version);
		put(pmap, n->protocol);
		put(pmap, p->port);
	}
}

void rpcbind_lists(const struct conf *conf, struct strbuf *ret_rpcb, struct strbuf *ret_pmap)
{
	const struct conf_nfs *nfs = &conf->nfs;
	const struct program programs[] = {
		{ PROGRAM_RPCBIND, 4, RPCBIND_PORT }, { PROGRAM_RPCBIND, 3, RPCBIND_PORT }, { PROGRAM_RPCBIND, 2, RPCBIND_PORT },
		{ PROGRAM_STATD, 1, nfs->statd_port }, { PROGRAM_NFS, 3, NFS_PORT }, { PROGRAM_MOUNT, 1, nfs->mountd_port },
		{ PROGRAM_MOUNT, 3, nfs->mountd_port }, { PROGRAM_NLM, 4, nfs->lockd_port },
		{ PROGRAM_NFS, nfs->versions & CONF_NFS_4_ANY ? 4 : 0, NFS_PORT },
	};

	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++)
		if (programs[i].version)
			add_program(&programs[i], ret_rpcb, ret_pmap);
	for (uint32_t version = 4; version >= 3; version--)
		put_rpcb(ret_rpcb, &(struct program){ PROGRAM_RPCBIND, version, 0 }, "local", "/run/rpcbind.sock");
	put(ret_rpcb, 0);
	put(ret_pmap, 0);
}

static int write_list(int dir, const char *name, const struct strbuf *list, struct err *err)
{
	int r = file_write_atomic_at(dir, name, list->buf, list->len, 0644);

	return r < 0 ? err_set(err, r, "cannot write %s", name) : 0;
}

static int generate(const struct conf *conf, int conf_fd, struct err *err)
{
	_cleanup_strbuf_ struct strbuf rpcb = { 0 }, pmap = { 0 };
	_cleanup_close_ int dir = -1;
	int r;

	if (mkdirat(conf_fd, "rpcbind", 0755) < 0 && errno != EEXIST)
		return err_set(err, -errno, "cannot make the folder of rpcbind's lists: %m");
	dir = dir_open(conf_fd, "rpcbind");
	if (dir < 0)
		return err_set(err, dir, "cannot open the folder of rpcbind's lists");
	if (!ganesha_serves_v3(conf)) {
		(void)unlinkat(dir, RPCB_LIST, 0);
		(void)unlinkat(dir, PMAP_LIST, 0);
		return 0;
	}
	rpcbind_lists(conf, &rpcb, &pmap);
	r = write_list(dir, RPCB_LIST, &rpcb, err);
	return r < 0 ? r : write_list(dir, PMAP_LIST, &pmap, err);
}

const struct service rpcbind_service = {
	.name = "rpcbind",
	.packages = packages,
	.optional = true,
	.capabilities = BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SETUID) | BIT(CAP_SETGID),
	.wanted = wanted,
	.argv = argv,
	.generate = generate,
	/* Ended in order it would write its lists, which it may not. */
	.stop_signal = SIGKILL,
	.comes_and_goes = true,
};
