/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private declarations of the ws module, grouped by the file they live in.
 * Includes point one way: core <- lower <- ctrl <- rx, tx <- ulp.
 */
#ifndef _WS_H
#define _WS_H

#include <linux/bvec.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/refcount.h>
#include <linux/workqueue.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "compat/compat.h"
#include "core/core.h"
#include "ws_sched.h"

/*
 * Unread bytes that are taken out of TCP's buffers rather than waited with: a
 * page, with struct ws_prefix.
 */
#define WS_STASH_MAX	4092
/* PONGs that wait to be sent, a connection; older ones make room. */
#define WS_PONG_MAX	64
/* Payload of one frame at most; a longer message goes out in fragments. */
#define WS_FRAME_MAX	(256 * 1024)
/* What a send may take although the send buffer has less room. */
#define WS_FRAME_MIN	(64 * 1024)
#define WS_FRAME_MIN_NB	4096
/* Page runs of one frame; 64 KiB fit even where only single pages are left. */
#define WS_FRAME_SEGS	18
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
 * @bytes: they
 */
struct ws_prefix {
	u32 len;
	u8 bytes[];
};

/* Why the received stream ends at ws_rx::scan. */
enum ws_stop {
	WS_STOP_NONE,
	WS_STOP_CLOSE,
	WS_STOP_FAULT,
	/* The reader has been told; whatever else arrives is thrown away. */
	WS_STOP_OVER,
};

/**
 * struct ws_rx - the receiving direction
 * @scan: how far the stream has been looked at
 * @head: how far it has been given to the reader; never beyond @scan
 * @seq: the rules' state at @scan
 * @consumed: bytes of the stream before @head.seq
 * @frame_at: where in the stream the data frame at @scan begins; once there is
 *	WS_STOP_FAULT, where what broke the rule does
 * @close_key: the Close frame that ends at @scan, for WS_STOP_CLOSE: mask of
 *	its reason
 * @close_code: its status code
 * @close_len: length of its reason
 * @prefix: bytes that come before those in the queue, from WS_RX_PREFIX or
 *	ws_lower_stash(), or NULL; they end at sequence number @base
 * @base: first sequence number that is in TCP's queue
 * @copied: what tcp_sock::copied_seq must be, unless somebody else reads
 * @complete: whole messages between @head and @scan
 * @payload: payload bytes of data frames between @head and @scan
 * @utf8: ws_utf8() state of the text message open at @scan
 * @stop: &enum ws_stop
 * @rule: &enum ws_rule for WS_STOP_FAULT
 * @grown: the receive buffer was made large enough for so many bytes
 * @growing: ws_lower_grow() is at work
 * @cramped: ws_rx_relieve() found no memory and must be tried again
 * @started: the parser runs; before that the role may still change
 * @open: a frame or a message has begun and is not complete
 * @lazy: what lies beyond @scan has not been looked at, see ws_rx_data_ready();
 *	only with a message @complete
 */
struct ws_rx {
	struct ws_cursor scan;
	struct ws_cursor head;
	struct ws_seq seq;
	u64 consumed;
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
	u32 copied;
	u32 complete;
	u32 payload;
	u32 grown;
	u8 utf8;
	u8 stop;
	u8 rule;
	bool growing;
	bool cramped;
	bool started;
	bool open;
	bool lazy;
};

/**
 * struct ws_frame - a frame of several page runs, on its way into TCP
 * @uarg: who is told when the payload's pages are not needed any more, or NULL
 * @seg: the runs
 */
struct ws_frame {
	struct ubuf_info *uarg;
	struct bio_vec seg[WS_FRAME_SEGS];
};

struct ws_pong;

/**
 * struct ws_tx - the sending direction
 * @one: the page run of the frame on its way into TCP, when it needs only one
 * @frame: more about it, when it is @large
 * @nseg: how many runs, 0 when no frame is under way
 * @cur: the run that TCP takes next; its offset and length are what is left
 * @opcode: of the message that MSG_MORE left open, or 0
 * @rsv: WS_RSV1 or 0, of that message
 * @rec_left: payload bytes to come of the record that was written in part
 * @rec_pad: bytes to come behind them
 * @rec_end: it ends its message
 * @npong: how many PONGs are to be sent
 * @pong: the last of them, or NULL; the first is next to it
 * @close_code: of the Close to send
 * @close: WS_CLOSE_*
 * @fin: WS_FIN_*
 * @busy: a sendmsg() sleeps that must be the next to send: it waits for room,
 *	or is between two frames of its message
 * @waiters: how many wait for @busy to end
 * @large: see @frame
 * @shared: the payload's pages may change, as their owner likes
 * @gather: how many runs a frame has that is still to grow, see
 *	ws_zc_sendpage(); it has no header yet, and is not under way
 * @gather_op: its opcode
 * @cut: TCP has some of the frame under way, but not all
 */
