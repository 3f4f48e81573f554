// SPDX-License-Identifier: GPL-2.0-or-later
/* The gate's programs.  All but the last hang on a Vsv's cgroup and judge what its processes ask for; gate_lookup hangs
 * on the network namespace and judges what arrives for a listener or an unconnected UDP socket.  Nothing runs per packet
 * of a connection.
 *
 * Who asks is told by the storage of the cgroup that the program is attached to.  No number, or a number without a
 * configuration, is refused everything: a gate that is half put up, or half taken down, is shut.
 *
 * A wildcard bind is turned into a bind to the primary address, and the listener is put into a table from which
 * gate_lookup serves all of the Vsv's addresses: so the same port can be open in each Vsv and in the Psv.  The table is
 * one for all, because making a map per Vsv waits for an RCU grace period (milliseconds of every start); what keeps a
 * tenant from filling it is a count of the Vsv's own (struct gate_stats), which follows each socket to its release. */
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "gate_shared.h"

char _license[] SEC("license") = "GPL";

enum { AF_INET = 2, AF_INET6 = 10, SOCK_STREAM = 1, SOCK_DGRAM = 2, STATE_CLOSE = 7, STATE_LISTEN = 10 };
enum { SOL_SOCKET = 1, SO_REUSEADDR = 2, SO_REUSEPORT = 15, SO_BINDTODEVICE = 25, SO_BINDTOIFINDEX = 62 };
enum { OPT_PORT_RANGE = 51 }; /* IP_LOCAL_PORT_RANGE, Linux 6.3 */
enum { EPERM = 1, EADDRNOTAVAIL = 99 };
enum { REFUSE = 0, ALLOW = 1 };
enum { LOOPBACK_IFINDEX = 1, NO_IFINDEX = 0x7fffffff };
enum { PAGE_BYTES = 4096 };

/* enum gate_kind of gate.h, which needs headers that do not compile here. */
enum { KIND_BIND, KIND_CONNECT, KIND_SEND, KIND_SOCKET, KIND_DEVICE, KIND_INGRESS };

struct sock_common {
	unsigned char skc_ipv6only : 1;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, struct gate_identity);
} identity SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GATE_VSV * 16);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct gate_addr);
	__type(value, __u32);
} addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GATE_VSV);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct gate_vsv);
} vsv SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GATE_VSV);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct gate_ledger);
} ledger SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GATE_VSV);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct gate_stats);
} stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 131072);
	__type(key, struct gate_listener);
	__type(value, __u64);
} listeners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct gate_udp);
	__type(value, struct gate_udp_use);
} udp_ports SEC(".maps");

/* What a socket was before the gate changed it, and what it holds in the tables. */
enum { WILD_NONE, WILD_4, WILD_6, WILD_BOTH };

struct sock_note {
	struct gate_udp udp;
	__u8 wild;     /* bound to the wildcard address, by its own account */
	__u8 listener; /* counted in gate_stats.listeners */
	__u8 has_udp;  /* counted in gate_stats.udp, registered under `udp` */
	__u8 reuse;    /* 1: SO_REUSEADDR, 2: SO_REUSEPORT, asked for before the bind */
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct sock_note);
} notes SEC(".maps");

/* --- addresses --- */

static __always_inline struct gate_addr mapped(__be32 v4)
{
	return (struct gate_addr){ { 0, 0, bpf_htonl(0xffff), v4 } };
}

static __always_inline struct gate_addr v6(__u32 a, __u32 b, __u32 c, __u32 d)
{
	return (struct gate_addr){ { bpf_htonl(a), bpf_htonl(b), bpf_htonl(c), bpf_htonl(d) } };
}

static __always_inline bool same(const struct gate_addr *a, const struct gate_addr *b)
{
	return a->w[3] == b->w[3] && a->w[2] == b->w[2] && a->w[1] == b->w[1] && a->w[0] == b->w[0];
}

static __always_inline bool is_mapped(const struct gate_addr *a)
{
	return a->w[2] == bpf_htonl(0xffff) && !a->w[0] && !a->w[1];
}

static __always_inline bool is_any6(const struct gate_addr *a)
{
	return !(a->w[0] | a->w[1] | a->w[2] | a->w[3]);
}

static __always_inline bool is_any(const struct gate_addr *a)
{
	return is_any6(a) || (is_mapped(a) && !a->w[3]);
}

/* 127.0.0.1 or ::1, and nothing else of 127.0.0.0/8: all of that behind one hidden address would mix their ports. */
static __always_inline bool is_loopback(const struct gate_addr *a)
{
	if (is_mapped(a))
		return a->w[3] == bpf_htonl(0x7f000001);
	return !(a->w[0] | a->w[1] | a->w[2]) && a->w[3] == bpf_htonl(1);
}

