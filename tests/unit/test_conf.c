/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <unistd.h>

#include "lib/err.h"
#include "psv/conf.h"
#include "service/capability.h"
#include "test.h"

#define PRIVATE "[server]\nstack = private\n"

static const char whole[] =
	"# the sales department's old server\n"
	"[server]\n"
	"hostname  = FILESRV01\n"
	"workgroup = SALES\n"
	"netbios name = filesrv01\n"
	"alias = oldsrv\n"
	"alias = Archive\n"
	"timezone = America/Argentina/Buenos_Aires\n"
	"stack     = shared\n"
	"address   = 192.0.2.11/24\n"
	"address   = 2001:db8::11/64@eth1\n"
	"gateway   = 192.0.2.1\n"
	"gateway   = 2001:db8::1\n"
	"dns       = 192.0.2.53\n"
	"search    = sales.example\n"
	"peer      = psv\n"
	"peer      = other\n"
	"deny      = 10.0.0.0/8\n"
	"deny      = 2001:db8:5::1\n"
	"discovery = yes\n"
	"autostart = no\n"
	"template  = 0123abcd\n"
	"\n"
	"[limits]\n"
	"\tmemory = 2G\n"
	"tasks = 2000\n"
	"files = 16384\n"
	"log = 32M\n"
	"memory reserve = 512M\n"
	"cpu weight = 250\n"
	"cpu = 1.5\n"
	"cpus = 8,0-2,3,1\n"
	"disk weight = 40\n"
	"disk read = 2G\n"
	"disk write = 20M\n"
	"disk read iops = 5000\n"
	"disk write iops = 600\n"
	"[volume root]\n"
	"size  = 2G\n"
	"[volume data]\n"
	"size  = 200G\n"
	"fs    = xfs\n"
	"pool = fast\n"
	"uuid = 01234567-89ab-cdef-0123-456789abcdef\n"
	"[volume lun]\n"
	"device = /dev/disk/by-id/scsi-1\n"
	"mount = /export/lun\n"
	"[smb]\n"
	"server min protocol = SMB2_10\n"
	"idmap config * : range = 1000-2000\n"
	"[directory]\n"
	"password length = 8\n"
	"password age = 90\n"
	"password history = 5\n"
	"lockout attempts = 4\n"
	"lockout minutes = 15\n"
	"type = passwd\n"
	"[share docs]\n"
	"path      = /srv/data/docs\n"
	"protocols = nfs smb\n"
	"read_only = yes\n"
	"comment = Documents of \xe5\x96\xb6\xe6\xa5\xad # all of them\n"
	"client = 192.0.2.0/24\n"
	"client = 198.51.100.7\n"
	"read = @sales\n"
	"write = alice\n"
	"write = bob.smith\n"
	"smb.vfs objects = recycle\n"
	"audit = yes\n"
	"recycle = yes\n"
	"[share \xe5\x85\xb1\xe6\x9c\x89 2]\n"
	"path = /srv/tmp\n"
	"guest = yes\n"
	"[service sshd]\n"
	"command = /usr/sbin/sshd -D -o \"Subsystem sftp internal-sftp\"\n"
	"prepare = /usr/bin/mkdir -p /run/sshd\n"
	"prepare = /usr/bin/ssh-keygen -A\n"
	"ready = tcp:22\n"
	"user = _ssh\n"
	"capabilities = CAP_SETUID setgid\n"
	"package = openssh-server\n"
	"package = libpam-modules\n"
	"stop signal = INT\n";

static void check_service(const struct conf_service *s)
{
	CHECK_STR(s->command, "/usr/sbin/sshd -D -o \"Subsystem sftp internal-sftp\"");
	CHECK_INT(s->prepare.n, 2);
	CHECK_INT(s->ready_port, 22);
	CHECK_STR(s->user, "_ssh");
	CHECK_INT(s->capabilities, 1 << CAP_SETUID | 1 << CAP_SETGID);
	CHECK_INT(s->packages.n, 2);
	CHECK_INT(s->stop_signal, SIGINT);
}

static void check_words(const char *text, const char *wanted)
{
	struct strlist words = { 0 };
	char all[256] = "";
	size_t n = 0;

	if (!conf_words_split(text, &words))
		(void)str_copy(all, sizeof(all), "?");
	else
		for (size_t i = 0; i < words.n; i++)
			n += (size_t)snprintf(all + n, sizeof(all) - n, "<%s>", words.v[i]);
	CHECK_STR(all, wanted);
	strlist_free(&words);
}

TEST(conf_commands_are_words)
{
	check_words("", "");
	check_words(" \t", "");
	check_words("/a b\tc ", "</a><b><c>");
	check_words("/a \"b c\" 'd e'f\"g\"", "</a><b c><d efg>");
	check_words("/a \"\" ''", "</a><><>");
	check_words("/a \"b\\\"c\\\\d\\e\" 'f\\'", "</a><b\"c\\d\\e><f\\>");
	check_words("/a $HOME `id` * ~ # ; | \\n", "</a><$HOME><`id`><*><~><#><;><|><\\n>");
	check_words("/a \"b", "?");
	check_words("/a 'b\"", "?");
	check_words("/a \"b\\\"", "?");
}

/* Each has a number, and what a tenant's program may have is a short list. */
TEST(conf_capabilities)
{
	static const char *const allowed[] = {
		"chown", "dac_override", "fowner", "fsetid", "kill", "lease", "net_bind_service", "setgid", "setuid", "sys_chroot",
	};
	_cleanup_strbuf_ struct strbuf all = { 0 };
	const char *reason;
	uint64_t set = 0;

	for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++) {
		int cap = capability_find(allowed[i], &reason);

		CHECK(cap >= 0 && !reason);
		set |= UINT64_C(1) << cap;
	}
	CHECK(set == capability_allowed());
	CHECK_INT(capability_find("cap_sys_admin", &reason), CAP_SYS_ADMIN);
	CHECK(reason && *reason);
	CHECK_INT(capability_find("all", &reason), -EINVAL);
	CHECK_INT(capability_find("", &reason), -EINVAL);
	capability_print(~UINT64_C(0), &all);
	CHECK(strstr(strbuf_str(&all), " checkpoint_restore") && !strstr(strbuf_str(&all), "(null)"));
}

