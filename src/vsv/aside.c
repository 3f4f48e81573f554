/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vsv/aside.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

int capabilities_aside(uint64_t without)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d) < 0)
		return -errno;
	for (unsigned i = 0; i < 2; i++)
		d[i].effective = d[i].permitted & ~(uint32_t)(without >> (32 * i));
	return syscall(SYS_capset, &h, d) < 0 ? -errno : 0;
}

int capabilities_none(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[2] = { { .permitted = 0 } };

	return syscall(SYS_capset, &h, none) < 0 ? -errno : 0;
}
