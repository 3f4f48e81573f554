/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is announced: the Vsv's names, addresses and services, as the Psv wrote them into SITE_PATH, and on which interface each
 * address stands now. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"

#define SITE_PATH "/run/vnas/discovery"

enum { SITE_ADDRESSES = 64, SITE_SERVICES = 40, SITE_TXT_MAX = 255, SITE_LABEL_MAX = 63, SITE_FILE_MAX = 32768 };

struct site_address {
	struct ipaddr addr;
	uint8_t prefix;
	uint32_t ifindex; /* 0: on none now */
};

struct site_service {
	char type[24];                     /* "_smb._tcp" */
	uint16_t port;
	char instance[SITE_LABEL_MAX + 1];
	char txt[SITE_TXT_MAX + 1];        /* one string "path=/srv/data"; "": none */
};

struct site {
	char host[SITE_LABEL_MAX + 1];     /* one label */
	char netbios[16];
	char group[64];                    /* the workgroup or domain, by its short name */
	bool member;                       /* of a domain */
	char uuid[37];                     /* the same for as long as the Vsv exists */
	struct site_address addresses[SITE_ADDRESSES];
	size_t n_addresses;
	struct site_service services[SITE_SERVICES];
	size_t n_services;
};

/* site_parse: lines of a key and its value: host, netbios, workgroup or domain, uuid, address ADDR/PREFIX, and service TYPE
 * PORT, to which the instance and txt that follow belong.  0; -EINVAL: it is not such a text; -E2BIG. */
int site_parse(char *text, struct site *ret);
/* site_read: the file.  0 or -errno; *ret is as it was on failure. */
int site_read(const char *path, struct site *ret);

/* site_locate: sets the interfaces of all addresses by asking the kernel.  0 or -errno. */
int site_locate(struct site *s);
/* site_address_seen: one address of the kernel's list. */
void site_address_seen(struct site *s, const struct ipaddr *a, uint32_t ifindex);
bool site_equal(const struct site *a, const struct site *b);
bool site_is_own(const struct site *s, const struct ipaddr *a);
/* site_is_near: in a network of the Vsv's on that interface; one's own always. */
bool site_is_near(const struct site *s, const struct ipaddr *a, uint32_t ifindex);
