/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Samba 4.17 and later.  A file that is open belongs to a process and a user there, not to a session: one process serves one
 * connection, which can have several sessions (a terminal server's), and of those of one user the first is taken. */
#include "psv/smbstatus.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/printable.h"
#include "lib/str.h"

enum {
	SESSIONS_MAX = 4096,
	SHARES_MAX = 1024,     /* of a session */
	FILES_MAX = 1000,      /* of a session */
	LOCKS_MAX = 1000,      /* of a file */
	STEPS_MAX = 5 * 1000 * 1000, /* files that are looked at for locks */
	WORD_MAX = 256,
	PATH_MAX_BYTES = 4096,
};

/* A string of the object, or NULL if it is none or longer than it can be. */
static const char *text_of(const json_t *o, const char *key, size_t max)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s && strlen(s) <= max ? s : NULL;
}

/* set_text: what would act on a terminal becomes a question mark. */
static void set_text(json_t *o, const char *key, const char *s)
{
	_cleanup_free_ char *safe = s && *s && strcmp(s, "-") != 0 ? xstrdup(s) : NULL;

	if (safe)
		printable_clean(safe);
	(void)json_object_set_new(o, key, safe ? json_string(safe) : json_null());
}

/* A process, a number of the inside; 0: none. */
static uint32_t pid_of(const json_t *o)
{
	const char *s = text_of(json_object_get(o, "server_id"), "pid", WORD_MAX);
	uint32_t pid;

	return s && parse_u32(s, INT32_MAX, &pid) == 0 && pid > 1 ? pid : 0;
}

/* "none", "partial", "full", …: the words that are known, and no others. */
static const char *degree_of(const json_t *o)
{
	static const char *const known[] = { "none", "anonymous", "partial", "full" };
	const char *s = text_of(o, "degree", WORD_MAX);

	for (size_t i = 0; s && i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(s, known[i]) == 0)
			return known[i];
	return NULL;
}

/* "ipv4:192.0.2.101:35992", "ipv6:2001:db8::1:35992": the address as we write it, or NULL. */
static const char *address_of(const char *s, char buf[IPADDR_STR_MAX])
{
	_cleanup_free_ char *copy = s ? xstrdup(s) : NULL;
	char *colon = copy ? strrchr(copy, ':') : NULL;
	struct ipaddr a;

	if (!colon || (!str_starts(copy, "ipv4:") && !str_starts(copy, "ipv6:")) || colon < copy + 5)
		return NULL;
	*colon = '\0';
	return ipaddr_parse(copy + 5, &a) == 0 ? ipaddr_str(&a, buf) : NULL;
}

static json_t *session_make(const json_t *in)
{
	const json_t *signing = json_object_get(in, "signing"), *encryption = json_object_get(in, "encryption");
	json_t *o = json_object();
	char buf[IPADDR_STR_MAX];

	set_text(o, "user", text_of(in, "username", WORD_MAX));
	set_text(o, "group", text_of(in, "groupname", WORD_MAX));
	set_text(o, "client", address_of(text_of(in, "hostname", WORD_MAX), buf));
	set_text(o, "machine", text_of(in, "remote_machine", WORD_MAX));
	set_text(o, "dialect", text_of(in, "session_dialect", WORD_MAX));
	set_text(o, "signing", degree_of(signing));
	set_text(o, "signing_cipher", text_of(signing, "cipher", WORD_MAX));
	set_text(o, "encryption", degree_of(encryption));
	set_text(o, "encryption_cipher", text_of(encryption, "cipher", WORD_MAX));
	(void)json_object_set_new(o, "pid", json_integer(pid_of(in)));
	(void)json_object_set_new(o, "shares", json_array());
	(void)json_object_set_new(o, "files", json_array());
	(void)json_object_set_new(o, "file_count", json_integer(0));
	(void)json_object_set_new(o, "lock_count", json_integer(0));
	return o;
}

/* One session on its way: where it came from beside what it becomes. */
struct found {
	const char *id;
	uint32_t pid;
	json_int_t uid;
	json_t *out;
};

struct parse {
	struct found *v;
	size_t n;
	const json_t *in;
	size_t steps; /* that the search for locks has still: all together could keep us for minutes */
};

static void count_up(json_t *session, const char *key)
{
	json_t *n = json_object_get(session, key);

	(void)json_integer_set(n, json_integer_value(n) + 1);
}

static void read_sessions(struct parse *p, json_t *list)
{
	json_t *in;
	const char *id;

	json_object_foreach(json_object_get(p->in, "sessions"), id, in) {
		if (p->n == SESSIONS_MAX || !pid_of(in))
			continue;
		p->v = xrealloc(p->v, p->n + 1, sizeof(*p->v));
		p->v[p->n] = (struct found){
			.id = id, .pid = pid_of(in), .uid = json_integer_value(json_object_get(in, "uid")), .out = session_make(in),
		};
		(void)json_array_append_new(list, p->v[p->n++].out);
	}
}

