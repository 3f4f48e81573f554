/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who listens on the wildcard address of a port, or on a given one: sock_diag(7), filtered by the kernel, so that it costs the same beside a
 * thousand Vsv.  Only a hit makes the slow search through /proc for the process. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/netlink.h"
#include "lib/process.h"
#include "lib/str.h"
#include "psv/cgroup.h"
#include "psv/net.h"
#include "psv/net_private.h"

/* So many ports fit into one request; more are asked for in turns. */
enum { PORTS_A_REQUEST = 32 };

struct found {
	struct net_listener l;
	uint32_t inode;
};

struct search {
	const uint16_t *ports;
	size_t n_ports;
	const struct conf_address *addrs;
	size_t n_addrs;
	uint64_t vsv_cgroup_root;
	uint8_t protocol;
	struct found *v;
	size_t n;
};

/* The kernel's little filter language (linux/inet_diag.h): each port is a comparison of two words and a jump to the end,
 * which accepts; a comparison that fails goes on behind the jump, and the last one's beyond the end, which refuses. */
static size_t port_filter(const uint16_t *ports, size_t n, struct inet_diag_bc_op ops[PORTS_A_REQUEST * 3])
{
	size_t len = n * 3 - 1, at = 0; /* no jump behind the last one */

	for (size_t i = 0; i < n; i++) {
		bool last = i == n - 1;

		ops[at++] = (struct inet_diag_bc_op){ .code = INET_DIAG_BC_S_EQ, .yes = 8, .no = 12 };
		ops[at++] = (struct inet_diag_bc_op){ .no = ports[i] };
		if (!last) {
			ops[at] = (struct inet_diag_bc_op){ .code = INET_DIAG_BC_JMP, .yes = 4 };
			ops[at].no = (uint16_t)((len - at) * sizeof(*ops));
			at++;
		}
	}
	return at * sizeof(*ops);
}

static bool is_wanted(const struct search *s, uint16_t port)
{
	for (size_t i = 0; i < s->n_ports; i++)
		if (s->ports[i] == port)
			return true;
	return false;
}

/* src: of a socket of that family; an IPv6 one can stand on an IPv4 address. */
static bool is_asked_address(const struct search *s, uint8_t family, const __be32 src[4])
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	const unsigned char *bytes = (const unsigned char *)src;

	if (family == AF_INET6 && memcmp(bytes, mapped, sizeof(mapped)) == 0) {
		family = AF_INET;
		bytes += sizeof(mapped);
	}
	for (size_t i = 0; i < s->n_addrs; i++) {
		const struct ipaddr *a = &s->addrs[i].addr;

		if (a->family == family && memcmp(a->bytes, bytes, ipaddr_len(a)) == 0)
			return true;
	}
	return false;
}

static int on_socket(const struct nlmsghdr *h, void *arg)
{
	static const struct inet_diag_sockid none;
	const struct inet_diag_msg *m = nl_payload(h);
	const struct nlattr *a[INET_DIAG_MAX + 1];
	struct search *s = arg;
	struct found f = { .l = { .family = m->idiag_family, .protocol = s->protocol, .port = ntohs(m->id.idiag_sport) },
			   .inode = m->idiag_inode };

	if (nl_payload_len(h) < sizeof(*m) || !is_wanted(s, f.l.port) || m->id.idiag_dport)
		return 0;
	f.l.wildcard = memcmp(m->id.idiag_src, none.idiag_src, sizeof(none.idiag_src)) == 0;
	if (!f.l.wildcard && !is_asked_address(s, f.l.family, m->id.idiag_src))
		return 0;
	netlink_attrs(h, sizeof(*m), a, INET_DIAG_MAX);
	if (s->vsv_cgroup_root && a[INET_DIAG_CGROUP_ID] &&
	    cgroup_id_is_below(nl_attr_u64(a[INET_DIAG_CGROUP_ID]), s->vsv_cgroup_root))
		return 0;
	f.l.v6_only = a[INET_DIAG_SKV6ONLY] && nl_attr_u8(a[INET_DIAG_SKV6ONLY]);
	s->v = xrealloc(s->v, s->n + 1, sizeof(*s->v));
	s->v[s->n++] = f;
	return 0;
}

