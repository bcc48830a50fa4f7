/* SPDX-License-Identifier: GPL-2.0-only */
/* The context of an attached socket. */
#ifndef _WS_CTX_H
#define _WS_CTX_H

#include <linux/net.h>
#include <linux/timer.h>
#include <linux/ws.h>
#include <net/sock.h>

#include "ws_frame.h"

/* More jiffies than any limit has. */
#define WS_TIME_NEVER	U32_MAX

/**
 * struct ws_cursor - a place in the received stream and what it is inside of
 * @left: payload bytes of the frame at hand that lie beyond @seq
 * @seq: TCP sequence number of the next byte
 * @key: mask of the frame at hand, rotated to the byte at @seq
 * @opcode: of the message at hand, 0 between messages
 * @rsv: WS_RSV1 or 0, of the message at hand
 * @frame: @seq is inside a data frame; else at a frame boundary
 * @fin: the frame at hand is the message's last
 */
struct ws_cursor {
	u64 left;
	u32 seq;
	u32 key;
	u8 opcode;
	u8 rsv;
	bool frame;
	bool fin;
} __packed __aligned(4);

/**
 * struct ws_prefix - bytes that come before those in TCP's queue
 * @len: how many
 * @stash: allocated by stash_unread() and charged to sk_omem_alloc; else by
 *	WS_RX_PREFIX and charged to the caller's memory cgroup
 * @bytes: they
 */
struct ws_prefix {
	u32 len:31;
	u32 stash:1;
	u8 bytes[];
};

/* Why the received stream ends at ws_rx::scan. */
enum ws_stop {
	WS_STOP_NONE,
	WS_STOP_CLOSE,
	WS_STOP_FAULT,
	/* The reader has had the Close or error; later bytes are discarded. */
	WS_STOP_OVER,
};

/**
 * struct ws_rx - the receiving direction
 * @scan: how far the stream has been scanned
 * @head: how far it has been given to the reader; never beyond @scan
 * @announced: payload bytes that scanned headers of the open message gave as
 *	lengths, for ws_seq_check()
 * @consumed: bytes of the stream before @head.seq
 * @frame_at: where in the stream the data frame at @scan begins; once there is
 *	WS_STOP_FAULT, where what broke the rule does
 * @close_key: the Close frame that ends at @scan, for WS_STOP_CLOSE: mask of
 *	its reason
 * @close_code: its status code
 * @close_len: length of its reason
 * @prefix: bytes that come before those in the queue, from WS_RX_PREFIX or
 *	stash_unread(), or NULL; they end at sequence number @base
 * @base: first sequence number that is in the queue
 * @complete: whole messages between @head and @scan
 * @payload: payload bytes of data frames between @head and @scan
 * @utf8: ws_utf8() state of the text message open at @scan
 * @stop: &enum ws_stop
 * @rule: &enum ws_rule for WS_STOP_FAULT, or the limit that has passed; valid
 *	with WS_STATE_FAILED
 * @opened: since when @open is set, in tcp_jiffies32
 * @growing: ws_below_grow() is at work
 * @starved: ws_stream_relieve() or ws_tls_fill() found no memory and must be
 *	tried again
 * @fin_read: TCP's FIN was read: it has the number @base, and copied_seq is one
 *	more
 * @open: a frame or a message has begun and is not complete
 * @lazy: bytes behind @scan were left unscanned
 * @first_only: why: the scanner stopped behind the first message for a reader
 *	of many; else WS_SCAN_BUDGET was used up
 * @lingers: after close() only ws_linger.c reads, see ws_count::linger
 * @state: ws_info::state
 * @started: the parser runs; before that the role may still change
 * @wanted: poll() asked for the parser to be started
 * @run_due: the lock owner is to run ws_event_run() when it releases the lock
 */
struct ws_rx {
	struct ws_cursor scan;
	struct ws_cursor head;
	u64 announced;
	u64 consumed;
	/* Never both: a Close that breaks a rule gets @frame_at. */
	union {
		u64 frame_at;
		struct {
			u32 close_key;
			u16 close_code;
			u8 close_len;
		};
	};
	struct ws_prefix *prefix;
	u32 base;
	u32 complete;
	u32 payload;
	u32 opened;
	u8 utf8;
	u8 stop;
	u8 rule;
	u8 growing:1;
	u8 starved:1;
	u8 fin_read:1;
	u8 open:1;
	u8 lazy:1;
	u8 first_only:1;
	u8 lingers:1;
	u8 state;
	bool started;
	bool wanted;
	bool run_due;
};

/**
 * struct ws_time - times that ws_limits.c compares, in tcp_jiffies32
 * @base: bytes that came before this do not count as a sign of life
 * @asked: since when an answer to our PING, or else to our Close, is due;
 *	since when the socket lingers
 * @una: tcp_sock::snd_una at the last check
 * @end: sequence number behind the PING or Close
 * @ping: WS_PING_*
 * @jitter: 256ths of an eighth by which the next PING comes sooner
 * @behind: the PING or Close waited behind other bytes at the last check
 */
struct ws_time {
	u32 base;
	u32 asked;
	u32 una;
	u32 end;
	u8 ping;
	u8 jitter;
	bool behind;
};

enum {
	WS_PING_NONE,
	WS_PING_WANTED,
	/* Built. */
	WS_PING_SENT,
};

/*
 * WS_CONFIG; the bits that no time needs have the rest. What each message looks
 * at has a byte of its own, which costs no shift.
 */
