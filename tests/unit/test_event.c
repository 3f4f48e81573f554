/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Refusals as lines, the files that they lie in, and the gate's notes that they come from. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gate/gate_sys.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "psv/event.h"
#include "test.h"
#include "test_gate.h"
#include "vsv/event_file.h"
#include "vsv/proto.h"
#include "vsv/refusal.h"
#include "vsv/refusal_fetch.h"
#include "vsv/small.h"

static struct gate_addr mapped(const char *s)
{
	struct gate_addr a = { { 0, 0, htonl(0xffff), 0 } };

	CHECK_INT(inet_pton(AF_INET, s, &a.w[3]), 1);
	return a;
}

static struct refusal bind_refusal(void)
{
	return (struct refusal){ .realtime_ns = 1000000000LL * 86400, .kind = REFUSAL_BIND, .asked = GATE_ASKED_ADDRESS, .count = 1,
				 .psv_pid = 4711, .pid = 12, .uid = 0, .process = "smbd", .addr = mapped("192.0.2.5"), .x = 445,
				 .y = 6, .error = EADDRNOTAVAIL };
}

TEST(refusal_lines)
{
	struct refusal r = bind_refusal();
	char buf[REFUSAL_LINE_MAX];
	struct text t = TEXT(buf);

	refusal_line(&t, "sales", &r);
	CHECK_STR(buf, "{\"time\":\"1970-01-02T00:00:00.000000Z\",\"server\":\"sales\",\"event\":\"refused\",\"detail\":"
		       "\"bind 192.0.2.5:445 tcp by smbd[12] of user 0: EADDRNOTAVAIL\",\"kind\":\"bind\",\"count\":1,"
		       "\"address\":\"192.0.2.5\",\"port\":445,\"protocol\":\"tcp\",\"pid\":12,\"psv_pid\":4711,\"process\":\"smbd\","
		       "\"uid\":0,\"answer\":\"EADDRNOTAVAIL\"}\n");
	r.pid = 0;
	r.count = 3;
	r.addr = (struct gate_addr){ { htonl(0x20010db8), 0, 0, htonl(5) } };
	t = (struct text)TEXT(buf);
	refusal_words(&t, &r);
	CHECK_STR(buf, "bind [2001:db8::5]:445 tcp by smbd[4711 outside] of user 0: EADDRNOTAVAIL, 3 times");
	r = (struct refusal){ .kind = REFUSAL_DEVICE, .asked = GATE_ASKED_DEVICE, .count = 1, .x = 8u << 20 | 1,
			      .y = BPF_DEVCG_DEV_BLOCK << 16 | BPF_DEVCG_ACC_WRITE, .error = EPERM };
	t = (struct text)TEXT(buf);
	refusal_words(&t, &r);
	CHECK_STR(buf, "write block device 8:1: EPERM");
	r = (struct refusal){ .kind = REFUSAL_CALL, .count = 1, .call = SYS_socket, .args = { 17, 3 | 0x80000, 0 }, .error = EPERM };
	t = (struct text)TEXT(buf);
	refusal_words(&t, &r);
	CHECK_STR(buf, "socket packet raw protocol 0: EPERM");
	r = (struct refusal){ .kind = REFUSAL_CALL, .count = 1, .call = SYS_mknodat, .args = { 0, 0, S_IFBLK | 0600, 0x12345678 },
			      .error = EPERM };
	t = (struct text)TEXT(buf);
	refusal_words(&t, &r);
	CHECK_STR(buf, "mknodat block device 1110:74616: EPERM");
	r = (struct refusal){ .kind = REFUSAL_CONNECT, .count = 100, .unnoted = true };
	t = (struct text)TEXT(buf);
	refusal_line(&t, "s", &r);
	CHECK(strstr(buf, "\"detail\":\"100 more of kind connect, in a flood\",\"kind\":\"connect\",\"count\":100}\n"));
}

