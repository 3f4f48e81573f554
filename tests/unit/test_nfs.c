/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NFS: its keys, ganesha.conf, and the probe against servers that say right and wrong things. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/str.h"
#include "psv/conf.h"
#include "psv/share.h"
#include "service/directories.h"
#include "service/ganesha.h"
#include "service/nfs_probe.h"
#include "service/service.h"
#include "test.h"

#define HEAD "[volume data]\nsize = 64M\n"
#define SHARE(name) "[share " name "]\npath = /srv/data/" name "\nprotocols = nfs\n"

static int parse(const char *text, struct conf *ret, struct err *err)
{
	return conf_parse(text, strlen(text), "s1.conf", "s1", ret, err);
}

static void check_refused(const char *text, const char *words)
{
	struct err err = { 0 };
	struct conf c;

	CHECK(parse(text, &c, &err) < 0);
	if (!strstr(err.text, words))
		test_fail(__FILE__, __LINE__, err.text);
}

static struct conf parse_ok(const char *text)
{
	struct err err = { 0 };
	struct conf c;

	if (parse(text, &c, &err) < 0)
		test_fail(__FILE__, __LINE__, err.text);
	return c;
}

TEST(nfs_conf_defaults)
{
	struct conf c = parse_ok(HEAD SHARE("docs"));
	const struct conf_share *s = &c.shares[0];

	CHECK(conf_serves_nfs(&c) && ganesha_serves_v3(&c));
	CHECK_INT(c.nfs.versions, CONF_NFS_3 | CONF_NFS_4_ANY);
	CHECK_INT(c.nfs.lease_s, 30);
	CHECK_INT(c.nfs.grace_s, 30);
	CHECK_INT(s->squash, CONF_SQUASH_ROOT);
	CHECK_INT(s->anonymous_uid, 65534);
	CHECK_INT(s->sec, CONF_SEC_SYS);
	CHECK_STR(conf_nfs_domain(&c), "localdomain");
	conf_free(&c);
	c = parse_ok("[server]\nhostname = a.sales.example\nsearch = x.example\n" HEAD SHARE("docs") "[nfs]\nversions = 4\n");
	CHECK_STR(conf_nfs_domain(&c), "sales.example");
	CHECK_INT(c.nfs.versions, CONF_NFS_4_ANY);
	CHECK(!ganesha_serves_v3(&c));
	conf_free(&c);
}

TEST(nfs_conf_refuses)
{
	check_refused(HEAD SHARE("docs") "[nfs]\nversions = 2\n", "s1.conf:7: key 'versions': '2'");
	check_refused(HEAD SHARE("docs") "[nfs]\nversions = 4 4.1\n", "key 'versions'");
	check_refused(HEAD SHARE("docs") "[nfs]\nlease = 4\n", "expected 5 to 120");
	check_refused(HEAD SHARE("docs") "[nfs]\nlease = 60\n", "s1.conf:7: key 'grace': '30' is less than the lease of 60");
	check_refused(HEAD SHARE("docs") "[nfs]\nmountd port = 2049\n", "another file service");
	check_refused(HEAD SHARE("docs") "[nfs]\nstatd port = 20048\n", "'mountd port' has it already");
	check_refused(HEAD SHARE("docs") "sec = sys lm\n", "sys, krb5, krb5i and krb5p");
	check_refused(HEAD SHARE("docs") "squash = root all\n", "root, all or none");
	check_refused(HEAD SHARE("docs") "anonymous uid = 0\n", "1 to 4294967294");
	check_refused(HEAD SHARE("docs") "export id = 65536\n", "1 to 65535");
	check_refused("[share docs]\npath = /srv/docs\nprotocols = nfs\n", "root volume");
	check_refused(HEAD SHARE("a") "export id = 9\n" SHARE("b") "export id = 9\n", "s1.conf:10: key 'export id': [share b] and [share a] both have 9");
}