static void check_whole(const struct conf *c)
{
	const struct conf_volume *v;
	const struct conf_share *s;
	char buf[96];

	CHECK_STR(c->name, "sales");
	CHECK_STR(c->hostname, "FILESRV01");
	CHECK_STR(c->workgroup, "SALES");
	CHECK_STR(c->netbios_name, "FILESRV01");
	CHECK(c->aliases.n == 2 && strlist_has(&c->aliases, "OLDSRV") && strlist_has(&c->aliases, "ARCHIVE"));
	CHECK_STR(c->timezone, "America/Argentina/Buenos_Aires");
	CHECK_INT(c->stack, CONF_STACK_SHARED);
	CHECK_INT(c->n_addresses, 2);
	CHECK_STR(conf_address_str(&c->addresses[0], buf, sizeof(buf)), "192.0.2.11/24");
	CHECK_STR(conf_address_str(&c->addresses[1], buf, sizeof(buf)), "2001:db8::11/64@eth1");
	CHECK_INT(c->n_gateways, 2);
	CHECK_INT(c->gateways[1].family, AF_INET6);
	CHECK_INT(c->n_dns, 1);
	CHECK_INT(c->search.n, 1);
	CHECK(strlist_has(&c->peers, "psv") && strlist_has(&c->peers, "other"));
	CHECK(c->denies.n == 2 && strlist_has(&c->denies, "10.0.0.0/8") && strlist_has(&c->denies, "2001:db8:5::1"));
	CHECK(c->discovery == CONF_DISCOVERY_ALL && !c->autostart && c->smb_enabled);
	CHECK_STR(c->template_name, "0123abcd");
	CHECK(c->limits.memory_bytes == UINT64_C(2) << 30);
	CHECK_INT(c->limits.tasks, 2000);
	CHECK_INT(c->limits.files, 16384);
	CHECK(c->limits.log_bytes == UINT64_C(32) << 20);
	CHECK(c->limits.reserve_bytes == UINT64_C(512) << 20);
	CHECK_STR(c->limits.cpus, "0-3,8");
	CHECK(c->limits.cpu_weight == 250 && c->limits.cpu_percent == 150 && c->limits.disk_weight == 40);
	CHECK(c->limits.disk_read_bytes == UINT64_C(2) << 30 && c->limits.disk_write_bytes == UINT64_C(20) << 20);
	CHECK(c->limits.disk_read_iops == 5000 && c->limits.disk_write_iops == 600);
	CHECK_INT(c->n_volumes, 3);
	CHECK_STR(c->volumes[0].name, "root");
	CHECK(c->volumes[0].size_bytes == UINT64_C(2) << 30 && !c->volumes[0].mount);
	CHECK_STR(c->volumes[0].pool, "default");
	v = conf_volume_find(c, "data");
	CHECK_INT(v->fs, CONF_FS_XFS);
	CHECK_STR(v->mount, "/srv/data");
	CHECK_STR(v->pool, "fast");
	CHECK_STR(v->uuid, "01234567-89ab-cdef-0123-456789abcdef");
	v = conf_volume_find(c, "lun");
	CHECK_STR(v->device, "/dev/disk/by-id/scsi-1");
	CHECK_STR(v->pool, "");
	CHECK(v->size_bytes == 0);
	CHECK_STR(v->mount, "/export/lun");
	CHECK_INT(c->n_smb, 2);
	CHECK_STR(c->smb[1].key, "idmap config * : range");
	CHECK_STR(c->smb[1].value, "1000-2000");
	CHECK_INT(c->directory.type, CONF_DIRECTORY_PASSWD);
	CHECK(c->passwords.length == 8 && c->passwords.age_days == 90 && c->passwords.history == 5);
	CHECK(c->passwords.lockout_attempts == 4 && c->passwords.lockout_minutes == 15);
	s = conf_share_find(c, "docs");
	CHECK(s->smb && s->nfs && s->read_only && !s->guest && s->audit && s->recycle);
	CHECK_STR(s->comment, "Documents of \xe5\x96\xb6\xe6\xa5\xad # all of them");
	CHECK_INT(s->clients.n, 2);
	CHECK_INT(s->write.n, 2);
	CHECK_STR(s->read.v[0], "@sales");
	CHECK_INT(s->n_params, 1);
	CHECK_STR(s->params[0].key, "vfs objects");
	s = conf_share_find(c, "\xe5\x85\xb1\xe6\x9c\x89 2");
	CHECK(s && s->smb && !s->nfs && s->guest);
	CHECK(!conf_share_find(c, "none") && !conf_volume_find(c, "none") && !conf_service_find(c, "none"));
	check_service(conf_service_find(c, "sshd"));
}

TEST(conf_reads_every_key_and_its_print_reads_the_same)
{
	_cleanup_strbuf_ struct strbuf first = { 0 }, second = { 0 };
	struct err err = { 0 };
	struct conf c;

	if (conf_parse(whole, strlen(whole), "sales.conf", "sales", &c, &err) < 0)
		test_fail(__FILE__, __LINE__, err.text);
	check_whole(&c);
	conf_print(&c, &first);
	conf_free(&c);
	if (conf_parse(first.buf, first.len, "printed", "sales", &c, &err) < 0)
		test_fail(__FILE__, __LINE__, err.text);
	check_whole(&c);
	conf_print(&c, &second);
	CHECK_STR(second.buf, first.buf);
	conf_free(&c);
}

