/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each place where the gate's programs refuse what they do not know, for lib/weaken.h: with -Dweaken=true the loader can name
 * one of them that allows it (GATE_WEAK_…, by its name in VNAS_WEAKEN), and vnas verify must find that.  In every other build
 * gate_weak() is false at compile time.  The programs are one for all Vsv: who is to be weakened in another way needs pins of
 * its own (tests/host/mutation.sh). */
#pragma once

/* … _STRANGER: a control group without a number, or a number without a configuration. */
#define GATE_WEAK_PLACES(X)                                    \
	X(SOCKET_STRANGER, "gate-unknown-socket-group")        \
	X(BIND_STRANGER, "gate-unknown-bind-group")            \
	X(POST_BIND_STRANGER, "gate-unknown-post-bind-group")  \
	X(CONNECT_STRANGER, "gate-unknown-connect-group")      \
	X(SEND_STRANGER, "gate-unknown-send-group")            \
	X(JOIN_STRANGER, "gate-unknown-join-group")            \
	X(OPTION_STRANGER, "gate-unknown-option-group")        \
	X(LISTEN_STRANGER, "gate-unknown-listen-group")        \
	X(EGRESS_STRANGER, "gate-unknown-egress-group")        \
	X(DEVICE_STRANGER, "gate-unknown-device-group")        \
	X(LOOKUP_STRANGER, "gate-unknown-sender")              \
	X(LOOKUP_HIDDEN, "gate-unknown-loopback")              \
	X(LOOKUP_LISTENER, "gate-unknown-listener")            \
	X(LOOKUP_DATAGRAM, "gate-unknown-datagram")            \
	X(KIND, "gate-unknown-kind")                           \
	X(DEVICE, "gate-unknown-device")                       \
	X(ADDRESS, "gate-unknown-address")                     \
	X(SOURCE, "gate-unknown-source")                       \
	X(GROUP_BIND, "gate-unknown-bind")                     \
	X(GROUP_SEND, "gate-unknown-send")                     \
	X(GROUP_JOIN, "gate-unknown-join")                     \
	X(BROADCAST, "gate-unknown-broadcast")                 \
	X(INTERFACE_JOIN, "gate-unknown-join-interface")       \
	X(INTERFACE_SEND, "gate-unknown-send-interface")       \
	X(LOOPBACK, "gate-unknown-loopback-address")           \
	X(HIDDEN, "gate-unknown-hidden-address")               \
	X(LINK_LOCAL, "gate-unknown-link")                     \
	X(LISTEN_ANY, "gate-unknown-listen")

enum gate_weak {
	GATE_WEAK_NOWHERE,
#define GATE_WEAK_ENUM(name, text) GATE_WEAK_##name,
	GATE_WEAK_PLACES(GATE_WEAK_ENUM)
#undef GATE_WEAK_ENUM
};