TEST(nfs_export_ids_stay)
{
	struct conf c = parse_ok(HEAD SHARE("docs") SHARE("other"));

	/* Clients have this number in their handles: it never changes. */
	CHECK_INT(conf_export_id(&c.shares[0]), 17701);
	CHECK_INT(conf_export_id_free(&c, "DOCS"), 17702);
	CHECK_INT(conf_export_id_free(&c, "new"), conf_export_id_free(&c, "NEW"));
	conf_free(&c);
}

TEST(nfs_share_edit_writes_the_number)
{
	static const char text[] = HEAD SHARE("docs");
	const struct share_edit add = { .name = "more", .smb = 0, .nfs = 1, .read_only = -1, .guest = -1, .audit = -1, .recycle = -1,
					.squash = "all", .sec = "krb5 krb5p" };
	const struct share_edit wrong = { .name = "more", .smb = 1, .nfs = 0, .read_only = -1, .guest = -1, .audit = -1, .recycle = -1,
					  .squash = "all" };
	struct conf c = parse_ok(text), now;
	struct err err = { 0 };
	char *new_text = share_edit_text(text, &c, &add, &err);

	CHECK(new_text);
	now = parse_ok(new_text);
	CHECK_INT(now.shares[1].export_id, conf_export_id_free(&c, "more"));
	CHECK_INT(now.shares[1].squash, CONF_SQUASH_ALL);
	CHECK_INT(now.shares[1].sec, CONF_SEC_KRB5 | CONF_SEC_KRB5P);
	conf_free(&now);
	free(new_text);
	CHECK(!share_edit_text(text, &c, &wrong, &err));
	CHECK(strstr(err.text, "expected --nfs too"));
	conf_free(&c);
}

static void check_has(const char *text, const char *part, bool wanted)
{
	if ((strstr(text, part) != NULL) != wanted)
		test_fail(__FILE__, __LINE__, part);
}

TEST(nfs_tickets_of_a_domain)
{
	struct conf c = parse_ok("[server]\nhostname = fs1.example\n" HEAD SHARE("plain"));
	struct strbuf sb = { 0 };

	ganesha_idmap_text(&c, &sb);
	check_has(strbuf_str(&sb), "Method = nsswitch\n", true);
	check_has(strbuf_str(&sb), "GSS-Methods", false);
	strbuf_free(&sb);
	/* Never by the mere name. */
	c.directory.type = CONF_DIRECTORY_AD;
	ganesha_idmap_text(&c, &sb);
	check_has(strbuf_str(&sb), "Domain = example\n", true);
	check_has(strbuf_str(&sb), "Method = nsswitch\nGSS-Methods = static\n\n[Static]\n", true);
	strbuf_free(&sb);
	conf_free(&c);
}

