/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration: one plain struct a Vsv, read from /etc/vnas/NAME.conf, and one for the Psv, read from
 * /etc/vnas/vnas.conf.  The whole file is parsed and checked before anything else happens; nothing here touches the
 * kernel.  Every key is a row of one table (conf_keys), from which the manual page is checked.
 *
 * Errors name file, line, key, value and what was expected: "FILE:LINE: key 'size': '12X' is no size: expected a
 * number of bytes with an optional K, M, G or T". */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"
#include "lib/str.h"

struct err;

#define VSV_NAME_MAX 32   /* [A-Za-z0-9][A-Za-z0-9_-]*; "vnas", "psv" and the folders of RUN are reserved */
#define VOLUME_NAME_MAX 32
#define CONF_MAX_BYTES (1024 * 1024)
#define CONF_MAX_VOLUMES 33 /* the root volume and 32 more */
#define CONF_MAX_SERVICES 16
#define CONF_MAX_PACKAGES_BYTES 480 /* names of all packages of a Vsv's services together */
#define CONF_MAX_DENIES 16  /* networks of `deny` */
#define CONF_MAX_LIST 1024  /* shares of a Vsv, clients and names of a share, pools */

/* The language: sections, and the keys of each. */
enum conf_section {
	CONF_SECTION_SERVER,
	CONF_SECTION_LIMITS,
	CONF_SECTION_VOLUME,
	CONF_SECTION_SMB,
	CONF_SECTION_NFS,
	CONF_SECTION_DIRECTORY,
	CONF_SECTION_SHARE,
	CONF_SECTION_SERVICE,
	CONF_SECTION_POOL,
	CONF_SECTION_EVENTS,
	CONF_SECTIONS,
};

struct conf_section_info {
	const char *name;  /* "volume" */
	const char *what;  /* what its name stands for, "NAME"; NULL: the section has no name and stands once */
	bool psv;          /* of vnas.conf, not of NAME.conf */
	const char *help;
};
extern const struct conf_section_info conf_sections[CONF_SECTIONS];

struct conf_type;
struct conf_key {
	enum conf_section section;
	const char *key;      /* lower case words, single spaces; one that ends in "*" stands for all that begin so */
	bool repeat;          /* a list: one value a line */
	const struct conf_type *type;
	size_t offset;        /* of the target in its section's struct */
	const char *fallback; /* the default in words; NULL: none */
	const char *help;     /* one line */
};
extern const struct conf_key conf_keys[];
extern const size_t conf_n_keys;
/* conf_key_expected: what its value looks like, in words. */
const char *conf_key_expected(const struct conf_key *k);

/* How clients find it. */
enum conf_discovery { CONF_DISCOVERY_NETBIOS = 1, CONF_DISCOVERY_WSD = 2, CONF_DISCOVERY_MDNS = 4, CONF_DISCOVERY_ALL = 7 };
enum { CONF_DISCOVERY_STR_MAX = 32 };
enum conf_stack { CONF_STACK_SHARED, CONF_STACK_PRIVATE };
/* The kind of a private stack's interface; AUTO: link_kind() decides by what conf.interface is. */
enum conf_link { CONF_LINK_AUTO, CONF_LINK_MACVLAN, CONF_LINK_IPVLAN, CONF_LINK_VETH, CONF_LINK_VLAN, CONF_LINK_INTERFACE };
enum conf_fs { CONF_FS_EXT4, CONF_FS_XFS };
enum conf_pool_type { CONF_POOL_FILE, CONF_POOL_DEVICE };

struct conf_address {
	struct ipaddr addr;
	uint8_t prefix;
	char interface[IFNAMSIZ]; /* "": the interface whose connected network holds it */
	unsigned line;
};

struct conf_volume {
	char name[VOLUME_NAME_MAX + 1]; /* "root", or a data volume's */
	char pool[VOLUME_NAME_MAX + 1]; /* "": the pool named "default" */
	uint64_t size_bytes;            /* 0: a device as it is */
	enum conf_fs fs;
	char *mount;                    /* absolute path inside, default /srv/NAME; NULL for root */
	char *device;                   /* absolute path on the Psv, or NULL: from the pool */
	char uuid[37];                  /* of the filesystem, as create wrote it; "" before */
	unsigned line;
};

struct conf_param { /* a key handed through to a service's own configuration */
	char *key, *value;
	unsigned line;
};

