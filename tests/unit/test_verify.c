/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/sys.h"
#include "psv/cgroup_layout.h"
#include "test.h"
#include "verify/internal.h"
#include "verify/report.h"

static int parse(struct answers *a, const char *text)
{
	answers_init(a, 2);
	return answers_parse(a, text, strlen(text));
}

TEST(verify_answers)
{
	unsigned own = (unsigned)probe_find("bind-own"), tcp = (unsigned)probe_find("bind-tcp");
	static const char *const bad[] = {
		"bind-own\nend\n", "bind-own 0\nend\n", "bind-own 0 x\nend\n", "bind-own 3 0\nend\n", "bind-own -1 0\nend\n",
		"bind-own 0 0 0\nend\n", "bind-own 0 -0\nend\n", "bind-own 0 4\nend\n", "bind-own 0 -4096\nend\n", "none 0 0\nend\n",
		"bind-own 0 0\nbind-own 0 -1\nend\n", "end\nend\n", " bind-own 0 0\nend\n", "\nend\n",
	};
	struct answers a;

	CHECK_INT(parse(&a, "bind-own 0 0\nbind-tcp 1 -99\nbind-tcp 2 3\nend\n"), 0);
	CHECK_INT(answers_get(&a, own, 0), 0);
	CHECK_INT(answers_get(&a, tcp, 1), -99);
	CHECK_INT(answers_get(&a, tcp, 2), ANSWER_KILLED);
	CHECK_INT(answers_get(&a, tcp, 0), NO_ANSWER);
	CHECK_INT(answers_get(&a, tcp, 3), NO_ANSWER);
	answers_free(&a);
	CHECK_INT(parse(&a, "bind-own 0 0\n"), -ENODATA);
	answers_free(&a);
	CHECK_INT(parse(&a, ""), -ENODATA);
	answers_free(&a);
	answers_init(&a, 2);
	CHECK_INT(answers_parse(&a, "bind-own 0 0\0\nend\n", 18), -EBADMSG);
	answers_free(&a);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CHECK_INT(parse(&a, bad[i]), -EBADMSG);
		answers_free(&a);
	}
}

TEST(verify_judges)
{
	static const struct {
		const char *probe;
		int32_t answer;
		enum control control;
		int verdict; /* -1: nothing to report */
	} cases[] = {
		{ "bind-tcp", -EADDRNOTAVAIL, CONTROL_PASSED, VERDICT_REFUSED },
		{ "bind-tcp", -EADDRNOTAVAIL, CONTROL_FAILED, VERDICT_OPEN },
		{ "bind-tcp", -EADDRNOTAVAIL, CONTROL_NONE, VERDICT_OPEN },
		{ "bind-tcp", 0, CONTROL_PASSED, VERDICT_THROUGH },
		{ "bind-tcp", 0, CONTROL_FAILED, VERDICT_THROUGH },
		{ "bind-tcp", -EMFILE, CONTROL_PASSED, VERDICT_OPEN },
		{ "bind-tcp", -EPERM, CONTROL_PASSED, VERDICT_OPEN },
		{ "bind-tcp", NO_ANSWER, CONTROL_PASSED, VERDICT_OPEN },
		{ "bind-tcp", ANSWER_KILLED, CONTROL_PASSED, VERDICT_OPEN },
		{ "bind-tcp", ANSWER_NOTHING, CONTROL_PASSED, -1 },
		{ "bind-tcp", ANSWER_SENT, CONTROL_PASSED, VERDICT_OPEN },
		{ "bind-own", 0, CONTROL_NONE, VERDICT_CONTROL },
		{ "bind-own", -EADDRNOTAVAIL, CONTROL_NONE, VERDICT_OPEN },
		{ "see-addresses", 0, CONTROL_PASSED, VERDICT_VISIBLE },
		{ "see-addresses", -ENOENT, CONTROL_PASSED, VERDICT_REFUSED },
		{ "see-addresses", -ENOENT, CONTROL_FAILED, VERDICT_OPEN },
		{ "abstract-squat", 0, CONTROL_PASSED, VERDICT_OPEN },
		{ "send-psv", ANSWER_SENT, CONTROL_PASSED, VERDICT_REFUSED },
		{ "send-psv", ANSWER_SENT, CONTROL_FAILED, VERDICT_OPEN },
		{ "send-psv", 0, CONTROL_PASSED, VERDICT_THROUGH },
		{ "clone3", -ENOSYS, CONTROL_PASSED, VERDICT_REFUSED },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int p = probe_find(cases[i].probe);
		enum verdict verdict;
		const char *note;

		CHECK(p >= 0);
		if (!judge(&probes[p], cases[i].answer, cases[i].control, &verdict, &note))
			CHECK_INT(cases[i].verdict, -1);
		else
			CHECK_INT(verdict, cases[i].verdict);
	}
}

