/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kinds of single values: how each is read and printed.  Lists are in conf_lists.c, the
 * shares and bounds of [limits] in conf_limits.c. */
#include "psv/conf_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

enum {
	HOSTNAME_MAX_BYTES = 64, /* what sethostname(2) takes */
	COMMENT_MAX_BYTES = 256,
	PATH_MAX_BYTES = 1024,
	MOUNT_MAX_BYTES = 200,   /* struct root_mount's target */
	COMPONENT_MAX_BYTES = 255,
	TEMPLATE_DIGITS = 64,
	TEMPLATE_LEAST_DIGITS = 6,
};

static const uint64_t MIB = UINT64_C(1) << 20, TIB = UINT64_C(1) << 40;

static int why(struct conf_value *v, const char *text)
{
	(void)str_copy(v->why, sizeof(v->why), text);
	return -EINVAL;
}

int conf_set_string(void *target, const char *s)
{
	char **p = target;

	free(*p);
	*p = xstrdup(s);
	return 0;
}

void conf_print_string(struct strbuf *out, const char *key, const void *target)
{
	const char *const *p = target;

	if (*p)
		strbuf_addf(out, "%s = %s\n", key, *p);
}

static int parse_bool_value(struct conf_value *v, void *target)
{
	return parse_bool(v->text, target);
}

static void print_bool(struct strbuf *out, const char *key, const void *target)
{
	strbuf_addf(out, "%s = %s\n", key, *(const bool *)target ? "yes" : "no");
}

const struct conf_type conf_type_bool = {
	.what = "yes or no", .expected = "yes or no", .parse = parse_bool_value, .print = print_bool,
};

/* Numbers. */

int conf_parse_bytes(struct conf_value *v, void *target, uint64_t least, uint64_t most)
{
	uint64_t bytes;
	int r = parse_size(v->text, &bytes);

	if (r == -EINVAL)
		return r;
	if (r == 0 && bytes == 0)
		return why(v, "is no size that anything could have");
	if (r == 0 && bytes < least)
		return why(v, "is too small");
	if (r < 0 || bytes > most)
		return why(v, "is too large");
	if (bytes % MIB)
		return why(v, "is not a multiple of 1M");
	*(uint64_t *)target = bytes;
	return 0;
}

static int parse_size_value(struct conf_value *v, void *target)
{
	return conf_parse_bytes(v, target, 8 * MIB, 1024 * TIB);
}

void conf_print_bytes(struct strbuf *out, const char *key, const void *target)
{
	static const char units[] = "MGT";
	uint64_t v = *(const uint64_t *)target / MIB;
	size_t unit = 0;

	if (v == 0)
		return;
	while (v % 1024 == 0 && units[unit + 1]) {
		v /= 1024;
		unit++;
	}
	strbuf_addf(out, "%s = %" PRIu64 "%c\n", key, v, units[unit]);
}

const struct conf_type conf_type_size = {
	.what = "size", .expected = "a number of bytes with an optional K, M, G or T, from 8M to 1024T, in whole M",
	.parse = parse_size_value, .print = conf_print_bytes,
};
int conf_parse_count(struct conf_value *v, void *target, uint32_t least, uint32_t most)
{
	uint32_t n;

	if (parse_u32(v->text, most, &n) < 0 || n < least)
		return -EINVAL;
	*(uint32_t *)target = n;
	return 0;
}

void conf_print_count(struct strbuf *out, const char *key, const void *target)
{
	uint32_t n = *(const uint32_t *)target;

	if (n)
		strbuf_addf(out, "%s = %" PRIu32 "\n", key, n);
}

CONF_COUNT(length, 1, 127, "number of characters", "1 to 127");
CONF_COUNT(days, 1, 3650, "number of days", "1 to 3650");
CONF_COUNT(history, 1, 100, "number of passwords", "1 to 100");
CONF_COUNT(attempts, 1, 999, "number of attempts", "1 to 999");
CONF_COUNT(minutes, 1, 99999, "number of minutes", "1 to 99999");

/* One word of a fixed set. */

static const char *const fs_names[] = { [CONF_FS_EXT4] = "ext4", [CONF_FS_XFS] = "xfs" };
static const char *const pool_types[] = { [CONF_POOL_FILE] = "file", [CONF_POOL_DEVICE] = "device" };

const char *conf_fs_name(enum conf_fs fs)
{
	return fs_names[fs];
}

static int parse_fs(struct conf_value *v, void *target)
{
	for (size_t i = 0; i < sizeof(fs_names) / sizeof(*fs_names); i++) {
		if (strcmp(v->text, fs_names[i]) != 0)
			continue;
		*(enum conf_fs *)target = (enum conf_fs)i;
		return 0;
	}
	return -EINVAL;
}

