/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a fresh root volume holds.  Nothing here comes from the Psv's /etc.  What the Psv goes on to decide (host name,
 * name servers, the services' configuration) are links to what it generates at every start; everything else is the
 * tenant's from the first day. */
#include <sys/stat.h>

#include "psv/root-parts.h"

enum { GID_SHADOW = 42, GID_UTMP = 43, GID_MAIL = 8 };

#define DIR_0755 (S_IFDIR | 0755)
#define FILE_0644 (S_IFREG | 0644)
#define LINK (S_IFLNK | 0777)

/* Debian's fixed numbers, so that an imported server's files keep their meaning. */
static const char passwd[] =
	"root:x:0:0:root:/root:/bin/bash\n"
	"daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
	"bin:x:2:2:bin:/bin:/usr/sbin/nologin\n"
	"sys:x:3:3:sys:/dev:/usr/sbin/nologin\n"
	"man:x:6:12:man:/var/cache/man:/usr/sbin/nologin\n"
	"lp:x:7:7:lp:/var/spool/lpd:/usr/sbin/nologin\n"
	"mail:x:8:8:mail:/var/mail:/usr/sbin/nologin\n"
	"backup:x:34:34:backup:/var/backups:/usr/sbin/nologin\n"
	/* Of Debian's it has a number that depends on what else is installed.  sshd does not start without it. */
	"sshd:x:74:65534::/run/sshd:/usr/sbin/nologin\n"
	"nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";

static const char shadow[] =
	"root:*:19000:0:99999:7:::\n"
	"daemon:*:19000:0:99999:7:::\n"
	"bin:*:19000:0:99999:7:::\n"
	"sys:*:19000:0:99999:7:::\n"
	"man:*:19000:0:99999:7:::\n"
	"lp:*:19000:0:99999:7:::\n"
	"mail:*:19000:0:99999:7:::\n"
	"backup:*:19000:0:99999:7:::\n"
	"sshd:*:19000:0:99999:7:::\n"
	"nobody:*:19000:0:99999:7:::\n";

static const char group[] =
	"root:x:0:\n"
	"daemon:x:1:\n"
	"bin:x:2:\n"
	"sys:x:3:\n"
	"adm:x:4:\n"
	"tty:x:5:\n"
	"disk:x:6:\n"
	"lp:x:7:\n"
	"mail:x:8:\n"
	"man:x:12:\n"
	"backup:x:34:\n"
	"operator:x:37:\n"
	"src:x:40:\n"
	"shadow:x:42:\n"
	"utmp:x:43:\n"
	"staff:x:50:\n"
	"users:x:100:\n"
	"nogroup:x:65534:\n";

static const char gshadow[] =
	"root:*::\n"
	"daemon:*::\n"
	"bin:*::\n"
	"sys:*::\n"
	"adm:*::\n"
	"tty:*::\n"
	"disk:*::\n"
	"lp:*::\n"
	"mail:*::\n"
	"man:*::\n"
	"backup:*::\n"
	"operator:*::\n"
	"src:*::\n"
	"shadow:*::\n"
	"utmp:*::\n"
	"staff:*::\n"
	"users:*::\n"
	"nogroup:*::\n";

static const char login_defs[] =
	"MAIL_DIR /var/mail\n"
	"LOG_UNKFAIL_ENAB no\n"
	"ENV_SUPATH PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
	"ENV_PATH PATH=/usr/local/bin:/usr/bin:/bin\n"
	"TTYGROUP tty\n"
	"TTYPERM 0600\n"
	"UMASK 022\n"
	"HOME_MODE 0700\n"
	"PASS_MAX_DAYS 99999\n"
	"PASS_MIN_DAYS 0\n"
	"PASS_WARN_AGE 7\n"
	"UID_MIN 1000\n"
	"UID_MAX 60000\n"
	"GID_MIN 1000\n"
	"GID_MAX 60000\n"
	"SUB_UID_COUNT 0\n"
	"SUB_GID_COUNT 0\n"
	"LOGIN_RETRIES 5\n"
	"LOGIN_TIMEOUT 60\n"
	"USERGROUPS_ENAB yes\n"
	"ENCRYPT_METHOD SHA512\n";

