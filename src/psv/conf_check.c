/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What no single line can show to be wrong.  Each error names the line that a reader would change. */
#include "psv/conf_internal.h"

#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "service/samba.h"

/* mkfs.xfs(8) refuses less than 300M, and the label needs one more. */
static const uint64_t XFS_LEAST_BYTES = UINT64_C(301) << 20;

static int check_names(const struct conf_parser *p)
{
	const struct conf *c = p->conf;

	if (strcasecmp(c->workgroup, c->netbios_name) == 0)
		return conf_bad(p, conf_line_of(p, CONF_SECTION_SERVER, 0, conf_has(p, CONF_SECTION_SERVER, 0, "netbios name")
									   ? "netbios name" : "workgroup"),
				"'%s' is both the workgroup and the NetBIOS name: expected two names", c->netbios_name);
	for (size_t i = 0; i < c->aliases.n; i++)
		if (strcasecmp(c->aliases.v[i], c->netbios_name) == 0 || strcasecmp(c->aliases.v[i], c->workgroup) == 0)
			return conf_bad(p, conf_line_of(p, CONF_SECTION_SERVER, 0, "alias"),
					"key 'alias': '%s' is the server's NetBIOS name or workgroup already: expected another name",
					c->aliases.v[i]);
	return 0;
}

static int check_gateways(const struct conf_parser *p)
{
	const struct conf *c = p->conf;
	unsigned line = conf_line_of(p, CONF_SECTION_SERVER, 0, "gateway");

	for (size_t i = 0; i < c->n_gateways; i++) {
		const struct ipaddr *g = &c->gateways[i];
		bool on_link = false;
		char buf[IPADDR_STR_MAX];

		for (size_t j = 0; j < c->n_addresses; j++) {
			const struct conf_address *a = &c->addresses[j];

			if (ipaddr_equal(&a->addr, g))
				return conf_bad(p, a->line, "key 'gateway': '%s' is the server's own address",
						ipaddr_str(g, buf));
			on_link |= ipaddr_in(g, &a->addr, a->prefix);
		}
		if (!on_link)
			return conf_bad(p, line, "key 'gateway': '%s' is in no network of the server's %s addresses",
					ipaddr_str(g, buf), g->family == AF_INET ? "IPv4" : "IPv6");
	}
	return 0;
}

static int check_volume(const struct conf_parser *p, size_t i)
{
	const struct conf_volume *v = &p->conf->volumes[i];

	if (i == 0 && v->mount)
		return conf_bad(p, conf_line_of(p, CONF_SECTION_VOLUME, i, "mount"),
				"key 'mount': the root volume has its own places: expected no such key in [volume root]");
	if (v->device && v->size_bytes)
		return conf_bad(p, conf_line_of(p, CONF_SECTION_VOLUME, i, "size"),
				"key 'size': [volume %s] is a device, which is used as it is: expected no size", v->name);
	if (!v->device && !v->size_bytes)
		return conf_bad(p, v->line, "[volume %s] has neither 'size' nor 'device': expected one of them", v->name);
	if (v->fs == CONF_FS_XFS && v->size_bytes && v->size_bytes < XFS_LEAST_BYTES)
		return conf_bad(p, conf_line_of(p, CONF_SECTION_VOLUME, i, "size"),
				"key 'size': [volume %s] is too small for xfs: expected at least 301M", v->name);
	for (size_t j = 0; j < i; j++) {
		const struct conf_volume *o = &p->conf->volumes[j];

		if (v->mount && o->mount && (conf_path_below(v->mount, o->mount) || conf_path_below(o->mount, v->mount)))
			return conf_bad(p, conf_line_of(p, CONF_SECTION_VOLUME, i, "mount"),
					"key 'mount': '%s' overlaps with '%s' of [volume %s]", v->mount, o->mount, o->name);
		if (v->device && o->device && strcmp(v->device, o->device) == 0)
			return conf_bad(p, conf_line_of(p, CONF_SECTION_VOLUME, i, "device"),
					"key 'device': '%s' is doubled: [volume %s] has it already", v->device, o->name);
		if (*v->uuid && strcmp(v->uuid, o->uuid) == 0)
			return conf_bad(p, conf_line_of(p, CONF_SECTION_VOLUME, i, "uuid"),
					"key 'uuid': '%s' is doubled: [volume %s] has it already", v->uuid, o->name);
	}
	return 0;
}

/* Each user's own folder: whose it is follows from its name. */
static int check_homes(const struct conf_parser *p, size_t i)
{
	static const char *const refused[] = { "read", "write", "guest" };
	const struct conf_share *s = &p->conf->shares[i];

	for (size_t k = 0; k < sizeof(refused) / sizeof(*refused); k++)
		if (k < 2 ? conf_has(p, CONF_SECTION_SHARE, i, refused[k]) : s->guest)
			return conf_bad(p, conf_line_of(p, CONF_SECTION_SHARE, i, refused[k]),
					"key '%s': [share homes] is each user's own folder: expected no such key", refused[k]);
	if (s->nfs)
		return conf_bad(p, conf_line_of(p, CONF_SECTION_SHARE, i, "protocols"),
				"key 'protocols': [share homes] is a share of SMB alone: expected smb");
	return 0;
}

