/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configurations from files, and what is asked of them. */
#include "psv/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"

static int cannot_read(struct err *err, int r, const char *path)
{
	if (r == -EFBIG)
		return err_set(err, r, "%s: the file is too large: expected at most %d bytes", path, CONF_MAX_BYTES);
	if (r == -EACCES || r == -EPERM)
		return err_exit(err, VNAS_EXIT_NOT_PERMITTED, r, "cannot read %s: %m", path);
	return err_set(err, r, "cannot read %s: %m", path);
}

int conf_read(const char *path, const char *name, struct conf *ret, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	*ret = (struct conf){ 0 };
	r = conf_name_check(name, err);
	if (r < 0)
		return r;
	r = file_read_at(AT_FDCWD, path, CONF_MAX_BYTES, &text, &len);
	if (r == -ENOENT) {
		(void)err_exit(err, VNAS_EXIT_NO_SUCH, r, "no such virtual file server: there is no %s", path);
		return err_hint(err, r, "'vnas list' shows those there are, 'vnas create %s' makes it", name);
	}
	if (r < 0)
		return cannot_read(err, r, path);
	return conf_parse(text, len, path, name, ret, err);
}

int conf_psv_read(const char *path, const char *lib_dir, struct conf_psv *ret, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = file_read_at(AT_FDCWD, path, CONF_MAX_BYTES, &text, &len);

	*ret = (struct conf_psv){ 0 };
	if (r < 0 && r != -ENOENT)
		return cannot_read(err, r, path);
	return conf_psv_parse(text ? text : "", len, path, lib_dir, ret, err);
}

static void free_params(struct conf_param *params, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(params[i].key);
		free(params[i].value);
	}
	free(params);
}

void conf_free(struct conf *c)
{
	for (size_t i = 0; i < c->n_volumes; i++) {
		free(c->volumes[i].mount);
		free(c->volumes[i].device);
	}
	for (size_t i = 0; i < c->n_shares; i++) {
		struct conf_share *s = &c->shares[i];

		free(s->name);
		free(s->path);
		free(s->comment);
		strlist_free(&s->clients);
		strlist_free(&s->read);
		strlist_free(&s->write);
		free_params(s->params, s->n_params);
	}
	for (size_t i = 0; i < c->n_services; i++) {
		struct conf_service *s = &c->services[i];

		free(s->name);
		free(s->command);
		free(s->user);
		strlist_free(&s->prepare);
		strlist_free(&s->packages);
	}
	free(c->services);
	free_params(c->smb, c->n_smb);
	strlist_free(&c->aliases);
	free(c->timezone);
	free(c->interface);
	free(c->mac);
	free(c->hostname);
	free(c->workgroup);
	free(c->netbios_name);
	free(c->addresses);
	free(c->gateways);
	free(c->dns);
	strlist_free(&c->search);
	strlist_free(&c->peers);
	strlist_free(&c->denies);
	free(c->template_name);
	free(c->nfs.domain);
	free(c->volumes);
	free(c->shares);
	strlist_free(&c->directory.uris);
	free(c->directory.base);
	free(c->directory.ca);
	free(c->directory.bind_dn);
	free(c->directory.secret_file);
	free(c->directory.realm);
	free(c->directory.domain);
	strlist_free(&c->directory.servers);
	*c = (struct conf){ 0 };
}

void conf_psv_free(struct conf_psv *c)
{
	for (size_t i = 0; i < c->n_pools; i++)
		free(c->pools[i].path);
	free(c->pools);
	*c = (struct conf_psv){ 0 };
}

const struct conf_pool *conf_pool_find(const struct conf_psv *c, const char *name)
{
	if (!*name)
		name = "default";
	for (size_t i = 0; i < c->n_pools; i++)
		if (strcmp(c->pools[i].name, name) == 0)
			return &c->pools[i];
	return NULL;
}

const struct conf_volume *conf_volume_find(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->n_volumes; i++)
		if (strcmp(c->volumes[i].name, name) == 0)
			return &c->volumes[i];
	return NULL;
}

const struct conf_share *conf_share_find(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->n_shares; i++)
		if (strcasecmp(c->shares[i].name, name) == 0)
			return &c->shares[i];
	return NULL;
}

const struct conf_service *conf_service_find(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->n_services; i++)
		if (strcmp(c->services[i].name, name) == 0)
			return &c->services[i];
	return NULL;
}
