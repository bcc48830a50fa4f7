// SPDX-License-Identifier: MIT
/* Servers under load: starting them, and reading their counters. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "cmd.h"

#define START_MS	10000
#define WORDS		16

/* Returns a port that is free now; 0 if there is none. */
static unsigned int find_free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	unsigned int port = 0;
	int fd;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !bind(fd, (struct sockaddr *)&a, len) &&
	    !getsockname(fd, (struct sockaddr *)&a, &len))
		port = ntohs(a.sin_port);
	if (fd >= 0)
		close(fd);
	return port;
}

static bool does_answer(unsigned int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	bool ok;
	int fd;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons(port);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ok = fd >= 0 && !connect(fd, (struct sockaddr *)&a, sizeof(a));
	if (fd >= 0)
		close(fd);
	return ok;
}

/* In the child: executes the command, with the port instead of "%p". */
static void execute_command(const char *command, unsigned int port)
{
	char *words[WORDS + 1] = { NULL }, *copy = strdup(command), number[8];
	int n = 0, null = open("/dev/null", O_RDWR);
	char *word, *save;

	snprintf(number, sizeof(number), "%u", port);
	for (word = strtok_r(copy, " ", &save); word && n < WORDS;
	     word = strtok_r(NULL, " ", &save))
		words[n++] = strcmp(word, "%p") ? word : number;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (n)
		execvp(words[0], words);
	complain("cannot start \"%s\": %s", command, strerror(errno));
	_exit(127);
}

/* Returns the number of the tracepoint of system calls, or -1. */
static long get_tracepoint(void)
{
	static const char *const files[] = {
		"/sys/kernel/tracing/events/raw_syscalls/sys_enter/id",
		"/sys/kernel/debug/tracing/events/raw_syscalls/sys_enter/id",
	};
	long id = -1;
	size_t i;

	for (i = 0; i < 2 && id < 0; i++) {
		FILE *f = fopen(files[i], "re");

		if (f && fscanf(f, "%ld", &id) != 1)
			id = -1;
		if (f)
			fclose(f);
	}
	return id;
}

static int open_counter(pid_t pid)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.disabled = 1,
	};
	long id = get_tracepoint();

	if (id < 0)
		return -1;
	attr.config = id;
	return syscall(SYS_perf_event_open, &attr, pid, -1, -1,
		       PERF_FLAG_FD_CLOEXEC);
}

/**
 * target_start() - start a server and wait until it accepts connections
 * @t: the server; without a command it runs already
 *
 * Return: 0, or -1 after saying why.
 */
int target_start(struct target *t)
{
	int64_t until = now_ns() + START_MS * 1000000LL;
	unsigned int port;
	int status;

	t->counter = t->pid ? open_counter(t->pid) : -1;
	if (!t->command)
		return 0;
	port = find_free_port();
	snprintf(t->url, sizeof(t->url), "%s://127.0.0.1:%u/",
		 t->tls ? "wss" : "ws", port);
	t->pid = fork();
	if (!t->pid)
		execute_command(t->command, port);
	if (t->pid < 0) {
		complain("cannot start a process: %s", strerror(errno));
		return -1;
	}
	while (!does_answer(port)) {
		if (waitpid(t->pid, &status, WNOHANG) == t->pid) {
			complain("%s ended at once; its command: %s", t->name,
				 t->command);
			t->pid = 0;
			return -1;
		}
		if (now_ns() > until) {
			complain("%s does not listen on port %u", t->name, port);
			return -1;
		}
		usleep(10000);
	}
	t->counter = open_counter(t->pid);
	return 0;
}

/**
 * target_stop() - end a server that target_start() started
 * @t: the server
 */
void target_stop(struct target *t)
{
	int i;

	if (t->counter >= 0)
		close(t->counter);
	t->counter = -1;
	if (!t->command || t->pid <= 0)
		return;
	kill(t->pid, SIGTERM);
	for (i = 0; i < 200; i++) {
		if (waitpid(t->pid, NULL, WNOHANG) == t->pid)
			goto out_forget_pid;
		usleep(10000);
	}
	kill(t->pid, SIGKILL);
	waitpid(t->pid, NULL, 0);
out_forget_pid:
	t->pid = 0;
}

static int read_wakeups(pid_t pid, uint64_t *wakeups)
{
	char path[64], line[128];
	unsigned long long n;
	int found = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (found && fgets(line, sizeof(line), f))
		if (sscanf(line, "voluntary_ctxt_switches: %llu", &n) == 1)
			found = 0;
	fclose(f);
	*wakeups = n;
	return found;
}

static int read_cpu(const char *pid, uint64_t *ns)
{
	unsigned long long cpu;
	char path[288];
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "/proc/%s/schedstat", pid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	n = fscanf(f, "%llu", &cpu);
	fclose(f);
	*ns = cpu;
	return n == 1 ? 0 : -1;
}

static bool is_worker(const char *pid)
{
	char path[288], name[16] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(name, sizeof(name), f))
		name[0] = '\0';
	fclose(f);
	return !strncmp(name, "kworker/", 8);
}

/* Returns the processor time of all workers of the kernel. */
static uint64_t read_workers_cpu(void)
{
	DIR *proc = opendir("/proc");
	uint64_t sum = 0, one;
	struct dirent *d;

	while (proc && (d = readdir(proc)))
		if (d->d_name[0] >= '1' && d->d_name[0] <= '9' &&
		    is_worker(d->d_name) && !read_cpu(d->d_name, &one))
			sum += one;
	if (proc)
		closedir(proc);
	return sum;
}

/**
 * target_meter() - read the resources used by a server
 * @t: the server
 * @m: filled
 *
 * The CPU time is the one that the scheduler charges to the process, which
 * includes the interrupts and soft interrupts that interrupted it. With TLS the
 * time of the kernel's workers is added: with framing in the kernel they
 * decrypt for the server.
 *
 * Return: 0, or -1 if that is unknown.
 */
int target_meter(const struct target *t, struct meter *m)
{
	char pid[16];

	if (!t->pid)
		return -1;
	snprintf(pid, sizeof(pid), "%d", t->pid);
	if (read_cpu(pid, &m->cpu_ns))
		return -1;
	if (t->tls)
		m->cpu_ns += read_workers_cpu();
	return read_wakeups(t->pid, &m->wakeups);
}

/**
 * target_count() - count a server's system calls
 * @t: the server
 * @start: begin at 0, or stop
 * @calls: set when stopping
 *
 * Return: 0, or -1 if they cannot be counted here.
 */
int target_count(const struct target *t, bool start, uint64_t *calls)
{
	if (t->counter < 0)
		return -1;
	if (start) {
		ioctl(t->counter, PERF_EVENT_IOC_RESET, 0);
		return ioctl(t->counter, PERF_EVENT_IOC_ENABLE, 0);
	}
	ioctl(t->counter, PERF_EVENT_IOC_DISABLE, 0);
	return read(t->counter, calls, sizeof(*calls)) == sizeof(*calls) ?
		0 : -1;
}
