/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/output.h"
#include "lib/printable.h"
#include "lib/process.h"
#include "lib/str.h"
#include "lib/table.h"
#include "test.h"

TEST(err_set_keeps_code_and_words)
{
	struct err e = { 0 };

	CHECK_INT(err_set(&e, -ENOENT, "cannot open %s: %m", "x"), -ENOENT);
	CHECK_STR(e.text, "cannot open x: No such file or directory");
	CHECK_INT(err_wrap(&e, -ENOENT, "volume %s", "data"), -ENOENT);
	CHECK_STR(e.text, "volume data: cannot open x: No such file or directory");
	CHECK_INT(err_set(NULL, -EIO, "nobody listens"), -EIO);
}

TEST(err_text_that_is_too_long_is_cut)
{
	struct err e = { 0 };
	char big[3000];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	(void)err_set(&e, -EIO, "%s", big);
	(void)err_wrap(&e, -EIO, "%s", big);
	CHECK_INT(strlen(e.text), sizeof(e.text) - 1);
}

TEST(parse_numbers_strictly)
{
	uint64_t v = 7;
	uint32_t w = 7;

	CHECK_INT(parse_u64("18446744073709551615", UINT64_MAX, &v), 0);
	CHECK(v == UINT64_MAX);
	CHECK_INT(parse_u64("18446744073709551616", UINT64_MAX, &v), -ERANGE);
	CHECK_INT(parse_u64("", UINT64_MAX, &v), -EINVAL);
	CHECK_INT(parse_u64("-1", UINT64_MAX, &v), -EINVAL);
	CHECK_INT(parse_u64(" 1", UINT64_MAX, &v), -EINVAL);
	CHECK_INT(parse_u64("1x", UINT64_MAX, &v), -EINVAL);
	CHECK_INT(parse_u32("4294967296", UINT32_MAX, &w), -ERANGE);
	CHECK_INT(w, 7);
}

TEST(parse_sizes)
{
	static const struct {
		const char *s;
		int r;
		uint64_t v;
	} cases[] = { { "0", 0, 0 },	   { "1K", 0, 1024 },	    { "2m", 0, 2 << 20 },     { "3G", 0, 3ULL << 30 },
		      { "4T", 0, 4ULL << 40 }, { "1KB", -EINVAL, 0 }, { "K", -EINVAL, 0 },      { "1.5G", -EINVAL, 0 },
		      { "-1", -EINVAL, 0 },	   { "", -EINVAL, 0 },	    { "16777216T", -ERANGE, 0 },
		      { "99999999999999999999999999", -EINVAL, 0 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t v = 0;

		CHECK_INT(parse_size(cases[i].s, &v), cases[i].r);
		CHECK(v == cases[i].v);
	}
}

TEST(addresses)
{
	struct ipaddr a, n;
	uint8_t p;
	char buf[IPADDR_STR_MAX];

	CHECK_INT(ipaddr_parse_prefix("192.0.2.11/24", &a, &p), 0);
	CHECK_INT(p, 24);
	n = ipaddr_network(&a, p);
	CHECK_STR(ipaddr_str(&n, buf), "192.0.2.0");
	n = ipaddr_broadcast(&a, p);
	CHECK_STR(ipaddr_str(&n, buf), "192.0.2.255");
	CHECK_INT(ipaddr_parse_prefix("2001:db8::1/64", &a, &p), 0);
	CHECK(ipaddr_is_host(&a));
	CHECK_INT(ipaddr_parse_prefix("192.0.2.11/33", &a, &p), -EINVAL);
	CHECK_INT(ipaddr_parse_prefix("192.0.2.11", &a, &p), -EINVAL);
	CHECK_INT(ipaddr_parse_prefix("::ffff:192.0.2.1/128", &a, &p), -EINVAL);
	for (const char *const *s = (const char *const[]){ "0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "::",
							   "::1", "ff02::1", "fe80::1", NULL };
	     *s; s++) {
		CHECK_INT(ipaddr_parse(*s, &a), 0);
		CHECK(!ipaddr_is_host(&a));
	}
}

TEST(file_write_is_atomic_and_replaces)
{
	_cleanup_free_ char *text = NULL;
	int d = open(test_dir(), O_RDONLY | O_DIRECTORY);
	struct stat st;

	CHECK_INT(file_write_atomic_at(d, "f", "one", 3, 0640), 0);
	CHECK_INT(file_write_atomic_at(d, "f", "two!", 4, 0600), 0);
	CHECK_INT(file_read_at(d, "f", 100, &text, NULL), 0);
	CHECK_STR(text, "two!");
	CHECK_INT(fstatat(d, "f", &st, 0), 0);
	CHECK_INT(st.st_mode & 07777, 0600);
	CHECK_INT(file_read_at(d, "f", 3, &text, NULL), -EFBIG);
	CHECK_INT(fstatat(d, ".f.new", &st, 0), -1);
}

TEST(remove_tree_does_not_follow_links)
{
	int d = open(test_dir(), O_RDONLY | O_DIRECTORY);

	CHECK_INT(mkdirat(d, "keep", 0700), 0);
	CHECK_INT(file_write_atomic_at(d, "file", "x", 1, 0600), 0);
	CHECK_INT(mkdirat(d, "gone", 0700), 0);
	CHECK_INT(symlinkat("../keep", d, "gone/link"), 0);
	CHECK_INT(mkdirat(d, "gone/sub", 0700), 0);
	CHECK_INT(dir_remove_tree_at(d, "gone"), 0);
	CHECK_INT(dir_remove_tree_at(d, "gone"), 0);
	CHECK_INT(faccessat(d, "keep", F_OK, 0), 0);
	CHECK_INT(faccessat(d, "gone", F_OK, 0), -1);
}

TEST(run_passes_input_and_output)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct err e = { 0 };

	CHECK_INT(run((const char *const[]){ "cat", NULL }, &(struct run_opts){ .input = "hello", .out = &out }, &e), 0);
	CHECK_STR(strbuf_str(&out), "hello");
	CHECK_INT(run((const char *const[]){ "sh", "-c", "echo why >&2; exit 3", NULL }, NULL, &e), -EIO);
	CHECK_STR(e.text, "sh failed with status 3: why");
	CHECK_INT(run((const char *const[]){ "sh", "-c", "exit 3", NULL }, &(struct run_opts){ .accept_status = true }, &e), 3);
	CHECK_INT(run((const char *const[]){ "no-such-program-here", NULL }, NULL, &e), -ENOENT);
	CHECK_INT(run((const char *const[]){ "sleep", "60", NULL }, &(struct run_opts){ .timeout_ms = 100 }, &e), -ETIME);
}

