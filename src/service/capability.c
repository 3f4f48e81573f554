/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service/capability.h"

#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <strings.h>

#include "lib/str.h"

#ifndef CAP_CHECKPOINT_RESTORE
#define CAP_CHECKPOINT_RESTORE 40
#endif

/* By number.  A capability that this table does not know is unknown to the configuration too. */
static const struct {
	const char *name;
	const char *why; /* it is refused; NULL: what it opens is the Vsv's own */
} capabilities[] = {
	[CAP_CHOWN] = { "chown", NULL },
	[CAP_DAC_OVERRIDE] = { "dac_override", NULL },
	[CAP_DAC_READ_SEARCH] = { "dac_read_search", "it opens files by handle, past every path and mount" },
	[CAP_FOWNER] = { "fowner", NULL },
	[CAP_FSETID] = { "fsetid", NULL },
	[CAP_KILL] = { "kill", NULL },
	[CAP_SETGID] = { "setgid", NULL },
	[CAP_SETUID] = { "setuid", NULL },
	[CAP_SETPCAP] = { "setpcap", "it hands on rights that a service was not given" },
	[CAP_LINUX_IMMUTABLE] = { "linux_immutable", "it makes files that nobody inside can remove" },
	[CAP_NET_BIND_SERVICE] = { "net_bind_service", NULL },
	[CAP_NET_BROADCAST] = { "net_broadcast", "the kernel does not use it" },
	[CAP_NET_ADMIN] = { "net_admin", "it changes the machine's network" },
	[CAP_NET_RAW] = { "net_raw", "it reads and forges the network's packets" },
	[CAP_IPC_LOCK] = { "ipc_lock", "it takes memory of the machine that no limit counts" },
	[CAP_IPC_OWNER] = { "ipc_owner", "no service of a Vsv needs it" },
	[CAP_SYS_MODULE] = { "sys_module", "it loads code into the kernel" },
	[CAP_SYS_RAWIO] = { "sys_rawio", "it reaches the machine's devices and memory" },
	[CAP_SYS_CHROOT] = { "sys_chroot", NULL },
	[CAP_SYS_PTRACE] = { "sys_ptrace", "it looks into other processes, PID 1 among them" },
	[CAP_SYS_PACCT] = { "sys_pacct", "it writes the machine's process accounting" },
	[CAP_SYS_ADMIN] = { "sys_admin", "it opens the machine" },
	[CAP_SYS_BOOT] = { "sys_boot", "it restarts the machine" },
	[CAP_SYS_NICE] = { "sys_nice", "it takes processor time from the other servers" },
	[CAP_SYS_RESOURCE] = { "sys_resource", "it goes beyond the limits" },
	[CAP_SYS_TIME] = { "sys_time", "it sets the machine's clock" },
	[CAP_SYS_TTY_CONFIG] = { "sys_tty_config", "it acts on the machine's terminals" },
	[CAP_MKNOD] = { "mknod", "it makes device nodes" },
	[CAP_LEASE] = { "lease", NULL },
	[CAP_AUDIT_WRITE] = { "audit_write", "it writes the machine's audit log" },
	[CAP_AUDIT_CONTROL] = { "audit_control", "it changes the machine's auditing" },
	[CAP_SETFCAP] = { "setfcap", "rights of files are not honoured in a Vsv" },
	[CAP_MAC_OVERRIDE] = { "mac_override", "it passes by the machine's access rules" },
	[CAP_MAC_ADMIN] = { "mac_admin", "it changes the machine's access rules" },
	[CAP_SYSLOG] = { "syslog", "it reads the kernel's log" },
	[CAP_WAKE_ALARM] = { "wake_alarm", "it wakes the machine" },
	[CAP_BLOCK_SUSPEND] = { "block_suspend", "it keeps the machine from sleeping" },
	[CAP_AUDIT_READ] = { "audit_read", "it reads the machine's audit log" },
	[CAP_PERFMON] = { "perfmon", "it watches the whole machine" },
	[CAP_BPF] = { "bpf", "it loads code into the kernel" },
	[CAP_CHECKPOINT_RESTORE] = { "checkpoint_restore", "it reaches into other processes" },
};
enum { N_CAPABILITIES = sizeof(capabilities) / sizeof(*capabilities) };

int capability_find(const char *name, const char **ret_why)
{
	if (strncasecmp(name, "cap_", 4) == 0)
		name += 4;
	for (int i = 0; i < N_CAPABILITIES; i++) {
		if (strcasecmp(name, capabilities[i].name) != 0)
			continue;
		*ret_why = capabilities[i].why;
		return i;
	}
	return -EINVAL;
}

uint64_t capability_allowed(void)
{
	uint64_t set = 0;

	for (unsigned i = 0; i < N_CAPABILITIES; i++)
		if (!capabilities[i].why)
			set |= UINT64_C(1) << i;
	return set;
}

void capability_print(uint64_t set, struct strbuf *out)
{
	const char *space = "";

	for (unsigned i = 0; i < N_CAPABILITIES; i++) {
		if (!(set & UINT64_C(1) << i))
			continue;
		strbuf_addf(out, "%s%s", space, capabilities[i].name);
		space = " ";
	}
}
