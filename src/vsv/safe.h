/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What comes from inside is hostile: nothing of it may act on a terminal that shows it, or end the string that it stands in. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct text;

/* text_add_safe: control characters and what is no UTF-8 as \xNN; json: for the inside of a JSON string. */
void text_add_safe(struct text *t, const char *s, size_t len, bool json);
