/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "psv/psv.h"
#include "test.h"

static void open_psv(struct psv *psv)
{
	struct err err = { 0 };

	if (geteuid() != 0)
		SKIP("needs root: only root makes the folders");
	CHECK_INT(setenv("VNAS_PREFIX", test_dir(), 1), 0);
	if (psv_open(psv, &err) < 0)
		test_fail(__FILE__, __LINE__, err.text);
}

static void put(const char *folder, const char *name, const char *text)
{
	int fd = dir_open(AT_FDCWD, folder);

	CHECK(fd >= 0);
	CHECK_INT(file_write_atomic_at(fd, name, text, strlen(text), 0600), 0);
	(void)close(fd);
}

TEST(psv_open_makes_its_folders_below_the_prefix)
{
	struct psv psv, again;
	struct err err = { 0 };
	struct stat st;

	open_psv(&psv);
	CHECK(str_starts(psv.etc, test_dir()) && str_starts(psv.tag, "vnas-"));
	CHECK(stat(psv.lib, &st) == 0 && (st.st_mode & 07777) == 0700);
	CHECK(stat(psv.etc, &st) == 0 && (st.st_mode & 07777) == 0755);
	CHECK(stat(psv.run, &st) == 0 && (st.st_mode & 07777) == 0700);
	CHECK_INT(psv_open(&again, &err), 0);
	CHECK_STR(again.tag, psv.tag);
	psv_close(&again);
	put(psv.etc, "vnas.conf", "[pool");
	CHECK_INT(psv_open(&again, &err), -EINVAL);
	CHECK(strstr(err.text, "vnas.conf:1: "));
	psv_close(&psv);
	CHECK_INT(setenv("VNAS_PREFIX", "relative", 1), 0);
	CHECK_INT(psv_open(&again, &err), -EINVAL);
	CHECK_INT(err.exit, VNAS_EXIT_USAGE);
}

TEST(psv_list_is_sorted_and_takes_configurations_only)
{
	static const char *const files[] = { "b.conf", "a.conf", "vnas.conf", "psv.conf", ".x.conf", "c.conf~", "d", ".conf",
					     "e f.conf" };
	struct strlist names = { 0 };
	struct psv psv;

	open_psv(&psv);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		put(psv.etc, files[i], "");
	CHECK_INT(psv_list(&psv, &names, NULL), 0);
	CHECK_INT(names.n, 2);
	CHECK_STR(names.v[0], "a");
	CHECK_STR(names.v[1], "b");
	CHECK(psv_exists(&psv, "a", NULL) && !psv_exists(&psv, "c", NULL) && !psv_exists(&psv, "vnas", NULL) && !psv_exists(&psv, "../a", NULL));
	strlist_free(&names);
	psv_close(&psv);
}

static char noticed[256];

static void notice(const char *line)
{
	(void)str_copy(noticed, sizeof(noticed), line);
}

TEST(psv_lock_is_one_at_a_time_and_says_whose)
{
	struct err err = { 0 };
	struct psv psv;
	char want[80];
	int fd, registry;

	open_psv(&psv);
	CHECK(!psv_lock_held(&psv, "a"));
	fd = psv_lock(&psv, "a", "start", 0, NULL, &err);
	CHECK(fd >= 0 && psv_lock_held(&psv, "a") && !psv_lock_held(&psv, "b"));
	CHECK_INT(psv_lock(&psv, "a", "stop", 20, notice, &err), -EWOULDBLOCK);
	CHECK_INT(err.exit, VNAS_EXIT_IN_USE);
	(void)str_format(want, sizeof(want), "waiting for start of process %d", getpid());
	CHECK_STR(noticed, want);
	(void)str_format(want, sizeof(want), "a is being changed by start of process %d", getpid());
	CHECK_STR(err.text, want);
	/* The registry's and a Vsv of that name have two. */
	registry = psv_lock(&psv, NULL, "create", 0, NULL, &err);
	CHECK(registry >= 0 && psv_lock_held(&psv, NULL) && !psv_lock_held(&psv, "registry"));
	(void)close(registry);
	(void)close(fd);
	CHECK(!psv_lock_held(&psv, "a"));
	fd = psv_lock(&psv, "a", "stop", 0, NULL, &err);
	CHECK(fd >= 0);
	(void)close(fd);
	CHECK_INT(psv_lock(&psv, "../x", "stop", 0, NULL, &err), -EINVAL);
	psv_close(&psv);
}

