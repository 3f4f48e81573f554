/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What smbstatus of Samba 4.17 says, and what a tenant could put in its place. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/str.h"
#include "psv/smbstatus.h"
#include "test.h"

#define ID(pid) "\"server_id\": {\"pid\": \"" pid "\", \"task_id\": \"0\", \"vnn\": \"4294967295\"}"
#define SESSION(id, pid, uid, user, from)                                                                    \
	"\"" id "\": {\"session_id\": \"" id "\", " ID(pid) ", \"uid\": " uid ", \"username\": \"" user "\", "  \
	"\"groupname\": \"users\", \"remote_machine\": \"pc1\", \"hostname\": \"" from "\", "                   \
	"\"session_dialect\": \"SMB3_11\", \"encryption\": {\"cipher\": \"-\", \"degree\": \"none\"}, "         \
	"\"signing\": {\"cipher\": \"AES-128-GMAC\", \"degree\": \"partial\"}}"
#define OPEN(key, pid, uid) \
	"\"" key "\": {" ID(pid) ", \"uid\": " uid ", \"access_mask\": {\"text\": \"RW\"}, \"opened_at\": \"2026-01-02T03:04:05Z\"}"

static const char two[] =
	"a line of its own\n"
	"{\"version\": \"4.17\", \"sessions\": {" SESSION("1", "27", "1000", "alice", "ipv4:192.0.2.101:35992") ", "
	SESSION("2", "27", "1001", "bob", "ipv6:2001:db8::1:35992") "}, "
	"\"tcons\": {\"9\": {\"service\": \"docs\", \"session_id\": \"1\", \"connected_at\": \"2026-01-02T03:04:05Z\"}, "
	"\"8\": {\"service\": \"docs\", \"session_id\": \"7\"}}, "
	"\"open_files\": {\"/srv/a/f\": {\"service_path\": \"/srv/a\", \"filename\": \"f\", \"opens\": {"
	OPEN("27/3", "27", "1001") ", " OPEN("28/1", "28", "1001") "}}}, "
	"\"byte_range_locks\": {\"/srv/a/f\": {\"file_name\": \"f\", \"share_path\": \"/srv/a\", \"locks\": ["
	"{" ID("27") ", \"type\": \"W\", \"flavour\": \"Windows\", \"start\": 5, \"size\": 10}, {" ID("99") "}]}}}";

static json_t *parse(const char *text)
{
	struct err e = { 0 };
	json_t *list = NULL;

	CHECK_INT(smbstatus_parse(text, strlen(text), &list, &e), 0);
	return list;
}

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

TEST(smbstatus_is_read)
{
	json_t *list = parse(two), *alice = json_array_get(list, 0), *bob = json_array_get(list, 1), *file, *lock;

	CHECK_INT(json_array_size(list), 2);
	CHECK_STR(text_of(alice, "user"), "alice");
	CHECK_STR(text_of(alice, "client"), "192.0.2.101");
	CHECK_STR(text_of(alice, "dialect"), "SMB3_11");
	CHECK_STR(text_of(alice, "signing"), "partial");
	CHECK_STR(text_of(alice, "signing_cipher"), "AES-128-GMAC");
	CHECK_STR(text_of(alice, "encryption"), "none");
	CHECK(json_is_null(json_object_get(alice, "encryption_cipher")));
	CHECK_INT(json_array_size(json_object_get(alice, "shares")), 1);
	CHECK_INT(json_array_size(json_object_get(alice, "files")), 0);
	CHECK_STR(text_of(bob, "client"), "2001:db8::1");
	CHECK_INT(json_array_size(json_object_get(bob, "shares")), 0);
	/* One connection, two sessions: the user tells whose it is. */
	CHECK_INT(json_array_size(json_object_get(bob, "files")), 1);
	file = json_array_get(json_object_get(bob, "files"), 0);
	CHECK_STR(text_of(file, "share_path"), "/srv/a");
	CHECK_STR(text_of(file, "path"), "f");
	CHECK_STR(text_of(file, "access"), "RW");
	CHECK_INT(json_integer_value(json_object_get(bob, "lock_count")), 1);
	lock = json_array_get(json_object_get(file, "locks"), 0);
	CHECK_STR(text_of(lock, "type"), "W");
	CHECK_INT(json_integer_value(json_object_get(lock, "start")), 5);
	CHECK_INT(json_integer_value(json_object_get(lock, "size")), 10);
	json_decref(list);
}

