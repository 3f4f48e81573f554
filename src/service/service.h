/* SPDX-License-Identifier: GPL-2.0-or-later */
/* File services, one row of a table each: what it is called, which packages it needs, which rights, how it is started, and
 * when it is ready. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/str.h"

struct err;
struct conf;
struct ipaddr;

struct service {
	const char *name;                   /* "smbd" */
	const char *const *packages;        /* Debian packages that the template needs, NULL-terminated */
	bool optional;                      /* a template is made without them where they are not installed */
	uint64_t capabilities;              /* bit mask of CAP_…: its bounding set */
	const uint16_t *ports, *udp_ports;  /* that it listens on, each 0-terminated; NULL: none */
	bool udp_reuse;                     /* it shares its UDP ports with whoever shares them too (SO_REUSEADDR) */
	bool (*wanted)(const struct conf *conf);
	/* argv: appends the argument array; an absolute path inside first. */
	void (*argv)(const struct conf *conf, struct strlist *ret);
	/* records: folders of what outlives it, NULL-terminated.  When nothing is in them, it begins by `fresh` in place of argv. */
	const char *const *records;
	void (*fresh)(const struct conf *conf, struct strlist *ret);
	const char *const *env; /* NAME=VALUE for both, NULL-terminated; a hint, of which an older PID 1 knows nothing */
	/* generate: its generated configuration below run/vnas, by writing into a folder descriptor. */
	int (*generate)(const struct conf *conf, int conf_fd, struct err *err);
	/* populate: folders and files of a fresh root volume (its five folders stand below root_fd). */
	int (*populate)(const struct conf *conf, int root_fd, struct err *err);
	/* ready: 0: it answers at that address; -EAGAIN: not yet.  Called from the Psv, at most 1 s. */
	int (*ready)(const struct conf *conf, const struct ipaddr *address);
	/* ill: it runs, but does less than it should, in words.  NULL: nothing is asked.  Called as ready is. */
	bool (*ill)(const struct conf *conf, const struct ipaddr *address, char *why, size_t size);
	int stop_signal;                    /* SIGTERM */
	int reload_signal;                  /* SIGHUP; 0: cannot reload */
	/* outdated: what it does not take over when it is told to reload, so that a reload starts it again.  NULL: nothing. */
	bool (*outdated)(const struct conf *from, const struct conf *to);
	bool file_handles;                  /* may call open_by_handle_at(2) */
	bool no_xattrs;                     /* may not write extended attributes */
	bool comes_and_goes;                /* a reload starts and ends it, as the shares want it */
	bool needs_folders;                 /* begins after the folders of the shares were made */
	const struct conf_service *configured; /* it is [service NAME]; NULL: a row of the table */
};

extern const struct service *const services[]; /* NULL-terminated */
const struct service *service_find(const char *name); /* NULL: none of that name */

/* All that a Vsv runs, in the order of starting: the rows of the table that are wanted, then [service NAME] as rows of
 * their own.  Points into the configuration. */
struct service_set {
	const struct service **v; /* NULL-terminated */
	size_t n;
	struct service_own *own;
};
void service_set_of(const struct service *const *table, const struct conf *conf, struct service_set *ret);
void service_set_free(struct service_set *s);
#define _cleanup_service_set_ __attribute__((cleanup(service_set_free)))
const struct service *service_set_find(const struct service_set *s, const char *name);

/* service_argv, service_ready: as the row's own functions, for whatever kind of row.  service_ready: 0 also when it has no
 * sign of readiness. */
void service_argv(const struct service *s, const struct conf *conf, struct strlist *ret);
int service_ready(const struct service *s, const struct conf *conf, const struct ipaddr *address);
/* service_packages: the packages of all [service NAME], sorted, each once. */
void service_packages(const struct conf *conf, struct strlist *ret);

/* Keys of [smb] that vnas owns and therefore refuses: NULL-terminated, lower case, single spaces. */
extern const char *const samba_owned_keys[];
/* samba_owns: true for an owned key, however it is spelt (Samba ignores case and spaces, and has synonyms). */
bool samba_owns(const char *key);