struct ws_settings {
	u64 max_message;
	u64 ping_interval:27;
	u64 ping_timeout:27;
	u64 send_opcode:2;
	u64 flags:8;
	u64 assembly_timeout:27;
	u64 close_timeout:27;
	u64 rsv1:2;		/* rsv is WS_RSV1, not 0 */
	u64 role:8;
};

static_assert(WS_TIME_MAX < 1 << 27);

/*
 * What WS_INFO is made from, by the names of struct ws_info. A socket that
 * lingers has no more calls to count. Packed, so that ws_time follows at once.
 */
struct ws_count {
	u64 rx_messages;
	u64 rx_bytes;
	u64 tx_messages;
	u64 tx_bytes;
	union {
		u64 rx_calls;
		struct ws_linger *linger;
	};
	u64 tx_calls;
	u32 rx_pings;
	u32 tx_pongs;
	u32 rx_pongs;
	u32 wakeups;
	u32 tx_pings;
} __packed __aligned(4);

/**
 * struct ws_ctx - one attached socket
 * @sk: the socket; none of our callbacks outlives it, and @timer holds it
 * @tls: what is needed on top of kTLS, NULL on top of TCP
 * @timer: runs ws_event_run(); while pending it has a reference on @sk
 * @mibs: counters of the network namespace
 * @rx: the receiving direction
 * @tx: the sending direction
 * @cfg: WS_CONFIG, defaults filled in
 * @info: WS_INFO, as far as it is counted
 * @time: keepalive and limits
 *
 * Found through sk_user_data, which changes under sk_callback_lock and the
 * socket lock both. The lock of the context is the socket lock, on kTLS
 * ws_tls::lock (ws_lock()). Fields and their locks:
 *
 *  ==================  =========================  ========================
 *  field               written                    read
 *  ==================  =========================  ========================
 *  sk, tls, mibs       at attach                  freely
 *  rx, tx, time, cfg,  the socket lock: by its    the same; poll() reads
 *  info                owner, or in softirq with  rx.complete, rx.stop,
 *                      bh_lock_sock() and no      rx.payload, rx.started,
 *                      owner                      rx.starved, rx.base,
 *                                                 tx.nseg, tx.busy, tx.open,
 *                                                 info.rx_bytes, cfg.flags
 *                                                 without, as hints
 *  rx.run_due,         the same, or with          the same
 *  rx.wanted,          bh_lock_sock() while the
 *  tx.polled           socket is owned
 *  timer               any of these               its handler: bh_lock_sock()
 *  ==================  =========================  ========================
 *
 * On top of kTLS, whose calls take the socket lock themselves, a mutex stands
 * in for it, see ws_tls.c and ws_lock(). A frame is built whole before the
 * first of its bytes reaches TCP, and what TCP does not take stays in @tx and
 * goes before anything else, so frames stay whole although the lock is dropped
 * while a sender waits.
 */
struct ws_ctx {
	struct sock *sk;
	struct ws_tls *tls;
	struct ws_mibs __percpu *mibs;
	struct timer_list timer;
	struct ws_rx rx;
	struct ws_tx tx;
	struct ws_settings cfg;
	struct ws_count info;
	struct ws_time time;
};

/**
 * struct ws_saved - what an attached socket had before
 * @prot: TCP's or kTLS's
 * @ops: TCP's or kTLS's
 * @data_ready: the callback that wakes the reader; kTLS has a place for it
 * @write_space: the callback that wakes the writer
 * @state_change: the callback for the end of the connection
 * @tls: kTLS, if that is below, or NULL
 */
struct ws_saved {
	struct proto *prot;
	const struct proto_ops *ops;
	void (*data_ready)(struct sock *sk);
	void (*write_space)(struct sock *sk);
	void (*state_change)(struct sock *sk);
	const struct tcp_ulp_ops *tls;
};

/**
 * struct ws_slot - for all sockets that had the same before
 * @saved: what they had
 * @prot: a copy of its table with our entries in it
 * @ops: a copy of its table with our entries in it
 */
struct ws_slot {
	struct ws_saved saved;
	struct proto prot;
	struct proto_ops ops;
};

/*
 * The context of a socket whose protocol table is one of ours, or NULL when
 * sk_user_data is not ours (any more). For callers that hold a reference on the
 * file, or the socket lock. Some kernel users (iscsi_tcp) assign sk_user_data
 * without testing it; their pointers lack the flag SK_USER_DATA_NOCOPY.
 */
static inline struct ws_ctx *ws_ctx_get(const struct sock *sk)
{
	uintptr_t p = (uintptr_t)READ_ONCE(sk->sk_user_data);

	if (unlikely((p & ~SK_USER_DATA_PTRMASK) != SK_USER_DATA_NOCOPY))
		return NULL;
	return (struct ws_ctx *)(p - SK_USER_DATA_NOCOPY);
}

/* The slot of a socket, also when sk_user_data is not ours any more. */
static inline const struct ws_slot *ws_slot_get(const struct sock *sk)
{
	return container_of(READ_ONCE(sk->sk_prot), struct ws_slot, prot);
}

/* What a socket had before; for lock holders and calls through its tables. */
static inline const struct ws_saved *ws_saved_of(const struct ws_ctx *ctx)
{
	return &ws_slot_get(ctx->sk)->saved;
}

/* The same for calls that came by proto_ops. */
static inline const struct ws_slot *ws_slot_of(const struct socket *sock)
{
	return container_of(READ_ONCE(sock->ops), struct ws_slot, ops);
}

#endif /* _WS_CTX_H */