TEST(nfs_ganesha_conf)
{
	struct conf c = parse_ok("[server]\nhostname = fs1.example\n" HEAD
				 "[share docs]\npath = /srv/data/docs\nprotocols = smb nfs\nclient = 192.0.2.0/24\nclient = 2001:db8::/64\n"
				 "read only = yes\nsquash = all\nanonymous uid = 7\nsec = sys krb5i\nexport id = 9\n"
				 SHARE("plain"));
	struct strbuf sb = { 0 };
	struct err err = { 0 };
	const char *t, *plain;

	CHECK_INT(ganesha_conf_text(&c, false, &sb, &err), 0);
	t = strbuf_str(&sb);
	check_has(t, "\tPath = \"/srv/data/docs\";\n\tPseudo = \"/docs\";\n", true);
	check_has(t, "\tExport_Id = 9;\n\tFilesystem_Id = 1986945395.9;\n", true);
	check_has(t, "\tSquash = All_Squash;\n\tAnonymous_Uid = 7;\n", true);
	check_has(t, "\tSecType = sys, krb5i;\n", true);
	check_has(t, "\tAccess_Type = NONE;\n\tCLIENT {\n\t\tClients = 192.0.2.0/24, 2001:db8::/64;\n\t\tAccess_Type = RO;\n", true);
	check_has(t, "Server_Scope = \"fs1.example\"", true);
	check_has(t, "fsid_type = uuid", true);
	check_has(t, "Graceless", false);
	check_has(t, "Active_krb5 = true", true);
	check_has(t, "NLM_Port = 32803", true);
	/* What SMB changes too is looked at anew each time. */
	plain = strstr(t, "/plain");
	CHECK(plain && strstr(t, "Attr_Expiration_Time = 0;") < plain && strstr(plain, "Attr_Expiration_Time = 5;"));
	strbuf_free(&sb);
	c.nfs.versions = CONF_NFS_4_1;
	CHECK_INT(ganesha_conf_text(&c, true, &sb, &err), 0);
	t = strbuf_str(&sb);
	check_has(t, "Protocols = 4;", true);
	check_has(t, "Minor_Versions = 1;", true);
	check_has(t, "Enable_NLM = false;", true);
	check_has(t, "Enable_UDP = false;", true);
	check_has(t, "MNT_Port", false);
	check_has(t, "Graceless = true;", true);
	strbuf_free(&sb);
	conf_free(&c);
	CHECK(ganesha_share_name_check("a\"; } EXPORT {", &err) < 0);
	CHECK(ganesha_share_name_check("a\\", &err) < 0);
	CHECK(ganesha_share_name_check("..", &err) < 0);
	CHECK_INT(ganesha_share_name_check("Büro 1", &err), 0);
}

/* As libblkid writes its cache. */
TEST(nfs_devices_of_ganesha)
{
	struct conf c = parse_ok("[server]\n[volume root]\nsize = 64M\n[volume data]\nsize = 64M\nmount = /srv/data\n"
				 "uuid = 01234567-89ab-cdef-0123-456789abcdef\n[volume old]\nsize = 64M\nmount = /srv/old\n");
	const struct timespec when = { .tv_sec = 1700000000, .tv_nsec = 1234567 };
	struct strbuf sb = { 0 };

	ganesha_devices_text(&c, &when, &sb);
	CHECK_STR(strbuf_str(&sb), "<device DEVNO=\"0x0000\" TIME=\"1700000000.001234\" UUID=\"01234567-89ab-cdef-0123-456789abcdef\" "
				   "TYPE=\"ext4\">/dev/volumes/data</device>\n");
	strbuf_free(&sb);
	conf_free(&c);
}

TEST(nfs_services_by_versions)
{
	struct conf three = parse_ok(HEAD SHARE("docs")), four = parse_ok(HEAD SHARE("docs") "[nfs]\nversions = 4\n"),
		    none = parse_ok(HEAD);

	CHECK(service_find("ganesha")->wanted(&three) && service_find("statd")->wanted(&three) && service_find("rpcbind")->wanted(&three));
	CHECK(service_find("ganesha")->wanted(&four) && !service_find("statd")->wanted(&four) && !service_find("rpcbind")->wanted(&four));
	CHECK(!service_find("ganesha")->wanted(&none));
	conf_free(&three);
	conf_free(&four);
	conf_free(&none);
}

