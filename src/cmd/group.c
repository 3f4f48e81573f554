/* SPDX-License-Identifier: GPL-2.0-or-later */
/* group add, remove, list. */
#include <errno.h>

#include "cmd/cmd.h"
#include "cmd/pick.h"
#include "lib/err.h"
#include "lib/output.h"
#include "psv/users.h"

int cmd_group_add(struct call *c, struct err *err)
{
	_cleanup_strlist_ struct strlist members = { 0 };
	uint32_t gid = 0;
	int r = pick_number(c, "gid", &gid, err);

	call_options(c, "member", &members);
	return r < 0 ? r : groups_add(c->psv, c->name, c->words.v[0], gid, &members, err);
}

int cmd_group_remove(struct call *c, struct err *err)
{
	_cleanup_strlist_ struct strlist members = { 0 };

	if (call_option(c, "gid"))
		return usage_error(c, err, "--gid has no meaning here");
	call_options(c, "member", &members);
	return groups_remove(c->psv, c->name, c->words.v[0], &members, err);
}

int cmd_group_list(struct call *c, struct err *err)
{
	static const struct column columns[] = {
		{ "name", "GROUP", COL_TEXT },  { "gid", "GID", COL_NUMBER },
		{ "source", "FROM", COL_TEXT }, { "members", "MEMBERS", COL_LIST },
	};
	json_t *list = NULL;
	int r = groups_list(c->psv, c->name, call_notice, &list, err);

	if (r == 0)
		r = pick_one(c, "group", &list, err);
	return r < 0 ? r : output_list(c->json, "groups", list, columns, 4);
}