TEST(send_and_receive_descriptors)
{
	int sv[2], got[2] = { -1, -1 };
	size_t n = 0;
	char buf[8];

	CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	CHECK_INT(fd_send(sv[0], "hey", 3, (const int[]){ 0, 1 }, 2), 0);
	CHECK_INT(fd_recv(sv[1], buf, sizeof(buf), got, 2, &n, 0), 3);
	CHECK_INT(n, 2);
	CHECK(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
	CHECK_INT(fd_send(sv[0], "hey", 3, (const int[]){ 0, 1 }, 2), 0);
	CHECK_INT(fd_recv(sv[1], buf, sizeof(buf), got, 1, &n, 0), -EMSGSIZE);
	CHECK_INT(fd_send(sv[0], "too long for it", 15, NULL, 0), 0);
	CHECK_INT(fd_recv(sv[1], buf, sizeof(buf), got, 1, &n, 0), -EMSGSIZE);
}

TEST(distance_of_words)
{
	CHECK_INT(str_distance("start", "strat"), 2);
	CHECK_INT(str_distance("list", "lst"), 1);
	CHECK_INT(str_distance("", "abc"), 3);
}

TEST(output_is_safe_for_a_terminal)
{
	static const struct {
		const char *text, *safe;
	} cases[] = {
		{ "plain, \tß, 日本, 😀", "plain, \tß, 日本, 😀" },
		{ "\033[2J\007\r\n\177", "\\x1b[2J\\x07\\x0d\\x0a\\x7f" },
		{ "\302\233" "31m", "\\xc2\\x9b31m" },          /* CSI as a character */
		{ "\23331m", "\\x9b31m" },                     /* and as a byte */
		{ "\342\200\256gpj.exe", "\\xe2\\x80\\xaegpj.exe" }, /* right-to-left override */
		{ "\342\201\246x\342\200\250y", "\\xe2\\x81\\xa6x\\xe2\\x80\\xa8y" },
		{ "\300\257 \355\240\200 \364\220\200\200 \303", "\\xc0\\xaf \\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80 \\xc3" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *text = NULL;
		size_t size;
		FILE *f = open_memstream(&text, &size);

		CHECK(f);
		output_safe(f, cases[i].text);
		(void)fclose(f);
		CHECK_STR(text, cases[i].safe);
		free(text);
	}
}

/* Terminals take U+009B for the beginning of a command, and U+202E turns what follows. */
TEST(printable_clean_leaves_harmless_text)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "" }, { "plain \xe8\xa1\xa8", "plain \xe8\xa1\xa8" }, { "a\xc2\x9b" "2Jb", "a?2Jb" }, { "\x1b[2J", "?[2J" },
		{ "x\xe2\x80\xaey", "x?y" }, { "cut \xe8\xa1", "cut ?" }, { "\xff\xfe", "??" }, { "a\nb\tc", "a?b\tc" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[64];

		(void)str_format(text, sizeof(text), "%s", cases[i].in);
		printable_clean(text);
		CHECK_STR(text, cases[i].out);
	}
}

/* printed: what table_print() writes; the caller frees. */
static char *printed(const struct table *t)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	CHECK(f);
	table_print(t, f);
	(void)fclose(f);
	return text;
}

TEST(table_aligns_what_a_terminal_shows)
{
	static const char *const cells[] = {
		"NAME", "SIZE", "COMMENT", /* wide characters, one that goes nowhere, a tab, the end of a terminal's command */
		"\xe8\xa1\xa8\xe8\xa1\xa8", "7", "x", "\xc3\x9f", "12345", "a\tb", "a\xcc\x88", "-", "\xc2\x9b" "2J",
	};
	static const char wanted[] = "NAME  SIZE COMMENT\n"
				     "\xe8\xa1\xa8\xe8\xa1\xa8     7 x\n"
				     "\xc3\x9f    12345 a\\x09b\n"
				     "a\xcc\x88        - \\xc2\\x9b2J\n";
	struct table t _cleanup_table_ = { .n_columns = 3, .right = { [1] = true } };
	char *text;

	for (size_t i = 0; i < 3; i++)
		table_add(&t, cells[i]);
	text = printed(&t);
	CHECK_STR(text, ""); /* titles alone */
	free(text);
	for (size_t i = 3; i < sizeof(cells) / sizeof(*cells); i++)
		table_add(&t, cells[i]);
	text = printed(&t);
	CHECK_STR(text, wanted);
	free(text);
}
