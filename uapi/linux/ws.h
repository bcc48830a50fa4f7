/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * WebSocket (RFC 6455) as a TCP upper-layer protocol: the user interface.
 *
 * After the HTTP Upgrade has been answered on a connected TCP socket:
 *
 *	setsockopt(fd, SOL_TCP, TCP_ULP, "ws", 2);
 *
 * From then on recvmsg() returns whole messages and sendmsg() sends them.
 * This header needs nothing but the system's own headers, in C and in C++.
 */
#ifndef _UAPI_LINUX_WS_H
#define _UAPI_LINUX_WS_H

#include <linux/types.h>

/**
 * DOC: levels and names
 *
 * %SOL_WS is the level of the socket options and of the control messages.
 *
 * %WS_CONFIG  get or set, &struct ws_config
 *
 * %WS_INFO  get, &struct ws_info
 *
 * %WS_RX_PREFIX  set, bytes: what user space had already read beyond the HTTP
 * response or request. They are parsed before anything still in the socket.
 * At most %WS_RX_PREFIX_MAX bytes, once, before the first I/O on the socket.
 *
 * %WS_MSG  the control message of recvmsg() and sendmsg(), &struct ws_msg; with
 * %WS_F_BATCH an array of them
 *
 * %WS_ATTACH, of level SOL_IP for IPv6 too, set, &struct ws_config or nothing:
 * attaches a socket, as TCP_ULP does, and one that carries kTLS. For that the
 * kernel must have the keys of both directions (else ENOKEY).
 */
#define SOL_WS			0x5753
#define WS_ATTACH		0x5753

#define WS_CONFIG		1
#define WS_INFO			2
#define WS_RX_PREFIX		3

#define WS_MSG			1

#define WS_RX_PREFIX_MAX	65536
/* The most messages that one call with WS_F_BATCH gives or takes. */
#define WS_BATCH_MAX		256

/* Opcodes, RFC 6455 section 5.2. */
#define WS_OP_CONT		0x0
#define WS_OP_TEXT		0x1
#define WS_OP_BINARY		0x2
#define WS_OP_CLOSE		0x8
#define WS_OP_PING		0x9
#define WS_OP_PONG		0xa

/* Flags of struct ws_msg. */
#define WS_MSG_END		0x01
#define WS_MSG_RSV1		0x02
#define WS_MSG_MORE		0x04

/**
 * struct ws_msg - one message, or one piece of one
 * @len: payload bytes of this piece. Set by recvmsg(). On send it is ignored
 *	when the message is the only one of the call, and counts in records and
 *	in an array.
 * @opcode: WS_OP_TEXT, WS_OP_BINARY or WS_OP_CLOSE on receive, the same for
 *	every piece of a message; on send also WS_OP_PING and WS_OP_PONG, and
 *	WS_OP_CONT for "the socket's default, or the message already open".
 * @flags: WS_MSG_END on receive: this piece ends the message (as MSG_EOR in
 *	msg_flags does). On send without effect when the message is the only
 *	one of the call, so that what was received can be passed back as it is:
 *	there the MSG_MORE flag says that a message goes on. In records and in
 *	an array it is this flag that says so: without it the message goes on.
 *	WS_MSG_RSV1: the first frame of the message has the first reserved bit
 *	set, which means that it is compressed (RFC 7692 section 6); the same
 *	for every piece of a message. Only with WS_RSV1 in ws_config::rsv.
 *	WS_MSG_MORE on receive, with WS_F_RECORDS or WS_F_BATCH: something else
 *	is ready behind this one. With the last of a call it says that another
 *	call would give it at once. Without effect on send.
 *	Other bits are an error on send.
 * @code: for WS_OP_CLOSE the status code, RFC 6455 section 7.4; on receive
 *	1005 when the peer gave none. On send 0 and 1005 both mean none.
 *	0 for every other opcode; ignored on send for every other opcode.
 */
struct ws_msg {
	__u32 len;
	__u8  opcode;
	__u8  flags;
	__u16 code;
};

/**
 * DOC: many messages in one call
 *
 * %WS_F_RECORDS  What is read and written is a stream of records: a &struct
 * ws_msg, then ws_msg::len bytes of payload, then bytes up to the next multiple
 * of eight (0 on receive, anything on send). %WS_RECORD_SIZE is the size of
 * one. Works with read(), write() and every other call, as no control message
 * is needed. A call gives as many whole messages as fit, and what it gives
 * always ends with a record. A message that is larger than the buffer comes in
 * pieces, each a record. What is written may be cut anywhere but inside a
 * &struct ws_msg; control messages must be whole.
 *
 * %WS_F_BATCH  recvmsg() gives the payloads of as many whole messages as fit,
 * one behind the other, and with them one control message with an array of
 * &struct ws_msg; sendmsg() takes the same.
 */
