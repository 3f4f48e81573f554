/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vsv/refusal.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "vsv/proto.h"
#include "vsv/refused_calls.h"
#include "vsv/safe.h"
#include "vsv/small.h"

const char *const refusal_kinds[REFUSAL_KINDS] = {
	[REFUSAL_BIND] = "bind",     [REFUSAL_CONNECT] = "connect", [REFUSAL_SEND] = "send", [REFUSAL_SOCKET] = "socket",
	[REFUSAL_DEVICE] = "device", [REFUSAL_INGRESS] = "ingress", [REFUSAL_CALL] = "call",
};

/* A name of a small set, or its number. */
struct word {
	uint32_t value;
	const char *word;
};

static const struct word errors[] = {
	{ EPERM, "EPERM" }, { EACCES, "EACCES" }, { EADDRINUSE, "EADDRINUSE" }, { EADDRNOTAVAIL, "EADDRNOTAVAIL" },
	{ ENOBUFS, "ENOBUFS" }, { ENOSYS, "ENOSYS" }, { EOPNOTSUPP, "EOPNOTSUPP" }, { EPROTONOSUPPORT, "EPROTONOSUPPORT" },
	{ 0, NULL },
};
static const struct word families[] = {
	{ AF_UNIX, "unix" }, { AF_INET, "inet" }, { AF_INET6, "inet6" }, { 16, "netlink" }, { 17, "packet" }, { 30, "tipc" },
	{ 31, "bluetooth" }, { 38, "alg" }, { 40, "vsock" }, { 44, "xdp" }, { 0, NULL },
};
static const struct word socket_types[] = {
	{ SOCK_STREAM, "stream" }, { SOCK_DGRAM, "dgram" }, { SOCK_RAW, "raw" }, { SOCK_SEQPACKET, "seqpacket" },
	{ 10, "packet" }, { 0, NULL },
};
static const struct word protocols[] = {
	{ IPPROTO_ICMP, "icmp" }, { IPPROTO_TCP, "tcp" }, { IPPROTO_UDP, "udp" }, { IPPROTO_ICMPV6, "icmpv6" },
	{ 132, "sctp" }, { 136, "udplite" }, { 262, "mptcp" }, { 0, NULL },
};
#define CALL_ROW(name, nr, error, by) { nr, #name },
#define JUDGED_ROW(name, nr) { nr, #name },
static const struct word calls[] = { REFUSED_CALLS(CALL_ROW) JUDGED_CALLS(JUDGED_ROW) { 0, NULL } };

static const char *word_of(const struct word *words, uint32_t value)
{
	for (; words->word; words++)
		if (words->value == value)
			return words->word;
	return NULL;
}

const char *call_name(uint32_t nr)
{
	return word_of(calls, nr);
}

static void add_word(struct text *t, const struct word *words, uint32_t value)
{
	const char *w = word_of(words, value);

	if (w)
		text_add(t, w);
	else
		text_u64(t, value);
}

bool refusal_of_gate(const struct gate_event *e, struct refusal *ret)
{
	*ret = (struct refusal){ .kind = e->kind, .asked = e->asked, .count = 1, .psv_pid = e->pid, .uid = e->uid,
				 .addr = e->addr, .x = e->x, .y = e->y, .error = e->error };
	memcpy(ret->process, e->comm, sizeof(ret->process));
	return e->kind < REFUSAL_CALL && e->asked <= GATE_ASKED_DEVICE;
}

void refusal_of_call(const struct proto_refused *m, struct refusal *ret)
{
	*ret = (struct refusal){ .realtime_ns = m->realtime_ns, .kind = REFUSAL_CALL, .count = 1, .pid = m->pid, .uid = m->uid,
				 .error = (int)m->error, .call = m->call };
	memcpy(ret->process, m->process, sizeof(ret->process));
	memcpy(ret->args, m->args, sizeof(ret->args));
}

bool refusal_same(const struct refusal *a, const struct refusal *b)
{
	return a->kind == b->kind && a->asked == b->asked && !a->unnoted && !b->unnoted && a->psv_pid == b->psv_pid &&
	       a->pid == b->pid && a->uid == b->uid && memcmp(a->process, b->process, sizeof(a->process)) == 0 &&
	       memcmp(&a->addr, &b->addr, sizeof(a->addr)) == 0 && a->x == b->x && a->y == b->y && a->error == b->error &&
	       a->call == b->call && memcmp(a->args, b->args, sizeof(a->args)) == 0;
}

static bool has_process(const struct refusal *r)
{
	return !r->unnoted && (r->psv_pid || r->pid);
}

static bool is_mapped(const struct gate_addr *a)
{
	return a->w[0] == 0 && a->w[1] == 0 && a->w[2] == htonl(0xffff);
}

