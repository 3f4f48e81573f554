/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate where the kernel lets no program read its memory (lockdown=confidentiality), and what the look at each packet is for
 * where it does. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "gate/gate_sys.h"
#include "lib/err.h"
#include "test.h"
#include "test_gate.h"

enum { PORT = 4640 };

static int udp(struct machine *m, enum place p, int family)
{
	int fd = machine_socket(m, p, family, SOCK_DGRAM, 0);

	CHECK(fd >= 0);
	return fd;
}

/* Held to a link by the scope of a group, then connected to somebody else. */
static int held_to(struct machine *m, const char *interface)
{
	struct sockaddr_in6 group = { .sin6_family = AF_INET6, .sin6_port = htons(PORT), .sin6_scope_id = if_nametoindex(interface) };
	int fd = udp(m, VSV_A, AF_INET6);

	CHECK(inet_pton(AF_INET6, "ff02::fb", &group.sin6_addr) == 1);
	CHECK(connect(fd, (const struct sockaddr *)&group, sizeof(group)) == 0);
	/* On the other link there is a route of its own. */
	CHECK_INT(do_connect(fd, strcmp(interface, "psv0") == 0 ? "2001:db8::100" : "2001:db8:9::1", PORT), 0);
	return fd;
}

static void no_reading_body(struct machine *m)
{
	int fd = udp(m, VSV_A, AF_INET), six = udp(m, VSV_A, AF_INET6);
	uint32_t other = htonl(if_nametoindex("other0"));

	/* What is open, and is said to be. */
	CHECK_INT(gate_reads_kernel(), 0);
	CHECK_INT(do_send_via(fd, "192.0.2.100", PORT, "192.0.2.11", "other0"), 0);
	/* Sources, destinations and options are judged all the same. */
	CHECK_INT(do_send_via(fd, "192.0.2.100", PORT, "192.0.2.1", "psv0"), -EADDRNOTAVAIL);
	CHECK_INT(do_send_via(six, "2001:db8::100", PORT, "2001:db8::1", "psv0"), -EADDRNOTAVAIL);
	CHECK_INT(do_sendto(fd, "192.0.2.21", PORT, NULL), -EPERM);
	CHECK(setsockopt(fd, IPPROTO_IP, 50 /* IP_UNICAST_IF */, &other, sizeof(other)) < 0 && errno == EPERM);
	/* A socket is held to another link, and nothing of it leaves. */
	CHECK_INT(do_sendto(held_to(m, "psv0"), NULL, 0, NULL), 0);
	CHECK_INT(do_sendto(held_to(m, "other0"), NULL, 0, NULL), -EPERM);
	CHECK_INT(refused(m, VSV_A, GATE_SEND), 4);
}

TEST(gate_that_cannot_read)
{
	gate_reading = 0;
	machine_discovery = GATE_DISCOVERY_ALL;
	machine_test(no_reading_body);
}

static void cannot_tell_body(struct machine *m)
{
	struct err err = { 0 };

	gate_reading = -EIO;
	CHECK_INT(gate_ensure(m->bpf_dir, &err), -EIO);
	CHECK_STR(err.text, "cannot load the gate: whether this kernel lets it read its memory cannot be told: Input/output error");
	err_clear(&err);
	CHECK_INT(gate_try(&err), -EIO);
	gate_reading = GATE_READING_ASK;
	CHECK_INT(gate_ensure(m->bpf_dir, NULL), 0);
}

TEST(gate_that_cannot_tell_whether_it_reads)
{
	machine_run(false, cannot_tell_body);
}

/* Its own link, when it was held to it, and another's now: nothing is left of bind or connect to judge. */
static void held_body(struct machine *m)
{
	struct gate_config c = m->config[VSV_A];
	int at = udp(m, CLIENT, AF_INET6), fd = held_to(m, "psv0");

	CHECK_INT(do_bind(at, "2001:db8::100", PORT), 0);
	CHECK_INT(do_sendto(fd, NULL, 0, NULL), 0);
	for (size_t i = 0; i < c.n_addresses; i++)
		c.addresses[i].ifindex = if_nametoindex("other0");
	CHECK_INT(gate_set(m->bpf_dir, &c, NULL), 0);
	CHECK_INT(do_sendto(fd, NULL, 0, NULL), -EPERM);
	CHECK_INT(refused(m, VSV_A, GATE_SEND), 1);
	/* Who is not held goes where the routes lead. */
	CHECK_INT(do_sendto(udp(m, VSV_A, AF_INET6), "2001:db8::100", PORT, NULL), 0);
}

TEST(gate_held_to_a_link_that_was_its_own)
{
	machine_discovery = GATE_DISCOVERY_ALL;
	machine_test(held_body);
}
