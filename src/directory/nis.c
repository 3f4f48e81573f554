/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NIS.  ypbind inside asks the listed servers alone: a broadcast would take whoever answers first for the department's
 * server, and the gate lets none out. */
#include "directory/directory.h"
#include "psv/conf.h"

/* IPv4 alone, as NIS is, and a unix socket for who registers. */
const char nis_netconfig[] =
	"udp tpi_clts v inet udp - -\n"
	"tcp tpi_cots_ord v inet tcp - -\n"
	"local tpi_cots_ord - loopback - - -\n";

void nis_yp_conf(const struct conf *conf, struct strbuf *sb)
{
	const struct conf_directory *d = &conf->directory;

	for (size_t i = 0; i < d->servers.n; i++)
		strbuf_addf(sb, "domain %s server %s\n", d->domain, d->servers.v[i]);
}