static void print_fs(struct strbuf *out, const char *key, const void *target)
{
	strbuf_addf(out, "%s = %s\n", key, fs_names[*(const enum conf_fs *)target]);
}

const struct conf_type conf_type_fs = {
	.what = "filesystem", .expected = "ext4 or xfs", .parse = parse_fs, .print = print_fs,
};

static int parse_pool_type(struct conf_value *v, void *target)
{
	if (strcmp(v->text, "lvm") == 0)
		return why(v, "is not available in this version: expected file or device");
	for (size_t i = 0; i < sizeof(pool_types) / sizeof(*pool_types); i++) {
		if (strcmp(v->text, pool_types[i]) != 0)
			continue;
		*(enum conf_pool_type *)target = (enum conf_pool_type)i;
		return 0;
	}
	return -EINVAL;
}

static void print_pool_type(struct strbuf *out, const char *key, const void *target)
{
	strbuf_addf(out, "%s = %s\n", key, pool_types[*(const enum conf_pool_type *)target]);
}

const struct conf_type conf_type_pool_type = {
	.what = "type of pool", .expected = "file or device", .parse = parse_pool_type, .print = print_pool_type,
};

/* Any of a fixed set; the target is the share. */
static int parse_protocols(struct conf_value *v, void *target)
{
	struct conf_share *share = target;
	_cleanup_strlist_ struct strlist words = { 0 };
	bool smb = false, nfs = false;

	strlist_split(&words, v->text, " \t");
	for (size_t i = 0; i < words.n; i++) {
		bool *which = strcmp(words.v[i], "smb") == 0 ? &smb : strcmp(words.v[i], "nfs") == 0 ? &nfs : NULL;

		if (!which || *which)
			return -EINVAL;
		*which = true;
	}
	if (!smb && !nfs)
		return -EINVAL;
	share->smb = smb;
	share->nfs = nfs;
	return 0;
}

static void print_protocols(struct strbuf *out, const char *key, const void *target)
{
	const struct conf_share *share = target;

	strbuf_addf(out, "%s = %s\n", key, share->smb && share->nfs ? "smb nfs" : share->nfs ? "nfs" : "smb");
}

const struct conf_type conf_type_protocols = {
	.what = "list of protocols", .expected = "smb, nfs or smb nfs", .parse = parse_protocols,
	.print = print_protocols,
};

static const char *const discovery_words[] = { "netbios", "wsd", "mdns" };

static int parse_discovery(struct conf_value *v, void *target)
{
	_cleanup_strlist_ struct strlist words = { 0 };
	unsigned found = 0;
	bool all;

	if (parse_bool(v->text, &all) == 0) {
		*(unsigned *)target = all ? CONF_DISCOVERY_ALL : 0;
		return 0;
	}
	strlist_split(&words, v->text, " \t");
	for (size_t i = 0; i < words.n; i++) {
		unsigned one = 0;

		for (unsigned w = 0; w < sizeof(discovery_words) / sizeof(*discovery_words); w++)
			if (strcmp(words.v[i], discovery_words[w]) == 0)
				one = 1u << w;
		if (!one || found & one)
			return -EINVAL;
		found |= one;
	}
	if (!found)
		return -EINVAL;
	*(unsigned *)target = found;
	return 0;
}

char *conf_discovery_str(unsigned set, char buf[CONF_DISCOVERY_STR_MAX])
{
	size_t len = 0;

	(void)str_copy(buf, CONF_DISCOVERY_STR_MAX, set ? "yes" : "no");
	if (set == 0 || set == CONF_DISCOVERY_ALL)
		return buf;
	for (unsigned w = 0; w < sizeof(discovery_words) / sizeof(*discovery_words); w++)
		if (set & 1u << w) {
			(void)str_format(buf + len, CONF_DISCOVERY_STR_MAX - len, "%s%s", len ? " " : "", discovery_words[w]);
			len = strlen(buf);
		}
	return buf;
}

static void print_discovery(struct strbuf *out, const char *key, const void *target)
{
	char buf[CONF_DISCOVERY_STR_MAX];

	strbuf_addf(out, "%s = %s\n", key, conf_discovery_str(*(const unsigned *)target, buf));
}

const struct conf_type conf_type_discovery = {
	.what = "way of discovery", .expected = "yes, no, or some of netbios, wsd and mdns", .parse = parse_discovery,
	.print = print_discovery,
};

/* Names. */