TEST(nfs_lists_of_rpcbind)
{
	/* The list of version 2, as rpcbind 1.2 itself writes it: rpcbind by TCP. */
	static const unsigned char first[] = { 0, 0, 0, 1, 0, 1, 0x86, 0xa0, 0, 0, 0, 4, 0, 0, 0, 6, 0, 0, 0, 111 };
	static const unsigned char mountd[] = "\0\0\0\4tcp6\0\0\0\x8::.78.80\0\0\0\x9superuser\0\0";
	struct conf three = parse_ok(HEAD SHARE("docs") "[nfs]\nversions = 3\n"), both = parse_ok(HEAD SHARE("docs"));
	_cleanup_strbuf_ struct strbuf rpcb = { 0 }, pmap = { 0 }, rpcb4 = { 0 }, pmap4 = { 0 };

	rpcbind_lists(&three, &rpcb, &pmap);
	rpcbind_lists(&both, &rpcb4, &pmap4);
	/* Eight programs, each by TCP and UDP, and the end. */
	CHECK_INT(pmap.len, 8 * 2 * 20 + 4);
	CHECK_INT(pmap4.len, 9 * 2 * 20 + 4);
	CHECK(memcmp(pmap.buf, first, sizeof(first)) == 0);
	CHECK(memmem(rpcb.buf, rpcb.len, mountd, sizeof(mountd)) != NULL);
	CHECK_INT(rpcb.len % 4, 0);
	CHECK(rpcb4.len > rpcb.len);
	CHECK(memcmp(rpcb.buf + rpcb.len - 4, "\0\0\0", 4) == 0);
	conf_free(&three);
	conf_free(&both);
}

/* With NIS rpcbind runs on when NFS goes: killed later, it must not tell of programs that are no more. */
TEST(nfs_lists_go_with_nfs)
{
	static const char nis[] = "[directory]\ntype = nis\ndomain = dept2\nserver = 192.0.2.1\n";
	char with[512];
	_cleanup_strlist_ struct strlist argv = { 0 }, argv_nis = { 0 };
	_cleanup_close_ int dir = dir_open(AT_FDCWD, test_dir());
	struct conf only_nis = parse_ok(nis), both;
	struct err err = { 0 };

	(void)snprintf(with, sizeof(with), "%s%s", nis, HEAD SHARE("docs"));
	both = parse_ok(with);
	CHECK_INT(rpcbind_service.generate(&both, dir, &err), 0);
	CHECK_INT(faccessat(dir, "rpcbind/rpcbind.xdr", F_OK, 0) + faccessat(dir, "rpcbind/portmap.xdr", F_OK, 0), 0);
	CHECK_INT(rpcbind_service.generate(&only_nis, dir, &err), 0);
	CHECK_INT(faccessat(dir, "rpcbind/rpcbind.xdr", F_OK, 0), -1);
	CHECK_INT(faccessat(dir, "rpcbind/portmap.xdr", F_OK, 0), -1);
	/* It is not told again how to run. */
	rpcbind_service.argv(&both, &argv);
	rpcbind_service.argv(&only_nis, &argv_nis);
	CHECK_INT(argv.n, argv_nis.n);
	conf_free(&both);
	conf_free(&only_nis);
}

/* ---- answers ---- */

enum { XID = 0x01020304 };

static size_t words(unsigned char *buf, const uint32_t *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t w = htonl(list[i]);

		memcpy(buf + 4 * i, &w, sizeof(w));
	}
	return 4 * n;
}
#define WORDS(buf, ...) words(buf, (const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

TEST(nfs_answers_are_judged)
{
	unsigned char b[256];
	size_t n = WORDS(b, XID, 1, 0, 0, 0, 0);

	CHECK_INT(nfs_null_check(b, n, XID), 0);
	CHECK_INT(nfs_null_check(b, n, XID + 1), -EAGAIN);
	CHECK_INT(nfs_null_check(b, n + 4, XID), -EAGAIN);
	for (size_t i = 0; i < n; i++)
		CHECK_INT(nfs_null_check(b, i, XID), -EAGAIN);
	n = WORDS(b, XID, 1, 0, 0, 0, 2); /* the version is not there */
	CHECK_INT(nfs_null_check(b, n, XID), -EAGAIN);
	n = WORDS(b, XID, 1, 1, 0, 0, 0); /* denied */
	CHECK_INT(nfs_null_check(b, n, XID), -EAGAIN);
	n = WORDS(b, XID, 1, 0, 0, 0xffffffff, 0); /* a verifier longer than anything */
	CHECK_INT(nfs_null_check(b, n, XID), -EAGAIN);
	n = WORDS(b, XID, 1, 0, 0, 4, 0, 0); /* one of four bytes */
	CHECK_INT(nfs_null_check(b, n, XID), 0);
	n = WORDS(b, XID, 1, 0, 0, 0, 0, 2049);
	CHECK_INT(nfs_port_check(b, n, XID, 2049), 0);
	CHECK_INT(nfs_port_check(b, n, XID, 2050), -EAGAIN);
}