/* Users of a file server have no shell unless one is given to them. */
static const char useradd_defaults[] = "SHELL=/usr/sbin/nologin\nCREATE_MAIL_SPOOL=no\n";

static const char profile[] =
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
	"export PATH LANG=${LANG:-C.UTF-8}\n"
	"umask 022\n"
	"[ -n \"$BASH_VERSION\" ] && [ -r /etc/bash.bashrc ] && . /etc/bash.bashrc\n";

static const char bashrc[] =
	"[ -z \"$PS1\" ] && return\n"
	"shopt -s checkwinsize\n"
	"PS1='\\u@\\h:\\w\\$ '\n";

static const char services[] =
	"ftp 21/tcp\n"
	"ssh 22/tcp\n"
	"domain 53/tcp\n"
	"domain 53/udp\n"
	"http 80/tcp\n"
	"kerberos 88/tcp\n"
	"kerberos 88/udp\n"
	"sunrpc 111/tcp portmapper\n"
	"sunrpc 111/udp portmapper\n"
	"ntp 123/udp\n"
	"epmap 135/tcp\n"
	"netbios-ns 137/udp\n"
	"netbios-dgm 138/udp\n"
	"netbios-ssn 139/tcp\n"
	"ldap 389/tcp\n"
	"ldap 389/udp\n"
	"https 443/tcp\n"
	"microsoft-ds 445/tcp\n"
	"kpasswd 464/tcp\n"
	"kpasswd 464/udp\n"
	"ldaps 636/tcp\n"
	"rsync 873/tcp\n"
	"nfs 2049/tcp\n"
	"nfs 2049/udp\n"
	"globalcatldap 3268/tcp\n"
	"globalcatldaps 3269/tcp\n"
	"mdns 5353/udp\n";

static const char protocols[] =
	"ip 0 IP\n"
	"icmp 1 ICMP\n"
	"tcp 6 TCP\n"
	"udp 17 UDP\n"
	"ipv6 41 IPv6\n"
	"ipv6-icmp 58 IPv6-ICMP\n";

static const char rpc[] =
	"portmapper 100000 portmap sunrpc rpcbind\n"
	"nfs 100003 nfsprog\n"
	"ypserv 100004 ypprog\n"
	"mountd 100005 mount showmount\n"
	"ypbind 100007\n"
	"rquotad 100011 rquotaprog quota rquota\n"
	"nlockmgr 100021\n"
	"status 100024\n"
	"nfs_acl 100227\n";

static const char pam_auth[] =
	"auth [success=1 default=ignore] pam_unix.so\n"
	"auth requisite pam_deny.so\n"
	"auth required pam_permit.so\n";
static const char pam_account[] =
	"account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\n"
	"account requisite pam_deny.so\n"
	"account required pam_permit.so\n";
static const char pam_password[] =
	"password [success=1 default=ignore] pam_unix.so obscure sha512\n"
	"password requisite pam_deny.so\n"
	"password required pam_permit.so\n";
static const char pam_session[] =
	"session required pam_permit.so\n"
	"session optional pam_unix.so\n";
static const char pam_other[] =
	"@include common-auth\n"
	"@include common-account\n"
	"@include common-password\n"
	"@include common-session\n";
static const char pam_su[] =
	"auth sufficient pam_rootok.so\n"
	"@include common-auth\n"
	"@include common-account\n"
	"@include common-session\n";
static const char pam_chsh[] =
	"auth required pam_shells.so\n"
	"auth sufficient pam_rootok.so\n"
	"@include common-auth\n"
	"@include common-account\n"
	"@include common-session\n";