TEST(psv_lock_is_freed_by_a_kill_and_waited_for)
{
	struct psv psv;
	int ready[2], fd;
	char c;
	pid_t pid;

	open_psv(&psv);
	CHECK_INT(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		if (psv_lock(&psv, "a", "start", 0, NULL, NULL) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		(void)pause();
		_exit(0);
	}
	CHECK_INT(read(ready[0], &c, 1), 1);
	CHECK(psv_lock_held(&psv, "a"));
	CHECK_INT(kill(pid, SIGKILL), 0);
	fd = psv_lock(&psv, "a", "stop", 5000, notice, NULL);
	CHECK(fd >= 0);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	(void)close(fd);
	psv_close(&psv);
}

/* Many processes that take, remove and release one lock: never two inside. */
TEST(psv_lock_holds_while_its_file_comes_and_goes)
{
	struct psv psv;
	char inside[PATH_MAX];

	open_psv(&psv);
	(void)str_format(inside, sizeof(inside), "%s/inside", test_dir());
	for (int i = 0; i < 4; i++) {
		if (fork() != 0)
			continue;
		for (int round = 0; round < 50; round++) {
			int fd = psv_lock(&psv, "a", "test", 20000, NULL, NULL), in;

			in = open(inside, O_CREAT | O_EXCL | O_CLOEXEC | O_WRONLY, 0600);
			if (fd < 0 || in < 0)
				_exit(1);
			(void)close(in);
			(void)unlink(inside);
			if (round % 2)
				psv_lock_remove(&psv, "a");
			(void)close(fd);
		}
		_exit(0);
	}
	for (int i = 0; i < 4; i++) {
		int status;

		CHECK(wait(&status) > 0);
		CHECK_INT(status, 0);
	}
	psv_close(&psv);
}

TEST(psv_ids_are_small_unique_and_stay)
{
	struct err err = { 0 };
	struct psv psv;
	char path[PATH_MAX + 16];
	uint32_t id = 0;

	open_psv(&psv);
	CHECK_INT(psv_id_get(&psv, "a", &id, &err), -ENOENT);
	CHECK_INT(psv_id_claim(&psv, "a", &id, &err), 0);
	CHECK_INT(id, 1);
	CHECK_INT(psv_id_claim(&psv, "b", &id, &err), 0);
	CHECK_INT(id, 2);
	CHECK_INT(psv_id_claim(&psv, "a", &id, &err), 0);
	CHECK_INT(id, 1);
	CHECK_INT(psv_id_release(&psv, "a", &err), 0);
	CHECK_INT(psv_id_release(&psv, "a", &err), 0);
	CHECK_INT(psv_id_release(&psv, "never", &err), 0);
	CHECK_INT(psv_id_claim(&psv, "c", &id, &err), 0);
	CHECK_INT(id, 1);
	CHECK_INT(psv_id_get(&psv, "b", &id, &err), 0);
	CHECK_INT(id, 2);
	/* A damaged number could be anybody's. */
	(void)str_format(path, sizeof(path), "%s/servers/b", psv.lib);
	put(path, "id", "0\n");
	CHECK_INT(psv_id_claim(&psv, "d", &id, &err), -EBADMSG);
	CHECK(strstr(err.text, "servers/b/id is damaged"));
	psv_close(&psv);
}

TEST(psv_ids_claimed_at_once_differ)
{
	struct psv psv;
	bool seen[64] = { 0 };

	open_psv(&psv);
	for (int i = 0; i < 8; i++) {
		if (fork() != 0)
			continue;
		for (int j = 0; j < 4; j++) {
			char name[16];
			uint32_t id;

			(void)str_format(name, sizeof(name), "v%d-%d", i, j);
			if (psv_id_claim(&psv, name, &id, NULL) < 0)
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < 8; i++) {
		int status;

		CHECK(wait(&status) > 0);
		CHECK_INT(status, 0);
	}
	for (int i = 0; i < 32; i++) {
		char name[16];
		uint32_t id = 0;

		(void)str_format(name, sizeof(name), "v%d-%d", i / 4, i % 4);
		CHECK_INT(psv_id_get(&psv, name, &id, NULL), 0);
		CHECK(id >= 1 && id <= 32 && !seen[id]);
		seen[id] = true;
	}
	psv_close(&psv);
}

TEST(state_is_written_and_read)
{
	struct state st = { .phase = VSV_RUNNING, .since = 1767323045, .id = 7, .generation = 3, .init_pid = getpid(),
			    .supervisor_pid = 12, .supervisor_start = 34, .n_addresses = 2 }, got;
	struct err err = { 0 };
	struct psv psv;

	open_psv(&psv);
	CHECK_INT(state_read(&psv, "a", &got, &err), 0);
	CHECK_INT(got.phase, VSV_STOPPED);
	CHECK_INT(pid_start_time(getpid(), &st.init_start), 0);
	(void)str_copy(st.step, sizeof(st.step), "addresses");
	(void)str_copy(st.template_name, sizeof(st.template_name), "abcdef");
	st.failure = xstrdup("no \"such\" thing\n");
	st.addresses = xcalloc(2, sizeof(*st.addresses));
	CHECK_INT(conf_address_parse("192.0.2.1/24@eth0", &st.addresses[0].a, &err), 0);
	CHECK_INT(conf_address_parse("2001:db8::1/64", &st.addresses[1].a, &err), 0);
	st.volumes = xcalloc(1, sizeof(*st.volumes));
	st.n_volumes = 1;
	(void)str_copy(st.volumes[0].name, sizeof(st.volumes[0].name), "data");
	st.volumes[0].rdev = makedev(259, 1048575);
	st.link = (struct state_link){ .kind = CONF_LINK_VETH, .interface = "br0", .host = "vnas-a", .was_up = true };
	st.addresses[0].ifindex = 5;
	st.addresses[0].added = true;
	CHECK_INT(state_write(&psv, "a", &st, &err), 0);
	CHECK_INT(state_read(&psv, "a", &got, &err), 0);
	CHECK(got.phase == VSV_RUNNING && got.since == st.since && got.id == 7 && got.generation == 3);
	CHECK(got.init_pid == getpid() && got.init_start == st.init_start && got.supervisor_pid == 12);
	CHECK_INT(got.supervisor_start, 34);
	CHECK_STR(got.step, "addresses");
	CHECK_STR(got.template_name, "abcdef");
	CHECK_STR(got.failure, st.failure);
	CHECK_INT(got.n_addresses, 2);
	CHECK(ipaddr_equal(&got.addresses[1].a.addr, &st.addresses[1].a.addr) && got.addresses[1].a.prefix == 64);
	CHECK_STR(got.addresses[0].a.interface, "eth0");
	CHECK(got.addresses[0].ifindex == 5 && got.addresses[0].added && !got.addresses[1].added);
	CHECK(got.n_volumes == 1 && got.volumes[0].rdev == makedev(259, 1048575));
	CHECK_STR(got.volumes[0].name, "data");
	CHECK(got.link.kind == CONF_LINK_VETH && got.link.was_up);
	CHECK_STR(got.link.interface, "br0");
	CHECK_STR(got.link.host, "vnas-a");
	CHECK_INT(state_phase(&psv, "a", &got), VSV_RUNNING);
	got.init_start++;
	CHECK_INT(state_phase(&psv, "a", &got), VSV_FAILED);
	state_free(&got);
	state_free(&st);
	CHECK_INT(state_remove(&psv, "a", &err), 0);
	CHECK_INT(state_remove(&psv, "a", &err), 0);
	CHECK_INT(state_read(&psv, "a", &got, &err), 0);
	CHECK_INT(got.phase, VSV_STOPPED);
	psv_close(&psv);
}

TEST(state_phase_of_a_zombie_is_failed)
{
	struct state st = { .phase = VSV_RUNNING };
	struct psv psv;
	siginfo_t info;

	open_psv(&psv);
	st.init_pid = fork();
	if (st.init_pid == 0) {
		(void)pause();
		_exit(0);
	}
	CHECK_INT(pid_start_time(st.init_pid, &st.init_start), 0);
	CHECK_INT(state_phase(&psv, "a", &st), VSV_RUNNING);
	CHECK_INT(kill(st.init_pid, SIGKILL), 0);
	CHECK_INT(waitid(P_PID, (id_t)st.init_pid, &info, WEXITED | WNOWAIT), 0);
	CHECK_INT(state_phase(&psv, "a", &st), VSV_FAILED);
	CHECK_INT(waitpid(st.init_pid, NULL, 0), st.init_pid);
	CHECK_INT(state_phase(&psv, "a", &st), VSV_FAILED);
	psv_close(&psv);
}

TEST(state_phase_of_what_was_interrupted)
{
	struct state st = { .phase = VSV_STARTING };
	struct psv psv;
	int fd;

	open_psv(&psv);
	CHECK_INT(state_phase(&psv, "a", &st), VSV_FAILED);
	fd = psv_lock(&psv, "a", "start", 0, NULL, NULL);
	CHECK(fd >= 0);
	CHECK_INT(state_phase(&psv, "a", &st), VSV_STARTING);
	(void)close(fd);
	st.phase = VSV_STOPPING;
	CHECK_INT(state_phase(&psv, "a", &st), VSV_FAILED);
	st.phase = VSV_STOPPED;
	CHECK_INT(state_phase(&psv, "a", &st), VSV_STOPPED);
	psv_close(&psv);
}

TEST(state_of_another_boot_is_stopped)
{
	char path[PATH_MAX];
	struct state got;
	struct psv psv;

	open_psv(&psv);
	CHECK_INT(state_write(&psv, "a", &(struct state){ .phase = VSV_RUNNING, .id = 3 }, NULL), 0);
	CHECK(str_format(path, sizeof(path), "%s/a", psv.run));
	put(path, "state.json", "{\"phase\":\"running\",\"boot_id\":\"another\",\"id\":3}");
	CHECK_INT(state_read(&psv, "a", &got, NULL), 0);
	CHECK(got.phase == VSV_STOPPED && got.id == 0);
	psv_close(&psv);
}

TEST(state_damaged_is_said_and_never_a_crash)
{
	static const char *const bad[] = {
		"", "x", "{", "[]", "{}", "\"x\"", "null", "{\"phase\":\"running\"}", "{\"phase\":7,\"boot_id\":\"x\"}",
		"{\"phase\":\"dancing\",\"boot_id\":\"x\"}", "{\"phase\":\"failed\",\"boot_id\":\"x\",\"id\":-1}",
		"{\"phase\":\"failed\",\"boot_id\":\"x\",\"id\":65536}", "{\"phase\":\"failed\",\"boot_id\":\"x\",\"id\":\"1\"}",
		"{\"phase\":\"failed\",\"boot_id\":\"x\",\"id\":1,\"id\":2}",
		"{\"phase\":\"failed\",\"boot_id\":\"x\",\"since\":1e99}",
		"{\"phase\":\"failed\",\"boot_id\":\"x\",\"since\":99999999999999999999}",
		"{\"phase\":\"failed\",\"boot_id\":\"x\",\"init_pid\":4294967297}",
		"{\"phase\":\"failed\",\"boot_id\":\"x\",\"failure\":[]}",
		"{\"phase\":\"failed\",\"boot_id\":\"x\",\"addresses\":{}}",
		"{\"phase\":\"failed\",\"boot_id\":\"x\",\"addresses\":[7]}",
		"{\"phase\":\"failed\",\"boot_id\":\"x\",\"addresses\":[{\"address\":\"192.0.2.1\",\"prefix\":33}]}",
		"{\"phase\":\"failed\",\"boot_id\":\"x\",\"volumes\":[[]]}",
		"{\"phase\":\"failed\",\"boot_id\":\"x\",\"link\":[]}",
		"{\"phase\":\"failed\",\"boot_id\":\"x\",\"link\":{\"kind\":\"tunnel\",\"parent\":\"eth0\"}}",
		"{\"phase\":\"failed\",\"boot_id\":\"x\",\"link\":{\"kind\":\"veth\",\"parent\":\"abcdefghijklmnopq\"}}",
		"{\"phase\":\"failed\",\"boot_id\":\"x\",\"volumes\":[{\"name\":\"a\",\"major\":-1}]}",
		"{\"phase\":\"failed\",\"boot_id\":\"0123456789012345678901234567890123456789\"}",
	};
	struct state got = { .id = 99 };
	char path[PATH_MAX];
	struct psv psv;

	open_psv(&psv);
	CHECK_INT(state_write(&psv, "a", &(struct state){ 0 }, NULL), 0);
	CHECK(str_format(path, sizeof(path), "%s/a", psv.run));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct err err = { 0 };

		put(path, "state.json", bad[i]);
		if (state_read(&psv, "a", &got, &err) != -EBADMSG)
			test_fail(__FILE__, __LINE__, bad[i]);
		CHECK(strstr(err.text, "/a/state.json is damaged: ") && strstr(err.hint, "'vnas stop a'"));
		CHECK_INT(got.id, 99);
	}
	psv_close(&psv);
}

TEST(state_read_brief_stops_before_the_lists)
{
	static const char cut[] = "{\"phase\":\"failed\",\"boot_id\":\"x\",\"id\":1,\"addresses\":[7";
	static const char before[] = "{\"phase\":\"failed\",\"boot_id\":\"x\",\"id\":-1,\"addresses\":[]}";
	static const char spaced[] = "{\"phase\":\"failed\",\"boot_id\":\"x\", \"addresses\": [7]}";
	struct state_address at = { .a = { .addr = { AF_INET, { 192, 0, 2, 1 } }, .prefix = 24, .interface = "lan" } };
	struct state_volume volume = { .name = "root" };
	static char failure[] = "why";
	struct state got = { .id = 99 }, put_in = { .phase = VSV_FAILED, .step = "init", .since = 7, .id = 8, .init_pid = 9, .init_start = 10,
		.supervisor_pid = 11, .template_name = ",\"addresses\":[", .addresses = &at, .n_addresses = 1, .volumes = &volume, .n_volumes = 1,
		.link = { .kind = CONF_LINK_VETH, .interface = "br0" }, .failure = failure };
	char path[PATH_MAX];
	struct psv psv;

	open_psv(&psv);
	CHECK_INT(state_read_brief(&psv, "a", &got, NULL), 0);
	CHECK_INT(got.phase, VSV_STOPPED);
	CHECK_INT(state_write(&psv, "a", &put_in, NULL), 0);
	CHECK_INT(state_read_brief(&psv, "a", &got, NULL), 0);
	CHECK(got.phase == VSV_FAILED && got.since == 7 && got.id == 8 && got.init_pid == 9 && got.init_start == 10 && got.supervisor_pid == 11);
	CHECK_STR(got.step, "init");
	CHECK_STR(got.template_name, put_in.template_name);
	CHECK(got.n_addresses == 0 && got.n_volumes == 0 && got.link.kind == CONF_LINK_AUTO && !got.failure);
	state_free(&got);

	/* What is damaged there is seen by who reads it; what is damaged before it, by both. */
	CHECK(str_format(path, sizeof(path), "%s/a", psv.run));
	put(path, "state.json", cut);
	CHECK_INT(state_read(&psv, "a", &got, NULL), -EBADMSG);
	CHECK_INT(state_read_brief(&psv, "a", &got, NULL), 0);
	put(path, "state.json", before);
	CHECK_INT(state_read(&psv, "a", &got, NULL), -EBADMSG);
	CHECK_INT(state_read_brief(&psv, "a", &got, NULL), -EBADMSG);
	/* Not as state_write has it: it is read whole. */
	put(path, "state.json", spaced);
	CHECK_INT(state_read_brief(&psv, "a", &got, NULL), -EBADMSG);
	psv_close(&psv);
}

TEST(event_log_appends_lines_and_stays_small)
{
	char path[PATH_MAX], *text, detail[1000];
	struct psv psv;
	uint32_t id;
	size_t len;

	open_psv(&psv);
	event_log(&psv, "nobody", "start", "no folder, no failure");
	CHECK_INT(psv_id_claim(&psv, "a", &id, NULL), 0);
	event_log(&psv, "a", "start", "with \"%s\" and \xff\n", "quotes");
	event_log(&psv, NULL, "boot", "of the Psv");
	CHECK(str_format(path, sizeof(path), "%s/servers/a/events.jsonl", psv.lib));
	CHECK_INT(file_read_at(AT_FDCWD, path, 2000, &text, &len), 0);
	CHECK(strstr(text, "\"server\":\"a\",\"event\":\"start\",\"detail\":\"with \\\"quotes\\\" and ?\\n\"}\n"));
	free(text);
	memset(detail, 'x', sizeof(detail) - 1);
	detail[sizeof(detail) - 1] = '\0';
	for (int i = 0; i < 1200; i++)
		event_log(&psv, "a", "fill", "%d %s", i, detail);
	CHECK_INT(file_read_at(AT_FDCWD, path, 1024 * 1024, &text, &len), 0);
	CHECK(len > 256 * 1024 && str_starts(text, "{\"time\":") && strstr(text, "\"detail\":\"1199 x"));
	CHECK(!strstr(text, "quotes"));
	free(text);
	psv_close(&psv);
}