TEST(nfs_roots_are_judged)
{
	unsigned char b[256];
	size_t n = WORDS(b, XID, 1, 0, 0, 0, 0, 0, 0, 2, 24, 0, 9, 0, 1, 2, 4, 2);

	CHECK_INT(nfs_root_check(b, n, XID), 0);
	for (size_t i = 0; i < n; i++)
		CHECK_INT(nfs_root_check(b, i, XID), -EAGAIN);
	n = WORDS(b, XID, 1, 0, 0, 0, 0, 0, 0, 2, 24, 0, 9, 0, 1, 2, 4, 1); /* a file */
	CHECK_INT(nfs_root_check(b, n, XID), -EAGAIN);
	n = WORDS(b, XID, 1, 0, 0, 0, 0, 10071, 0, 1, 24, 10071); /* wants a session */
	CHECK_INT(nfs_root_check(b, n, XID), 0);
	n = WORDS(b, XID, 1, 0, 0, 0, 0, 10071, 0, 0); /* the same, as Ganesha says it */
	CHECK_INT(nfs_root_check(b, n, XID), 0);
	n = WORDS(b, XID, 1, 0, 0, 0, 0, 0, 0, 0);
	CHECK_INT(nfs_root_check(b, n, XID), -EAGAIN);
	n = WORDS(b, XID, 1, 0, 0, 0, 0, 10071, 0, 1, 24, 0);
	CHECK_INT(nfs_root_check(b, n, XID), -EAGAIN);
	n = WORDS(b, XID, 1, 0, 0, 0, 0, 13, 0, 2, 24, 0, 9, 13); /* does not show it to the Psv */
	CHECK_INT(nfs_root_check(b, n, XID), 0);
	n = WORDS(b, XID, 1, 0, 0, 0, 0, 10006, 0, 1, 24, 10006); /* a fault of the server's */
	CHECK_INT(nfs_root_check(b, n, XID), -EAGAIN);
	n = WORDS(b, XID, 1, 0, 0, 0, 0, 0, 0xfffffffe, 2, 24, 0); /* a tag longer than all */
	CHECK_INT(nfs_root_check(b, n, XID), -EAGAIN);
}

/* ---- whole servers ---- */

enum fake { FAKE_GOOD, FAKE_NO_MOUNTD, FAKE_OTHER_PORT, FAKE_SILENT, FAKE_CLOSES, FAKE_LONG, FAKE_FRAGMENTS, FAKE_FILE };

static int listen_on(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
	CHECK(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 8) == 0);
	return fd;
}

static void answer(int fd, const unsigned char *q, enum fake kind)
{
	uint32_t xid, program, procedure, args[2], mark;
	unsigned char b[256];
	size_t n;

	memcpy(&xid, q, 4);
	memcpy(&program, q + 12, 4);
	memcpy(&procedure, q + 20, 4);
	memcpy(args, q + 40, 8);
	xid = ntohl(xid);
	if (ntohl(program) == 100000)
		n = WORDS(b + 4, xid, 1, 0, 0, 0, 0, kind == FAKE_OTHER_PORT ? 4711 : ntohl(args[0]) == 100003 ? 2049 : 20048);
	else if (ntohl(procedure) == 0)
		n = WORDS(b + 4, xid, 1, 0, 0, 0, 0);
	else
		n = WORDS(b + 4, xid, 1, 0, 0, 0, 0, 0, 0, 2, 24, 0, 9, 0, 1, 2, 4, kind == FAKE_FILE ? 1 : 2);
	mark = htonl((kind == FAKE_FRAGMENTS ? 0 : 0x80000000u) | (kind == FAKE_LONG ? 0x7fffffff : (uint32_t)n));
	memcpy(b, &mark, 4);
	(void)!write(fd, b, n + 4);
}

