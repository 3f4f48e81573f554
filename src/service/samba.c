/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Samba: smbd, unmodified.  It runs as it does anywhere, with the usual folders on the Vsv's own root volume (its machine
 * SID is made there on the first start and stays), and reads a configuration that it cannot change. */
#include "service/samba.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "psv/conf.h"
#include "service/service.h"
#include "service/smb_probe.h"

enum { SMB_PORT = 445, READY_MS = 1000 };

#define BIT(cap) (UINT64_C(1) << (cap))

/* Found by taking one after the other away from smbd 4.17 and comparing what clients saw.  Not among them, because nothing
 * changed without it: DAC_READ_SEARCH (it would also open files by handle, past every path), KILL, SYS_CHROOT, SYS_NICE,
 * SYS_RESOURCE, IPC_LOCK, and SYS_ADMIN, which security.NTACL would need. */
static const uint64_t capabilities =
	BIT(CAP_CHOWN) |            /* take ownership, inherit owner, files made by `admin users` */
	BIT(CAP_DAC_OVERRIDE) |     /* what smbd does as root in its users' folders */
	BIT(CAP_FOWNER) |           /* modes, ACLs and user.* attributes of files that belong to the client's user */
	BIT(CAP_FSETID) |           /* keeps the set-group bit of new folders */
	BIT(CAP_SETUID) |           /* becomes the client's user */
	BIT(CAP_SETGID) |           /* … with the groups of that user */
	BIT(CAP_NET_BIND_SERVICE) | /* port 445 */
	BIT(CAP_LEASE);             /* `kernel oplocks = yes`: leases on files of other owners */

static const char *const packages[] = {
	"samba", "samba-common", "samba-common-bin", "samba-vfs-modules",
	"acl",    /* setfacl: rights of a new share's folder */
	"attr",   /* getfattr: what lies in user.NTACL */
	"passwd", /* useradd and kin */
	NULL,
};

static const uint16_t ports[] = { SMB_PORT, 0 };

static bool wanted(const struct conf *conf)
{
	return conf->smb_enabled;
}

static void argv(const struct conf *conf, struct strlist *ret)
{
	(void)conf;
	strlist_add(ret, "/usr/sbin/smbd");
	strlist_add(ret, "--foreground");
	/* PID 1 gave it a session already, and a second setsid(2) would be a fatal error to it.  When it ends, it sends
	 * SIGTERM to its process group: that session. */
	strlist_add(ret, "--no-process-group");
	strlist_add(ret, "--debug-stdout");
	strlist_add(ret, "--configfile=" SAMBA_CONF_INSIDE);
}

static int generate(const struct conf *conf, int conf_fd, struct err *err)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };
	_cleanup_close_ int dir = -1;
	int r = samba_conf_text(conf, &text, err);

	if (r < 0)
		return r;
	if (mkdirat(conf_fd, "samba", 0755) < 0 && errno != EEXIST)
		return err_set(err, -errno, "cannot make the folder of smb.conf: %m");
	dir = dir_open(conf_fd, "samba");
	if (dir < 0)
		return err_set(err, dir, "cannot open the folder of smb.conf");
	r = file_write_atomic_at(dir, "smb.conf", text.buf, text.len, 0644);
	if (r < 0)
		return err_set(err, r, "cannot write smb.conf");
	return 0;
}

/* make_path: makes each folder of a path below dir, step by step, never over a link. */
static int make_path(int dir, const char *path, mode_t mode, struct err *err)
{
	_cleanup_strlist_ struct strlist names = { 0 };
	_cleanup_close_ int at = fcntl(dir, F_DUPFD_CLOEXEC, 0);

	if (at < 0)
		return err_set(err, -errno, "cannot open the root volume: %m");
	strlist_split(&names, path, "/");
	for (size_t i = 0; i < names.n; i++) {
		bool last = i + 1 == names.n;
		int next;

		if (mkdirat(at, names.v[i], last ? mode : 0755) < 0 && errno != EEXIST)
			return err_set(err, -errno, "cannot make folder %s: %m", path);
		next = dir_open(at, names.v[i]);
		if (next < 0)
			return err_set(err, next, "cannot open folder %s", path);
		(void)close(at);
		at = next;
	}
	if (fchmod(at, mode) < 0)
		return err_set(err, -errno, "cannot set the mode of %s: %m", path);
	return 0;
}

static int populate(const struct conf *conf, int root_fd, struct err *err)
{
	static const struct {
		const char *path;
		mode_t mode;
	} folders[] = {
		{ "etc/samba", 0755 },      { "var/lib/samba", 0755 }, { "var/lib/samba/private", 0700 },
		{ "var/cache/samba", 0755 }, { "var/log/samba", 0750 },
	};

	(void)conf;
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		int r = make_path(root_fd, folders[i].path, folders[i].mode, err);

		if (r < 0)
			return r;
	}
	/* So that smbpasswd, pdbedit, net, smbstatus and testparm inside find it without an option. */
	if (symlinkat(SAMBA_CONF_INSIDE, root_fd, "etc/samba/smb.conf") < 0 && errno != EEXIST)
		return err_set(err, -errno, "cannot link /etc/samba/smb.conf: %m");
	return 0;
}

static int ready(const struct conf *conf, const struct ipaddr *address)
{
	(void)conf;
	return smb_probe(address, SMB_PORT, READY_MS);
}

const struct service samba_service = {
	.name = "smbd",
	.packages = packages,
	.capabilities = capabilities,
	.ports = ports,
	.wanted = wanted,
	.argv = argv,
	.generate = generate,
	.populate = populate,
	.ready = ready,
	.stop_signal = SIGTERM,
	.reload_signal = SIGHUP,
};
