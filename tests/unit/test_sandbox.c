/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/sandbox.h"

#include <linux/landlock.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/process.h"
#include "lib/str.h"
#include "test.h"

/* What a confined program can do is tried by one: the control is the same without. */
static int status_of(const char *writable, const char *const argv[])
{
	struct run_opts opts = { .accept_status = true, .confine = writable };
	struct err e = { 0 };
	int r = run(argv, &opts, &e);

	if (r < 0)
		(void)fprintf(stderr, "    %s\n", e.text);
	CHECK(r >= 0);
	return r;
}

TEST(sandbox_has_no_capability_and_no_network)
{
	const char *const caps[] = { "grep", "-qE", "^Cap(Eff|Prm|Bnd|Inh|Amb):\t0+$", "/proc/self/status", NULL };
	const char *const some[] = { "grep", "-E", "^Cap(Eff|Prm|Bnd):\t.*[1-9a-f]", "/proc/self/status", NULL };
	const char *const veth[] = { "grep", "-qvE", "Inter|face|lo:", "/proc/self/net/dev", NULL };

	if (geteuid() != 0)
		SKIP("needs root");
	CHECK_INT(status_of(NULL, some), 0);
	CHECK_INT(status_of("/dev/null", caps), 0);
	CHECK_INT(status_of("/dev/null", some), 1);
	CHECK_INT(status_of("/dev/null", veth), 1);
}

TEST(sandbox_writes_one_file_only)
{
	char one[128], other[128], in[160], of_one[160], of_other[160];

	if (geteuid() != 0)
		SKIP("needs root");
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 1)
		SKIP("needs Landlock");
	(void)str_format(one, sizeof(one), "%s/one", test_dir());
	(void)str_format(other, sizeof(other), "%s/other", test_dir());
	(void)str_format(in, sizeof(in), "if=%s", other);
	(void)str_format(of_one, sizeof(of_one), "of=%s", one);
	(void)str_format(of_other, sizeof(of_other), "of=%s", other);
	const char *const touch[] = { "touch", one, other, NULL };
	const char *const write_one[] = { "dd", "if=/dev/null", of_one, "conv=notrunc", NULL };
	const char *const write_other[] = { "dd", "if=/dev/null", of_other, "conv=notrunc", NULL };
	const char *const read_other[] = { "dd", in, "of=/dev/null", NULL };
	const char *const read_shadow[] = { "cat", "/etc/shadow", NULL };

	CHECK_INT(status_of(NULL, touch), 0);
	CHECK_INT(status_of(NULL, write_other), 0);
	CHECK_INT(status_of(NULL, read_shadow), 0);
	CHECK_INT(status_of(one, write_one), 0);
	CHECK_INT(status_of(one, write_other), 1);
	CHECK_INT(status_of(one, read_other), 1);
	CHECK_INT(status_of(one, read_shadow), 1);
}