/* Who a client's users are on the disk (exports(5) knows the same three). */
enum conf_squash { CONF_SQUASH_ROOT, CONF_SQUASH_ALL, CONF_SQUASH_NONE };
/* How clients show who they are, a bit each. */
enum { CONF_SEC_SYS = 1, CONF_SEC_KRB5 = 2, CONF_SEC_KRB5I = 4, CONF_SEC_KRB5P = 8 };
#define CONF_SEC_KRB5_ANY (CONF_SEC_KRB5 | CONF_SEC_KRB5I | CONF_SEC_KRB5P)

struct conf_share {
	char *name;
	char *path;              /* absolute, inside; below a volume's mount */
	bool smb, nfs, read_only, guest;
	bool audit;              /* what clients open, rename, delete and grant is logged */
	bool recycle;            /* what they delete goes to .recycle */
	char *comment;           /* or NULL */
	struct strlist clients;  /* networks or addresses; none: all */
	struct strlist read;     /* users, and groups as @NAME; both lists empty: every user of the Vsv may write */
	struct strlist write;
	enum conf_squash squash; /* nfs; default root */
	uint32_t anonymous_uid, anonymous_gid; /* nfs: who is squashed; default 65534 */
	unsigned sec;            /* nfs: CONF_SEC_…, default sys */
	uint32_t export_id;      /* nfs: 0: what conf_export_id() makes of its name */
	struct conf_param *params; /* smb.KEY = VALUE */
	size_t n_params;
	unsigned line;
};

enum conf_directory_type { CONF_DIRECTORY_PASSWD, CONF_DIRECTORY_LDAP, CONF_DIRECTORY_NIS, CONF_DIRECTORY_AD };

struct conf_range {
	uint32_t low, high; /* both belong to it */
};

/* Where users come from.  Files are the Psv's own; what is in them is read when it is needed and is never kept here. */
struct conf_directory {
	enum conf_directory_type type;
	struct strlist uris;    /* ldap: ldap://HOST[:PORT] or ldaps://…, in the order of asking */
	char *base;             /* … the entry that holds all users and groups */
	bool starttls;          /* … TLS on ldap://, default yes */
	char *ca;               /* … absolute path of PEM certificates, or NULL */
	char *bind_dn;          /* … who asks; NULL: nobody in particular */
	char *secret_file;      /* … its password's path */
	bool samba_accounts;    /* … SMB accounts are the directory's too (ldapsam); default no */
	char *domain;           /* nis */
	struct strlist servers; /* … names or addresses */
	char *realm;            /* ad: the domain's DNS name in upper case, which is its Kerberos realm */
	bool idmap_rid;         /* … numbers by idmap_rid(8); else idmap_autorid(8), the default */
	struct conf_range idmap; /* … the numbers of its users and groups */
};

struct conf_service { /* a program of the administrator's choice, run by PID 1 */
	char *name;
	char *command;           /* conf_words_split() */
	struct strlist prepare;  /* commands that are run before it starts */
	uint16_t ready_port;     /* 0: it is ready when it runs */
	char *user;              /* or NULL: root */
	uint64_t capabilities;   /* bit mask of CAP_…, out of capability_allowed() */
	struct strlist packages; /* Debian's, which the template must have */
	int stop_signal;
	unsigned line;
};

struct conf_passwords { /* 0: Samba's own default */
	uint32_t length;           /* at least so many characters */
	uint32_t age_days;         /* valid for so long */
	uint32_t history;          /* so many old ones are refused */
	uint32_t lockout_attempts; /* wrong ones in a row that lock an account */
	uint32_t lockout_minutes;
};

/* Versions of NFS, a bit each. */
enum { CONF_NFS_3 = 1, CONF_NFS_4_0 = 2, CONF_NFS_4_1 = 4, CONF_NFS_4_2 = 8 };
#define CONF_NFS_4_ANY (CONF_NFS_4_0 | CONF_NFS_4_1 | CONF_NFS_4_2)

struct conf_nfs {
	unsigned versions;       /* CONF_NFS_…, default all */
	uint32_t lease_s, grace_s;
	char *domain;            /* of owner names; default: conf_nfs_domain() */
	bool numeric_owners;     /* owners go over the wire as numbers only; default no */
	bool manage_gids;        /* groups of a user are the server's, not those that the client names; default no */
	uint32_t mountd_port, lockd_port, statd_port; /* of NFS 3's helpers, fixed for packet filters */
};