TEST(conf_processors_are_read_and_printed)
{
	static const struct {
		const char *text, *printed;
		unsigned percent;
	} cases[] = {
		{ "0.01", "cpu = 0.01\n", 1 },	  { "0.5", "cpu = 0.50\n", 50 },   { "50%", "cpu = 0.50\n", 50 },
		{ "1", "cpu = 1\n", 100 },	  { "1.05", "cpu = 1.05\n", 105 }, { "200%", "cpu = 2\n", 200 },
		{ "1024", "cpu = 1024\n", 102400 }, { "007", "cpu = 7\n", 700 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		_cleanup_strbuf_ struct strbuf text = { 0 }, printed = { 0 };
		struct conf c;

		strbuf_addf(&text, "[limits]\ncpu = %s\ncpu weight = idle\n", cases[i].text);
		CHECK_INT(conf_parse(text.buf, text.len, "f", "a", &c, NULL), 0);
		CHECK_INT(c.limits.cpu_percent, cases[i].percent);
		CHECK_INT(c.limits.cpu_weight, CONF_CPU_IDLE);
		conf_print(&c, &printed);
		CHECK(strstr(strbuf_str(&printed), cases[i].printed) && strstr(strbuf_str(&printed), "cpu weight = idle\n"));
		conf_free(&c);
	}
}

TEST(conf_empty_file_has_the_defaults)
{
	static const struct {
		const char *name, *hostname, *netbios;
	} cases[] = {
		{ "filesrv", "filesrv", "FILESRV" },
		{ "a_b", "a-b", "A-B" },
		{ "a_-", "a", "A" },
		{ "0042", "vsv-0042", "VSV-0042" },
		{ "a-very-long-name-of-a-file-server", "", "" },
		{ "a-long-name-of-a-server", "a-long-name-of-a-server", "A-LONG-NAME-OF-" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		_cleanup_strbuf_ struct strbuf text = { 0 };
		struct conf c, again;

		if (!*cases[i].hostname) {
			CHECK_INT(conf_parse("", 0, "f", cases[i].name, &c, NULL), -EINVAL);
			continue;
		}
		CHECK_INT(conf_parse("", 0, "f", cases[i].name, &c, NULL), 0);
		CHECK_STR(c.hostname, cases[i].hostname);
		CHECK_STR(c.netbios_name, cases[i].netbios);
		CHECK_STR(c.workgroup, "WORKGROUP");
		CHECK(c.autostart && !c.discovery && c.smb_enabled && c.n_volumes == 1);
		CHECK(c.volumes[0].size_bytes == UINT64_C(4) << 30 && c.volumes[0].fs == CONF_FS_EXT4);
		conf_print(&c, &text);
		CHECK_INT(conf_parse(text.buf, text.len, "f", cases[i].name, &again, NULL), 0);
		CHECK_STR(again.hostname, cases[i].hostname);
		conf_free(&c);
		conf_free(&again);
	}
}

/* What is refused, and the end of what is said: the line is part of it. */
static const struct {
	const char *text, *error;
} refused[] = {
	/* lines */
	{ "x", "f:1: a line is neither a section, a key nor a comment" },
	{ "[server]\n= x", "f:2: a line has no key before its '='" },
	{ "hostname = x", "f:1: a key stands before the first section: expected [server]" },
	{ "[server", "f:1: a section has no ']' at its end" },
	{ "[]", "f:1: section [] is unknown" },
	{ "[serve]", "f:1: section [serve] is unknown: expected [server]" },
	{ "[pool x]", "f:1: section [pool] is unknown" },
	{ "[service sshd]", "f:1: [service sshd] has no 'command'" },
	{ "[service smbd]\n", "f:1: 'smbd' is a name of vnas's own: expected another name of a service" },
	{ "[service a]\ncommand = x\n", "f:2: key 'command': 'x' does not begin with a program: expected an absolute path without "
					 "'//', '.' and '..'" },
	{ "[service a]\ncommand = /x\n[service b]\ncommand = /x\nready = tcp:445\n",
	  "f:5: key 'ready': 'tcp:445' is the port of SMB, which this server serves itself" },
	{ "[service a]\ncommand = /x\nready = tcp:1\n[service b]\ncommand = /x\nready = tcp:1\n",
	  "f:6: key 'ready': 'tcp:1' is doubled: [service a] has it already" },
	{ "[service a]\ncapabilities = kill sys_admin\n",
	  "f:2: key 'capabilities': 'kill sys_admin' names 'sys_admin', which no service of a virtual server can have: it opens "
	  "the machine" },
	{ "[server x]", "f:1: section [server] has no name: expected [server]" },
	{ "[share]", "f:1: section [share] needs a name: expected [share NAME]" },
	{ "[server]\n\n[server]", "f:3: section [server] is doubled: line 1 has it already" },
	{ "[server]\r\n", "f:1: the line has a carriage return" },
	{ "[server]\nhostname = a\x01", "f:2: the line has a control character" },
	{ "# \xff\n", "f:1: the line has text that is not UTF-8" },
	{ "# \xc0\x80\n", "f:1: the line has text that is not UTF-8" },
	{ "# \xed\xa0\x80\n", "f:1: the line has text that is not UTF-8" },
	{ "# \xe2\x80\xae\n", "f:1: the line has an invisible character" },
	{ "# \xc2\x85\n", "f:1: the line has a control character" },
	{ "\xef\xbb\xbf[server]\n", "f:1: the line has an invisible character" },
	/* keys */
	{ "[server]\nhostnam = a", "f:2: key 'hostnam' is unknown in [server]: expected 'hostname'?" },
	{ "[server]\nHostname = a", "f:2: key 'Hostname' is unknown in [server]: expected 'hostname'?" },
	{ "[server]\nnetbios  name = a", "f:2: key 'netbios  name' is unknown in [server]: expected 'netbios name'?" },
	{ "[server]\nfrobnicate = a", "f:2: key 'frobnicate' is unknown in [server]" },
	{ "[server]\nhostname = a\nhostname = b", "f:3: key 'hostname' is doubled: line 2 has it already" },
	{ "[share x]\nread only = yes\nread_only = no", "f:3: key 'read only' is doubled: line 2" },
	/* names */
	{ "[server]\nhostname = a_b", "f:2: key 'hostname': 'a_b' is no host name: expected letters" },
	{ "[server]\nhostname = -a", "is no host name" },
	{ "[server]\nhostname = a-", "is no host name" },
	{ "[server]\nhostname = a..b", "is no host name" },
	{ "[server]\nhostname = 1.2", "is no host name" },
	{ "[server]\nhostname =", "f:2: key 'hostname': '' is no host name" },
	{ "[server]\nnetbios name = ABCDEFGHIJKLMNOP", "is no NetBIOS name: expected at most 15" },
	{ "[server]\nworkgroup = A B", "is no workgroup" },
	{ "[server]\nworkgroup = X\nnetbios name = x", "f:3: 'X' is both the workgroup and the NetBIOS name" },
	{ "[server]\nhostname = workgroup", "'WORKGROUP' is both the workgroup and the NetBIOS name" },
	{ "[server]\nnetbios name = a\nalias = A", "f:3: key 'alias': 'A' is the server's NetBIOS name or workgroup already" },
	{ "[server]\nalias = workgroup", "f:2: key 'alias': 'WORKGROUP' is the server's NetBIOS name or workgroup" },
	{ "[server]\nalias = a\nalias = A", "f:3: key 'alias': 'A' is doubled" },
	{ "[server]\nalias = ABCDEFGHIJKLMNOP", "is no NetBIOS name: expected at most 15" },
	{ "[server]\nalias =", "f:2: key 'alias': '' is no NetBIOS name" },
	{ "[server]\ntimezone = ../../etc/passwd", "is no time zone: expected a name as Europe/Berlin" },
	{ "[server]\ntimezone = /etc/passwd", "is no time zone" },
	{ "[server]\ntimezone = Europe/", "is no time zone" },
	{ "[server]\ntimezone = a//b", "is no time zone" },
	{ "[server]\ntimezone =", "is no time zone" },
	{ "[server]\nstack = own", "'own' is no stack: expected shared or private" },
	/* the private stack */
	{ "[server]\nstack = private", "f:2: key 'stack': a private stack needs an 'interface' of the physical server" },
	{ "[server]\ninterface = eth0", "f:2: key 'interface': a server of the shared stack has no interface of its own: expected "
	  "'stack = private' beside it, or 'address = ADDR/PREFIX@INTERFACE'" },
	{ "[server]\nmac = 02:00:00:00:00:01", "f:2: key 'mac': a server of the shared stack has no interface" },
	{ PRIVATE "interface = lo", "'lo' is no network interface" },
	{ PRIVATE "interface = a/b", "'a/b' is no network interface: expected the name of one of the physical server's" },
	{ PRIVATE "interface = abcdefghijklmnop", "is no network interface" },
	{ PRIVATE "interface =", "is no network interface" },
	{ PRIVATE "interface = eth0\naddress = 192.0.2.1/24@eth0", "f:4: key 'address': a server with a private stack has one "
	  "interface, that of 'interface': expected no @eth0" },
	{ PRIVATE "interface = eth0\nlink = bridge", "'bridge' is no kind of interface: expected macvlan, ipvlan, veth, vlan or "
	  "interface" },
	{ PRIVATE "interface = eth0\nlink = vlan", "f:4: key 'link': a VLAN interface needs its number" },
	{ PRIVATE "interface = eth0\nvlan = 0", "'0' is no number of a VLAN: expected 1 to 4094" },
	{ PRIVATE "interface = eth0\nvlan = 4095", "is no number of a VLAN" },
	{ PRIVATE "interface = eth0\nlink = macvlan\nvlan = 5", "f:5: key 'vlan': is for 'link = vlan' or" },
	{ PRIVATE "interface = eth0\nlink = interface\nvlan = 5", "key 'vlan': is for" },
	{ PRIVATE "interface = eth0\nmac = 02:00:00:00:00", "is no hardware address: expected six bytes, as in 02:00:5e:10:00:01" },
	{ PRIVATE "interface = eth0\nmac = 02-00-00-00-00-01", "is no hardware address" },
	{ PRIVATE "interface = eth0\nmac = 02:00:00:00:00:0x", "is no hardware address" },
	{ PRIVATE "interface = eth0\nmac = 03:00:00:00:00:01", "is an address of many hosts" },
	{ PRIVATE "interface = eth0\nmac = 00:00:00:00:00:00", "is nobody's" },
	{ PRIVATE "interface = eth0\nlink = ipvlan\nmac = 02:00:00:00:00:01", "key 'mac': an ipvlan interface has the hardware" },
	{ PRIVATE "interface = eth0\nlink = interface\nmac = 02:00:00:00:00:01", "key 'mac': an interface that is handed over stays" },
	{ PRIVATE "interface = eth0\nlink = interface\nmtu = 1500", "key 'mtu': an interface that is handed over stays as it is" },
	{ PRIVATE "interface = eth0\nmtu = 100", "is no packet size: expected 576 to 65535 bytes" },
	{ PRIVATE "interface = eth0\naddress = 2001:db8::1/64\nmtu = 1279", "f:5: key 'mtu': IPv6 needs at least 1280" },
	{ "[server]\npeer = sales", "is this server itself" },
	{ "[server]\npeer = a\npeer = a", "f:3: key 'peer': 'a' is doubled" },
	{ "[server]\npeer = a/b", "is no peer" },
	{ "[server]\ndeny = 10.0.0.1/8", "is no network, its host bits are set: expected 10.0.0.0/8" },
	{ "[server]\ndeny = somewhere", "expected an address or a network" },
	{ "[server]\ndiscovery = maybe", "'maybe' is no way of discovery: expected yes, no, or some of netbios, wsd and mdns" },
	{ "[server]\ndiscovery = mdns mdns", "'mdns mdns' is no way of discovery" },
	{ "[server]\ntemplate = xyz", "is no name of a template" },
	{ "[server]\nsearch = a b", "is no domain" },
	{ "[server]\nsearch = a.b\nsearch = A.B", "is doubled" },
	/* addresses */
	{ "[server]\naddress = 192.0.2.1", "'192.0.2.1' is no address: expected ADDRESS/PREFIX" },
	{ "[server]\naddress = 192.0.2.1/33", "is no address" },
	{ "[server]\naddress = 192.0.2.1/24@", "names no network interface after its '@'" },
	{ "[server]\naddress = 192.0.2.1/24@a/b", "names no network interface" },
	{ "[server]\naddress = 192.0.2.1/24@abcdefghijklmnop", "names no network interface" },
	{ "[server]\naddress = 192.0.2.0/24", "first or broadcast address" },
	{ "[server]\naddress = 192.0.2.255/24", "first or broadcast address" },
	{ "[server]\naddress = 127.0.0.1/8", "is no address that a host can have" },
	{ "[server]\naddress = 224.0.0.1/8", "is no address that a host can have" },
	{ "[server]\naddress = fe80::1/64", "is no address that a host can have" },
	{ "[server]\naddress = ::ffff:192.0.2.1/128", "is no address" },
	{ "[server]\naddress = 192.0.2.1/0", "too short a prefix" },
	{ "[server]\naddress = 192.0.2.1/24\n\naddress = 192.0.2.1/25", "f:4: key 'address': '192.0.2.1/25' is doubled: line 2" },
	{ "[server]\ngateway = 192.0.2.1", "f:2: key 'gateway': '192.0.2.1' is in no network of the server's IPv4 addresses" },
	{ "[server]\naddress = 2001:db8::2/64\ngateway = 192.0.2.1", "f:3: key 'gateway': '192.0.2.1' is in no network" },
	{ "[server]\naddress = 192.0.2.2/25\ngateway = 192.0.2.200", "f:3: key 'gateway'" },
	{ "[server]\naddress = 192.0.2.2/24\ngateway = 192.0.2.2", "is the server's own address" },
	{ "[server]\naddress = 192.0.2.9/24\ngateway = 192.0.2.1\ngateway = 192.0.2.2", "f:4: key 'gateway': '192.0.2.2' is a second" },
	{ "[server]\ngateway = fe80::1", "is no address that a gateway can have" },
	{ "[server]\ndns = localhost", "is no name server" },
	{ "[server]\ndns = 1.1.1.1\ndns = 1.1.1.1", "is doubled" },
	{ "[server]\ndns = 1.1.1.1\ndns = 1.1.1.2\ndns = 1.1.1.3\ndns = 1.1.1.4", "f:5: key 'dns': '1.1.1.4' is one too many" },
	/* limits */
	{ "[limits]\nmemory = 0", "is no size that anything could have" },
	{ "[limits]\nmemory = 1M", "is too small" },
	{ "[limits]\nmemory = 2G # enough", "is no size: expected a number of bytes with an optional K, M, G or T, from 16M to "
					    "1024T, in whole M; comments stand on lines of their own" },
	{ "[limits]\ntasks = 3", "is no number of processes and threads: expected 16 to 4194304" },
	{ "[limits]\nfiles = -1", "is no number of open files" },
	{ "[limits]\ncpu weight = 0", "f:2: key 'cpu weight': '0' is no weight: expected 1 to 10000, or idle" },
	{ "[limits]\ncpu weight = 10001", "is no weight" },
	{ "[limits]\ncpu weight = Idle", "is no weight" },
	{ "[limits]\ncpu = 0", "is no number of processors: expected 0.01 to 1024 with at most two decimals, or a percentage" },
	{ "[limits]\ncpu = 0.001", "is no number of processors" },
	{ "[limits]\ncpu = 1025", "is no number of processors" },
	{ "[limits]\ncpu = 1.", "is no number of processors" },
	{ "[limits]\ncpu = .5", "is no number of processors" },
	{ "[limits]\ncpu = 1.5%", "is no number of processors" },
	{ "[limits]\ncpu = 50 %", "is no number of processors" },
	{ "[limits]\ncpu = -1", "is no number of processors" },
	{ "[limits]\ncpu = 99999999999999999999", "is no number of processors" },
	{ "[limits]\ncpus = all", "f:2: key 'cpus': 'all' is no list of processors: expected numbers from 0 and ranges of them, as 0-3,8" },
	{ "[limits]\ncpus = 1-", "is no list of processors" },
	{ "[limits]\ncpus = 3-1", "is no list of processors" },
	{ "[limits]\ncpus = 1,,2", "is no list of processors" },
	{ "[limits]\ncpus = 1,", "is no list of processors" },
	{ "[limits]\ncpus = -1", "is no list of processors" },
	{ "[limits]\ncpus = 0 1", "is no list of processors" },
	{ "[limits]\ncpus = 0-3/2", "is no list of processors" },
	{ "[limits]\ncpus = 8192", "is no list of processors" },
	{ "[limits]\ncpus = 99999999999999999999", "is no list of processors" },
	{ "[limits]\ncpus = 1000,1002,1004,1006,1008,1010,1012,1014,1016,1018,1020,1022,1024,1026,1028,1030,1032,1034,1036,1038,1040,1042,1044,1046,1048,1050",
	  "in at most 127 characters" },
	{ "[limits]\ndisk weight = idle", "is no weight: expected 1 to 10000" },
	{ "[limits]\ndisk read = 1000", "is too small" },
	{ "[limits]\ndisk write = 2T", "is too large" },
	{ "[limits]\ndisk write = fast", "is no number of bytes a second: expected a number of bytes" },
	{ "[limits]\ndisk read iops = 1", "is no number of operations a second: expected 10 to 100000000" },
	{ "[limits]\nmemory = 1G\nmemory reserve = 2G", "f:3: key 'memory reserve': more than 'memory'" },
	/* volumes */
	{ "[volume a/b]\nsize = 1G", "f:1: 'a/b' is no name of a volume" },
	{ "[volume ..]\nsize = 1G", "f:1: '..' is no name of a volume" },
	{ "[volume abcdefghijklmnopqrstuvwxyzabcdefg]", "is no name of a volume" },
	{ "[volume a]\nsize = 12X", "f:2: key 'size': '12X' is no size: expected a number of bytes with an optional K, M, G or T" },
	{ "[volume a]\nsize = 0", "f:2: key 'size': '0' is no size that anything could have" },
	{ "[volume a]\nsize = -1G", "is no size" },
	{ "[volume a]\nsize = 1.5G", "is no size" },
	{ "[volume a]\nsize = 4K", "is too small" },
	{ "[volume a]\nsize = 2000T", "is too large" },
	{ "[volume a]\nsize = 99999999999999999999T", "is too large" },
	{ "[volume a]\nsize = 999999999", "is not a multiple of 1M" },
	{ "[volume a]\nfs = ext4", "f:1: [volume a] has neither 'size' nor 'device'" },
	{ "[volume a]\nsize = 1G\ndevice = /dev/sdb", "f:2: key 'size': [volume a] is a device" },
	{ "[volume a]\nsize = 100M\nfs = xfs", "f:2: key 'size': [volume a] is too small for xfs" },
	{ "[volume a]\nfs = btrfs", "is no filesystem: expected ext4 or xfs" },
	{ "[volume a]\ndevice = sdb", "is no block device" },
	{ "[volume a]\ndevice = /etc/passwd", "is no block device" },
	{ "[volume a]\ndevice = /dev/../etc/passwd", "is no plain path" },
	{ "[volume a]\ndevice = /dev/sdb\n[volume b]\ndevice = /dev/sdb", "f:4: key 'device': '/dev/sdb' is doubled" },
	{ "[volume a]\nuuid = 1", "is no UUID" },
	{ "[volume a]\nsize = 1G\n[volume a]", "f:3: section [volume a] is doubled" },
	{ "[volume root]\n[volume root]", "f:2: section [volume root] is doubled" },
	{ "[volume root]\nmount = /srv/x", "f:2: key 'mount': the root volume has its own places" },
	{ "[volume a]\nsize = 1G\nmount = /etc", "f:3: key 'mount': '/etc' is no place for a volume" },
	{ "[volume a]\nsize = 1G\nmount = /usr/x", "is no place for a volume" },
	{ "[volume a]\nsize = 1G\nmount = /srvx", "is no place for a volume" },
	{ "[volume a]\nsize = 1G\nmount = /srv", "is the root volume's own" },
	{ "[volume a]\nsize = 1G\nmount = /srv/../etc", "is no plain path" },
	{ "[volume a]\nsize = 1G\nmount = /srv/a/", "is no plain path" },
	{ "[volume a]\nsize = 1G\nmount = /srv//a", "is no plain path" },
	{ "[volume a]\nsize = 1G\nmount = srv/a", "is no path" },
	{ "[volume a]\nsize = 1G\nmount = /data/x\n[volume b]\nsize = 1G\nmount = /data",
	  "f:6: key 'mount': '/data' overlaps with '/data/x' of [volume a]" },
	{ "[volume a]\nsize = 1G\n[volume b]\nsize = 1G\nmount = /srv/a/b", "f:5: key 'mount': '/srv/a/b' overlaps" },
	/* shares */
	{ "[share global]\npath = /srv/a", "f:1: share 'global': the name has a meaning of its own" },
	{ "[share PRINT$]\npath = /srv/a", "has a meaning of its own" },
	{ "[share homes]\npath = /etc", "f:2: key 'path': '/etc' lies on no volume" },
	{ "[share Homes]\npath = /home\nwrite = a", "f:3: key 'write': [share homes] is each user's own folder" },
	{ "[share homes]\npath = /home\nguest = yes", "f:3: key 'guest': [share homes] is each user's own folder" },
	{ "[share homes]\npath = /home\nprotocols = smb nfs", "f:3: key 'protocols': [share homes] is a share of SMB alone" },
	{ "[share a]\npath = /home", "f:2: key 'path': '/home' lies on no volume" },
	{ "[share a/b]\npath = /srv/a", "f:1: share 'a/b': none of" },
	{ "[share a]b]\npath = /srv/a", "can stand in a share's name" },
	{ "[share a]\npath = /srv/a\n[share A]\npath = /srv/b", "f:3: section [share A] is doubled: line 1" },
	{ "[share a]", "f:1: [share a] has no 'path'" },
	{ "[share a]\npath = /var/a", "f:2: key 'path': '/var/a' lies on no volume" },
	{ "[share a]\npath = /srv", "lies on no volume" },
	{ "[share a]\npath = /srv/%U", "has a '\"', '\\' or '%' in it" },
	{ "[share a]\npath = /srv/a\nprotocols = smb nfs", "f:3: key 'protocols': '/srv/a' is on the root volume" },
	{ "[share a]\npath = /srv/a\nprotocols =", "is no list of protocols" },
	{ "[share a]\npath = /srv/a\nprotocols = smb smb", "is no list of protocols" },
	{ "[share a]\npath = /srv/a\nprotocols = afp", "is no list of protocols: expected smb, nfs or smb nfs" },
	{ "[share a]\nread = a b", "is no user or group" },
	{ "[share a]\nread = 0", "is no user or group" },
	{ "[share a]\nread = @", "is no user or group" },
	{ "[share a]\nwrite = a\nwrite = a", "f:3: key 'write': 'a' is doubled" },
	{ "[share a]\nclient = 192.0.2.1/24", "is no network, its host bits are set: expected 192.0.2.0/24" },
	{ "[share a]\nclient = example.org", "is no client" },
	{ "[share a]\nclient = 192.0.2.0/24\nclient = 192.0.2.0/24", "is doubled" },
	{ "[share a]\ncomment = x\\", "would join it with the next line" },
	{ "[share a]\nsmb.veto files = x\\", "would join it with the next line" },
	{ "[share a]\nsmb. = x", "key 'smb.' is unknown in [share]" },
	{ "[share a]\nsmb.a;b = x", "f:2: key 'smb.a;b' is no key of smb.conf" },
	{ "[share a]\nsmb.vfs objects = x\nsmb.VFSobjects = y", "f:3: key 'smb.VFSobjects' is doubled: line 2" },
	{ "[smb]\nInter Faces = eth0", "f:2: key 'Inter Faces' is set by vnas itself: vnas gives smbd the addresses" },
	{ "[smb]\n-valid = yes", "f:2: key '-valid' is no key of smb.conf" },
	{ "[share a]\nsmb.writeable = yes", "f:2: key 'smb.writeable' is set by vnas itself: use read only of the share" },
	{ "[share a]\nsmb.include = /etc/x", "is set by vnas itself" },
	{ "[smb]\nenabled = yes\nEnabled = no", "f:3: key 'enabled' is doubled" },
	/* directories */
	{ "[directory]\ntype = ad", "f:2: [directory] of type ad has no 'realm'" },
	{ "[directory]\ntype = ad\nrealm = sales.example", "f:2: [directory] of type ad needs 'dns' in [server]" },
	{ "[directory]\ntype = ad\nrealm = SALES", "expected its DNS name, as in SALES.EXAMPLE" },
	{ "[directory]\ntype = ad\nrealm = a b.example", "expected its DNS name" },
	{ "[directory]\ntype = ad\nidmap = tdb", "expected autorid or rid" },
	{ "[directory]\ntype = ad\nidmap range = 1-5", "expected 100000 or more" },
	{ "[directory]\ntype = ad\nidmap range = 100000-299998", "expected 200000 numbers or more" },
	{ "[directory]\ntype = ad\nidmap range = 100000", "expected LOW-HIGH" },
	{ "[directory]\ntype = ad\nidmap range = 100000-4294967296", "expected LOW-HIGH" },
	{ "[directory]\ntype = nis\ndomain = x\nserver = y\nrealm = a.example", "belongs to 'type = ad'" },
	{ "[directory]\ntype = x", "is no directory: expected passwd, ldap, nis or ad" },
	{ "[directory]\nuri = ldap://a", "f:2: key 'uri': belongs to 'type = ldap', and the type is passwd" },
	{ "[directory]\ntype = ldap", "f:2: [directory] of type ldap has no 'uri'" },
	{ "[directory]\ntype = ldap\nuri = ldap://a\nbase = dc=x", "f:3: [directory] uses TLS and has no 'ca'" },
	{ "[directory]\ntype = ldap\nuri = ldap://a b", "'ldap://a b' is no address of an LDAP server" },
	{ "[directory]\ntype = ldap\nuri = ldap://a:0", "is no address of an LDAP server" },
	{ "[directory]\ntype = ldap\nuri = http://a", "is no address of an LDAP server" },
	{ "[directory]\nbase = dc=x?sub", "has a '?'" },
	{ "[directory]\nsecret file = secret", "is no file: expected the absolute path" },
	{ "[directory]\ntype = ldap\nuri = ldap://a\nbase = dc=x\nstarttls = no\nbind dn = cn=x", "f:6: [directory] has only one of" },
	{ "[directory]\ntype = ldap\nuri = ldap://a\nbase = dc=x\nstarttls = no\nsamba accounts = directory", "expected 'bind dn' too" },
	{ "[directory]\ntype = nis\nserver = 192.0.2.1", "f:2: [directory] of type nis has no 'domain'" },
	{ "[directory]\ntype = nis\ndomain = a/b", "is no NIS domain" },
	{ "[directory]\ntype = nis\ndomain = a\nserver = a b", "is no NIS server" },
	{ "[directory]\npassword length = 0", "f:2: key 'password length': '0' is no number of characters: expected 1 to 127" },
	{ "[directory]\npassword length = 128", "expected 1 to 127" },
	{ "[directory]\npassword age = 1d", "is no number of days: expected 1 to 3650" },
	{ "[directory]\npassword history = 101", "is no number of passwords" },
	{ "[directory]\nlockout attempts = -1", "is no number of attempts" },
	{ "[directory]\nlockout minutes = 100000", "is no number of minutes" },
};

TEST(conf_refuses_with_file_and_line)
{
	bool failed = false;

	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		struct err err = { 0 };
		struct conf c;
		int r = conf_parse(refused[i].text, strlen(refused[i].text), "f", "sales", &c, &err);

		if (r == -EINVAL && strstr(err.text, refused[i].error) && str_starts(err.text, "f:") && !c.volumes)
			continue;
		(void)fprintf(stderr, "    %s\n    gave %d %s\n    not  %s\n", refused[i].text, r, err.text, refused[i].error);
		failed = true;
	}
	CHECK(!failed);
}

TEST(conf_of_words_names_no_file)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "[volume data]\nsize = 12X", "key 'size': '12X' is no size: expected" },
		{ "[volume data]\nsize = 1G\n[volume data]", "section [volume data] is doubled" },
		{ "[server]\naddress = 192.0.2.1/24\naddress = 192.0.2.1/24", "key 'address': '192.0.2.1/24' is doubled" },
		{ "[server]\ngateway = 192.0.2.1", "key 'gateway': '192.0.2.1' is in no network" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct err err = { 0 };
		struct conf c;

		CHECK_INT(conf_parse(cases[i].text, strlen(cases[i].text), NULL, "sales", &c, &err), -EINVAL);
		CHECK_INT(err.exit, VNAS_EXIT_USAGE);
		if (!str_starts(err.text, cases[i].error) || strstr(err.text, "line"))
			test_fail(__FILE__, __LINE__, err.text);
	}
}