/* Each probe has a control that there is, of its own kind of place, and each row has a probe or a look. */
TEST(verify_table)
{
	bool tried[VERIFY_ROWS] = { false };

	for (unsigned i = 0; i < n_probes; i++) {
		const struct probe *p = &probes[i];
		int control = probe_find(p->control);

		tried[p->row] = true;
		CHECK_INT(probe_find(p->name), i);
		if (p->kind == KIND_CONTROL) {
			CHECK(!*p->control && !*p->answers);
			continue;
		}
		CHECK(*p->answers);
		if (*p->control == '@')
			continue;
		CHECK(control >= 0 && probes[control].kind == KIND_CONTROL);
		CHECK((probes[control].when == WHEN_GATE_OWN) == (p->when >= WHEN_GATE_OWN));
	}
	for (size_t i = 0; i < n_looks; i++)
		tried[looks[i].row] = true;
	for (size_t i = 0; i < VERIFY_ROWS; i++) {
		CHECK(verify_rows[i].name && verify_rows[i].needs);
		CHECK(tried[i]);
	}
}

TEST(verify_exit_status)
{
	struct verify_sum sum = { .n = { [VERDICT_REFUSED] = 9, [VERDICT_CONTROL] = 2, [VERDICT_VISIBLE] = 3 } };

	CHECK_INT(verify_exit(&sum), 0);
	sum.n[VERDICT_OPEN] = 1;
	CHECK_INT(verify_exit(&sum), 7);
	sum.n[VERDICT_THROUGH] = 1;
	CHECK_INT(verify_exit(&sum), 1);
}

static int checked(const char *text, size_t len, const char *path, const char *key)
{
	struct err err = { 0 };
	json_t *report = NULL;
	int r;

	CHECK_INT(file_write_atomic_at(AT_FDCWD, path, text, len, 0644), 0);
	r = report_check(path, key, &report, &err);
	json_decref(report);
	return r;
}