struct ws_tx {
	union {
		struct bio_vec one;
		struct ws_frame *frame;
	};
	struct ws_pong *pong;
	unsigned int waiters;
	u32 rec_left;
	u16 close_code;
	u8 nseg;
	u8 cur;
	u8 opcode;
	u8 rsv;
	u8 rec_pad;
	bool rec_end;
	u8 npong;
	u8 close;
	u8 fin;
	u8 gather;
	u8 gather_op;
	bool large;
	bool shared;
	bool busy;
	bool cut;
};

/* The page runs of the frame on its way into TCP. */
static inline struct bio_vec *ws_tx_runs(struct ws_tx *tx)
{
	return tx->large ? tx->frame->seg : &tx->one;
}

/* Who is told when its payload's pages are not needed any more, or NULL. */
static inline struct ubuf_info *ws_tx_uarg(const struct ws_tx *tx)
{
	return unlikely(tx->large) ? tx->frame->uarg : NULL;
}

enum {
	WS_CLOSE_NONE,
	/* Asked for; goes out once the frame under way is in TCP's hands. */
	WS_CLOSE_WANTED,
	/* In TCP's hands, or given up. */
	WS_CLOSE_SENT,
};

enum {
	WS_FIN_NONE,
	/* TCP's sending direction ends behind the Close. */
	WS_FIN_WANTED,
	WS_FIN_SENT,
};

/**
 * struct ws_time - what ws_timer.c goes by, in tcp_jiffies32
 * @base: nothing that came before this tells that the peer lives
 * @interval: milliseconds of silence until the next PING
 * @asked: since when an answer to our PING, or else to our Close, is due;
 *	since when the socket lingers
 * @una: what TCP's peer had acknowledged when that was last looked at
 * @end: sequence number behind the PING or Close
 * @open: since when ws_rx::open is set
 * @ping: WS_PING_*
 * @behind: the PING or Close waited behind other bytes at the last look
 */
struct ws_time {
	u32 base;
	u32 interval;
	u32 asked;
	u32 una;
	u32 end;
	u32 open;
	u8 ping;
	bool behind;
};

enum {
	WS_PING_NONE,
	WS_PING_WANTED,
	/* In TCP's hands. */
	WS_PING_SENT,
};

enum ws_mib {
	WS_MIB_CURR,
	WS_MIB_CURR_TLS_PAGES,
	WS_MIB_ATTACHED,
	WS_MIB_ATTACHED_TLS,
	WS_MIB_TLS_ERROR,
	WS_MIB_RX_MESSAGES,
	WS_MIB_RX_BYTES,
	WS_MIB_RX_PIECES,
	WS_MIB_RX_PING,
	WS_MIB_RX_PONG,
	WS_MIB_RX_CLOSE,
	WS_MIB_TX_MESSAGES,
	WS_MIB_TX_BYTES,
	WS_MIB_TX_REFERENCED,
	WS_MIB_TX_PING,
	WS_MIB_TX_PONG,
	WS_MIB_TX_CLOSE,
	WS_MIB_PONG_DROPPED,
	WS_MIB_NO_MEMORY,
	WS_MIB_LINGER,
	WS_MIB_LINGER_DROPPED,
	/* One for each rule, in the order of &enum ws_rule from 1 on. */
	WS_MIB_ERR,
	WS_MIB_MAX = WS_MIB_ERR + WS_RULE_MAX - 1
};

struct ws_mibs {
	unsigned long v[WS_MIB_MAX];
};

/* WS_CONFIG, in less space. */
struct ws_settings {
	u64 max_message;
	u32 ping_interval;
	u32 ping_timeout;
	u32 assembly_timeout;
	u32 close_timeout;
	u8 role;
	u8 flags;
	u8 send_opcode;
	u8 rsv;
} __packed __aligned(4);

/* What WS_INFO is made from, by the names of struct ws_info. */
struct ws_count {
	u64 rx_messages;
	u64 rx_bytes;
	u64 tx_messages;
	u64 tx_bytes;
	u64 rx_calls;
	u64 tx_calls;
	u32 rx_pings;
	u32 tx_pongs;
	u32 rx_pongs;
	u32 wakeups;
	u32 tx_pings;
	u8 state;
	u8 rule;
};

/* Must TCP be ended with ETIMEDOUT, and is that under way? */
enum ws_dead {
	WS_DEAD_NOT,
	WS_DEAD,
	WS_DEAD_RESET,
};

