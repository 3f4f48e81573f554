/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state file: damaged, it is an error with words, never a crash. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "lib/err.h"
#include "psv/psv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err err = { 0 };
	struct state st;

	if (state_parse((const char *)data, len, "input", "sales", &st, &err) < 0) {
		if (!strstr(err.text, "is damaged: ") || strchr(err.text, '\n') || !*err.hint)
			abort();
		return 0;
	}
	for (size_t i = 0; i < st.n_addresses; i++)
		if (st.addresses[i].a.prefix > ipaddr_len(&st.addresses[i].a.addr) * 8)
			abort();
	state_free(&st);
	return 0;
}
