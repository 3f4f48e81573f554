/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What there is to try it on.  What the Psv has to have for that (listeners on its own addresses, an abstract name) lives as
 * long as this process and no longer, on ports that the kernel chooses.  Each is tried by the Psv first: a target that cannot
 * be reached by anybody would prove nothing, so it is left out, or its control has failed. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/sys.h"
#include "verify/internal.h"

enum { CONNECT_MS = 500, ARRIVE_MS = 500, BACKLOG = 128, PORT_ANY_VSV = 445, PORT_ANY_UDP = 9, HOST_DEVICES = 4, DATAGRAMS_MAX = 4096 };

union address {
	struct sockaddr sa;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

static socklen_t to_sockaddr(const struct ipaddr *a, uint16_t port, union address *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (a->family == AF_INET) {
		ret->in4.sin_family = AF_INET;
		ret->in4.sin_port = htons(port);
		memcpy(&ret->in4.sin_addr, a->bytes, 4);
		return sizeof(ret->in4);
	}
	ret->in6.sin6_family = AF_INET6;
	ret->in6.sin6_port = htons(port);
	memcpy(&ret->in6.sin6_addr, a->bytes, 16);
	return sizeof(ret->in6);
}

int victim_connect(const struct ipaddr *a, uint16_t port)
{
	return victim_connect_from(a, port, NULL);
}

int victim_connect_from(const struct ipaddr *a, uint16_t port, const struct ipaddr *from)
{
	_cleanup_close_ int fd = socket(a->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	union address to;
	int error = 0;

	if (fd < 0)
		return -errno;
	if (from && bind(fd, &to.sa, to_sockaddr(from, 0, &to)) < 0)
		return -errno;
	if (connect(fd, &to.sa, to_sockaddr(a, port, &to)) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	if (poll(&p, 1, CONNECT_MS) != 1)
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return -error;
}

/* stand: a socket on that address (family 0: the wildcard of both families), on a port that the kernel chooses.  A
 * descriptor or -1. */
static int stand(const struct ipaddr *a, int type, uint16_t *port)
{
	const struct ipaddr any6 = { .family = AF_INET6 }, any4 = { .family = AF_INET };
	const struct ipaddr *at = a->family ? a : &any6;
	_cleanup_close_ int fd = socket(at->family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	union address b;
	socklen_t len = sizeof(b);
	int only = a->family == AF_INET6;

	if (fd < 0)
		return a->family == 0 && errno == EAFNOSUPPORT ? stand(&any4, type, port) : -1;
	if (at->family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) < 0)
		return -1;
	if (bind(fd, &b.sa, to_sockaddr(at, *port, &b)) < 0 || (type == SOCK_STREAM && listen(fd, BACKLOG) < 0) ||
	    getsockname(fd, &b.sa, &len) < 0)
		return -1;
	*port = ntohs(at->family == AF_INET ? b.in4.sin_port : b.in6.sin6_port);
	return steal_fd(&fd);
}

static void drain(int fd)
{
	char buf[64];

	for (int i = 0; i < DATAGRAMS_MAX && recv(fd, buf, sizeof(buf), MSG_DONTWAIT) >= 0; i++)
		;
}

/* arrives: a datagram of the Psv's own comes to that socket. */
static bool arrives(int fd, const struct ipaddr *a, uint16_t port)
{
	_cleanup_close_ int from = socket(a->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	union address to;
	bool came;

	if (from < 0 || sendto(from, "vnas", 4, 0, &to.sa, to_sockaddr(a, port, &to)) != 4)
		return false;
	came = poll(&p, 1, ARRIVE_MS) == 1;
	drain(fd);
	return came;
}

static void add_listener(struct listener *list, size_t *n, size_t max, const struct ipaddr *a, int type)
{
	struct listener l = { .addr = *a };

	if (*n == max)
		return;
	l.fd = stand(a, type, &l.port);
	if (l.fd < 0)
		return;
	if (type == SOCK_STREAM ? victim_connect(a, l.port) == 0 : arrives(l.fd, a, l.port))
		list[(*n)++] = l;
	else
		(void)close(l.fd);
}

/* ---- the Psv's addresses ---- */

static bool is_of_servers(const struct verify *v, const struct ipaddr *a)
{
	for (size_t i = 0; i < v->n_servers; i++)
		for (size_t k = 0; k < v->servers[i].as_victim.n_addresses; k++)
			if (ipaddr_equal(a, &v->servers[i].as_victim.addresses[k]))
				return true;
	return false;
}

static bool from_sockaddr(const struct sockaddr *sa, struct ipaddr *ret)
{
	*ret = (struct ipaddr){ 0 };
	if (sa->sa_family == AF_INET)
		memcpy(ret->bytes, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	else if (sa->sa_family == AF_INET6)
		memcpy(ret->bytes, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	else
		return false;
	ret->family = (uint8_t)sa->sa_family;
	return true;
}

static void add_target_address(struct victim *t, const struct ipaddr *a)
{
	if (t->n_addresses < TARGET_ADDRESSES)
		t->addresses[t->n_addresses++] = *a;
	else
		t->n_left_out++;
}

static void host_addresses(struct verify *v, struct victim *t)
{
	struct ifaddrs *list = NULL;

	if (getifaddrs(&list) < 0)
		return;
	for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
		struct ipaddr a;

		if (!i->ifa_addr || (i->ifa_flags & IFF_LOOPBACK))
			continue;
		if (i->ifa_addr->sa_family == AF_PACKET && t->n_links < TARGET_LINKS) {
			const struct sockaddr_ll *ll = (const void *)i->ifa_addr;

			if (ll->sll_halen == 6)
				(void)str_format(t->links[t->n_links++], sizeof(t->links[0]), "%02x%02x%02x%02x%02x%02x", ll->sll_addr[0],
						 ll->sll_addr[1], ll->sll_addr[2], ll->sll_addr[3], ll->sll_addr[4], ll->sll_addr[5]);
		}
		if (from_sockaddr(i->ifa_addr, &a) && ipaddr_is_host(&a) && !is_of_servers(v, &a))
			add_target_address(t, &a);
	}
	freeifaddrs(list);
}

static void host_listeners(struct victim *t)
{
	const struct ipaddr four = { .family = AF_INET, .bytes = { 127, 0, 0, 1 } };
	const struct ipaddr six = { .family = AF_INET6, .bytes = { [15] = 1 } }, any = { .family = 0 };
	const struct ipaddr *client = t->n_addresses ? &t->addresses[0] : &four;

	for (size_t i = 0; i < t->n_addresses; i++) {
		add_listener(t->tcp, &t->n_tcp, TARGET_ADDRESSES, &t->addresses[i], SOCK_STREAM);
		add_listener(t->udp, &t->n_udp, TARGET_ADDRESSES, &t->addresses[i], SOCK_DGRAM);
	}
	t->reach_ok = t->n_tcp > 0 && t->n_udp > 0;
	add_listener(t->loop, &t->n_loop, 2, &four, SOCK_STREAM);
	t->loopback_ok = t->n_loop > 0;
	if (t->n_loop) {
		/* The same port of the other family, if it is free. */
		struct listener l = { .addr = six, .port = t->loop[0].port };

		l.fd = stand(&six, SOCK_STREAM, &l.port);
		if (l.fd >= 0)
			t->loop[t->n_loop++] = l;
	}
	t->wild_tcp.fd = stand(&any, SOCK_STREAM, &t->wild_tcp.port);
	t->wild_udp.fd = stand(&any, SOCK_DGRAM, &t->wild_udp.port);
	t->ingress_ok = t->wild_tcp.fd >= 0 && t->wild_udp.fd >= 0 && victim_connect(client, t->wild_tcp.port) == 0 &&
			arrives(t->wild_udp.fd, client, t->wild_udp.port);
}

static void host_abstract(struct victim *t)
{
	_cleanup_close_ int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	unsigned long long number;
	socklen_t len;

	if (fd < 0 || client < 0 || getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		return;
	(void)str_format(t->abstract, sizeof(t->abstract), "vnas-verify-%016llx", number);
	(void)str_copy(a.sun_path + 1, sizeof(a.sun_path) - 1, t->abstract);
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(t->abstract));
	if (bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, BACKLOG) < 0) {
		t->abstract[0] = '\0';
		return;
	}
	t->abstract_ok = connect(client, (struct sockaddr *)&a, len) == 0;
	t->abstract_fd = steal_fd(&fd);
}

/* ---- devices ---- */

/* can_open: on a file system of our own that nobody else sees. */
static bool can_open(dev_t dev)
{
	_cleanup_close_ int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), mnt = -1, fd = -1;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return false;
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (mnt < 0 || mknodat(mnt, "d", S_IFBLK | 0600, dev) < 0)
		return false;
	fd = openat(mnt, "d", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd >= 0;
}

static bool has_device(const struct victim *t, dev_t dev)
{
	for (size_t i = 0; i < t->n_devices; i++)
		if (t->devices[i] == dev)
			return true;
	return false;
}

static void add_device(struct victim *t, dev_t dev)
{
	if (t->n_devices < TARGET_DEVICES && can_open(dev))
		t->devices[t->n_devices++] = dev;
	t->device_ok = t->n_devices > 0;
}

/* host_templates: the loop devices of its templates, which are the Psv's as well. */
static void host_templates(const struct verify *v, struct victim *t)
{
	_cleanup_closedir_ DIR *d = opendir("/sys/block");
	char prefix[PATH_MAX];
	struct dirent *e;

	(void)str_format(prefix, sizeof(prefix), "%s/templates/", v->psv->lib);
	while (d && t->n_devices < HOST_DEVICES && (e = readdir(d))) {
		char path[300], file[PATH_MAX], dev[32];
		unsigned maj, min;

		if (!str_starts(e->d_name, "loop"))
			continue;
		(void)str_format(path, sizeof(path), "%s/loop/backing_file", e->d_name);
		if (file_read_small(dirfd(d), path, file, sizeof(file)) < 0 || !str_starts(file, prefix))
			continue;
		(void)str_format(path, sizeof(path), "%s/dev", e->d_name);
		if (file_read_small(dirfd(d), path, dev, sizeof(dev)) == 0 && sscanf(dev, "%u:%u", &maj, &min) == 2)
			add_device(t, makedev(maj, min));
	}
}

/* Where the Psv's own data are; a disk that sleeps is left to sleep. */
static void host_devices(const struct verify *v, struct victim *t)
{
	const char *const paths[] = { v->psv->lib, v->psv->etc, "/", "/usr" };
	struct stat st;

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (stat(paths[i], &st) == 0 && major(st.st_dev) != 0 && !has_device(t, st.st_dev))
			add_device(t, st.st_dev);
	host_templates(v, t);
}

/* ---- handles ---- */

/* add_handle: of an open file or folder; the Psv opens it by its handle, which is the control. */
static void add_handle(struct victim *t, int at)
{
	union {
		struct file_handle h;
		char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u = { .h = { .handle_bytes = MAX_HANDLE_SZ } };
	_cleanup_close_ int mount = -1, fd = -1;
	char path[40];
	struct stat st;
	int id;

	if (at < 0 || t->n_handles == TARGET_HANDLES || fstat(at, &st) < 0 ||
	    name_to_handle_at(at, "", &u.h, &id, AT_EMPTY_PATH) < 0 || u.h.handle_bytes > 128)
		return;
	(void)str_format(path, sizeof(path), "/proc/self/fd/%d", at);
	mount = open(path, O_RDONLY | O_CLOEXEC);
	if (mount < 0)
		return;
	fd = open_by_handle_at(mount, &u.h, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	t->handles[t->n_handles].type = u.h.handle_type;
	t->handles[t->n_handles].dev = st.st_dev;
	t->handles[t->n_handles].inode = st.st_ino;
	for (unsigned i = 0; i < u.h.handle_bytes; i++)
		(void)snprintf(t->handles[t->n_handles].hex + 2 * i, 3, "%02x", u.h.f_handle[i]);
	t->n_handles++;
	t->handle_ok = true;
}

static void host_handles(const struct verify *v, struct victim *t)
{
	const char *const paths[TARGET_HANDLES] = { v->psv->lib, "/etc", "/usr" };
	struct stat st;

	for (size_t i = 0; i < TARGET_HANDLES; i++) {
		_cleanup_close_ int fd = open(paths[i], O_PATH | O_DIRECTORY | O_CLOEXEC);

		add_handle(t, fd);
	}
	if (stat("/etc", &st) == 0) {
		t->etc_dev = st.st_dev;
		t->etc_inode = st.st_ino;
	}
}

static void host_ipc(struct victim *t)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/sysvipc/shm", "re");
	char line[512];

	while (f && t->n_shm < TARGET_KEYS && fgets(line, sizeof(line), f)) {
		int key;

		if (sscanf(line, "%d", &key) == 1 && key != 0)
			t->shm[t->n_shm++] = key;
	}
}

void victim_host(struct verify *v)
{
	struct victim *t = &v->host;

	*t = (struct victim){ .name = "psv", .is_psv = true, .abstract_fd = -1, .wild_tcp = { .fd = -1 }, .wild_udp = { .fd = -1 } };
	host_addresses(v, t);
	host_listeners(t);
	host_abstract(t);
	host_devices(v, t);
	host_handles(v, t);
	host_ipc(t);
	t->pids[t->n_pids++] = getpid();
	t->pids[t->n_pids++] = getppid();
}

static bool add_pid(pid_t pid, void *arg)
{
	struct victim *t = arg;

	t->pids[t->n_pids++] = pid;
	return t->n_pids < TARGET_PIDS;
}

/* The root is the Psv's own small file system, and its folders are the Vsv's mounts: no path goes through what is inside. */
static void server_handles(const struct server *s, struct victim *t)
{
	static const char *const folders[] = { "etc", "srv", "usr" };
	_cleanup_close_ int root = -1;
	char path[40];

	(void)str_format(path, sizeof(path), "/proc/%d/root", (int)s->st.init_pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; root >= 0 && i < sizeof(folders) / sizeof(*folders); i++) {
		_cleanup_close_ int fd = sys_openat2(root, folders[i], O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0,
						     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);

		add_handle(t, fd);
	}
}

void victim_server(struct verify *v, struct server *s)
{
	struct victim *t = &s->as_victim;

	(void)v;
	*t = (struct victim){ .abstract_fd = -1, .wild_tcp = { .fd = -1 }, .wild_udp = { .fd = -1 } };
	(void)str_copy(t->name, sizeof(t->name), s->name);
	for (size_t i = 0; i < s->st.n_addresses; i++)
		add_target_address(t, &s->st.addresses[i].a.addr);
	for (size_t i = 0; i < t->n_addresses; i++) {
		t->tcp[t->n_tcp++] = (struct listener){ .addr = t->addresses[i], .port = PORT_ANY_VSV, .fd = -1 };
		t->udp[t->n_udp++] = (struct listener){ .addr = t->addresses[i], .port = PORT_ANY_UDP, .fd = -1 };
	}
	each_process(s, add_pid, t);
	for (size_t i = 0; i < s->st.n_volumes; i++)
		add_device(t, s->st.volumes[i].rdev);
	server_handles(s, t);
	t->reach_ok = true;
}

static void close_all(struct listener *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		cleanup_close(&list[i].fd);
}

void victim_free(struct victim *t)
{
	close_all(t->tcp, t->n_tcp);
	close_all(t->udp, t->n_udp);
	close_all(t->loop, t->n_loop);
	close_all(&t->wild_tcp, 1);
	close_all(&t->wild_udp, 1);
	cleanup_close(&t->abstract_fd);
}

static void add_listeners(struct strbuf *out, const char *word, const struct listener *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char text[IPADDR_STR_MAX];

		strbuf_addf(out, "%s %s %u\n", word, ipaddr_str(&list[i].addr, text), list[i].port);
	}
}

void victim_text(const struct victim *t, struct strbuf *out)
{
	char text[IPADDR_STR_MAX];

	strbuf_addf(out, "target %s\n", t->name);
	for (size_t i = 0; i < t->n_addresses; i++)
		strbuf_addf(out, "address %s\n", ipaddr_str(&t->addresses[i], text));
	add_listeners(out, "tcp", t->tcp, t->n_tcp);
	add_listeners(out, "udp", t->udp, t->n_udp);
	if (t->n_loop)
		strbuf_addf(out, "loopback %u\n", t->loop[0].port);
	if (t->wild_tcp.port)
		strbuf_addf(out, "wild %u\n", t->wild_tcp.port);
	for (size_t i = 0; i < t->n_pids; i++)
		strbuf_addf(out, "pid %d\n", (int)t->pids[i]);
	for (size_t i = 0; i < t->n_devices; i++)
		strbuf_addf(out, "device %u %u\n", major(t->devices[i]), minor(t->devices[i]));
	for (size_t i = 0; i < t->n_handles; i++)
		strbuf_addf(out, "handle %d:%llu:%llu %s\n", t->handles[i].type, (unsigned long long)t->handles[i].dev,
			    (unsigned long long)t->handles[i].inode, t->handles[i].hex);
	if (t->abstract[0])
		strbuf_addf(out, "abstract %s\n", t->abstract);
	if (t->etc_inode)
		strbuf_addf(out, "file %llu %llu\n", (unsigned long long)t->etc_dev, (unsigned long long)t->etc_inode);
	for (size_t i = 0; i < t->n_links; i++)
		strbuf_addf(out, "link %s\n", t->links[i]);
	for (size_t i = 0; i < t->n_shm; i++)
		strbuf_addf(out, "shm %d\n", t->shm[i]);
	strbuf_addstr(out, "go\n");
}

/* is_lossy: datagrams were dropped for want of room: what did not come may have been one of them. */
static bool is_lossy(int fd)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(info);

	return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0 || info[SK_MEMINFO_DROPS] > 0;
}

bool victim_tokens(struct verify *v, int fd, const char *want)
{
	bool came = false;
	char buf[64];
	ssize_t n = 0;
	int i;

	for (i = 0; i < DATAGRAMS_MAX && (n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT)) >= 0; i++) {
		buf[n] = '\0';
		came = came || (want && strcmp(buf, want) == 0);
		for (size_t k = 0; k < v->n_servers; k++)
			if (strcmp(buf, v->servers[k].token) == 0)
				v->servers[k].arrived = true;
	}
	v->flooded = v->flooded || i == DATAGRAMS_MAX || is_lossy(fd);
	return came;
}

void victim_arrived(struct verify *v)
{
	for (size_t i = 0; i < v->host.n_udp; i++)
		(void)victim_tokens(v, v->host.udp[i].fd, NULL);
	if (v->host.wild_udp.fd >= 0)
		(void)victim_tokens(v, v->host.wild_udp.fd, NULL);
}