/**
 * struct ws_ctx - one attached socket
 * @sk: the socket; it does not outlive this structure's callbacks
 * @slot: the protocol tables in use and those below them
 * @tls: what is needed on top of kTLS, NULL on top of TCP
 * @mibs: counters of the network namespace
 * @sched: when ws_ctrl_run() sends what softirq context must not, and looks at
 *	the time
 * @rx: the receiving direction
 * @tx: the sending direction
 * @time: keepalive and limits
 * @cfg: WS_CONFIG, defaults filled in
 * @info: WS_INFO, as far as it is counted
 * @lingers: nobody reads any more but ws_linger.c; when there is no file any
 *	more either, ws_ctrl_run() is to close it
 * @dead: &enum ws_dead
 *
 * Found through sk_user_data, which changes under sk_callback_lock and the
 * socket lock both. Who writes what, and under which lock:
 *
 *  ==================  =========================  ========================
 *  field               written                    read
 *  ==================  =========================  ========================
 *  sk, slot, tls,      at attach                  freely
 *  mibs
 *  rx, tx, time, cfg,  the socket lock: by its    the same; poll() reads
 *  info, lingers       owner, or in softirq with  rx.complete, rx.stop,
 *                      bh_lock_sock() and no      rx.payload, rx.started,
 *                      owner                      tx.nseg and tx.busy
 *                                                 without, as hints
 *  dead                ws_ctrl_run(), with the    the same; close() with the
 *                      socket lock                socket lock
 *  sched               its own lock, the          the same
 *                      innermost
 *  ==================  =========================  ========================
 *
 * On top of kTLS, whose calls take the socket lock themselves, a mutex stands
 * in for it, see ws_tls.c and ws_lock(). A frame is
 * built whole before the first of its bytes reaches TCP, and what TCP does not
 * take stays in @tx and goes before anything else, so frames stay whole
 * although the lock is dropped while a sender waits.
 */
struct ws_ctx {
	struct sock *sk;
	const struct ws_slot *slot;
	struct ws_tls *tls;
	struct ws_mibs __percpu *mibs;
	struct ws_sched sched;
	struct ws_rx rx;
	struct ws_tx tx;
	struct ws_time time;
	struct ws_settings cfg;
	struct ws_count info;
	bool lingers;
	u8 dead;
};

/**
 * struct ws_lower - what an attached socket had before
 * @prot: TCP's or kTLS's
 * @ops: TCP's or kTLS's
 * @data_ready: the callback that wakes the reader; kTLS has a place for it
 * @write_space: the callback that wakes the writer
 * @state_change: the callback for the end of the connection
 * @tls: kTLS, if that is below, or NULL
 */
struct ws_lower {
	struct proto *prot;
	const struct proto_ops *ops;
	void (*data_ready)(struct sock *sk);
	void (*write_space)(struct sock *sk);
	void (*state_change)(struct sock *sk);
	const struct tcp_ulp_ops *tls;
};

/**
 * struct ws_slot - for all sockets that had the same before
 * @lower: what they had
 * @prot: a copy of its table with our entries in it
 * @ops: a copy of its table with our entries in it
 */
struct ws_slot {
	struct ws_lower lower;
	struct proto prot;
	struct proto_ops ops;
};

/* For callers that hold a reference on the file, or the socket lock. */
static inline struct ws_ctx *ws_ctx_get(const struct sock *sk)
{
	return (struct ws_ctx *)((uintptr_t)READ_ONCE(sk->sk_user_data) &
				 SK_USER_DATA_PTRMASK);
}

/**
 * struct ws_tls - an attached socket that has kTLS below
 * @ctx: whose it is
 * @lock: stands in for the socket lock, and is taken before it: process
 *	context only
 * @ref: one for the context, one for who unlocks @lock after that may go
 * @work: ws_ctrl_run()
 * @memcg: who is charged for @bufs: who attached; or NULL
 * @bufs: decrypted bytes, &struct ws_tls_buf, in the order of the stream
 * @end: sequence number behind the last of them
 * @limit: so many bytes are read ahead of the reader
 * @sleepers: readers that sleep; they look for records themselves
 * @skip: bytes of a handshake message that are still to come
 * @head: the beginning of one's header
 * @head_len: how much of it is there
 * @over: &enum ws_tls_over
 * @notified: close_notify has been sent
 * @heard: the peer's close_notify has come
 * @handed: the TLS library has sent its own, and asks for the peer's
 * @mark: ws_time::end is to be set when the frame under way is out
 * @taken: somebody who began before the attach is reading the records
 * @news: something to read has come of which only a caller knows
 *
 * @sleepers is read in softirq context, @over and @handed by poll(); all else
 * needs @lock.
 */
struct ws_tls {
	struct ws_ctx *ctx;
	struct mutex lock;	/* see above */
	refcount_t ref;
	struct work_struct work;
	struct mem_cgroup *memcg;
	struct list_head bufs;
	u32 end;
	u32 limit;
	u32 sleepers;
	u32 skip;
	u8 head[4];
	u8 head_len;
	u8 over;
	bool notified;
	bool heard;
	bool handed;
	bool mark;
	bool taken;
	bool news;
};

/* Types of records, RFC 8446 section 5.1. */
#define WS_TLS_ALERT		21
#define WS_TLS_HANDSHAKE	22
#define WS_TLS_DATA		23

/* The alert that says that nothing follows. */
#define WS_TLS_CLOSE_NOTIFY	0

/* How the received stream of kTLS has ended. */
enum ws_tls_over {
	WS_TLS_OPEN,
	/* By TCP's FIN or by close_notify. */
	WS_TLS_EOF,
	/* By an error, which was left in sk_err. */
	WS_TLS_BROKEN,
};

