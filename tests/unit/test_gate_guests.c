/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private stacks with one and the same address in several VLANs of one bridge: which of them is meant, and that none is forgotten. */
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate/gate_shared.h"
#include "gate/gate_sys.h"

#include "test.h"
#include "test_gate.h"

enum { PORT = 4660, QUIET_MS = 50 };

static struct gate_config private(uint32_t id, uint32_t vlan)
{
	struct gate_config c = { .id = id, .own_stack = true, .n_addresses = 1, .ifindex = if_nametoindex("psv0"), .vlan = vlan };

	CHECK_INT(ipaddr_parse_prefix("10.9.0.5/24", &c.addresses[0].addr, &c.addresses[0].prefix), 0);
	return c;
}

/* asks: what A, of that VLAN and with that peer, gets for that address. */
static int asks(struct machine *m, uint32_t vlan, uint32_t peer, uint32_t peer2)
{
	struct gate_config a = m->config[VSV_A];

	a.own_stack = true;
	a.ifindex = if_nametoindex("psv0");
	a.vlan = vlan;
	a.peers[0] = peer;
	a.peers[1] = peer2;
	a.n_peers = 2;
	CHECK_INT(gate_set(m->bpf_dir, &a, NULL), 0);
	return do_send_via(machine_socket(m, VSV_A, AF_INET, SOCK_DGRAM, 0), "10.9.0.5", PORT, "192.0.2.11", "psv0");
}

static void two_body(struct machine *m)
{
	struct gate_config b = private(2, 20), c = private(3, 30);

	CHECK_INT(gate_clear(m->bpf_dir, 2, NULL), 0);
	CHECK_INT(asks(m, 20, 0, 0), 0);
	for (unsigned round = 0; round < 2; round++) {
		CHECK_INT(gate_set(m->bpf_dir, &b, NULL), 0);
		CHECK_INT(gate_set(m->bpf_dir, &c, NULL), 0);
		CHECK_INT(gate_set(m->bpf_dir, &b, NULL), 0);
		/* The one of its own VLAN; of another VLAN than both, it cannot be told. */
		CHECK_INT(asks(m, 20, 0, 0), -EPERM);
		CHECK_INT(asks(m, 20, 2, 0), 0);
		CHECK_INT(asks(m, 20, 3, 0), -EPERM);
		CHECK_INT(asks(m, 30, 2, 0), -EPERM);
		CHECK_INT(asks(m, 30, 3, 0), 0);
		CHECK_INT(asks(m, 40, 2, 3), -EPERM);
		/* One of them stops: the other is known as before. */
		CHECK_INT(gate_clear(m->bpf_dir, round ? 2 : 3, NULL), 0);
		CHECK_INT(asks(m, round ? 30 : 20, 0, 0), -EPERM);
		CHECK_INT(asks(m, round ? 30 : 20, round ? 3 : 2, 0), 0);
		CHECK_INT(asks(m, 40, round ? 3 : 2, 0), 0);
	}
	CHECK_INT(gate_clear(m->bpf_dir, 3, NULL), 0);
	CHECK_INT(asks(m, 20, 0, 0), 0);
	/* It moves. */
	CHECK_INT(gate_set(m->bpf_dir, &b, NULL), 0);
	b.vlan = 30;
	CHECK_INT(gate_set(m->bpf_dir, &b, NULL), 0);
	CHECK_INT(asks(m, 30, 2, 0), 0);
	b.ifindex = if_nametoindex("other0");
	CHECK_INT(gate_set(m->bpf_dir, &b, NULL), 0);
	CHECK_INT(asks(m, 30, 0, 0), 0);
}

TEST(gate_one_address_in_two_vlans)
{
	machine_test(two_body);
}

