/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdint.h>

#include "directory/passwd.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/str.h"
#include "psv/conf.h"
#include "psv/share.h"
#include "psv/share_folder.h"
#include "test.h"

TEST(passwd_names_and_numbers)
{
	static const char *const good[] = { "alice", "_svc", "a.b-c_d", "HOST1$", "3com", NULL };
	static const char *const bad[] = { "",	  "-x",	 "a b",	 "a:b",	 "a/b",	   "123",	 "a\nb",
					   ".x", "$x", "a,b", "al\303\251", "012345678901234567890123456789012", NULL };
	struct err e = { 0 };

	for (size_t i = 0; good[i]; i++)
		CHECK_INT(passwd_name_check("user", good[i], &e), 0);
	for (size_t i = 0; bad[i]; i++)
		CHECK_INT(passwd_name_check("user", bad[i], &e), -EINVAL);
	CHECK_INT(e.exit, VNAS_EXIT_USAGE);
	CHECK_INT(passwd_id_check("user", 1000, &e), 0);
	CHECK_INT(passwd_id_check("user", 4294967294, &e), 0);
	for (const uint32_t *id = (const uint32_t[]){ 0, 999, 65534, 65535, UINT32_MAX, 1 }; *id != 1; id++)
		CHECK_INT(passwd_id_check("user", *id, &e), -EINVAL);
}

TEST(passwd_passwords)
{
	char big[200];
	struct err e = { 0 };

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	CHECK_INT(passwd_password_check("p\303\244ss w\"ord\\", &e), 0);
	CHECK_INT(passwd_password_check("", &e), -EINVAL);
	CHECK_INT(passwd_password_check("a\nb", &e), -EINVAL);
	CHECK_INT(passwd_password_check(big, &e), -EINVAL);
}

TEST(passwd_files_of_a_tenant)
{
	struct passwd_db db = { 0 };
	struct strbuf big = { 0 };

	passwd_parse_users(&db, "root:x:0:0:root:/root:/bin/sh\n\nbroken\nalice:x:1000:100:::\n\033[31mx:x:1:1:::\n"
				"bob:x:-1:100:::\ncarol:x:4294967296:1:::\ndave:x:1003:1003:::/bin/sh");
	passwd_parse_groups(&db, "users:x:100:\nsales:x:2000:alice,dave,,e\033vil\nbad:x:\n:x:1:\nend:x:3:x");
	CHECK_INT(db.n_users, 3);
	CHECK_INT(passwd_user(&db, "alice")->uid, 1000);
	CHECK_INT(passwd_user(&db, "dave")->gid, 1003);
	CHECK(!passwd_user(&db, "bob"));
	CHECK_INT(db.n_groups, 3);
	CHECK_INT(passwd_group(&db, "sales")->members.n, 2);
	CHECK(passwd_has_member(passwd_group(&db, "sales"), passwd_user(&db, "alice")));
	CHECK(passwd_has_member(passwd_group(&db, "users"), passwd_user(&db, "alice")));
	CHECK(!passwd_has_member(passwd_group(&db, "users"), passwd_user(&db, "dave")));
	CHECK_STR(passwd_group_by_id(&db, 2000)->name, "sales");
	passwd_free(&db);
	for (int i = 0; i < 400000; i++)
		strbuf_addstr(&big, "a");
	strbuf_addstr(&big, ":x:1000:1:::\nbob:x:1001:1:::\n");
	passwd_parse_users(&db, big.buf);
	CHECK_INT(db.n_users, 1);
	passwd_free(&db);
	strbuf_free(&big);
}

#define BASE                                    \
	"[server]\n"                            \
	"address = 192.0.2.11/24\n"             \
	"\n"                                    \
	"[volume data]\n"                       \
	"size = 64M\n"                          \
	"\n"                                    \
	"# keep this\n"                         \
	"[share Docs]\n"                        \
	"path = /srv/data/docs\n"               \
	"read = bob\n"                          \
	"write = @sales\n"                      \
	"smb.veto files = /x/\n"

/* edited: the text after the edit, which must parse. */
static struct conf edited(const struct share_edit *e, char **ret_text)
{
	struct conf before = { 0 }, after = { 0 };
	struct err err = { 0 };

	CHECK_INT(conf_parse(BASE, strlen(BASE), "x.conf", "x", &before, &err), 0);
	*ret_text = share_edit_text(BASE, &before, e, &err);
	CHECK(*ret_text);
	CHECK_INT(conf_parse(*ret_text, strlen(*ret_text), "x.conf", "x", &after, &err), 0);
	conf_free(&before);
	return after;
}

/* What is not said stays as it is. */
#define KEEP .smb = -1, .read_only = -1
#define EDIT(...) (&(struct share_edit){ KEEP, __VA_ARGS__ })

