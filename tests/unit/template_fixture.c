/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "template_fixture.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/process.h"
#include "lib/str.h"
#include "psv/psv.h"
#include "psv/template.h"
#include "test.h"

void fixture_require(void)
{
	if (!program_find("mkfs.erofs", NULL, 0))
		SKIP("no mkfs.erofs");
	if (geteuid() != 0)
		SKIP("not root");
	CHECK_INT(unshare(CLONE_NEWNS), 0);
	CHECK_INT(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	CHECK_INT(mount("tmpfs", test_dir(), "tmpfs", 0, "size=1g"), 0);
}

void fixture_psv(struct psv *psv, const char *sub)
{
	char dir[128];

	*psv = (struct psv){ 0 };
	CHECK(str_format(dir, sizeof(dir), "%s/%s", test_dir(), sub));
	CHECK_INT(dir_make_path(dir, 0700), 0);
	CHECK(str_format(psv->lib, sizeof(psv->lib), "%s/lib", dir));
	CHECK(str_format(psv->run, sizeof(psv->run), "%s/run", dir));
	CHECK_INT(setenv("VNAS_PREFIX", dir, 1), 0);
}

void fixture_init(const char *mark)
{
	struct {
		Elf64_Ehdr head;
		char mark[16];
	} program = { .head = { .e_ident = ELFMAG, .e_phentsize = sizeof(Elf64_Phdr) } };
	char path[128];
	int fd;

	program.head.e_ident[EI_CLASS] = ELFCLASS64;
	CHECK(str_copy(program.mark, sizeof(program.mark), mark));
	CHECK(str_format(path, sizeof(path), "%s/libexec", test_dir()));
	CHECK(mkdir(path, 0755) == 0 || errno == EEXIST);
	CHECK_INT(setenv("VNAS_LIBEXEC", path, 1), 0);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(file_write_atomic_at(fd, "vnas-init", &program, sizeof(program), 0755), 0);
	CHECK_INT(file_write_atomic_at(fd, "vnas-discover", &program, sizeof(program), 0755), 0);
	(void)close(fd);
}

void fixture_build(const struct psv *psv, struct template *t)
{
	struct err e = { 0 };

	if (template_build(psv, NULL, t, NULL, &e) < 0)
		test_fail(__FILE__, __LINE__, e.text);
}
