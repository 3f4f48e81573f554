/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of services; the order is that of starting. */
#include "service/service.h"

#include <string.h>

#include "service/directories.h"
#include "service/samba.h"

const struct service *const services[] = {
	&sssd_service, &rpcbind_service, &ypbind_service, /* before who asks for users */
	&samba_service,
	NULL,
};

const struct service *service_find(const char *name)
{
	for (size_t i = 0; services[i]; i++)
		if (strcmp(services[i]->name, name) == 0)
			return services[i];
	return NULL;
}
