/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What anybody inside can send to /dev/log, and the line that comes out of it again as JSON. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "psv/log_line.h"
#include "vsv/small.c"
#include "vsv/syslog.c"

static void require(bool cond)
{
	if (!cond)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *msg = malloc(len ? len : 1); /* ends where the input ends, so that a read beyond it shows */
	struct syslog_line line;
	json_t *o;

	require(msg);
	memcpy(msg, data, len);
	syslog_parse(msg, len, &line);
	require(line.priority >> 3 < SYSLOG_FACILITIES && proto_name_ok(line.tag));
	require(line.text >= msg && line.text + line.len <= msg + len);
	require(line.len == 0 || (line.text[line.len - 1] != '\n' && line.text[line.len - 1] != '\0'));
	o = log_line_json(msg, len);
	require(json_is_string(json_object_get(o, "time")) && json_is_string(json_object_get(o, "text")));
	json_decref(o);
	free(msg);
	return 0;
}
