/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test_gate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <poll.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "lib/str.h"
#include "lib/sys.h"
#include "test.h"

static const char *const cgroup_names[PLACES] = { [VSV_A] = "a", [VSV_B] = "b", [STRANGER] = "stranger" };

static void ip(const char *line)
{
	struct strlist argv = { 0 };
	struct err err = { 0 };

	strlist_add(&argv, "ip");
	strlist_split(&argv, line, " ");
	if (run((const char *const *)argv.v, &(struct run_opts){ 0 }, &err) < 0) {
		(void)fprintf(stderr, "    ip %s: %s\n", line, err.text);
		exit(1);
	}
	strlist_free(&argv);
}

static const char *cgroup2_root(void)
{
	static const char *const dirs[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	struct statfs s;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (statfs(dirs[i], &s) == 0 && s.f_type == CGROUP2_SUPER_MAGIC)
			return dirs[i];
	SKIP("no cgroup v2 hierarchy");
}

static void make_client(struct machine *m)
{
	int ready[2], r;
	char byte, path[64];
	pid_t pid;

	CHECK(pipe2(ready, O_CLOEXEC) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		(void)pause();
		_exit(0);
	}
	CHECK(read(ready[0], &byte, 1) == 1);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	m->client_netns = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(m->client_netns >= 0);
	(void)snprintf(path, sizeof(path), "link add psv0 type veth peer name c0 netns %d", pid);
	ip(path);
	(void)snprintf(path, sizeof(path), "link add other0 type veth peer name far0 netns %d", pid);
	ip(path);
	(void)kill(pid, SIGKILL);
	CHECK(waitpid(pid, &r, 0) == pid);
	(void)close(ready[0]);
	(void)close(ready[1]);
}

static int client_up(const void *arg)
{
	(void)arg;
	ip("link set lo up");
	ip("link set c0 up");
	ip("address add 192.0.2.100/24 dev c0");
	ip("link set far0 up");
	ip("address add 198.51.100.100/24 dev far0");
	ip("address add 2001:db8::100/64 dev c0 nodad");
	return 0;
}

unsigned machine_discovery;

static void add_address(struct gate_config *c, const char *text)
{
	CHECK_INT(ipaddr_parse_prefix(text, &c->addresses[c->n_addresses].addr,
				      &c->addresses[c->n_addresses].prefix), 0);
	c->addresses[c->n_addresses].ifindex = if_nametoindex("psv0");
	c->discovery = machine_discovery;
	c->n_addresses++;
}

static void make_network(struct machine *m)
{
	static const char *const lines[] = {
		"link set lo up",
		"link set psv0 up",
		"link set other0 up",
		"address add 198.51.100.1/24 dev other0",
		"route add 2001:db8:9::/64 dev other0",
		"address add 192.0.2.1/24 brd 192.0.2.255 dev psv0",
		"address add 2001:db8::1/64 dev psv0 nodad",
		"address add 192.0.2.11/32 dev psv0",
		"address add 192.0.2.12/32 dev psv0",
		"address add 192.0.2.21/32 dev psv0",
		"address add 2001:db8::11/128 dev psv0 nodad preferred_lft 0",
		"address add 2001:db8::12/128 dev psv0 nodad preferred_lft 0",
		"address add 2001:db8::21/128 dev psv0 nodad preferred_lft 0",
	};
	char line[128], text[IPADDR_STR_MAX];

	make_client(m);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		ip(lines[i]);
	for (uint32_t id = 1; id <= 2; id++) {
		struct ipaddr hidden = gate_loopback6(id);

		(void)snprintf(line, sizeof(line), "address add %s/128 dev lo nodad", ipaddr_str(&hidden, text));
		ip(line);
	}
	CHECK_INT(machine_call(m, CLIENT, client_up, NULL), 0);
}

static void make_gate(struct machine *m)
{
	struct gate_config *a = &m->config[VSV_A], *b = &m->config[VSV_B];
	struct err err = { 0 };

	a->id = 1;
	add_address(a, "192.0.2.11/24");
	add_address(a, "192.0.2.12/24");
	add_address(a, "2001:db8::11/64");
	add_address(a, "2001:db8::12/64");
	b->id = 2;
	add_address(b, "192.0.2.21/24");
	add_address(b, "2001:db8::21/64");
	if (gate_ensure(m->bpf_dir, &err) < 0) {
		(void)fprintf(stderr, "    %s\n", err.text);
		SKIP("the gate cannot be loaded here");
	}
	for (enum place p = VSV_A; p <= VSV_B; p++) {
		CHECK_INT(gate_set(m->bpf_dir, &m->config[p], &err), 0);
		if (gate_attach(m->bpf_dir, m->cgroup[p], m->config[p].id, &err) < 0)
			test_fail(__FILE__, __LINE__, err.text);
	}
}

static void run_body(const char *cgroup_dir, bool gate, void (*body)(struct machine *m))
{
	struct machine m = { .client_netns = -1 };

	CHECK(unshare(CLONE_NEWNET | CLONE_NEWNS) == 0);
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	(void)snprintf(m.bpf_dir, sizeof(m.bpf_dir), "%s/bpf", test_dir());
	for (enum place p = PSV; p < PLACES; p++) {
		char path[256];

		m.cgroup[p] = -1;
		if (!cgroup_names[p])
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", cgroup_dir, cgroup_names[p]);
		CHECK(mkdir(path, 0755) == 0);
		m.cgroup[p] = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
		CHECK(m.cgroup[p] >= 0);
	}
	make_network(&m);
	if (gate)
		make_gate(&m);
	body(&m);
}

void machine_run(bool gate, void (*body)(struct machine *m))
{
	/* Of a host test, whose end takes away what a kill leaves (tests/lib.sh). */
	const char *host = getenv("VNAS_TEST_DIR"), *name = host ? strrchr(host, '/') : NULL;
	struct timespec now;
	char dir[256];
	int status = 0;
	pid_t pid;

	if (geteuid() != 0)
		SKIP("needs root");
	/* In another pid namespace the same number can be at work. */
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)snprintf(dir, sizeof(dir), "%s/%s-%d-%ld", cgroup2_root(), name ? name + 1 : "vnas-test", getpid(), now.tv_nsec);
	CHECK(mkdir(dir, 0755) == 0);
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		run_body(dir, gate, body);
		(void)fflush(NULL);
		_exit(0);
	}
	if (pid > 0)
		(void)waitpid(pid, &status, 0);
	for (enum place p = PSV; p < PLACES; p++) {
		char path[512];

		(void)snprintf(path, sizeof(path), "%s/%s", dir, cgroup_names[p] ? cgroup_names[p] : "none");
		(void)rmdir(path);
	}
	(void)rmdir(dir);
	(void)fflush(NULL);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

