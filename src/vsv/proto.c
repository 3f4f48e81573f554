/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one place where a message is judged.  It is linked into PID 1, the supervisor and vnas alike. */
#include "vsv/proto.h"

#include <errno.h>
#include <string.h>

/* Little more than the range of signals; the kernel knows better. */
enum { SIGNAL_MAX = 64 };

struct rule {
	size_t fixed;                                    /* size of the struct */
	size_t more;                                     /* what may follow it at most */
	bool (*check)(const void *msg, size_t len);
};

/* ended: a fixed field holds a string with its end. */
static bool ended(const char *field, size_t size)
{
	return memchr(field, '\0', size) != NULL;
}

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool proto_name_ok(const char *name)
{
	size_t n = 0;

	for (; name[n]; n++)
		if (n + 1 >= PROTO_NAME_MAX || (!name_char(name[n]) && (n == 0 || !strchr("_.-", name[n]))))
			return false;
	return n > 0;
}

/* strings_ok: exactly argc strings fill the rest, and the first is not empty. */
static bool strings_ok(const void *msg, size_t fixed, size_t len, uint64_t argc)
{
	const char *p = (const char *)msg + fixed, *end = (const char *)msg + len;
	uint64_t n = 0;

	if (argc == 0 || argc > PROTO_ARGS_MAX || p == end || *p == '\0')
		return false;
	while (p < end) {
		const char *nul = memchr(p, '\0', (size_t)(end - p));

		if (!nul)
			return false;
		p = nul + 1;
		n++;
	}
	return n == argc;
}

static bool check_result(const void *msg, size_t len)
{
	const struct proto_result *m = msg;

	(void)len;
	return m->error <= 0 && m->error > -4096 && m->zero == 0 && ended(m->words, sizeof(m->words));
}

static bool check_boot(const void *msg, size_t len)
{
	const struct proto_boot *m = msg;

	(void)len;
	return m->zero == 0 && m->nofile > 0;
}

static bool fields_ok(const struct proto_service_add *m)
{
	const uint32_t known = PROTO_SERVICE_FILE_HANDLES | PROTO_SERVICE_NO_XATTRS;

	return ended(m->name, sizeof(m->name)) && proto_name_ok(m->name) && ended(m->user, sizeof(m->user)) &&
	       m->stop_signal > 0 && m->stop_signal <= SIGNAL_MAX && m->reload_signal >= 0 &&
	       m->reload_signal <= SIGNAL_MAX && (m->flags & ~known) == 0;
}

static bool check_service_add(const void *msg, size_t len)
{
	const struct proto_service_add *m = msg;

	return fields_ok(m) && strings_ok(m, sizeof(*m), len, m->argc) && ((const char *)(m + 1))[0] == '/';
}

static bool check_service_fresh(const void *msg, size_t len)
{
	const struct proto_service_fresh *m = msg;
	const uint64_t folders = m->add.argc, fresh = folders + m->n_folders, env = fresh + m->fresh_argc, all = env + m->n_env;
	const char *p = (const char *)(m + 1);

	if (!fields_ok(&m->add) || m->add.argc == 0 || m->n_folders == 0 || m->fresh_argc == 0 || m->n_env > PROTO_ENV_MAX ||
	    m->zero || !strings_ok(m, sizeof(*m), len, all))
		return false;
	for (uint64_t i = 0; i < all; i++, p += strlen(p) + 1) {
		const bool path = i == 0 || (i >= folders && i <= fresh);

		if ((path && *p != '/') || (i >= env && !strchr(p, '=')))
			return false;
	}
	return true;
}

static bool check_service_remove(const void *msg, size_t len)
{
	const struct proto_service_remove *m = msg;

	(void)len;
	return ended(m->name, sizeof(m->name)) && proto_name_ok(m->name);
}

