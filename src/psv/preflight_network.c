/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses that this machine has already, interfaces that cannot carry one, and processes of the Psv that hold a port
 * which the Vsv's services need. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "psv/cgroup.h"
#include "psv/conf.h"
#include "psv/net.h"
#include "psv/net_frame.h"
#include "psv/preflight_private.h"
#include "psv/psv.h"
#include "service/service.h"

/* Whose number that is; "another installation's" is none of this registry. */
static void name_of_id(const struct psv *psv, uint32_t id, char *buf, size_t size)
{
	_cleanup_strlist_ struct strlist names = { 0 };

	(void)str_format(buf, size, "server number %u", id);
	if (psv_list(psv, &names, NULL) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		uint32_t other;

		if (psv_id_get(psv, names.v[i], &other, NULL) == 0 && other == id) {
			(void)str_copy(buf, size, names.v[i]);
			return;
		}
	}
}

/* An address that is on an interface: the Psv's own, or one that another Vsv runs with (whatever its file says now). */
static int check_held(struct preflight_run *run, const struct conf_address *a, struct err *err)
{
	char text[IPADDR_STR_MAX], interface[IF_NAMESIZE], owner[VSV_NAME_MAX + 16];
	uint32_t ifindex, id = 0, own = 0;
	int r;

	r = net_is_local(&a->addr, &ifindex, err);
	if (r <= 0)
		return r;
	r = net_owner(&a->addr, &id, err);
	if (r < 0)
		return r;
	(void)ipaddr_str(&a->addr, text);
	if (!if_indextoname(ifindex, interface))
		(void)str_copy(interface, sizeof(interface), "an interface");
	if (r == 0) {
		preflight_hint(preflight_obstacle(run, VNAS_EXIT_IN_USE, "address %s is on %s of this machine already", text,
						  interface),
			       "take it from the machine (ip addr show dev %s), or give the server another one", interface);
		return 0;
	}
	if (psv_id_get(run->psv, run->name, &own, NULL) == 0 && own == id)
		return 0;
	name_of_id(run->psv, id, owner, sizeof(owner));
	preflight_hint(preflight_obstacle(run, VNAS_EXIT_IN_USE, "address %s is held by %s, which is running", text, owner),
		       "vnas address remove %s %s/%u, or give the server another one", owner, text, a->prefix);
	return 0;
}

static int read_setting(const char *family, const char *interface, const char *key)
{
	char path[128], text[16];
	uint32_t v;

	if (!str_format(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, interface, key) ||
	    file_read_small(AT_FDCWD, path, text, sizeof(text)) < 0 || parse_u32(text, UINT32_MAX, &v) < 0)
		return 0;
	return (int)v;
}

static void check_settings(struct preflight_run *run, const struct conf_address *a, const char *interface)
{
	char text[IPADDR_STR_MAX];
	int here, all;

	(void)ipaddr_str(&a->addr, text);
	if (a->addr.family == AF_INET6) {
		if (read_setting("ipv6", interface, "disable_ipv6"))
			preflight_hint(preflight_obstacle(run, VNAS_EXIT_FAILED, "address %s: IPv6 is switched off on %s", text,
							  interface),
				       "sysctl net.ipv6.conf.%s.disable_ipv6=0", interface);
		return;
	}
	here = read_setting("ipv4", interface, "arp_ignore");
	all = read_setting("ipv4", "all", "arp_ignore");
	if (here >= 2 || all >= 2)
		preflight_hint(preflight_warning(run, "address %s: with arp_ignore = %d on %s nobody will find it", text,
						 here > all ? here : all, interface),
			       "sysctl net.ipv4.conf.%s.arp_ignore=1", here > all ? interface : "all");
}

