/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/label.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/str.h"
#include "psv/crc32c.h"
#include "test.h"

static const char uuid[] = "01234567-89ab-4cde-8f01-23456789abcd";

static struct label example(const char *conf)
{
	struct label l = { .server = "files-1", .role = "root", .generation = 7, .fs_offset = LABEL_BYTES,
			   .fs_bytes = 32 * LABEL_BYTES, .conf = xstrdup(conf) };

	memcpy(l.uuid, uuid, sizeof(uuid));
	return l;
}

static int image(unsigned mib)
{
	int fd = open(test_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	CHECK_INT(ftruncate(fd, (off_t)mib << 20), 0);
	return fd;
}

TEST(crc32c_known_values)
{
	static const uint8_t zero[32];

	CHECK(~crc32c(~0u, "123456789", 9) == 0xe3069283u);
	CHECK(~crc32c(~0u, zero, sizeof(zero)) == 0x8a9136aau);
}

TEST(label_comes_back_as_written)
{
	_cleanup_close_ int fd = image(33);
	struct label l = example("[server]\nhostname = A\n"), got = { 0 };
	struct err e = { 0 };

	CHECK_INT(label_read(fd, &got, &e), 1);
	CHECK_INT(label_write(fd, &l, &e), 0);
	CHECK_INT(label_read(fd, &got, &e), 0);
	CHECK_STR(got.server, "files-1");
	CHECK_STR(got.role, "root");
	CHECK_STR(got.uuid, uuid);
	CHECK_STR(got.conf, l.conf);
	CHECK_INT(got.generation, 7);
	CHECK_INT(got.fs_offset, LABEL_BYTES);
	CHECK_INT(got.fs_bytes, 32 * LABEL_BYTES);
	label_free(&got);
	label_free(&l);
}

TEST(label_holds_a_configuration_up_to_its_limit)
{
	_cleanup_close_ int fd = image(33);
	struct label l = example(""), got = { 0 };
	struct err e = { 0 };

	free(l.conf);
	l.conf = xmalloc(LABEL_CONF_MAX + 2);
	memset(l.conf, 'x', LABEL_CONF_MAX + 1);
	l.conf[LABEL_CONF_MAX + 1] = '\0';
	CHECK_INT(label_write(fd, &l, &e), -EFBIG);
	CHECK_INT(label_read(fd, &got, &e), 1);
	l.conf[LABEL_CONF_MAX] = '\0';
	for (int i = 0; i < 3; i++)
		CHECK_INT(label_write(fd, &l, &e), 0);
	CHECK_INT(label_read(fd, &got, &e), 0);
	CHECK_STR(got.conf, l.conf);
	label_free(&got);
	label_free(&l);
}

/* Whatever beginning of the second write reaches the disk, the first one or the second one is read, whole. */
TEST(label_torn_write_leaves_the_one_before)
{
	_cleanup_close_ int fd = image(33), other = image(33);
	_cleanup_free_ char *after = xmalloc(LABEL_BYTES);
	struct label l = example("first"), got = { 0 };
	struct err e = { 0 };
	char zero[LABEL_BYTES / 16] = { 0 };

	CHECK_INT(label_write(fd, &l, &e), 0);
	CHECK_INT(label_write(other, &l, &e), 0);
	free(l.conf);
	l.conf = xmalloc(9001);
	memset(l.conf, 's', 9000);
	l.conf[9000] = '\0';
	l.generation = 8;
	CHECK_INT(label_write(other, &l, &e), 0);
	CHECK_INT(pread(other, after, LABEL_BYTES, 0), LABEL_BYTES);
	for (size_t cut = 0; cut <= 16384; cut += 100) {
		CHECK_INT(pwrite(fd, zero, 16384, 0), 16384);
		CHECK_INT(pwrite(fd, after, cut, 0), cut);
		CHECK_INT(label_read(fd, &got, &e), 0);
		CHECK_INT(got.generation, cut < 4096 + 9000 ? 7 : 8);
		CHECK_STR(got.conf, cut < 4096 + 9000 ? "first" : l.conf);
		label_free(&got);
	}
	label_free(&l);
}

TEST(label_every_flipped_bit_is_found)
{
	struct label l = example("abc"), got = { 0 };
	_cleanup_free_ uint8_t *slot = NULL;
	uint64_t sequence;
	size_t len;

	CHECK_INT(label_build(&l, 5, &slot, &len), 0);
	CHECK_INT(len, 8192);
	CHECK_INT(label_parse(slot, len, 0, &got, &sequence), 0);
	CHECK_INT(sequence, 5);
	label_free(&got);
	CHECK_INT(label_parse(slot, len, LABEL_BYTES, &got, &sequence), -EBADMSG);
	CHECK_INT(label_parse(slot, LABEL_HEADER_BYTES, 0, &got, &sequence), -EBADMSG);
	for (size_t bit = 0; bit < (LABEL_HEADER_BYTES + 3) * 8; bit++) {
		slot[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CHECK_INT(label_parse(slot, len, 0, &got, &sequence), bit < 64 ? 1 : -EBADMSG);
		slot[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	label_free(&l);
}

static void put_crc(uint8_t *slot, size_t conf_bytes)
{
	uint32_t crc;

	memset(slot + 12, 0, 4);
	crc = ~crc32c(~0u, slot, LABEL_HEADER_BYTES + conf_bytes);
	memcpy(slot + 12, &crc, 4);
}

/* A hostile disk has right checksums. */
TEST(label_refuses_what_we_never_write)
{
	static const struct {
		const char *what;
		size_t at;
		const char *bytes;
		size_t len;
	} rows[] = {
		{ "version", 8, "\2\0\0\0", 4 },
		{ "reserved", 20, "\1", 1 },
		{ "longer configuration than there is", 16, "\4\0\0\0", 4 },
		{ "a longest configuration", 16, "\xff\xff\xff\xff", 4 },
		{ "fs_offset", 40, "\0\x20\0\0", 4 },
		{ "fs_bytes of 0", 48, "\0\0\0\0\0\0\0\0", 8 },
		{ "fs_bytes that overflow", 48, "\0\0\xf0\xff\xff\xff\xff\xff", 8 },
		{ "label_offset", 56, "\0\0\1", 3 },
		{ "server with a slash", 64, "../etc", 7 },
		{ "server with nothing", 64, "\0\0\0\0\0\0\0\0", 8 },
		{ "server with no end", 64, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 40 },
		{ "server too long", 64, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 34 },
		{ "rubbish behind the server", 64 + 20, "x", 1 },
		{ "role", 104, "-root", 6 },
		{ "uuid", 144, "X", 1 },
		{ "rubbish in the header", 4000, "x", 1 },
		{ "a NUL in the configuration", 4097, "\0", 1 },
		{ "sequence", 24, "\xff\xff\xff\xff\xff\xff\xff\xff", 8 },
	};
	struct label l = example("abc"), got = { 0 };
	uint64_t sequence;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_free_ uint8_t *slot = NULL;
		size_t len;

		CHECK_INT(label_build(&l, 5, &slot, &len), 0);
		memcpy(slot + rows[i].at, rows[i].bytes, rows[i].len);
		put_crc(slot, 3);
		if (label_parse(slot, LABEL_HEADER_BYTES + 3, 0, &got, &sequence) != -EBADMSG)
			test_fail(__FILE__, __LINE__, rows[i].what);
	}
	label_free(&l);
}

TEST(label_both_copies_damaged_is_an_error)
{
	_cleanup_close_ int fd = image(33);
	struct label l = example("abc"), got = { 0 };
	struct err e = { 0 };

	CHECK_INT(label_write(fd, &l, &e), 0);
	CHECK_INT(label_write(fd, &l, &e), 0);
	CHECK_INT(pwrite(fd, "x", 1, 100), 1);
	CHECK_INT(label_read(fd, &got, &e), 0);
	label_free(&got);
	CHECK_INT(pwrite(fd, "x", 1, LABEL_SLOT_BYTES + 100), 1);
	CHECK_INT(label_read(fd, &got, &e), -EBADMSG);
	CHECK(strstr(e.text, "damaged"));
	/* It can be written anew. */
	CHECK_INT(label_write(fd, &l, &e), 0);
	CHECK_INT(label_read(fd, &got, &e), 0);
	label_free(&got);
	label_free(&l);
}
