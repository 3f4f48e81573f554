/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ganesha.conf, made from the configuration.  Everything in it is vnas's own; a name or path that could end a quoted word of
 * it is refused before. */
#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "psv/conf.h"
#include "service/ganesha.h"
#include "service/nfs_probe.h"

/* What clients are told of the file system of a share: never the device, whose number changes. */
enum { FSID_MAJOR = 0x766e6173 /* "vnas" */ };

/* How long Ganesha believes what it knows of a file.  Nobody tells it what others than its own clients do. */
enum { FRESH_SHARED_S = 0, FRESH_OWN_S = 5, GROUPS_S = 60 };

const char ganesha_netconfig[] =
	"udp tpi_clts v inet udp - -\n"
	"tcp tpi_cots_ord v inet tcp - -\n"
	"udp6 tpi_clts v inet6 udp - -\n"
	"tcp6 tpi_cots_ord v inet6 tcp - -\n"
	"local tpi_cots_ord - loopback - - -\n";

/* With NFS 3 Ganesha sits out the whole grace period after every start, whoever was there before.  So it is told when nobody
 * was: no client of NFS 4 in its recovery directories, and no client of NFS 3 with locks in statd's.  Those of NFS 3 are told
 * of the start, whether statd or Ganesha ended.  Ganesha has statd forget them when it starts, so they are put aside before; and
 * they are told when the lock manager answers, because a client that finds nobody at once gives its locks up.  Who was told and has not
 * reclaimed yet is in no record: `told` says until the grace period is over that there may be such, so that a Ganesha that ends before
 * that is followed by one with a grace period.  A PID 1 that knows PROTO_SERVICE_FRESH runs this only where somebody was. */
static const char start[] =
	"for record in /var/lib/nfs/ganesha/v4recov/* /var/lib/nfs/ganesha/v4old/* /var/lib/nfs/sm/* /var/lib/nfs/sm.bak/* \\\n"
	"\t" GANESHA_TOLD_INSIDE "/*; do\n"
	"\tif [ -e \"$record\" ]; then\n"
	"\t\tfor client in /var/lib/nfs/sm/*; do\n"
	"\t\t\t[ ! -e \"$client\" ] || mv \"$client\" /var/lib/nfs/sm.bak/\n"
	"\t\tdone\n"
	"\t\tfor client in /var/lib/nfs/sm.bak/* " GANESHA_TOLD_INSIDE "/*; do\n"
	"\t\t\t[ -e \"$client\" ] || continue\n"
	"\t\t\tmkdir -p " GANESHA_TOLD_INSIDE "\n"
	"\t\t\ttouch " GANESHA_TOLD_INSIDE "/clients\n"
	"\t\t\t( (\n"
	"\t\t\t\ttries=0\n"
	"\t\t\t\tuntil /usr/bin/rpcinfo -T tcp 127.0.0.1 nlockmgr 4 >/dev/null 2>&1 || [ $tries -ge 100 ]; do\n"
	"\t\t\t\t\ttries=$((tries + 1))\n"
	"\t\t\t\t\tsleep 0.1\n"
	"\t\t\t\tdone\n"
	"\t\t\t\t/usr/sbin/sm-notify -f\n"
	"\t\t\t\tsleep $grace\n"
	"\t\t\t\trm -f " GANESHA_TOLD_INSIDE "/clients\n"
	"\t\t\t) & )\n"
	"\t\t\tbreak\n"
	"\t\tdone\n"
	"\t\texec /usr/bin/ganesha.nfsd \"$@\" -f " GANESHA_CONF_INSIDE "\n"
	"\tfi\n"
	"done\n"
	"exec /usr/bin/ganesha.nfsd \"$@\" -f " GANESHA_GRACELESS_INSIDE "\n";

void ganesha_start_text(const struct conf *conf, struct strbuf *ret)
{
	strbuf_addf(ret, "grace=%u\n%s", conf->nfs.grace_s, start);
}