static bool check_service_start(const void *msg, size_t len)
{
	const struct proto_service_start *m = msg;

	return ended(m->name, sizeof(m->name)) && proto_name_ok(m->name) && m->stop_signal > 0 &&
	       m->stop_signal <= SIGNAL_MAX && m->reload_signal >= 0 && m->reload_signal <= SIGNAL_MAX &&
	       (m->flags & ~(uint32_t)PROTO_SERVICE_FILE_HANDLES) == 0 &&
	       strings_ok(m, sizeof(*m), len, m->argc) && ((const char *)(m + 1))[0] == '/';
}

static bool check_service_act(const void *msg, size_t len)
{
	const struct proto_service_act *m = msg;

	(void)len;
	return m->act <= PROTO_ACT_RELOAD && m->zero == 0 && ended(m->name, sizeof(m->name)) &&
	       (m->name[0] == '\0' || proto_name_ok(m->name));
}

static bool check_status_row(const void *msg, size_t len)
{
	const struct proto_status_row *m = msg;

	(void)len;
	return ended(m->name, sizeof(m->name)) && proto_name_ok(m->name) && m->state <= PROTO_STOPPED && m->pid >= 0;
}

static bool check_exec(const void *msg, size_t len)
{
	const struct proto_exec *m = msg;

	if ((m->flags & ~(uint32_t)PROTO_EXEC_TTY) || m->zero || !ended(m->user, sizeof(m->user)) ||
	    !ended(m->term, sizeof(m->term)))
		return false;
	for (const char *p = m->term; *p; p++)
		if (!name_char(*p) && !strchr("_.+-", *p))
			return false;
	return strings_ok(m, sizeof(*m), len, m->argc);
}

static bool check_exec_sealed(const void *msg, size_t len)
{
	const struct proto_exec_sealed *m = msg;

	(void)len;
	return (m->flags & ~(uint32_t)PROTO_SERVICE_FILE_HANDLES) == 0 && m->zero == 0 && ended(m->name, sizeof(m->name)) &&
	       proto_name_ok(m->name);
}

static bool check_look(const void *msg, size_t len)
{
	const struct proto_look *m = msg;

	return m->zero == 0 && strings_ok(m, sizeof(*m), len, m->argc);
}

static bool check_looked(const void *msg, size_t len)
{
	const struct proto_looked *m = msg;
	const unsigned char *found = (const unsigned char *)(m + 1);

	if (m->zero || m->n != len - sizeof(*m))
		return false;
	for (uint32_t i = 0; i < m->n; i++)
		if (found[i] & ~(PROTO_LOOK_THERE | PROTO_LOOK_ASTRAY))
			return false;
	return true;
}

static bool check_exec_exit(const void *msg, size_t len)
{
	const struct proto_exec_exit *m = msg;

	(void)len;
	return m->zero == 0 && m->status >= 0;
}

static bool check_subscribe(const void *msg, size_t len)
{
	const struct proto_subscribe *m = msg;

	(void)len;
	return m->zero[0] == 0 && m->zero[1] == 0;
}

static bool check_record(const void *msg, size_t len)
{
	const struct proto_record *m = msg;

	return m->kind <= PROTO_EVENT && m->text_len == len - sizeof(*m) && m->seq > 0 &&
	       ended(m->name, sizeof(m->name)) && proto_name_ok(m->name);
}

static bool check_syslog(const void *msg, size_t len)
{
	const struct proto_syslog *m = msg;

	return m->text_len == len - sizeof(*m) && m->seq > 0 && m->zero == 0 && m->facility < SYSLOG_FACILITIES &&
	       m->severity < SYSLOG_SEVERITIES && ended(m->tag, sizeof(m->tag)) && proto_name_ok(m->tag);
}

static bool check_refused(const void *msg, size_t len)
{
	const struct proto_refused *m = msg;

	(void)len;
	return m->seq > 0 && m->pid <= INT32_MAX && m->error < 4096;
}

static bool check_stop(const void *msg, size_t len)
{
	const struct proto_stop *m = msg;

	(void)len;
	return m->zero == 0;
}

#define STRINGS (PROTO_MESSAGE_MAX)