/* Every region of it: whatever byte is changed, taken out or added. */
TEST(verify_report_is_sealed)
{
	struct verify_sum sum = { .n = { [VERDICT_REFUSED] = 1 } };
	struct psv psv = { 0 }, other = { 0 };
	char *first = NULL, *second = NULL, *copy;
	char key[PATH_MAX], foreign[PATH_MAX];
	json_t *list = json_pack("[{s:s, s:s, s:s}]", "probe", "x", "server", "a", "against", "psv");
	struct err err = { 0 };
	struct stat st;
	size_t len, second_len, step;

	CHECK_INT(chdir(test_dir()), 0);
	(void)str_format(psv.lib, sizeof(psv.lib), "%s/lib", test_dir());
	(void)str_format(psv.etc, sizeof(psv.etc), "%s/etc", test_dir());
	(void)str_format(psv.run, sizeof(psv.run), "%s/run", test_dir());
	other = psv;
	(void)str_format(other.lib, sizeof(other.lib), "%s/other", test_dir());
	if (access("/usr/bin/openssl", X_OK) < 0)
		SKIP("no openssl");
	CHECK_INT(report_write(&psv, "r1", "1", list, &sum, &err), 0);
	CHECK_INT(report_write(&psv, "r2", "1", list, &sum, &err), 0);
	CHECK_INT(report_key(&psv, key, sizeof(key), &err), 0);
	CHECK_INT(report_key(&other, foreign, sizeof(foreign), &err), 0);
	CHECK_INT(stat("lib/verify/key.pem", &st), 0);
	CHECK_INT(st.st_mode & 07777, 0600);
	CHECK_INT(file_read_at(AT_FDCWD, "r1", REPORT_MAX_BYTES, &first, &len), 0);
	CHECK_INT(file_read_at(AT_FDCWD, "r2", REPORT_MAX_BYTES, &second, &second_len), 0);
	CHECK_INT(checked(first, len, "x", key), 0);
	CHECK_INT(checked(second, second_len, "x", key), 0);
	CHECK_INT(checked(first, len, "x", foreign), -EBADMSG);
	copy = xmalloc(len + 1);
	step = len / 60 + 1;
	for (size_t i = 0; i < len; i += step) {
		memcpy(copy, first, len);
		copy[i] ^= 1;
		CHECK_INT(checked(copy, len, "x", key), -EBADMSG);
	}
	CHECK_INT(checked(first, len - 1, "x", key), -EBADMSG);
	CHECK_INT(checked(first, 0, "x", key), -EBADMSG);
	memcpy(copy, first, len);
	copy[len] = '\n';
	CHECK_INT(checked(copy, len + 1, "x", key), -EBADMSG);
	/* Another report's signature under this one's text. */
	memcpy(copy, first, len);
	memcpy(copy + len - 132, second + second_len - 132, 132);
	CHECK_INT(checked(copy, len, "x", key), -EBADMSG);
	CHECK(strstr(second, "\"number\": 2") && !strstr(second, "\"previous_sha256\": \"\""));
	/* Whoever else can read the key could sign. */
	CHECK_INT(chmod("lib/verify/key.pem", 0640), 0);
	CHECK_INT(report_write(&psv, "r3", "1", list, &sum, &err), -EPERM);
	free(copy);
	free(first);
	free(second);
	json_decref(list);
}

/* The number and the copy beside the key: after a failure, and after a kill before the report was where it was asked for. */
TEST(verify_report_after_a_kill)
{
	struct verify_sum sum = { .n = { [VERDICT_REFUSED] = 1 } };
	struct psv psv = { 0 };
	json_t *list = json_array();
	char *kept = NULL, *second = NULL, *third = NULL;
	struct err err = { 0 };
	size_t kept_len, second_len, third_len;

	CHECK_INT(chdir(test_dir()), 0);
	(void)str_format(psv.lib, sizeof(psv.lib), "%s/lib", test_dir());
	if (access("/usr/bin/openssl", X_OK) < 0)
		SKIP("no openssl");
	CHECK_INT(report_write(&psv, "none/r1", "1", list, &sum, &err), -ENOENT);
	CHECK(access("lib/verify/last.report", F_OK) < 0);
	CHECK_INT(report_write(&psv, "r1", "1", list, &sum, &err), 0);
	CHECK_INT(report_write(&psv, "none/r2", "1", list, &sum, &err), -ENOENT);
	CHECK_INT(report_write(&psv, "r2", "1", list, &sum, &err), 0);
	CHECK_INT(file_read_at(AT_FDCWD, "r2", REPORT_MAX_BYTES, &second, &second_len), 0);
	CHECK_INT(file_read_at(AT_FDCWD, "lib/verify/last.report", REPORT_MAX_BYTES, &kept, &kept_len), 0);
	CHECK_INT(kept_len, second_len);
	CHECK_STR(kept, second);
	CHECK(strstr(second, "\"number\": 2"));
	/* What a kill leaves that comes before it. */
	CHECK_INT(unlink("r2"), 0);
	CHECK_INT(report_write(&psv, "r3", "1", list, &sum, &err), 0);
	CHECK_INT(file_read_at(AT_FDCWD, "r3", REPORT_MAX_BYTES, &third, &third_len), 0);
	CHECK(strstr(third, "\"number\": 3") && !strstr(third, "\"previous_sha256\": \"\""));
	free(kept);
	free(second);
	free(third);
	json_decref(list);
}

