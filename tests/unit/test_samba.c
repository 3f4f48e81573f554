/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "lib/str.h"
#include "psv/conf.h"
#include "service/nbt_probe.h"
#include "service/samba.h"
#include "service/service.h"
#include "service/smb_probe.h"
#include "test.h"

static char one[] = "one", FILESRV1[] = "FILESRV1", host[] = "filesrv1.example", SALES[] = "SALES";

static struct conf base_conf(void)
{
	static struct conf_address address;
	struct conf c = { .hostname = host, .netbios_name = FILESRV1, .workgroup = SALES, .smb_enabled = true };

	address = (struct conf_address){ .prefix = 24 };
	CHECK_INT(ipaddr_parse("127.0.0.1", &address.addr), 0);
	(void)str_copy(c.name, sizeof(c.name), one);
	c.addresses = &address;
	c.n_addresses = 1;
	return c;
}

static struct conf_share base_share(void)
{
	static char docs[] = "docs", path[] = "/srv/data/docs";

	return (struct conf_share){ .name = docs, .path = path, .smb = true };
}

/* has_line: the text has exactly this line, once. */
static int lines(const struct strbuf *sb, const char *line)
{
	_cleanup_free_ char *whole = xasprintf("\n%s\n", line);
	const char *p = strbuf_str(sb);
	int n = 0;

	while ((p = strstr(p, whole))) {
		n++;
		p++;
	}
	return n;
}

static void in_own_net(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int s;

	if (unshare(CLONE_NEWNET) < 0)
		SKIP("needs root to make a network namespace");
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK_INT(ioctl(s, SIOCSIFFLAGS, &lo), 0);
	(void)close(s);
}

TEST(samba_conf_of_a_plain_server)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };
	struct conf c = base_conf();
	struct conf_share share = base_share();
	struct err e = { 0 };

	c.shares = &share;
	c.n_shares = 1;
	CHECK_INT(samba_conf_text(&c, &text, &e), 0);
	CHECK_INT(lines(&text, "\tnetbios name = FILESRV1"), 1);
	CHECK_INT(lines(&text, "\tworkgroup = SALES"), 1);
	CHECK_INT(lines(&text, "\tinterfaces = 127.0.0.1"), 1);
	CHECK_INT(lines(&text, "\tbind interfaces only = no"), 1);
	CHECK_INT(lines(&text, "\tvfs objects = acl_xattr"), 1);
	CHECK_INT(lines(&text, "\tacl_xattr:security_acl_name = user.NTACL"), 1);
	CHECK_INT(lines(&text, "\tmap to guest = Never"), 1);
	CHECK_INT(lines(&text, "[docs]"), 1);
	CHECK_INT(lines(&text, "\tread only = no"), 1);
	CHECK(!strstr(text.buf, "valid users"));
}

