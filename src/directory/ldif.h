/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ldapsearch prints (RFC 2849), read as the word of a stranger. */
#pragma once

#include <stddef.h>

enum { LDIF_ATTRIBUTES_MAX = 10100 /* a group of 10,000 */ };

struct ldif_attribute {
	char *name, *value; /* the value's bytes up to a NUL of its own */
};

struct ldif_entry {
	struct ldif_attribute v[LDIF_ATTRIBUTES_MAX]; /* the first ones, if there are more */
	size_t n;
};

/* ldif_next: the next entry of *text, which is changed in place and which the entry points into.  1; 0: there is none. */
int ldif_next(char **text, struct ldif_entry *ret);
/* ldif_get: the first value of an attribute, whose name's case does not count; NULL: none. */
const char *ldif_get(const struct ldif_entry *e, const char *name);