/* The socket lock, or what stands in for it. Process context; may sleep. */
static inline void ws_lock(struct ws_ctx *ctx)
{
	if (unlikely(ctx->tls))
		mutex_lock(&ctx->tls->lock);
	else
		lock_sock(ctx->sk);
}

static inline void ws_unlock(struct ws_ctx *ctx)
{
	if (unlikely(ctx->tls))
		mutex_unlock(&ctx->tls->lock);
	else
		release_sock(ctx->sk);
}

/*
 * Is nothing under way to TCP, nor due? Mostly; else ws_ctrl_pending() knows
 * whether there is something to do. For callers that have the lock.
 */
static inline bool ws_ctrl_quiet(const struct ws_ctx *ctx)
{
	const struct ws_tx *tx = &ctx->tx;

	return likely(!(tx->nseg | tx->npong | tx->close | tx->fin |
			ctx->time.ping | ctx->rx.cramped));
}

static inline void ws_owned_by_me(const struct ws_ctx *ctx)
{
	if (ctx->tls)
		lockdep_assert_held(&ctx->tls->lock);
	else
		sock_owned_by_me(ctx->sk);
}

/* sk_wait_event() for whoever called ws_lock(). */
#define ws_wait_event(ctx, timeo, condition, wait)			\
do {									\
	struct wait_queue_entry *__wait = (wait);			\
	struct ws_ctx *__ctx = (ctx);					\
	long *__timeo = (timeo);					\
									\
	ws_unlock(__ctx);						\
	if (!(condition))						\
		*__timeo = wait_woken(__wait, TASK_INTERRUPTIBLE,	\
				      *__timeo);			\
	sched_annotate_sleep();						\
	ws_lock(__ctx);							\
} while (0)

/* ws_ulp.c */
int ws_ulp_init(void);
void ws_ulp_exit(void);
int ws_ulp_attach(struct sock *sk, const struct ws_config *cfg);
void ws_ulp_end(struct ws_ctx *ctx, long timeout);

/* ws_attach.c */
#ifdef CONFIG_NETFILTER
int ws_attach_init(void);
void ws_attach_exit(void);
#else
static inline int ws_attach_init(void)
{
	return 0;
}

static inline void ws_attach_exit(void)
{
}
#endif

/* ws_lower.c */

/**
 * struct ws_run - bytes of the stream that lie in one piece
 * @skb: the buffer of TCP's queue that has them, or NULL
 * @buf: the same for kTLS
 * @p: the bytes
 * @seq: sequence number of the first
 * @len: how many
 * @mapped: they are in a page that was mapped for it
 */
struct ws_run {
	struct sk_buff *skb;
	const struct ws_tls_buf *buf;
	const u8 *p;
	u32 seq;
	u32 len;
	bool mapped;
};

/* Where pages need mapping, a run maps one; see ws_compat_frag_map(). */
static inline void ws_lower_run_end(const struct ws_run *run)
{
	if (IS_ENABLED(CONFIG_HIGHMEM) && run->mapped)
		ws_compat_frag_unmap(run->p);
}

u32 ws_lower_end(const struct ws_ctx *ctx);
void ws_lower_seek(const struct ws_ctx *ctx, struct ws_run *run, u32 seq);
const u8 *ws_lower_run(const struct ws_ctx *ctx, struct ws_run *run, u32 seq,
		       u32 *len);
const u8 *ws_lower_front(const struct ws_ctx *ctx, u32 seq, u32 *len);
int ws_lower_peek(const struct ws_ctx *ctx, struct ws_run *run, u32 seq,
		  u8 *buf, u32 n);
int ws_lower_header(const struct ws_ctx *ctx, struct ws_run *run, u32 seq,
		    u32 avail, struct ws_hdr *hdr);
void ws_lower_grow(struct ws_ctx *ctx, u64 len);
void ws_lower_consume(struct ws_ctx *ctx, u32 seq);
int ws_lower_stash(struct ws_ctx *ctx, u32 end);
void ws_lower_end_read(struct ws_ctx *ctx);
void ws_lower_fin(struct ws_ctx *ctx);

/* Short messages, for those who look at many of them in a loop. */

/* The loops below store and compare words as these machines have them. */
#define WS_PLAIN	(IS_ENABLED(CONFIG_64BIT) && \
			 !IS_ENABLED(CONFIG_CPU_BIG_ENDIAN) && \
			 IS_ENABLED(CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS))

struct ws_u16 {
	u16 v;
} __packed;

struct ws_u32 {
	u32 v;
} __packed;

struct ws_u64 {
	u64 v;
} __packed;

static inline u64 ws_word(const u8 *p)
{
	return ((const struct ws_u64 *)p)->v;
}

static inline void ws_word_put(u8 *p, u64 v)
{
	((struct ws_u64 *)p)->v = v;
}

