/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An interface of the Psv's that a Vsv has for itself.  Its namespace is pinned before it goes there, so that it can be taken
 * back from there whatever became of the processes. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/netlink.h"
#include "lib/netns.h"
#include "lib/nspin.h"
#include "psv/link.h"

static void pin_path(const struct psv *psv, const char *name, char buf[PATH_MAX])
{
	(void)str_format(buf, PATH_MAX, "%s/%s/net", psv->run, name);
}

static int unpin(const char *path, struct err *err)
{
	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
		return err_set(err, -errno, "cannot unmount %s: %m", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(err, -errno, "cannot remove %s: %m", path);
	return 0;
}

/* move: to the namespace `to`, where it gets that name; by the namespace that the caller is in. */
static int move(uint32_t ifindex, int to, const char *name, struct err *err)
{
	_cleanup_netlink_ struct netlink nl = { .fd = -1 };
	struct ifinfomsg *ifi;
	struct netlink_msg m;
	int r = netlink_open(NETLINK_ROUTE, &nl, err);

	if (r < 0)
		return r;
	ifi = netlink_begin(&m, RTM_NEWLINK, 0, sizeof(*ifi));
	ifi->ifi_index = (int)ifindex;
	nl_attr_put_u32(&m.h, IFLA_NET_NS_FD, (uint32_t)to);
	nl_attr_put_strz(&m.h, IFLA_IFNAME, name);
	return netlink_talk(&nl, &m.h, NULL, NULL, err);
}

int link_hand_over(const struct psv *psv, const char *name, const struct link_info *parent, int net_fd, struct err *err)
{
	char path[PATH_MAX];
	int r;

	pin_path(psv, name, path);
	r = nspin(path, net_fd);
	if (r < 0)
		(void)err_set(err, r, "cannot pin the network namespace at %s: %s", path, strerror(-r));
	else
		r = move(parent->ifindex, net_fd, LINK_INSIDE, err);
	if (r == -EINVAL || r == -EOPNOTSUPP)
		return err_wrap(err, r, "interface %s cannot be handed over", parent->name);
	return r < 0 ? err_wrap(err, r, "cannot hand interface %s over", parent->name) : 0;
}

/* bring_home: out of that namespace.  1: done; 0: it is not there. */
static int bring_home(int pinned, const char *name, struct err *err)
{
	struct netns_visit visit _cleanup_netns_ = NETNS_HOME;
	struct link_info l;
	int r = netns_enter(pinned, &visit, err);

	if (r == 0)
		r = link_get(LINK_INSIDE, &l, err);
	if (r == -ENODEV) { /* it never came, or is back */
		err_clear(err);
		return 0;
	}
	r = r < 0 ? r : move(l.ifindex, visit.home, name, err);
	return r < 0 ? r : 1;
}

static int set_up_again(const char *interface, struct err *err)
{
	struct link_info l;
	int r = link_get(interface, &l, err);

	if (r == -ENODEV) { /* somebody has taken it from the machine */
		err_clear(err);
		return 0;
	}
	return r < 0 || l.up ? r : link_set_up(l.ifindex, err);
}

int link_take_back(const struct psv *psv, const char *name, const char *interface, bool was_up, struct err *err)
{
	_cleanup_close_ int pinned = -1;
	bool name_taken = false;
	struct link_info l;
	char path[PATH_MAX];
	int r = 0;

	pin_path(psv, name, path);
	pinned = nspin_open(path, CLONE_NEWNET);
	/* Without the pin the kernel would destroy a virtual one. */
	if (pinned < 0 && pinned != -ENOENT)
		return err_set(err, pinned, "cannot open %s: %s", path, strerror(-pinned));
	if (pinned >= 0) {
		/* Whose name is not known any more comes home by one of the kernel's choice. */
		name_taken = !*interface || link_get(interface, &l, NULL) == 0;
		r = bring_home(pinned, name_taken ? "vnas%d" : interface, err);
		if (r < 0)
			return err_wrap(err, r, "cannot take interface %s back", interface);
		name_taken &= r > 0; /* else it came back before, and somebody was killed just after that */
	}
	/* Before the pin goes: until then the next command does it again.  Without one nothing was handed over. */
	r = pinned >= 0 && was_up && !name_taken && *interface ? set_up_again(interface, err) : 0;
	if (r < 0)
		return err_wrap(err, r, "interface %s is back, but cannot be set up", interface);
	r = unpin(path, err);
	return r < 0 ? r : name_taken;
}
