// SPDX-License-Identifier: GPL-2.0-only
/* The machine around the sockets, see ws_machine.h. */
#include <fcntl.h>

#include <linux/sock_diag.h>

#include "ws_machine.h"
#include "ws_test.h"

#define TCP_MEM		"/proc/sys/net/ipv4/tcp_mem"

bool file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (!ok)
		complain("%s: %s", path, strerror(errno));
	close(fd);
	return ok;
}

bool file_read(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (n < 0)
		complain("%s: %s", path, strerror(errno));
	buf[n < 0 ? 0 : n] = 0;
	close(fd);
	return n >= 0;
}

long long file_number(const char *path, const char *name)
{
	FILE *f = fopen(path, "r");
	long long value = -1, v;
	char line[512], word[64];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %lld", word, &v) == 2 &&
		    !strcmp(word, name))
			value = v;
	if (f)
		fclose(f);
	return value;
}

long tcp_pages(void)
{
	FILE *f = fopen("/proc/net/sockstat", "r");
	char line[256], *at;
	long pages = -1;

	while (f && fgets(line, sizeof(line), f)) {
		at = strstr(line, " mem ");
		if (!strncmp(line, "TCP:", 4) && at)
			pages = atol(at + 5);
	}
	if (f)
		fclose(f);
	return pages;
}

bool debug_kernel(void)
{
	return !access("/sys/kernel/debug/kmemleak", F_OK);
}

long receive_memory(int fd)
{
	__u32 info[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len))
		return -1;
	return info[SK_MEMINFO_RMEM_ALLOC];
}

/* How often pressure has begun: a column of two lines, names and values. */
static long long pressures(void)
{
	static char buf[65536];
	char *name, *value, *more[2];
	char *lines[2];

	if (!file_read("/proc/net/netstat", buf, sizeof(buf)))
		return -1;
	lines[0] = buf;
	lines[1] = strchr(buf, '\n') + 1;
	name = strtok_r(lines[0], "\n ", &more[0]);
	value = strtok_r(lines[1], "\n ", &more[1]);
	while (name && value && strcmp(name, "TCPMemoryPressures")) {
		name = strtok_r(NULL, "\n ", &more[0]);
		value = strtok_r(NULL, "\n ", &more[1]);
	}
	return name && value ? atoll(value) : -1;
}

/* Much that is sent and not read. */
static void hog_send(int fd)
{
	const void *bytes = pattern(0, 65536);
	int i;

	for (i = 0; i < 16; i++)
		if (send(fd, bytes, 65536, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
}

bool tcp_squeeze(struct squeeze *s)
{
	long long before = pressures();
	char marks[96], *limit;
	uint64_t end;

	s->hog = (struct pair){ .ws = -1, .raw = -1 };
	if (!file_read(TCP_MEM, s->saved, sizeof(s->saved)) ||
	    !pairs_connect(&s->hog, 1))
		return false;
	hog_send(s->hog.raw);
	limit = strrchr(s->saved, '\t');
	snprintf(marks, sizeof(marks), "1\t2%s", limit ? limit : "");
	if (!file_write(TCP_MEM, marks))
		return false;
	for (end = now_ms() + WS_TEST_MS; now_ms() < end; usleep(10000)) {
		if (pressures() > before)
			return true;
		/* Makes room, so that buffers are taken again. */
		while (recv(s->hog.ws, NULL, 65536,
			    MSG_DONTWAIT | MSG_TRUNC) > 0)
			;
		hog_send(s->hog.raw);
	}
	return complain("TCP is not under pressure with %ld pages",
			tcp_pages());
}

void tcp_unsqueeze(struct squeeze *s)
{
	if (s->saved[0])
		file_write(TCP_MEM, s->saved);
	s->saved[0] = 0;
	pair_close(&s->hog);
}
