/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/discovery.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "psv/conf.h"
#include "service/service.h"

#define PROGRAM "/usr/lib/vnas/vnas-discover"

enum { SMB_PORT = 445, NFS_PORT = 2049, READY_MS = 500, LABEL_MAX = 63, TXT_MAX = 255, SERVICES_MAX = 40 };

static const uint16_t mdns_ports[] = { 5353, 0 }, wsd_ports[] = { 5357, 0 };

/* ---- what it reads ---- */

/* add_label: cut between characters. */
static void add_label(struct strbuf *out, const char *text)
{
	size_t len = strlen(text);

	if (len > LABEL_MAX) {
		len = LABEL_MAX;
		while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}
	strbuf_add(out, text, len);
}

static void add_service(struct strbuf *out, const char *type, unsigned port, const char *instance, const char *txt)
{
	strbuf_addf(out, "service %s %u\ninstance ", type, port);
	add_label(out, instance);
	strbuf_addstr(out, "\n");
	if (txt && strlen(txt) <= TXT_MAX)
		strbuf_addf(out, "txt %s\n", txt);
}

/* The icon that macOS shows. */
static const char device_txt[] = "model=MacSamba";

static void add_services(const struct conf *conf, const char *host, struct strbuf *out)
{
	size_t n = 2;

	if (conf->smb_enabled) {
		add_service(out, "_smb._tcp", SMB_PORT, host, NULL);
		add_service(out, "_device-info._tcp", 0, host, device_txt);
	}
	for (size_t i = 0; i < conf->n_shares && n < SERVICES_MAX; i++) {
		_cleanup_strbuf_ struct strbuf instance = { 0 }, txt = { 0 };

		if (!conf->shares[i].nfs)
			continue;
		strbuf_addf(&instance, "%s on %s", conf->shares[i].name, host);
		strbuf_addf(&txt, "path=%s", conf->shares[i].path);
		add_service(out, "_nfs._tcp", NFS_PORT, strbuf_str(&instance), strbuf_str(&txt));
		n++;
	}
}

/* add_uuid: that of the root volume's filesystem, which is the server's wherever it goes. */
static void add_uuid(const struct conf *conf, struct strbuf *out)
{
	strbuf_addf(out, "uuid %s\n", *conf->volumes[0].uuid ? conf->volumes[0].uuid : "00000000-0000-4000-8000-000000000000");
}

void discovery_text(const struct conf *conf, struct strbuf *ret)
{
	char host[LABEL_MAX + 1], address[IPADDR_STR_MAX];
	size_t len = strcspn(conf->hostname, ".");

	len = len > LABEL_MAX ? LABEL_MAX : len;
	memcpy(host, conf->hostname, len);
	host[len] = '\0';
	strbuf_addf(ret, "host %s\nnetbios %s\n%s %s\n", host, conf->netbios_name,
		    conf->directory.type == CONF_DIRECTORY_AD ? "domain" : "workgroup", conf->workgroup);
	add_uuid(conf, ret);
	for (size_t i = 0; i < conf->n_addresses; i++)
		strbuf_addf(ret, "address %s/%u\n", ipaddr_str(&conf->addresses[i].addr, address), conf->addresses[i].prefix);
	add_services(conf, host, ret);
}

static int generate(const struct conf *conf, int conf_fd, struct err *err)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };
	int r;

	discovery_text(conf, &text);
	r = file_write_atomic_at(conf_fd, "discovery", strbuf_str(&text), text.len, 0644);
	return r < 0 ? err_set(err, r, "cannot write what is announced: %s", strerror(-r)) : 0;
}

/* ---- the rows ---- */

static bool mdns_wanted(const struct conf *conf)
{
	return conf->discovery & CONF_DISCOVERY_MDNS && conf->n_addresses;
}

/* Windows looks for computers, and finds their SMB shares. */
static bool wsd_wanted(const struct conf *conf)
{
	return conf->discovery & CONF_DISCOVERY_WSD && conf->smb_enabled && conf->n_addresses;
}

static void mdns_argv(const struct conf *conf, struct strlist *ret)
{
	(void)conf;
	strlist_add(ret, PROGRAM);
	strlist_add(ret, "mdns");
}

static void wsd_argv(const struct conf *conf, struct strlist *ret)
{
	(void)conf;
	strlist_add(ret, PROGRAM);
	strlist_add(ret, "wsd");
}

static int mdns_ready(const struct conf *conf, const struct ipaddr *address)
{
	int r = mdns_probe(conf, address, READY_MS);

	return r < 0 ? r : 0; /* a name that is taken is no reason to keep a server down */
}

static int wsd_ready(const struct conf *conf, const struct ipaddr *address)
{
	return wsd_probe(conf, address, READY_MS);
}

static bool mdns_ill(const struct conf *conf, const struct ipaddr *address, char *why, size_t size)
{
	int r = mdns_probe(conf, address, READY_MS);

	if (r > 0)
		(void)str_format(why, size, "another host has the name %.*s.local", (int)strcspn(conf->hostname, "."),
				 conf->hostname);
	else if (r < 0)
		(void)str_copy(why, size, "it does not answer");
	return r != 0;
}

static bool wsd_ill(const struct conf *conf, const struct ipaddr *address, char *why, size_t size)
{
	int r = wsd_probe(conf, address, READY_MS);

	if (r < 0)
		(void)str_copy(why, size, "it does not answer");
	return r != 0;
}

const struct service mdns_service = {
	.name = "mdns",
	.udp_ports = mdns_ports,
	.udp_reuse = true,
	.wanted = mdns_wanted,
	.argv = mdns_argv,
	.generate = generate,
	.ready = mdns_ready,
	.ill = mdns_ill,
	.stop_signal = SIGTERM,
	.reload_signal = SIGHUP,
};

const struct service wsd_service = {
	.name = "wsd",
	.ports = wsd_ports,
	.wanted = wsd_wanted,
	.argv = wsd_argv,
	.generate = generate,
	.ready = wsd_ready,
	.ill = wsd_ill,
	.stop_signal = SIGTERM,
	.reload_signal = SIGHUP,
};
