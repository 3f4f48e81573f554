/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate as a thing that is put up, changed, upgraded and taken away; what is unknown to it; and what it says when it
 * cannot be had. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate/gate.h"
#include "gate/gate_sys.h"
#include "lib/err.h"
#include "test.h"
#include "test_gate.h"

enum { PORT = 4470, PROTO_MPTCP = 262 };

static int tcp(struct machine *m, enum place p, const char *host)
{
	int fd = machine_socket(m, p, strchr(host, ':') ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	CHECK(fd >= 0);
	return fd;
}

static int tcp_listener(struct machine *m, enum place p, const char *host, uint16_t port)
{
	int fd = tcp(m, p, host);

	CHECK_INT(do_bind(fd, host, port), 0);
	CHECK_INT(do_listen(fd), 0);
	return fd;
}

static int tcp_try(struct machine *m, enum place p, const char *host, uint16_t port)
{
	int fd = tcp(m, p, host), r = do_connect(fd, host, port);

	(void)close(fd);
	return r;
}

static int try_bind(struct machine *m, enum place p, const char *host)
{
	int fd = tcp(m, p, host), r = do_bind(fd, host, PORT);

	(void)close(fd);
	return r;
}

static void sockets_body(struct machine *m)
{
	static const struct {
		int family, type, protocol;
		bool allowed;
	} rows[] = {
		{ AF_INET, SOCK_STREAM, 0, true },
		{ AF_INET, SOCK_STREAM, IPPROTO_TCP, true },
		{ AF_INET6, SOCK_DGRAM, IPPROTO_UDP, true },
		{ AF_UNIX, SOCK_STREAM, 0, true },
		{ AF_NETLINK, SOCK_RAW, 0, true },
		{ AF_INET, SOCK_RAW, IPPROTO_RAW, false },
		{ AF_INET, SOCK_RAW, IPPROTO_ICMP, false },
		{ AF_INET6, SOCK_RAW, IPPROTO_TCP, false },
		{ AF_INET, SOCK_DGRAM, IPPROTO_ICMP, false },
		{ AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, false },
		{ AF_INET, SOCK_STREAM, PROTO_MPTCP, false },
		{ AF_INET, SOCK_STREAM, IPPROTO_SCTP, false },
		{ AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, false },
		{ AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE, false },
	};
	uint64_t expected = 0;

	/* Ping sockets are open to all groups here, so that it is the gate that refuses. */
	{
		int fd = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY | O_CLOEXEC);

		CHECK(fd >= 0 && write(fd, "0 0", 3) == 3);
		(void)close(fd);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int psv = machine_socket(m, PSV, rows[i].family, rows[i].type, rows[i].protocol);
		int vsv = machine_socket(m, VSV_A, rows[i].family, rows[i].type, rows[i].protocol);

		(void)close(psv);
		(void)close(vsv);
		if (psv == -EPROTONOSUPPORT || psv == -ESOCKTNOSUPPORT)
			continue; /* this kernel has none */
		CHECK(psv >= 0);
		expected += !rows[i].allowed;
		if (rows[i].allowed ? vsv >= 0 : vsv == -EPERM)
			continue;
		(void)fprintf(stderr, "    family %d type %d protocol %d: %d\n", rows[i].family, rows[i].type,
			      rows[i].protocol, vsv);
		CHECK(!"socket");
	}
	CHECK(expected >= 4);
	CHECK_INT(refused(m, VSV_A, GATE_SOCKET), expected);
}

TEST(gate_sockets)
{
	machine_test(sockets_body);
}