static int check_interface(struct preflight_run *run, const struct conf_address *a, struct err *err)
{
	char interface[IF_NAMESIZE], text[IPADDR_STR_MAX];
	struct err why = { 0 };
	struct net_link link;
	uint32_t ifindex;
	int r;

	r = net_find_interface(a, &ifindex, &why);
	if (r == -ENODEV) {
		preflight_hint(preflight_obstacle(run, VNAS_EXIT_FAILED, "%s", why.text), "%s", why.hint);
		return 0;
	}
	if (r < 0)
		return err_set(err, r, "%s", why.text);
	if (net_link_get(ifindex, &link, &why) < 0 || !if_indextoname(ifindex, interface))
		return 0; /* gone just now */
	if (!link.up)
		preflight_hint(preflight_obstacle(run, VNAS_EXIT_FAILED, "address %s: interface %s is down",
						  ipaddr_str(&a->addr, text), interface),
			       "ip link set %s up", interface);
	check_settings(run, a, interface);
	return 0;
}

int preflight_addresses(struct preflight_run *run, struct err *err)
{
	int r = 0;

	if (run->conf->stack != CONF_STACK_SHARED)
		return 0;
	for (size_t i = 0; i < run->conf->n_addresses && r == 0; i++) {
		r = run->address_told[i] ? 0 : check_held(run, &run->conf->addresses[i], err);
		if (r == 0)
			r = check_interface(run, &run->conf->addresses[i], err);
	}
	return r;
}

/* What to change for programs that are found on such ports.  ADDR is the Psv's own address. */
static const struct known {
	const char *comm;
	const char *hint;
} known_programs[] = {
	{ "smbd", "in /etc/samba/smb.conf, [global]: interfaces = ADDR lo, bind interfaces only = yes (ADDR: the machine's own "
		  "address, no interface name); then systemctl restart smbd" },
	{ "nmbd", "in /etc/samba/smb.conf, [global]: interfaces = ADDR lo, bind interfaces only = yes; then systemctl restart "
		  "nmbd" },
	{ "samba", "in /etc/samba/smb.conf, [global]: interfaces = ADDR lo, bind interfaces only = yes; then systemctl restart "
		   "samba-ad-dc" },
	{ "sshd", "in /etc/ssh/sshd_config: ListenAddress ADDR (ADDR: the machine's own address); then systemctl restart ssh" },
	{ "ganesha.nfsd", "in /etc/ganesha/ganesha.conf, NFS_CORE_PARAM: Bind_addr = ADDR; then systemctl restart nfs-ganesha" },
	{ "rpcbind", "in /etc/default/rpcbind: OPTIONS=\"-w -h ADDR\", and ADDR in rpcbind.socket; or systemctl disable --now "
		     "rpcbind.socket rpcbind" },
	{ "rpc.mountd", "stop the machine's NFS server: systemctl disable --now nfs-server" },
	{ "nginx", "in /etc/nginx: listen ADDR:PORT; then systemctl reload nginx" },
	{ "apache2", "in /etc/apache2/ports.conf: Listen ADDR:PORT; then systemctl restart apache2" },
	{ "slapd", "in /etc/default/slapd: SLAPD_SERVICES=\"ldap://ADDR/\"; then systemctl restart slapd" },
	{ "vsftpd", "in /etc/vsftpd.conf: listen_address=ADDR; then systemctl restart vsftpd" },
	{ "inetd", "in /etc/inetd.conf: ADDR:SERVICE instead of SERVICE; then systemctl restart inetd" },
	{ "xinetd", "in the service's file in /etc/xinetd.d: bind = ADDR; then systemctl restart xinetd" },
	{ "systemd", "find its socket unit with systemctl list-sockets; with systemctl edit: ListenStream= and "
		     "ListenStream=ADDR:PORT" },
};

static const char *hint_for(const struct net_listener *l)
{
	if (!l->pid)
		return "if it is the kernel's NFS server: in /etc/nfs.conf, [nfsd]: host = ADDR; then systemctl restart nfs-server";
	for (size_t i = 0; i < sizeof(known_programs) / sizeof(*known_programs); i++)
		if (strcmp(known_programs[i].comm, l->comm) == 0)
			return known_programs[i].hint;
	return "let it listen on the machine's own address only, or stop it";
}