/**
 * ws_plain_kind() - is this the header of a whole message of one frame?
 * @head: the first eight bytes of a frame
 * @masked: whether a mask is expected
 * @rsv: WS_RSV1 if it may be set, or 0
 * @least: WS_OP_TEXT, or WS_OP_BINARY if only that will do
 *
 * Return: its opcode less @least; beyond WS_OP_BINARY's for anything else.
 */
static __always_inline u32 ws_plain_kind(u64 head, bool masked, u32 rsv,
					 u32 least)
{
	/* FIN, and the mask bit as it must be. */
	return ((u32)head & (0x80ff - rsv)) - (masked ? 0x8080 : 0x80) - least;
}

/**
 * ws_plain_len() - the length that follows such a header's first two bytes
 * @head: the first eight bytes of a frame whose length is not in the first two
 *
 * Return: payload bytes; 0 when it is too long for us or ws_hdr_parse() would
 * not accept it.
 */
static __always_inline u32 ws_plain_len(u64 head)
{
	u32 n = swab16(head >> 16);

	return (head >> 8 & 0x7f) == 126 && n > 125 ? n : 0;
}

/* The mask of a frame is in the four bytes before its payload. */
static __always_inline u32 ws_plain_key(const u8 *p, bool masked)
{
	return masked ? ((const struct ws_u32 *)(p - 4))->v : 0;
}

/* One that is longer and alone has ws_copy_unmask(), which knows vectors. */
#define WS_PLAIN_ONE_MAX	1024

/**
 * struct ws_plain - a short message of one frame
 * @size: bytes of the frame
 * @len: bytes of its payload
 * @opcode: WS_OP_TEXT or WS_OP_BINARY
 */
struct ws_plain {
	u32 size;
	u32 len;
	u32 opcode;
};

/**
 * ws_plain_parse() - look for such a message
 * @q: where it begins
 * @size: how many bytes of the stream lie there in one piece
 * @masked: whether a mask is expected
 * @one: filled
 *
 * Return: false for anything else.
 */
static __always_inline bool ws_plain_parse(const u8 *q, u32 size, bool masked,
					   struct ws_plain *one)
{
	u32 before = masked ? 6 : 2, kind;
	u64 head;

	if (size < 8)
		return false;
	head = ws_word(q);
	kind = ws_plain_kind(head, masked, 0, WS_OP_TEXT);
	if (kind > 1)
		return false;
	one->opcode = WS_OP_TEXT + kind;
	one->len = head >> 8 & 0x7f;
	if (unlikely(one->len > 125)) {
		one->len = ws_plain_len(head);
		before += 2;
		if (!one->len || one->len > WS_PLAIN_ONE_MAX)
			return false;
	}
	one->size = before + one->len;
	return one->size <= size;
}

/* ws_tls.c */

/**
 * struct ws_tls_buf - bytes of the stream
 * @node: in ws_tls::bufs
 * @page: where they are
 * @order: of @page
 * @seq: of the first
 * @len: how many
 */
struct ws_tls_buf {
	struct list_head node;
	struct page *page;
	unsigned int order;
	u32 seq;
	u32 len;
};

static inline u32 ws_tls_buf_room(const struct ws_tls_buf *buf)
{
	return (PAGE_SIZE << buf->order) - buf->len;
}

static inline u8 *ws_tls_buf_data(const struct ws_tls_buf *buf)
{
	return page_address(buf->page);
}

struct ws_tls *ws_tls_create(struct ws_ctx *ctx);
void ws_tls_put(struct ws_tls *tls);
void ws_tls_lower(const struct sock *sk, struct ws_lower *lower);
void ws_tls_hook(struct ws_ctx *ctx);
void ws_tls_unhook(struct ws_ctx *ctx);
u16 ws_tls_version(const struct ws_ctx *ctx);
bool ws_tls_run(const struct ws_ctx *ctx, struct ws_run *run, u32 seq);
void ws_tls_consume(struct ws_ctx *ctx, u32 seq);
void ws_tls_grow(struct ws_ctx *ctx, u64 len);
struct ws_tls_buf *ws_tls_buf_get(struct ws_ctx *ctx);
void ws_tls_buf_free(const struct ws_ctx *ctx, struct ws_tls_buf *buf);
void ws_tls_purge(struct ws_ctx *ctx);
void ws_tls_sleep(struct ws_ctx *ctx, bool begin);
bool ws_tls_ready(const struct ws_ctx *ctx);
bool ws_tls_full(const struct ws_ctx *ctx);
bool ws_tls_sending(const struct ws_ctx *ctx);

/* ws_tls_rx.c */
void ws_tls_fill(struct ws_ctx *ctx);
void ws_tls_pull(struct ws_ctx *ctx);
void ws_tls_tell(struct ws_ctx *ctx);

/* ws_tls_tx.c */
struct ws_got;

int ws_tls_send(struct ws_ctx *ctx);
void ws_tls_sent(struct ws_ctx *ctx);
int ws_tls_end(struct ws_ctx *ctx);
int ws_tls_alert(struct ws_ctx *ctx, struct msghdr *msg, size_t len);
int ws_tls_recv_alert(struct ws_ctx *ctx, struct msghdr *msg, int flags,
		      struct ws_got *got);