/* A cgroup that has the programs but no number: everything is refused. */
static void stranger_body(struct machine *m)
{
	union bpf_attr attr = { 0 };

	CHECK_INT(gate_attach(m->bpf_dir, m->cgroup[STRANGER], 9, NULL), -ENOENT); /* no such id: half attached */
	attr.query.target_fd = (uint32_t)m->cgroup[STRANGER];
	attr.query.attach_type = BPF_CGROUP_INET4_BIND;
	CHECK_INT(gate_bpf(BPF_PROG_QUERY, &attr), 0);
	CHECK_INT(attr.query.prog_cnt, 1);
	CHECK_INT(machine_socket(m, STRANGER, AF_INET, SOCK_STREAM, 0), -EPERM);
	CHECK_INT(machine_socket(m, STRANGER, AF_INET6, SOCK_DGRAM, 0), -EPERM);
	/* And one whose configuration is taken away under it, with sockets that it has already. */
	{
		int bound = tcp(m, VSV_A, "192.0.2.11"), fresh = tcp(m, VSV_A, "192.0.2.11"), fd;
		int own = machine_socket(m, VSV_A, AF_INET, SOCK_DGRAM, 0);

		CHECK_INT(do_bind(bound, "192.0.2.11", PORT), 0);
		CHECK_INT(gate_clear(m->bpf_dir, 1, NULL), 0);
		CHECK_INT(machine_socket(m, VSV_A, AF_INET, SOCK_STREAM, 0), -EPERM);
		CHECK_INT(do_bind(fresh, "192.0.2.11", PORT + 1), -EADDRNOTAVAIL);
		CHECK_INT(do_connect(bound, "192.0.2.100", PORT), -EPERM);
		CHECK_INT(do_sendto(own, "192.0.2.100", PORT, NULL), -EPERM);
		CHECK_INT(gate_set(m->bpf_dir, &m->config[VSV_A], NULL), 0);
		fd = machine_socket(m, VSV_A, AF_INET, SOCK_STREAM, 0);
		CHECK(fd >= 0);
		CHECK_INT(do_bind(fresh, "192.0.2.11", PORT + 1), 0);
	}
	/* A second attach finishes the first, a third changes nothing; another number is refused. */
	{
		struct gate_config c = m->config[VSV_A];

		c.id = 9;
		c.n_addresses = 0;
		CHECK_INT(gate_set(m->bpf_dir, &c, NULL), 0);
		for (int i = 0; i < 2; i++)
			CHECK_INT(gate_attach(m->bpf_dir, m->cgroup[STRANGER], 9, NULL), 0);
		CHECK_INT(gate_attach(m->bpf_dir, m->cgroup[STRANGER], 1, NULL), -EBUSY);
		attr.query.prog_cnt = 0;
		CHECK_INT(gate_bpf(BPF_PROG_QUERY, &attr), 0);
		CHECK_INT(attr.query.prog_cnt, 1);
		/* No address at all: its loopback works, nothing else does. */
		CHECK_INT(try_bind(m, STRANGER, "127.0.0.1"), 0);
		CHECK_INT(try_bind(m, STRANGER, "192.0.2.11"), -EADDRNOTAVAIL);
		CHECK_INT(tcp_try(m, STRANGER, "192.0.2.100", PORT), -EADDRNOTAVAIL);
	}
}

TEST(gate_stranger)
{
	machine_test(stranger_body);
}