static __always_inline bool in_loopback_net(const struct gate_addr *a)
{
	if (is_mapped(a))
		return (a->w[3] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
	return is_loopback(a);
}

/* Multicast, the limited broadcast and the reserved 240.0.0.0/4. */
static __always_inline bool is_group(const struct gate_addr *a)
{
	if (is_mapped(a))
		return bpf_ntohl(a->w[3]) >= 0xe0000000;
	return (a->w[0] & bpf_htonl(0xff000000)) == bpf_htonl(0xff000000);
}

static __always_inline bool is_discovery_group(const struct gate_addr *a)
{
	if (is_mapped(a))
		return a->w[3] == bpf_htonl(0xe00000fb) || a->w[3] == bpf_htonl(0xeffffffa);
	return a->w[0] == bpf_htonl(0xff020000) && !a->w[1] && !a->w[2] &&
	       (a->w[3] == bpf_htonl(0xfb) || a->w[3] == bpf_htonl(0xc));
}

static __always_inline struct gate_addr hidden4(__u32 id)
{
	return mapped(bpf_htonl(GATE_HIDDEN4 | id));
}

static __always_inline struct gate_addr hidden6(__u32 id)
{
	return v6(GATE_HIDDEN6_0, GATE_HIDDEN6_1, 0, id);
}

static __always_inline bool in_hidden_net(const struct gate_addr *a)
{
	if (is_mapped(a))
		return (a->w[3] & bpf_htonl(0xffff0000)) == bpf_htonl(GATE_HIDDEN4);
	return a->w[0] == bpf_htonl(GATE_HIDDEN6_0) && a->w[1] == bpf_htonl(GATE_HIDDEN6_1);
}

/* The Vsv that a hidden address belongs to; 0: of the hidden networks, but nobody's. */
static __always_inline __u32 hidden_id(const struct gate_addr *a)
{
	if (is_mapped(a))
		return bpf_ntohl(a->w[3]) & 0xffff;
	return !a->w[2] && bpf_ntohl(a->w[3]) <= 0xffff ? bpf_ntohl(a->w[3]) : 0;
}

/* Whose an address is: a Vsv's number, or 0. */
static __always_inline __u32 owner_of(const struct gate_addr *a)
{
	__u32 *id;

	if (in_hidden_net(a))
		return hidden_id(a);
	id = bpf_map_lookup_elem(&addresses, a);
	return id ? *id : 0;
}

static __always_inline bool in_net(const struct gate_net *n, const struct gate_addr *a)
{
	return !(((a->w[0] ^ n->addr.w[0]) & n->mask.w[0]) | ((a->w[1] ^ n->addr.w[1]) & n->mask.w[1]) |
		 ((a->w[2] ^ n->addr.w[2]) & n->mask.w[2]) | ((a->w[3] ^ n->addr.w[3]) & n->mask.w[3]));
}

/* The verifier wants the fields of a context or socket at constant offsets from its own pointer, where the compiler likes
 * to step through an array of four with a pointer of its own. */
#define FIELD_LOAD(p, field)                                                                                       \
	({                                                                                                         \
		__u32 value_;                                                                                      \
		asm volatile("%0 = *(u32 *)(%1 + %2)"                                                              \
			     : "=r"(value_)                                                                        \
			     : "r"(p), "i"(__builtin_offsetof(__typeof__(*(p)), field)));                          \
		value_;                                                                                            \
	})
#define FIELD_STORE(p, field, value)                                                                               \
	asm volatile("*(u32 *)(%0 + %1) = %2"                                                                      \
		     :                                                                                             \
		     : "r"(p), "i"(__builtin_offsetof(__typeof__(*(p)), field)), "r"(value)                        \
		     : "memory")
#define ADDR_LOAD(p, field)                                                                                        \
	((struct gate_addr){ { FIELD_LOAD(p, field[0]), FIELD_LOAD(p, field[1]), FIELD_LOAD(p, field[2]),          \
			       FIELD_LOAD(p, field[3]) } })
#define ADDR_STORE(p, field, a)                                                                                    \
	({                                                                                                         \
		FIELD_STORE(p, field[0], (a)->w[0]);                                                               \
		FIELD_STORE(p, field[1], (a)->w[1]);                                                               \
		FIELD_STORE(p, field[2], (a)->w[2]);                                                               \
		FIELD_STORE(p, field[3], (a)->w[3]);                                                               \
	})

/* --- who asks --- */

struct asker {
	__u32 id;
	const struct gate_vsv *v; /* NULL: unknown, refuse */
};

static __always_inline struct asker who(void)
{
	struct gate_identity *me = bpf_get_local_storage(&identity, 0);
	struct asker a = { .id = me->id };

	if (a.id)
		a.v = bpf_map_lookup_elem(&vsv, &a.id);
	return a;
}

static __always_inline void count(__u32 id, int kind)
{
	struct gate_stats *s = bpf_map_lookup_elem(&stats, &id);

	if (s)
		__sync_fetch_and_add(&s->refused[kind], 1);
}

static __always_inline int refuse(__u32 id, int kind, int error)
{
	count(id, kind);
	bpf_set_retval(-error);
	return REFUSE;
}

/* A function of its own, which the verifier walks through once. */
__noinline int gate_has_peer(__u32 from, __u32 to)
{
	const struct gate_vsv *v = bpf_map_lookup_elem(&vsv, &from);

	if (!v)
		return 0;
	for (__u32 i = 0; i < GATE_PEERS && i < v->n_peers; i++)
		if (v->peers[i] == to)
			return 1;
	return 0;
}

/* What an address is to a Vsv's subnets: the first of its networks that holds it, and whether it is the broadcast
 * address of one. */
struct place {
	struct gate_addr from; /* own address in that network */
	bool near, broadcast;
};

static __always_inline void find_place(const struct gate_vsv *v, const struct gate_addr *a, struct place *p)
{
	bool four = is_mapped(a);

	p->near = p->broadcast = false;
	for (__u32 i = 0; i < GATE_NETS && i < v->n_nets; i++) {
		const struct gate_net *n = &v->nets[i];
		__u32 host = ~bpf_ntohl(n->mask.w[3]);

		if (!in_net(n, a))
			continue;
		if (!p->near)
			p->from = n->addr;
		p->near = true;
		if (four && host > 1 && (bpf_ntohl(a->w[3]) & host) == host)
			p->broadcast = true;
	}
}

/* --- binding --- */

static __always_inline struct sock_note *note_make(struct bpf_sock *sk)
{
	return bpf_sk_storage_get(&notes, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
}

static __always_inline void force_reuse(void *ctx)
{
	int one = 1;

	bpf_setsockopt(ctx, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
}

/* Notes what the wildcard was.  A socket bound by name needs no note unless an earlier, failed bind left one. */
static __always_inline bool note_wild(struct bpf_sock *sk, int wild)
{
	struct sock_note *n = bpf_sk_storage_get(&notes, sk, NULL, wild ? BPF_SK_STORAGE_GET_F_CREATE : 0);

	if (n)
		n->wild = wild;
	return n || !wild;
}

/* What SO_REUSEADDR and SO_REUSEPORT were asked for on a UDP socket, and gate_setsockopt held back. */
static __always_inline void apply_reuse(struct bpf_sock_addr *ctx, struct bpf_sock *sk)
{
	struct sock_note *n = bpf_sk_storage_get(&notes, sk, NULL, 0);
	int one = 1;

	if (!n)
		return;
	if (n->reuse & 1)
		bpf_setsockopt(ctx, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (n->reuse & 2)
		bpf_setsockopt(ctx, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
}

/* Judges an address to bind and replaces it where the gate has another for it.  *wild says what it stood for. */
static __always_inline bool judge_bind(const struct asker *me, struct gate_addr *a, bool udp, bool v6only, int *wild,
				       bool *group)
{
	const struct gate_vsv *v = me->v;
	struct place p;

	*wild = WILD_NONE;
	*group = false;
	if (v->flags & GATE_F_OWN_STACK) {
		if (is_any(a) || in_loopback_net(a))
			return true;
	} else if (is_any(a)) {
		bool four = is_mapped(a);

		*wild = four ? WILD_4 : v6only ? WILD_6 : WILD_BOTH;
		if (four || (!v6only && (v->flags & (GATE_F_HAS4 | GATE_F_HAS6)) != GATE_F_HAS6)) {
			*a = v->flags & GATE_F_HAS4 ? v->primary4 : hidden4(me->id);
			return true;
		}
		if (!v6only && v->flags & GATE_F_HAS4) {
			*a = v->primary4;
			return true;
		}
		/* Bound to an IPv6 address a socket serves IPv6 alone. */
		*wild = WILD_6;
		*a = v->flags & GATE_F_HAS6 ? v->primary6 : hidden6(me->id);
		return true;
	} else if (is_loopback(a)) {
		*a = is_mapped(a) ? hidden4(me->id) : hidden6(me->id);
		return true;
	}
	if (owner_of(a) == me->id)
		return true;
	if (!udp || !(v->flags & GATE_F_DISCOVERY))
		return false;
	*group = true;
	if (is_discovery_group(a))
		return true;
	find_place(v, a, &p);
	return p.broadcast;
}

static __always_inline int bind_hook(struct bpf_sock_addr *ctx, struct bpf_sock *sk, struct gate_addr *a, bool v6only)
{
	struct asker me = who();
	bool udp = ctx->protocol == IPPROTO_UDP, group;
	int wild;

	if (!me.v || !judge_bind(&me, a, udp, v6only, &wild, &group) || !note_wild(sk, wild))
		return refuse(me.id, KIND_BIND, EADDRNOTAVAIL);
	if (udp)
		apply_reuse(ctx, sk);
	/* Else the first Vsv of a subnet would keep its broadcast address from the others. */
	if (group)
		force_reuse(ctx);
	return ALLOW;
}

SEC("cgroup/bind4")
int gate_bind4(struct bpf_sock_addr *ctx)
{
	struct gate_addr a = mapped(ctx->user_ip4);
	struct bpf_sock *sk = ctx->sk;

	if (!sk || !bind_hook(ctx, sk, &a, false))
		return REFUSE;
	ctx->user_ip4 = a.w[3];
	return ALLOW;
}

static __always_inline bool is_v6only(struct bpf_sock *sk, bool udp)
{
	struct sock_common *c;

	c = udp ? (struct sock_common *)bpf_skc_to_udp6_sock(sk) : (struct sock_common *)bpf_skc_to_tcp6_sock(sk);
	return c && BPF_CORE_READ_BITFIELD(c, skc_ipv6only);
}

SEC("cgroup/bind6")
int gate_bind6(struct bpf_sock_addr *ctx)
{
	struct gate_addr a = ADDR_LOAD(ctx, user_ip6);
	struct bpf_sock *sk = ctx->sk;
	bool v6only;

	if (!sk)
		return REFUSE;
	v6only = is_any6(&a) && is_v6only(sk, ctx->protocol == IPPROTO_UDP);
	if (!bind_hook(ctx, sk, &a, v6only))
		return REFUSE;
	ADDR_STORE(ctx, user_ip6, &a);
	return ALLOW;
}

/* --- UDP: which ports gate_lookup lets through --- */

static __always_inline void udp_forget(struct sock_note *n, struct gate_stats *s)
{
	struct gate_udp_use *u = bpf_map_lookup_elem(&udp_ports, &n->udp);

	n->has_udp = 0;
	if (s && s->udp > 0)
		__sync_fetch_and_add(&s->udp, -1);
	if (u && __sync_fetch_and_add(&u->sockets, -1) <= 1)
		bpf_map_delete_elem(&udp_ports, &n->udp);
}

/* Two sockets of one Vsv on one address and port that come and go at the same moment can lose the entry between them:
 * then its datagrams are refused, never another's let in. */
static __always_inline bool udp_register(struct sock_note *n, __u32 id, const struct gate_udp *key)
{
	struct gate_stats *s = bpf_map_lookup_elem(&stats, &id);
	struct gate_udp_use fresh = { .id = id, .sockets = 1 };
	struct gate_udp_use *u;

	if (!s)
		return false;
	if (n->has_udp) {
		if (n->udp.port == key->port && same(&n->udp.addr, &key->addr))
			return true;
		udp_forget(n, s);
	}
	if (s->udp >= GATE_UDP_MAX)
		return false;
	u = bpf_map_lookup_elem(&udp_ports, key);
	if (!u || u->id != id || __sync_fetch_and_add(&u->sockets, 1) <= 0)
		if (bpf_map_update_elem(&udp_ports, key, &fresh, BPF_ANY))
			return false;
	__sync_fetch_and_add(&s->udp, 1);
	n->udp = *key;
	n->has_udp = 1;
	return true;
}

static __always_inline int post_bind(struct bpf_sock *ctx, const struct gate_addr *a)
{
	struct gate_udp key = { .addr = *a, .port = ctx->src_port };
	struct sock_note *n;
	struct asker me;

	if (ctx->protocol != IPPROTO_UDP)
		return ALLOW;
	me = who();
	if (!me.v)
		return REFUSE;
	/* A group's datagrams go to every socket of it and ask no look-up. */
	if (me.v->flags & GATE_F_OWN_STACK || owner_of(a) != me.id)
		return ALLOW;
	n = note_make(ctx);
	if (n && udp_register(n, me.id, &key))
		return ALLOW;
	count(me.id, KIND_BIND);
	return REFUSE;
}

SEC("cgroup/post_bind4")
int gate_post_bind4(struct bpf_sock *ctx)
{
	struct gate_addr a = mapped(ctx->src_ip4);

	return post_bind(ctx, &a);
}

SEC("cgroup/post_bind6")
int gate_post_bind6(struct bpf_sock *ctx)
{
	struct gate_addr a = ADDR_LOAD(ctx, src_ip6);

	return post_bind(ctx, &a);
}

SEC("cgroup/sock_release")
int gate_sock_release(struct bpf_sock *ctx)
{
	struct sock_note *n = bpf_sk_storage_get(&notes, ctx, NULL, 0);
	struct gate_identity *me;
	struct gate_stats *s;
	__u32 id;

	if (!n || !(n->listener | n->has_udp))
		return ALLOW;
	me = bpf_get_local_storage(&identity, 0);
	id = me->id;
	s = bpf_map_lookup_elem(&stats, &id);
	if (n->listener && s && s->listeners > 0)
		__sync_fetch_and_add(&s->listeners, -1);
	n->listener = 0;
	if (n->has_udp)
		udp_forget(n, s);
	return ALLOW;
}

/* --- going out --- */

/* Judges a destination and puts the hidden address for the own loopback.  Chooses the source for it: the own address in
 * the same subnet, else the primary one.  0, or the errno to refuse with. */
static __always_inline int judge_destination(const struct asker *me, struct gate_addr *to, struct gate_addr *from)
{
	const struct gate_vsv *v = me->v;
	bool four = is_mapped(to);
	struct place p;
	__u32 owner;

	if (v->flags & GATE_F_OWN_STACK) {
		*from = four ? mapped(0) : (struct gate_addr){};
		if (is_any(to) || in_loopback_net(to))
			return 0;
	} else if (is_any(to) || is_loopback(to)) {
		*to = *from = four ? hidden4(me->id) : hidden6(me->id);
		return 0;
	} else if (in_loopback_net(to) && owner_of(to) != me->id) {
		return EPERM;
	}
	if (is_group(to) && !(v->flags & GATE_F_DISCOVERY && is_discovery_group(to)))
		return EPERM;
	owner = owner_of(to);
	if (owner != me->id && (owner ? !gate_has_peer(me->id, owner) : in_hidden_net(to)))
		return EPERM;
	for (__u32 i = 0; i < GATE_DENIES && i < v->n_denies; i++)
		if (in_net(&v->denies[i], to))
			return EPERM;
	find_place(v, to, &p);
	if (p.broadcast && !(v->flags & GATE_F_DISCOVERY))
		return EPERM;
	if (v->flags & GATE_F_OWN_STACK)
		return 0;
	if (in_hidden_net(to))
		*from = *to;
	else if (p.near)
		*from = p.from;
	else if (v->flags & (four ? GATE_F_HAS4 : GATE_F_HAS6))
		*from = four ? v->primary4 : v->primary6;
	else
		return EADDRNOTAVAIL;
	return 0;
}

/* A source that a socket is bound to, or asks for: one's own, or loopback in the own stack. */
static __always_inline bool is_own_source(const struct asker *me, const struct gate_addr *a)
{
	if (me->v->flags & GATE_F_OWN_STACK && in_loopback_net(a))
		return true;
	return owner_of(a) == me->id;
}

static __always_inline struct gate_addr bound_to(struct bpf_sock *sk)
{
	if (sk->family == AF_INET6)
		return ADDR_LOAD(sk, src_ip6);
	return mapped(sk->src_ip4);
}

/* Binding an IPv6 socket by its IPv4 address would leave its IPv6 one unset: the socket's own family decides. */
static __always_inline long bind_source(struct bpf_sock_addr *ctx, struct bpf_sock *sk, const struct gate_addr *from)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	struct sockaddr_in four = { .sin_family = AF_INET };

	if (sk->family == AF_INET6) {
		__builtin_memcpy(&six.sin6_addr, from, sizeof(*from));
		return bpf_bind(ctx, (struct sockaddr *)&six, sizeof(six));
	}
	four.sin_addr.s_addr = from->w[3];
	return bpf_bind(ctx, (struct sockaddr *)&four, sizeof(four));
}

static __always_inline int connect_hook(struct bpf_sock_addr *ctx, struct bpf_sock *sk, struct gate_addr *to)
{
	struct asker me = who();
	struct gate_addr from, bound;
	int error;

	if (!me.v)
		return refuse(me.id, KIND_CONNECT, EPERM);
	error = judge_destination(&me, to, &from);
	if (error)
		return refuse(me.id, KIND_CONNECT, error);
	bound = bound_to(sk);
	if (is_any(&bound)) {
		/* It fails when a datagram was sent before, for then the port is bound to the wildcard already. */
		if (!is_any(&from) && bind_source(ctx, sk, &from))
			return refuse(me.id, KIND_CONNECT, EADDRNOTAVAIL);
		return ALLOW;
	}
	/* Bound to a group or broadcast address, the kernel would take the Psv's address as the source. */
	if (!is_own_source(&me, &bound))
		return refuse(me.id, KIND_CONNECT, EADDRNOTAVAIL);
	return ALLOW;
}

SEC("cgroup/connect4")
int gate_connect4(struct bpf_sock_addr *ctx)
{
	struct gate_addr to = mapped(ctx->user_ip4);
	struct bpf_sock *sk = ctx->sk;

	if (!sk || !connect_hook(ctx, sk, &to))
		return REFUSE;
	ctx->user_ip4 = to.w[3];
	return ALLOW;
}

SEC("cgroup/connect6")
int gate_connect6(struct bpf_sock_addr *ctx)
{
	struct gate_addr to = ADDR_LOAD(ctx, user_ip6);
	struct bpf_sock *sk = ctx->sk;

	if (!sk || !connect_hook(ctx, sk, &to))
		return REFUSE;
	ADDR_STORE(ctx, user_ip6, &to);
	return ALLOW;
}

/* A datagram.  `from` is the source that the kernel is about to use: by packet information, by bind, or none yet.
 * without_name: on a connected socket, with ancillary data; connect_hook judged the destination. */
static __always_inline int send_hook(struct bpf_sock *sk, struct gate_addr *to, struct gate_addr *from,
				     bool without_name)
{
	struct gate_addr chosen = mapped(0), bound = bound_to(sk);
	struct asker me = who();
	struct sock_note *n;
	struct gate_udp key;
	int error;

	if (!me.v)
		return refuse(me.id, KIND_SEND, EPERM);
	if (without_name) {
		chosen = bound;
	} else {
		error = judge_destination(&me, to, &chosen);
		if (error)
			return refuse(me.id, KIND_SEND, error);
		if (!is_any(&bound) && is_own_source(&me, &bound))
			chosen = bound;
	}
	if (is_any(from))
		*from = chosen;
	if (me.v->flags & GATE_F_OWN_STACK)
		return is_any(from) || is_own_source(&me, from) ? ALLOW : refuse(me.id, KIND_SEND, EADDRNOTAVAIL);
	if (!is_own_source(&me, from))
		return refuse(me.id, KIND_SEND, EADDRNOTAVAIL);
	if (!is_any(&bound))
		return ALLOW;
	/* Bound by the kernel to the wildcard address, for want of a bind: the answers come to `from`. */
	key = (struct gate_udp){ .addr = *from, .port = sk->src_port };
	n = note_make(sk);
	if (!n || !udp_register(n, me.id, &key))
		return refuse(me.id, KIND_SEND, EPERM);
	return ALLOW;
}

SEC("cgroup/sendmsg4")
int gate_sendmsg4(struct bpf_sock_addr *ctx)
{
	struct gate_addr to = mapped(ctx->user_ip4), from = mapped(ctx->msg_src_ip4);
	struct bpf_sock *sk = ctx->sk;
	/* A named destination has a port: the kernel refused port 0 before. */
	bool without_name = !ctx->user_port;

	if (!sk || !send_hook(sk, &to, &from, without_name))
		return REFUSE;
	if (!without_name)
		ctx->user_ip4 = to.w[3];
	ctx->msg_src_ip4 = from.w[3];
	return ALLOW;
}

SEC("cgroup/sendmsg6")
int gate_sendmsg6(struct bpf_sock_addr *ctx)
{
	struct gate_addr to = ADDR_LOAD(ctx, user_ip6), from = ADDR_LOAD(ctx, msg_src_ip6);
	struct bpf_sock *sk = ctx->sk;
	bool without_name = !ctx->user_port;

	if (!sk || !send_hook(sk, &to, &from, without_name))
		return REFUSE;
	if (!without_name)
		ADDR_STORE(ctx, user_ip6, &to);
	ADDR_STORE(ctx, msg_src_ip6, &from);
	return ALLOW;
}

/* --- names that programs see --- */

static __always_inline bool show_loopback(struct gate_addr *a)
{
	struct gate_identity *me;

	if (!in_hidden_net(a))
		return false;
	me = bpf_get_local_storage(&identity, 0);
	if (hidden_id(a) != me->id)
		return false;
	*a = is_mapped(a) ? mapped(bpf_htonl(0x7f000001)) : v6(0, 0, 0, 1);
	return true;
}

/* A socket bound to the wildcard address says so, until it is connected. */
static __always_inline bool show_wild(struct bpf_sock *sk, struct gate_addr *a)
{
	struct sock_note *n = bpf_sk_storage_get(&notes, sk, NULL, 0);

	if (!n || !n->wild || (sk->state != STATE_CLOSE && sk->state != STATE_LISTEN))
		return false;
	*a = n->wild == WILD_4 ? mapped(0) : (struct gate_addr){};
	return true;
}

static __always_inline int show4(struct bpf_sock_addr *ctx, bool own)
{
	struct gate_addr a = mapped(ctx->user_ip4);
	struct bpf_sock *sk = ctx->sk;

	if ((own && sk && show_wild(sk, &a)) || show_loopback(&a))
		ctx->user_ip4 = a.w[3];
	return ALLOW;
}

static __always_inline int show6(struct bpf_sock_addr *ctx, bool own)
{
	struct gate_addr a = ADDR_LOAD(ctx, user_ip6);
	struct bpf_sock *sk = ctx->sk;

	if ((own && sk && show_wild(sk, &a)) || show_loopback(&a))
		ADDR_STORE(ctx, user_ip6, &a);
	return ALLOW;
}

SEC("cgroup/getsockname4")
int gate_getsockname4(struct bpf_sock_addr *ctx)
{
	return show4(ctx, true);
}

SEC("cgroup/getsockname6")
int gate_getsockname6(struct bpf_sock_addr *ctx)
{
	return show6(ctx, true);
}

SEC("cgroup/getpeername4")
int gate_getpeername4(struct bpf_sock_addr *ctx)
{
	return show4(ctx, false);
}

SEC("cgroup/getpeername6")
int gate_getpeername6(struct bpf_sock_addr *ctx)
{
	return show6(ctx, false);
}

SEC("cgroup/recvmsg4")
int gate_recvmsg4(struct bpf_sock_addr *ctx)
{
	return show4(ctx, false);
}

SEC("cgroup/recvmsg6")
int gate_recvmsg6(struct bpf_sock_addr *ctx)
{
	return show6(ctx, false);
}

/* --- sockets and their options --- */

/* TCP and UDP: what else hangs on these families (raw, ping, MPTCP, SCTP, UDP-Lite, …) has no hooks at bind or send. */
SEC("cgroup/sock_create")
int gate_sock_create(struct bpf_sock *ctx)
{
	struct asker me = who();

	if (me.v && ((ctx->type == SOCK_STREAM && ctx->protocol == IPPROTO_TCP) ||
		     (ctx->type == SOCK_DGRAM && ctx->protocol == IPPROTO_UDP)))
		return ALLOW;
	count(me.id, KIND_SOCKET);
	return REFUSE;
}

/* A UDP socket without a bind gets a port on the wildcard address when it sends, and no hook sees that: it must never
 * share that port with a socket of the Psv's.  So these two options wait for the bind. */
static __always_inline int hold_reuse(struct bpf_sockopt *ctx, struct bpf_sock *sk, int bit)
{
	struct gate_addr bound = bound_to(sk);
	int *on = ctx->optval;
	struct sock_note *n;

	if (sk->protocol != IPPROTO_UDP || sk->type != SOCK_DGRAM || !is_any(&bound))
		return ALLOW;
	if ((void *)(on + 1) > ctx->optval_end)
		return ALLOW;
	n = note_make(sk);
	if (!n)
		return REFUSE;
	if (*on)
		n->reuse |= bit;
	else
		n->reuse &= ~bit;
	ctx->optlen = -1; /* done, says the kernel to the caller */
	return ALLOW;
}

/* What would choose an interface, a port or a first hop past the hooks.  The system call filter refuses some of these as
 * well; this holds where there is another way to the call. */
static __always_inline bool is_bypass(int level, int name)
{
	switch (level) {
	case SOL_SOCKET:
		return name == SO_BINDTODEVICE || name == SO_BINDTOIFINDEX;
	case IPPROTO_IP:
		return name == IP_OPTIONS || name == OPT_PORT_RANGE;
	case IPPROTO_IPV6:
		return name == IPV6_RTHDR || name == IPV6_2292RTHDR || name == IPV6_2292PKTOPTIONS;
	default:
		return false;
	}
}

SEC("cgroup/setsockopt")
int gate_setsockopt(struct bpf_sockopt *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct gate_identity *me;
	int r = ALLOW;

	if (is_bypass(ctx->level, ctx->optname)) {
		me = bpf_get_local_storage(&identity, 0);
		count(me->id, KIND_SOCKET);
		return REFUSE;
	}
	if (ctx->level == SOL_SOCKET && sk && (sk->family == AF_INET || sk->family == AF_INET6)) {
		if (ctx->optname == SO_REUSEADDR)
			r = hold_reuse(ctx, sk, 1);
		else if (ctx->optname == SO_REUSEPORT)
			r = hold_reuse(ctx, sk, 2);
	}
	/* 0: the kernel reads the caller's own memory; a value longer than a page would fail otherwise. */
	if (ctx->optlen > 0)
		ctx->optlen = 0;
	return r;
}

/* --- listeners --- */

static __always_inline void put_listener(struct bpf_sock_ops *ctx, struct gate_listener *key)
{
	key->slot = 0;
	if (!bpf_sock_hash_update(ctx, &listeners, key, BPF_NOEXIST))
		return;
	key->slot = 1;
	bpf_sock_hash_update(ctx, &listeners, key, BPF_ANY);
}

static __always_inline void shut(struct bpf_sock_ops *ctx)
{
	int nowhere = NO_IFINDEX;

	bpf_setsockopt(ctx, SOL_SOCKET, SO_BINDTOIFINDEX, &nowhere, sizeof(nowhere));
}

static __always_inline bool count_listener(struct sock_note *n, __u32 id)
{
	struct gate_stats *s;

	if (n->listener)
		return true;
	s = bpf_map_lookup_elem(&stats, &id);
	if (!s)
		return false;
	if (s->listeners >= GATE_LISTENERS_MAX) {
		__sync_fetch_and_add(&s->refused[KIND_BIND], 1);
		return false;
	}
	__sync_fetch_and_add(&s->listeners, 1);
	n->listener = 1;
	return true;
}

/* A socket begins to listen.  What is not put into the table is reached by nobody: gate_lookup asks the table alone. */
static __always_inline void on_listen(struct bpf_sock_ops *ctx, struct bpf_sock *sk)
{
	struct gate_listener key = { .port = ctx->local_port };
	struct asker me = who();
	struct sock_note *n;

	if (!me.v) {
		shut(ctx);
		return;
	}
	if (me.v->flags & GATE_F_OWN_STACK)
		return;
	key.addr = bound_to(sk);
	/* listen() without bind(): it stands on the wildcard address, the Psv's addresses included. */
	if (is_any(&key.addr)) {
		count(me.id, KIND_BIND);
		shut(ctx);
		return;
	}
	n = note_make(sk);
	if (!n || !count_listener(n, me.id))
		return;
	key.id = me.id;
	if (!n->wild) {
		put_listener(ctx, &key);
		return;
	}
	key.addr = (struct gate_addr){};
	if (n->wild != WILD_6) {
		key.scope = GATE_WILD4;
		put_listener(ctx, &key);
	}
	if (n->wild != WILD_4) {
		key.scope = GATE_WILD6;
		put_listener(ctx, &key);
	}
}

SEC("sockops")
int gate_sock_ops(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk;

	ctx->reply = -1; /* no opinion on what other events ask */
	if (ctx->op != BPF_SOCK_OPS_TCP_LISTEN_CB)
		return 1;
	sk = ctx->sk;
	if (sk)
		on_listen(ctx, sk);
	return 1;
}

/* --- devices --- */

/* Character devices without state of anybody's: null, zero, full, random, urandom, tty, ptmx and the pty slaves, of
 * which a Vsv sees those of its own devpts. */
static __always_inline bool is_plain_char(__u32 major, __u32 minor)
{
	if (major == 1)
		return minor == 3 || minor == 5 || minor == 7 || minor == 8 || minor == 9;
	if (major == 5)
		return minor == 0 || minor == 2;
	return major >= 136 && major <= 143;
}

SEC("cgroup/dev")
int gate_device(struct bpf_cgroup_dev_ctx *ctx)
{
	__u32 type = ctx->access_type & 0xffff, access = ctx->access_type >> 16;
	__u32 dev = ctx->major << 20 | ctx->minor;
	struct asker me = who();

	if (me.v && type == BPF_DEVCG_DEV_CHAR && is_plain_char(ctx->major, ctx->minor))
		return ALLOW;
	if (me.v && type == BPF_DEVCG_DEV_BLOCK && !(access & BPF_DEVCG_ACC_WRITE))
		for (__u32 i = 0; i < GATE_DEVICES && i < me.v->n_devices; i++)
			if (me.v->devices[i] == dev)
				return ALLOW;
	count(me.id, KIND_DEVICE);
	return REFUSE;
}

/* --- what arrives --- */

static __always_inline int drop(__u32 id)
{
	count(id, KIND_INGRESS);
	return SK_DROP;
}

static __always_inline bool give_slot(struct bpf_sk_lookup *ctx, struct gate_listener *key, __u8 slot)
{
	struct bpf_sock *sk;
	long r;

	key->slot = slot;
	sk = bpf_map_lookup_elem(&listeners, key);
	if (!sk)
		return false;
	r = bpf_sk_assign(ctx, sk, 0);
	bpf_sk_release(sk);
	return !r;
}

static __always_inline bool give(struct bpf_sk_lookup *ctx, struct gate_listener *key)
{
	return give_slot(ctx, key, 0) || give_slot(ctx, key, 1);
}

static __always_inline int to_listener(struct bpf_sk_lookup *ctx, const struct gate_addr *to, __u32 id)
{
	struct gate_listener key = { .addr = *to, .id = id, .port = ctx->local_port, .scope = GATE_EXACT };

	if (give(ctx, &key))
		return SK_PASS;
	key.addr = (struct gate_addr){};
	key.scope = is_mapped(to) ? GATE_WILD4 : GATE_WILD6;
	return give(ctx, &key) ? SK_PASS : SK_DROP;
}

static __always_inline int to_datagram(struct bpf_sk_lookup *ctx, const struct gate_addr *to, __u32 id)
{
	struct gate_udp key = { .addr = *to, .port = ctx->local_port };
	struct gate_udp_use *u = bpf_map_lookup_elem(&udp_ports, &key);

	return u && u->id == id ? SK_PASS : SK_DROP;
}

/* Whether the Vsv `from` may reach the address of `to` (0: the Psv's). */
static __always_inline bool may_reach(__u32 from, __u32 to)
{
	const struct gate_vsv *v;

	if (!from || from == to)
		return true;
	v = bpf_map_lookup_elem(&vsv, &from);
	if (!v)
		return false;
	return to ? gate_has_peer(from, to) : v->flags & GATE_F_PEER_PSV;
}

SEC("sk_lookup")
int gate_lookup(struct bpf_sk_lookup *ctx)
{
	struct gate_addr to, from;
	const struct gate_vsv *v;
	__u32 owner, sender;

	if (ctx->family == AF_INET) {
		to = mapped(ctx->local_ip4);
		from = mapped(ctx->remote_ip4);
	} else {
		to = ADDR_LOAD(ctx, local_ip6);
		from = ADDR_LOAD(ctx, remote_ip6);
	}
	owner = owner_of(&to);
	sender = owner_of(&from);
	if (in_hidden_net(&to) && (!owner || sender != owner || ctx->ingress_ifindex != LOOPBACK_IFINDEX))
		return drop(sender);
	if (!may_reach(sender, owner))
		return drop(sender);
	if (!owner)
		return SK_PASS;
	/* An address without a configuration is one of a gate with another layout, whose program answers for it: the
	 * loader writes the configuration before the addresses and takes it away after them. */
	v = bpf_map_lookup_elem(&vsv, &owner);
	if (!v || v->flags & GATE_F_OWN_STACK)
		return SK_PASS;
	return ctx->protocol == IPPROTO_TCP ? to_listener(ctx, &to, owner) : to_datagram(ctx, &to, owner);
}
