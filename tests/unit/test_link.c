/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network namespaces and the interfaces of private stacks, in a host of the test's own. */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate/gate.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/netns.h"
#include "psv/link.h"
#include "psv/walk.h"
#include "test.h"
#include "test_net_hosts.h"

static ino_t here(void)
{
	struct stat st;

	CHECK(stat("/proc/self/ns/net", &st) == 0);
	return st.st_ino;
}

static void begin(struct host *h)
{
	hosts_begin();
	*h = host_new();
	host_enter(h);
}

static void parse(const char *name, const char *keys, struct conf *ret)
{
	struct strbuf text = { 0 };
	struct err e = { 0 };

	strbuf_addf(&text, "[server]\nstack = private\naddress = 192.0.2.11/24\naddress = 2001:db8::11/64\n%s\n[volume root]\n"
		    "size = 1G\n", keys);
	if (conf_parse(strbuf_str(&text), text.len, "f", name, ret, &e) < 0)
		test_fail(__FILE__, __LINE__, e.text);
	strbuf_free(&text);
}

/* A namespace that is new lets nothing in and has its loopback up; a visit comes back, also one that goes nowhere. */
TEST(netns_new_is_shut_and_left)
{
	static const char *const zero[] = {
		"/proc/sys/net/ipv6/conf/default/accept_ra", "/proc/sys/net/ipv6/conf/default/autoconf",
		"/proc/sys/net/ipv4/conf/all/forwarding", "/proc/sys/net/ipv4/conf/all/route_localnet",
	};
	struct netns_visit visit = NETNS_HOME;
	struct link_info lo;
	struct err e = { 0 };
	char text[16];
	struct host h;
	ino_t home;
	int fd;

	begin(&h);
	/* What a machine may have set for itself. */
	CHECK_INT(file_write_at(AT_FDCWD, "/proc/sys/net/ipv4/conf/all/forwarding", "1"), 0);
	home = here();
	fd = netns_new(&e);
	CHECK(fd >= 0);
	CHECK(here() == home);
	CHECK_INT(netns_enter(-1, &visit, &e), 0);
	CHECK(here() == home);
	netns_leave(&visit);
	CHECK_INT(netns_enter(fd, &visit, &e), 0);
	CHECK(here() != home);
	CHECK_INT(link_get("lo", &lo, &e), 0);
	CHECK(lo.up && lo.carrier);
	for (size_t i = 0; i < sizeof(zero) / sizeof(*zero); i++) {
		CHECK_INT(file_read_small(AT_FDCWD, zero[i], text, sizeof(text)), 0);
		CHECK_STR(text, "0");
	}
	netns_leave(&visit);
	netns_leave(&visit);
	CHECK(here() == home);
	CHECK_INT(netns_enter(0, &visit, &e), -EINVAL); /* no namespace */
	CHECK(here() == home);
}

TEST(link_plan_says_what_it_will_be)
{
	static const struct {
		const char *name, *keys;
		enum conf_link kind;
		const char *host;
	} wanted[] = {
		{ "sales", "interface = br0", CONF_LINK_VETH, "vnas-sales" },
		{ "ten-chars-", "interface = br0", CONF_LINK_VETH, "vnas-ten-chars-" },
		{ "eleven-char", "interface = br0", CONF_LINK_VETH, "vnas-eleven~123" },
		{ "a-department-with-a-very-long-na", "interface = br0", CONF_LINK_VETH, "vnas-a-depa~123" },
		{ "sales", "interface = br0\nvlan = 5", CONF_LINK_VETH, "vnas-sales" },
		{ "sales", "interface = br0\nlink = macvlan", CONF_LINK_MACVLAN, "" },
		{ "sales", "interface = w0", CONF_LINK_MACVLAN, "" },
		{ "sales", "interface = w0\nvlan = 5", CONF_LINK_VLAN, "" },
		{ "sales", "interface = w0\nlink = interface", CONF_LINK_INTERFACE, "" },
	};
	struct state_link plan;
	struct err e = { 0 };
	struct conf c;
	struct host h;

	begin(&h);
	ip("link add br0 type bridge");
	ip("link add w0 type veth peer name w1");
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		parse(wanted[i].name, wanted[i].keys, &c);
		CHECK_INT(link_plan(&c, 123, &plan, &e), 0);
		CHECK_INT(plan.kind, wanted[i].kind);
		CHECK_STR(plan.host, wanted[i].host);
		CHECK(!plan.was_up);
		conf_free(&c);
	}
	parse("sales", "interface = gone", &c);
	CHECK_INT(link_plan(&c, 1, &plan, &e), -ENODEV);
	CHECK_STR(e.text, "there is no interface gone");
	conf_free(&c);
}

/* An interface that was not handed over (the configuration alone says so) is left as it is. */
TEST(link_down_leaves_what_is_the_psvs)
{
	struct psv psv = { .run = "/nonexistent" };
	struct state_link plan = { .kind = CONF_LINK_AUTO };
	struct link_info l;
	struct err e = { 0 };
	struct conf c;
	struct host h;

	begin(&h);
	ip("link add w0 type veth peer name w1");
	parse("sales", "interface = w0\nlink = interface", &c);
	CHECK_INT(link_down(&psv, "sales", &plan, &c, -1, &e), 0);
	CHECK_INT(link_get("w0", &l, &e), 0);
	CHECK(!l.up);
	conf_free(&c);
}