TEST(refusal_lines_of_hostile_names)
{
	static const char bytes[] = "\x1b[2J\"\\\n\x9b\xff\xfe\xc2\x9b\t\x01z";
	struct refusal r = bind_refusal();
	char buf[REFUSAL_LINE_MAX];
	struct text t = TEXT(buf);
	json_t *o;

	/* All sixteen bytes, with no end. */
	memcpy(r.process, bytes, sizeof(r.process));
	r.uid = UINT32_MAX;
	r.x = UINT32_MAX;
	r.y = UINT32_MAX;
	r.count = UINT64_MAX;
	refusal_line(&t, "abcdefghijklmnopqrstuvwxyz012345", &r);
	CHECK(t.len < sizeof(buf) - 1 && buf[t.len - 1] == '\n');
	for (size_t i = 0; i + 1 < t.len; i++)
		CHECK(buf[i] >= ' ' && buf[i] <= '~');
	o = event_parse(buf, t.len);
	CHECK(o);
	CHECK_STR(json_string_value(json_object_get(o, "process")), "\\x1b[2J\"\\\\x0a\\x9b\\xff\\xfe\\xc2\\x9b\t\\x01z");
	json_decref(o);
	/* The longest of the other form. */
	r = (struct refusal){ .kind = REFUSAL_CALL, .count = UINT64_MAX, .call = SYS_prlimit64, .pid = UINT32_MAX, .psv_pid = 1,
			      .uid = UINT32_MAX, .error = 4095 };
	memset(r.process, 1, sizeof(r.process));
	memset(r.args, 0xff, sizeof(r.args));
	t = (struct text)TEXT(buf);
	refusal_line(&t, "abcdefghijklmnopqrstuvwxyz012345", &r);
	CHECK(t.len < sizeof(buf) - 1 && buf[t.len - 1] == '\n');
}

TEST(event_parse_takes_events_only)
{
	static const char *const bad[] = {
		"", "x", "[]", "{}", "1", "{\"time\":1,\"server\":null,\"event\":\"x\"}",
		"{\"time\":\"2026-01-01T00:00:00\",\"server\":null,\"event\":\"x\"}",
		"{\"time\":\"2026-01-01 00:00:00Z\",\"server\":null,\"event\":\"x\"}",
		"{\"time\":\"2026-01-01T00:00:00\\u001bZ\",\"server\":null,\"event\":\"x\"}",
		"{\"time\":\"2026-01-01T00:00:00Z\",\"server\":1,\"event\":\"x\"}",
		"{\"time\":\"2026-01-01T00:00:00Z\",\"event\":\"x\"}",
		"{\"time\":\"2026-01-01T00:00:00Z\",\"server\":null,\"event\":\"\"}",
		"{\"time\":\"2026-01-01T00:00:00Z\",\"server\":null,\"event\":\"x\",\"event\":\"x\"}",
	};
	static const char good[] = "{\"time\":\"2026-01-01T00:00:00.1Z\",\"server\":null,\"event\":\"x\",\"a\":[],\"b\":{},\"c\":1}";
	json_t *o;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		o = event_parse(bad[i], strlen(bad[i]));
		if (o)
			test_fail(__FILE__, __LINE__, bad[i]);
	}
	o = event_parse(good, strlen(good));
	CHECK(o && json_object_size(o) == 4);
	json_decref(o);
}

TEST(event_files_stay_small)
{
	char path[] = "/tmp/vnas-event-XXXXXX", line[100], *text;
	_cleanup_close_ int folder = -1, held = -1;
	size_t len;

	CHECK(mkdtemp(path));
	folder = dir_open(AT_FDCWD, path);
	for (int i = 0; i < 1000; i++) {
		int n = snprintf(line, sizeof(line), "{\"line\":%d}\n", i);
		struct stat st;

		CHECK_INT(event_file_add(folder, "f", 1000, line, (size_t)n), 0);
		CHECK(fstatat(folder, "f", &st, 0) == 0 && st.st_size <= 1000 && (st.st_mode & 07777) == 0600);
	}
	CHECK_INT(file_read_at(folder, "f", 1000, &text, &len), 0);
	CHECK(len > 400 && str_starts(text, "{\"line\":") && strstr(text, "{\"line\":998}\n{\"line\":999}\n"));
	free(text);
	/* A part of a line, which a kill left, and one that goes with the half. */
	held = openat(folder, "f", O_WRONLY | O_APPEND | O_CLOEXEC);
	CHECK(held >= 0 && write(held, "{\"par", 5) == 5);
	CHECK_INT(event_file_add(folder, "f", 1000, "{}\n", 3), 0);
	CHECK_INT(file_read_at(folder, "f", 1000, &text, &len), 0);
	CHECK(strstr(text, "{\"par\n{}\n"));
	free(text);
	/* Far too large, by somebody else's hand. */
	for (int i = 0; i < 1000; i++)
		CHECK(write(held, "0123456789\n", 11) == 11);
	CHECK_INT(event_file_add(folder, "f", 1000, "{}\n", 3), 0);
	CHECK_INT(file_read_at(folder, "f", 1000, &text, &len), 0);
	CHECK(len <= 600 && str_starts(text, "0123456789\n") && strcmp(text + len - 4, "\n{}\n") == 0);
	free(text);
	/* Its place is taken by what is no file. */
	CHECK_INT(unlinkat(folder, "f", 0), 0);
	CHECK_INT(symlinkat("/tmp/vnas-event-elsewhere", folder, "f"), 0);
	CHECK_INT(event_file_add(folder, "f", 1000, "{}\n", 3), -ELOOP);
	CHECK_INT(dir_remove_tree_at(AT_FDCWD, path), 0);
}

