/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the Psv generates for a Vsv: the skeleton's links in /etc lead here. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "directory/directory.h"
#include "lib/addr.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "psv/conf.h"
#include "psv/root.h"
#include "service/service.h"

enum { FQDN_MAX = 320 };

static void add_hostname(const struct conf *conf, struct strbuf *sb)
{
	strbuf_addf(sb, "%s\n", conf->hostname);
}

/* The whole name first, as hosts(5) wants it, then the short one. */
static void add_hosts(const struct conf *conf, struct strbuf *sb)
{
	size_t label = strcspn(conf->hostname, ".");
	char text[IPADDR_STR_MAX], member[FQDN_MAX];

	strbuf_addstr(sb, "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
	for (size_t i = 0; i < conf->n_addresses; i++) {
		strbuf_addf(sb, "%s ", ipaddr_str(&conf->addresses[i].addr, text));
		if (conf->directory.type == CONF_DIRECTORY_AD)
			strbuf_addf(sb, "%s %.*s\n", ad_fqdn(conf, member, sizeof(member)), (int)label, conf->hostname);
		else if (conf->hostname[label])
			strbuf_addf(sb, "%s %.*s\n", conf->hostname, (int)label, conf->hostname);
		else if (conf->search.n)
			strbuf_addf(sb, "%s.%s %s\n", conf->hostname, conf->search.v[0], conf->hostname);
		else
			strbuf_addf(sb, "%s\n", conf->hostname);
	}
}

static void add_resolv(const struct conf *conf, struct strbuf *sb)
{
	char text[IPADDR_STR_MAX];

	if (conf->search.n)
		strbuf_addstr(sb, "search");
	for (size_t i = 0; i < conf->search.n; i++)
		strbuf_addf(sb, " %s", conf->search.v[i]);
	if (conf->search.n)
		strbuf_addstr(sb, "\n");
	for (size_t i = 0; i < conf->n_dns; i++)
		strbuf_addf(sb, "nameserver %s\n", ipaddr_str(&conf->dns[i], text));
	/* With no server at all, names would be asked of 127.0.0.1. */
	if (!conf->n_dns)
		strbuf_addstr(sb, "options timeout:1 attempts:1\n");
	/* A domain's name servers are its controllers: one that is away holds up each of several questions of a logon, and
	 * clients wait for 20 s. */
	else if (conf->directory.type == CONF_DIRECTORY_AD)
		strbuf_addstr(sb, "options timeout:1 attempts:2\n");
}

/* The same list for all, but for where users come from. */
static void add_nsswitch(const struct conf *conf, struct strbuf *sb)
{
	static const char *const users[] = { "passwd", "group", "shadow", "gshadow", "netgroup" };
	static const char *const rest[] = { "networks", "protocols", "services", "ethers", "rpc" };
	const char *nss = directory_nss(conf);

	for (size_t i = 0; i < sizeof(users) / sizeof(*users); i++)
		strbuf_addf(sb, "%s: files%s%s\n", users[i], nss ? " " : "", nss ? nss : "");
	strbuf_addf(sb, "hosts: files%s dns\n", directory_has_hosts(conf) ? " nis" : "");
	for (size_t i = 0; i < sizeof(rest) / sizeof(*rest); i++)
		strbuf_addf(sb, "%s: files\n", rest[i]);
}

static void add_timezone(const struct conf *conf, struct strbuf *sb)
{
	strbuf_addf(sb, "%s\n", conf->timezone);
}

/* localtime: a link into the template, so that it is the zone as the template's tzdata has it. */
static int link_localtime(const struct conf *conf, int conf_fd, struct err *err)
{
	static const char name[] = "localtime", new_name[] = ".localtime.new";
	_cleanup_free_ char *target = xasprintf("/usr/share/zoneinfo/%s", conf->timezone);

	(void)unlinkat(conf_fd, new_name, 0);
	if (symlinkat(target, conf_fd, new_name) < 0 || renameat(conf_fd, new_name, conf_fd, name) < 0)
		return err_set(err, -errno, "cannot link localtime: %m");
	return 0;
}

static const struct {
	const char *name;
	void (*add)(const struct conf *conf, struct strbuf *sb);
} files[] = {
	{ "hostname", add_hostname },
	{ "hosts", add_hosts },
	{ "nsswitch.conf", add_nsswitch },
	{ "resolv.conf", add_resolv },
	{ "timezone", add_timezone },
};

int root_generate(const struct conf *conf, int conf_fd, struct err *err)
{
	int linked = link_localtime(conf, conf_fd, err);

	if (linked < 0)
		return linked;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		_cleanup_strbuf_ struct strbuf text = { 0 };
		int r;

		files[i].add(conf, &text);
		r = file_write_atomic_at(conf_fd, files[i].name, strbuf_str(&text), text.len, 0644);
		if (r < 0)
			return err_set(err, r, "cannot write %s: %s", files[i].name, strerror(-r));
	}
	if (directory_generate(conf, conf_fd, err) < 0)
		return err_wrap(err, -EIO, "directory");
	for (size_t i = 0; services[i]; i++) {
		int r;

		if (!services[i]->generate || !services[i]->wanted(conf))
			continue;
		r = services[i]->generate(conf, conf_fd, err);
		if (r < 0)
			return err_wrap(err, r, "service %s", services[i]->name);
	}
	return 0;
}
