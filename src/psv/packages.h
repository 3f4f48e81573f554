/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>

/* package_installed: a Debian package of the physical server's. */
bool package_installed(const char *package);
