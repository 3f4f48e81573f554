/* SPDX-License-Identifier: GPL-2.0-or-later */
/* replay FOLDER…: gives every file of a corpus to the target that it is linked with. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "lib/cleanup.h"
#include "lib/fd.h"

static int replay(const char *folder)
{
	_cleanup_closedir_ DIR *d = opendir(folder);
	const struct dirent *e;
	unsigned n = 0;

	while (d && (e = readdir(d))) {
		_cleanup_free_ char *text = NULL;
		size_t len;

		if (e->d_name[0] == '.')
			continue;
		if (file_read_at(dirfd(d), e->d_name, 16 * 1024 * 1024, &text, &len) < 0) {
			(void)fprintf(stderr, "cannot read %s/%s\n", folder, e->d_name);
			return 1;
		}
		/* Said before, so that a crash names its file. */
		(void)printf("%s/%s\n", folder, e->d_name);
		(void)fflush(stdout);
		(void)LLVMFuzzerTestOneInput((const uint8_t *)text, len);
		n++;
	}
	if (n == 0)
		(void)fprintf(stderr, "no files in %s\n", folder);
	return n == 0;
}

int main(int argc, char **argv)
{
	int status = argc < 2;

	for (int i = 1; i < argc; i++)
		status |= replay(argv[i]);
	return status;
}