static int parse_hostname(struct conf_value *v, void *target)
{
	if (!conf_domain_ok(v->text, HOSTNAME_MAX_BYTES) || v->text[strspn(v->text, "0123456789.")] == '\0')
		return -EINVAL;
	return conf_set_string(target, v->text);
}

const struct conf_type conf_type_hostname = {
	.what = "host name",
	.expected = "letters, digits and '-' (RFC 1123), at most 64 bytes and not digits alone; names with '_' belong into "
		    "'netbios name'",
	.parse = parse_hostname, .print = conf_print_string,
};

static int parse_netbios(struct conf_value *v, void *target)
{
	char **p = target;

	if (!conf_word_ok(v->text, CONF_NETBIOS_MAX_BYTES, "-_"))
		return -EINVAL;
	(void)conf_set_string(target, v->text);
	conf_upper(*p);
	return 0;
}

const struct conf_type conf_type_netbios = {
	.what = "NetBIOS name", .expected = "at most 15 letters, digits, '-' and '_'", .parse = parse_netbios,
	.print = conf_print_string,
};

static int parse_workgroup(struct conf_value *v, void *target)
{
	if (!conf_word_ok(v->text, CONF_NETBIOS_MAX_BYTES, "-_"))
		return -EINVAL;
	return conf_set_string(target, v->text);
}

const struct conf_type conf_type_workgroup = {
	.what = "workgroup", .expected = "at most 15 letters, digits, '-' and '_'", .parse = parse_workgroup,
	.print = conf_print_string,
};

/* A relative path of tz's: whether there is such a zone only the template knows. */
static int parse_timezone(struct conf_value *v, void *target)
{
	_cleanup_strlist_ struct strlist parts = { 0 };
	const char *s = v->text;

	if (*s == '\0' || strlen(s) > 64 || s[0] == '/' || s[strlen(s) - 1] == '/' || strstr(s, "//"))
		return -EINVAL;
	strlist_split(&parts, s, "/");
	for (size_t i = 0; i < parts.n; i++)
		if (!conf_word_ok(parts.v[i], 32, "_-+"))
			return -EINVAL;
	return conf_set_string(target, s);
}

const struct conf_type conf_type_timezone = {
	.what = "time zone", .expected = "a name as Europe/Berlin or Asia/Tokyo", .parse = parse_timezone,
	.print = conf_print_string,
};

static int parse_template(struct conf_value *v, void *target)
{
	size_t n = strlen(v->text);

	if (n < TEMPLATE_LEAST_DIGITS || n > TEMPLATE_DIGITS || v->text[strspn(v->text, "0123456789abcdef")])
		return -EINVAL;
	return conf_set_string(target, v->text);
}

const struct conf_type conf_type_template = {
	.what = "name of a template", .expected = "6 to 64 hexadecimal digits, as 'vnas template list' shows them",
	.parse = parse_template, .print = conf_print_string,
};

static int parse_comment(struct conf_value *v, void *target)
{
	size_t n = strlen(v->text);

	if (n == 0)
		return 0;
	if (n > COMMENT_MAX_BYTES)
		return why(v, "is too long: expected at most 256 bytes");
	/* At the end of a line of smb.conf it would take the next line in. */
	if (v->text[n - 1] == '\\')
		return why(v, "ends with '\\', which would join it with the next line of smb.conf");
	return conf_set_string(target, v->text);
}

const struct conf_type conf_type_comment = {
	.what = "comment", .expected = "a text of at most 256 bytes", .parse = parse_comment, .print = conf_print_string,
};

/* Char arrays of a fixed size: the words that fill them are checked for length before. */

static void print_array(struct strbuf *out, const char *key, const void *target)
{
	const char *s = target;

	if (*s)
		strbuf_addf(out, "%s = %s\n", key, s);
}

static int parse_pool(struct conf_value *v, void *target)
{
	if (!conf_word_ok(v->text, VOLUME_NAME_MAX, "_-"))
		return -EINVAL;
	memcpy(target, v->text, strlen(v->text) + 1);
	return 0;
}

const struct conf_type conf_type_pool = {
	.what = "name of a pool", .expected = "at most 32 letters, digits, '_' and '-'", .parse = parse_pool,
	.print = print_array,
};

static int parse_uuid(struct conf_value *v, void *target)
{
	if (!conf_uuid_ok(v->text))
		return -EINVAL;
	memcpy(target, v->text, strlen(v->text) + 1);
	return 0;
}

const struct conf_type conf_type_uuid = {
	.what = "UUID", .expected = "32 hexadecimal digits in lower case, as 8-4-4-4-12", .parse = parse_uuid,
	.print = print_array,
};