/* ---- the gate's notes ---- */

static uint64_t lines_in(int folder, const char *word)
{
	uint64_t n = 0;
	char *text;

	if (file_read_at(folder, REFUSALS_FILE, REFUSALS_MAX_BYTES, &text, NULL) < 0)
		return 0;
	for (const char *p = text; (p = strstr(p, word)); p++)
		n++;
	free(text);
	return n;
}

static void try_to_bind(struct machine *m, enum place p, uint16_t port)
{
	int fd = machine_socket(m, p, AF_INET, SOCK_STREAM, 0);

	CHECK(fd >= 0);
	CHECK_INT(do_bind(fd, "192.0.2.77", port), -EADDRNOTAVAIL);
	(void)close(fd);
}

static void notes_body(struct machine *m)
{
	char run[128], path[] = "/tmp/vnas-notes-XXXXXX";
	_cleanup_close_ int folder = -1;
	struct refusal_log a = { .server = "a", .run_dir = run, .id = 1, .stats = -1, .taken = -1, .syslog = -1 }, b = a;
	struct gate_stats s;
	int64_t began;
	unsigned later;

	CHECK(mkdtemp(path));
	folder = dir_open(AT_FDCWD, path);
	/* Its maps lie in RUN/bpf. */
	(void)str_copy(run, sizeof(run), m->bpf_dir);
	*strrchr(run, '/') = '\0';
	a.folder = b.folder = folder;
	b.id = 2;
	b.server = "b";
	CHECK_INT(refusals_fetch(&a), 0);
	began = clock_ms();
	for (uint16_t i = 0; i < 500; i++)
		try_to_bind(m, VSV_A, (uint16_t)(1000 + i));
	/* On a busy machine that takes seconds, and the bucket fills again. */
	later = (unsigned)((clock_ms() - began) / (int64_t)(GATE_PAUSE_NS / 1000000)) + 1;
	try_to_bind(m, VSV_B, 2000);
	/* No more than the bucket holds is noted, and the neighbour's is its own. */
	CHECK(refusals_fetch(&a) > 0);
	CHECK(lines_in(folder, "\"kind\":\"bind\",\"count\":1,") >= GATE_BURST);
	CHECK(lines_in(folder, "\"server\":\"a\"") <= GATE_BURST + later + 8);
	CHECK_INT(lines_in(folder, "in a flood"), 1);
	CHECK_INT(lines_in(folder, "\"address\":\"192.0.2.77\",\"port\":1000,\"protocol\":\"tcp\""), 1);
	CHECK_INT(lines_in(folder, "\"process\":\"unit\""), lines_in(folder, "\"psv_pid\""));
	CHECK_INT(refusals_fetch(&b), 1);
	CHECK_INT(lines_in(folder, "\"server\":\"b\""), 1);
	/* Nothing twice, and not by somebody else either. */
	CHECK_INT(refusals_fetch(&b), 0);
	refusals_close(&b);
	CHECK_INT(refusals_fetch(&b), 0);
	CHECK_INT(gate_map_lookup(a.stats, &a.id, &s), 0);
	CHECK_INT(s.refused[GATE_BIND], 500);
	CHECK(s.head + s.unnoted[GATE_BIND] == 500);
	/* The same in a row is one line. */
	for (int i = 0; i < 5; i++)
		try_to_bind(m, VSV_B, 2001);
	CHECK_INT(refusals_fetch(&b), 1);
	CHECK_INT(lines_in(folder, "\"count\":5,"), 1);
	/* Two do not fetch at once. */
	{
		_cleanup_close_ int other = dir_open(AT_FDCWD, path);
		struct refusal_log c = b;

		CHECK(other >= 0);
		try_to_bind(m, VSV_B, 2002);
		CHECK_INT(flock(other, LOCK_EX), 0);
		CHECK_INT(refusals_fetch(&c), -EAGAIN);
		CHECK_INT(flock(other, LOCK_UN), 0);
		CHECK_INT(refusals_fetch(&b), 1);
	}
	refusals_close(&a);
	refusals_close(&b);
	CHECK_INT(dir_remove_tree_at(AT_FDCWD, path), 0);
}

TEST(event_notes_of_the_gate)
{
	machine_test(notes_body);
}
