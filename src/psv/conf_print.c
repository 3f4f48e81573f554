/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A struct to its canonical text, by the same table that reads it. */
#include "psv/conf_internal.h"

static bool takes(enum conf_section section, const void *base, const char *key)
{
	if (section == CONF_SECTION_DIRECTORY)
		return conf_directory_takes(((const struct conf *)base)->directory.type, key);
	return section != CONF_SECTION_SHARE || conf_share_takes(base, key);
}

/* base: the struct that the keys of the section point into. */
static void print_section(struct strbuf *out, enum conf_section section, const char *name, const void *base)
{
	_cleanup_strbuf_ struct strbuf body = { 0 };

	for (size_t i = 0; i < conf_n_keys; i++)
		if (conf_keys[i].section == section && takes(section, base, conf_keys[i].key))
			conf_keys[i].type->print(&body, conf_keys[i].key, (const char *)base + conf_keys[i].offset);
	if (!body.len && !name)
		return;
	strbuf_addf(out, "%s[%s%s%s]\n", out->len ? "\n" : "", conf_sections[section].name, name ? " " : "",
		    name ? name : "");
	strbuf_addstr(out, strbuf_str(&body));
}

void conf_print(const struct conf *c, struct strbuf *out)
{
	print_section(out, CONF_SECTION_SERVER, NULL, c);
	print_section(out, CONF_SECTION_LIMITS, NULL, c);
	for (size_t i = 0; i < c->n_volumes; i++)
		print_section(out, CONF_SECTION_VOLUME, c->volumes[i].name, &c->volumes[i]);
	print_section(out, CONF_SECTION_SMB, NULL, c);
	if (conf_serves_nfs(c))
		print_section(out, CONF_SECTION_NFS, NULL, c);
	print_section(out, CONF_SECTION_DIRECTORY, NULL, c);
	for (size_t i = 0; i < c->n_shares; i++)
		print_section(out, CONF_SECTION_SHARE, c->shares[i].name, &c->shares[i]);
	for (size_t i = 0; i < c->n_services; i++)
		print_section(out, CONF_SECTION_SERVICE, c->services[i].name, &c->services[i]);
}

void conf_psv_print(const struct conf_psv *c, struct strbuf *out)
{
	for (size_t i = 0; i < c->n_pools; i++)
		print_section(out, CONF_SECTION_POOL, c->pools[i].name, &c->pools[i]);
	print_section(out, CONF_SECTION_EVENTS, NULL, c);
}
