// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one user does to another, see ws_isolation.h. All of it is allowed; each
 * attacker has become an ordinary user and is in a memory cgroup. What needs
 * privileges in a namespace gets them from a user namespace, as anybody can.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>

#include "ws_isolation.h"
#include "ws_machine.h"

#define MIB		(1 << 20)

void begun(struct attacker *a)
{
	if (a->ready >= 0 && write(a->ready, "x", 1) != 1)
		complain("nobody waits for the attack");
	a->ready = -1;
}

bool pairs_open(struct pair *p, int n)
{
	int i, err;

	if (!pairs_connect(p, n))
		return false;
	for (i = 0; i < n; i++) {
		if (test_tls() && !pair_secure(&p[i], test_tls()))
			return false;
		err = ws_attach(p[i].ws);
		if (err)
			return complain("attach %d: %s", i, strerror(-err));
	}
	return true;
}

/* As many PINGs as TCP takes, and nothing of the PONGs is looked at. */
static void flood(struct pair *p, int n, struct bytes *pings)
{
	int i;

	for (i = 0; i < n; i++) {
		/* In step with frames, or not at all. */
		if (poll_now(p[i].raw, POLLOUT))
			send(p[i].raw, pings->p, pings->n, MSG_NOSIGNAL);
		while (recv(p[i].raw, NULL, MIB, MSG_DONTWAIT | MSG_TRUNC) > 0)
			;
	}
}

static void make_pings(struct bytes *b, int n, size_t len)
{
	struct pair server = { .role = WS_ROLE_SERVER };

	while (n--)
		bytes_frame(b, &server, PING, pattern(0, len), len);
}

static bool open_for_flood(struct pair *p, int n)
{
	int i;

	if (!pairs_open(p, n))
		return false;
	for (i = 0; i < n; i++)
		poll_now(p[i].ws, POLLIN);
	return true;
}

/* PINGs on many sockets, without end. */
#define FLOODED		200
bool attack_pings(struct attacker *a)
{
	struct pair p[FLOODED];
	struct bytes b = { 0 };

	if (!net_own() || !become_user(ATTACKER_UID) ||
	    !open_for_flood(p, FLOODED))
		return false;
	make_pings(&b, 32, 100);
	flood(p, FLOODED, &b);
	begun(a);
	for (;;)
		flood(p, FLOODED, &b);
}

/*
 * A memory cgroup that is full: each page that it gets costs it another one,
 * which is swapped out. Meanwhile its sockets have PONGs to send.
 */
#define FULL_OF		(96 * MIB)

bool arm_memory(void)
{
	return swap_start("512M");
}

void disarm_memory(void)
{
	swap_end();
}

static void *touch(void *arg)
{
	volatile char *map = arg;
	uint32_t seed = getpid();

	for (;;)
		map[next_random(&seed) % (FULL_OF / 4096) * 4096]++;
	return NULL;
}

bool attack_memory(struct attacker *a)
{
	char *map = mmap(NULL, FULL_OF, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct pair p[FLOODED];
	struct bytes b = { 0 };
	pthread_t thread;
	size_t at;

	if (!net_own() || !become_user(ATTACKER_UID) ||
	    !open_for_flood(p, FLOODED))
		return false;
	make_pings(&b, 16, 100);
	for (at = 0; at < FULL_OF; at += 4096)
		memset(map + at, at / 4096 % 251, 256);
	if (pthread_create(&thread, NULL, touch, map))
		return complain("no thread that swaps");
	begun(a);
	for (;;)
		flood(p, FLOODED, &b);
}

/* Plain connections whose bytes are not read have taken what TCP may have. */
static struct squeeze squeeze;

bool arm_pressure(void)
{
	return tcp_squeeze(&squeeze);
}

void disarm_pressure(void)
{
	tcp_unsqueeze(&squeeze);
}

#define HOGS		100
bool attack_pressure(struct attacker *a)
{
	struct pair p[HOGS];
	int i;

	unsetenv("WS_TEST_TLS");
	if (!net_own() || !become_user(ATTACKER_UID))
		return false;
	for (i = 0; i < HOGS; i++)
		if (!pair_connect(&p[i], AF_INET, WS_ROLE_SERVER))
			return false;
	begun(a);
	for (;; usleep(10000))
		for (i = 0; i < HOGS; i++)
			send(p[i].raw, pattern(0, 65536), 65536,
			     MSG_DONTWAIT | MSG_NOSIGNAL);
}

/*
 * Packets that cost a millisecond each, in a namespace where that is only to the
 * attacker's own disadvantage: taps with filters that do nothing for very long.
 * But only for what the module sends, so that the attacker's PINGs stay cheap.
 */
#define TAPS		150
/* Of eight bytes each, and optmem_max is 20 KiB. */
#define STEPS		2300
/* Where the source port is: behind the headers of Ethernet and IPv4. */
#define SOURCE_PORT	34
static bool add_tap(int port)
{
	static struct sock_filter code[STEPS + 4] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, SOURCE_PORT),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = { STEPS + 4, code };
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), i;

	/* Others end at the next step. */
	code[1] = (struct sock_filter)
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 1, 0);
	for (i = 3; i < STEPS + 3; i++)
		code[i] = (struct sock_filter)
			BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 3);
	code[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	return (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
				       sizeof(prog))) ||
	       complain("packet socket: %s", strerror(errno));
}