int ganesha_share_name_check(const char *name, struct err *err)
{
	if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strpbrk(name, "\"\\/\n"))
		return err_set(err, -EINVAL, "share '%s' cannot be served by NFS: expected the name of a folder without '\"' and '\\'",
			       name);
	return 0;
}

static int quote(struct strbuf *sb, const char *key, const char *value, struct err *err)
{
	if (strpbrk(value, "\"\\\n"))
		return err_set(err, -EINVAL, "ganesha.conf: %s: '%s' cannot be written there", key, value);
	strbuf_addf(sb, "\t%s = \"%s\";\n", key, value);
	return 0;
}

static const char *yes_no(bool b)
{
	return b ? "true" : "false";
}

static void add_protocols(struct strbuf *sb, const struct conf *conf)
{
	bool v3 = conf->nfs.versions & CONF_NFS_3, v4 = conf->nfs.versions & CONF_NFS_4_ANY;

	strbuf_addf(sb, "\tProtocols = %s;\n", v3 && v4 ? "3, 4" : v3 ? "3" : "4");
}

static void add_core(struct strbuf *sb, const struct conf *conf)
{
	bool v3 = conf->nfs.versions & CONF_NFS_3;

	strbuf_addf(sb, "NFS_CORE_PARAM {\n\tNFS_Port = %d;\n", NFS_PORT);
	if (v3)
		strbuf_addf(sb, "\tMNT_Port = %u;\n\tNLM_Port = %u;\n", conf->nfs.mountd_port, conf->nfs.lockd_port);
	add_protocols(sb, conf);
	strbuf_addf(sb, "\tEnable_NLM = %s;\n", yes_no(v3));
	/* Clients of NFS 3 may ask mountd by UDP, and statd tells the lock manager by UDP alone. */
	strbuf_addf(sb, "\tEnable_UDP = %s;\n", yes_no(v3));
	/* quotactl(2) is refused inside. */
	strbuf_addstr(sb, "\tEnable_RQUOTA = false;\n");
	/* The same path for NFS 3 and 4. */
	strbuf_addstr(sb, "\tmount_path_pseudo = true;\n");
	strbuf_addstr(sb, "\tClustered = false;\n");
	/* How long it believes what groups a user has. */
	strbuf_addf(sb, "\tManage_Gids_Expiration = %d;\n", GROUPS_S);
	strbuf_addstr(sb, "}\n\n");
}

static int add_v4(struct strbuf *sb, const struct conf *conf, bool graceless, struct err *err)
{
	static const struct {
		unsigned version;
		const char *minor;
	} minors[] = { { CONF_NFS_4_0, "0" }, { CONF_NFS_4_1, "1" }, { CONF_NFS_4_2, "2" } };
	const char *comma = "";
	int r;

	strbuf_addf(sb, "NFSv4 {\n\tLease_Lifetime = %u;\n\tGrace_Period = %u;\n", conf->nfs.lease_s, conf->nfs.grace_s);
	if (graceless)
		strbuf_addstr(sb, "\tGraceless = true;\n");
	if (conf->nfs.versions & CONF_NFS_4_ANY) {
		strbuf_addstr(sb, "\tMinor_Versions = ");
		for (size_t i = 0; i < sizeof(minors) / sizeof(*minors); i++) {
			if (!(conf->nfs.versions & minors[i].version))
				continue;
			strbuf_addf(sb, "%s%s", comma, minors[i].minor);
			comma = ", ";
		}
		strbuf_addstr(sb, ";\n");
	}
	strbuf_addstr(sb, "\tRecoveryBackend = fs;\n\tRecoveryRoot = \"/var/lib/nfs/ganesha\";\n");
	/* What a client knows the server by, wherever it runs. */
	r = quote(sb, "Server_Scope", conf->hostname, err);
	if (r == 0)
		r = quote(sb, "Server_Owner", conf->hostname, err);
	if (r == 0)
		r = quote(sb, "DomainName", conf_nfs_domain(conf), err);
	strbuf_addf(sb, "\tIdmapConf = \"" GANESHA_IDMAP_INSIDE "\";\n");
	strbuf_addf(sb, "\tOnly_Numeric_Owners = %s;\n", yes_no(conf->nfs.numeric_owners));
	/* Ganesha hears nothing of what others do to a file, so it could not take one back. */
	strbuf_addstr(sb, "\tDelegations = false;\n}\n\n");
	return r;
}

