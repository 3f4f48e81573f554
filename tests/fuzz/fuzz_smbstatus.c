/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the inside says in the place of smbstatus. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "lib/err.h"
#include "lib/printable.h"
#include "psv/smbstatus.h"

static void require(int cond)
{
	if (!cond)
		abort();
}

/* Nothing that a terminal acts on, in no string of it. */
static void check_texts(json_t *v)
{
	const char *key, *s = json_string_value(v);
	json_t *item;
	size_t i, n;

	for (size_t left = s ? strlen(s) : 0; left > 0; s += n, left -= n) {
		n = printable_len(s, left);
		require(n > 0);
	}
	json_array_foreach(v, i, item)
		check_texts(item);
	json_object_foreach(v, key, item)
		check_texts(item);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);
	struct err err = { 0 };
	json_t *list = NULL;

	require(text != NULL);
	memcpy(text, data, len);
	text[len] = '\0';
	if (smbstatus_parse(text, len, &list, &err) == 0) {
		require(json_array_size(list) <= 4096);
		check_texts(list);
		json_decref(list);
	} else {
		require(err.text[0] != '\0' && !list);
	}
	free(text);
	return 0;
}