void machine_test(void (*body)(struct machine *m))
{
	machine_run(true, body);
}

/* --- inside --- */

static pid_t fork_into(const struct machine *m, enum place p)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	pid_t pid;

	if (m->cgroup[p] >= 0) {
		args.flags = CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)m->cgroup[p];
	}
	(void)fflush(NULL);
	pid = sys_clone3(&args);
	CHECK(pid >= 0);
	if (pid == 0 && p == CLIENT && setns(m->client_netns, CLONE_NEWNET) < 0)
		_exit(255);
	return pid;
}

int machine_call(const struct machine *m, enum place p, int (*f)(const void *arg), const void *arg)
{
	int status;
	pid_t pid = fork_into(m, p);

	if (pid == 0)
		_exit(f(arg) < 0 ? errno : 0);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return -WEXITSTATUS(status);
}

int machine_socket(const struct machine *m, enum place p, int family, int type, int protocol)
{
	int pair[2], fd = -1, status;
	size_t n = 0;
	char byte = 0;
	pid_t pid;

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	pid = fork_into(m, p);
	if (pid == 0) {
		fd = socket(family, type | SOCK_CLOEXEC, protocol);
		if (fd < 0)
			_exit(errno);
		_exit(fd_send(pair[1], &byte, 1, &fd, 1) < 0 ? 255 : 0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	(void)close(pair[1]);
	if (WEXITSTATUS(status) == 0)
		CHECK(fd_recv(pair[0], &byte, 1, &fd, 1, &n, 0) == 1 && n == 1);
	(void)close(pair[0]);
	return WEXITSTATUS(status) ? -WEXITSTATUS(status) : fd;
}

/* --- calls by text --- */

socklen_t socket_address(const char *host, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *four = (struct sockaddr_in *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		return sizeof(*four);
	}
	CHECK(inet_pton(AF_INET6, host, &six->sin6_addr) == 1);
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(port);
	if (IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr) || IN6_IS_ADDR_MC_LINKLOCAL(&six->sin6_addr))
		six->sin6_scope_id = 2;
	return sizeof(*six);
}

int do_bind(int fd, const char *host, uint16_t port)
{
	struct sockaddr_storage a;
	socklen_t len = socket_address(host, port, &a);

	return bind(fd, (struct sockaddr *)&a, len) < 0 ? -errno : 0;
}

int do_connect(int fd, const char *host, uint16_t port)
{
	struct sockaddr_storage a;
	socklen_t len = socket_address(host, port, &a);

	return connect(fd, (struct sockaddr *)&a, len) < 0 ? -errno : 0;
}

int do_listen(int fd)
{
	return listen(fd, 8) < 0 ? -errno : 0;
}

static void add_source(struct msghdr *msg, const char *from, unsigned ifindex)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	struct sockaddr_storage a;

	(void)socket_address(from, 0, &a);
	if (a.ss_family == AF_INET) {
		struct in_pktinfo info = { .ipi_ifindex = (int)ifindex, .ipi_spec_dst = ((struct sockaddr_in *)&a)->sin_addr };

		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	} else {
		struct in6_pktinfo info = { .ipi6_ifindex = ifindex, .ipi6_addr = ((struct sockaddr_in6 *)&a)->sin6_addr };

		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	}
	msg->msg_controllen = CMSG_ALIGN(c->cmsg_len);
}

