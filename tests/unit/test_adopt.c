/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psv/adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "test.h"
#include "test_volume.h"

static const char text[] =
	"# the sales department\n[server]\nhostname = SALES\n\n[volume root]\nsize = 32M\n\n"
	"[volume data]\nsize = 20M\npool = fast\n\n[share docs]\npath = /srv/data/docs\n";

struct pair {
	struct volume_host h;
	struct conf_volume root, data;
	char root_path[256], data_path[256];
};

/* A stopped server's two images, in a folder that is no pool. */
static void make_pair(struct pair *p)
{
	char outside[200];

	volume_host_make(&p->h, "200m");
	p->root = volume_conf("root", CONF_FS_EXT4, 32);
	p->data = volume_conf("data", CONF_FS_EXT4, 20);
	OK(volume_create(&p->h.psv, "sales", &p->root, text, false, p->root.uuid, err));
	OK(volume_create(&p->h.psv, "sales", &p->data, text, false, p->data.uuid, err));
	(void)str_format(outside, sizeof(outside), "%s/usb", test_dir());
	CHECK_INT(rename(p->h.pool_path, outside), 0);
	(void)str_format(p->root_path, sizeof(p->root_path), "%s/sales.root.img", outside);
	(void)str_format(p->data_path, sizeof(p->data_path), "%s/sales.data.img", outside);
}

static char *conf_here(struct pair *p)
{
	char path[PATH_MAX];
	char *got;

	CHECK_INT(file_read_at(AT_FDCWD, psv_conf_path(&p->h.psv, "sales", path), 65536, &got, NULL), 0);
	return got;
}

TEST(adopt_moves_images_into_the_pool)
{
	struct pair p;
	struct adopt a;
	struct conf c;
	uint64_t known;
	char path[PATH_MAX];

	make_pair(&p);
	const char *const paths[] = { p.data_path, p.root_path };
	OK(adopt_read(&p.h.psv, paths, 2, false, &a, err));
	CHECK_STR(a.server, "sales");
	CHECK_INT(a.n_volumes, 2);
	CHECK_STR(a.volumes[0].label.role, "root");
	CHECK_STR(a.found_text, text);
	/* Nothing has happened yet. */
	CHECK(!psv_exists(&p.h.psv, "sales", NULL));
	CHECK_INT(access(p.root_path, F_OK), 0);
	OK(adopt_register(&p.h.psv, &a, err));
	CHECK_INT(pool_files(&p.h), 2);
	OK(conf_read(psv_conf_path(&p.h.psv, "sales", path), "sales", &c, err));
	CHECK_STR(c.volumes[0].uuid, p.root.uuid);
	/* There is no pool "fast" here. */
	CHECK_STR(c.volumes[1].pool, "default");
	for (size_t i = 0; i < 2; i++) {
		struct volume v;

		OK(volume_open(&p.h.psv, "sales", &c.volumes[i], 1, &v, err));
		OK(volume_mount(&v, err));
		volume_close(&v);
	}
	OK(volume_generation_known(&p.h.psv, "sales", &known, err));
	CHECK_INT(known, 1);
	FAILS(adopt_register(&p.h.psv, &a, err), -EEXIST, "here already");
	FAILS(adopt_read(&p.h.psv, (const char *[]){ a.volumes[0].target }, 1, false, &a, err), -EEXIST, "already");
	adopt_free(&a);
	conf_free(&c);
}

TEST(adopt_leaves_images_of_a_pool_where_they_are)
{
	struct pair p;
	struct conf_pool pools[2];
	struct adopt a;
	_cleanup_free_ char *got = NULL;
	char usb[200];
	struct stat before, after;

	make_pair(&p);
	(void)str_format(usb, sizeof(usb), "%s/usb", test_dir());
	pools[0] = p.h.pool;
	pools[1] = (struct conf_pool){ .name = "slow", .type = CONF_POOL_FILE, .path = usb };
	p.h.psv.conf = (struct conf_psv){ .pools = pools, .n_pools = 2 };
	const char *const paths[] = { p.root_path, p.data_path };
	CHECK_INT(stat(p.root_path, &before), 0);
	OK(adopt_read(&p.h.psv, paths, 2, false, &a, err));
	OK(adopt_register(&p.h.psv, &a, err));
	CHECK_INT(stat(p.root_path, &after), 0);
	CHECK_INT(after.st_ino, before.st_ino);
	got = conf_here(&p);
	CHECK(strstr(got, "# the sales department\n"));
	CHECK(strstr(got, "pool = slow"));
	CHECK(!strstr(got, "pool = fast"));
	adopt_free(&a);
}

