/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Psv's own notes of what the inside is known to hold, so that an ordinary start runs nothing for it. */
#pragma once

#include <stdbool.h>

struct conf;
struct psv;

/* samba_note_is: the note says just that, of this root volume. */
bool samba_note_is(const struct psv *psv, const struct conf *conf, const char *note, const char *text);
/* samba_note_there: there is such a note of this root volume. */
bool samba_note_there(const struct psv *psv, const struct conf *conf, const char *note);
/* samba_note_take: a failure only costs time at the next start. */
void samba_note_take(const struct psv *psv, const struct conf *conf, const char *note, const char *text);