TEST(samba_conf_of_access_lists)
{
	static const struct {
		bool read_only, guest;
		const char *read, *write;
		const char *const want[5];
		const char *not;
	} cases[] = {
		{ false, false, NULL, NULL, { "\tread only = no", "\tguest ok = no" }, "list" },
		{ true, false, NULL, NULL, { "\tread only = yes" }, "list" },
		{ false, false, "bob", "@sales",
		  { "\tread only = yes", "\tvalid users = \"@sales\", \"bob\"", "\twrite list = \"@sales\"" }, "read list" },
		{ false, false, "bob", NULL, { "\tread only = yes", "\tvalid users = \"bob\"" }, "write list" },
		{ false, false, "bob", "bob", { "\tvalid users = \"bob\"", "\twrite list = \"bob\"" }, "read list" },
		{ true, false, NULL, "bob", { "\tread only = yes", "\tvalid users = \"bob\"" }, "write list" },
		{ false, true, NULL, "bob", { "\tread only = yes", "\tguest ok = yes", "\twrite list = \"bob\"" }, "valid users" },
		{ false, true, NULL, NULL, { "\tread only = no", "\tguest ok = yes" }, "valid users" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		_cleanup_strbuf_ struct strbuf text = { 0 };
		struct conf c = base_conf();
		struct conf_share s = base_share();
		struct err e = { 0 };

		s.read_only = cases[i].read_only;
		s.guest = cases[i].guest;
		if (cases[i].read)
			strlist_add(&s.read, cases[i].read);
		if (cases[i].write)
			strlist_add(&s.write, cases[i].write);
		c.shares = &s;
		c.n_shares = 1;
		CHECK_INT(samba_conf_text(&c, &text, &e), 0);
		for (size_t w = 0; cases[i].want[w]; w++)
			CHECK_INT(lines(&text, cases[i].want[w]), 1);
		CHECK(!strstr(text.buf, cases[i].not));
		CHECK_INT(lines(&text, cases[i].guest ? "\tmap to guest = Bad User" : "\tmap to guest = Never"), 1);
		strlist_free(&s.read);
		strlist_free(&s.write);
	}
}

TEST(samba_keeps_its_acl_module_in_every_list)
{
	static char vfs[] = "VFS Object", list[] = "catia, acl_xattr fruit", recycle[] = "recycle", spaced[] = "vfs  objects";
	_cleanup_strbuf_ struct strbuf text = { 0 };
	struct conf_param global = { .key = vfs, .value = list }, param = { .key = spaced, .value = recycle };
	struct conf c = base_conf();
	struct conf_share s = base_share();
	struct err e = { 0 };

	c.smb = &global;
	c.n_smb = 1;
	s.params = &param;
	s.n_params = 1;
	c.shares = &s;
	c.n_shares = 1;
	CHECK_INT(samba_conf_text(&c, &text, &e), 0);
	CHECK_INT(lines(&text, "\tvfs objects = catia acl_xattr fruit"), 1);
	CHECK_INT(lines(&text, "\tvfs objects = acl_xattr recycle"), 1);
	CHECK_INT(lines(&text, "\tvfs objects = acl_xattr"), 0);
}

TEST(samba_owned_keys_in_any_spelling)
{
	CHECK(samba_owns("interfaces"));
	CHECK(samba_owns("Lock Dir"));
	CHECK(samba_owns("l o c k\tdirectory"));
	CHECK(samba_owns("NetBIOS name"));
	CHECK(samba_owns("includE"));
	CHECK(samba_owns("ACL_XATTR:Security_ACL_name"));
	CHECK(!samba_owns("server min protocol"));
	CHECK(!samba_owns("root preexec"));
	CHECK(!samba_owns("locking"));
	CHECK(!samba_owns(""));
	CHECK(samba_owned_why("smb ports") != NULL);
	CHECK(samba_share_owned_why("write ok") != NULL);
	CHECK(samba_owned_why("write ok") == NULL);
	CHECK(samba_share_owned_why("path") != NULL);
	CHECK(samba_share_owned_why("veto files") == NULL);
}

TEST(samba_conf_cannot_be_broken_out_of)
{
	static const char *const keys[] = { "", "[x", "#a", ";a", "-valid", " a", "a=b", "a\nb", "a]", "\303\244", NULL };
	static const char *const values[] = { "a\n[x]", "a\\", "a\\ ", "\r", "a\033", NULL };
	static const char *const names[] = { "",	"global", "Printers", "IPC$",  "a]b", "a\n", "a/b", "%u",
					     " a", "a ",     "-x",    "a\\b", "a;b", NULL };
	struct err e = { 0 };

	for (size_t i = 0; keys[i]; i++)
		CHECK_INT(samba_key_check(keys[i], &e), -EINVAL);
	for (size_t i = 0; values[i]; i++)
		CHECK_INT(samba_value_check(values[i], &e), -EINVAL);
	for (size_t i = 0; names[i]; i++)
		CHECK_INT(samba_share_name_check(names[i], &e), -EINVAL);
	CHECK_INT(samba_key_check("idmap config * : backend", &e), 0);
	CHECK_INT(samba_value_check("C:\\a b; [x] # %S", &e), 0);
	CHECK_INT(samba_share_name_check("\351\203\250 docs$", &e), 0);
}

TEST(samba_conf_refuses_bad_shares)
{
	static char env[] = "/srv/%$(HOME)", comment[] = "x\n\tpath = /", interfaces[] = "Inter Faces", any[] = "0.0.0.0";
	_cleanup_strbuf_ struct strbuf text = { 0 };
	struct conf_param param = { .key = interfaces, .value = any };
	struct conf c = base_conf();
	struct conf_share s = base_share();
	struct err e = { 0 };

	c.shares = &s;
	c.n_shares = 1;
	s.path = env;
	CHECK_INT(samba_conf_text(&c, &text, &e), -EINVAL);
	s = base_share();
	s.comment = comment;
	CHECK_INT(samba_conf_text(&c, &text, &e), -EINVAL);
	s = base_share();
	strlist_add(&s.write, "a\", \"b");
	CHECK_INT(samba_conf_text(&c, &text, &e), -EINVAL);
	strlist_free(&s.write);
	s = base_share();
	s.params = &param;
	s.n_params = 1;
	CHECK_INT(samba_conf_text(&c, &text, &e), -EINVAL);
	CHECK(strstr(e.text, "Inter Faces"));
	c.n_shares = 0;
	c.smb = &param;
	c.n_smb = 1;
	CHECK_INT(samba_conf_text(&c, &text, &e), -EINVAL);
	CHECK_INT(text.len, 0);
}

/* random_text: of what could mean something in smb.conf. */
static char *random_text(char buf[16], unsigned *seed)
{
	static const char letters[] = "[]=\\\n\r;#% \"/\t@,ab:-.\303";
	int len = rand_r(seed) % 15;

	for (int i = 0; i < len; i++)
		buf[i] = letters[rand_r(seed) % (int)(sizeof(letters) - 1)];
	buf[len] = '\0';
	return buf;
}

/* check_shape: a comment, then sections of which only the two are ours, and lines "TAB KEY = VALUE" that do not go on. */
static void check_shape(const char *text, const char *share)
{
	_cleanup_free_ char *copy = xstrdup(text), *section = xasprintf("[%s]", share);
	unsigned sections = 0;
	char *rest = copy, *line;

	while ((line = strsep(&rest, "\n"))) {
		size_t len = strlen(line);

		while (len > 0 && strchr(" \t\r", line[len - 1]))
			len--;
		CHECK(len == 0 || line[len - 1] != '\\');
		if (*line == '[') {
			CHECK(strcmp(line, "[global]") == 0 || strcmp(line, section) == 0);
			sections++;
		} else if (*line != '\0' && *line != '#') {
			CHECK(line[0] == '\t' && strchr("abcdefghijklmnopqrstuvwxyz", line[1]) && strstr(line, " = "));
		}
	}
	CHECK_INT(sections, 2);
}

TEST(samba_conf_keeps_its_shape_whatever_is_in_it)
{
	unsigned seed = 1, made = 0;

	for (int i = 0; i < 20000; i++) {
		_cleanup_strbuf_ struct strbuf text = { 0 };
		char v[6][16];
		struct conf_param global = { .key = random_text(v[0], &seed), .value = random_text(v[1], &seed) };
		struct conf_param param = { .key = random_text(v[2], &seed), .value = random_text(v[3], &seed) };
		struct conf c = base_conf();
		struct conf_share s = base_share();
		char name[16];

		c.smb = &global;
		c.n_smb = i % 3 == 0;
		s.params = &param;
		s.n_params = i % 2;
		s.comment = random_text(v[4], &seed);
		if (i % 5 == 0)
			strlist_add(&s.write, random_text(v[5], &seed));
		if (i % 7 == 0)
			s.name = random_text(name, &seed);
		c.shares = &s;
		c.n_shares = 1;
		if (samba_conf_text(&c, &text, NULL) == 0) {
			check_shape(text.buf, s.name);
			made++;
		}
		strlist_free(&s.write);
	}
	CHECK(made > 100);
}

/* testparm is Samba's own judge: it warns of keys that it does not know. */
TEST(samba_conf_is_what_samba_understands)
{
	_cleanup_strbuf_ struct strbuf text = { 0 }, out = { 0 };
	_cleanup_free_ char *path = xasprintf("%s/smb.conf", test_dir());
	struct conf c = base_conf();
	struct conf_share s = base_share();
	struct err e = { 0 };
	int d;
	const char *const argv[] = { "sh", "-c", "exec testparm -sv --suppress-prompt \"$0\" 2>&1", path, NULL };

	if (!program_find("testparm", NULL, 0))
		SKIP("testparm is not installed");
	strlist_add(&s.read, "@all users");
	strlist_add(&s.write, "alice");
	strlist_add(&s.clients, "192.0.2.0/24");
	strlist_add(&s.clients, "2001:db8::/64");
	c.shares = &s;
	c.n_shares = 1;
	CHECK_INT(samba_conf_text(&c, &text, &e), 0);
	d = dir_open(AT_FDCWD, test_dir());
	CHECK_INT(file_write_atomic_at(d, "smb.conf", text.buf, text.len, 0600), 0);
	(void)close(d);
	CHECK_INT(run(argv, &(struct run_opts){ .out = &out }, &e), 0);
	CHECK(!strstr(out.buf, "nknown parameter"));
	CHECK(!strstr(out.buf, "Ignoring"));
	CHECK_INT(lines(&out, "\tdisable netbios = Yes"), 1);
	CHECK_INT(lines(&out, "\tserver min protocol = SMB2_02"), 1);
	CHECK_INT(lines(&out, "\tlock directory = /run/samba"), 1);
	CHECK_INT(lines(&out, "\tvalid users = alice \"@all users\""), 1);
	CHECK_INT(lines(&out, "\thosts allow = 192.0.2.0/24 2001:db8::/64"), 1);
	strlist_free(&s.read);
	strlist_free(&s.write);
	strlist_free(&s.clients);
}

TEST(samba_populates_a_root_volume)
{
	int d = open(test_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct conf c = base_conf();
	struct err e = { 0 };
	struct stat st;
	char target[64];
	ssize_t n;

	CHECK_INT(mkdirat(d, "etc", 0755), 0);
	CHECK_INT(mkdirat(d, "var", 0755), 0);
	CHECK_INT(samba_service.populate(&c, d, &e), 0);
	CHECK_INT(samba_service.populate(&c, d, &e), 0);
	CHECK_INT(fstatat(d, "var/lib/samba/private", &st, 0), 0);
	CHECK_INT(st.st_mode & 07777, 0700);
	n = readlinkat(d, "etc/samba/smb.conf", target, sizeof(target) - 1);
	CHECK(n > 0);
	target[n] = '\0';
	CHECK_STR(target, SAMBA_CONF_INSIDE);
	CHECK_INT(samba_service.generate(&c, d, &e), 0);
	CHECK_INT(samba_service.generate(&c, d, &e), 0);
	CHECK_INT(fstatat(d, "samba/smb.conf", &st, AT_SYMLINK_NOFOLLOW), 0);
	CHECK_INT(st.st_mode & 07777, 0644);
	(void)close(d);
}

/* A folder that is a link is not followed. */
TEST(samba_populate_follows_no_link)
{
	int d = open(test_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct conf c = base_conf();
	struct err e = { 0 };

	CHECK_INT(mkdirat(d, "elsewhere", 0755), 0);
	CHECK_INT(symlinkat("elsewhere", d, "etc"), 0);
	CHECK(samba_service.populate(&c, d, &e) < 0);
	CHECK_INT(faccessat(d, "elsewhere/samba", F_OK, 0), -1);
	(void)close(d);
}

static int listen_on(uint16_t *ret_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK_INT(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
	CHECK_INT(listen(s, 5), 0);
	CHECK_INT(getsockname(s, (struct sockaddr *)&a, &len), 0);
	*ret_port = ntohs(a.sin_port);
	return s;
}

/* answer_with: a server that sends these bytes to one client, after what it asked. */
static int probe_of(const void *bytes, size_t len)
{
	struct ipaddr lo;
	uint16_t port;
	int s = listen_on(&port), r;
	pid_t pid = fork();

	if (pid == 0) {
		char buf[512];
		int c = accept(s, NULL, NULL);

		if (recv(c, buf, sizeof(buf), 0) <= 0 || fd_write_all(c, bytes, len) < 0)
			_exit(1);
		(void)poll(NULL, 0, 400);
		_exit(0);
	}
	CHECK_INT(ipaddr_parse("127.0.0.1", &lo), 0);
	r = smb_probe(&lo, port, 200);
	(void)close(s);
	CHECK_INT(kill(pid, SIGKILL), 0);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	return r;
}

TEST(smb_probe_judges_what_answers)
{
	/* Length, header with flags 1, structure size 65, security mode, dialect 3.0.2. */
	uint8_t good[4 + 64 + 64] = { 0, 0, 0, 128, 0xFE, 'S', 'M', 'B', 64 };
	static const char other[] = "HTTP/1.0 400 Bad Request\r\n\r\nmore of it, quite a lot more of it, to pass the length";
	uint8_t bad[sizeof(good)];
	struct ipaddr lo;
	uint16_t port;
	int s;

	in_own_net();
	good[4 + 16] = 1;
	good[4 + 64] = 65;
	good[4 + 68] = 0x02;
	good[4 + 69] = 0x03;
	CHECK_INT(probe_of(good, sizeof(good)), 0);
	CHECK_INT(probe_of(other, sizeof(other)), -EAGAIN);
	CHECK_INT(probe_of("\0\0\0\1x", 5), -EAGAIN);
	CHECK_INT(probe_of(good, 40), -EAGAIN);
	for (size_t i = 0; i < 4; i++) {
		static const struct {
			size_t at;
			uint8_t value;
		} spoil[] = { { 4, 0xFF }, { 4 + 16, 0 }, { 4 + 12, 1 }, { 4 + 68, 0x11 } };

		memcpy(bad, good, sizeof(good));
		bad[spoil[i].at] = spoil[i].value;
		CHECK_INT(probe_of(bad, sizeof(bad)), -EAGAIN);
	}
	CHECK_INT(ipaddr_parse("127.0.0.1", &lo), 0);
	s = listen_on(&port); /* accepts, and says nothing */
	CHECK_INT(smb_probe(&lo, port, 100), -EAGAIN);
	(void)close(s);
	CHECK_INT(smb_probe(&lo, port, 100), -EAGAIN); /* nobody listens */
}

/* keep_smbd: smbd is the first of a pid namespace: all of it ends with this process. */
static __attribute__((noreturn)) void keep_smbd(char **argv)
{
	pid_t pid;

	if (unshare(CLONE_NEWPID) < 0)
		_exit(1);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)setsid();
		(void)dup2(open("/dev/null", O_RDWR | O_CLOEXEC), STDOUT_FILENO);
		(void)execv(argv[0], argv);
		_exit(127);
	}
	(void)waitpid(pid, NULL, 0);
	_exit(0);
}

/* The generated configuration as it is, with empty folders of the test's own over Samba's places. */
TEST(smb_probe_finds_smbd)
{
	static const char *const places[] = { "/var/lib/samba", "/var/cache/samba", "/var/log/samba", "/run", NULL };
	_cleanup_strlist_ struct strlist argv = { 0 };
	struct conf c = base_conf();
	struct err e = { 0 };
	struct ipaddr lo;
	int d, r = -EAGAIN;
	pid_t pid;

	if (!program_find("smbd", NULL, 0))
		SKIP("smbd is not installed");
	in_own_net();
	CHECK_INT(unshare(CLONE_NEWNS), 0);
	CHECK_INT(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	for (size_t i = 0; places[i]; i++)
		CHECK_INT(mount("tmpfs", places[i], "tmpfs", 0, "mode=755"), 0);
	CHECK_INT(mkdir("/run/vnas", 0755), 0);
	d = open("/run/vnas", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(samba_service.generate(&c, d, &e), 0);
	(void)close(d);
	CHECK_INT(mkdir("/var/lib/samba/private", 0700), 0);
	samba_service.argv(&c, &argv);
	pid = fork();
	if (pid == 0)
		keep_smbd(argv.v);
	CHECK_INT(ipaddr_parse("127.0.0.1", &lo), 0);
	for (int i = 0; i < 200 && r < 0; i++) {
		r = samba_service.ready(&c, &lo);
		(void)poll(NULL, 0, 50);
	}
	CHECK_INT(kill(pid, SIGKILL), 0);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	CHECK_INT(r, 0);
}

static char on[] = "yes", v1[] = "ntlmv1-permitted", nt1[] = "nt1", mandatory[] = "Mandatory", desired[] = "desired";
static char min_key[] = "Server MinProtocol", ntlm_key[] = "ntlm auth", lanman_key[] = "lanman auth";
static char signing_key[] = "server signing", encrypt_key[] = "smb encrypt", charset_key[] = "unix charset";

TEST(samba_says_how_safe_it_is)
{
	struct conf_param old[] = { { .key = min_key, .value = nt1 }, { .key = ntlm_key, .value = v1 },
				    { .key = lanman_key, .value = on } };
	struct conf_param strict[] = { { .key = signing_key, .value = mandatory }, { .key = encrypt_key, .value = desired } };
	_cleanup_strlist_ struct strlist none = { 0 }, three = { 0 };
	struct conf c = base_conf();
	struct samba_security s;

	samba_security(&c, &s);
	CHECK_STR(s.min_protocol, "SMB2_02");
	CHECK_STR(s.ntlm, "NTLMv2");
	CHECK_STR(s.signing, "offered");
	CHECK_STR(s.encryption, "offered");
	samba_security_warnings(&c, &none);
	CHECK_INT(none.n, 0);
	c.smb = strict;
	c.n_smb = 2;
	samba_security(&c, &s);
	CHECK_STR(s.signing, "required");
	CHECK_STR(s.encryption, "desired");
	c.smb = old;
	c.n_smb = 3;
	samba_security(&c, &s);
	CHECK_STR(s.min_protocol, "nt1");
	CHECK_STR(s.ntlm, "NTLMv1");
	samba_security_warnings(&c, &three);
	CHECK_INT(three.n, 3);
	CHECK(str_starts(three.v[0], "SMB1 is allowed by [smb] server min protocol = nt1"));
}

TEST(samba_conf_of_names_and_discovery)
{
	_cleanup_strbuf_ struct strbuf quiet = { 0 }, loud = { 0 }, six = { 0 };
	struct conf c = base_conf();
	struct err e = { 0 };

	strlist_add(&c.aliases, "OLDSRV");
	strlist_add(&c.aliases, "ARCHIVE");
	CHECK_INT(samba_conf_text(&c, &quiet, &e), 0);
	CHECK_INT(lines(&quiet, "\tnetbios aliases = OLDSRV ARCHIVE"), 1);
	CHECK_INT(lines(&quiet, "\tdisable netbios = yes"), 1);
	CHECK_INT(lines(&quiet, "\tsmb ports = 445"), 1);
	CHECK(!netbios_service.wanted(&c));
	c.discovery = CONF_DISCOVERY_ALL;
	CHECK_INT(samba_conf_text(&c, &loud, &e), 0);
	CHECK_INT(lines(&loud, "\tdisable netbios = no"), 1);
	CHECK_INT(lines(&loud, "\tsmb ports = 445 139"), 1);
	CHECK(netbios_service.wanted(&c));
	/* NetBIOS is of IPv4 alone. */
	CHECK_INT(ipaddr_parse("::1", &c.addresses[0].addr), 0);
	CHECK(!netbios_service.wanted(&c));
	CHECK_INT(samba_conf_text(&c, &six, &e), 0);
	CHECK_INT(lines(&six, "\tdisable netbios = yes"), 1);
	strlist_free(&c.aliases);
}

TEST(samba_conf_of_homes_audit_and_bin)
{
	static char homes[] = "homes", home[] = "/home", catia[] = "catia", vfs[] = "vfs objects", repository[] = "recycle:repository",
		    bin[] = "bin";
	struct conf_param global = { .key = vfs, .value = catia }, param = { .key = repository, .value = bin };
	_cleanup_strbuf_ struct strbuf text = { 0 };
	struct conf_share shares[] = { base_share(), { .name = homes, .path = home, .smb = true } };
	struct conf c = base_conf();
	struct err e = { 0 };
	const char *first, *second;

	shares[0].audit = shares[0].recycle = true;
	shares[0].params = &param;
	shares[0].n_params = 1;
	c.smb = &global;
	c.n_smb = 1;
	c.shares = shares;
	c.n_shares = 2;
	CHECK_INT(samba_conf_text(&c, &text, &e), 0);
	CHECK_INT(lines(&text, "\tvfs objects = acl_xattr catia"), 1);
	CHECK_INT(lines(&text, "\tvfs objects = full_audit acl_xattr catia recycle"), 1);
	CHECK_INT(lines(&text, "\tfull_audit:prefix = %u|%I|%S"), 1);
	/* What the administrator says comes later, so it counts. */
	first = strstr(text.buf, "\trecycle:repository = .recycle/%U\n");
	second = strstr(text.buf, "\trecycle:repository = bin\n");
	CHECK(first && second && first < second);
	CHECK_INT(lines(&text, "[homes]"), 1);
	CHECK_INT(lines(&text, "\tpath = /home/%S"), 1);
	CHECK_INT(lines(&text, "\tvalid users = %S"), 1);
	CHECK_INT(lines(&text, "\tbrowseable = no"), 1);
}

TEST(samba_conf_is_in_its_charset)
{
	static char euc[] = "EUC-JP", sjis[] = "CP932", hidden[] = "ISO-2022-JP", wrong[] = "../x", name[] = "\xe5\x85\xb1\xe6\x9c\x89",
		    /* In CP932 the second byte of this one is a backslash. */
		    backslash[] = "\xe8\xa1\xa8", korean[] = "\xed\x95\x9c";
	static const struct {
		char *charset, *name;
		const char *want; /* NULL: refused */
	} cases[] = {
		{ euc, name, "\n[\xb6\xa6\xcd\xad]\n" }, { sjis, name, "\n[\x8b\xa4\x97\x4c]\n" },
		{ euc, backslash, "\n[\xc9\xbd]\n" }, { sjis, backslash, NULL }, { euc, korean, NULL }, { hidden, name, NULL },
		{ wrong, name, NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct conf_param charset = { .key = charset_key, .value = cases[i].charset };
		_cleanup_strbuf_ struct strbuf text = { 0 };
		struct conf_share share = base_share();
		struct conf c = base_conf();
		struct err e = { 0 };

		share.name = cases[i].name;
		c.smb = &charset;
		c.n_smb = 1;
		c.shares = &share;
		c.n_shares = 1;
		CHECK_INT(samba_conf_text(&c, &text, &e), cases[i].want ? 0 : -EINVAL);
		CHECK(!cases[i].want || strstr(text.buf, cases[i].want));
	}
}

TEST(netbios_probe_tells_an_answer_from_none)
{
	static const struct {
		uint16_t flags, answers;
		int size, want;
	} cases[] = { { 0x8400, 1, 12, 0 }, { 0x8403, 1, 12, -EAGAIN }, { 0x0000, 1, 12, -EAGAIN }, { 0x8400, 0, 12, -EAGAIN },
		      { 0x8400, 1, 11, -EAGAIN } };
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(137), .sin_addr = { htonl(INADDR_LOOPBACK) } }, from;
	struct ipaddr address;
	int s;

	in_own_net();
	CHECK_INT(ipaddr_parse("127.0.0.1", &address), 0);
	CHECK_INT(nbt_probe(&address, 100), -EAGAIN);
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK_INT(bind(s, (struct sockaddr *)&at, sizeof(at)), 0);
	CHECK_INT(nbt_probe(&address, 100), -EAGAIN);
	/* The question that timed out lies there; nobody waits for its answer any more. */
	CHECK_INT(recv(s, &from, sizeof(from), MSG_DONTWAIT), sizeof(from));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		pid_t pid = fork();
		uint16_t message[64];
		socklen_t len = sizeof(from);

		if (pid == 0) {
			ssize_t n = recvfrom(s, message, sizeof(message), 0, (struct sockaddr *)&from, &len);

			message[1] = htons(cases[i].flags);
			message[3] = htons(cases[i].answers);
			_exit(n != 50 || sendto(s, message, (size_t)cases[i].size, 0, (struct sockaddr *)&from, len) < 0);
		}
		CHECK_INT(nbt_probe(&address, 2000), cases[i].want);
		CHECK_INT(waitpid(pid, NULL, 0), pid);
	}
	(void)close(s);
}
