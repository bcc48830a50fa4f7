// SPDX-License-Identifier: GPL-2.0-only
/*
 * No page is left, however the life of a socket ends and whatever it was
 * sending. A page of the module's own is seen to be missing after some hundred
 * lives; a page of a file can be sealed only when nobody else has a reference.
 */
#include "kselftest_harness.h"
#include "ws_machine.h"
#include "ws_test.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

/* Lives at a time, and how often. */
#define LIVES		25
#define TIMES		4
/* Before it is said that memory is missing. */
#define ROUNDS		4
/* More than the send buffer and the peer take. */
#define LENGTH		200000
#define SNDBUF		65536
#define RCVBUF		20000
/* Of the least that a life takes of the module's pages. */
#define PAGES_KIB	32
#define FILE_LENGTH	(256 << 10)

struct lives {
	struct pair p[LIVES];
	int file;
	char *map;	/* the file, and a page behind it that is not there */
	__u32 role;
	bool (*begin)(struct pair *p, int file, char *map);
	void (*end)(struct pair *p);
};

FIXTURE(lives)
{
	struct lives l;
};

FIXTURE_VARIANT(lives)
{
	__u32 role;
	bool (*begin)(struct pair *p, int file, char *map);
};

/* Whatever it takes of it: a part is under way, or the call has failed. */
static bool began(ssize_t n)
{
	return n > 0 || errno == EAGAIN || errno == EFAULT ||
	       complain("send: %s", strerror(errno));
}

/*
 * A frame that is cut: without MSG_DONTWAIT, which makes frames for which there
 * is room.
 */