#define WS_F_RECORDS		0x1
#define WS_F_BATCH		0x2

/*
 * Reading the peer's Close, or the error of a broken rule, does not trigger our
 * Close: sendmsg() still takes replies, and the program sends a Close when they
 * are out, or close() and shutdown() send the one that was held back, with the
 * peer's code or the code of the rule. Until then the peer waits, without a limit
 * of time. For programs that read on before they have replied, as with io_uring's
 * multishot receives.
 */
#define WS_F_CLOSE		0x4

#define WS_RECORD_SIZE(len)	((((len) + 7) & ~7ULL) + 8)

/* Roles. */
#define WS_ROLE_SERVER		0
#define WS_ROLE_CLIENT		1

/* ws_config::rsv: the bit that permessage-deflate uses, RFC 7692. */
#define WS_RSV1			0x40

#define WS_MAX_MESSAGE_DEFAULT	(64ULL << 20)
#define WS_MAX_MESSAGE_NONE	(~0ULL)

#define WS_CLOSE_TIMEOUT_DEFAULT 10000
/* The shortest and the longest time that WS_CONFIG takes, but for 0. */
#define WS_TIME_MIN		100
#define WS_TIME_MAX		86400000

/**
 * struct ws_config - the settings of one socket
 * @role: WS_ROLE_SERVER (default): expects masked frames, sends bare ones.
 *	WS_ROLE_CLIENT: the reverse. Can change only before the first I/O.
 * @flags: WS_F_RECORDS or WS_F_BATCH, neither (default): a message a call; and
 *	WS_F_CLOSE. Can change when no message has been read or written in part.
 * @max_message: the largest message taken from the peer, in payload bytes of
 *	all its fragments; a larger one ends the connection with 1009. 0 means
 *	%WS_MAX_MESSAGE_DEFAULT, %WS_MAX_MESSAGE_NONE no limit. The kernel does
 *	not hold whole messages: this protects the reader's memory, not the
 *	kernel's. Applies from the next frame on.
 * @send_opcode: WS_OP_TEXT or WS_OP_BINARY for messages that are sent without
 *	a control message; 0 means WS_OP_BINARY.
 * @rsv: reserved bits that data messages may carry: 0 or WS_RSV1. A message
 *	that carries it is passed on as it is, with WS_MSG_RSV1 and its text
 *	not checked for UTF-8. A bit that is not allowed here ends the
 *	connection with 1002, as it does on every continuation and control
 *	frame. Applies from the next frame on.
 * @ping_interval: send a PING when nothing has come from the peer for so many
 *	milliseconds, less up to an eighth of it, by chance, so that many
 *	connections do not ping at once. 0 (default): never.
 * @ping_timeout: when nothing comes from the peer for so many milliseconds
 *	after a PING, it is dead: TCP is reset and the error is ETIMEDOUT.
 *	0 (default): as long as @ping_interval. A peer that this socket does not
 *	let send, because nobody reads here, is not judged.
 * @assembly_timeout: how many milliseconds a message may take from its first
 *	byte to its last; one that takes longer ends the connection with 1008
 *	and ETIMEDOUT. 0 (default): no limit. Time in which the peer could not
 *	send because nobody reads here does not count.
 * @close_timeout: how many milliseconds after our Close the peer's must come,
 *	before TCP is ended without; time in which the peer takes what was sent
 *	before the Close does not count. After close() it is the time for all
 *	of the closing handshake, and a minute at most. 0 means
 *	%WS_CLOSE_TIMEOUT_DEFAULT.
 *
 * Times are 0 or %WS_TIME_MIN to %WS_TIME_MAX, a tenth of a second to a day.
 * They start anew when they are set, and are kept to within an eighth or 20 ms,
 * whichever is more.
 *
 * setsockopt() takes any size: missing trailing members read as 0, unknown
 * trailing bytes must be 0 (else E2BIG). All members are checked before any
 * is changed. getsockopt() fills as much as fits and returns that size; what
 * was given as "default" reads back as its value.
 *
 * Errors: EINVAL (a value out of range, or an empty option), E2BIG, EFAULT,
 * EBUSY (the role, after the first I/O; the flags, inside a message).
 */
struct ws_config {
	__u32 role;
	__u32 flags;
	__u64 max_message;
	__u32 send_opcode;
	__u32 rsv;
	__u32 ping_interval;
	__u32 ping_timeout;
	__u32 assembly_timeout;
	__u32 close_timeout;
};

