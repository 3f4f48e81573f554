/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A Vsv's own loopback, which in the shared stack is an address of the hidden networks: a process in its control group
 * listens there and reaches itself, which is the control.  The Psv does not reach it; nor does who has an address of those
 * networks that is nobody's reach anything. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gate/gate.h"
#include "gate/gate_shared.h"
#include "lib/cleanup.h"
#include "verify/internal.h"

/* A number that no Vsv can have. */
enum { NOBODY = 0xfffe };
_Static_assert((int)NOBODY > (int)GATE_MAX_VSV, "a Vsv may have that number");

/* listens: says on which port, or 0, and stays. */
static void listens(int conn)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), to = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(a);
	uint16_t port = 0;

	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 16) == 0 &&
	    getsockname(fd, (struct sockaddr *)&a, &len) == 0 && connect(to, (struct sockaddr *)&a, sizeof(a)) == 0)
		port = ntohs(a.sin_port);
	if (helper_say(conn, &port, sizeof(port)))
		(void)helper_hear(conn, &port, 1);
}

static enum verdict judge_one(int r, const char *what, char *answer, size_t size)
{
	char words[64];

	answer_text(r, words, sizeof(words));
	(void)str_format(answer, size, "%s: %s", what, words);
	if (r == 0)
		return VERDICT_THROUGH;
	return r == -ECONNREFUSED ? VERDICT_REFUSED : VERDICT_OPEN;
}

static enum verdict from_outside(const struct verify *v, const struct server *s, uint16_t port, char *answer, size_t size)
{
	const struct ipaddr hidden = gate_loopback4(s->st.id), nobody = gate_loopback4(NOBODY);
	enum verdict verdict = judge_one(victim_connect(&hidden, port), "its loopback from outside", answer, size);

	if (verdict != VERDICT_REFUSED || !v->host.ingress_ok || v->host.n_addresses == 0 || v->host.addresses[0].family != AF_INET)
		return verdict;
	return judge_one(victim_connect_from(&v->host.addresses[0], v->host.wild_tcp.port, &nobody),
			 "the physical server from a loopback that is nobody's", answer, size);
}

enum verdict look_loopback(struct verify *v, struct server *s, char *answer, size_t size)
{
	enum verdict verdict = VERDICT_OPEN;
	struct helper h;
	uint16_t port = 0;

	if (is_private(s)) {
		(void)str_copy(answer, size, "it has a stack of its own");
		return VERDICT_REFUSED;
	}
	if (s->cgroup_fd >= 0 && helper_begin(s->cgroup_fd, -1, listens, &h) == 0 && helper_hear(h.conn, &port, sizeof(port)) && port)
		verdict = from_outside(v, s, port, answer, size);
	else
		(void)str_copy(answer, size, "its control failed: it does not reach its own loopback");
	if (s->cgroup_fd >= 0)
		helper_end(&h);
	return verdict;
}
