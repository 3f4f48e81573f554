/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steps that stand in other files than the table (steps.c). */
#pragma once

#include <stdbool.h>

struct err;
struct strlist;
struct walk;

void network_describe(const struct walk *w, struct strlist *ret);
int network_up(struct walk *w, struct err *err);
int network_down(struct walk *w, struct err *err);
void probe_describe(const struct walk *w, struct strlist *ret);
int probe_up(struct walk *w, struct err *err);
void addresses_describe(const struct walk *w, struct strlist *ret);
int addresses_up(struct walk *w, struct err *err);
int addresses_down(struct walk *w, struct err *err);
/* services_come_first: the services are begun before the supervisor, which comes up while they do.  Only where they are begun at once: PID 1
 * keeps what they say, but not without end. */
bool services_come_first(const struct walk *w);
/* supervisor_attach: leaves a supervisor behind, and gives the mounts away. */
int supervisor_attach(struct walk *w, struct err *err);
void announce_describe(const struct walk *w, struct strlist *ret);
int announce_up(struct walk *w, struct err *err);
void services_describe(const struct walk *w, struct strlist *ret);
int services_up(struct walk *w, struct err *err);
int services_down(struct walk *w, struct err *err);
