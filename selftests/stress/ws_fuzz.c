// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fuzzer of sockets: random programs of calls on an attached socket, with
 * random streams from its peer, cut at random; and now and then a valid
 * stream of which every byte is compared. Where the kernel has KCOV, recipes
 * that reach new places of the module are kept and changed further.
 *
 *	ws_fuzz [--seed N] [--seconds N | --runs N] [--first RUN]
 *		[--recipe HEX] [--slow N] [--trace]
 *
 * Without KCOV run number N of a seed is always the same: --first N --runs 1.
 * With KCOV the recipe of a failed run is printed, and with --trace, each one
 * goes to the kernel's log before it is run, where a splat can be seen.
 */
#include "ws_fuzz.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <linux/kcov.h>

#define RECIPE_MAX	192
#define CORPUS_MAX	1024
/* Entries of KCOV's buffer; what does not fit is lost, which does no harm. */
#define KCOV_SIZE	(1 << 16)
#define CALL_MS		20000

struct recipe {
	uint16_t n;
	uint8_t p[RECIPE_MAX];
};

static struct {
	uint64_t seed;
	uint64_t runs;
	uint64_t first;
	unsigned int seconds;
	unsigned int slow;
	bool trace;
	bool one;
	struct recipe recipe;
} opt = { .seed = 1, .seconds = 12, .slow = 1 };

static struct recipe corpus[CORPUS_MAX];
static unsigned int ncorpus;
static struct recipe current;
static uint64_t run_number;

static void print_recipe(FILE *f)
{
	int i;

	fprintf(f, "# --seed %llu --first %llu --recipe ",
		(unsigned long long)opt.seed, (unsigned long long)run_number);
	for (i = 0; i < current.n; i++)
		fprintf(f, "%02x", current.p[i]);
	fprintf(f, "\n");
	fflush(f);
}

static void *watchdog(void *arg)
{
	unsigned int limit = CALL_MS * opt.slow;
	int i;

	for (;;) {
		sleep(1);
		for (i = 0; i < 2; i++) {
			const char *what = __atomic_load_n(&watched[i].what,
							   __ATOMIC_ACQUIRE);

			/* A valid stream has a limit of its own. */
			if (!what || !strcmp(what, "a valid stream") ||
			    in_time(watched[i].since, limit))
				continue;
			printf("not ok 1 no call takes long: %s did\n", what);
			print_recipe(stdout);
			_exit(1);
		}
	}
	return arg;
}

static struct {
	int fd;
	unsigned long *area;
	uint8_t seen[1 << 16];
	unsigned int places;
} kcov = { .fd = -1 };

static void kcov_open(void)
{
	kcov.fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	if (kcov.fd < 0)
		return;
	kcov.area = MAP_FAILED;
	if (!ioctl(kcov.fd, KCOV_INIT_TRACE, (unsigned long)KCOV_SIZE))
		kcov.area = mmap(NULL, KCOV_SIZE * sizeof(long),
				 PROT_READ | PROT_WRITE, MAP_SHARED, kcov.fd,
				 0);
	if (kcov.area != MAP_FAILED &&
	    !ioctl(kcov.fd, KCOV_ENABLE, KCOV_TRACE_PC))
		return;
	close(kcov.fd);
	kcov.fd = -1;
}

static void kcov_begin(void)
{
	if (kcov.fd >= 0)
		__atomic_store_n(&kcov.area[0], 0, __ATOMIC_RELAXED);
}

/* How many ways from one place to the next are new. */
static unsigned int kcov_new(void)
{
	unsigned long i, n, last = 0;
	unsigned int fresh = 0;

	if (kcov.fd < 0)
		return 0;
	n = __atomic_load_n(&kcov.area[0], __ATOMIC_RELAXED);
	if (n > KCOV_SIZE - 1)
		n = KCOV_SIZE - 1;
	for (i = 1; i <= n; i++) {
		uint64_t way = kcov.area[i] * 0x9e3779b97f4a7c15ULL ^ last;
		uint16_t at = (way * 0xff51afd7ed558ccdULL) >> 48;

		last = kcov.area[i];
		fresh += !kcov.seen[at];
		kcov.seen[at] = 1;
	}
	kcov.places += fresh;
	return fresh;
}

