/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may be handed through to smb.conf, and what not.
 *
 * Keys are handed through unless vnas itself depends on them.  Scripts (`root preexec`, `add user script`, …) are handed
 * through: they run inside, with the rights of the service, and a tenant's root has those anyway.  `include` and its kin
 * are not: with them a file that the tenant writes would say where smbd listens and keeps its accounts.
 *
 * Samba compares names without regard to case and white space (strwicmp), so they are compared so here, and every synonym
 * that Samba 4.17 knows stands in the list. */
#include "service/samba.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/err.h"
#include "psv/conf.h"
#include "service/service.h"

enum { SHARE_NAME_MAX = 80 }; /* of characters by [MS-SRVS]; bytes here */

#define WHY_ADDRESS "vnas gives smbd the addresses and the port of the server"
#define WHY_NAME "it follows hostname, netbios name and workgroup of [server]"
#define WHY_ROLE "it follows [directory]"
#define WHY_FOLDER "smbd's own folders have fixed places on the root volume"
#define WHY_FILE "the whole configuration stands in the server's own file"
#define WHY_PRINT "there are no printers"
#define WHY_LOG "the log is gathered by vnas (vnas logs)"
#define WHY_ACL "NT ACLs lie in user.NTACL"
#define WHY_CLUSTER "a server runs in one place at a time"
#define WHY_SHARE "use the share's own keys"

/* clang-format off */
#define OWNED_KEYS(X) \
	X("acl_xattr:security_acl_name", WHY_ACL) \
	X("addport command", WHY_PRINT) \
	X("addprinter command", WHY_PRINT) \
	X("auto services", WHY_FILE) \
	X("bind dns directory", WHY_FOLDER) \
	X("bind interfaces only", WHY_ADDRESS) \
	X("binddns dir", WHY_FOLDER) \
	X("cache directory", WHY_FOLDER) \
	X("cldap port", WHY_ADDRESS) \
	X("cluster addresses", WHY_CLUSTER) \
	X("clustering", WHY_CLUSTER) \
	X("config backend", WHY_FILE) \
	X("config file", WHY_FILE) \
	X("copy", WHY_FILE) \
	X("ctdbd socket", WHY_CLUSTER) \
	X("cups options", WHY_PRINT) \
	X("cups server", WHY_PRINT) \
	X("default", WHY_FILE) \
	X("default service", WHY_FILE) \
	X("deleteprinter command", WHY_PRINT) \
	X("dgram port", WHY_ADDRESS) \
	X("directory", WHY_SHARE) \
	X("disable netbios", WHY_ADDRESS) \
	X("disable spoolss", WHY_PRINT) \
	X("domain logons", WHY_ROLE) \
	X("enable spoolss", WHY_PRINT) \
	X("encrypt passwords", WHY_ROLE) \
	X("enumports command", WHY_PRINT) \
	X("force printername", WHY_PRINT) \
	X("include", WHY_FILE) \
	X("interfaces", WHY_ADDRESS) \
	X("iprint server", WHY_PRINT) \
	X("load printers", WHY_PRINT) \
	X("lock dir", WHY_FOLDER) \
	X("lock directory", WHY_FOLDER) \
	X("log file", WHY_LOG) \
	X("logging", WHY_LOG) \
	X("max log size", WHY_LOG) \
	X("multicast dns register", WHY_ADDRESS) \
	X("nbt client socket address", WHY_ADDRESS) \
	X("nbt port", WHY_ADDRESS) \
	X("ncalrpc dir", WHY_FOLDER) \
	X("netbios aliases", WHY_NAME) \
	X("netbios name", WHY_NAME) \
	X("netbios scope", WHY_NAME) \
	X("ntp signd socket directory", WHY_FOLDER) \
	X("passdb backend", WHY_ROLE) \
	X("path", WHY_SHARE) \
	X("pid directory", WHY_FOLDER) \
	X("preload", WHY_FILE) \
	X("print ok", WHY_PRINT) \
	X("printable", WHY_PRINT) \
	X("printcap", WHY_PRINT) \
	X("printcap name", WHY_PRINT) \
	X("printer", WHY_PRINT) \
	X("printer name", WHY_PRINT) \
	X("printing", WHY_PRINT) \
	X("private dir", WHY_FOLDER) \
	X("private directory", WHY_FOLDER) \
	X("realm", WHY_ROLE) \
	X("registry shares", WHY_FILE) \
	X("root", WHY_FOLDER) \
	X("root dir", WHY_FOLDER) \
	X("root directory", WHY_FOLDER) \
	X("rpc server dynamic port range", WHY_ADDRESS) \
	X("rpc server port", WHY_ADDRESS) \
	X("security", WHY_ROLE) \
	X("server role", WHY_ROLE) \
	X("server services", WHY_ROLE) \
	X("smb passwd file", WHY_FOLDER) \
	X("smb ports", WHY_ADDRESS) \
	X("socket address", WHY_ADDRESS) \
	X("state directory", WHY_FOLDER) \
	X("syslog", WHY_LOG) \
	X("syslog only", WHY_LOG) \
	X("usershare allow guests", WHY_FILE) \
	X("usershare max shares", WHY_FILE) \
	X("usershare owner only", WHY_FILE) \
	X("usershare path", WHY_FILE) \
	X("usershare prefix allow list", WHY_FILE) \
	X("usershare prefix deny list", WHY_FILE) \
	X("usershare template share", WHY_FILE) \
	X("utmp directory", WHY_FOLDER) \
	X("winbindd socket directory", WHY_FOLDER) \
	X("workgroup", WHY_NAME) \
	X("wtmp directory", WHY_FOLDER)
