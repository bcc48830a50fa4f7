// SPDX-License-Identifier: MIT
/* Tests of libkws: handshakes and user-space framing. Prints TAP. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"

static unsigned int count;
static unsigned int failed;

void result(bool good, const char *format, ...)
{
	va_list args;

	printf("%sok %u ", good ? "" : "not ", ++count);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	failed += !good;
}

void note(const char *format, ...)
{
	va_list args;

	printf("# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

/* Both ends do not block. */
void stream_pair(int ends[2])
{
	if (!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends))
		return;
	perror("socketpair");
	exit(1);
}

void put(int fd, const void *data, size_t len)
{
	if (send(fd, data, len, MSG_NOSIGNAL) == (ssize_t)len)
		return;
	perror("send");
	exit(1);
}

/* What is there, at most @size bytes. */
size_t get(int fd, void *data, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size && (n = recv(fd, (char *)data + len, size - len,
				       MSG_DONTWAIT)) > 0)
		len += n;
	return len;
}

static void test_everywhere(void)
{
	test_urls();
	test_requests();
	test_responses();
	test_frames();
	test_sending();
	test_negotiation();
	test_deflate();
	test_packing();
	test_limits_of_deflate();
	test_records();
	test_tls_handshakes();
	test_tls_peers();
	test_tls_streams();
}

/* "ktls" is what needs the kernel's modules. */
int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1 && !strcmp(argv[1], "ktls"))
		test_ktls();
	else
		test_everywhere();
	printf("1..%u\n", count);
	return failed != 0;
}
