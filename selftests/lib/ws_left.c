// SPDX-License-Identifier: GPL-2.0-only
/*
 * After each test the harness looks whether something of the module is left:
 * sockets and what they have read ahead, references of the module, slab objects,
 * TCP's sockets and memory. A context has one reference, is the only one to have
 * a timer, and is freed when that is stopped: what is left of these shows there.
 *
 * kselftest_harness.h starts a test with fork() and waits with waitpid(); the
 * linker puts the two functions below in their place, see the Makefile.
 */
#include <fcntl.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>

#include "ws_wire.h"

#define SLAB		"/sys/kernel/slab/ws_ctx/"

enum {
	L_SOCKETS, L_TLS_PAGES, L_LINGERING, L_REFERENCES, L_TCP, L_ORPHANS,
	L_TCP_PAGES, L_OBJECTS, LEFT
};

static const char * const names[LEFT] = {
	"attached sockets", "pages read ahead from TLS", "lingering sockets",
	"references of the module", "sockets of TCP", "orphans of TCP",
	"pages of TCP's memory", "slab objects ws_ctx",
};

static long before[LEFT];
static pid_t harness;

/* A file of one or a few lines; "" when it is not there. */
static const char *content(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, size - 1);

	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = 0;
	return buf;
}

/* The number behind a word. */
static long behind(const char *text, const char *word)
{
	const char *at = strstr(text, word);

	return at ? strtol(at + strlen(word), NULL, 10) : 0;
}

/*
 * Empty slabs that a processor keeps count as if their objects were in use.
 * Another cache of the same size may share them; then nothing can be said.
 */
static long objects(bool shrink)
{
	char buf[64];
	int fd;

	if (atoi(content(SLAB "aliases", buf, sizeof(buf))))
		return 0;
	if (shrink) {
		fd = open(SLAB "shrink", O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "1", 1) != 1)
			complain(SLAB "shrink: %s", strerror(errno));
		close(fd);
	}
	return atol(content(SLAB "objects", buf, sizeof(buf)));
}

static void count(long *now)
{
	char buf[4096];

	content("/proc/net/ws_stat", buf, sizeof(buf));
	now[L_SOCKETS] = behind(buf, "WsCurrSockets");
	now[L_TLS_PAGES] = behind(buf, "WsCurrTlsPages");
	now[L_LINGERING] = behind(buf, "WsCurrLingering");
	now[L_REFERENCES] = atol(content("/sys/module/ws/refcnt", buf, sizeof(buf)));
	content("/proc/net/sockstat", buf, sizeof(buf));
	now[L_TCP] = behind(buf, " alloc ");
	now[L_ORPHANS] = behind(buf, " orphan ");
	now[L_TCP_PAGES] = behind(buf, " mem ");
}

/* Of TCP's memory each processor keeps up to a MiB for itself. */
static long slack(int what)
{
	return what == L_TCP_PAGES ? get_nprocs() * (1048576 / getpagesize()) : 0;
}

static int first_left(const long *now)
{
	int i;

	for (i = 0; i < LEFT; i++)
		if (now[i] > before[i] + slack(i))
			return i;
	return LEFT;
}

static void left_before_test(void)
{
	long pages = before[L_TCP_PAGES];

	before[L_OBJECTS] = objects(!harness);
	count(before);
	/* Little by little counts, too: from the first test on. */
	if (harness && pages < before[L_TCP_PAGES])
		before[L_TCP_PAGES] = pages;
}

static bool nothing_left(long *now)
{
	count(now);
	now[L_OBJECTS] = before[L_OBJECTS];
	if (first_left(now) < LEFT)
		return false;
	now[L_OBJECTS] = objects(false);
	if (now[L_OBJECTS] > before[L_OBJECTS])
		now[L_OBJECTS] = objects(true);
	return first_left(now) == LEFT;
}

/*
 * Some things take a moment: a work, a grace period, a FIN; on a network that
 * loses packets, TCP's last timers take minutes.
 */
static bool left_after_test(void)
{
	long now[LEFT];
	int i;

	/* KASAN holds freed objects back; there kmemleak looks, in its own time. */
	if (!access("/sys/kernel/debug/kmemleak", F_OK))
		return true;
	for (i = 0; i < 6; i++)
		if (nothing_left(now) || wait_until(nothing_left(now)))
			return true;
	for (i = first_left(now); i < LEFT; i++)
		if (now[i] > before[i] + slack(i))
			complain("left by this test: %s, %ld, before it %ld", names[i],
				 now[i], before[i]);
	return false;
}

pid_t __wrap_fork(void)
{
	if (&__active_test && (!harness || harness == getpid())) {
		left_before_test();
		wire_before_test();
		harness = getpid();
	} else {
		wire_fork();
	}
	return __real_fork();
}

pid_t __wrap_waitpid(pid_t pid, int *status, int options)
{
	pid_t ret = __real_waitpid(pid, status, options);

	if (!&__active_test || !__active_test || ret < 0)
		return ret;
	/* The time limit is the test's. */
	__real_alarm(0);
	if (WIFEXITED(*status) && WEXITSTATUS(*status) == 1)
		return ret;
	if (!wire_after_test() || !left_after_test())
		*status = 1 << 8;
	return ret;
}
