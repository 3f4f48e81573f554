/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the configuration's parser share, and nobody else includes: conf_scan.c cuts text into lines,
 * conf_types.c, conf_limits.c, conf_lists.c and conf_service.c read and print values, conf_keys.c is the table, conf_parse.c fills the structs, conf_check.c compares
 * what stands in several places, conf_print.c goes the other way, confedit.c changes text. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "psv/conf.h"

/* One line, cut. */
enum conf_line_kind { CONF_LINE_BLANK, CONF_LINE_COMMENT, CONF_LINE_SECTION, CONF_LINE_KEY, CONF_LINE_BAD };

struct conf_slice {
	const char *s;
	size_t len;
};

struct conf_line {
	enum conf_line_kind kind;
	struct conf_slice whole; /* without its new line */
	const char *next;        /* where the next line begins; the text's end after the last one */
	struct conf_slice name;  /* of a key; of a section its first word */
	struct conf_slice value; /* of a key; of a section the rest; both without blanks around */
	const char *why;         /* of CONF_LINE_BAD */
};

/* conf_line_scan: cuts the line that begins at p (p < end). */
void conf_line_scan(const char *p, const char *end, struct conf_line *ret);
/* conf_text_check: NULL if it is UTF-8 without control characters (tabs are blanks), marks that turn the direction of
 * writing, and line separators; else what is wrong. */
const char *conf_text_check(const char *s, size_t len);
bool conf_is_blank(char c);

/* conf_key_fold: the form in which a written key is compared.  A key of ours: `_` is a space.  A key passed through to
 * Samba: as Samba compares, without blanks and case.  false: longer than size. */
bool conf_key_fold(enum conf_section section, struct conf_slice key, char *buf, size_t size);
/* conf_section_find: CONF_SECTIONS if there is none of that name. */
enum conf_section conf_section_find(struct conf_slice name);

/* One value on its way into a struct. */
struct conf_value {
	const char *text;
	const char *key;  /* as the table has it; after the prefix of a "…*" row, as it was written */
	const char *name; /* the Vsv's, or "" */
	unsigned line;
	unsigned before;  /* set by a parser: the line that has it already */
	bool about_key;   /* it is about the key, not the value */
	char why[256];    /* set by a parser that knows more than "is no WHAT: expected EXPECTED" */
};

struct conf_type {
	const char *what, *expected;
	/* parse: 0 or -EINVAL, target unchanged. */
	int (*parse)(struct conf_value *v, void *target);
	/* print: "KEY = VALUE" lines, none for an empty value. */
	void (*print)(struct strbuf *out, const char *key, const void *target);
};

extern const struct conf_type conf_type_address, conf_type_alias, conf_type_bool, conf_type_client, conf_type_comment,
	conf_type_device, conf_type_directory, conf_type_discovery, conf_type_dn, conf_type_dns, conf_type_domain, conf_type_files, conf_type_fs,
	conf_type_gateway, conf_type_hostname, conf_type_idmap, conf_type_idmap_range, conf_type_interface, conf_type_ldap_uri,
	conf_type_link, conf_type_log, conf_type_mac, conf_type_mtu, conf_type_vlan,
	conf_type_memory, conf_type_mount, conf_type_netbios, conf_type_nis_domain, conf_type_nis_server, conf_type_param_server,
	conf_type_param_share, conf_type_deny, conf_type_path, conf_type_peer, conf_type_pool, conf_type_pool_path, conf_type_pool_type,
	conf_type_protocols, conf_type_psv_file, conf_type_realm, conf_type_samba_accounts, conf_type_size,
	conf_type_stack, conf_type_syslog, conf_type_tasks, conf_type_template, conf_type_timezone, conf_type_user, conf_type_uuid, conf_type_workgroup;
extern const struct conf_type conf_type_capabilities, conf_type_command, conf_type_package, conf_type_prepare,
	conf_type_ready, conf_type_run_as, conf_type_signal;
/* NFS. */
extern const struct conf_type conf_type_export_id, conf_type_grace, conf_type_id, conf_type_lease, conf_type_nfs_domain,
	conf_type_nfs_versions, conf_type_port, conf_type_sec, conf_type_squash;