/* A cgroup below a Vsv's is the Vsv's. */
static void below_body(struct machine *m)
{
	int above = m->cgroup[VSV_A];

	CHECK(mkdirat(above, "below", 0755) == 0);
	m->cgroup[VSV_A] = openat(above, "below", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	CHECK_INT(try_bind(m, VSV_A, "192.0.2.11"), 0);
	CHECK_INT(try_bind(m, VSV_A, "192.0.2.21"), -EADDRNOTAVAIL);
	CHECK_INT(machine_socket(m, VSV_A, AF_INET, SOCK_RAW, IPPROTO_RAW), -EPERM);
	CHECK(unlinkat(above, "below", AT_REMOVEDIR) == 0);
}

TEST(gate_cgroup_below)
{
	machine_test(below_body);
}

static void change_body(struct machine *m)
{
	struct gate_config c = m->config[VSV_A], b = m->config[VSV_B];
	int at = tcp_listener(m, VSV_A, "0.0.0.0", PORT);
	struct err err = { 0 };

	CHECK(at >= 0);
	/* An address taken from a running Vsv, and given to the next. */
	b.addresses[b.n_addresses++] = c.addresses[1];
	CHECK_INT(gate_set(m->bpf_dir, &b, &err), -EADDRINUSE);
	CHECK_STR(err.text, "192.0.2.12 belongs to the Vsv with number 1");
	CHECK_INT(try_bind(m, VSV_B, "192.0.2.12"), -EADDRNOTAVAIL);
	c.addresses[1] = c.addresses[2];
	c.n_addresses = 2;
	CHECK_INT(gate_set(m->bpf_dir, &c, NULL), 0);
	CHECK_INT(tcp_try(m, CLIENT, "192.0.2.11", PORT), 0);
	CHECK_INT(tcp_try(m, CLIENT, "192.0.2.12", PORT), -ECONNREFUSED);
	CHECK_INT(try_bind(m, VSV_A, "192.0.2.12"), -EADDRNOTAVAIL);
	CHECK_INT(gate_set(m->bpf_dir, &b, NULL), 0);
	CHECK_INT(try_bind(m, VSV_B, "192.0.2.12"), 0);
	CHECK_INT(tcp_try(m, CLIENT, "192.0.2.12", PORT), -ECONNREFUSED);
	/* And back: the listener that stands serves it at once. */
	CHECK_INT(gate_set(m->bpf_dir, &m->config[VSV_B], NULL), 0);
	CHECK_INT(gate_set(m->bpf_dir, &m->config[VSV_A], NULL), 0);
	CHECK_INT(tcp_try(m, CLIENT, "192.0.2.12", PORT), 0);
}

TEST(gate_change)
{
	machine_test(change_body);
}

static void deny_body(struct machine *m)
{
	int at = tcp_listener(m, CLIENT, "::", PORT);
	struct gate_config c = m->config[VSV_A];
	uint8_t prefix;

	CHECK(at >= 0);
	CHECK_INT(tcp_try(m, VSV_A, "192.0.2.100", PORT), 0);
	CHECK_INT(ipaddr_parse_prefix("192.0.2.96/28", &c.denies[0].net, &prefix), 0);
	c.denies[0].prefix = prefix;
	CHECK_INT(ipaddr_parse_prefix("2001:db8::100/128", &c.denies[1].net, &prefix), 0);
	c.denies[1].prefix = prefix;
	c.n_denies = 2;
	CHECK_INT(gate_set(m->bpf_dir, &c, NULL), 0);
	CHECK_INT(tcp_try(m, VSV_A, "192.0.2.100", PORT), -EPERM);
	CHECK_INT(tcp_try(m, VSV_A, "2001:db8::100", PORT), -EPERM);
	CHECK_INT(do_sendto(machine_socket(m, VSV_A, AF_INET, SOCK_DGRAM, 0), "192.0.2.100", PORT, NULL), -EPERM);
	CHECK_INT(tcp_try(m, VSV_B, "192.0.2.100", PORT), 0);
}

TEST(gate_deny)
{
	machine_test(deny_body);
}

/* In a network namespace of its own the wildcard and the loopback are its own already; foreign addresses are not, with
 * IP_FREEBIND in particular. */
static void own_stack_body(struct machine *m)
{
	struct gate_config c = m->config[VSV_A];
	int at, fd = tcp(m, VSV_A, "192.0.2.1");
	char peer[64];

	c.own_stack = true;
	CHECK_INT(gate_set(m->bpf_dir, &c, NULL), 0);
	CHECK_INT(set_option(fd, IPPROTO_IP, IP_FREEBIND, 1), 0);
	CHECK_INT(do_bind(fd, "192.0.2.77", PORT), -EADDRNOTAVAIL);
	CHECK_INT(try_bind(m, VSV_A, "192.0.2.11"), 0);
	CHECK_INT(try_bind(m, VSV_A, "127.0.0.2"), 0);
	at = tcp_listener(m, VSV_A, "127.0.0.1", PORT);
	CHECK_INT(tcp_try(m, VSV_A, "127.0.0.1", PORT), 0);
	CHECK(do_accept(at, 1000, peer) >= 0);
	CHECK_STR(peer, "127.0.0.1");
	fd = tcp(m, VSV_A, "0.0.0.0");
	CHECK_INT(do_bind(fd, "0.0.0.0", PORT + 1), 0);
	CHECK_STR(name_of(fd, 0, NULL), "0.0.0.0");
	CHECK_INT(do_listen(fd), 0);
	fd = tcp(m, VSV_A, "192.0.2.11");
	CHECK_INT(do_bind(fd, "192.0.2.11", PORT + 1), -EADDRINUSE);
	fd = machine_socket(m, VSV_A, AF_INET, SOCK_DGRAM, 0);
	CHECK_INT(do_sendto(fd, "192.0.2.100", PORT, "192.0.2.21"), -EADDRNOTAVAIL);
	CHECK_INT(do_sendto(fd, "192.0.2.100", PORT, "192.0.2.12"), 0);
}

TEST(gate_own_stack)
{
	machine_test(own_stack_body);
}

/* --- its life --- */

static void put_up_and_die(struct machine *m, const char *dir)
{
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK_INT(gate_ensure(dir, NULL), 0);
		CHECK_INT(gate_set(dir, &m->config[VSV_A], NULL), 0);
		CHECK_INT(gate_set(dir, &m->config[VSV_B], NULL), 0);
		(void)kill(getpid(), SIGKILL);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
}

static bool has_entry(const char *dir, const char *prefix)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	bool found = false;

	CHECK(d);
	while (!found && (e = readdir(d)))
		found = strncmp(e->d_name, prefix, strlen(prefix)) == 0;
	(void)closedir(d);
	return found;
}

