/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The weights, bounds and reserves of [limits] on this machine: set on the walk of a start or a reload, and said to whoever asks,
 * together with what the kernel at hand does not enforce of them.  That is no reason to refuse a start: a server that does
 * not come up after a new kernel costs its users more than its neighbours would have lost. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf;
struct err;
struct psv;
struct state;
struct strbuf;
struct walk;

enum resource_unit { RESOURCE_WEIGHT, RESOURCE_PROCESSORS, RESOURCE_LIST, RESOURCE_BYTES, RESOURCE_BYTES_A_SECOND, RESOURCE_OPERATIONS };

struct resource {
	const char *key;   /* of [limits] */
	enum resource_unit unit;
	uint64_t value;    /* of RESOURCE_PROCESSORS hundredths; of a weight 0: idle */
	const char *list;  /* of RESOURCE_LIST; the configuration's */
	bool configured;   /* else it is the default */
	bool real;
	const char *why;   /* not real: why not */
};
enum { RESOURCES_MAX = 9 };

/* resources_look: of a running Vsv, what its configuration says (the weight of the processors always), and whether that holds. */
size_t resources_look(const struct psv *psv, const char *name, const struct conf *conf, const struct state *st,
		   struct resource ret[RESOURCES_MAX]);
/* resources_text: "cpu weight 100, cpu 0.50, disk write 20M/s": what a configuration says. */
void resources_text(const struct conf *conf, struct strbuf *ret);
char *resource_value(const struct resource *s, char *buf, size_t size);

/* resources_up: bounds the volumes of w->st (fresh: of a start, where none is yet); what is not enforced is said by notice.
 * resources_down: before volumes go: what is left to be written to them is held back no more.  Accepts "never came up". */
int resources_up(struct walk *w, bool fresh, struct err *err);
int resources_down(struct walk *w, struct err *err);
