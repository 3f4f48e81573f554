/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the verbs for shares, users and groups have in common. */
#pragma once

#include <jansson.h>
#include <stdint.h>

struct call;
struct err;

/* pick_number: the number given for an option; *ret is untouched if there is none, and a given 0 is refused. */
int pick_number(const struct call *c, const char *option, uint32_t *ret, struct err *err);
/* pick_one: if a word follows the Vsv's name, *list shrinks to the object of that name; -ENOENT: there is none, and *list
 * is given back. */
int pick_one(const struct call *c, const char *what, json_t **list, struct err *err);