bool ganesha_uses_krb5(const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_shares; i++)
		if (conf->shares[i].nfs && (conf->shares[i].sec & CONF_SEC_KRB5_ANY))
			return true;
	return false;
}

static void add_krb5(struct strbuf *sb, const struct conf *conf)
{
	bool on = ganesha_uses_krb5(conf);

	strbuf_addf(sb, "NFS_KRB5 {\n\tActive_krb5 = %s;\n", yes_no(on));
	if (on)
		strbuf_addstr(sb, "\tPrincipalName = \"nfs\";\n\tKeytabPath = \"" GANESHA_KEYTAB_INSIDE "\";\n\tCCacheDir = \"/run/ganesha\";\n");
	strbuf_addstr(sb, "}\n\n");
}

static void add_sec(struct strbuf *sb, unsigned sec)
{
	const char *comma = "";

	strbuf_addstr(sb, "\tSecType = ");
	for (unsigned bit = CONF_SEC_SYS; bit <= CONF_SEC_KRB5P; bit <<= 1) {
		if (!(sec & bit))
			continue;
		strbuf_addf(sb, "%s%s", comma, conf_sec_name(bit));
		comma = ", ";
	}
	strbuf_addstr(sb, ";\n");
}

static bool path_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* also_smb: clients of SMB change files in it. */
static bool also_smb(const struct conf *conf, const struct conf_share *s)
{
	for (size_t i = 0; i < conf->n_shares; i++) {
		const struct conf_share *o = &conf->shares[i];

		if (o->smb && (path_below(o->path, s->path) || path_below(s->path, o->path)))
			return true;
	}
	return false;
}

static void add_clients(struct strbuf *sb, const struct conf_share *s, const char *access)
{
	strbuf_addstr(sb, "\tCLIENT {\n\t\tClients = ");
	for (size_t i = 0; i < s->clients.n; i++)
		strbuf_addf(sb, "%s%s", i ? ", " : "", s->clients.v[i]);
	strbuf_addf(sb, ";\n\t\tAccess_Type = %s;\n\t}\n", access);
}

static int add_export(struct strbuf *sb, const struct conf *conf, const struct conf_share *s, struct err *err)
{
	static const char *const squash[] = {
		[CONF_SQUASH_ROOT] = "Root_Squash", [CONF_SQUASH_ALL] = "All_Squash", [CONF_SQUASH_NONE] = "No_Root_Squash",
	};
	const char *access = s->read_only ? "RO" : "RW";
	_cleanup_free_ char *pseudo = xasprintf("/%s", s->name);
	uint32_t id = conf_export_id(s);
	int r = ganesha_share_name_check(s->name, err);

	if (r < 0)
		return r;
	strbuf_addf(sb, "EXPORT {\n\tExport_Id = %u;\n\tFilesystem_Id = %u.%u;\n", id, (unsigned)FSID_MAJOR, id);
	r = quote(sb, "Path", s->path, err);
	if (r == 0)
		r = quote(sb, "Pseudo", pseudo, err);
	if (r < 0)
		return r;
	add_protocols(sb, conf);
	strbuf_addf(sb, "\tSquash = %s;\n\tAnonymous_Uid = %u;\n\tAnonymous_Gid = %u;\n", squash[s->squash], s->anonymous_uid,
		    s->anonymous_gid);
	add_sec(sb, s->sec);
	/* Who has no account here is then refused. */
	strbuf_addf(sb, "\tManage_Gids = %s;\n", yes_no(conf->nfs.manage_gids));
	/* It would write them as attributes, which it may not (service.h). */
	strbuf_addstr(sb, "\tDisable_ACL = true;\n");
	strbuf_addf(sb, "\tAttr_Expiration_Time = %d;\n", also_smb(conf, s) ? FRESH_SHARED_S : FRESH_OWN_S);
	strbuf_addf(sb, "\tAccess_Type = %s;\n", s->clients.n ? "NONE" : access);
	if (s->clients.n)
		add_clients(sb, s, access);
	/* The UUID of the file system, not its device. */
	strbuf_addstr(sb, "\tFSAL {\n\t\tName = VFS;\n\t\tfsid_type = uuid;\n\t}\n}\n\n");
	return 0;
}

