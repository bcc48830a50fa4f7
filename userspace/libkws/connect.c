// SPDX-License-Identifier: MIT
/* Handshakes that may block, and attaching to the kernel. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kws.h"
#include "url.h"

/* Waits until the handshake is over; returns as kws_handshake_step(). */
static int run_handshake(struct kws_handshake *hs, int fd)
{
	struct pollfd p = { .fd = fd };
	int r;

	while (!(r = kws_handshake_step(hs, fd))) {
		p.events = kws_handshake_events(hs);
		if (poll(&p, 1, kws_handshake_timeout(hs)) < 0 &&
		    errno != EINTR)
			return -1;
	}
	return r;
}

/* Frees the handshake if the caller did not ask for it. */
static void give_handshake(struct kws_handshake *hs, struct kws_handshake **to)
{
	int error = errno;

	if (to)
		*to = hs;
	else
		kws_handshake_free(hs);
	errno = error;
}

/**
 * kws_accept() - answer an Upgrade request
 * @fd: a connected socket from which nothing has been read
 * @options: of the handshake, or NULL
 * @hs: set to the handshake, also after a failure (NULL when there was none):
 *	read kws_handshake_result(), pass the surplus on, free it. May be NULL.
 *
 * Waits, at most options->timeout_ms, whether @fd blocks or not. A request
 * that cannot be accepted has been answered when this returns.
 *
 * Return: 0, or -1 with an errno of kws_handshake_server() or
 * kws_handshake_step().
 */
int kws_accept(int fd, const struct kws_options *options,
	       struct kws_handshake **hs)
{
	struct kws_handshake *h = kws_handshake_server(options);
	int r = h ? run_handshake(h, fd) : -1;

	give_handshake(h, hs);
	return r < 0 ? -1 : 0;
}

/* Returns a connected, blocking socket, within the time of the handshake. */
static int connect_address(const struct addrinfo *a, struct kws_handshake *hs)
{
	struct pollfd p = { .events = POLLOUT };
	int fd, error = 0, flags, one = 1;
	socklen_t len = sizeof(error);

	fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    a->ai_protocol);
	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, a->ai_addr, a->ai_addrlen)) {
		if (errno != EINPROGRESS)
			goto err_close_fd;
		p.fd = fd;
		switch (poll(&p, 1, kws_handshake_timeout(hs))) {
		case 0:
			errno = ETIMEDOUT;
			goto err_close_fd;
		case -1:
			goto err_close_fd;
		}
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
		errno = error;
		if (error)
			goto err_close_fd;
	}
	flags = fcntl(fd, F_GETFL);
	fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	return fd;

err_close_fd:
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static int connect_url(const char *text, struct kws_handshake *hs)
{
	static const struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_ADDRCONFIG,
	};
	struct addrinfo *list = NULL, *a;
	int fd = -1, error;
	struct url url;

	if (url_parse(text, &url)) {
		url_free(&url);
		return -1;
	}
	error = getaddrinfo(url.host, url.port, &hints, &list);
	errno = error == EAI_SYSTEM ? errno :
		error == EAI_MEMORY ? ENOMEM : EHOSTUNREACH;
	for (a = error ? NULL : list; a && fd < 0; a = a->ai_next)
		fd = connect_address(a, hs);
	error = errno;
	if (list)
		freeaddrinfo(list);
	url_free(&url);
	errno = error;
	return fd;
}

/**
 * kws_connect() - connect to a server and ask for an upgrade
 * @url: ws://host[:port][/path][?query], or wss://
 * @options: of the handshake, or NULL
 * @hs: as for kws_accept()
 *
 * getaddrinfo() resolves names without a time limit; the rest takes at most
 * options->timeout_ms. Redirects are not followed: the result has status and
 * location.
 *
 * Return: a blocking socket with TCP_NODELAY and close-on-exec, or -1 with an
 * errno of kws_handshake_client(), kws_handshake_step() or connect(2), or
 * EHOSTUNREACH for an unknown name.
 */
int kws_connect(const char *url, const struct kws_options *options,
		struct kws_handshake **hs)
{
	struct kws_handshake *h = kws_handshake_client(url, options);
	int fd = h ? connect_url(url, h) : -1;

	if (fd >= 0 && run_handshake(h, fd) < 0) {
		int error = errno;

		close(fd);
		fd = -1;
		errno = error;
	}
	give_handshake(h, hs);
	return fd;
}

/* A socket with kTLS has its upper-layer protocol: WS_ATTACH stacks ours. */
static int attach_tls(int fd, const struct ws_config *config)
{
	char name[16] = "";
	socklen_t len = sizeof(name);

	if (getsockopt(fd, IPPROTO_TCP, TCP_ULP, name, &len) ||
	    strcmp(name, "tls")) {
		errno = EEXIST;
		return -1;
	}
	if (!setsockopt(fd, IPPROTO_IP, WS_ATTACH, config, sizeof(*config)))
		return 0;
	if (errno == ENOPROTOOPT)
		errno = ENOENT;
	return -1;
}

/**
 * kws_attach() - let the kernel do the framing from here on
 * @fd: a connected TCP socket after its handshake, with kTLS in both directions
 *	(kws_result::ktls) or without TLS
 * @role: WS_ROLE_SERVER or WS_ROLE_CLIENT: our side
 * @prefix: kws_result::surplus
 * @len: kws_result::surplus_len, at most WS_RX_PREFIX_MAX
 *
 * Then use the socket as described in ws(7). If a later step of the attach
 * fails, the socket stays attached and can only be closed.
 *
 * Return: 0, or -1 with ENOENT (the module ws is not loaded), EEXIST (the
 * socket already has another upper-layer protocol), ENOKEY (kTLS does not have
 * both directions), ENOTCONN, EPIPE (the connection is being closed) or another
 * errno of setsockopt().
 */
int kws_attach(int fd, unsigned int role, const void *prefix, size_t len)
{
	struct ws_config config = { .role = role };

	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "ws", 2) &&
	    (errno != EEXIST || attach_tls(fd, &config)))
		return -1;
	if (len && setsockopt(fd, SOL_WS, WS_RX_PREFIX, prefix, len))
		return -1;
	if (role != WS_ROLE_SERVER &&
	    setsockopt(fd, SOL_WS, WS_CONFIG, &config, sizeof(config)))
		return -1;
	return 0;
}

/* Makes a connected pair of loopback sockets; returns the connecting one. */
static int make_loopback_pair(int *accepted)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int listener, fd, ok = 0;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*accepted = -1;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener >= 0 && fd >= 0 &&
	    !bind(listener, (struct sockaddr *)&a, len) &&
	    !listen(listener, 1) &&
	    !getsockname(listener, (struct sockaddr *)&a, &len) &&
	    !connect(fd, (struct sockaddr *)&a, len)) {
		*accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		ok = *accepted >= 0;
	}
	if (listener >= 0)
		close(listener);
	if (!ok && fd >= 0)
		close(fd);
	return ok ? fd : -1;
}

/**
 * kws_kernel_ready() - is the kernel module loaded?
 *
 * Tries it on a connection of its own over 127.0.0.1.
 *
 * Return: 1 if kws_attach() works, 0 if the module is not loaded, -1 with errno
 * if it fails for another reason.
 */
int kws_kernel_ready(void)
{
	int other, fd = make_loopback_pair(&other), r, error;

	if (fd < 0)
		return -1;
	r = setsockopt(fd, IPPROTO_TCP, TCP_ULP, "ws", 2);
	error = errno;
	close(fd);
	close(other);
	errno = error;
	return !r ? 1 : error == ENOENT ? 0 : -1;
}