bool attack_dear(struct attacker *a)
{
	struct sockaddr_in sin = { 0 };
	socklen_t len = sizeof(sin);
	struct pair p[FLOODED];
	struct bytes b = { 0 };
	int i;

	if (!become_user(ATTACKER_UID) || !user_and_net_own() ||
	    !open_for_flood(p, FLOODED) ||
	    getsockname(p[0].ws, (void *)&sin, &len))
		return false;
	for (i = 0; i < TAPS; i++)
		if (!add_tap(ntohs(sin.sin_port)))
			return false;
	make_pings(&b, 1, 10);
	begun(a);
	/* Not all of the time: a queue of packets is as bad for everybody's TCP. */
	for (;; usleep(30000))
		flood(p, FLOODED, &b);
}

/* A receive buffer that takes all that is to be scanned. */
static bool open_wide(struct pair *p)
{
	return file_write("/proc/sys/net/ipv4/tcp_rmem",
			  "4096 1073741823 1073741823") &&
	       pair_open(p, AF_INET, WS_ROLE_SERVER);
}

static bool fill_with_pings(struct pair *p, struct bytes *pings)
{
	uint64_t end = now_ms() + WS_TEST_MS;
	size_t sent = 0;

	while (sent < 32 * MIB && now_ms() < end) {
		ssize_t n = send(p->raw, pings->p, pings->n,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0)
			sent += n;
		else
			usleep(1000);
	}
	return sent >= 16 * MIB || complain("only %zu KiB", sent / 1024);
}

/*
 * Millions of the smallest frames, which lie there before the first call, and
 * then each of the calls that look at them first, turn by turn.
 */
bool attack_scan(struct attacker *a)
{
	struct bytes b = { 0 };
	int round, waiting;
	struct pair p;

	if (!become_user(ATTACKER_UID) || !user_and_net_own())
		return false;
	while (b.n < MIB)
		bytes_raw(&b, "\x89\x80key\n", 6);
	for (round = 0;; round++) {
		if (!open_wide(&p) || !fill_with_pings(&p, &b))
			return false;
		begun(a);
		if (round % 3 == 0)
			poll_now(p.ws, POLLIN);
		else if (round % 3 == 1)
			ioctl(p.ws, SIOCINQ, &waiting);
		pair_close(&p);
	}
}

/* As busy in a way that has nothing to do with sockets. */
bool attack_busy(struct attacker *a)
{
	volatile int n = 0;

	if (!become_user(ATTACKER_UID))
		return false;
	begun(a);
	for (;;)
		n++;
}

/* Sockets that linger for as long as there is, in as many namespaces as help. */
#define LINGERING	4200
bool attack_linger(struct attacker *a)
{
	struct ws_config cfg = { .close_timeout = 60000 };
	static struct pair p[LINGERING];
	int i;

	if (!become_user(ATTACKER_UID) || !user_and_net_own() ||
	    !pairs_open(p, LINGERING))
		return false;
	for (i = 0; i < LINGERING; i++) {
		ws_set(p[i].ws, WS_CONFIG, &cfg, sizeof(cfg));
		close(p[i].ws);
	}
	begun(a);
	for (;;)
		pause();
}