static void add_address(struct text *t, const struct gate_addr *a)
{
	char buf[INET6_ADDRSTRLEN];

	if (inet_ntop(is_mapped(a) ? AF_INET : AF_INET6, is_mapped(a) ? &a->w[3] : &a->w[0], buf, sizeof(buf)))
		text_add(t, buf);
}

static void text_hex(struct text *t, uint64_t v)
{
	static const char digits[] = "0123456789abcdef";
	char buf[16];
	size_t n = sizeof(buf);

	do {
		buf[--n] = digits[v & 15];
		v >>= 4;
	} while (v);
	text_add(t, "0x");
	text_add_n(t, buf + n, sizeof(buf) - n);
}

static void add_device(struct text *t, const struct refusal *r)
{
	text_u64(t, r->x >> 20);
	text_add(t, ":");
	text_u64(t, r->x & 0xfffff);
}

static const char *device_type(const struct refusal *r)
{
	return r->y >> 16 == BPF_DEVCG_DEV_BLOCK ? "block" : "char";
}

/* What the kernel asks for at once: mknod, or any of reading and writing. */
static const char *device_access(const struct refusal *r)
{
	uint32_t a = r->y & 0xffff;

	if (a & BPF_DEVCG_ACC_MKNOD)
		return "mknod";
	if ((a & BPF_DEVCG_ACC_READ) && (a & BPF_DEVCG_ACC_WRITE))
		return "read-write";
	return a & BPF_DEVCG_ACC_WRITE ? "write" : "read";
}

static void add_socket(struct text *t, uint32_t family, uint32_t type, uint32_t protocol)
{
	add_word(t, families, family);
	text_add(t, " ");
	add_word(t, socket_types, type);
	text_add(t, " protocol ");
	if (family == AF_INET || family == AF_INET6)
		add_word(t, protocols, protocol);
	else
		text_u64(t, protocol);
}

/* device_node: what mknod(2) and mknodat(2) were given: its type and number, as the kernel has them from user space
 * (new_decode_dev() of linux/kdev_t.h).  false: it is none of the two. */
static bool device_node(const struct refusal *r, uint32_t *ret_mode, uint32_t *ret_dev)
{
	size_t at = r->call == SYS_mknodat ? 2 : 0;

#ifdef SYS_mknod
	if (r->call == SYS_mknod)
		at = 1;
#endif
	if (!at)
		return false;
	*ret_mode = (uint32_t)r->args[at];
	*ret_dev = (uint32_t)r->args[at + 1];
	return true;
}

static void add_call(struct text *t, const struct refusal *r)
{
	const char *name = call_name(r->call);
	uint32_t mode, dev;

	if (name) {
		text_add(t, name);
	} else {
		text_add(t, "system call ");
		text_u64(t, r->call);
	}
	if (r->call == SYS_socket || r->call == SYS_socketpair) {
		text_add(t, " ");
		add_socket(t, (uint32_t)r->args[0], (uint32_t)r->args[1] & 0xf, (uint32_t)r->args[2]);
	} else if (r->call == SYS_setsockopt) {
		text_add(t, " level ");
		text_u64(t, (uint32_t)r->args[1]);
		text_add(t, " option ");
		text_u64(t, (uint32_t)r->args[2]);
	} else if (r->call == SYS_ioctl) {
		text_add(t, " ");
		text_hex(t, (uint32_t)r->args[1]);
	} else if (r->call == SYS_clone || r->call == SYS_unshare || r->call == SYS_personality) {
		text_add(t, " ");
		text_hex(t, r->args[0]);
	} else if (device_node(r, &mode, &dev)) {
		text_add(t, S_ISBLK(mode) ? " block device " : " char device ");
		text_u64(t, (dev & 0xfff00) >> 8);
		text_add(t, ":");
		text_u64(t, (dev & 0xff) | ((dev >> 12) & 0xfff00));
	}
}

static void add_asked(struct text *t, const struct refusal *r)
{
	switch (r->asked) {
	case GATE_ASKED_ADDRESS:
		text_add(t, refusal_kinds[r->kind]);
		text_add(t, is_mapped(&r->addr) ? " " : " [");
		add_address(t, &r->addr);
		text_add(t, is_mapped(&r->addr) ? ":" : "]:");
		text_u64(t, r->x);
		text_add(t, " ");
		add_word(t, protocols, r->y);
		return;
	case GATE_ASKED_SOCKET:
		text_add(t, "socket ");
		add_socket(t, r->x, r->y >> 16, r->y & 0xffff);
		return;
	case GATE_ASKED_OPTION:
		text_add(t, "setsockopt level ");
		text_u64(t, r->x);
		text_add(t, " option ");
		text_u64(t, r->y);
		return;
	case GATE_ASKED_DEVICE:
		text_add(t, device_access(r));
		text_add(t, " ");
		text_add(t, device_type(r));
		text_add(t, " device ");
		add_device(t, r);
		return;
	default:
		text_add(t, refusal_kinds[r->kind]);
	}
}