/* All that the gate is stays when its loader is killed, and a new build takes over without a gap for those that run. */
static void upgrade_body(struct machine *m)
{
	int at = tcp_listener(m, VSV_A, "0.0.0.0", PORT), psv = tcp_listener(m, PSV, "192.0.2.1", PORT);
	char ours[GATE_PATH_MAX], older[GATE_PATH_MAX];

	CHECK(at >= 0 && psv >= 0);
	CHECK_INT(gate_program_path(m->bpf_dir, "", ours), 0);
	ours[strlen(ours) - 1] = '\0';
	(void)snprintf(older, sizeof(older), "%.200s/progs-0123456789abcdef", m->bpf_dir);
	CHECK(rename(ours, older) == 0); /* now the programs that run are another build's */
	put_up_and_die(m, m->bpf_dir);
	CHECK(access(ours, F_OK) == 0);
	CHECK(access(older, F_OK) < 0);
	CHECK_INT(tcp_try(m, CLIENT, "192.0.2.12", PORT), 0);
	CHECK_INT(tcp_try(m, CLIENT, "192.0.2.21", PORT), -ECONNREFUSED);
	CHECK_INT(try_bind(m, VSV_A, "192.0.2.21"), -EADDRNOTAVAIL);
	CHECK_INT(tcp_try(m, VSV_A, "192.0.2.1", PORT), -ECONNREFUSED);
	/* Cut off in the middle of loading: what is half there is made anew. */
	CHECK(rename(ours, older) == 0);
	CHECK(mkdir(ours, 0700) == 0);
	CHECK_INT(gate_ensure(m->bpf_dir, NULL), 0);
	(void)snprintf(ours + strlen(ours), sizeof(ours) - strlen(ours), "/gate_bind4");
	CHECK(access(ours, F_OK) == 0);
	CHECK_INT(tcp_try(m, CLIENT, "192.0.2.12", PORT), 0);
	/* Taken away whole. */
	CHECK_INT(gate_unload(m->bpf_dir, NULL), 0);
	CHECK(!has_entry(m->bpf_dir, "maps"));
	CHECK_INT(gate_clear(m->bpf_dir, 1, NULL), 0);
	CHECK_INT(tcp_try(m, PSV, "192.0.2.12", PORT), -ECONNREFUSED);
}

