/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of services; the order is that of starting.  What an administrator configures becomes rows at run time. */
#include "service/service.h"

#include <stdlib.h>
#include <string.h>

#include "psv/conf.h"
#include "service/directories.h"
#include "service/discovery.h"
#include "service/ganesha.h"
#include "service/samba.h"
#include "service/tcp_probe.h"

enum { READY_MS = 1000 };

const struct service *const services[] = {
	&sssd_service, &rpcbind_service, &ypbind_service, &winbindd_service, /* before who asks for users */
	&samba_service, &netbios_service, &statd_service, &ganesha_service, &wsd_service, &mdns_service,
	NULL,
};

const struct service *service_find(const char *name)
{
	for (size_t i = 0; services[i]; i++)
		if (strcmp(services[i]->name, name) == 0)
			return services[i];
	return NULL;
}

struct service_own {
	struct service row;
	uint16_t ports[2];
};

static bool always(const struct conf *conf)
{
	(void)conf;
	return true;
}

static void make_own(const struct conf_service *c, struct service_own *ret)
{
	ret->ports[0] = c->ready_port;
	ret->row = (struct service){
		.name = c->name,
		.packages = (const char *const *)c->packages.v,
		.capabilities = c->capabilities,
		.ports = ret->ports,
		.wanted = always,
		.stop_signal = c->stop_signal,
		.configured = c,
	};
}

void service_set_of(const struct service *const *table, const struct conf *conf, struct service_set *ret)
{
	size_t rows = 0;

	while (table[rows])
		rows++;
	*ret = (struct service_set){ .v = xcalloc(rows + conf->n_services + 1, sizeof(*ret->v)),
				     .own = xcalloc(conf->n_services, sizeof(*ret->own)) };
	for (size_t i = 0; i < rows; i++)
		if (table[i]->wanted(conf))
			ret->v[ret->n++] = table[i];
	for (size_t i = 0; i < conf->n_services; i++) {
		make_own(&conf->services[i], &ret->own[i]);
		ret->v[ret->n++] = &ret->own[i].row;
	}
}

void service_set_free(struct service_set *s)
{
	free(s->v);
	free(s->own);
	*s = (struct service_set){ 0 };
}

const struct service *service_set_find(const struct service_set *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i]->name, name) == 0)
			return s->v[i];
	return NULL;
}

void service_argv(const struct service *s, const struct conf *conf, struct strlist *ret)
{
	if (s->configured)
		(void)conf_words_split(s->configured->command, ret);
	else
		s->argv(conf, ret);
}

int service_ready(const struct service *s, const struct conf *conf, const struct ipaddr *address)
{
	if (!s->configured)
		return s->ready ? s->ready(conf, address) : 0;
	return s->configured->ready_port ? tcp_probe(address, s->configured->ready_port, READY_MS) : 0;
}

static int by_string(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void service_packages(const struct conf *conf, struct strlist *ret)
{
	for (size_t i = 0; i < conf->n_services; i++)
		for (size_t j = 0; j < conf->services[i].packages.n; j++)
			if (!strlist_has(ret, conf->services[i].packages.v[j]))
				strlist_add(ret, conf->services[i].packages.v[j]);
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_string);
}
