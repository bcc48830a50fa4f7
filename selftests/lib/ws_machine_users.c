// SPDX-License-Identifier: GPL-2.0-only
/* Other users, memory cgroups, namespaces and swap, see ws_machine.h. */
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/swap.h>

#include "ws_machine.h"
#include "ws_test.h"

#define GROUPS		"/tmp/ws_groups"
#define ZRAM		"/dev/zram0"

bool group_enter(const char *name, const char *memory_max)
{
	char path[128];

	if (mkdir(GROUPS, 0700) && errno != EEXIST)
		return complain("%s: %s", GROUPS, strerror(errno));
	if (access(GROUPS "/cgroup.procs", F_OK) &&
	    mount("none", GROUPS, "cgroup2", 0, NULL))
		return complain("cgroup2: %s", strerror(errno));
	if (!file_write(GROUPS "/cgroup.subtree_control", "+memory"))
		return false;
	snprintf(path, sizeof(path), GROUPS "/%s", name);
	if (mkdir(path, 0700) && errno != EEXIST)
		return complain("%s: %s", path, strerror(errno));
	snprintf(path, sizeof(path), GROUPS "/%s/memory.max", name);
	if (!file_write(path, memory_max))
		return false;
	snprintf(path, sizeof(path), GROUPS "/%s/cgroup.procs", name);
	return file_write(path, "0");
}

void group_leave(void)
{
	file_write(GROUPS "/cgroup.procs", "0");
}

long long group_memory(const char *name)
{
	char path[128], buf[32];

	snprintf(path, sizeof(path), GROUPS "/%s/memory.current", name);
	return file_read(path, buf, sizeof(buf)) ? atoll(buf) : -1;
}

void groups_end(const char *const *names, int n)
{
	char path[128];
	int i, tries;

	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), GROUPS "/%s", names[i]);
		/* What was in it may still be on its way out. */
		for (tries = 0; tries < 100; tries++) {
			if (!rmdir(path) || errno != EBUSY)
				break;
			usleep(20000);
		}
	}
	umount(GROUPS);
	rmdir(GROUPS);
}

static bool is_swapped_to(void)
{
	char buf[512];

	return file_read("/proc/swaps", buf, sizeof(buf)) &&
	       strstr(buf, ZRAM);
}

/* The first page says how many there are, mkswap(8). */
static bool write_swap_header(void)
{
	int fd = open(ZRAM, O_RDWR), size = getpagesize();
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	char page[65536] = { 0 };
	__u32 head[3] = { 1, end / size - 1, 0 };
	bool ok;

	memcpy(page + 1024, head, sizeof(head));
	memcpy(page + size - 10, "SWAPSPACE2", 10);
	ok = end > size && pwrite(fd, page, size, 0) == size && !fsync(fd);
	close(fd);
	return ok || complain("%s: %s", ZRAM, strerror(errno));
}

bool swap_start(const char *size)
{
	if (is_swapped_to())
		return true;
	if (!file_write("/sys/block/zram0/disksize", size) ||
	    !write_swap_header())
		return false;
	return !swapon(ZRAM, 0) ||
	       complain("swapon %s: %s", ZRAM, strerror(errno));
}

void swap_end(void)
{
	swapoff(ZRAM);
	file_write("/sys/block/zram0/reset", "1");
}

static bool lo_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int err = ioctl(fd, SIOCSIFFLAGS, &ifr);

	close(fd);
	return !err || complain("lo: %s", strerror(errno));
}

bool net_own(void)
{
	if (unshare(CLONE_NEWNET))
		return complain("network namespace: %s", strerror(errno));
	return lo_up();
}

bool user_and_net_own(void)
{
	int uid = getuid(), gid = getgid();
	char map[64];

	/* Whose the files of /proc/self are. */
	prctl(PR_SET_DUMPABLE, 1);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return complain("user namespace: %s", strerror(errno));
	snprintf(map, sizeof(map), "0 %d 1", uid);
	if (!file_write("/proc/self/uid_map", map) ||
	    !file_write("/proc/self/setgroups", "deny"))
		return false;
	snprintf(map, sizeof(map), "0 %d 1", gid);
	return file_write("/proc/self/gid_map", map) && lo_up();
}

bool become_user(int uid)
{
	return (!setgroups(0, NULL) && !setgid(uid) && !setuid(uid)) ||
	       complain("user %d: %s", uid, strerror(errno));
}