int ganesha_conf_text(const struct conf *conf, bool graceless, struct strbuf *ret, struct err *err)
{
	_cleanup_strbuf_ struct strbuf sb = { 0 };
	int r;

	strbuf_addf(&sb, "# Made by vnas from the configuration of %s: changes belong there (vnas edit %s).\n\n", conf->name,
		    conf->name);
	/* Clients that go away, and the bus that is not there, are nothing to tell. */
	strbuf_addstr(&sb, "LOG {\n\tCOMPONENTS {\n\t\tTIRPC = CRIT;\n\t\tDBUS = FATAL;\n\t}\n}\n\n");
	/* A list of names is read anew each time: others than Ganesha's clients make and remove files too. */
	strbuf_addstr(&sb, "MDCACHE {\n\tDir_Chunk = 0;\n}\n\n");
	add_core(&sb, conf);
	r = add_v4(&sb, conf, graceless, err);
	add_krb5(&sb, conf);
	for (size_t i = 0; r == 0 && i < conf->n_shares; i++) {
		if (!conf->shares[i].nfs)
			continue;
		r = add_export(&sb, conf, &conf->shares[i], err);
		if (r < 0)
			return err_wrap(err, r, "share %s", conf->shares[i].name);
	}
	if (r < 0)
		return r;
	strbuf_add(ret, sb.buf, sb.len);
	return 0;
}

/* libblkid believes it for two seconds.  Ganesha asks for the UUIDs when it starts, and libblkid reads for each a quarter of a
 * megabyte of the disk into a buffer that it frees: from then on the C library takes blocks of that size from the heap, and fills them
 * with zeros.  Ganesha allocates nearly two hundred for tables that stay empty: 10 ms and 25 MB of memory. */
void ganesha_devices_text(const struct conf *conf, const struct timespec *when, struct strbuf *ret)
{
	for (size_t i = 1; i < conf->n_volumes; i++)
		if (*conf->volumes[i].uuid)
			strbuf_addf(ret, "<device DEVNO=\"0x0000\" TIME=\"%lld.%06ld\" UUID=\"%s\" TYPE=\"%s\">/dev/volumes/%s</device>\n",
				    (long long)when->tv_sec, when->tv_nsec / 1000, conf->volumes[i].uuid,
				    conf_fs_name(conf->volumes[i].fs), conf->volumes[i].name);
}

void ganesha_idmap_text(const struct conf *conf, struct strbuf *ret)
{
	strbuf_addf(ret,
		    "[General]\nVerbosity = 0\nDomain = %s\n\n"
		    "[Mapping]\nNobody-User = nobody\nNobody-Group = nogroup\n\n"
		    "[Translation]\nMethod = nsswitch\n",
		    conf_nfs_domain(conf));
	/* Who a ticket of a domain is for, Ganesha then asks winbindd, by the SID that the domain signed. By its mere name it would be
	 * the server's own user of that name, root among them: who may add a machine to the domain may call it so. */
	if (conf->directory.type == CONF_DIRECTORY_AD)
		strbuf_addstr(ret, "GSS-Methods = static\n\n[Static]\n");
}
