// SPDX-License-Identifier: MIT
/* User-space framing: two connections talk to each other. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kws.h"
#include "test.h"

struct pair {
	struct kws_conn *server;
	struct kws_conn *client;
	int ends[2];
};

static void open_pair(struct pair *p)
{
	stream_pair(p->ends);
	p->server = kws_open(p->ends[0], WS_ROLE_SERVER, NULL, 0, KWS_USER);
	p->client = kws_open(p->ends[1], WS_ROLE_CLIENT, NULL, 0, KWS_USER);
}

static void close_pair(struct pair *p)
{
	kws_close(p->server);
	kws_close(p->client);
}

static bool arrives(struct kws_conn *from, struct kws_conn *to,
		    unsigned char opcode, size_t n)
{
	struct ws_msg msg = { .opcode = opcode };
	char *data = malloc(n + 1);
	struct kws_message m;
	bool good;
	int r = -1;

	memset(data, 'x', n);
	if (n)
		data[n / 2] = 'y';
	good = !kws_send(from, &msg, data, n, 0);
	do {
		if (kws_flush(from) && errno != EAGAIN)
			break;
		r = kws_recv(to, &m);
	} while (r < 0 && errno == EAGAIN);
	good = good && r == 1 && m.opcode == opcode && m.len == n &&
		!memcmp(m.data, data, n);
	free(data);
	return good;
}

static void test_both_ways(void)
{
	static const size_t sizes[] = { 0, 1, 125, 126, 65535, 65536, 8191,
					8192, 3 << 20 };
	struct pair p;
	size_t i;

	open_pair(&p);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		result(arrives(p.server, p.client, WS_OP_BINARY, sizes[i]) &&
		       arrives(p.client, p.server, WS_OP_TEXT, sizes[i]),
		       "%zu bytes each way", sizes[i]);
	close_pair(&p);
}

static void test_fragments(void)
{
	static const struct ws_msg text = { .opcode = WS_OP_TEXT };
	static const struct ws_msg binary = { .opcode = WS_OP_BINARY };
	static const struct ws_msg more = { .opcode = WS_OP_CONT };
	static const struct ws_msg ping = { .opcode = WS_OP_PING };
	struct kws_message m;
	struct pair p;

	open_pair(&p);
	result(!kws_send(p.client, &text, "a", 1, MSG_MORE) &&
	       kws_send(p.client, &binary, "b", 1, 0) == -1 &&
	       errno == EINVAL &&
	       !kws_send(p.client, &ping, "p", 1, 0) &&
	       !kws_send(p.client, &text, "b", 1, MSG_MORE) &&
	       !kws_send(p.client, &more, "c", 1, 0) &&
	       !kws_flush(p.client) && kws_recv(p.server, &m) == 1 &&
	       m.opcode == WS_OP_TEXT && m.len == 3 &&
	       !memcmp(m.data, "abc", 3), "fragments and a PING between them");
	close_pair(&p);
}

static void test_refused(void)
{
	static const char zeros[200];
	static const struct {
		const char *name;
		struct ws_msg msg;
		const char *data;
		size_t len;
		int flags;
		int error;
	} cases[] = {
		{ "opcode 3", { .opcode = 3 }, "", 0, 0, EINVAL },
		{ "opcode 11", { .opcode = 11 }, "", 0, 0, EINVAL },
		{ "PING of 126", { .opcode = WS_OP_PING }, zeros, 126, 0,
		  EMSGSIZE },
		{ "PING with MSG_MORE", { .opcode = WS_OP_PING }, "", 0,
		  MSG_MORE, EINVAL },
		{ "Close 1006", { .opcode = WS_OP_CLOSE, .code = 1006 }, "",
		  0, 0, EINVAL },
		{ "a reason without a code", { .opcode = WS_OP_CLOSE }, "a",
		  1, 0, EINVAL },
		{ "a reason of 124", { .opcode = WS_OP_CLOSE, .code = 1000 },
		  zeros, 124, 0, EMSGSIZE },
		{ "a reason not UTF-8",
		  { .opcode = WS_OP_CLOSE, .code = 1000 }, "\xff", 1, 0,
		  EILSEQ },
	};
	struct pair p;
	size_t i;

	open_pair(&p);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		result(kws_send(p.server, &cases[i].msg, cases[i].data,
				cases[i].len, cases[i].flags) == -1 &&
		       errno == cases[i].error && !kws_pending(p.server),
		       "refused: %s", cases[i].name);
	result(arrives(p.server, p.client, WS_OP_TEXT, 5),
	       "refused: the connection goes on");
	close_pair(&p);
}

static void test_close(void)
{
	static const struct ws_msg bye = { .opcode = WS_OP_CLOSE,
					   .code = 4000 };
	static const struct ws_msg text = { .opcode = WS_OP_TEXT };
	struct kws_message m;
	struct ws_info info;
	struct pair p;

	open_pair(&p);
	result(!kws_send(p.client, &bye, "why", 3, 0) &&
	       kws_send(p.client, &text, "a", 1, 0) == -1 &&
	       errno == EPIPE && !kws_flush(p.client),
	       "close: nothing can be sent after it");
	result(kws_recv(p.server, &m) == 1 && m.opcode == WS_OP_CLOSE &&
	       m.code == 4000 && m.len == 3 && !memcmp(m.data, "why", 3) &&
	       kws_recv(p.server, &m) == 0 &&
	       kws_send(p.server, &text, "a", 1, 0) == -1 && errno == EPIPE,
	       "close: the peer gets code and reason");
	result(kws_recv(p.client, &m) == 1 && m.opcode == WS_OP_CLOSE &&
	       m.code == 4000 && kws_recv(p.client, &m) == 0 &&
	       !kws_info(p.client, &info) && info.close_sent == 4000 &&
	       info.close_received == 4000, "close: it comes back");
	close_pair(&p);

	open_pair(&p);
	kws_close(p.server);
	result(kws_recv(p.client, &m) == 1 && m.opcode == WS_OP_CLOSE &&
	       m.code == 1001, "close: kws_close() says 1001");
	kws_close(p.client);
}

static void test_full(void)
{
	static const struct ws_msg binary = { .opcode = WS_OP_BINARY };
	static char data[50000];
	struct kws_message m;
	unsigned int sent = 0, got = 0;
	struct pair p;
	int r;

	open_pair(&p);
	while (!kws_send(p.server, &binary, data, sizeof(data), 0))
		sent++;
	result(errno == EAGAIN && kws_pending(p.server) < 2 << 20,
	       "full: EAGAIN, not endless memory");
	while (got < sent) {
		if (kws_flush(p.server) && errno != EAGAIN)
			break;
		r = kws_recv(p.client, &m);
		if (r < 0 && errno == EAGAIN)
			continue;
		if (r != 1 || m.len != sizeof(data))
			break;
		got++;
	}
	result(got == sent && !kws_flush(p.server), "full: all arrives later");
	close_pair(&p);
}

void test_sending(void)
{
	test_both_ways();
	test_fragments();
	test_refused();
	test_close();
	test_full();
}