TEST(conf_refuses_nul_and_garbage_with_one_error)
{
	static char garbage[CONF_MAX_BYTES + 1];
	struct err err = { 0 };
	struct conf c;

	CHECK_INT(conf_parse("[server]\nhostname = a\0b\n", 23, "f", "sales", &c, &err), -EINVAL);
	CHECK_STR(err.text, "f:2: the line has a NUL byte in it");
	srand(1);
	for (size_t i = 0; i < sizeof(garbage); i++)
		garbage[i] = (char)rand();
	CHECK_INT(conf_parse(garbage, CONF_MAX_BYTES, "f", "sales", &c, &err), -EINVAL);
	CHECK(str_starts(err.text, "f:"));
	CHECK_INT(conf_parse(garbage, sizeof(garbage), "f", "sales", &c, &err), -EINVAL);
	CHECK_STR(err.text, "f:1: the file is too large: expected at most 1048576 bytes");
}

TEST(conf_bounds_its_lists)
{
	_cleanup_strbuf_ struct strbuf sb = { 0 };
	struct err err = { 0 };
	struct conf c;

	for (unsigned i = 0; i < 1100; i++)
		strbuf_addf(&sb, "[share s%u]\npath = /srv/s%u\n", i, i);
	CHECK_INT(conf_parse(sb.buf, sb.len, "f", "sales", &c, &err), -EINVAL);
	CHECK_STR(err.text, "f:2049: section [share s1024] is one too many: expected at most 1024 shares");
	strbuf_free(&sb);
	strbuf_addstr(&sb, "[server]\n");
	for (unsigned i = 0; i < 65; i++)
		strbuf_addf(&sb, "address = 192.0.2.%u/24\n", i + 1);
	CHECK_INT(conf_parse(sb.buf, sb.len, "f", "sales", &c, &err), -EINVAL);
	CHECK_STR(err.text, "f:66: key 'address': '192.0.2.65/24' is one too many: expected at most 64");
}

