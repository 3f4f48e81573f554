/* SPDX-License-Identifier: GPL-2.0-or-later */
/* share add, set, remove, list. */
#include "psv/share.h"

#include <errno.h>

#include "cmd/cmd.h"
#include "cmd/pick.h"
#include "lib/err.h"
#include "lib/output.h"

struct lists {
	struct strlist clients, read, write;
	struct strbuf sec;
};

static void lists_free(struct lists *l)
{
	strlist_free(&l->clients);
	strlist_free(&l->read);
	strlist_free(&l->write);
	strbuf_free(&l->sec);
}

/* flag: 1 with --YES, 0 with --NO, -1 with neither. */
static int flag(const struct call *c, const char *yes, const char *no, int *ret, struct err *err)
{
	bool is_yes = call_flag(c, yes), is_no = no && call_flag(c, no);

	if (is_yes && is_no)
		return usage_error(c, err, "--%s and --%s exclude each other", yes, no);
	*ret = is_yes ? 1 : is_no ? 0 : -1;
	return 0;
}

static const struct strlist *list(const struct call *c, const char *option, struct strlist *l)
{
	call_options(c, option, l);
	return l->n ? l : NULL;
}

/* sec: one word a time on the command line, all in one line of the file. */
static const char *sec(const struct call *c, struct lists *l)
{
	_cleanup_strlist_ struct strlist words = { 0 };

	call_options(c, "sec", &words);
	for (size_t i = 0; i < words.n; i++)
		strbuf_addf(&l->sec, "%s%s", i ? " " : "", words.v[i]);
	return words.n ? strbuf_str(&l->sec) : NULL;
}

static int take_edit(const struct call *c, struct share_edit *e, struct lists *l, struct err *err)
{
	int r = flag(c, "read-only", "writable", &e->read_only, err);

	if (r == 0)
		r = flag(c, "guest", "no-guest", &e->guest, err);
	if (r == 0)
		r = flag(c, "audit", "no-audit", &e->audit, err);
	if (r == 0)
		r = flag(c, "recycle", "no-recycle", &e->recycle, err);
	if (r < 0)
		return r;
	e->name = c->words.v[0];
	e->path = call_option(c, "path");
	e->comment = call_option(c, "comment");
	/* One of the two alone means the other no more. */
	e->smb = e->nfs = -1;
	if (call_flag(c, "smb") || call_flag(c, "nfs")) {
		e->smb = call_flag(c, "smb");
		e->nfs = call_flag(c, "nfs");
	}
	e->squash = call_option(c, "squash");
	e->anonymous_uid = call_option(c, "anonymous-uid");
	e->anonymous_gid = call_option(c, "anonymous-gid");
	e->sec = sec(c, l);
	e->clients = list(c, "client", &l->clients);
	e->read = list(c, "read", &l->read);
	e->write = list(c, "write", &l->write);
	return 0;
}

static int change(struct call *c,
		  int (*fn)(const struct psv *, const char *, const struct share_edit *, void (*)(const char *), struct err *),
		  struct err *err)
{
	__attribute__((cleanup(lists_free))) struct lists lists = { 0 };
	struct share_edit edit = { 0 };
	int r = take_edit(c, &edit, &lists, err);

	return r < 0 ? r : fn(c->psv, c->name, &edit, call_notice, err);
}

int cmd_share_add(struct call *c, struct err *err)
{
	return change(c, share_add, err);
}

int cmd_share_set(struct call *c, struct err *err)
{
	return change(c, share_set, err);
}

int cmd_share_remove(struct call *c, struct err *err)
{
	return share_remove(c->psv, c->name, c->words.v[0], call_notice, err);
}

int cmd_share_list(struct call *c, struct err *err)
{
	static const struct column columns[] = {
		{ "name", "SHARE", COL_TEXT },          { "path", "PATH", COL_TEXT },   { "protocols", "BY", COL_LIST },
		{ "read_only", "READ ONLY", COL_BOOL }, { "guest", "GUEST", COL_BOOL }, { "audit", "AUDIT", COL_BOOL },
		{ "recycle", "RECYCLE", COL_BOOL }, { "squash", "SQUASH", COL_TEXT }, { "clients", "CLIENTS", COL_LIST },
		{ "read", "READ", COL_LIST },           { "write", "WRITE", COL_LIST }, { "comment", "COMMENT", COL_TEXT },
	};
	json_t *shares = NULL;
	int r = share_list(c->psv, c->name, &shares, err);

	if (r == 0)
		r = pick_one(c, "share", &shares, err);
	return r < 0 ? r : output_list(c->json, "shares", shares, columns, sizeof(columns) / sizeof(*columns));
}