/* Is the WebSocket over, and the library to wait for the end of TLS? */
static inline bool ws_tls_awaits(const struct ws_ctx *ctx)
{
	return ctx->tls && READ_ONCE(ctx->tls->handed) &&
	       READ_ONCE(ctx->tls->over) == WS_TLS_OPEN &&
	       READ_ONCE(ctx->rx.stop) == WS_STOP_OVER;
}

/* Is there more below that could be read ahead? */
static inline bool ws_lower_more(const struct ws_ctx *ctx)
{
	return ctx->tls && READ_ONCE(ctx->tls->over) == WS_TLS_OPEN &&
	       !ctx->rx.cramped && !READ_ONCE(ctx->tls->taken) &&
	       !ws_tls_full(ctx) && ws_tls_ready(ctx);
}

/* Has the peer ended the stream, and has all before that been read? */
static inline bool ws_lower_done(const struct ws_ctx *ctx)
{
	return ctx->tls ? READ_ONCE(ctx->tls->over) != WS_TLS_OPEN :
			  sock_flag(ctx->sk, SOCK_DONE);
}

/* ws_rx.c */
struct ws_taken;

void ws_rx_start(struct ws_ctx *ctx);
void ws_rx_scan(struct ws_ctx *ctx);
void ws_rx_scan_rest(struct ws_ctx *ctx);
void ws_rx_taken(struct ws_ctx *ctx, const struct ws_taken *taken);
void ws_rx_trim(struct ws_ctx *ctx);
void ws_rx_relieve(struct ws_ctx *ctx);
u64 ws_rx_offset(const struct ws_ctx *ctx);
void ws_rx_fault(struct ws_ctx *ctx, enum ws_rule rule);
void ws_rx_closed(struct ws_ctx *ctx);
void ws_rx_wake(struct ws_ctx *ctx);
void ws_rx_arrived(struct ws_ctx *ctx);
bool ws_rx_pressed(const struct ws_ctx *ctx);
void ws_rx_data_ready(struct sock *sk);

/**
 * ws_rx_readable() - would a reader get anything but EAGAIN?
 * @ctx: the socket
 *
 * The end of TCP's stream is for the caller to see. Without the lock the
 * answer is a hint.
 */
static inline bool ws_rx_readable(const struct ws_ctx *ctx)
{
	const struct ws_rx *rx = &ctx->rx;

	if (READ_ONCE(rx->complete))
		return true;
	if (READ_ONCE(rx->stop) != WS_STOP_NONE)
		return !ws_tls_awaits(ctx);
	/* data_race(): poll() asks without the lock, and asks again when woken. */
	return READ_ONCE(rx->payload) && data_race(ws_rx_pressed(ctx));
}

/* ws_copy.c */
int ws_copy_unmask(struct iov_iter *to, const u8 *p, u32 n, u32 key,
		   u64 ahead);

/* ws_piece.c */

/**
 * struct ws_piece - a walk from a place to the end of a message, or not so far
 * @cur: where it stands
 * @len: payload bytes passed over
 * @copied: of which so many were copied
 * @opcode: of the message
 * @rsv: of the message, WS_RSV1 or 0
 * @end: it came to the end of the message
 */
struct ws_piece {
	struct ws_cursor cur;
	u64 len;
	size_t copied;
	u8 opcode;
	u8 rsv;
	bool end;
};

/**
 * struct ws_taken - what one call gives the reader
 * @cur: where it leaves the reader
 * @len: payload bytes
 * @messages: how many messages it ends
 * @pieces: how many pieces of messages it gives that do not end them
 */
struct ws_taken {
	struct ws_cursor cur;
	u64 len;
	u32 messages;
	u32 pieces;
};

int ws_piece_walk(const struct ws_ctx *ctx, struct iov_iter *to, bool whole,
		  struct ws_piece *pc);
void ws_piece_take(struct ws_taken *taken, const struct ws_piece *pc);
int ws_piece_broken(struct ws_ctx *ctx);
void ws_piece_commit(struct ws_ctx *ctx, const struct ws_taken *taken);

/**
 * ws_piece_sound() - can this have come out of what was scanned?
 * @ctx: the socket
 * @taken: what this call would give
 */
static inline bool ws_piece_sound(const struct ws_ctx *ctx,
				  const struct ws_taken *taken)
{
	const struct ws_rx *rx = &ctx->rx;

	return taken->len <= rx->payload && taken->messages <= rx->complete &&
	       (ctx->tls || tcp_sk(ctx->sk)->copied_seq == rx->copied);
}

/* ws_batch.c */

/**
 * struct ws_got - what recvmsg() has to tell
 * @len: its result
 * @copied: less than @len when MSG_TRUNC passed over some
 * @msg: of the message; its flags and opcode are those of the last one
 * @told: the caller needs no control message any more
 */
