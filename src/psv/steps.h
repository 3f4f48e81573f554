/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steps that stand in other files than the table (steps.c). */
#pragma once

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
void announce_describe(const struct walk *w, struct strlist *ret);
int announce_up(struct walk *w, struct err *err);
void services_describe(const struct walk *w, struct strlist *ret);
int services_up(struct walk *w, struct err *err);
int services_down(struct walk *w, struct err *err);