TEST(conf_long_values_are_cut_in_messages)
{
	_cleanup_strbuf_ struct strbuf sb = { 0 };
	struct err err = { 0 };
	struct conf c;

	strbuf_addstr(&sb, "[server]\nhostname = x");
	for (unsigned i = 0; i < 100; i++)
		strbuf_addstr(&sb, "\xe5\x85\xb1");
	CHECK_INT(conf_parse(sb.buf, sb.len, "f", "sales", &c, &err), -EINVAL);
	CHECK(strstr(err.text, "\xe5\x85\xb1...' is no host name"));
	strbuf_free(&sb);
	for (unsigned i = 0; i < 100; i++)
		strbuf_addstr(&sb, "/a/long/path");
	CHECK_INT(conf_parse("x", 1, sb.buf, "sales", &c, &err), -EINVAL);
	CHECK(strstr(err.text, ":1: a line is neither"));
}

TEST(conf_names)
{
	static const char *const good[] = { "a", "0", "A-b_c", "abcdefghijklmnopqrstuvwxyzabcdef" };
	static const char *const bad[] = { "", "-a", "_a", "a.b", "a/b", "..", "a b", "vnas", "psv", "locks", "bpf", "\xc3\xa4",
					   "abcdefghijklmnopqrstuvwxyzabcdefg", "a\n" };

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		CHECK_INT(conf_name_check(good[i], NULL), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_INT(conf_name_check(bad[i], NULL), -EINVAL);
}

TEST(conf_address_words)
{
	struct conf_address a = { .prefix = 77 };
	struct err err = { 0 };

	CHECK_INT(conf_address_parse("192.0.2.1", &a, &err), -EINVAL);
	CHECK(str_starts(err.text, "'192.0.2.1' is no address: expected ADDRESS/PREFIX"));
	CHECK_INT(a.prefix, 77);
	CHECK_INT(conf_address_parse("192.0.2.1/32", &a, &err), 0);
	CHECK_INT(conf_address_parse("192.0.2.0/31", &a, &err), 0);
	CHECK_INT(conf_address_parse("2001:db8::1/64@br0.10", &a, &err), 0);
	CHECK_STR(a.interface, "br0.10");
	CHECK_INT(conf_address_parse("2001:db8::/64", &a, &err), -EINVAL);
}

TEST(conf_of_the_psv)
{
	static const struct {
		const char *text, *error;
	} bad[] = {
		{ "[pool x]", "f:1: [pool x] has no 'path'" },
		{ "[pool x]\ntype = lvm", "f:2: key 'type': 'lvm' is not available in this version: expected file or device" },
		{ "[pool x]\ntype = device\npath = /a", "f:3: [pool x] is of type device: expected neither 'path' nor 'thin'" },
		{ "[pool x]\npath = /a\n[pool x]\npath = /b", "f:3: section [pool x] is doubled: line 1 has it already" },
		{ "[pool default]\n[pool default]", "f:2: section [pool default] is doubled" },
		{ "[pool x]\npath = /a\n[pool y]\npath = /a", "f:4: key 'path': '/a' is doubled: [pool x] has it already" },
		{ "[server]", "f:1: section [server] is unknown: expected [pool NAME], [events]" },
		{ "[pool a b]", "is no name of a pool" },
	};
	static const char text[] = "[pool fast]\npath = /mnt/fast\nthin = yes\n[pool luns]\ntype = device\n";
	_cleanup_strbuf_ struct strbuf sb = { 0 };
	struct err err = { 0 };
	struct conf_psv c;

	CHECK_INT(conf_psv_read("/nonexistent/vnas.conf", "/lib", &c, &err), 0);
	CHECK_INT(c.n_pools, 1);
	CHECK_STR(conf_pool_find(&c, "")->path, "/lib/volumes");
	conf_psv_free(&c);
	CHECK_INT(conf_psv_parse(text, strlen(text), "f", "/lib", &c, &err), 0);
	CHECK_INT(c.n_pools, 3);
	CHECK_STR(conf_pool_find(&c, "default")->path, "/lib/volumes");
	CHECK(conf_pool_find(&c, "fast")->thin);
	CHECK_INT(conf_pool_find(&c, "luns")->type, CONF_POOL_DEVICE);
	CHECK(!conf_pool_find(&c, "none"));
	conf_psv_print(&c, &sb);
	conf_psv_free(&c);
	CHECK_INT(conf_psv_parse(sb.buf, sb.len, "f", "/other", &c, &err), 0);
	CHECK_STR(conf_pool_find(&c, "default")->path, "/lib/volumes");
	conf_psv_free(&c);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CHECK_INT(conf_psv_parse(bad[i].text, strlen(bad[i].text), "f", "/lib", &c, &err), -EINVAL);
		if (!strstr(err.text, bad[i].error))
			test_fail(__FILE__, __LINE__, err.text);
	}
}