static void add_answer(struct text *t, const struct refusal *r)
{
	if (r->error)
		add_word(t, errors, (uint32_t)r->error);
	else
		text_add(t, r->kind == REFUSAL_INGRESS ? "dropped" : "reached by nobody");
}

void refusal_words(struct text *t, const struct refusal *r)
{
	if (r->unnoted) {
		text_u64(t, r->count);
		text_add(t, " more of kind ");
		text_add(t, refusal_kinds[r->kind]);
		text_add(t, ", in a flood");
		return;
	}
	if (r->kind == REFUSAL_CALL)
		add_call(t, r);
	else
		add_asked(t, r);
	if (has_process(r)) {
		text_add(t, " by ");
		text_add_safe(t, r->process, strnlen(r->process, sizeof(r->process)), false);
		text_add(t, "[");
		text_u64(t, r->pid ? r->pid : r->psv_pid);
		text_add(t, r->pid ? "] of user " : " outside] of user ");
		text_u64(t, r->uid);
	}
	text_add(t, ": ");
	add_answer(t, r);
	if (r->count > 1) {
		text_add(t, ", ");
		text_u64(t, r->count);
		text_add(t, " times");
	}
}

/* ---- as JSON ---- */

static void member(struct text *t, const char *key)
{
	text_add(t, ",\"");
	text_add(t, key);
	text_add(t, "\":");
}

static void member_number(struct text *t, const char *key, uint64_t v)
{
	member(t, key);
	text_u64(t, v);
}

static void member_word(struct text *t, const char *key, const char *v)
{
	member(t, key);
	text_add(t, "\"");
	text_add_safe(t, v, strlen(v), true);
	text_add(t, "\"");
}

static void member_from(struct text *t, const char *key, const struct word *words, uint32_t v)
{
	char buf[24];
	struct text w = TEXT(buf);

	add_word(&w, words, v);
	member_word(t, key, buf);
}

static void members_of_gate(struct text *t, const struct refusal *r)
{
	char buf[64];
	struct text w = TEXT(buf);

	switch (r->asked) {
	case GATE_ASKED_ADDRESS:
		add_address(&w, &r->addr);
		member_word(t, "address", buf);
		member_number(t, "port", r->x);
		member_from(t, "protocol", protocols, r->y);
		return;
	case GATE_ASKED_SOCKET:
		member_from(t, "family", families, r->x);
		member_from(t, "type", socket_types, r->y >> 16);
		member_from(t, "protocol", protocols, r->y & 0xffff);
		return;
	case GATE_ASKED_OPTION:
		member_number(t, "level", r->x);
		member_number(t, "option", r->y);
		return;
	case GATE_ASKED_DEVICE:
		add_device(&w, r);
		member_word(t, "device", buf);
		member_word(t, "device_type", device_type(r));
		member_word(t, "access", device_access(r));
		return;
	default:
		return;
	}
}

static void members_of_call(struct text *t, const struct refusal *r)
{
	char buf[160];
	struct text w = TEXT(buf);
	const char *name = call_name(r->call);

	member_word(t, "call", name ? name : "");
	member_number(t, "call_number", r->call);
	for (size_t i = 0; i < 6; i++) {
		text_add(&w, i ? " " : "");
		text_hex(&w, r->args[i]);
	}
	member_word(t, "arguments", buf);
}

static void members_of_process(struct text *t, const struct refusal *r)
{
	char buf[5 * sizeof(r->process)];
	struct text w = TEXT(buf);

	if (r->pid)
		member_number(t, "pid", r->pid);
	if (r->psv_pid)
		member_number(t, "psv_pid", r->psv_pid);
	text_add_safe(&w, r->process, strnlen(r->process, sizeof(r->process)), false);
	member_word(t, "process", w.len ? buf : "");
	member_number(t, "uid", r->uid);
}

void refusal_line(struct text *t, const char *server, const struct refusal *r)
{
	char words[320];
	struct text w = TEXT(words);

	refusal_words(&w, r);
	text_add(t, "{\"time\":\"");
	text_time(t, r->realtime_ns);
	text_add(t, "\"");
	member_word(t, "server", server);
	member_word(t, "event", "refused");
	member_word(t, "detail", words);
	member_word(t, "kind", refusal_kinds[r->kind]);
	member_number(t, "count", r->count > INT64_MAX ? INT64_MAX : r->count); /* what readers of JSON take */
	if (!r->unnoted) {
		if (r->kind == REFUSAL_CALL)
			members_of_call(t, r);
		else
			members_of_gate(t, r);
		if (has_process(r))
			members_of_process(t, r);
		if (r->error)
			member_from(t, "answer", errors, (uint32_t)r->error);
	}
	text_add(t, "}\n");
}
