/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs for a Vsv's directory. */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "lib/str.h"

struct err;
struct psv;

/* What shall be changed of [directory]. */
struct directory_edit {
	const char *key;       /* as the configuration has it: "bind dn" */
	struct strlist values; /* none: stays as it is; one empty word: is taken out */
};

/* directory_set: a key "type" among them takes out what belongs to the type before.  The Psv's files that it names are read
 * once, so that a wrong one is said now. */
int directory_set(const struct psv *psv, const char *server, const struct directory_edit *edits, size_t n,
		  void (*notice)(const char *line), struct err *err);
/* directory_show: an array of one object: the section, without what is in the secret's file. */
int directory_show(const struct psv *psv, const char *server, json_t **ret, struct err *err);

struct directory_join {
	const char *user, *password; /* who may add a machine to the domain */
	const char *unit;            /* where it goes, as "Servers/Files"; NULL: Computers */
	void (*notice)(const char *line);
};
/* directory_join: makes a running Vsv of type ad a member of its domain: machine account, service names, keytab, DNS.
 * Once more renews all of it. */
int directory_join(const struct psv *psv, const char *server, const struct directory_join *j, struct err *err);

struct directory_test {
	const char *user;     /* NULL: the first that the directory has */
	const char *password; /* for a logon by SMB, or NULL */
};
/* directory_test: an array of {"step","result","what","hint"}; result is "ok", "warning", "failed" or "skipped".
 * 0; 1: a step failed; -errno. */
int directory_test(const struct psv *psv, const char *server, const struct directory_test *test, json_t **ret,
		   struct err *err);
