/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NetBIOS: nmbd, which answers clients of the own networks that ask by broadcast for the server's name or an alias. */
#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/addr.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "psv/conf.h"
#include "service/nbt_probe.h"
#include "service/samba.h"
#include "service/service.h"

#define NMBD_CONF "/run/vnas/samba/nmbd.conf"

enum { SESSION_PORT = 139, READY_MS = 200 };

/* Found by taking one after the other away from nmbd 4.17: ports 137 and 138. */
static const uint64_t capabilities = UINT64_C(1) << CAP_NET_BIND_SERVICE;

static const char *const packages[] = { "samba", NULL };

/* The port is smbd's, which listens there for clients that found the server by nmbd. */
static const uint16_t ports[] = { SESSION_PORT, 0 };

static const struct ipaddr *first_ipv4(const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_addresses; i++)
		if (conf->addresses[i].addr.family == AF_INET)
			return &conf->addresses[i].addr;
	return NULL;
}

bool samba_netbios_wanted(const struct conf *conf)
{
	return conf->smb_enabled && conf->discovery & CONF_DISCOVERY_NETBIOS && first_ipv4(conf);
}

static void argv(const struct conf *conf, struct strlist *ret)
{
	(void)conf;
	strlist_add(ret, "/usr/sbin/nmbd");
	strlist_add(ret, "--foreground");
	strlist_add(ret, "--no-process-group"); /* as of smbd */
	strlist_add(ret, "--debug-stdout");
	strlist_add(ret, "--configfile=" NMBD_CONF);
}

static int generate(const struct conf *conf, int conf_fd, struct err *err)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };
	_cleanup_close_ int dir = -1;
	int r = samba_nmbd_conf_text(conf, &text, err);

	if (r < 0)
		return r;
	dir = dir_open(conf_fd, "samba"); /* smbd's row made it */
	if (dir < 0)
		return err_set(err, dir, "cannot open the folder of smb.conf");
	r = file_write_atomic_at(dir, "nmbd.conf", strbuf_str(&text), text.len, 0644);
	return r < 0 ? err_set(err, r, "cannot write nmbd.conf") : 0;
}

static int ready(const struct conf *conf, const struct ipaddr *address)
{
	(void)address;
	return nbt_probe(first_ipv4(conf), READY_MS);
}

static bool ill(const struct conf *conf, const struct ipaddr *address, char *why, size_t size)
{
	if (ready(conf, address) == 0)
		return false;
	(void)str_copy(why, size, "it does not answer");
	return true;
}

/* outdated: nmbd 4.17 that is told to reload reads its configuration only if the file's time is another second, and its
 * addresses only if the kernel's list has changed, one before the other.  Of two changes close to each other it would know the
 * first, and answer from an address that is gone. */
static bool outdated(const struct conf *from, const struct conf *to)
{
	_cleanup_strbuf_ struct strbuf old = { 0 }, new = { 0 };

	if (samba_nmbd_conf_text(from, &old, NULL) < 0 || samba_nmbd_conf_text(to, &new, NULL) < 0)
		return true;
	return strcmp(strbuf_str(&old), strbuf_str(&new)) != 0;
}

const struct service netbios_service = {
	.name = "nmbd",
	.packages = packages,
	.capabilities = capabilities,
	.ports = ports,
	.wanted = samba_netbios_wanted,
	.argv = argv,
	.generate = generate,
	.ready = ready,
	.ill = ill,
	.outdated = outdated,
	.stop_signal = SIGTERM,
};