/* Several at once, the first of which makes the key. */
TEST(verify_reports_at_once)
{
	enum { AT_ONCE = 4 };
	struct verify_sum sum = { .n = { [VERDICT_REFUSED] = 1 } };
	struct psv psv = { 0 };
	json_t *list = json_array(), *report;
	struct err err = { 0 };
	char key[PATH_MAX], name[8];
	unsigned numbers = 0;
	int status;

	CHECK_INT(chdir(test_dir()), 0);
	(void)str_format(psv.lib, sizeof(psv.lib), "%s/lib", test_dir());
	if (access("/usr/bin/openssl", X_OK) < 0)
		SKIP("no openssl");
	for (int i = 0; i < AT_ONCE; i++) {
		(void)str_format(name, sizeof(name), "r%d", i);
		if (fork() == 0)
			_exit(report_write(&psv, name, "1", list, &sum, &err) == 0 ? 0 : 1);
	}
	for (int i = 0; i < AT_ONCE; i++) {
		CHECK(wait(&status) > 0);
		CHECK_INT(status, 0);
	}
	CHECK_INT(report_key(&psv, key, sizeof(key), &err), 0);
	for (int i = 0; i < AT_ONCE; i++) {
		(void)str_format(name, sizeof(name), "r%d", i);
		CHECK_INT(report_check(name, key, &report, &err), 0);
		numbers |= 1U << json_integer_value(json_object_get(report, "number"));
		json_decref(report);
	}
	CHECK_INT(numbers, 0x1e);
	json_decref(list);
}

/* ---- looks at a process whose first thread has ended, and whose other one has descriptors of its own ---- */

static const char *held_path;
static int tell_fd;

static void *hold(void *arg)
{
	int tid = gettid(), to;

	(void)arg;
	if (unshare(CLONE_FILES) < 0)
		_exit(1);
	to = fcntl(tell_fd, F_DUPFD_CLOEXEC, 1000);
	if (sys_close_range(0, 999, 0) < 0 || sys_close_range((unsigned)to + 1, UINT_MAX, 0) < 0 ||
	    (held_path ? open(held_path, O_RDONLY) : memfd_create("x", MFD_HUGETLB)) < 0 ||
	    write(to, &tid, sizeof(tid)) != (ssize_t)sizeof(tid))
		_exit(1);
	for (;;)
		(void)pause();
}

/* held: what look_descriptors says of one that holds what that path opens (NULL: memory of huge pages). */
static enum verdict held(const char *path, struct server *s)
{
	char answer[320], text[32];
	enum verdict verdict;
	int tell[2], tid;
	pthread_t t;
	pid_t pid;

	CHECK_INT(pipe(tell), 0);
	pid = fork();
	if (pid == 0) {
		held_path = path;
		tell_fd = tell[1];
		if (pthread_create(&t, NULL, hold, NULL) == 0)
			pthread_exit(NULL);
		_exit(1);
	}
	(void)close(tell[1]);
	CHECK_INT(read(tell[0], &tid, sizeof(tid)), sizeof(tid));
	(void)close(tell[0]);
	(void)str_format(text, sizeof(text), "%d\n", (int)pid);
	CHECK_INT(file_write_atomic_at(s->cgroup_fd, "cgroup.procs", text, strlen(text), 0600), 0);
	(void)str_format(text, sizeof(text), "%d\n", tid);
	CHECK_INT(file_write_atomic_at(s->cgroup_fd, "cgroup.threads", text, strlen(text), 0600), 0);
	CHECK_INT(look_filter(NULL, s, answer, sizeof(answer)), VERDICT_THROUGH);
	verdict = look_descriptors(NULL, s, answer, sizeof(answer));
	CHECK_INT(kill(pid, SIGKILL), 0);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	return verdict;
}

