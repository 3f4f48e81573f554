/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What goes into a template: as little as makes a pleasant server.  Whatever lies in it can be read and run by every
 * tenant, so nothing is there for the Psv's sake. */
#include <string.h>

#include "lib/str.h"
#include "psv/template-parts.h"

const struct recipe_package recipe_base[] = {
	{ "base-files", false }, /* os-release */
	{ "bash", false },
	{ "coreutils", false },
	{ "dash", false },
	{ "debianutils", false },
	{ "diffutils", false },
	{ "findutils", false },
	{ "grep", false },
	{ "gzip", false },
	{ "hostname", false },
	{ "libc-bin", false },       /* getent, iconv, C.UTF-8 */
	{ "libpam-modules", false },
	{ "login", true },           /* nologin, in Debian 12 */
	{ "mawk", true },
	{ "ncurses-base", false },   /* terminfo, for the shell's line editing */
	{ "passwd", false },         /* useradd, groupadd, chpasswd */
	{ "procps", false },
	{ "sed", false },
	{ "tar", false },
	{ "util-linux", false },     /* su, flock, more */
	{ "acl", true },             /* getfacl: backups look at rights */
	{ "attr", true },
	{ "libc-gconv-modules-extra", true }, /* EUC-JP and CP932, where they are a package of their own */
	{ "less", true },
	{ "ncurses-bin", true },     /* clear */
	{ "tzdata", false },         /* [server] timezone */
	{ "tzdata-legacy", true },
	{ NULL, false },
};

/* Installed and depended on, but only by maintainer scripts, by samba-tool and by services that a Vsv does not run.  A
 * name that ends in '*' stands for all that begin so. */
static const char *const left_out[] = {
	"adduser", "debconf", "debconf-2.0", "dpkg", "init-system-helpers", "libpam-runtime", "lsb-base", "media-types",
	"perl*", "python3*", "libpython3*", "systemd*", "sysvinit-utils", "tdb-tools", "ucf",
};

/* Prefixes of paths below /usr that no program of a Vsv reads. */
static const char *const unwanted[] = {
	"games/", "include/", "lib/debug/", "lib/init/", "lib/lsb/", "lib/modprobe.d/", "lib/modules/", "lib/python3",
	"lib/python3/", "lib/sysctl.d/", "lib/systemd/", "lib/sysusers.d/", "lib/tmpfiles.d/", "lib/udev/",
	"lib/valgrind/", "local/", "share/applications/", "share/apport/", "share/base-files/",
	"share/bash-completion/", "share/bug/", "share/common-licenses/", "share/debconf/", "share/debianutils/",
	"share/dict/", "share/doc-base/", "share/doc/", "share/gdb/", "share/icons/", "share/info/", "share/initramfs-tools/",
	"share/lintian/", "share/locale/", "share/man/", "share/menu/", "share/pam-configs/", "share/perl5/",
	"share/pixmaps/", "share/polkit-1/", "share/python3/", "share/samba/setup/", "share/tabset/", "share/vim/",
	"share/zoneinfo/posix/", "share/zoneinfo/right/", "share/zsh/", "src/",
};

bool recipe_leaves_out(const char *package)
{
	for (size_t i = 0; i < sizeof(left_out) / sizeof(*left_out); i++) {
		size_t n = strlen(left_out[i]);

		if (left_out[i][n - 1] == '*' ? strncmp(package, left_out[i], n - 1) == 0 :
						strcmp(package, left_out[i]) == 0)
			return true;
	}
	return false;
}

bool recipe_wants_file(const char *path)
{
	/* A link to a folder for foreign modules, which is empty and hence not in a template: sssd ends when it leads nowhere. */
	static const char compat[] = "/samba/ldb/compat";
	size_t n = strlen(path);

	if (n > strlen(compat) && strcmp(path + n - strlen(compat), compat) == 0)
		return false;
	for (size_t i = 0; i < sizeof(unwanted) / sizeof(*unwanted); i++)
		if (str_starts(path, unwanted[i]))
			return false;
	return true;
}