/* What comes in by the bridge itself is of the VLAN that the bridge is in. */
static void comes_in_body(struct machine *m)
{
	int fd = machine_socket(m, CLIENT, AF_INET, SOCK_DGRAM, 0), at = machine_socket(m, PSV, AF_INET, SOCK_DGRAM, 0);
	struct gate_config b = private(2, 0), c = private(3, 30);
	char host[64];
	uint16_t port;

	CHECK_INT(set_option(fd, IPPROTO_IP, IP_TRANSPARENT, 1), 0);
	CHECK_INT(do_bind(fd, "10.9.0.5", PORT), 0);
	CHECK_INT(do_bind(at, "192.0.2.1", PORT), 0);
	CHECK_INT(gate_clear(m->bpf_dir, 2, NULL), 0);
	b.peer_psv = true;
	CHECK_INT(gate_set(m->bpf_dir, &b, NULL), 0);
	CHECK_INT(gate_set(m->bpf_dir, &c, NULL), 0);
	CHECK_INT(do_sendto(fd, "192.0.2.1", PORT, NULL), 0);
	CHECK_INT(do_recv(at, 1000, host, &port), 0);
	CHECK_STR(host, "10.9.0.5");
	/* Of several, and none of that VLAN, it is a stranger. */
	b.vlan = 20;
	CHECK_INT(gate_set(m->bpf_dir, &b, NULL), 0);
	CHECK_INT(do_sendto(fd, "192.0.2.1", PORT, NULL), 0);
	CHECK_INT(do_recv(at, QUIET_MS, host, &port), -EAGAIN);
	CHECK_INT(gate_clear(m->bpf_dir, 3, NULL), 0);
	CHECK_INT(do_sendto(fd, "192.0.2.1", PORT, NULL), 0);
	CHECK_INT(do_recv(at, 1000, host, &port), 0);
	b.peer_psv = false;
	CHECK_INT(gate_set(m->bpf_dir, &b, NULL), 0);
	CHECK_INT(do_sendto(fd, "192.0.2.1", PORT, NULL), 0);
	CHECK_INT(do_recv(at, QUIET_MS, host, &port), -EAGAIN);
}

TEST(gate_one_address_in_two_vlans_comes_in)
{
	machine_test(comes_in_body);
}

/* clear_killed: gate_clear in a process that ends where it makes that call of bpf(2) first. */
static void clear_killed(struct machine *m, uint32_t id, uint32_t command)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		test_fail_call(SYS_bpf, 0, command, 0);
		(void)gate_clear(m->bpf_dir, id, NULL);
		_exit(0);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
}

/* Who takes one of two away is killed: what is left of it is found again, and the other one is told by its address. */
static void killed_body(struct machine *m)
{
	static const uint32_t commands[] = { BPF_MAP_UPDATE_ELEM, BPF_MAP_DELETE_ELEM };
	struct gate_config b = private(2, 20), c = private(3, 30);
	struct gate_guest any = { .addr = gate_key(&b.addresses[0].addr), .ifindex = b.ifindex, .vlan = GATE_VLAN_ANY };
	int map = gate_map_open(m->bpf_dir, "guests", NULL);
	uint32_t owner;

	CHECK(map >= 0);
	CHECK_INT(gate_clear(m->bpf_dir, 2, NULL), 0);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		CHECK_INT(gate_set(m->bpf_dir, &b, NULL), 0);
		CHECK_INT(gate_set(m->bpf_dir, &c, NULL), 0);
		CHECK(gate_map_lookup(map, &any, &owner) == 0 && owner == GATE_SEVERAL);
		clear_killed(m, 2, commands[i]);
		CHECK_INT(gate_clear(m->bpf_dir, 2, NULL), 0);
		CHECK(gate_map_lookup(map, &any, &owner) == 0 && owner == 3);
		clear_killed(m, 3, BPF_MAP_DELETE_ELEM);
		CHECK_INT(gate_clear(m->bpf_dir, 3, NULL), 0);
		CHECK_INT(gate_map_lookup(map, &any, &owner), -ENOENT);
	}
	(void)close(map);
}

TEST(gate_one_address_in_two_vlans_after_a_kill)
{
	machine_test(killed_body);
}