TEST(adopt_refuses_what_does_not_belong_together)
{
	struct pair p;
	struct adopt a;
	struct conf_volume other;
	struct volume v;
	char other_path[256], copy[256], pool[128];

	make_pair(&p);
	other = volume_conf("root", CONF_FS_EXT4, 32);
	OK(volume_create(&p.h.psv, "other", &other, text, false, other.uuid, err));
	(void)str_format(other_path, sizeof(other_path), "%s/other.root.img", p.h.pool_path);
	FAILS(adopt_read(&p.h.psv, (const char *[]){ p.data_path }, 1, false, &a, err), -EINVAL, "root volume of server sales");
	FAILS(adopt_read(&p.h.psv, (const char *[]){ p.root_path }, 1, false, &a, err), -EINVAL, "volume data of server sales is not");
	FAILS(adopt_read(&p.h.psv, (const char *[]){ p.data_path, other_path }, 2, false, &a, err), -EINVAL, "belongs to server");
	FAILS(adopt_read(&p.h.psv, (const char *[]){ "/dev/null" }, 1, false, &a, err), -EINVAL, "no regular file");
	FAILS(adopt_read(&p.h.psv, (const char *[]){ "/nowhere" }, 1, false, &a, err), -ENOENT, "cannot find");
	FAILS(adopt_read(&p.h.psv, NULL, 0, false, &a, err), -EINVAL, "no image");
	/* An older copy of one volume. */
	(void)str_format(pool, sizeof(pool), "%s/usb", test_dir());
	p.h.pool.path = pool;
	OK(volume_open(&p.h.psv, "sales", &p.root, 0, &v, err));
	FAILS(adopt_read(&p.h.psv, (const char *[]){ p.root_path, p.data_path }, 2, false, &a, err), -EBUSY, "in use");
	OK(volume_set_generation(&v, 2, text, err));
	volume_close(&v);
	FAILS(adopt_read(&p.h.psv, (const char *[]){ p.root_path, p.data_path }, 2, false, &a, err), -ESTALE, "older copy");
	OK(volume_open(&p.h.psv, "sales", &p.data, 0, &v, err));
	OK(volume_set_generation(&v, 3, text, err));
	volume_close(&v);
	OK(adopt_read(&p.h.psv, (const char *[]){ p.root_path, p.data_path }, 2, false, &a, err));
	adopt_free(&a);
	/* An older copy of all. */
	OK(volume_generation_remember(&p.h.psv, "sales", 3, err));
	FAILS(adopt_read(&p.h.psv, (const char *[]){ p.root_path, p.data_path }, 2, false, &a, err), -ESTALE, "this machine has started 3");
	OK(adopt_read(&p.h.psv, (const char *[]){ p.root_path, p.data_path }, 2, true, &a, err));
	CHECK_INT(a.known_generation, 3);
	CHECK_INT(a.generation, 2);
	adopt_free(&a);
	(void)str_copy(copy, sizeof(copy), p.root_path);
	CHECK_INT(truncate(copy, 10 << 20), 0);
	FAILS(adopt_read(&p.h.psv, (const char *[]){ p.root_path, p.data_path }, 2, false, &a, err), -EUCLEAN, "cut off");
}

/* What was shown is what is taken, or nothing is. */
TEST(adopt_notices_a_change_after_it_was_shown)
{
	struct pair p;
	struct adopt a;
	struct volume v;
	char pool[128], *own = NULL;

	make_pair(&p);
	OK(adopt_read(&p.h.psv, (const char *[]){ p.root_path, p.data_path }, 2, false, &a, err));
	(void)str_format(pool, sizeof(pool), "%s/usb", test_dir());
	own = p.h.pool.path;
	p.h.pool.path = pool;
	OK(volume_open(&p.h.psv, "sales", &p.root, 0, &v, err));
	OK(volume_set_generation(&v, 1, "[server]\nhostname = EVIL\n", err));
	volume_close(&v);
	p.h.pool.path = own;
	FAILS(adopt_register(&p.h.psv, &a, err), -ESTALE, "has changed");
	CHECK(!psv_exists(&p.h.psv, "sales", NULL));
	CHECK_INT(access(p.root_path, F_OK), 0);
	adopt_free(&a);
}

TEST(adopt_failure_moves_images_back)
{
	struct pair p;
	struct adopt a;

	make_pair(&p);
	OK(adopt_read(&p.h.psv, (const char *[]){ p.root_path, p.data_path }, 2, false, &a, err));
	/* Something stands in the second one's way. */
	CHECK_INT(dir_make_path(a.volumes[1].target, 0700), 0);
	FAILS(adopt_register(&p.h.psv, &a, err), -EEXIST, "cannot move");
	CHECK_INT(access(p.root_path, F_OK), 0);
	CHECK(access(a.volumes[0].target, F_OK) < 0);
	CHECK(!psv_exists(&p.h.psv, "sales", NULL));
	adopt_free(&a);
}

TEST(adopt_device)
{
	static const char device_text[] = "[server]\n[volume root]\ndevice = /dev/vda\n";
	struct volume_host h;
	struct conf_volume root;
	struct adopt a;
	char device[64], line[128];
	_cleanup_close_ int loop = -1;

	volume_host_make(&h, "128m");
	loop = host_loop(&h, "disk", 64, device);
	root = volume_conf("root", CONF_FS_EXT4, 0);
	root.device = device;
	OK(volume_create(&h.psv, "sales", &root, device_text, false, root.uuid, err));
	OK(adopt_read(&h.psv, (const char *[]){ device }, 1, false, &a, err));
	(void)str_format(line, sizeof(line), "device = %s\n", device);
	CHECK(strstr(a.conf_text, line));
	CHECK(!strstr(a.conf_text, "/dev/vda"));
	OK(adopt_register(&h.psv, &a, err));
	CHECK(psv_exists(&h.psv, "sales", NULL));
	adopt_free(&a);
}