enum { CONF_CPUS_BYTES = 128, CONF_CPUS_MAX = 8192 /* processors: the most that Linux can be built for */ };
struct conf_limits { /* 0: the safe default of limits.c */
	uint64_t memory_bytes;
	uint32_t tasks;
	uint32_t files; /* open files a process (RLIMIT_NOFILE) */
	uint64_t log_bytes; /* on the Psv's disk */
	uint64_t reserve_bytes; /* memory that is not taken from it while others have some to give; 0: none */
	uint32_t cpu_weight;    /* against its neighbours', 1 to 10000, or CONF_CPU_IDLE; 0: CONF_WEIGHT_DEFAULT */
	uint32_t cpu_percent;   /* of one processor, above 100: more than one; 0: no bound */
	char cpus[CONF_CPUS_BYTES]; /* the processors that it runs on, as the kernel writes them ("0-3,8"); "": all */
	uint32_t disk_weight;   /* 1 to 10000; 0: CONF_WEIGHT_DEFAULT */
	/* Of each of its volumes, a second; 0: no bound. */
	uint64_t disk_read_bytes, disk_write_bytes;
	uint32_t disk_read_iops, disk_write_iops;
};
/* CONF_CPU_IDLE: it has what nobody else wants, and who wants it takes it at once. */
enum { CONF_WEIGHT_DEFAULT = 100, CONF_WEIGHT_MAX = 10000, CONF_CPU_IDLE = CONF_WEIGHT_MAX + 1 };

struct conf {
	char name[VSV_NAME_MAX + 1];
	char *hostname;      /* default: NAME, with - for _ */
	char *workgroup;     /* default WORKGROUP */
	char *netbios_name;  /* upper case; default: the first 15 characters of the first label of hostname */
	struct strlist aliases; /* more NetBIOS names, upper case */
	char *timezone;      /* default Etc/UTC */
	enum conf_stack stack;
	char *interface;             /* private stack: of the Psv; else NULL */
	enum conf_link link;         /* … */
	uint32_t vlan, mtu;          /* …; 0: none, that of interface */
	char *mac;                   /* …; NULL: conf_mac() makes one */
	bool autostart;              /* default yes */
	unsigned discovery;          /* enum conf_discovery: whose broadcast addresses and groups are allowed; default none */
	struct conf_address *addresses;
	size_t n_addresses;
	struct ipaddr *gateways;     /* at most one a family */
	size_t n_gateways;
	struct ipaddr *dns;
	size_t n_dns;
	struct strlist search;
	struct strlist peers;        /* names of Vsv, or "psv", that may be reached */
	struct strlist denies;       /* networks or addresses that may not */
	char *template_name;         /* pinned template, or NULL: the newest */
	struct conf_limits limits;
	struct conf_volume *volumes; /* [0] is "root", always there */
	size_t n_volumes;
	struct conf_share *shares;
	size_t n_shares;
	struct conf_service *services;
	size_t n_services;
	struct conf_param *smb;      /* [smb] */
	size_t n_smb;
	bool smb_enabled;            /* [smb] enabled = yes|no, default yes */
	struct conf_nfs nfs;
	struct conf_directory directory;
	struct conf_passwords passwords;
};

struct conf_pool {
	char name[VOLUME_NAME_MAX + 1];
	enum conf_pool_type type;
	char *path;  /* of type file */
	bool thin;
	unsigned line;
};

struct conf_psv {
	struct conf_pool *pools; /* [0] is "default": type file, path LIB/volumes, unless configured */
	size_t n_pools;
	unsigned syslog; /* facility of events (syslog(3)); 0: none */
};

/* conf_read: the configuration of one Vsv.  path is the Psv's own file; name is the Vsv's.  0 or -errno; the struct is
 * {0} on failure. */
int conf_read(const char *path, const char *name, struct conf *ret, struct err *err);
/* conf_parse: the same from memory; path only for messages.  path NULL: a text made of the words of a command, so
 * errors name no file and no line, and have VNAS_EXIT_USAGE. */
int conf_parse(const char *text, size_t len, const char *path, const char *name, struct conf *ret, struct err *err);
void conf_free(struct conf *c);
/* conf_print: the canonical text, every key with a value; parsed again it gives the same configuration. */
void conf_print(const struct conf *c, struct strbuf *out);
/* conf_psv_read: a missing file is an empty one.  lib_dir: where the default pool lies. */
int conf_psv_read(const char *path, const char *lib_dir, struct conf_psv *ret, struct err *err);
int conf_psv_parse(const char *text, size_t len, const char *path, const char *lib_dir, struct conf_psv *ret,
		   struct err *err);