/* By which interface the gate tells a private stack: never by the one below a VLAN. */
TEST(link_is_met_on_its_own_network)
{
	static const struct { enum conf_link kind; bool met; } tries[] = {
		{ CONF_LINK_MACVLAN, true }, { CONF_LINK_IPVLAN, true }, { CONF_LINK_VETH, true },
		{ CONF_LINK_VLAN, false }, { CONF_LINK_AUTO, false },
	};
	struct gate_config g;
	struct err e = { 0 };
	struct link_info l;
	struct host h;

	begin(&h);
	ip("link add w0 type veth peer name w1");
	CHECK_INT(link_get("w0", &l, &e), 0);
	for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
		struct walk w = { .st = { .id = 1, .link = { .kind = tries[i].kind, .interface = "w0" } } };

		CHECK_INT(walk_gate_config(&w, &g, &e), 0);
		CHECK_INT(g.ifindex, tries[i].met ? l.ifindex : 0);
	}
}

TEST(link_sees_who_stands_on_whom)
{
	struct link_info l;
	struct err e = { 0 };
	struct host h;

	begin(&h);
	ip("link add br0 type bridge");
	ip("link add w0 type veth peer name w1");
	CHECK_INT(link_get("w0", &l, &e), 0);
	CHECK_STR(l.kind, "veth");
	CHECK(!l.up && !l.carrier && !l.master);
	CHECK_INT(link_has_upper(l.ifindex, &e), 0); /* the other end of a pair is none */
	ip("link set w0 master br0");
	CHECK_INT(link_get("w0", &l, &e), 0);
	CHECK(l.master != 0);
	CHECK_INT(link_has_upper(l.master, &e), 1);
	CHECK_INT(link_has_upper(l.ifindex, &e), 0);
	ip("link set w0 nomaster");
	ip("link add link w0 name m0 type macvlan");
	CHECK_INT(link_has_upper(l.ifindex, &e), 1);
	CHECK_INT(link_kind_known(CONF_LINK_MACVLAN, &e), 0);
	CHECK_INT(link_get("none", &l, &e), -ENODEV);
}

/* Made, reached, and gone with the last descriptor of its namespace or by link_down, whichever comes first. */
TEST(link_comes_and_goes)
{
	struct netns_visit visit = NETNS_HOME;
	struct psv psv = { .run = "/nonexistent" };
	struct state_link plan;
	struct link_info l;
	struct err e = { 0 };
	uint32_t ifindex = GATE_INSIDE + 1;
	struct conf c;
	struct host h;
	int fd;

	begin(&h);
	ip("link add br0 type bridge forward_delay 0");
	ip("link set br0 up");
	parse("sales", "interface = br0\nmac = 02:00:5e:10:00:01\nmtu = 1400", &c);
	CHECK_INT(link_plan(&c, 1, &plan, &e), 0);
	for (int round = 0; round < 2; round++) {
		fd = netns_new(&e);
		CHECK(fd >= 0);
		CHECK_INT(link_up(&psv, &c, &plan, fd, &ifindex, &e), 0);
		CHECK_INT(link_carrier(fd, &e), 1);
		CHECK_INT(link_get("vnas-sales", &l, &e), 0);
		CHECK_INT(l.mtu, 1500); /* a smaller one would become the bridge's */
		CHECK_INT(netns_enter(fd, &visit, &e), 0);
		CHECK_INT(link_get(LINK_INSIDE, &l, &e), 0);
		CHECK(l.ifindex == GATE_INSIDE + 1 && ifindex == l.ifindex && l.mtu == 1400 && l.carrier);
		netns_leave(&visit);
		if (round == 0)
			CHECK_INT(link_down(&psv, "sales", &plan, &c, fd, &e), 0);
		(void)close(fd);
		if (round == 0) {
			CHECK_INT(link_get("vnas-sales", &l, &e), -ENODEV);
			continue;
		}
		/* What ends by itself takes the kernel a moment; the next one waits for it. */
		fd = netns_new(&e);
		CHECK_INT(link_up(&psv, &c, &plan, fd, &ifindex, &e), 0);
		CHECK_INT(link_down(&psv, "sales", &plan, &c, fd, &e), 0);
		CHECK_INT(link_down(&psv, "sales", &plan, &c, -1, &e), 0); /* there is nothing */
		(void)close(fd);
	}
	conf_free(&c);
}

/* take_back_unsure: link_take_back where the kernel cannot say, for a moment, what a namespace's file is. */
static int take_back_unsure(const struct psv *psv)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		test_fail_call(SYS_ioctl, 1, NS_GET_NSTYPE, ENOMEM);
		_exit(-link_take_back(psv, "sales", "wire0", true, NULL));
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return -WEXITSTATUS(status);
}

/* The pin is all that keeps a virtual interface from being destroyed with its namespace: it stays until the interface is back. */
TEST(link_keeps_the_pin_when_the_kernel_cannot_say)
{
	struct link_info l;
	struct err e = { 0 };
	struct psv psv = { 0 };
	char path[192];
	struct host h;
	int fd;

	(void)snprintf(psv.run, sizeof(psv.run), "%s", test_dir());
	begin(&h);
	CHECK(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	(void)snprintf(path, sizeof(path), "%s/sales", psv.run);
	CHECK(mkdir(path, 0700) == 0);
	ip("link add wire0 type veth peer name wire1");
	ip("link set wire0 up");
	CHECK_INT(link_get("wire0", &l, &e), 0);
	fd = netns_new(&e);
	CHECK_INT(link_hand_over(&psv, "sales", &l, fd, &e), 0);
	(void)close(fd);
	CHECK_INT(take_back_unsure(&psv), -ENOMEM);
	CHECK_INT(link_take_back(&psv, "sales", "wire0", true, &e), 0);
	CHECK_INT(link_get("wire0", &l, &e), 0);
	CHECK(l.up);
	CHECK_INT(link_take_back(&psv, "sales", "wire0", true, &e), 0); /* there is no pin any more */
	(void)snprintf(path, sizeof(path), "%s/sales/net", psv.run);
	CHECK(access(path, F_OK) < 0 && errno == ENOENT);
}
