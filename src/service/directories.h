/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The services that fetch users from a directory, for the table of services. */
#pragma once

struct service;

extern const struct service sssd_service, rpcbind_service, ypbind_service, winbindd_service;
