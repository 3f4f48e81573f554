/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NFS-Ganesha and statd.  Ganesha has mountd and the lock manager of NFS 3 in it; rpcbind's row is in rpcbind.c.  What must
 * outlive a restart and a move (which clients hold what) lies on the root volume. */
#include "service/ganesha.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "psv/conf.h"
#include "service/nfs_probe.h"
#include "service/service.h"

enum { READY_MS = 1000 };

#define BIT(cap) (UINT64_C(1) << (cap))

/* Found by taking one after the other away (tests/host/nfs-rights.sh fails without each of those that clients see).  Not among
 * them and not missed: LEASE, KILL, SYS_RESOURCE, which it drops itself, and MKNOD: clients make no device nodes. */
static const uint64_t capabilities =
	BIT(CAP_CHOWN) |            /* files made by its users, and changes of owner */
	BIT(CAP_DAC_OVERRIDE) |     /* what it does as root */
	BIT(CAP_DAC_READ_SEARCH) |  /* open_by_handle_at(2): a client names a file by its handle */
	BIT(CAP_FOWNER) |           /* modes and times of files of its users */
	BIT(CAP_FSETID) |           /* keeps the set-group bit */
	BIT(CAP_SETUID) |           /* becomes the client's user */
	BIT(CAP_SETGID) |           /* … with the groups of that user */
	BIT(CAP_NET_BIND_SERVICE) | /* rpcbind and lockd of clients listen to ports below 1024 only */
	BIT(CAP_SETPCAP);           /* sm-notify, which its start runs, gives up the others and ends without this */

static const char *const packages[] = { "nfs-ganesha", "nfs-ganesha-vfs", NULL };
static const char *const statd_packages[] = { "nfs-common", NULL };
static const uint16_t ports[] = { NFS_PORT, 0 };

bool ganesha_serves_v3(const struct conf *conf)
{
	return (conf->nfs.versions & CONF_NFS_3) && conf_serves_nfs(conf);
}

/* What outlives it: clients of NFS 4, and those of NFS 3 with locks. */
static const char *const records[] = {
	"/var/lib/nfs/ganesha/v4recov", "/var/lib/nfs/ganesha/v4old", "/var/lib/nfs/sm", "/var/lib/nfs/sm.bak",
	GANESHA_TOLD_INSIDE, NULL,
};

/* libblkid's cache (nfs_devices_text()). */
static const char *const env[] = { "BLKID_FILE=" GANESHA_DEVICES_INSIDE, NULL };

static void add_options(struct strlist *ret)
{
	static const char *const words[] = { "-F", "-L", "STDERR", "-N", "NIV_EVENT", "-p", "/run/ganesha/pid" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		strlist_add(ret, words[i]);
}

static void argv(const struct conf *conf, struct strlist *ret)
{
	(void)conf;
	strlist_add(ret, "/bin/sh");
	strlist_add(ret, GANESHA_START_INSIDE);
	add_options(ret);
}

static void fresh(const struct conf *conf, struct strlist *ret)
{
	(void)conf;
	strlist_add(ret, "/usr/bin/ganesha.nfsd");
	add_options(ret);
	strlist_add(ret, "-f");
	strlist_add(ret, GANESHA_GRACELESS_INSIDE);
}

static void statd_argv(const struct conf *conf, struct strlist *ret)
{
	strlist_add(ret, "/usr/sbin/rpc.statd");
	strlist_add(ret, "--foreground");
	strlist_add(ret, "--no-notify"); /* the start of Ganesha does that */
	strlist_add(ret, "--port");
	strlist_addf(ret, "%u", conf->nfs.statd_port);
}

static int write_file(int dir, const char *name, const char *text, struct err *err)
{
	int r = file_write_atomic_at(dir, name, text, strlen(text), 0644);

	return r < 0 ? err_set(err, r, "cannot write %s", name) : 0;
}

static int generate(const struct conf *conf, int conf_fd, struct err *err)
{
	_cleanup_strbuf_ struct strbuf text = { 0 }, graceless = { 0 }, idmap = { 0 }, start = { 0 };
	_cleanup_close_ int dir = -1;
	int r = ganesha_conf_text(conf, false, &text, err);

	if (r == 0)
		r = ganesha_conf_text(conf, true, &graceless, err);
	if (r < 0)
		return r;
	if (mkdirat(conf_fd, "ganesha", 0755) < 0 && errno != EEXIST)
		return err_set(err, -errno, "cannot make the folder of ganesha.conf: %m");
	dir = dir_open(conf_fd, "ganesha");
	if (dir < 0)
		return err_set(err, dir, "cannot open the folder of ganesha.conf");
	ganesha_idmap_text(conf, &idmap);
	ganesha_start_text(conf, &start);
	r = write_file(dir, "idmapd.conf", strbuf_str(&idmap), err);
	if (r == 0)
		r = write_file(dir, "netconfig", ganesha_netconfig, err);
	if (r == 0)
		r = write_file(dir, "start", strbuf_str(&start), err);
	if (r == 0)
		r = write_file(dir, "graceless.conf", strbuf_str(&graceless), err);
	return r < 0 ? r : write_file(dir, "ganesha.conf", strbuf_str(&text), err);
}

static int ready(const struct conf *conf, const struct ipaddr *address)
{
	return nfs_probe(conf, address, READY_MS);
}

const struct service statd_service = {
	.name = "statd",
	.packages = statd_packages,
	.optional = true,
	/* The second is for giving up the first but for what it needs, without which it ends. */
	.capabilities = BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SETPCAP),
	.wanted = ganesha_serves_v3,
	.argv = statd_argv,
	.stop_signal = SIGTERM,
	.comes_and_goes = true,
};

const struct service ganesha_service = {
	.name = "ganesha",
	.packages = packages,
	.optional = true,
	.capabilities = capabilities,
	.ports = ports,
	.wanted = conf_serves_nfs,
	.argv = argv,
	.records = records,
	.fresh = fresh,
	.env = env,
	.generate = generate,
	.ready = ready,
	/* Ended in order it would give the locks of NFS 3 up, and wait for answers to that which it no longer hears. What must last is
	 * on the disk at any time. */
	.stop_signal = SIGKILL,
	.reload_signal = SIGHUP,
	.file_handles = true,
	.no_xattrs = true,
	.comes_and_goes = true,
	.needs_folders = true,
};