const struct skeleton_entry skeleton[] = {
	{ "etc", DIR_0755, 0, NULL },
	{ "etc/default", DIR_0755, 0, NULL },
	{ "etc/pam.d", DIR_0755, 0, NULL },
	{ "etc/security", DIR_0755, 0, NULL },
	{ "etc/skel", DIR_0755, 0, NULL },
	{ "etc/passwd", FILE_0644, 0, passwd },
	{ "etc/group", FILE_0644, 0, group },
	{ "etc/shadow", S_IFREG | 0640, GID_SHADOW, shadow },
	{ "etc/gshadow", S_IFREG | 0640, GID_SHADOW, gshadow },
	{ "etc/login.defs", FILE_0644, 0, login_defs },
	{ "etc/default/useradd", FILE_0644, 0, useradd_defaults },
	{ "etc/profile", FILE_0644, 0, profile },
	{ "etc/bash.bashrc", FILE_0644, 0, bashrc },
	{ "etc/shells", FILE_0644, 0, "/bin/sh\n/bin/bash\n/usr/bin/bash\n/bin/dash\n" },
	{ "etc/host.conf", FILE_0644, 0, "multi on\n" },
	{ "etc/services", FILE_0644, 0, services },
	{ "etc/protocols", FILE_0644, 0, protocols },
	{ "etc/rpc", FILE_0644, 0, rpc },
	{ "etc/security/limits.conf", FILE_0644, 0, "" },
	{ "etc/pam.d/common-auth", FILE_0644, 0, pam_auth },
	{ "etc/pam.d/common-account", FILE_0644, 0, pam_account },
	{ "etc/pam.d/common-password", FILE_0644, 0, pam_password },
	{ "etc/pam.d/common-session", FILE_0644, 0, pam_session },
	{ "etc/pam.d/common-session-noninteractive", FILE_0644, 0, pam_session },
	{ "etc/pam.d/other", FILE_0644, 0, pam_other },
	{ "etc/pam.d/samba", FILE_0644, 0, pam_other },
	{ "etc/pam.d/login", FILE_0644, 0, pam_other },
	{ "etc/pam.d/passwd", FILE_0644, 0, "@include common-password\n" },
	{ "etc/pam.d/chpasswd", FILE_0644, 0, "@include common-password\n" },
	{ "etc/pam.d/newusers", FILE_0644, 0, "@include common-password\n" },
	{ "etc/pam.d/su", FILE_0644, 0, pam_su },
	{ "etc/pam.d/chsh", FILE_0644, 0, pam_chsh },
	{ "etc/pam.d/chfn", FILE_0644, 0, pam_chsh },
	{ "etc/localtime", LINK, 0, "/run/vnas/localtime" },
	{ "etc/timezone", LINK, 0, "/run/vnas/timezone" },
	{ "etc/os-release", LINK, 0, "../usr/lib/os-release" },
	{ "etc/mtab", LINK, 0, "../proc/self/mounts" },
	/* The template's: it always fits the libraries, whichever template runs. */
	{ "etc/ld.so.cache", LINK, 0, "../usr/lib/vnas/ld.so.cache" },
	{ "etc/hostname", LINK, 0, "/run/vnas/hostname" },
	{ "etc/hosts", LINK, 0, "/run/vnas/hosts" },
	{ "etc/nsswitch.conf", LINK, 0, "/run/vnas/nsswitch.conf" },
	{ "etc/resolv.conf", LINK, 0, "/run/vnas/resolv.conf" },

	{ "var", DIR_0755, 0, NULL },
	{ "var/backups", DIR_0755, 0, NULL },
	{ "var/cache", DIR_0755, 0, NULL },
	{ "var/lib", DIR_0755, 0, NULL },
	{ "var/local", DIR_0755, 0, NULL },
	{ "var/log", DIR_0755, 0, NULL },
	{ "var/log/wtmp", S_IFREG | 0664, GID_UTMP, "" },
	{ "var/log/lastlog", S_IFREG | 0664, GID_UTMP, "" },
	{ "var/mail", S_IFDIR | 02775, GID_MAIL, NULL },
	{ "var/spool", DIR_0755, 0, NULL },
	{ "var/tmp", S_IFDIR | 01777, 0, NULL },
	{ "var/run", LINK, 0, "/run" },
	{ "var/lock", LINK, 0, "/run/lock" },

	{ "home", DIR_0755, 0, NULL },
	{ "root", S_IFDIR | 0700, 0, NULL },
	{ "root/.profile", FILE_0644, 0, "[ -n \"$BASH\" ] && [ -r ~/.bashrc ] && . ~/.bashrc\n" },
	{ "root/.bashrc", FILE_0644, 0, "alias ll='ls -l'\n" },
	{ "srv", DIR_0755, 0, NULL },
};
const size_t n_skeleton = sizeof(skeleton) / sizeof(*skeleton);