void conf_psv_free(struct conf_psv *c);
void conf_psv_print(const struct conf_psv *c, struct strbuf *out);
const struct conf_pool *conf_pool_find(const struct conf_psv *c, const char *name); /* "" is "default"; NULL: none */
const struct conf_volume *conf_volume_find(const struct conf *c, const char *name);
const struct conf_share *conf_share_find(const struct conf *c, const char *name); /* SMB does not tell A from a */

/* conf_serves_nfs: it has a share that is served by NFS. */
bool conf_serves_nfs(const struct conf *c);
const char *conf_squash_name(enum conf_squash s); /* "root" */
void conf_nfs_version_names(unsigned versions, struct strlist *ret); /* "3", "4.0" … */
const char *conf_sec_name(unsigned bit);          /* "sys": of one CONF_SEC_… */
/* conf_export_id: the number that stands in the file handles of a share: 1 to 65535. */
uint32_t conf_export_id(const struct conf_share *s);
/* conf_export_id_free: for a new share of that name: what its name makes, or else the next number that no other has. */
uint32_t conf_export_id_free(const struct conf *c, const char *name);
/* conf_nfs_domain: the domain of owner names, as it is in force. */
const char *conf_nfs_domain(const struct conf *c);
/* conf_share_volume: the data volume on which a share lies; NULL: none. */
const struct conf_volume *conf_share_volume(const struct conf *c, const struct conf_share *s);

const struct conf_service *conf_service_find(const struct conf *c, const char *name);
/* conf_words_split: the words of a command, parted by blanks; '…' and "…" hold blanks, and in "…" \" and \\ stand for " and \.
 * false: a quotation mark has no other one. */
bool conf_words_split(const char *s, struct strlist *ret);

/* conf_name_check: a name that a Vsv can have.  0 or -EINVAL with words and VNAS_EXIT_USAGE. */
int conf_name_check(const char *name, struct err *err);
/* conf_address_parse: ADDR/PREFIX[@INTERFACE], a host's own address.  0 or -EINVAL with words and
 * VNAS_EXIT_USAGE. */
int conf_address_parse(const char *s, struct conf_address *ret, struct err *err);
char *conf_address_str(const struct conf_address *a, char *buf, size_t size); /* 96 bytes suffice */
const char *conf_directory_name(enum conf_directory_type type); /* "ldap" */
/* conf_directory_takes: a key of [directory] has a meaning for that type. */
bool conf_directory_takes(enum conf_directory_type type, const char *key);
const char *conf_stack_name(enum conf_stack stack);
const char *conf_link_name(enum conf_link link); /* "macvlan"; NULL of CONF_LINK_AUTO */
/* conf_discovery_str: of a set of enum conf_discovery, as the key takes it: "netbios mdns", "yes"; buf is returned. */
char *conf_discovery_str(unsigned set, char buf[CONF_DISCOVERY_STR_MAX]);
/* conf_mac: the hardware address of a private stack's interface: the same wherever its volumes are. */
void conf_mac(const struct conf *c, uint8_t ret[6]);
bool conf_mac_parse(const char *s, uint8_t ret[6]);
/* conf_same_network: false if the two surely do not meet: both have a private stack, on different interfaces or VLANs. */
bool conf_same_network(const struct conf *a, const struct conf *b);
const char *conf_fs_name(enum conf_fs fs); /* "ext4", "xfs": also the kernel's names */

/* Editing in place: comments, order and white space of all other lines stay.  Each takes the old text and gives the
 * new text, which is parsed again by the caller before it replaces the file.  A section is "server", "volume data" and so on.
 * NULL from any of them: nothing to remove, or the section, key or value cannot stand in a line of the file (a new
 * line in a comment would otherwise be a key of its own). */
/* confedit_set: replaces KEY's first line in the section and removes its others, or adds it at the section's end; makes
 * the section at the file's end if there is none.  value NULL removes every KEY line (none: the text as it was). */
char *confedit_set(const char *text, const char *section, const char *key, const char *value);
/* confedit_add: one more line for a key that can be repeated.  confedit_remove: the line with exactly that value;
 * NULL if there is none. */
char *confedit_add(const char *text, const char *section, const char *key, const char *value);
char *confedit_remove(const char *text, const char *section, const char *key, const char *value);
/* confedit_remove_section: with the comments right above it; NULL if there is none. */
char *confedit_remove_section(const char *text, const char *section);
