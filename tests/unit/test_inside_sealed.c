/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program of the Psv's that PID 1 runs from a sealed memfd. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "test.h"
#include "test_inside.h"

#define CAP(c) (1ULL << (c))
#define ROOT_CAPS (CAP(CAP_DAC_OVERRIDE) | CAP(CAP_CHOWN) | CAP(CAP_FOWNER) | CAP(CAP_KILL))

/* busybox as a memfd: what it is called decides what it does. */
static int program(int seals)
{
	_cleanup_close_ int in = open("/bin/busybox", O_RDONLY | O_CLOEXEC);
	int fd = memfd_create("busybox", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	CHECK(in >= 0 && fd >= 0);
	while (sendfile(fd, in, NULL, 1 << 20) > 0)
		;
	CHECK_INT(fchmod(fd, 0111), 0);
	CHECK_INT(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static int run_sealed(const struct tiny *t, int fd, const char *name, uint64_t capabilities, const char *input,
		      struct strbuf *out, struct err *err)
{
	const char *const argv[] = { name, NULL };
	struct inside_sealed sealed = { .fd = fd, .capabilities = capabilities };
	struct inside_exec e = { .argv = argv, .sealed = &sealed, .input = input, .output = out, .timeout_ms = 10000 };
	_cleanup_close_ int conn = inside_connect(t->pid, t->start, err);

	CHECK(conn >= 0);
	return inside_exec(conn, &e, err);
}

enum { ALL = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };

TEST(inside_runs_a_sealed_program)
{
	_cleanup_close_ int fd = program(ALL);
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct err err = { 0 };
	struct tiny t;

	tiny_start(&t, ROOT_CAPS);
	/* Whatever stands in the Vsv's own files: it has no user to look up, and no path. */
	CHECK_INT(tiny_sh(&t, "rm -f /etc/passwd", NULL), 0);
	t.conn = inside_connect(t.pid, t.start, &err);
	CHECK_INT(run_sealed(&t, fd, "cat", ROOT_CAPS, "to and fro\n", &out, &err), 0);
	CHECK_STR(strbuf_str(&out), "to and fro\n");
	strbuf_free(&out);
	out = (struct strbuf){ 0 };
	/* It has what it was given, and what passes by permissions too: put aside for the execution alone. */
	CHECK_INT(run_sealed(&t, fd, "sh", CAP(CAP_DAC_OVERRIDE) | CAP(CAP_SYS_ADMIN),
			     "id -u; grep -E 'CapPrm|CapEff|CapBnd|NoNew|Seccomp:' /proc/self/status", &out, &err), 0);
	CHECK_STR(strbuf_str(&out), "0\nCapPrm:\t0000000000000002\nCapEff:\t0000000000000002\nCapBnd:\t0000000000000002\n"
				    "NoNewPrivs:\t1\nSeccomp:\t2\n");
	tiny_stop(&t);
}

TEST(inside_refuses_a_program_that_is_not_sealed)
{
	static const int seals[] = { 0, F_SEAL_SEAL, F_SEAL_WRITE, ALL & ~F_SEAL_WRITE, ALL & ~F_SEAL_SHRINK, ALL & ~F_SEAL_SEAL };
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct tiny t;

	tiny_start(&t, ROOT_CAPS);
	for (size_t i = 0; i < sizeof(seals) / sizeof(*seals); i++) {
		_cleanup_close_ int fd = program(seals[i]);
		struct err err = { 0 };

		CHECK_INT(run_sealed(&t, fd, "cat", ROOT_CAPS, "", &out, &err), -EPERM);
		CHECK(strstr(err.text, "is not sealed"));
	}
	/* No program at all, and one that cannot be executed. */
	struct err err = { 0 };
	_cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC), empty = memfd_create("e", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	CHECK_INT(run_sealed(&t, null, "cat", ROOT_CAPS, "", &out, &err), -EPERM);
	CHECK_INT(fcntl(empty, F_ADD_SEALS, ALL), 0);
	CHECK(run_sealed(&t, empty, "cat", ROOT_CAPS, "", &out, &err) < 0);
	CHECK_INT(tiny_sh(&t, "true", NULL), 0);
	tiny_stop(&t);
}

/* Root of the Vsv sees the process, and gets at nothing of it; but may end it, which is seen outside. */
TEST(inside_hides_a_sealed_program)
{
	_cleanup_close_ int fd = program(ALL);
	_cleanup_strbuf_ struct strbuf out = { 0 }, said = { 0 };
	struct err err = { 0 };
	struct tiny t;
	pid_t pid;
	int status;

	tiny_start(&t, ROOT_CAPS);
	pid = fork();
	if (pid == 0)
		_exit(run_sealed(&t, fd, "sh", ROOT_CAPS, "trap '' TERM\nsleep 100", &out, &err) == 128 + 9 ? 0 : 1);
	for (int i = 0; i < 100; i++) {
		(void)nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
		strbuf_free(&said);
		said = (struct strbuf){ 0 };
		t.conn = inside_connect(t.pid, t.start, &err);
		CHECK_INT(tiny_sh(&t, "for p in /proc/[0-9]*; do [ \"$(cat $p/comm)\" = sleep ] || continue; b=${p#/proc/};"
				      "set -- $(cut -d' ' -f4 $p/stat); cat /proc/$1/fd/0 /proc/$1/exe >/tmp/got 2>/dev/null; "
				      "readlink /proc/$1/fd/1; ls /proc/$1/map_files; echo found; kill -9 $1 $b; done 2>&1", &said), 0);
		if (said.len)
			break;
	}
	CHECK(strstr(strbuf_str(&said), "found"));
	CHECK(!strstr(strbuf_str(&said), "pipe:"));
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK_INT(status, 0);
	t.conn = inside_connect(t.pid, t.start, &err);
	CHECK_INT(tiny_sh(&t, "test ! -s /tmp/got", NULL), 0);
	tiny_stop(&t);
}
