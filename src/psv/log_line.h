/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line of a Vsv's log, as vsv/supervise_log.c wrote it. */
#pragma once

#include <jansson.h>
#include <stddef.h>

/* log_line_json: {"time", "name", "pid", "facility", "severity", "text"}; the last three of the head are null for what a
 * service wrote itself.  The text is as it stands in the log, with \xNN for what no terminal should see. */
json_t *log_line_json(const char *line, size_t len);