/**
 * enum ws_rule - the rule that a connection broke
 * @WS_RULE_NONE: none
 * @WS_RULE_RSV: a reserved bit was set (5.2), 1002
 * @WS_RULE_OPCODE: a reserved opcode (5.2), 1002
 * @WS_RULE_LENGTH: a length of 2^63 or more, or not in its shortest form
 *	(5.2), 1002
 * @WS_RULE_UNMASKED: a client sent a frame without a mask (5.1), 1002
 * @WS_RULE_MASKED: a server sent a frame with a mask (5.1), 1002
 * @WS_RULE_CONTROL_LENGTH: a control frame of more than 125 bytes (5.5), 1002
 * @WS_RULE_CONTROL_FRAGMENT: a control frame with FIN clear (5.5), 1002
 * @WS_RULE_CONTINUATION: a continuation without a message to go on with
 *	(5.4), 1002
 * @WS_RULE_INTERLEAVED: a new message before the last one ended (5.4), 1002
 * @WS_RULE_CLOSE_LENGTH: a Close body of one byte (5.5.1), 1002
 * @WS_RULE_CLOSE_CODE: a status code that must not be sent (7.4), 1002
 * @WS_RULE_CLOSE_UTF8: a Close reason that is not UTF-8 (5.5.1), 1007
 * @WS_RULE_UTF8: a text message that is not UTF-8 (8.1), 1007
 * @WS_RULE_TOO_BIG: a message above ws_config::max_message, 1009
 * @WS_RULE_TRUNCATED: TCP ended inside a frame or a message, 1006
 * @WS_RULE_STREAM: something other than this socket's own calls took or
 *	changed bytes of the stream, 1011
 * @WS_RULE_PING_TIMEOUT: nothing came after our PING in time, no Close is sent
 * @WS_RULE_ASSEMBLY_TIMEOUT: a message took too long, 1008
 * @WS_RULE_CLOSE_TIMEOUT: no Close came after ours in time
 * @WS_RULE_MAX: the number of rules this header knows
 */
enum ws_rule {
	WS_RULE_NONE,
	WS_RULE_RSV,
	WS_RULE_OPCODE,
	WS_RULE_LENGTH,
	WS_RULE_UNMASKED,
	WS_RULE_MASKED,
	WS_RULE_CONTROL_LENGTH,
	WS_RULE_CONTROL_FRAGMENT,
	WS_RULE_CONTINUATION,
	WS_RULE_INTERLEAVED,
	WS_RULE_CLOSE_LENGTH,
	WS_RULE_CLOSE_CODE,
	WS_RULE_CLOSE_UTF8,
	WS_RULE_UTF8,
	WS_RULE_TOO_BIG,
	WS_RULE_TRUNCATED,
	WS_RULE_STREAM,
	WS_RULE_PING_TIMEOUT,
	WS_RULE_ASSEMBLY_TIMEOUT,
	WS_RULE_CLOSE_TIMEOUT,
	WS_RULE_MAX
};

/* ws_info::state, a mask; 0 is an open connection. */
#define WS_STATE_CLOSE_SENT	0x01	/* our Close is on its way or out */
#define WS_STATE_CLOSE_RECEIVED	0x02	/* the peer's Close was delivered */
#define WS_STATE_FAILED		0x04	/* the connection broke a rule */
#define WS_STATE_EOF		0x08	/* TCP ended without a Close */

/**
 * struct ws_info - what the socket has seen and done
 * @role: ws_config::role
 * @state: WS_STATE_* bits
 * @rule: &enum ws_rule, the rule that was broken, or 0
 * @close_sent: status code of the Close we sent, 1005 for one without, 0
 *	for no Close yet
 * @close_received: status code of the peer's Close, 1005 for one without, 0
 *	for no Close yet
 * @fault_offset: where in the received stream the frame begins that broke the
 *	rule, in bytes since the attach (WS_RX_PREFIX included); the end of what
 *	has come when it is not about a frame
 * @rx_messages: data messages given to the application
 * @rx_bytes: their payload bytes
 * @tx_messages: data messages taken from the application
 * @tx_bytes: their payload bytes
 * @rx_pings: PINGs received
 * @tx_pongs: PONGs sent by the kernel
 * @rx_pongs: PONGs received and dropped
 * @wakeups: how often the socket became readable and its sleepers were told
 * @tx_pings: PINGs sent by the kernel
 * @reserved: 0
 * @rx_calls: how many calls gave one of @rx_messages or a piece of one
 * @tx_calls: how many calls took one of @tx_messages or a part of one
 *
 * getsockopt() fills as much as fits and returns that size; later kernels may
 * know more members.
 */
struct ws_info {
	__u32 role;
	__u32 state;
	__u32 rule;
	__u16 close_sent;
	__u16 close_received;
	__u64 fault_offset;
	__u64 rx_messages;
	__u64 rx_bytes;
	__u64 tx_messages;
	__u64 tx_bytes;
	__u32 rx_pings;
	__u32 tx_pongs;
	__u32 rx_pongs;
	__u32 wakeups;
	__u32 tx_pings;
	__u32 reserved;
	__u64 rx_calls;
	__u64 tx_calls;
};

#endif /* _UAPI_LINUX_WS_H */