TEST(conf_read_says_that_there_is_none)
{
	struct err err = { 0 };
	struct conf c;

	CHECK_INT(conf_read("/nonexistent/sales.conf", "sales", &c, &err), -ENOENT);
	CHECK_INT(err.exit, VNAS_EXIT_NO_SUCH);
	CHECK_INT(conf_read("/etc", "sales", &c, &err), -EISDIR);
	CHECK_INT(conf_read("/dev/zero", "sales", &c, &err), -EINVAL);
	CHECK_INT(conf_read("/x", "../etc", &c, &err), -EINVAL);
}

TEST(conf_table_is_in_order)
{
	for (size_t i = 0; i < conf_n_keys; i++) {
		const struct conf_key *k = &conf_keys[i];

		CHECK(k->help && conf_key_expected(k) && k->help[strlen(k->help) - 1] == '.');
		for (size_t j = 0; j < i; j++) {
			/* The rows of a section stand together, each key once. */
			CHECK(k->section != conf_keys[j].section || conf_keys[i - 1].section == k->section);
			CHECK(k->section != conf_keys[j].section || strcmp(k->key, conf_keys[j].key) != 0);
		}
	}
	for (size_t i = 0; i < CONF_SECTIONS; i++) {
		size_t n = 0;

		for (size_t j = 0; j < conf_n_keys; j++)
			n += conf_keys[j].section == i;
		CHECK(n >= 1 && n <= 24);
	}
}