int do_sendto(int fd, const char *to, uint16_t port, const char *from)
{
	return do_send_via(fd, to, port, from, NULL);
}

int do_send_via(int fd, const char *to, uint16_t port, const char *from, const char *interface)
{
	_Alignas(struct cmsghdr) char control[128] = { 0 };
	char data[] = "data";
	struct iovec iov = { data, 4 };
	struct sockaddr_storage a;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (to) {
		msg.msg_namelen = socket_address(to, port, &a);
		msg.msg_name = &a;
		if (interface && a.ss_family == AF_INET6)
			((struct sockaddr_in6 *)&a)->sin6_scope_id = 0; /* it would choose the interface as well */
	}
	if (from) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		add_source(&msg, from, interface ? if_nametoindex(interface) : 0);
	}
	return sendmsg(fd, &msg, 0) < 0 ? -errno : 0;
}

static void to_text(const struct sockaddr_storage *a, char host[64], uint16_t *ret_port)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)a;
	const struct sockaddr_in *four = (const struct sockaddr_in *)a;

	if (a->ss_family == AF_INET)
		(void)inet_ntop(AF_INET, &four->sin_addr, host, 64);
	else
		(void)inet_ntop(AF_INET6, &six->sin6_addr, host, 64);
	if (ret_port)
		*ret_port = ntohs(a->ss_family == AF_INET ? four->sin_port : six->sin6_port);
}

static int wait_in(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1 ? 0 : -EAGAIN;
}

int do_recv(int fd, int ms, char ret_host[64], uint16_t *ret_port)
{
	struct sockaddr_storage a = { 0 };
	socklen_t len = sizeof(a);
	char data[16];
	int r = wait_in(fd, ms);

	if (r < 0)
		return r;
	if (recvfrom(fd, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&a, &len) < 0)
		return -errno;
	to_text(&a, ret_host, ret_port);
	return 0;
}

int do_accept(int fd, int ms, char ret_host[64])
{
	struct sockaddr_storage a = { 0 };
	socklen_t len = sizeof(a);
	int r = wait_in(fd, ms);

	if (r == 0)
		r = accept4(fd, (struct sockaddr *)&a, &len, SOCK_CLOEXEC);
	if (r >= 0)
		to_text(&a, ret_host, NULL);
	return r == -1 ? -errno : r;
}

int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

const char *name_of(int fd, int peer, uint16_t *ret_port)
{
	struct sockaddr_storage a = { 0 };
	socklen_t len = sizeof(a);
	static char host[64];

	if ((peer ? getpeername : getsockname)(fd, (struct sockaddr *)&a, &len) < 0)
		return strerror(errno);
	to_text(&a, host, ret_port);
	return host;
}

uint64_t refused(const struct machine *m, enum place p, enum gate_kind kind)
{
	uint64_t counts[GATE_KINDS] = { 0 };

	CHECK_INT(gate_refusals(m->bpf_dir, m->config[p].id, counts, NULL), 0);
	return counts[kind];
}