struct ws_got {
	size_t len;
	size_t copied;
	struct ws_msg msg;
	bool told;
};

ssize_t ws_record_room(const struct iov_iter *to, u64 len);
int ws_record_begin(struct iov_iter *to, const struct ws_msg *msg,
		    size_t *rest);
int ws_record_end(struct iov_iter *to, const struct ws_msg *msg, size_t rest);
int ws_batch_recv(struct ws_ctx *ctx, struct msghdr *msg, int flags,
		  struct ws_got *got);

/* ws_plain.c */
bool ws_plain_one(const struct ws_ctx *ctx, const u8 *q, u32 size,
		  u8 __user *to, size_t room, bool record,
		  struct ws_plain *one);

/* ws_recv.c */
int ws_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags,
	       int *addr_len);
int ws_recv_len(struct ws_ctx *ctx);

/* ws_tx.c */

/*
 * Where frames are built. kTLS changes sk_allocation in softirq context for a
 * moment, by which sk_page_frag() goes, and our lock there does not stop it.
 */
static inline struct page_frag *ws_tx_frag(const struct ws_ctx *ctx)
{
	return ctx->tls ? &current->task_frag : sk_page_frag(ctx->sk);
}

static inline gfp_t ws_tx_gfp(const struct ws_ctx *ctx)
{
	return ctx->tls ? GFP_KERNEL : ctx->sk->sk_allocation;
}

/* Payload of a frame that fits a page. */
#define WS_TX_SMALL	(PAGE_SIZE - WS_HDR_MAX)

bool ws_tx_enlarge(struct ws_tx *tx);
int ws_tx_open(struct ws_ctx *ctx);
void ws_tx_seal(struct ws_ctx *ctx, struct ws_hdr *hdr);
void ws_tx_free(struct ws_tx *tx);
int ws_tx_build(struct ws_ctx *ctx, struct ws_hdr *hdr, struct iov_iter *from);
int ws_tx_send_run(struct ws_ctx *ctx, struct page_frag *pfrag, u32 len,
		   bool more);
int ws_tx_send_small(struct ws_ctx *ctx, struct ws_hdr *hdr,
		     struct iov_iter *from, bool more);
int ws_tx_push(struct ws_ctx *ctx, bool more);
int ws_tx_flush(struct ws_ctx *ctx);
u32 ws_tx_end(const struct ws_ctx *ctx);
bool ws_tx_owes(const struct ws_ctx *ctx);
void ws_tx_wake(struct ws_ctx *ctx);
void ws_tx_abort(struct ws_ctx *ctx);

/* ws_zc.c */

/**
 * struct ws_zc - a sendmsg() that asks for its payload not to be copied
 * @uarg: who is told when the payload is not needed any more, or NULL
 * @size: the call's
 * @pages: references are taken; else the payload is copied after all
 * @notify: somebody wants to be told
 * @hold: the frame is to grow, see ws_zc_sendpage()
 */
struct ws_zc {
	struct ubuf_info *uarg;
	size_t size;
	bool pages;
	bool notify;
	bool hold;
};

/* Flags of sendmsg() that ask for it. */
#define WS_MSG_ZC	(MSG_ZEROCOPY | WS_COMPAT_MSG_PAGES)

void ws_zc_begin(struct ws_ctx *ctx, struct msghdr *msg, size_t len,
		 struct ws_zc *zc);
int ws_zc_build(struct ws_ctx *ctx, struct ws_hdr *hdr, struct iov_iter *from,
		struct ws_zc *zc);
void ws_zc_end(struct ws_zc *zc);
void ws_zc_seal(struct ws_ctx *ctx, bool fin);

/* ws_send.c */

/* Flags of struct ws_msg. */
#define WS_MSG_KNOWN	(WS_MSG_END | WS_MSG_RSV1 | WS_MSG_MORE)

/**
 * struct ws_request - what the caller of sendmsg() asks for
 * @zc: for a call whose payload need not be copied, or NULL
 * @len: payload bytes
 * @code: for a Close
 * @opcode: 0 for "the message that is open, or the socket's default"
 * @rsv: WS_RSV1 or 0
 * @more: the message goes on after this
 */
struct ws_request {
	struct ws_zc *zc;
	size_t len;
	u16 code;
	u8 opcode;
	u8 rsv;
	bool more;
};

int ws_request_check(const struct ws_request *req);
int ws_send_wait(struct ws_ctx *ctx, bool *mine, long *timeo);

/**
 * ws_send_room() - how much can be sent in one frame or run of frames
 * @ctx: the socket, after ws_send_wait()
 * @want: how much there is to send
 * @timeo: 0 when the caller does not wait
 *
 * Return: bytes, no more than @want.
 */
static inline size_t ws_send_room(const struct ws_ctx *ctx, size_t want,
				  long timeo)
{
	int room;

	if (likely(want <= WS_FRAME_MIN_NB))
		return want;
	room = clamp(sk_stream_wspace(ctx->sk),
		     timeo ? WS_FRAME_MIN : WS_FRAME_MIN_NB, WS_FRAME_MAX);
	return min_t(size_t, want, room);
}