static int check_share(const struct conf_parser *p, size_t i)
{
	const struct conf_share *s = &p->conf->shares[i];
	unsigned line = conf_line_of(p, CONF_SECTION_SHARE, i, "path");
	const struct conf_volume *on;
	bool homes = samba_share_is_homes(s->name);
	int r = homes ? check_homes(p, i) : 0;

	if (r < 0)
		return r;
	if (!s->path)
		return conf_bad(p, s->line, "[share %s] has no 'path'", s->name);
	on = conf_share_volume(p->conf, s);
	if (homes && conf_path_below(s->path, "/home"))
		return 0;
	if (!on && (!conf_path_below(s->path, "/srv") || strcmp(s->path, "/srv") == 0))
		return conf_bad(p, line, "key 'path': '%s' lies on no volume: expected a folder below a volume's mount or below "
				"/srv", s->path);
	/* By NFS a client that has one handle of a filesystem can guess the others: all of /etc would be open. */
	if (s->nfs && !on)
		return conf_bad(p, conf_line_of(p, CONF_SECTION_SHARE, i, "protocols"),
				"key 'protocols': '%s' is on the root volume, which cannot be served by NFS: expected a path on "
				"a data volume", s->path);
	return 0;
}

/* check_port: no two services wait for the same one; 445 is smbd's. */
static int check_port(const struct conf_parser *p, size_t i)
{
	const struct conf_service *s = &p->conf->services[i];
	unsigned line = conf_line_of(p, CONF_SECTION_SERVICE, i, "ready");

	if (!s->ready_port)
		return 0;
	if (s->ready_port == 445 && p->conf->smb_enabled)
		return conf_bad(p, line, "key 'ready': 'tcp:445' is the port of SMB, which this server serves itself");
	for (size_t j = 0; j < i; j++)
		if (p->conf->services[j].ready_port == s->ready_port)
			return conf_bad(p, line, "key 'ready': 'tcp:%u' is doubled: [service %s] has it already", s->ready_port,
					p->conf->services[j].name);
	return 0;
}

static int check_services(const struct conf_parser *p)
{
	size_t bytes = 0;

	for (size_t i = 0; i < p->conf->n_services; i++) {
		const struct conf_service *s = &p->conf->services[i];
		int r = check_port(p, i);

		if (r < 0)
			return r;
		if (!s->command)
			return conf_bad(p, s->line, "[service %s] has no 'command'", s->name);
		for (size_t j = 0; j < s->packages.n; j++)
			bytes += strlen(s->packages.v[j]) + 1;
		if (bytes > CONF_MAX_PACKAGES_BYTES)
			return conf_bad(p, conf_line_of(p, CONF_SECTION_SERVICE, i, "package"),
					"the names of all packages have more than %d bytes together", CONF_MAX_PACKAGES_BYTES);
	}
	return 0;
}

int conf_check(const struct conf_parser *p)
{
	int r = check_names(p);

	if (r == 0)
		r = check_gateways(p);
	if (r == 0)
		r = conf_check_link(p);
	if (r == 0)
		r = conf_check_limits(p);
	if (r == 0)
		r = conf_check_directory(p);
	for (size_t i = 0; r == 0 && i < p->conf->n_volumes; i++)
		r = check_volume(p, i);
	for (size_t i = 0; r == 0 && i < p->conf->n_shares; i++)
		r = check_share(p, i);
	if (r == 0)
		r = conf_check_nfs(p);
	return r < 0 ? r : check_services(p);
}

int conf_psv_check(const struct conf_parser *p)
{
	for (size_t i = 0; i < p->psv->n_pools; i++) {
		const struct conf_pool *pool = &p->psv->pools[i];

		if (pool->type == CONF_POOL_DEVICE && (pool->path || pool->thin))
			return conf_bad(p, conf_line_of(p, CONF_SECTION_POOL, i, pool->path ? "path" : "thin"),
					"[pool %s] is of type device: expected neither 'path' nor 'thin'", pool->name);
		if (pool->type == CONF_POOL_FILE && !pool->path)
			return conf_bad(p, pool->line, "[pool %s] has no 'path'", pool->name);
		for (size_t j = 0; pool->path && j < i; j++)
			if (p->psv->pools[j].path && strcmp(pool->path, p->psv->pools[j].path) == 0)
				return conf_bad(p, conf_line_of(p, CONF_SECTION_POOL, i, "path"),
						"key 'path': '%s' is doubled: [pool %s] has it already", pool->path,
						p->psv->pools[j].name);
	}
	return 0;
}