static bool begin_copy(struct pair *p, int file, char *map)
{
	struct timeval tv = { .tv_usec = 1000 };

	(void)file;
	(void)map;
	setsockopt(p->ws, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	return began(send(p->ws, pattern(0, LENGTH), LENGTH, MSG_NOSIGNAL));
}

/* A message that goes on, and the frame that gathers for it. */
static bool begin_gather(struct pair *p, int file, char *map)
{
	int i;

	(void)file;
	(void)map;
	for (i = 0; i < 40; i++)
		if (!began(send(p->ws, pattern(0, 1000), 1000,
				MSG_MORE | MSG_DONTWAIT | MSG_NOSIGNAL)))
			return false;
	return true;
}

/* The program's memory ends in the middle of a frame. */
static bool begin_fault(struct pair *p, int file, char *map)
{
	(void)file;
	return began(send(p->ws, map + FILE_LENGTH - 40000, 41000,
			  MSG_DONTWAIT | MSG_NOSIGNAL)) &&
	       began(send(p->ws, map + FILE_LENGTH - 20000, 20100,
			  MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE));
}

/* PONGs that the peer does not read. */
static bool begin_pongs(struct pair *p, int file, char *map)
{
	struct bytes b = { 0 };
	int i;

	(void)file;
	(void)map;
	for (i = 0; i < 300; i++)
		bytes_frame(&b, p, PING, pattern(i, 125), 125);
	return poll_now(p->ws, POLLIN) >= 0 && raw_send_bytes(p, &b);
}

static bool begin_file(struct pair *p, int file, char *map)
{
	off_t at = 0;

	(void)map;
	fcntl(p->ws, F_SETFL, O_NONBLOCK);
	return began(sendfile(p->ws, file, &at, FILE_LENGTH));
}

static bool begin_zerocopy(struct pair *p, int file, char *map)
{
	int one = 1;

	(void)file;
	return !setsockopt(p->ws, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) &&
	       began(send(p->ws, map, FILE_LENGTH,
			  MSG_ZEROCOPY | MSG_DONTWAIT | MSG_NOSIGNAL)) &&
	       began(send(p->ws, map, 5000, MSG_ZEROCOPY | MSG_DONTWAIT |
			  MSG_NOSIGNAL | MSG_MORE));
}

FIXTURE_VARIANT_ADD(lives, copy_server) { WS_ROLE_SERVER, begin_copy };
FIXTURE_VARIANT_ADD(lives, copy_client) { WS_ROLE_CLIENT, begin_copy };
FIXTURE_VARIANT_ADD(lives, gather_server) { WS_ROLE_SERVER, begin_gather };
FIXTURE_VARIANT_ADD(lives, gather_client) { WS_ROLE_CLIENT, begin_gather };
FIXTURE_VARIANT_ADD(lives, fault_server) { WS_ROLE_SERVER, begin_fault };
FIXTURE_VARIANT_ADD(lives, fault_client) { WS_ROLE_CLIENT, begin_fault };
FIXTURE_VARIANT_ADD(lives, pongs_server) { WS_ROLE_SERVER, begin_pongs };
FIXTURE_VARIANT_ADD(lives, pongs_client) { WS_ROLE_CLIENT, begin_pongs };
FIXTURE_VARIANT_ADD(lives, file_server) { WS_ROLE_SERVER, begin_file };
FIXTURE_VARIANT_ADD(lives, file_client) { WS_ROLE_CLIENT, begin_file };
FIXTURE_VARIANT_ADD(lives, zerocopy_server) { WS_ROLE_SERVER, begin_zerocopy };
FIXTURE_VARIANT_ADD(lives, zerocopy_client) { WS_ROLE_CLIENT, begin_zerocopy };

FIXTURE_SETUP(lives)
{
	struct lives *l = &self->l;
	int page = getpagesize();

	l->role = variant->role;
	l->begin = variant->begin;
	l->file = memfd_create("lives", MFD_ALLOW_SEALING);
	ASSERT_LE(0, l->file);
	ASSERT_EQ(0, ftruncate(l->file, FILE_LENGTH));
	ASSERT_EQ(FILE_LENGTH, pwrite(l->file, pattern(0, FILE_LENGTH), FILE_LENGTH, 0));
	l->map = mmap(NULL, FILE_LENGTH + page, PROT_READ, MAP_SHARED, l->file, 0);
	ASSERT_NE(MAP_FAILED, l->map);
	ASSERT_EQ(0, munmap(l->map + FILE_LENGTH, page));
}

FIXTURE_TEARDOWN(lives)
{
	close(self->l.file);
}

static void close_fd(int *fd)
{
	close(*fd);
	*fd = -1;
}

/* The peer answers the Close before it comes, and reads all of it. */
static void end_read(struct pair *p)
{
	static char buf[65536];
	struct bytes b = { 0 };

	close_fd(&p->ws);
	bytes_close(&b, p, 1000, "");
	raw_send_bytes(p, &b);
	shutdown(p->raw, SHUT_WR);
	while (recv(p->raw, buf, sizeof(buf), 0) > 0)
		;
}

static void end_reset(struct pair *p)
{
	close_reset(&p->raw);
}

static void end_abort(struct pair *p)
{
	close_reset(&p->ws);
}

static void end_unread(struct pair *p)
{
	close_fd(&p->ws);
}

/* Nobody answers the Close: the time limit ends it. */
static void end_limit(struct pair *p)
{
	struct ws_config cfg = { .role = p->role, .close_timeout = WS_TIME_MIN };

	ws_set(p->ws, WS_CONFIG, &cfg, sizeof(cfg));
	close_fd(&p->ws);
}

static bool all_gone(void)
{
	return stat_becomes("WsCurrSockets", 0) && stat_becomes("WsCurrLingering", 0);
}

static bool live(struct lives *l)
{
	int i, small = SNDBUF;

	for (i = 0; i < LIVES; i++) {
		struct pair *p = &l->p[i];

		if (!pair_open_rcvbuf(p, AF_INET, l->role, 0, RCVBUF, 0) ||
		    setsockopt(p->ws, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) ||
		    !l->begin(p, l->file, l->map))
			return false;
	}
	for (i = 0; i < LIVES; i++)
		l->end(&l->p[i]);
	if (l->end == end_limit && !all_gone())
		return false;
	for (i = 0; i < LIVES; i++)
		pair_close(&l->p[i]);
	return all_gone();
}

static long available_kib(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long kib = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

/* All but a quarter of what they would hold if each kept a page. */
static bool memory_is_back(long before, int lives)
{
	long missing, allowed = 1L * lives * PAGES_KIB / 4;
	uint64_t end = now_ms() + test_patience(500);

	do {
		missing = before - available_kib();
		if (missing < allowed || debug_kernel())
			return true;
		usleep(5000);
	} while (now_ms() < end);
	return complain("%ld KiB are missing after %d lives", missing, lives);
}

/*
 * A reader leaves buffers to the processor that allocated them, which frees them
 * when it next receives something: have each receive a datagram.
 */
static void free_deferred(void)
{
	struct sockaddr_in self = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int cpu, fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr *addr = (struct sockaddr *)&self;
	socklen_t len = sizeof(self);
	cpu_set_t all, one;
	char c = 0;

	if (sched_getaffinity(0, sizeof(all), &all) || bind(fd, addr, len) ||
	    getsockname(fd, addr, &len)) {
		close(fd);
		return;
	}
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (!sched_setaffinity(0, sizeof(one), &one) &&
		    sendto(fd, &c, 1, 0, addr, len) == 1)
			recvfrom(fd, &c, 1, 0, NULL, NULL);
	}
	sched_setaffinity(0, sizeof(all), &all);
	close(fd);
}

static bool seal(struct lives *l)
{
	free_deferred();
	return !fcntl(l->file, F_ADD_SEALS, F_SEAL_WRITE);
}

static bool sealed(struct lives *l)
{
	munmap(l->map, FILE_LENGTH);
	return wait_until(seal(l)) ||
	       complain("a page of the file has another reference: %s",
			strerror(errno));
}

static bool all_lives(struct lives *l, void (*end)(struct pair *p))
{
	int i, round, times = debug_kernel() ? 1 : TIMES;
	long before;

	l->end = end;
	/* What is allocated once. */
	if (!live(l))
		return false;
	/* Others use memory, too; but only what is kept goes on to be missing. */
	for (round = 0; round < ROUNDS; round++) {
		before = available_kib();
		for (i = 0; i < times; i++)
			if (!live(l))
				return false;
		if (memory_is_back(before, times * LIVES))
			return sealed(l);
	}
	return false;
}

TEST_F_TIMEOUT(lives, read, 240)
{
	EXPECT_TRUE(all_lives(&self->l, end_read));
}

TEST_F_TIMEOUT(lives, reset_by_the_peer, 240)
{
	EXPECT_TRUE(all_lives(&self->l, end_reset));
}

TEST_F_TIMEOUT(lives, aborted, 240)
{
	EXPECT_TRUE(all_lives(&self->l, end_abort));
}

TEST_F_TIMEOUT(lives, closed_with_bytes_unsent, 240)
{
	EXPECT_TRUE(all_lives(&self->l, end_unread));
}

TEST_F_TIMEOUT(lives, ended_by_the_limit, 240)
{
	EXPECT_TRUE(all_lives(&self->l, end_limit));
}

TEST_HARNESS_MAIN
