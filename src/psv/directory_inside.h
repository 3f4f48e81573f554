/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A Vsv's directory, from inside: what its services find ready, and whether it answers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "psv/inside_run.h"

struct conf;
struct err;

/* directory_prepare: what the directory's services and Samba need on the root volume, made before they start. */
int directory_prepare(const struct conf *conf, const struct inside_ref *ref, struct err *err);
/* directory_wait: until users can be asked for, which is soon also when no server answers.  0; 1: not in time. */
int directory_wait(const struct conf *conf, const struct inside_ref *ref, struct err *err);
/* directory_joined: 1: an Active Directory's machine account is here; 0: none; -errno. */
int directory_joined(const struct inside_ref *ref, struct err *err);
/* directory_health: 0: a server answers, or there is none to ask; 1: it is of no use, and the words say why; -errno (with
 * words too; -ETIME: the time of ref was over). */
int directory_health(const struct conf *conf, const struct inside_ref *ref, struct err *ret_why);
/* directory_warning: what will go wrong soon: a certificate that ends within 30 days.  false: nothing. */
bool directory_warning(const struct conf *conf, const struct inside_ref *ref, char *buf, size_t size);
