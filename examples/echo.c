// SPDX-License-Identifier: MIT
#include <kws.h>
#include <netinet/in.h>
#include <unistd.h>

/* One message, or a piece of one, goes back as what it came: text or binary. */
static int echo(int fd)
{
	static char data[65536], control[CMSG_SPACE(sizeof(struct ws_msg))];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = { NULL, 0, &iov, 1, control, sizeof(control), 0 };
	ssize_t n = recvmsg(fd, &msg, 0);

	if (n < 0 || !msg.msg_controllen)	/* a fault; the end */
		return 0;
	iov.iov_len = n;
	return sendmsg(fd, &msg, msg.msg_flags & MSG_EOR ? MSG_NOSIGNAL :
		       MSG_NOSIGNAL | MSG_MORE) == n;	/* EPIPE after a Close */
}

int main(void)
{
	struct sockaddr_in addr = { AF_INET, htons(9001), { 0 }, { 0 } };
	int fd, listener = socket(AF_INET, SOCK_STREAM, 0);

	bind(listener, (struct sockaddr *)&addr, sizeof(addr));
	listen(listener, 8);
	for (; (fd = accept(listener, NULL, NULL)) >= 0; close(fd))
		if (!kws_accept(fd, NULL, NULL) &&
		    !kws_attach(fd, WS_ROLE_SERVER, NULL, 0))
			while (echo(fd))
				;
	return 1;
}
