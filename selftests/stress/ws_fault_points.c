// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's points of failure, see ws_fault.h. Only what has the module's
 * code on its stack is made to fail, so that the test's own sockets and files
 * are left alone.
 */
#include <fcntl.h>

#include "kselftest.h"
#include "ws_fault.h"

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (n < 0)
		complain("%s: %s", path, strerror(errno));
	close(fd);
	return n >= 0;
}

static bool knob(const char *point, const char *name, unsigned long value)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", point, name);
	snprintf(text, sizeof(text), "%#lx", value);
	return write_file(path, text);
}

static bool module_range(unsigned long *start, unsigned long *end)
{
	FILE *f = fopen("/proc/modules", "r");
	unsigned long size, at;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "ws %lu %*s %*s %*s %lx", &size, &at) == 2) {
			fclose(f);
			*start = at;
			*end = at + size;
			return true;
		}
	}
	if (f)
		fclose(f);
	return complain("ws is not loaded");
}

/*
 * TCP forgets a FIN for which there is no memory: not our subject. A debug
 * kernel takes seconds to list its symbols, so it is asked only once, before
 * any test.
 */
static unsigned long fin_start, fin_end;

static void __attribute__((constructor)) find_tcp_send_fin(void)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	char line[512], name[256];
	unsigned long at;

	while (f && !fin_end && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx %*c %255s", &at, name) != 2)
			continue;
		if (!strcmp(name, "tcp_send_fin"))
			fin_start = at;
		else if (fin_start && at > fin_start)
			fin_end = at;
	}
	if (f)
		fclose(f);
}

static int nth_fd = -1;

bool fault_open(void)
{
	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR);
	return (nth_fd >= 0 || complain("fail-nth: %s", strerror(errno))) &&
	       fault_points(0, 0);
}

void fault_close(void)
{
	fault_points(0, 0);
	close(nth_fd);
}

bool fault_arm(unsigned int nth)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", nth);
	return pwrite(nth_fd, text, strlen(text), 0) > 0 ||
	       complain("fail-nth: %s", strerror(errno));
}

bool fault_fired(void)
{
	char text[16] = "";

	return pread(nth_fd, text, sizeof(text) - 1, 0) > 0 && !atoi(text);
}

bool fault_points(int percent_memory, int percent_copy)
{
	static const char *const points[] = {
		"failslab", "fail_page_alloc", "fail_usercopy",
	};
	unsigned long start = 0, end = 0;
	bool ok = module_range(&start, &end);
	size_t i;

	if (!fin_end)
		return complain("/proc/kallsyms has no tcp_send_fin");

	for (i = 0; ok && i < ARRAY_SIZE(points); i++)
		ok = knob(points[i], "require-start", start) &&
		     knob(points[i], "require-end", end) &&
		     knob(points[i], "reject-start", fin_start) &&
		     knob(points[i], "reject-end", fin_end) &&
		     knob(points[i], "stacktrace-depth", 32) &&
		     knob(points[i], "verbose", getenv("FAULT") ? 2 : 0) &&
		     knob(points[i], "task-filter", 0) &&
		     knob(points[i], "interval", 1) &&
		     knob(points[i], "times", -1UL & 0x7fffffff) &&
		     knob(points[i], "probability",
			  i < 2 ? percent_memory : percent_copy);
	return ok && knob("failslab", "ignore-gfp-wait", 0) &&
	       knob("fail_page_alloc", "ignore-gfp-wait", 0) &&
	       knob("fail_page_alloc", "ignore-gfp-highmem", 0) &&
	       knob("fail_page_alloc", "min-order", 0);
}
