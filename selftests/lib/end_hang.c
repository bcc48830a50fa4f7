// SPDX-License-Identifier: GPL-2.0-only
/*
 * end_hang SECONDS PROGRAM: runs a test program and passes on what it writes.
 * The program is killed when it has not written anything for so long, or as
 * many times longer as this machine is slower than an idle one: a test that
 * hangs in the kernel must not keep the programs behind it from running. Without
 * arguments it prints what WS_TEST_SLOWNESS stands for.
 */
#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "ws_test.h"

static pid_t start(char **command, int *output)
{
	int fds[2];
	pid_t pid;

	if (pipe(fds))
		return -1;
	pid = fork();
	if (!pid) {
		/* So that what it has started can be killed as well. */
		setpgid(0, 0);
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		execv(command[0], command);
		complain("%s: %s", command[0], strerror(errno));
		_exit(127);
	}
	close(fds[1]);
	*output = fds[0];
	return pid;
}

/* Passes on what comes; false when nothing has come for too long. */
static bool pass_on(int output, int seconds)
{
	char buf[4096];

	for (;;) {
		ssize_t n, written, at = 0;

		if (!poll_for(output, POLLIN, seconds * 1000) &&
		    !poll_for(output, POLLIN, (slowness_now() - 1) * seconds *
					      1000)) {
			complain("nothing for %d s on an idle machine: killed",
				 seconds);
			return false;
		}
		n = read(output, buf, sizeof(buf));
		if (n <= 0)
			return true;
		for (; at < n; at += written) {
			written = write(STDOUT_FILENO, buf + at, n - at);
			if (written < 0)
				return true;
		}
	}
}

/* The parent of process @pid, or 0. */
static pid_t parent_of(pid_t pid)
{
	char path[32], line[256] = "", *end;
	int parent = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (!file)
		return 0;
	/* The name before it may have any characters in it. */
	end = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	fclose(file);
	if (end)
		sscanf(end, ") %*c %d", &parent);
	return parent;
}

/* Return: true if this process had children, which are killed. */
static bool kill_children(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	bool any = false;

	while (proc && (entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name);

		if (pid > 0 && parent_of(pid) == getpid()) {
			kill(pid, SIGKILL);
			any = true;
		}
	}
	if (proc)
		closedir(proc);
	return any;
}

/*
 * kselftest's harness gives each test a process group of its own: what it has
 * started becomes this process's child when its parent is killed.
 */
static void kill_all(pid_t pid, int *status)
{
	kill(-pid, SIGKILL);
	waitpid(pid, status, 0);
	while (kill_children())
		while (waitpid(-1, NULL, 0) > 0)
			;
}

int main(int argc, char **argv)
{
	int output = -1, status = 0;
	pid_t pid;

	if (argc == 1)
		return printf("%u\n", test_slowness()) < 0;
	if (argc < 3)
		return 2;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = start(argv + 2, &output);
	if (pid < 0)
		return 126;
	if (!pass_on(output, atoi(argv[1])))
		kill_all(pid, &status);
	else if (waitpid(pid, &status, 0) != pid)
		return 126;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
