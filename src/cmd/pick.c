/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/pick.h"

#include <errno.h>
#include <strings.h>

#include "cmd/cmd.h"
#include "lib/err.h"

int pick_number(const struct call *c, const char *option, uint32_t *ret, struct err *err)
{
	const char *given = call_option(c, option);
	uint32_t number;

	if (!given)
		return 0;
	if (parse_u32(given, UINT32_MAX, &number) < 0 || number == 0)
		return usage_error(c, err, "--%s: '%s' is no number of an account", option, given);
	*ret = number;
	return 0;
}

int pick_one(const struct call *c, const char *what, json_t **list, struct err *err)
{
	json_t *o, *one;
	size_t i;

	if (c->words.n == 0)
		return 0;
	json_array_foreach(*list, i, o) {
		if (strcasecmp(json_string_value(json_object_get(o, "name")), c->words.v[0]) != 0)
			continue;
		one = json_array();
		(void)json_array_append(one, o);
		json_decref(*list);
		*list = one;
		return 0;
	}
	json_decref(*list);
	*list = NULL;
	return err_set(err, -ENOENT, "there is no %s %s", what, c->words.v[0]);
}
