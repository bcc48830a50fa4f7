/* SPDX-License-Identifier: MIT */
/* The members of struct kws_conn, for both kinds of framing. */
#ifndef KWS_CONN_H
#define KWS_CONN_H

#include "core.h"
#include "kws.h"
#include "tls.h"

#define READ_SIZE	65536		/* one read(), and the usual buffer */
#define GROW_MAX	(1UL << 20)	/* room ahead of received bytes */
#define DIRECT_SIZE	8192		/* from here on payload is not copied */
#define FLUSH_SIZE	65536		/* pending bytes that start a send() */
#define PENDING_MAX	(1UL << 20)	/* pending bytes that give EAGAIN */
#define FINISH_READS	16		/* in one kws_finish() */
#define KEYS		64		/* masking keys made at once */

/**
 * struct buffer - bytes at data[from] to data[to], room up to @size
 */
struct buffer {
	u8 *data;
	size_t from;
	size_t to;
	size_t size;
};

struct deflate;

/**
 * struct kws_conn - one connection
 * @fd: the socket; kws_close() closes it
 * @kernel: the kernel does the framing
 * @tls: user space: the TLS of the socket, or NULL
 * @nonblocking: O_NONBLOCK of the socket in kws_open()
 * @role: WS_ROLE_*
 * @max_message: as ws_config::max_message, never 0; for inflated messages
 * @wire_max: the same for compressed messages
 * @rx: received bytes, not yet parsed; before them in the same memory, from
 *	@message on, @message_len bytes of the incomplete message, unmasked
 * @hdr: the frame that is being read
 * @in_frame: @hdr is valid and @left bytes of its payload are missing
 * @key: masking key of the next payload byte
 * @utf8: state of the text check
 * @rx_seq: order of the frames received
 * @rule_pending: a broken rule whose errno has not been reported
 * @compressed: the incomplete message, or the one returned last, has
 *	WS_MSG_RSV1
 * @ended: the stream is over: kws_recv() returns 0
 * @drained: the last read() emptied the socket
 * @message_done: the last call returned the message at @message
 * @tx: pending bytes: frames (user space) or payload (kernel)
 * @tx_seq: order of the frames sent
 * @tx_msg: kernel: the message that @tx belongs to
 * @tx_flags: kernel: MSG_MORE if more of it follows @tx
 * @tx_waiting: kernel: @tx_msg is pending, even if it is empty
 * @keys: random masking keys; keys[next_key] is the next one
 * @info: counters and state, as ws_info of the kernel
 * @stream: bytes of the received stream that have been parsed
 * @frame_at: where in @stream the frame that is being read begins
 * @deflate: compression, or NULL where none was agreed on
 */
struct kws_conn {
	int fd;
	bool kernel;
	struct tls *tls;
	bool nonblocking;
	u32 role;
	u64 max_message;
	u64 wire_max;

	struct buffer rx;
	size_t message;
	size_t message_len;
	struct ws_hdr hdr;
	bool in_frame;
	u64 left;
	u32 key;
	u8 utf8;
	struct ws_seq rx_seq;
	enum ws_rule rule_pending;
	bool compressed;
	bool ended;
	bool drained;
	bool message_done;

	struct buffer tx;
	struct ws_seq tx_seq;
	struct ws_msg tx_msg;
	int tx_flags;
	bool tx_waiting;
	u32 keys[KEYS];
	unsigned int next_key;

	struct ws_info info;
	u64 stream;
	u64 frame_at;
	struct deflate *deflate;
};

int buffer_reserve(struct buffer *b, size_t n);
int conn_fail(struct kws_conn *c, unsigned int rule, u16 code, int error);
ssize_t frame_send(struct kws_conn *c, const struct ws_msg *msg,
		   const void *data, size_t len, int flags);
void kws_mask(u8 *p, size_t n, u32 key);

int user_recv(struct kws_conn *c, struct kws_message *message);
ssize_t user_send(struct kws_conn *c, const struct ws_msg *msg,
		  const void *data, size_t len, int flags);
int user_flush(struct kws_conn *c);
int user_control(struct kws_conn *c, u8 opcode, const u8 *data, size_t len);
int user_close(struct kws_conn *c, u16 code, const void *reason, size_t len);
void user_fail(struct kws_conn *c, u16 code);
void user_last_words(struct kws_conn *c);
int user_finish(struct kws_conn *c);
void user_end(struct kws_conn *c);

int kernel_recv(struct kws_conn *c, struct kws_message *message);
ssize_t kernel_send(struct kws_conn *c, const struct ws_msg *msg,
		    const void *data, size_t len, int flags);
int kernel_flush(struct kws_conn *c);
void kernel_fail(struct kws_conn *c, u16 code);

int compress_limit(struct kws_conn *c);
int compress_recv(struct kws_conn *c, struct kws_message *message);
ssize_t compress_send(struct kws_conn *c, const struct ws_msg *msg,
		      const void *data, size_t len, int flags);

#endif /* KWS_CONN_H */
