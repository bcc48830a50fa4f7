// SPDX-License-Identifier: GPL-2.0-only
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "peer.h"

int peer_port(int argc, char **argv)
{
	int port = argc == 2 ? atoi(argv[1]) : 0;

	if (port > 0 && port < 65536)
		return port;
	fprintf(stderr, "Usage: %s PORT\n", argv[0]);
	exit(2);
}

/* A listening socket on 127.0.0.1; ends the program when there is none. */
int peer_listen(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int fd, one = 1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons(port);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) ||
	    listen(fd, 128)) {
		perror("listen");
		exit(1);
	}
	return fd;
}