TEST(smbstatus_of_a_tenant_is_taken_for_what_it_is)
{
	static const char *const nothing[] = { "", "x", "[]", "{", "{\"sessions\":", "x{}", "\n\n", NULL };
	static const char *const empty[] = { "{}", "x\n{}", "{\"sessions\": []}", "{\"sessions\": {\"1\": 5}}",
					     "{\"sessions\": {\"1\": {" ID("0") "}}}", "{\"sessions\": {\"1\": {" ID("1") "}}}",
					     "{\"sessions\": {\"1\": {" ID("-5") "}}}", "{\"sessions\": {\"1\": {" ID("5 all") "}}}",
					     "{\"sessions\": {\"1\": {" ID("4294967297") "}}}", NULL };
	json_t *list = NULL, *s;
	struct err e = { 0 };

	for (size_t i = 0; nothing[i]; i++)
		CHECK_INT(smbstatus_parse(nothing[i], strlen(nothing[i]), &list, &e), -EINVAL);
	for (size_t i = 0; empty[i]; i++) {
		list = parse(empty[i]);
		CHECK_INT(json_array_size(list), 0);
		json_decref(list);
	}
	list = parse("{\"sessions\": {" SESSION("1", "5", "1000", "a\\u001b[2Jb\\u009bc\\u202ed", "ipv4:no address:1") "}}");
	s = json_array_get(list, 0);
	CHECK_STR(text_of(s, "user"), "a?[2Jb?c?d");
	CHECK(json_is_null(json_object_get(s, "client")));
	json_decref(list);
}

TEST(smbstatus_is_bounded)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };
	json_t *list, *s;

	strbuf_addstr(&text, "{\"sessions\": {");
	for (int i = 0; i < 5000; i++)
		strbuf_addf(&text, "%s\"%d\": {" ID("5") ", \"uid\": 7}", i ? ", " : "", i);
	strbuf_addstr(&text, "}, \"open_files\": {\"f\": {\"filename\": \"f\", \"opens\": {");
	for (int i = 0; i < 3000; i++)
		strbuf_addf(&text, "%s\"%d\": {" ID("5") ", \"uid\": 7}", i ? ", " : "", i);
	strbuf_addstr(&text, "}}}}");
	list = parse(strbuf_str(&text));
	CHECK_INT(json_array_size(list), 4096);
	s = json_array_get(list, 0);
	CHECK_INT(json_array_size(json_object_get(s, "files")), 1000);
	CHECK_INT(json_integer_value(json_object_get(s, "file_count")), 3000);
	json_decref(list);
}

/* Each lock is looked for in all files: what a tenant can say in 4 MiB would keep us for minutes. */
TEST(smbstatus_ends_in_time)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };
	const json_t *first;
	json_t *list;

	(void)alarm(30);
	strbuf_addstr(&text, "{\"sessions\": {");
	for (int i = 0; i < 40; i++)
		strbuf_addf(&text, "%s\"%d\":{" ID("5") ",\"uid\":%d}", i ? "," : "", i, i);
	strbuf_addstr(&text, "},\"open_files\":{\"f\":{\"filename\":\"f\",\"service_path\":\"/s\",\"opens\":{");
	for (int i = 0; i < 28000; i++)
		strbuf_addf(&text, "%s\"%d\":{\"server_id\":{\"pid\":\"5\"},\"uid\":%d}", i ? "," : "", i, i % 40);
	strbuf_addstr(&text, "}}},\"byte_range_locks\":{\"a\":{\"file_name\":\"g\",\"share_path\":\"/s\",\"locks\":[");
	for (int i = 0; i < 50000; i++)
		strbuf_addf(&text, "%s{\"server_id\":{\"pid\":\"5\"}}", i ? "," : "");
	strbuf_addstr(&text, "]}}}");
	list = parse(strbuf_str(&text));
	first = json_array_get(list, 0);
	CHECK_INT(json_integer_value(json_object_get(first, "file_count")), 700);
	CHECK_INT(json_integer_value(json_object_get(first, "lock_count")), 0);
	(void)alarm(0);
	json_decref(list);
}