TEST(gate_upgrade)
{
	machine_test(upgrade_body);
}

static void rename_in(const struct machine *m, const char *from, const char *to)
{
	char a[GATE_PATH_MAX], b[GATE_PATH_MAX];

	(void)snprintf(a, sizeof(a), "%s/%s", m->bpf_dir, from);
	(void)snprintf(b, sizeof(b), "%s/%s", m->bpf_dir, to);
	CHECK(rename(a, b) == 0);
}

/* Tables of another layout: those that run keep theirs, and both know whose an address is.  B moves to the new build, A
 * stays in the old. */
static void layout_body(struct machine *m)
{
	char ours[GATE_PATH_MAX], link[64], old_link[64], maps[32];
	struct err err = { 0 };
	int a = tcp_listener(m, VSV_A, "0.0.0.0", PORT), b;
	struct stat st;

	CHECK_INT(gate_clear(m->bpf_dir, 2, NULL), 0); /* B is stopped */
	CHECK(a >= 0 && stat("/proc/self/ns/net", &st) == 0);
	CHECK_INT(gate_program_path(m->bpf_dir, "", ours), 0);
	ours[strlen(ours) - 1] = '\0';
	(void)snprintf(link, sizeof(link), "lookup-%d-%u", GATE_LAYOUT, (unsigned)st.st_ino);
	(void)snprintf(old_link, sizeof(old_link), "lookup-99-%u", (unsigned)st.st_ino);
	rename_in(m, link, old_link);
	(void)snprintf(maps, sizeof(maps), "maps-%d", GATE_LAYOUT);
	rename_in(m, maps, "maps-99");
	rename_in(m, strrchr(ours, '/') + 1, "progs-0123456789abcdef");
	CHECK_INT(gate_ensure(m->bpf_dir, NULL), 0);
	CHECK(has_entry(m->bpf_dir, "maps-99") && has_entry(m->bpf_dir, "lookup-99"));
	m->config[VSV_B].addresses[2] = m->config[VSV_A].addresses[0];
	m->config[VSV_B].n_addresses = 3;
	CHECK_INT(gate_set(m->bpf_dir, &m->config[VSV_B], &err), -EADDRINUSE);
	m->config[VSV_B].n_addresses = 2;
	CHECK_INT(gate_set(m->bpf_dir, &m->config[VSV_B], NULL), 0);
	CHECK_INT(gate_attach(m->bpf_dir, m->cgroup[STRANGER], 2, NULL), 0);
	CHECK_INT(gate_serves(m->bpf_dir, 2, NULL), 0);
	CHECK_INT(gate_serves(m->bpf_dir, 1, &err), -ESTALE);
	CHECK_INT(gate_serves("/nonexistent", 1, NULL), -ESTALE);
	b = tcp_listener(m, STRANGER, "0.0.0.0", PORT);
	CHECK(b >= 0);
	CHECK_INT(tcp_try(m, CLIENT, "192.0.2.12", PORT), 0);
	CHECK_INT(tcp_try(m, CLIENT, "192.0.2.21", PORT), 0);
	CHECK_INT(tcp_try(m, CLIENT, "192.0.2.12", PORT + 1), -ECONNREFUSED);
	CHECK_INT(try_bind(m, STRANGER, "192.0.2.12"), -EADDRNOTAVAIL);
	CHECK_INT(try_bind(m, VSV_A, "192.0.2.21"), -EADDRNOTAVAIL);
	CHECK_INT(tcp_try(m, STRANGER, "192.0.2.12", PORT), -EPERM);
	CHECK_INT(tcp_try(m, VSV_A, "192.0.2.21", PORT), -EPERM);
	CHECK(tcp_listener(m, PSV, "192.0.2.1", PORT) >= 0);
	CHECK_INT(tcp_try(m, CLIENT, "192.0.2.1", PORT), 0);
	CHECK_INT(tcp_try(m, STRANGER, "192.0.2.1", PORT), -ECONNREFUSED);
	CHECK_INT(tcp_try(m, VSV_A, "192.0.2.1", PORT), -ECONNREFUSED);
	/* A is stopped: its addresses are free, and the next load sweeps what nobody uses any more. */
	CHECK_INT(gate_clear(m->bpf_dir, 1, NULL), 0);
	CHECK_INT(machine_socket(m, VSV_A, AF_INET, SOCK_STREAM, 0), -EPERM);
	m->config[VSV_B].n_addresses = 3;
	CHECK_INT(gate_set(m->bpf_dir, &m->config[VSV_B], NULL), 0);
	rename_in(m, strrchr(ours, '/') + 1, "progs-0123456789abcdef");
	CHECK_INT(gate_ensure(m->bpf_dir, NULL), 0);
	CHECK(!has_entry(m->bpf_dir, "maps-99") && !has_entry(m->bpf_dir, "lookup-99"));
	CHECK_INT(tcp_try(m, CLIENT, "192.0.2.11", PORT), 0);
}