static void read_shares(const struct parse *p)
{
	const char *key;
	json_t *in;

	json_object_foreach(json_object_get(p->in, "tcons"), key, in) {
		const char *id = text_of(in, "session_id", WORD_MAX), *name = text_of(in, "service", WORD_MAX);

		for (size_t i = 0; id && name && i < p->n; i++) {
			json_t *shares = json_object_get(p->v[i].out, "shares"), *o;

			if (strcmp(p->v[i].id, id) != 0)
				continue;
			if (json_array_size(shares) == SHARES_MAX)
				break;
			o = json_object();
			set_text(o, "name", name);
			set_text(o, "since", text_of(in, "connected_at", WORD_MAX));
			(void)json_array_append_new(shares, o);
			break;
		}
	}
}

static json_t *session_of(const struct parse *p, uint32_t pid, const json_t *uid)
{
	json_t *first = NULL;

	for (size_t i = 0; pid && i < p->n; i++) {
		if (p->v[i].pid != pid)
			continue;
		if (!uid || json_integer_value(uid) == p->v[i].uid)
			return p->v[i].out;
		first = first ? first : p->v[i].out;
	}
	return first;
}

static void add_file(json_t *session, const json_t *file, const json_t *open)
{
	json_t *files = json_object_get(session, "files"), *o;

	count_up(session, "file_count");
	if (json_array_size(files) >= FILES_MAX)
		return;
	o = json_object();
	set_text(o, "share_path", text_of(file, "service_path", PATH_MAX_BYTES));
	set_text(o, "path", text_of(file, "filename", PATH_MAX_BYTES));
	set_text(o, "access", text_of(json_object_get(open, "access_mask"), "text", WORD_MAX));
	set_text(o, "since", text_of(open, "opened_at", WORD_MAX));
	(void)json_object_set_new(o, "locks", json_array());
	(void)json_array_append_new(files, o);
}

static void read_files(const struct parse *p)
{
	const char *key, *open_key;
	json_t *file, *open;

	json_object_foreach(json_object_get(p->in, "open_files"), key, file)
		json_object_foreach(json_object_get(file, "opens"), open_key, open) {
			json_t *session = session_of(p, pid_of(open), json_object_get(open, "uid"));

			if (session)
				add_file(session, file, open);
		}
}

static bool same_text(const json_t *a, const char *b)
{
	return b && json_string_value(a) && strcmp(json_string_value(a), b) == 0;
}

/* add_lock: to the file that it lies in, of any session of the process: Samba does not say which. */
static void add_lock(struct parse *p, const json_t *file, const json_t *lock)
{
	const char *share = text_of(file, "share_path", PATH_MAX_BYTES), *path = text_of(file, "file_name", PATH_MAX_BYTES);
	uint32_t pid = pid_of(lock);

	for (size_t s = 0; pid && s < p->n; s++) {
		json_t *f, *locks, *o;
		size_t i;

		if (p->v[s].pid != pid)
			continue;
		json_array_foreach(json_object_get(p->v[s].out, "files"), i, f) {
			if (p->steps == 0)
				return;
			p->steps--;
			if (!same_text(json_object_get(f, "path"), path) || !same_text(json_object_get(f, "share_path"), share))
				continue;
			count_up(p->v[s].out, "lock_count");
			locks = json_object_get(f, "locks");
			if (json_array_size(locks) >= LOCKS_MAX)
				return;
			o = json_object();
			set_text(o, "type", text_of(lock, "type", WORD_MAX));
			(void)json_object_set_new(o, "start", json_integer(json_integer_value(json_object_get(lock, "start"))));
			(void)json_object_set_new(o, "size", json_integer(json_integer_value(json_object_get(lock, "size"))));
			(void)json_array_append_new(locks, o);
			return;
		}
	}
}

static void read_locks(struct parse *p)
{
	const char *key;
	json_t *file, *lock;
	size_t i;

	json_object_foreach(json_object_get(p->in, "byte_range_locks"), key, file)
		json_array_foreach(json_object_get(file, "locks"), i, lock)
			add_lock(p, file, lock);
}

/* find_object: it may write lines of its own before. */
static const char *find_object(const char *text, size_t len)
{
	const char *end = text + len;

	for (const char *p = text; p < end; p++) {
		if (*p == '{')
			return p;
		p = memchr(p, '\n', (size_t)(end - p));
		if (!p)
			break;
	}
	return NULL;
}

int smbstatus_parse(const char *text, size_t len, json_t **ret, struct err *err)
{
	const char *begin = find_object(text, len);
	json_t *in = begin ? json_loadb(begin, len - (size_t)(begin - text), JSON_DISABLE_EOF_CHECK, NULL) : NULL;
	struct parse p = { .in = in, .steps = STEPS_MAX };

	if (!in)
		return err_set(err, -EINVAL, "smbstatus said nothing that could be read as its state");
	*ret = json_array();
	read_sessions(&p, *ret);
	read_shares(&p);
	read_files(&p);
	read_locks(&p);
	free(p.v);
	json_decref(in);
	return 0;
}