/* is_shared: whoever stands on that UDP port shares it (SO_REUSEADDR), as the daemons of mDNS do.  Tried where no datagram comes. */
static bool is_shared(uint16_t port, uint8_t family)
{
	_cleanup_close_ int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		return false;
	if (family == AF_INET)
		return bind(fd, (const struct sockaddr *)&four, sizeof(four)) == 0;
	return bind(fd, (const struct sockaddr *)&six, sizeof(six)) == 0;
}

static bool needs_port(const struct preflight_run *run, const struct net_listener *l)
{
	bool udp = l->protocol == IPPROTO_UDP;

	for (const struct service *const *s = run->services; *s; s++) {
		const uint16_t *p = udp ? (*s)->udp_ports : (*s)->ports;

		for (; p && *p; p++)
			if (*p == l->port && !(udp && (*s)->udp_reuse && is_shared(l->port, l->family)))
				return true;
	}
	return false;
}

/* To a TCP listener on the wildcard address the gate steps aside (gate_bind.bpf.h).  UDP has no listen(), by which a socket
 * on another port could be found, and what it sends would leave from that other port: there the kernel's answer stands. */
static bool concerns(const struct preflight_run *run, const struct net_listener *l)
{
	const struct conf *conf = run->conf;

	if (!needs_port(run, l))
		return false;
	if (!l->wildcard)
		return true;
	if (l->protocol == IPPROTO_TCP)
		return false;
	for (size_t i = 0; i < conf->n_addresses; i++)
		if (conf->addresses[i].addr.family == l->family || (l->family == AF_INET6 && !l->v6_only))
			return true;
	return false;
}

static void report_listener(struct preflight_run *run, const struct net_listener *l)
{
	const char *kind = l->protocol == IPPROTO_UDP ? "UDP port" : "port";
	const char *where = l->wildcard ? "all addresses" : "an address of the server";
	struct preflight_problem *p;

	if (l->pid)
		p = preflight_obstacle(run, VNAS_EXIT_IN_USE, "%s %u: %s of this machine (process %d) listens on %s", kind,
				       l->port, l->comm, l->pid, where);
	else
		p = preflight_obstacle(run, VNAS_EXIT_IN_USE, "%s %u: this machine listens on %s, by no process", kind, l->port,
				       where);
	preflight_hint(p, "%s", hint_for(l));
}

static void add_ports(const uint16_t *more, uint16_t **ports, size_t *n)
{
	for (; more && *more; more++) {
		*ports = xrealloc(*ports, *n + 1, sizeof(**ports));
		(*ports)[(*n)++] = *more;
	}
}

int preflight_listeners(struct preflight_run *run, struct err *err)
{
	const struct conf *conf = run->conf;
	_cleanup_free_ struct net_listener *found = NULL;
	_cleanup_free_ uint16_t *ports = NULL;
	size_t n_ports = 0, n = 0;
	int r;

	if (run->conf->stack != CONF_STACK_SHARED || !run->services)
		return 0;
	for (const struct service *const *s = run->services; *s; s++) {
		add_ports((*s)->ports, &ports, &n_ports);
		add_ports((*s)->udp_ports, &ports, &n_ports);
	}
	/* Mostly there is nobody, and then nobody's control group need be looked at. */
	r = net_listeners(ports, n_ports, conf->addresses, conf->n_addresses, 0, &found, &n, err);
	if (r == 0 && n) {
		free(found);
		found = NULL;
		r = net_listeners(ports, n_ports, conf->addresses, conf->n_addresses, cgroup_root_id(run->psv), &found, &n, err);
	}
	for (size_t i = 0; i < n && r == 0; i++) {
		bool told = false;

		/* IPv4 and IPv6 of one process are one problem. */
		for (size_t j = 0; j < i; j++)
			told |= found[j].port == found[i].port && found[j].protocol == found[i].protocol &&
				found[j].pid == found[i].pid && concerns(run, &found[j]);
		if (!told && concerns(run, &found[i]))
			report_listener(run, &found[i]);
	}
	return r;
}