/* An address whose owner has no configuration, and no other gate: nobody's listener is reached at it. */
static void ownerless_body(struct machine *m)
{
	int map = gate_map_open(m->bpf_dir, "vsv", NULL);
	uint32_t id = 1;

	CHECK(map >= 0 && tcp_listener(m, PSV, "0.0.0.0", PORT) >= 0);
	CHECK_INT(tcp_try(m, CLIENT, "192.0.2.1", PORT), 0);
	CHECK_INT(tcp_try(m, CLIENT, "192.0.2.11", PORT), -ECONNREFUSED);
	CHECK_INT(gate_map_delete(map, &id), 0);
	CHECK_INT(tcp_try(m, CLIENT, "192.0.2.11", PORT), -ECONNREFUSED);
	CHECK_INT(tcp_try(m, CLIENT, "192.0.2.1", PORT), 0);
	(void)close(map);
}

TEST(gate_address_without_an_owner)
{
	machine_test(ownerless_body);
}

TEST(gate_other_layout)
{
	machine_test(layout_body);
}

static void fresh_body(struct machine *m)
{
	char dir[192];

	(void)snprintf(dir, sizeof(dir), "%s/second", test_dir());
	put_up_and_die(m, dir);
	CHECK_INT(gate_attach(dir, m->cgroup[STRANGER], 1, NULL), 0);
	CHECK_INT(try_bind(m, STRANGER, "192.0.2.11"), 0);
	CHECK_INT(try_bind(m, STRANGER, "192.0.2.21"), -EADDRNOTAVAIL);
	CHECK_INT(gate_unload(dir, NULL), 0);
	/* Attachments belong to the cgroup. */
	CHECK_INT(try_bind(m, STRANGER, "192.0.2.21"), -EADDRNOTAVAIL);
	CHECK_INT(gate_unload(dir, NULL), 0);
}

TEST(gate_outlives_its_loader)
{
	machine_test(fresh_body);
}

/* --- what it cannot see --- */

/* failed: what gate_ensure and gate_clear answer, in a process for which one command of bpf(2) fails. */
static int failed(const char *dir, uint32_t id, uint32_t command)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		test_fail_call(SYS_bpf, 0, command, ENOMEM);
		_exit(-(id ? gate_clear(dir, id, NULL) : gate_ensure(dir, NULL)));
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return -WEXITSTATUS(status);
}

