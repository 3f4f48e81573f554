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

enum share_unit { SHARE_WEIGHT, SHARE_PROCESSORS, SHARE_BYTES, SHARE_BYTES_A_SECOND, SHARE_OPERATIONS };

struct share {
	const char *key;   /* of [limits] */
	enum share_unit unit;
	uint64_t value;    /* of SHARE_PROCESSORS hundredths; of a weight 0: idle */
	bool configured;   /* else it is the default */
	bool real;
	const char *why;   /* not real: why not */
};
enum { SHARES_MAX = 8 };

/* shares_look: of a running Vsv, what its configuration says (the weight of the processors always), and whether that holds. */
size_t shares_look(const struct psv *psv, const char *name, const struct conf *conf, const struct state *st,
		   struct share ret[SHARES_MAX]);
/* shares_text: "cpu weight 100, cpu 0.50, disk write 20M/s": what a configuration says. */
void shares_text(const struct conf *conf, struct strbuf *ret);
char *share_value(const struct share *s, char *buf, size_t size);

/* shares_up: bounds the volumes of w->st (fresh: of a start, where none is yet); what is not enforced is said by notice.
 * shares_down: before volumes go: what is left to be written to them is held back no more.  Accepts "never came up". */
int shares_up(struct walk *w, bool fresh, struct err *err);
int shares_down(struct walk *w, struct err *err);