/* A private stack: what it is read into, and the hardware address that follows from the root volume. */
TEST(conf_private_stack)
{
	static const char text[] = PRIVATE "interface = eth0\nlink = macvlan\nmtu = 9000\n[volume root]\nsize = 1G\n"
				   "uuid = 01234567-89ab-cdef-0123-456789abcdef\n";
	struct conf c, again;
	struct strbuf out = { 0 };
	uint8_t mac[6], other[6];
	struct err e = { 0 };

	CHECK_INT(conf_parse(text, strlen(text), "f", "sales", &c, &e), 0);
	CHECK_INT(c.stack, CONF_STACK_PRIVATE);
	CHECK_STR(c.interface, "eth0");
	CHECK_INT(c.link, CONF_LINK_MACVLAN);
	CHECK_INT(c.mtu, 9000);
	CHECK_INT(c.vlan, 0);
	conf_mac(&c, mac);
	CHECK_INT(mac[0], 2);
	conf_print(&c, &out);
	CHECK_INT(conf_parse(strbuf_str(&out), out.len, "f", "renamed", &again, &e), 0);
	conf_mac(&again, other);
	CHECK(memcmp(mac, other, sizeof(mac)) == 0);
	CHECK(conf_same_network(&c, &again));
	again.vlan = 5;
	CHECK(!conf_same_network(&c, &again));
	again.volumes[0].uuid[0] = '1';
	conf_mac(&again, other);
	CHECK(memcmp(mac, other, sizeof(mac)) != 0);
	again.mac = xstrdup("02:00:5e:10:00:01");
	conf_mac(&again, other);
	CHECK(memcmp(other, "\x02\x00\x5e\x10\x00\x01", sizeof(other)) == 0);
	conf_free(&c);
	conf_free(&again);
	strbuf_free(&out);
}