static void random_recipe(struct dice *d)
{
	int i;

	current.n = 16 + roll64(d) % (RECIPE_MAX - 16);
	for (i = 0; i < current.n; i++)
		current.p[i] = roll64(d);
}

static void change_recipe(struct dice *d)
{
	const struct recipe *other = &corpus[roll64(d) % ncorpus];
	int changes = 1 + roll64(d) % 6;
	uint16_t at;

	current = corpus[roll64(d) % ncorpus];
	while (changes--) {
		at = roll64(d) % current.n;
		switch (roll64(d) % 4) {
		case 0:
			current.p[at] = roll64(d);
			break;
		case 1:
			current.p[at] ^= 1 << roll64(d) % 8;
			break;
		case 2:
			memmove(current.p + at, current.p + at / 2,
				current.n - at);
			break;
		default:
			if (at < other->n) {
				memcpy(current.p + at, other->p + at,
				       other->n - at);
				current.n = other->n;
			}
			break;
		}
	}
}

struct second {
	struct world w;
	struct dice d;
	pthread_t thread;
};

static void *second_thread(void *arg)
{
	struct second *s = arg;
	int n = 1 + roll(&s->d, 12);

	thread_number = 1;
	while (n--)
		fuzz_call(&s->w, s->w.p.ws, &s->d);
	if (s->w.other >= 0)
		close(s->w.other);
	return NULL;
}

static void chaos(struct world *w, struct dice *d)
{
	bool both = chance(d, 6), two = chance(d, 4);
	struct second s = { .w = *w };
	int n = 4 + roll(d, 28);

	if (both) {
		ws_attach(w->p.raw);
		ws_set_role(w->p.raw, !w->p.role);
	}
	s.d.rest = 1 + roll64(d);
	two = two && !pthread_create(&s.thread, NULL, second_thread, &s);
	while (n--) {
		if (chance(d, 2))
			fuzz_call(w, w->p.ws, d);
		else if (both && w->p.raw >= 0)
			fuzz_call(w, w->p.raw, d);
		else
			fuzz_peer(w, d);
	}
	if (two)
		pthread_join(s.thread, NULL);
}

/* Memory for calls, with a wall behind it; the same in every run. */
static void build_arena(struct world *w)
{
	w->arena = mmap(NULL, ARENA + 4096, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	w->file = syscall(__NR_memfd_create, "ws_fuzz", 0);
	if (w->arena == MAP_FAILED || w->file < 0 ||
	    ftruncate(w->file, ARENA) ||
	    mprotect(w->arena + ARENA, 4096, PROT_NONE))
		abort();
	w->wall = w->arena + ARENA;
	w->map = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_SHARED,
		      w->file, 0);
	if (w->map == MAP_FAILED)
		abort();
	memcpy(w->map, pattern(0, ARENA), ARENA);
	memcpy(w->arena, pattern(1, ARENA), ARENA);
}

static bool one_run(struct world *w)
{
	struct dice d = { .p = current.p, .n = current.n,
			  .rest = 88172645463325252ULL + current.p[0] };
	bool valid = chance(&d, 8), ok;

	ok = world_open(w, &d, valid);
	if (ok) {
		kcov_begin();
		ok = valid ? fuzz_valid(w, &d) : (chaos(w, &d), true);
	}
	doing("close");
	world_close(w);
	doing(NULL);
	return ok;
}

static void choose_recipe(struct dice *d)
{
	/* Without KCOV run N must not depend on those before it. */
	if (kcov.fd < 0) {
		d->rest = (opt.seed + 1) * 0x9e3779b97f4a7c15ULL +
			  run_number * 0xbf58476d1ce4e5b9ULL;
		roll64(d);
	}
	if (opt.one)
		current = opt.recipe;
	else if (ncorpus && roll64(d) % 4)
		change_recipe(d);
	else
		random_recipe(d);
}

