// SPDX-License-Identifier: MIT
/* The echo server's socket and address. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd.h"
#include "echo.h"

/**
 * listen_on() - open the listening socket
 * @address: a name or an address of this machine
 * @port: a number
 *
 * Return: the socket, or -1 when that does not work; says why.
 */
int listen_on(const char *address, const char *port)
{
	static const struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	struct addrinfo *a;
	int fd, error, one = 1, zero = 0;

	error = getaddrinfo(address, port, &hints, &a);
	if (error) {
		complain("cannot listen on %s: %s", address,
			 gai_strerror(error));
		return -1;
	}
	fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (fd < 0 || bind(fd, a->ai_addr, a->ai_addrlen) ||
	    listen(fd, SOMAXCONN)) {
		complain("cannot listen on %s port %s: %s", address, port,
			 strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(a);
	return fd;
}

/**
 * prepare_tls() - load the certificate, if there is to be TLS
 * @s: the server
 *
 * Return: 0, or -1 after saying why.
 */
int prepare_tls(struct server *s)
{
	const char *why;

	if (!s->tls.certificate && !s->tls.key && !s->tls.ktls)
		return 0;
	if (!s->tls.certificate) {
		complain("TLS needs --tls-cert");
		return -1;
	}
	if (!s->tls.key)
		s->tls.key = s->tls.certificate;
	if (!s->framing->any_tls && s->tls.ktls == KWS_KTLS_NEVER) {
		complain("--ktls=never needs --userspace");
		return -1;
	}
	if (!s->framing->any_tls)
		s->tls.ktls = KWS_KTLS_ALWAYS;
	s->options.tls = kws_tls_new(WS_ROLE_SERVER, &s->tls, &why);
	if (s->options.tls)
		return 0;
	complain("%s: %s", why, strerror(errno));
	return -1;
}

/**
 * announce() - print the address of the server
 * @s: the server
 */
void announce(const struct server *s)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	char host[64], port[16];

	getsockname(s->listener, (struct sockaddr *)&address, &len);
	getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port,
		    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	printf(strchr(host, ':') ? "%s://[%s]:%s/ (framing: %s%s)\n" :
	       "%s://%s:%s/ (framing: %s%s)\n", s->options.tls ? "wss" : "ws",
	       host, port, s->framing->name, s->engine);
	fflush(stdout);
}
