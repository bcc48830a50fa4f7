/* SPDX-License-Identifier: MIT */
/* The operations of a framing for the engine on io_uring. */
#ifndef KWS_ECHO_RING_H
#define KWS_ECHO_RING_H

#include "echo_send.h"

/**
 * struct answer - received bytes, replaced in place by the reply to them
 * @data: the bytes
 * @len: how many
 * @left: bytes at the end that have no reply yet
 * @left_len: how many
 */
struct answer {
	char *data;
	size_t len;
	char *left;
	size_t left_len;
};

/**
 * struct ring_ops - a framing under io_uring
 * @messages: receive and send messages with their struct ws_msg, which go back
 *	as they are; the other members are NULL
 * @enter: the ring starts; give it the bytes that came with the handshake.
 *	May be NULL.
 * @answer: make the reply. Return: 0; 1 when the ring has to stop, because
 *	something else has to answer the bytes at @left; -1 when the connection
 *	has to end.
 * @leave: the ring has stopped after that: take the bytes at @left, and what
 *	was received behind them
 */
struct ring_ops {
	bool messages;
	void (*enter)(struct peer *p, struct held *left);
	int (*answer)(struct server *s, struct peer *p, struct answer *a);
	void (*leave)(struct peer *p, struct held *left);
};

#endif /* KWS_ECHO_RING_H */
