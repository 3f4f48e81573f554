/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interface of a Vsv with a private stack: a macvlan, ipvlan or VLAN interface on one of the Psv's, an end of a veth pair
 * whose other end is a port of a bridge, or an interface of the Psv's handed over whole.
 *
 * It stands in a network namespace that nothing holds but a process: the starter until PID 1 is in it, then PID 1.  So it goes
 * with them however they end.  Only an interface that is handed over would go to the machine's first namespace, or be
 * destroyed if it is a virtual one: there the namespace is pinned at RUN/NAME/net until the interface is back.
 *
 * The Psv makes and changes all of it by rtnetlink(7); nobody inside has CAP_NET_ADMIN. */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "psv/conf.h"
#include "psv/psv.h"

struct err;

#define LINK_INSIDE "eth0" /* what it is called inside */
#define LINK_JOINS " joins" /* the alias of a port ends so, until it is one, set apart and up; the supervisor looks for it */

/* What an interface of the namespace that the caller is in is like. */
struct link_info {
	uint32_t ifindex, mtu;
	uint32_t lower;   /* the interface that it stands on, 0: none */
	uint32_t master;  /* the bridge or bond that it is a port of; 0: none */
	char name[IFNAMSIZ], kind[16]; /* "bridge", "veth", …; "" of a physical one */
	bool up;          /* an administrator's word */
	bool carrier;     /* and it works */
	bool joins;       /* see LINK_JOINS */
	bool vlan_filtering; /* a bridge that tells VLANs apart */
	uint32_t stp_delay_ms; /* a bridge whose new ports wait so long before they forward (STP); 0: at once */
	uint16_t default_vlan; /* … that it puts a new port into; 0: none */
};
/* link_get: by its name.  -ENODEV: there is none. */
int link_get(const char *name, struct link_info *ret, struct err *err);
/* link_has_upper: 1 if another interface stands on it or is its port. */
int link_has_upper(uint32_t ifindex, struct err *err);
/* link_kind_known: 0; -EOPNOTSUPP: this kernel has no such interfaces; other failures are 0. */
int link_kind_known(enum conf_link kind, struct err *err);

/* link_kind: what conf.link AUTO stands for. */
enum conf_link link_kind(const struct conf *c, const struct link_info *parent);
/* link_plan: what link_up will make, for the state file. */
int link_plan(const struct conf *c, uint32_t id, struct state_link *ret, struct err *err);
/* link_up: makes it in that namespace and sets it up.  What is left of one that has just ended is waited for.  *ifindex: the
 * index that it is to have inside; one that is handed over keeps its own, which is put there. */
int link_up(const struct psv *psv, const struct conf *c, const struct state_link *plan, int net_fd, uint32_t *ifindex,
	    struct err *err);
/* link_rejoin: makes the Psv's end of a pair a port of its bridge again, if that was made anew; and sets it apart as link_up does, whoever
 * has made it a port.  1: it was not, or not whole; 0: it was, or is of
 * another kind; -ENODEV: there is no such bridge (what has its name may be none), or no pair. */
int link_rejoin(const struct conf *c, const struct state_link *plan, struct err *err);
/* link_down: takes away what is left of it: in the namespace net_fd (-1: nobody's any more), in the pinned one, and on the Psv's
 * side.  Accepts "never came up".  plan may have kind AUTO if the state is not known: then c, which may have no interface either, says
 * what was handed over.  1: an interface that was handed over is back, but by another name, since somebody took its own; down. */
int link_down(const struct psv *psv, const char *name, const struct state_link *plan, const struct conf *c, int net_fd,
	      struct err *err);
/* link_carrier: whether it works, in the namespace net_fd.  1: it does; 0: it does not; -errno. */
int link_carrier(int net_fd, struct err *err);

/* Parts of it, for each other. */
int link_hand_over(const struct psv *psv, const char *name, const struct link_info *parent, int net_fd, struct err *err);
int link_take_back(const struct psv *psv, const char *name, const char *interface, bool was_up, struct err *err);
int link_set_up(uint32_t ifindex, struct err *err);
int link_delete(const char *name, const char *kind, struct err *err);