/* clang-format on */

#define OWNED_KEY(key, why) key,
#define OWNED_WHY(key, why) why,

const char *const samba_owned_keys[] = { OWNED_KEYS(OWNED_KEY) NULL };
static const char *const samba_owned_whys[] = { OWNED_KEYS(OWNED_WHY) NULL };

/* What [share] says by keys of vnas's own. */
static const struct {
	const char *key, *why;
} share_owned[] = {
	{ "allow hosts", "use client of the share" },
	{ "available", "remove the share to close it" },
	{ "comment", "use comment of the share" },
	{ "guest ok", "use guest of the share" },
	{ "hosts allow", "use client of the share" },
	{ "public", "use guest of the share" },
	{ "read list", "use read of the share" },
	{ "read only", "use read only of the share" },
	{ "valid users", "use read and write of the share" },
	{ "writable", "use read only of the share" },
	{ "write list", "use write of the share" },
	{ "write ok", "use read only of the share" },
	{ "writeable", "use read only of the share" },
};

/* same_key: as Samba's strwicmp does. */
static bool same_key(const char *a, const char *b)
{
	for (;; a++, b++) {
		while (isspace((unsigned char)*a))
			a++;
		while (isspace((unsigned char)*b))
			b++;
		if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
			return false;
		if (!*a)
			return true;
	}
}

const char *samba_param(const struct conf *conf, const char *const names[])
{
	const char *value = NULL;

	/* The last one wins, as in smb.conf. */
	for (size_t i = 0; i < conf->n_smb; i++)
		for (size_t j = 0; names[j]; j++)
			if (same_key(conf->smb[i].key, names[j]))
				value = conf->smb[i].value;
	return value;
}

const char *samba_owned_why(const char *key)
{
	for (size_t i = 0; samba_owned_keys[i]; i++)
		if (same_key(key, samba_owned_keys[i]))
			return samba_owned_whys[i];
	return NULL;
}

bool samba_owns(const char *key)
{
	return samba_owned_why(key) != NULL;
}

const char *samba_share_owned_why(const char *key)
{
	for (size_t i = 0; i < sizeof(share_owned) / sizeof(*share_owned); i++)
		if (same_key(key, share_owned[i].key))
			return share_owned[i].why;
	return samba_owned_why(key);
}

/* samba_key_check: the characters that Samba's own keys are made of.  So no key can open a section, be a comment, or be
 * one of Samba's inner names, which begin with a minus sign. */
int samba_key_check(const char *key, struct err *err)
{
	if (!isalpha((unsigned char)*key))
		return err_set(err, -EINVAL, "'%s' is no key of smb.conf: expected a letter first", key);
	for (const char *p = key; *p; p++)
		if (!isascii(*p) || !(isalnum((unsigned char)*p) || strchr(" _-:*.+$/@", *p)))
			return err_set(err, -EINVAL, "'%s' is no key of smb.conf: only letters, digits, spaces and _-:*.+$/@ can stand in it",
				       key);
	return 0;
}

int samba_value_check(const char *value, struct err *err)
{
	size_t len = strlen(value);

	for (const char *p = value; *p; p++)
		if (iscntrl((unsigned char)*p) && *p != '\t')
			return err_set(err, -EINVAL, "the value holds a control character");
	while (len > 0 && isspace((unsigned char)value[len - 1]))
		len--;
	if (len > 0 && value[len - 1] == '\\')
		return err_set(err, -EINVAL, "'%s' ends with a backslash, which would continue the line", value);
	return 0;
}

bool samba_share_is_homes(const char *name)
{
	return strcasecmp(name, "homes") == 0;
}

int samba_share_name_check(const char *name, struct err *err)
{
	static const char *const reserved[] = { "global", "printers", "print$", "ipc$", "admin$", NULL };
	size_t len = strlen(name);

	if (len == 0 || len > SHARE_NAME_MAX)
		return err_set(err, -EINVAL, "share '%s': expected a name of 1 to %d bytes", name, SHARE_NAME_MAX);
	for (size_t i = 0; reserved[i]; i++)
		if (strcasecmp(name, reserved[i]) == 0)
			return err_set(err, -EINVAL, "share '%s': the name has a meaning of its own in SMB", name);
	for (const char *p = name; *p; p++)
		if (iscntrl((unsigned char)*p) || strchr("\"/\\[]:;|<>+=,?*%", *p))
			return err_set(err, -EINVAL, "share '%s': none of \"/\\[]:;|<>+=,?*%% can stand in a share's name", name);
	if (isspace((unsigned char)name[0]) || isspace((unsigned char)name[len - 1]) || name[0] == '-')
		return err_set(err, -EINVAL, "share '%s': a name begins and ends with neither a space nor a minus sign", name);
	return 0;
}