/* Shares of the machine. */
extern const struct conf_type conf_type_cpu, conf_type_cpus, conf_type_cpu_weight, conf_type_iops, conf_type_rate, conf_type_weight;
/* The rules for passwords. */
extern const struct conf_type conf_type_attempts, conf_type_days, conf_type_history, conf_type_length, conf_type_minutes;

/* Where a section and its keys stood, for messages about several lines. */
enum { CONF_KEYS_A_SECTION = 24 };
struct conf_place {
	enum conf_section section;
	size_t index; /* in volumes, shares or pools */
	unsigned line;
	unsigned key_line[CONF_KEYS_A_SECTION]; /* first line of the key, by its place among its section's rows; 0: none */
};

struct conf_parser {
	const char *path;      /* NULL: the words of a command, whose lines nobody has seen */
	struct err *err;
	struct conf *conf;     /* one of the two */
	struct conf_psv *psv;
	unsigned line;
	struct conf_place *places;
	size_t n_places;
};

/* conf_bad: the error "PATH:LINE: …".  Returns -EINVAL. */
int conf_bad(const struct conf_parser *p, unsigned line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* conf_doubled: "PATH:LINE: … is doubled: line BEFORE has it already", of the line that is being read. */
int conf_doubled(const struct conf_parser *p, unsigned before, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* conf_line_of: the line of a key, of its section if the key is not there, or 0. */
unsigned conf_line_of(const struct conf_parser *p, enum conf_section section, size_t index, const char *key);
bool conf_has(const struct conf_parser *p, enum conf_section section, size_t index, const char *key);
/* conf_quote: at most 60 bytes of a value for a message, cut between characters. */
char *conf_quote(const char *s, char *buf, size_t size);

int conf_check(const struct conf_parser *p);
int conf_check_limits(const struct conf_parser *p);
int conf_check_directory(const struct conf_parser *p);
/* conf_share_takes: a key of [share] has a meaning for what it is served by. */
bool conf_share_takes(const struct conf_share *s, const char *key);
int conf_check_nfs(const struct conf_parser *p);
int conf_check_link(const struct conf_parser *p);
int conf_psv_check(const struct conf_parser *p);

/* For kinds of values that are kept as a string (char *) or a struct strlist. */
int conf_set_string(void *target, const char *s); /* 0 */
void conf_print_string(struct strbuf *out, const char *key, const void *target);
void conf_print_list(struct strbuf *out, const char *key, const void *target);
/* For kinds of values that are a number of bytes in whole M (uint64_t), and a count (uint32_t); 0, which neither can have, is not
 * printed. */
int conf_parse_bytes(struct conf_value *v, void *target, uint64_t least, uint64_t most);
void conf_print_bytes(struct strbuf *out, const char *key, const void *target);
int conf_parse_count(struct conf_value *v, void *target, uint32_t least, uint32_t most);
void conf_print_count(struct strbuf *out, const char *key, const void *target);
/* A kind of value of its own: a count with its bounds, and the words for what is expected. */
#define CONF_COUNT(name, least, most, words, range)                                                    \
	static int parse_##name(struct conf_value *v, void *target)                                    \
	{                                                                                              \
		return conf_parse_count(v, target, least, most);                                       \
	}                                                                                              \
	const struct conf_type conf_type_##name = {                                                    \
		.what = words, .expected = range, .parse = parse_##name, .print = conf_print_count,    \
	}

enum { CONF_SYSLOG_DEFAULT = 3 /* daemon */ };
#define CONF_NOBODY 65534u
#define CONF_NFS_DEFAULTS \
	{ .versions = CONF_NFS_3 | CONF_NFS_4_ANY, .lease_s = 30, .grace_s = 30, .mountd_port = 20048, .lockd_port = 32803, \
	  .statd_port = 662 }

/* Words and paths. */
enum { CONF_NETBIOS_MAX_BYTES = 15, CONF_ALIASES_MAX = 32 };
void conf_upper(char *s); /* of ASCII */
/* conf_word_ok: letters, digits and `others`, beginning with a letter or digit. */
bool conf_word_ok(const char *s, size_t max, const char *others);
bool conf_interface_ok(const char *s); /* a name that a network interface can have */
bool conf_path_below(const char *path, const char *folder);       /* path is folder or lies in it */
bool conf_domain_ok(const char *s, size_t max); /* RFC 1123 */
bool conf_uuid_ok(const char *s);