/* A look that fails takes nothing for gone: the pin that holds gate_lookup stays, and a number that could not be looked up is not free. */
static void unseen_body(struct machine *m)
{
	static const uint32_t commands[] = { BPF_MAP_LOOKUP_ELEM, BPF_MAP_DELETE_ELEM, BPF_OBJ_GET };
	char path[GATE_PATH_MAX];
	struct stat st;

	CHECK(stat("/proc/self/ns/net", &st) == 0);
	gate_link_path(m->bpf_dir, (uint32_t)st.st_ino, path);
	CHECK(access(path, F_OK) == 0);
	CHECK_INT(failed(m->bpf_dir, 0, BPF_OBJ_GET_INFO_BY_FD), -ENOMEM);
	CHECK(access(path, F_OK) == 0);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		CHECK_INT(failed(m->bpf_dir, 1, commands[i]), -ENOMEM);
		CHECK_INT(gate_serves(m->bpf_dir, 1, NULL), 0);
	}
	CHECK_INT(gate_clear(m->bpf_dir, 1, NULL), 0);
	CHECK_INT(gate_serves(m->bpf_dir, 1, NULL), -ESTALE);
}

TEST(gate_takes_nothing_for_gone)
{
	machine_test(unseen_body);
}

/* --- what it says --- */

TEST(gate_without_rights)
{
	struct err err = { 0 };
	char dir[192];

	if (geteuid() != 0)
		SKIP("needs root, to be without it");
	(void)snprintf(dir, sizeof(dir), "%s/bpf", test_dir());
	CHECK(mkdir(dir, 0777) == 0 && chmod(test_dir(), 0777) == 0);
	CHECK(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
	CHECK_INT(gate_ensure(dir, &err), -EPERM);
	CHECK(strstr(err.text, "cannot mount a bpffs on"));
	CHECK(strstr(err.hint, "CAP_SYS_ADMIN"));
}

/* A kernel without a kind of program, as a filter plays it: BPF_PROG_LOAD fails with EINVAL. */
TEST(gate_names_the_missing_feature)
{
	struct err err = { 0 };
	char dir[192];

	if (geteuid() != 0)
		SKIP("needs root");
	CHECK(unshare(CLONE_NEWNS) == 0);
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	(void)snprintf(dir, sizeof(dir), "%s/bpf", test_dir());
	test_fail_call(SYS_bpf, 0, BPF_PROG_LOAD, EINVAL);
	CHECK_INT(gate_ensure(dir, &err), -EOPNOTSUPP);
	CHECK_STR(err.text, "cannot load the gate: this kernel has no BPF programs of type cgroup/sock (Linux 4.10)");
}

TEST(gate_hidden_addresses)
{
	struct ipaddr four = gate_loopback4(0x1234), six = gate_loopback6(0x1234);
	char text[IPADDR_STR_MAX];

	CHECK_STR(ipaddr_str(&four, text), "127.200.18.52");
	CHECK_STR(ipaddr_str(&six, text), "fd76:6e61:73::1234");
}

TEST(gate_refuses_nonsense)
{
	struct gate_config c = { .id = 0 };
	struct err err = { 0 };

	CHECK_INT(gate_set("/nonexistent", &c, &err), -EINVAL);
	c.id = 65536;
	CHECK_INT(gate_set("/nonexistent", &c, &err), -EINVAL);
	c.id = 1;
	CHECK_INT(gate_set("/nonexistent", &c, &err), -ENOENT);
	c.n_addresses = 1;
	CHECK_INT(ipaddr_parse("127.0.0.1", &c.addresses[0].addr), 0);
	c.addresses[0].prefix = 8;
	CHECK_INT(gate_set("/nonexistent", &c, &err), -EINVAL);
	c.n_addresses = GATE_MAX_ADDRESSES + 1;
	CHECK_INT(gate_set("/nonexistent", &c, &err), -E2BIG);
	CHECK_INT(gate_clear("/nonexistent", 1, &err), 0);
	CHECK_INT(gate_unload("/nonexistent", &err), 0);
}