static void serve(int fd, enum fake kind)
{
	unsigned char q[512];
	uint32_t mark;

	while (recv(fd, &mark, 4, MSG_WAITALL) == 4) {
		size_t n = ntohl(mark) & 0x7fffffff;

		if (n < 40 || n > sizeof(q) || recv(fd, q, n, MSG_WAITALL) != (ssize_t)n || kind == FAKE_CLOSES)
			break;
		if (kind == FAKE_SILENT)
			(void)pause();
		answer(fd, q, kind);
	}
	_exit(0);
}

static void fake_run(const int *fds, size_t n, enum fake kind) __attribute__((noreturn));
static void fake_run(const int *fds, size_t n, enum fake kind)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGCHLD, SIG_IGN);
	for (;;) {
		struct pollfd p[3] = { { .fd = -1 }, { .fd = -1 }, { .fd = -1 } };

		for (size_t i = 0; i < n; i++)
			p[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
		(void)poll(p, 3, -1);
		for (size_t i = 0; i < n; i++) {
			int c = p[i].revents ? accept4(fds[i], NULL, NULL, SOCK_CLOEXEC) : -1;

			if (c >= 0 && fork() == 0) {
				(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
				/* It lives a little longer than its parent. */
				for (size_t k = 0; k < n; k++)
					(void)close(fds[k]);
				serve(c, kind);
			}
			if (c >= 0)
				(void)close(c);
		}
	}
}

static int probe_fake(enum fake kind, unsigned versions)
{
	int fds[3] = { listen_on(2049), listen_on(111), -1 }, r;
	struct conf c = { .nfs = { .versions = versions, .mountd_port = 20048 } };
	size_t n = 2;
	struct ipaddr a;
	pid_t pid;

	if (kind != FAKE_NO_MOUNTD)
		fds[n++] = listen_on(20048);
	pid = fork();
	if (pid == 0)
		fake_run(fds, n, kind);
	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]);
	CHECK_INT(ipaddr_parse("127.0.0.1", &a), 0);
	r = nfs_probe(&c, &a, kind == FAKE_SILENT ? 200 : 5000);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return r;
}

TEST(nfs_probe_of_servers)
{
	const unsigned all = CONF_NFS_3 | CONF_NFS_4_ANY;
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int s;

	if (unshare(CLONE_NEWNET) < 0)
		SKIP("needs a network namespace of its own");
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK_INT(ioctl(s, SIOCSIFFLAGS, &lo), 0);
	CHECK_INT(probe_fake(FAKE_GOOD, all), 0);
	CHECK_INT(probe_fake(FAKE_GOOD, CONF_NFS_3), 0);
	CHECK_INT(probe_fake(FAKE_GOOD, CONF_NFS_4_2), 0);
	CHECK_INT(probe_fake(FAKE_NO_MOUNTD, all), -EAGAIN);
	CHECK_INT(probe_fake(FAKE_NO_MOUNTD, CONF_NFS_4_0), 0);
	CHECK_INT(probe_fake(FAKE_OTHER_PORT, all), -EAGAIN);
	CHECK_INT(probe_fake(FAKE_SILENT, all), -EAGAIN);
	CHECK_INT(probe_fake(FAKE_CLOSES, all), -EAGAIN);
	CHECK_INT(probe_fake(FAKE_LONG, all), -EAGAIN);
	CHECK_INT(probe_fake(FAKE_FRAGMENTS, all), -EAGAIN);
	CHECK_INT(probe_fake(FAKE_FILE, all), -EAGAIN);
	(void)close(s);
}