TEST(verify_looks_at_threads)
{
	static const char *const places[] = { "/", ".", "/proc/self/exe" };
	struct server s = { .st = { .init_pid = getpid() } };
	struct stat st;
	int huge;

	CHECK_INT(chdir(test_dir()), 0);
	for (size_t i = 0; i < 3; i++) {
		CHECK_INT(stat(places[i], &st), 0);
		s.superblocks[s.n_superblocks++] = st.st_dev;
	}
	s.cgroup_fd = dir_open(AT_FDCWD, ".");
	CHECK(s.cgroup_fd >= 0);
	CHECK_INT(held("/", &s), VERDICT_REFUSED);
	CHECK_INT(held("/proc/self/status", &s), VERDICT_THROUGH);
	CHECK_INT(held("/proc/thread-self/ns/mnt", &s), VERDICT_REFUSED);
	CHECK_INT(held("/proc/thread-self/ns/user", &s), VERDICT_REFUSED);
	huge = memfd_create("x", MFD_HUGETLB);
	if (huge >= 0)
		CHECK_INT(held(NULL, &s), VERDICT_REFUSED);
	/* Another's. */
	CHECK_INT(unshare(CLONE_NEWUTS), 0);
	s.st.init_pid = getppid();
	CHECK_INT(held("/proc/thread-self/ns/uts", &s), VERDICT_THROUGH);
}

/* Whoever reaches the Psv's sockets sends without end: the looks end, what came counts, and what did not come says nothing. */
TEST(verify_ends_in_a_flood)
{
	struct server s = { .token = "0123456789abcdef" };
	struct verify v = { .servers = &s, .n_servers = 1 };
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int to = socket(AF_INET, SOCK_DGRAM, 0), from = socket(AF_INET, SOCK_DGRAM, 0);
	char answer[320];
	pid_t pid;

	CHECK_INT(bind(to, (struct sockaddr *)&at, len), 0);
	CHECK_INT(getsockname(to, (struct sockaddr *)&at, &len), 0);
	CHECK_INT(connect(from, (struct sockaddr *)&at, len), 0);
	v.host.wild_udp = (struct listener){ .fd = to, .port = ntohs(at.sin_port) };
	v.host.ingress_ok = true;
	s.as_victim.n_addresses = 1;
	s.as_victim.addresses[0] = (struct ipaddr){ .family = AF_INET, .bytes = { 127, 0, 0, 1 } };
	victim_arrived(&v);
	CHECK(!v.flooded && !s.arrived);
	CHECK_INT(look_ingress_udp(&v, &s, answer, sizeof(answer)), VERDICT_THROUGH);
	s.as_victim.addresses[0].bytes[3] = 2; /* where nobody listens */
	CHECK_INT(look_ingress_udp(&v, &s, answer, sizeof(answer)), VERDICT_REFUSED);
	CHECK_INT(send(from, s.token, strlen(s.token), 0), strlen(s.token));
	pid = fork();
	if (pid == 0)
		for (;;)
			(void)send(from, "x", 1, MSG_DONTWAIT);
	while (!v.flooded)
		victim_arrived(&v);
	CHECK(s.arrived);
	CHECK_INT(look_ingress_udp(&v, &s, answer, sizeof(answer)), VERDICT_OPEN);
	CHECK_INT(kill(pid, SIGKILL), 0);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
}

