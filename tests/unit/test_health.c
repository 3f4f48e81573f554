/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/str.h"
#include "test.h"
#include "vsv/health.h"

static int line(const char *text, struct health_row *ret)
{
	char buf[512];

	CHECK(str_copy(buf, sizeof(buf), text));
	return health_line(buf, -1, ret);
}

TEST(health_of_a_line_of_mountinfo)
{
	struct health_row row;

	/* A device that is not there: nobody has 4095 as a block device's major. */
	CHECK_INT(line("64 63 4095:7 /data /srv/data rw,nodev - ext4 /dev/loop9 rw", &row), 1);
	CHECK_INT(row.what, HEALTH_DEVICE_GONE);
	CHECK(row.rdev == makedev(4095, 7));
	CHECK_STR(row.mount, "/srv/data");
	CHECK_INT(line("64 63 4095:7 /data /srv/data rw shared:3 master:9 - xfs /dev/loop9 rw", &row), 1);
	CHECK_STR(health_words(row.what), "its device is gone");
}

TEST(health_of_what_is_no_volume)
{
	static const char *const lines[] = {
		"",
		" ",
		"64",
		"64 63 4095:7 / /usr ro - overlay overlay ro,lowerdir=/x",
		"64 63 0:24 / /dev/pts rw - devpts devpts rw,mode=600",
		"64 63 4095:7 / /srv rw - ext4 /dev/loop9", /* its end is missing */
		"64 63 4095:7 / /srv rw shared:1",
		"64 63 4095 / /srv rw - ext4 /dev/loop9 ro",
		"64 63 x:7 / /srv rw - ext4 /dev/loop9 ro",
		"64 63 4095:-1 / /srv rw - ext4 /dev/loop9 ro",
	};
	struct health_row row = { .what = HEALTH_CUT_SHORT };

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		CHECK_INT(line(lines[i], &row), 0);
	CHECK_INT(row.what, HEALTH_CUT_SHORT);
}

TEST(health_of_a_process_that_is_not_there)
{
	struct health_row rows[4];

	CHECK(health_read(0x7ffffff0, rows, 4) < 0);
	CHECK(health_read(getpid(), rows, 4) >= 0);
}