ssize_t ws_send_frame(struct ws_ctx *ctx, struct msghdr *msg, size_t left,
		      const struct ws_request *req, long timeo);
void ws_send_done(struct ws_ctx *ctx, bool mine, int err, long *timeo);
int ws_send_opcode(const struct ws_ctx *ctx, u8 open, u8 rsv,
		   struct ws_request *req);
int ws_send_body(const struct ws_request *req, struct iov_iter *from, u8 *body);
void ws_send_closing(struct ws_ctx *ctx, const struct ws_request *req);
int ws_send_control(struct ws_ctx *ctx, struct msghdr *msg,
		    const struct ws_request *req, bool *mine, long *timeo);
int ws_sendmsg(struct sock *sk, struct msghdr *msg, size_t len);
void ws_splice_eof(struct socket *sock);

/* ws_batch_send.c */
ssize_t ws_batch_send_records(struct ws_ctx *ctx, struct msghdr *msg,
			      long *timeo);

/* ws_batch_array.c */
ssize_t ws_batch_send_array(struct ws_ctx *ctx, struct msghdr *msg,
			    const struct ws_msg *msgs, u32 n, long *timeo);

/* ws_ctrl.c */
struct ws_pong {
	struct ws_pong *next;
	u8 len;
	u8 data[];
};

void ws_ctrl_ping(struct ws_ctx *ctx, const u8 *p, u8 len);
void ws_ctrl_close(struct ws_ctx *ctx, u16 code);
void ws_ctrl_answer(struct ws_ctx *ctx);
void ws_ctrl_fin(struct ws_ctx *ctx);
void ws_ctrl_pong_done(struct ws_tx *tx);
void ws_ctrl_free(struct ws_ctx *ctx);
bool ws_ctrl_pending(const struct ws_ctx *ctx);
void ws_ctrl_kick(struct ws_ctx *ctx);
void ws_ctrl_run(struct ws_ctx *ctx);
void ws_ctrl_write_space(struct sock *sk);
int ws_ctrl_shutdown(struct socket *sock, int how);

/* ws_timer.c */
u32 ws_timer_left(u32 since, u32 limit);
enum ws_rule ws_timer_run(struct ws_ctx *ctx, u32 *next);
void ws_timer_excuse(struct ws_ctx *ctx);
void ws_timer_opened(struct ws_ctx *ctx);
void ws_timer_closing(struct ws_ctx *ctx);
void ws_timer_start(struct ws_ctx *ctx);

/* Does the time matter to this socket? */
static inline bool ws_timer_watches(const struct ws_ctx *ctx)
{
	return ctx->cfg.ping_interval || ctx->cfg.assembly_timeout ||
	       ctx->tx.close != WS_CLOSE_NONE;
}

/* ws_linger.c */
bool ws_linger_detached(const struct ws_ctx *ctx);
bool ws_linger_over(const struct ws_ctx *ctx);
bool ws_linger_start(struct ws_ctx *ctx);
long ws_linger_wait(struct ws_ctx *ctx, long timeout);
void ws_linger_arrived(struct ws_ctx *ctx);
void ws_linger_detach(struct ws_ctx *ctx);
void ws_linger_stop(struct ws_ctx *ctx);
u32 ws_linger_left(struct ws_ctx *ctx);

/* ws_poll.c */
__poll_t ws_poll(struct file *file, struct socket *sock,
		 struct poll_table_struct *wait);
int ws_peek_len(struct socket *sock);
int ws_set_rcvlowat(struct sock *sk, int val);

/* ws_sockopt.c */
void ws_config_default(struct ws_ctx *ctx);
void ws_config_set(struct ws_ctx *ctx, const struct ws_config *cfg);
int ws_config_get(struct ws_config *cfg, sockptr_t optval, unsigned int optlen);
int ws_config_apply(struct ws_ctx *ctx, const struct ws_config *cfg);
int ws_setsockopt(struct sock *sk, int level, int optname, sockptr_t optval,
		  unsigned int optlen);
int ws_getsockopt(struct sock *sk, int level, int optname, char __user *optval,
		  int __user *optlen);

/* ws_stats.c */
int ws_stats_init(void);
void ws_stats_exit(void);
struct ws_mibs __percpu *ws_stats_of(const struct sock *sk);
atomic_t *ws_stats_lingering(const struct sock *sk);

/**
 * ws_stats_add() - count something
 * @ctx: the socket it happened to
 * @mib: what
 * @n: how much; WS_MIB_CURR* also goes down
 *
 * Any context.
 */
static inline void ws_stats_add(const struct ws_ctx *ctx, enum ws_mib mib,
				long n)
{
	this_cpu_add(ctx->mibs->v[mib], n);
}

static inline void ws_stats_inc(const struct ws_ctx *ctx, enum ws_mib mib)
{
	ws_stats_add(ctx, mib, 1);
}

#endif /* _WS_H */
