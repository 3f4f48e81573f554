/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of events, one line of JSON each, that several write to: supervisors and commands.  Whoever writes holds the
 * file's lock and looks whether it is still the one of that name.  One that would grow past its bound loses its older half,
 * by a new file under the same name. */
#pragma once

#include <stddef.h>

#define EVENTS_FILE "events.jsonl"     /* what happened to a server */
#define REFUSALS_FILE "refusals.jsonl" /* what was refused to it: apart, so that a tenant cannot push the former out */

enum { EVENTS_MAX_BYTES = 1024 * 1024, REFUSALS_MAX_BYTES = 4 * 1024 * 1024 };

/* event_file_add: whole lines, each with its new line, less than the bound.  0 or -errno: a full disk loses them. */
int event_file_add(int folder, const char *name, size_t max_bytes, const char *lines, size_t len);
/* event_file_keep_newest: the end of an open file, from the beginning of a line at or after `from`, and more lines, under the
 * same name.  0 or -errno. */
int event_file_keep_newest(int folder, const char *name, int old, long long from, const char *lines, size_t len);