static bool all_runs(struct world *w)
{
	uint64_t end = now_ms() + opt.seconds * 1000ULL;
	struct dice d = { .rest = (opt.seed + 1) * 0x9e3779b97f4a7c15ULL };
	FILE *trace = opt.trace ? fopen("/dev/kmsg", "w") : NULL;

	for (run_number = opt.first; opt.runs ?
	     run_number < opt.first + opt.runs : now_ms() < end;
	     run_number++) {
		choose_recipe(&d);
		if (trace)
			print_recipe(trace);
		if (!one_run(w)) {
			print_recipe(stdout);
			return false;
		}
		if (kcov_new() && !opt.one) {
			corpus[ncorpus < CORPUS_MAX ? ncorpus++ :
			       roll64(&d) % CORPUS_MAX] = current;
		}
	}
	return true;
}

static bool nothing_left(void)
{
	uint64_t end = now_ms() + test_patience(70000 * opt.slow);
	long long attached, lingering;
	int looks = 0;

	for (;;) {
		attached = ws_stat("WsCurrSockets");
		lingering = ws_stat("WsCurrLingering");
		if (!attached && !lingering)
			return true;
		if (attached < 0 || now_ms() > end)
			return complain("%lld attached, %lld linger", attached,
					lingering);
		if (!(++looks % 100))
			printf("# %lld attached, %lld linger\n", attached,
			       lingering);
		usleep(100000);
	}
}

static void read_hex(const char *hex)
{
	unsigned int byte;

	opt.one = true;
	while (opt.recipe.n < RECIPE_MAX && sscanf(hex, "%2x", &byte) == 1) {
		opt.recipe.p[opt.recipe.n++] = byte;
		hex += 2;
	}
}

static void options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ "runs", required_argument, NULL, 'n' },
		{ "first", required_argument, NULL, 'f' },
		{ "recipe", required_argument, NULL, 'r' },
		{ "slow", required_argument, NULL, 'x' },
		{ "trace", no_argument, NULL, 'T' },
		{ 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			opt.seed = strtoull(optarg, NULL, 0);
			break;
		case 't':
			opt.seconds = atoi(optarg);
			break;
		case 'n':
			opt.runs = strtoull(optarg, NULL, 0);
			break;
		case 'f':
			opt.first = strtoull(optarg, NULL, 0);
			break;
		case 'r':
			read_hex(optarg);
			break;
		case 'x':
			opt.slow = atoi(optarg);
			break;
		case 'T':
			opt.trace = true;
			break;
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	static struct world w;
	pthread_t dog;
	bool ok, clean;

	options(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	/* SIGIO and SIGURG may come, and are nothing but an interruption. */
	sigaction(SIGIO, &sa, NULL);
	sigaction(SIGURG, &sa, NULL);
	sigaction(SIGPIPE, &sa, NULL);
	build_arena(&w);
	kcov_open();
	/* Who has it has more that takes time. */
	if (kcov.fd >= 0 && opt.slow < 6)
		opt.slow = 6;
	printf("# ws_fuzz: --seed %llu, %s\n", (unsigned long long)opt.seed,
	       kcov.fd < 0 ? "no KCOV: at random only" : "guided by KCOV");
	printf("TAP version 13\n1..2\n");
	if (pthread_create(&dog, NULL, watchdog, NULL))
		abort();
	ok = all_runs(&w);
	printf("# %llu runs, %llu calls",
	       (unsigned long long)(run_number - opt.first), fuzz_calls);
	if (kcov.fd >= 0)
		printf(", %u ways seen, %u recipes kept", kcov.places,
		       ncorpus);
	printf("\n%sok 1 valid streams arrive as sent, no call takes long\n",
	       ok ? "" : "not ");
	clean = nothing_left();
	printf("%sok 2 no socket is attached or lingers\n",
	       clean ? "" : "not ");
	return ok && clean ? 0 : 1;
}
