// SPDX-License-Identifier: GPL-2.0-or-later
/* The gate's programs.  All but the last hang on a Vsv's cgroup and judge what its processes ask for; gate_lookup
 * hangs on the network namespace and judges what arrives for a listener or an unconnected UDP socket (gate_inside on that of
 * a private stack judges nothing).  Nothing runs per packet of a connection, but where a Vsv may use groups (gate_group.bpf.h).
 *
 * Who asks is told by the storage of the cgroup that the program is attached to.  No number, or a number without a
 * configuration, is refused everything: a gate that is half put up, or half taken down, is shut.
 *
 * A wildcard bind is turned into a bind to the primary address, and the listener is put into a table from which
 * gate_lookup serves all of the Vsv's addresses: so the same port can be open in each Vsv and on the Psv's own
 * addresses.  The table is one for all, because making a map per Vsv waits for an RCU grace period (milliseconds of every start);
 * what keeps a tenant from filling it is a count of the Vsv's own (struct gate_identity), which follows each socket
 * to its release. */
#include "gate_bind.bpf.h"
#include "gate_group.bpf.h"
#include "gate_listen.bpf.h"
#include "gate_name.bpf.h"
#include "gate_out.bpf.h"
#include "gate_socket.bpf.h"

char _license[] SEC("license") = "GPL";