TEST(share_add_has_a_path_of_its_own)
{
	_cleanup_free_ char *text = NULL;
	struct strlist write = { 0 };
	struct conf c;

	strlist_add(&write, "alice");
	strlist_add(&write, "@staff");
	c = edited(EDIT(.name = "new", .nfs = -1, .guest = 1, .comment = "All of it", .write = &write), &text);
	CHECK_INT(c.n_shares, 2);
	CHECK_STR(c.shares[1].path, "/srv/data/new");
	CHECK(c.shares[1].smb && !c.shares[1].nfs && c.shares[1].guest && !c.shares[1].read_only);
	CHECK_STR(c.shares[1].comment, "All of it");
	CHECK_INT(c.shares[1].write.n, 2);
	CHECK(strstr(text, "# keep this\n[share Docs]\n"));
	conf_free(&c);
	strlist_free(&write);
}

TEST(share_set_changes_only_what_is_named)
{
	_cleanup_free_ char *text = NULL, *again = NULL;
	struct strlist read = { 0 }, none = { 0 };
	struct conf c;

	strlist_add(&read, "carol");
	strlist_add(&none, "");
	c = edited(EDIT(.name = "docs", .nfs = 1, .guest = -1, .read = &read, .write = &none), &text);
	CHECK_INT(c.n_shares, 1);
	CHECK_STR(c.shares[0].name, "Docs");
	CHECK(c.shares[0].smb && c.shares[0].nfs);
	CHECK_INT(c.shares[0].write.n, 0);
	CHECK_INT(c.shares[0].read.n, 1);
	CHECK_STR(c.shares[0].read.v[0], "carol");
	CHECK_INT(c.shares[0].n_params, 1);
	conf_free(&c);
	c = edited(EDIT(.name = "docs", .comment = "", .nfs = -1, .guest = 0), &again);
	CHECK_STR(again, BASE);
	conf_free(&c);
	strlist_free(&read);
	strlist_free(&none);
}

TEST(share_edit_refuses_what_is_more_than_a_value)
{
	struct conf before = { 0 };
	struct err e = { 0 };

	CHECK_INT(conf_parse(BASE, strlen(BASE), "x.conf", "x", &before, &e), 0);
	CHECK(!share_edit_text(BASE, &before, EDIT(.name = "docs", .nfs = -1, .guest = -1, .comment = "a\nguest = yes"), &e));
	CHECK(!share_edit_text(BASE, &before, EDIT(.name = "docs", .nfs = -1, .guest = -1, .path = "/srv/data/x\n[server]"), &e));
	CHECK(!share_edit_text(BASE, &before, EDIT(.nfs = -1, .guest = -1, .name = "a]\n[b", .path = "/srv/data/x"), &e));
	CHECK(!share_edit_text(BASE, &before, (&(struct share_edit){ .name = "docs", .nfs = -1, .read_only = -1, .guest = -1 }), &e));
	conf_free(&before);
}

TEST(share_folder_gives_rights_to_those_who_are_named)
{
	static const struct {
		bool read_only, guest;
		const char *read, *write, *want;
	} cases[] = {
		{ false, false, NULL, NULL, "u::rwx,d:u::rwx,g::r-x,d:g::r-x,o::rwx,d:o::rwx" },
		{ true, false, NULL, NULL, "u::rwx,d:u::rwx,g::r-x,d:g::r-x,o::r-x,d:o::r-x" },
		{ false, true, NULL, "bob",
		  "u::rwx,d:u::rwx,g::r-x,d:g::r-x,o::r-x,d:o::r-x,u:bob:rwx,d:u:bob:rwx" },
		{ false, false, "bob", "@sales",
		  "u::rwx,d:u::rwx,g::r-x,d:g::r-x,o::---,d:o::---,g:sales:rwx,d:g:sales:rwx,u:bob:r-x,d:u:bob:r-x" },
		{ false, false, "bob", "bob",
		  "u::rwx,d:u::rwx,g::r-x,d:g::r-x,o::---,d:o::---,u:bob:rwx,d:u:bob:rwx" },
		{ true, false, NULL, "bob",
		  "u::rwx,d:u::rwx,g::r-x,d:g::r-x,o::---,d:o::---,u:bob:r-x,d:u:bob:r-x" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		_cleanup_strbuf_ struct strbuf acl = { 0 };
		struct conf_share s = { .read_only = cases[i].read_only, .guest = cases[i].guest };

		if (cases[i].read)
			strlist_add(&s.read, cases[i].read);
		if (cases[i].write)
			strlist_add(&s.write, cases[i].write);
		share_folder_acl(&s, &acl);
		CHECK_STR(strbuf_str(&acl), cases[i].want);
		strlist_free(&s.read);
		strlist_free(&s.write);
	}
}