TEST(verify_compares_superblocks)
{
	static struct verify v = { .superblocks = { 1, 2, 3 }, .n_superblocks = 3 };
	static struct server s = { .superblocks = { 8, 3 }, .n_superblocks = 2 };
	char answer[320];

	CHECK_INT(look_superblocks(&v, &s, NULL, answer, sizeof(answer)), VERDICT_THROUGH);
	s.superblocks[1] = 9;
	CHECK_INT(look_superblocks(&v, &s, NULL, answer, sizeof(answer)), VERDICT_REFUSED);
	/* Not all of them were read. */
	v.n_superblocks = sizeof(v.superblocks) / sizeof(*v.superblocks);
	CHECK_INT(look_superblocks(&v, &s, NULL, answer, sizeof(answer)), VERDICT_OPEN);
	v.superblocks[v.n_superblocks - 1] = 8;
	CHECK_INT(look_superblocks(&v, &s, NULL, answer, sizeof(answer)), VERDICT_THROUGH);
	v.n_superblocks = 0;
	CHECK_INT(look_superblocks(&v, &s, NULL, answer, sizeof(answer)), VERDICT_OPEN);
}

static int wait_for_end(void *arg)
{
	(void)arg;
	(void)pause();
	return 0;
}

/* astray: another process of its namespace is in a group of ours. */
static void astray(pid_t first, struct server *s)
{
	struct cgroup_layout l;
	char path[PATH_MAX], text[32], answer[320];
	int ns, group;
	pid_t pid;

	if (cgroup_layout(&l, NULL) < 0)
		return;
	(void)str_format(path, sizeof(path), "%s/vnas-unit-%d", l.v2, (int)getpid());
	if (mkdir(path, 0700) < 0)
		return; /* it is read-only here */
	group = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)str_format(text, sizeof(text), "/proc/%d/ns/pid", (int)first);
	ns = open(text, O_RDONLY | O_CLOEXEC);
	CHECK_INT(setns(ns, CLONE_NEWPID), 0);
	pid = fork();
	if (pid == 0)
		_exit(wait_for_end(NULL));
	CHECK_INT(look_group(NULL, s, answer, sizeof(answer)), VERDICT_REFUSED);
	(void)str_format(text, sizeof(text), "%d", (int)pid);
	ns = openat(group, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	CHECK_INT(write(ns, text, strlen(text)), strlen(text));
	CHECK_INT(look_group(NULL, s, answer, sizeof(answer)), VERDICT_THROUGH);
	CHECK_INT(kill(pid, SIGKILL), 0);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	CHECK_INT(rmdir(path), 0);
}

/* Its own processes are those of its PID namespace. */
TEST(verify_looks_at_groups)
{
	static char stack[16384];
	struct server s = { .cgroup_fd = -1 };
	char answer[320], text[32];
	pid_t pid = clone(wait_for_end, stack + sizeof(stack), CLONE_NEWPID | SIGCHLD, NULL);

	if (pid < 0)
		SKIP("no PID namespaces");
	CHECK_INT(chdir(test_dir()), 0);
	s.cgroup_fd = dir_open(AT_FDCWD, ".");
	s.st.init_pid = pid;
	CHECK_INT(file_write_atomic_at(s.cgroup_fd, "cgroup.procs", "", 0, 0600), 0);
	CHECK_INT(look_group(NULL, &s, answer, sizeof(answer)), VERDICT_THROUGH);
	(void)str_format(text, sizeof(text), "%d\n", (int)pid);
	CHECK_INT(file_write_atomic_at(s.cgroup_fd, "cgroup.procs", text, strlen(text), 0600), 0);
	CHECK_INT(look_group(NULL, &s, answer, sizeof(answer)), VERDICT_REFUSED);
	CHECK_STR(answer, "1 tasks");
	astray(pid, &s);
	CHECK_INT(kill(pid, SIGKILL), 0);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	CHECK_INT(look_group(NULL, &s, answer, sizeof(answer)), VERDICT_OPEN);
}