static int list_sockets(struct netlink *nl, struct search *s, uint8_t family, const uint16_t *ports, size_t n_ports,
			struct err *err)
{
	struct inet_diag_req_v2 req = { .sdiag_family = family, .sdiag_protocol = s->protocol };
	struct inet_diag_bc_op filter[PORTS_A_REQUEST * 3];
	int r;

	req.idiag_states = s->protocol == IPPROTO_TCP ? 1 << TCP_LISTEN : 1 << TCP_CLOSE;
	r = net_sockets_dump(nl, &req, filter, port_filter(ports, n_ports, filter), on_socket, s, &s->n, err);
	return r < 0 ? err_wrap(err, r, "cannot list the sockets of this machine") : 0;
}

static int list_all(struct search *s, struct err *err)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	int r;

	r = netlink_open(NETLINK_SOCK_DIAG, &nl, err);
	for (size_t p = 0; p < sizeof(protocols) && r == 0; p++) {
		s->protocol = protocols[p];
		for (size_t f = 0; f < sizeof(families) && r == 0; f++) {
			for (size_t at = 0; at < s->n_ports && r == 0; at += PORTS_A_REQUEST) {
				size_t n = s->n_ports - at;

				r = list_sockets(&nl, s, families[f], s->ports + at, n < PORTS_A_REQUEST ? n : PORTS_A_REQUEST,
						 err);
			}
		}
	}
	return r;
}

static void note_owner(struct search *s, uint32_t inode, pid_t pid)
{
	for (size_t i = 0; i < s->n; i++) {
		struct net_listener *l = &s->v[i].l;

		/* Several processes can hold one socket; the first in the list is the oldest: the daemon itself, or the
		 * service manager that listens for it. */
		if (s->v[i].inode != inode || l->pid)
			continue;
		l->pid = pid;
		(void)pid_comm(pid, l->comm, sizeof(l->comm));
	}
}

static void look_through(struct search *s, int proc_fd, const char *pid_text, pid_t pid)
{
	char path[32], target[64];
	DIR *d;
	int fd;

	(void)str_format(path, sizeof(path), "%s/fd", pid_text);
	fd = dir_open(proc_fd, path);
	if (fd < 0)
		return; /* gone meanwhile */
	d = fdopendir(fd);
	if (!d) {
		(void)close(fd);
		return;
	}
	for (struct dirent *e; (e = readdir(d));) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);
		uint32_t inode;

		if (n < (ssize_t)sizeof("socket:[]") || memcmp(target, "socket:[", 8) != 0)
			continue;
		target[n - 1] = '\0';
		if (parse_u32(target + 8, UINT32_MAX, &inode) == 0)
			note_owner(s, inode, pid);
	}
	(void)closedir(d);
}

static void find_owners(struct search *s)
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");

	for (struct dirent *e; proc && (e = readdir(proc));) {
		uint32_t pid;

		if (parse_u32(e->d_name, INT32_MAX, &pid) == 0)
			look_through(s, dirfd(proc), e->d_name, (pid_t)pid);
	}
}

int net_listeners(const uint16_t *ports, size_t n_ports, const struct conf_address *addrs, size_t n_addrs,
		  uint64_t vsv_cgroup_root, struct net_listener **ret, size_t *ret_n, struct err *err)
{
	struct search s = { .ports = ports, .n_ports = n_ports, .addrs = addrs, .n_addrs = n_addrs,
			    .vsv_cgroup_root = vsv_cgroup_root };
	struct net_listener *list;
	int r;

	r = list_all(&s, err);
	if (r < 0) {
		free(s.v);
		return r;
	}
	if (s.n)
		find_owners(&s);
	list = xcalloc(s.n, sizeof(*list));
	for (size_t i = 0; i < s.n; i++)
		list[i] = s.v[i].l;
	*ret = list;
	*ret_n = s.n;
	free(s.v);
	return 0;
}