/* Paths. */

static int check_path(struct conf_value *v, size_t max)
{
	const char *s = v->text;

	if (*s != '/' || s[1] == '\0')
		return -EINVAL;
	if (strlen(s) > max)
		return why(v, "is too long a path");
	/* '"' and '\' end or change a word in the configuration of the services, '%' is replaced by Samba. */
	if (strpbrk(s, "\"\\%"))
		return why(v, "has a '\"', '\\' or '%' in it, which the file services cannot take in a path");
	while (*s) {
		size_t n = strcspn(++s, "/");

		if (n == 0 || n > COMPONENT_MAX_BYTES || (n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
			return why(v, "is no plain path: expected no '//', '.' or '..', no '/' at its end, and names of at most "
				      "255 bytes");
		s += n;
	}
	return 0;
}

static int parse_path(struct conf_value *v, void *target)
{
	int r = check_path(v, PATH_MAX_BYTES);

	return r < 0 ? r : conf_set_string(target, v->text);
}

const struct conf_type conf_type_path = {
	.what = "path", .expected = "an absolute path", .parse = parse_path, .print = conf_print_string,
};
const struct conf_type conf_type_pool_path = {
	.what = "path", .expected = "an absolute path of the Psv", .parse = parse_path, .print = conf_print_string,
};

static int parse_device(struct conf_value *v, void *target)
{
	int r = check_path(v, PATH_MAX_BYTES);

	if (r < 0)
		return r;
	return conf_path_below(v->text, "/dev") ? conf_set_string(target, v->text) : -EINVAL;
}

const struct conf_type conf_type_device = {
	.what = "block device", .expected = "a path below /dev, best one of /dev/disk/by-id", .parse = parse_device,
	.print = conf_print_string,
};

/* Where old servers had their data.  Everything else in a Vsv is its root volume's, the template's or the kernel's. */
static const struct {
	const char *folder;
	bool itself; /* can be the place of a volume; else only what is below */
} mount_places[] = {
	{ "/srv", false }, { "/home", true }, { "/mnt", true }, { "/media", true }, { "/data", true }, { "/export", true },
	{ "/exports", true }, { "/share", true }, { "/shares", true }, { "/vol", true }, { "/volumes", true },
};

static int parse_mount(struct conf_value *v, void *target)
{
	int r = check_path(v, MOUNT_MAX_BYTES);

	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(mount_places) / sizeof(*mount_places); i++) {
		if (!conf_path_below(v->text, mount_places[i].folder))
			continue;
		if (!mount_places[i].itself && strcmp(v->text, mount_places[i].folder) == 0)
			return why(v, "is the root volume's own: expected a folder below it");
		return conf_set_string(target, v->text);
	}
	return why(v, "is no place for a volume: expected a folder below /srv, /home, /mnt, /media, /data, /export, /exports, "
		      "/share, /shares, /vol or /volumes");
}

const struct conf_type conf_type_mount = {
	.what = "path",
	.expected = "an absolute path below /srv, /home, /mnt, /media, /data, /export, /exports, /share, /shares, /vol or "
		    "/volumes",
	.parse = parse_mount, .print = conf_print_string,
};

/* Facilities of syslog(3) that are not the kernel's or syslog's own. */
static const struct {
	const char *name;
	unsigned facility;
} facilities[] = {
	{ "no", 0 },      { "user", 1 },    { "daemon", 3 },  { "auth", 4 },    { "authpriv", 10 }, { "local0", 16 },
	{ "local1", 17 }, { "local2", 18 }, { "local3", 19 }, { "local4", 20 }, { "local5", 21 },   { "local6", 22 },
	{ "local7", 23 },
};

static int parse_syslog(struct conf_value *v, void *target)
{
	for (size_t i = 0; i < sizeof(facilities) / sizeof(*facilities); i++) {
		if (strcmp(v->text, facilities[i].name) != 0)
			continue;
		*(unsigned *)target = facilities[i].facility;
		return 0;
	}
	return -EINVAL;
}

static void print_syslog(struct strbuf *out, const char *key, const void *target)
{
	for (size_t i = 0; i < sizeof(facilities) / sizeof(*facilities); i++)
		if (facilities[i].facility == *(const unsigned *)target && facilities[i].facility != CONF_SYSLOG_DEFAULT)
			strbuf_addf(out, "%s = %s\n", key, facilities[i].name);
}

const struct conf_type conf_type_syslog = {
	.what = "facility of syslog", .expected = "no, user, daemon, auth, authpriv or local0 to local7",
	.parse = parse_syslog, .print = print_syslog,
};