static const struct rule rules[] = {
	[PROTO_GO] = { sizeof(struct proto_header), 0, NULL },
	[PROTO_BOOT] = { sizeof(struct proto_boot), 0, check_boot },
	[PROTO_BOOT_DONE] = { sizeof(struct proto_result), 0, check_result },
	[PROTO_HELLO] = { sizeof(struct proto_header), 0, NULL },
	[PROTO_SERVICE_START] = { sizeof(struct proto_service_start), PROTO_SERVICE_ARGS_BYTES, check_service_start },
	[PROTO_SERVICE_ACT] = { sizeof(struct proto_service_act), 0, check_service_act },
	[PROTO_STATUS] = { sizeof(struct proto_header), 0, NULL },
	[PROTO_EXEC] = { sizeof(struct proto_exec), STRINGS, check_exec },
	[PROTO_SUBSCRIBE] = { sizeof(struct proto_subscribe), 0, check_subscribe },
	[PROTO_ACK] = { sizeof(struct proto_ack), 0, NULL },
	[PROTO_STOP] = { sizeof(struct proto_stop), 0, check_stop },
	[PROTO_SERVICE_ADD] = { sizeof(struct proto_service_add), PROTO_SERVICE_ARGS_BYTES, check_service_add },
	[PROTO_SERVICE_REMOVE] = { sizeof(struct proto_service_remove), 0, check_service_remove },
	[PROTO_EXEC_SEALED] = { sizeof(struct proto_exec_sealed), 0, check_exec_sealed },
	[PROTO_LOOK] = { sizeof(struct proto_look), STRINGS, check_look },
	[PROTO_SERVICE_FRESH] = { sizeof(struct proto_service_fresh), PROTO_SERVICE_ARGS_BYTES, check_service_fresh },
	[PROTO_RESULT] = { sizeof(struct proto_result), 0, check_result },
	[PROTO_STATUS_ROW] = { sizeof(struct proto_status_row), 0, check_status_row },
	[PROTO_EXEC_STREAMS] = { sizeof(struct proto_header), 0, NULL },
	[PROTO_EXEC_FAILED] = { sizeof(struct proto_result), 0, check_result },
	[PROTO_EXEC_EXIT] = { sizeof(struct proto_exec_exit), 0, check_exec_exit },
	[PROTO_RECORD] = { sizeof(struct proto_record), PROTO_TEXT_MAX, check_record },
	[PROTO_BYE] = { sizeof(struct proto_header), 0, NULL },
	[PROTO_REFUSED] = { sizeof(struct proto_refused), 0, check_refused },
	[PROTO_LOOKED] = { sizeof(struct proto_looked), PROTO_ARGS_MAX, check_looked },
	[PROTO_SYSLOG] = { sizeof(struct proto_syslog), PROTO_TEXT_MAX, check_syslog },
};

int proto_check(const void *msg, size_t len)
{
	const struct proto_header *h = msg;
	const struct rule *r;

	if (len < sizeof(*h) || len > PROTO_MESSAGE_MAX || h->magic != PROTO_MAGIC || h->size != len || h->zero != 0)
		return -EBADMSG;
	if (h->type >= sizeof(rules) / sizeof(*rules) || rules[h->type].fixed == 0)
		return -EPROTO;
	r = &rules[h->type];
	if (len < r->fixed || len - r->fixed > r->more || (r->check && !r->check(msg, len)))
		return -EBADMSG;
	return h->type;
}

void proto_init(struct proto_header *h, enum proto_type type, size_t size)
{
	*h = (struct proto_header){ .magic = PROTO_MAGIC, .version = PROTO_VERSION, .type = (uint16_t)type,
				    .size = (uint32_t)size };
}

void proto_args(const void *msg, size_t fixed, uint32_t argc, const char **ret_args)
{
	const char *p = (const char *)msg + fixed;

	for (uint32_t i = 0; i < argc; i++) {
		ret_args[i] = p;
		p += strlen(p) + 1;
	}
	ret_args[argc] = NULL;
}
