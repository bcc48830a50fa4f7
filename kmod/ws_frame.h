/* SPDX-License-Identifier: GPL-2.0-only */
/* The sending direction of a socket: the frame under way, and what waits. */
#ifndef _WS_FRAME_H
#define _WS_FRAME_H

#include <linux/bvec.h>
#include <linux/skbuff.h>
#include <linux/types.h>

/* Payload of one frame at most; a longer message goes out in fragments. */
#define WS_FRAME_MAX	(256 * 1024)
/* Payload that a send may take although the send buffer has less room. */
#define WS_FRAME_MIN	(64 * 1024)
/* The same for a call that does not wait. */
#define WS_FRAME_MIN_NB	4096
/* Segments of one frame; 64 KiB fit even where only single pages are left. */
#define WS_FRAME_SEGS	18

/**
 * struct ws_frame - a frame of several segments, on its way into TCP
 * @uarg: notified when the payload's pages are no longer needed, or NULL
 * @shared: the payload's pages may change, as their owner likes
 * @opcode: of a frame that is still to grow, see &ws_tx.held
 * @seg: the segments
 */
struct ws_frame {
	struct ubuf_info *uarg;
	bool shared;
	u8 opcode;
	struct bio_vec seg[WS_FRAME_SEGS];
};

struct ws_pong;

/**
 * struct ws_tx - the sending direction
 *
 * The frame under way is what is built and not yet taken by TCP: one frame, or
 * several that were built together.
 *
 * @one: the only segment of the frame on its way into TCP
 * @frame: more about it, when it is @large
 * @pong: the last PONG to be sent, or NULL; the first is next to it
 * @rec_left: payload bytes to come of the record that was written in part
 * @any: @nseg, @npong, @close and @fin in one word, see ws_ctrl_quiet()
 * @nseg: number of segments, 0 when no frame is under way
 * @npong: how many PONGs are to be sent
 * @close: WS_CLOSE_*
 * @fin: WS_FIN_*
 * @close_code: of the Close to send
 * @rec_end: the record that was written in part ends its message
 * @busy: a sendmsg() sleeps for room that must be the next to send
 * @sending: a call into TCP's sendmsg() is in progress, which may process the
 *	backlog and then calls ws_event_release_cb()
 * @polled: poll() found @nseg or @busy set while the socket was owned, and
 *	needs a wake-up if neither is set when the owner releases the lock
 * @open: opcode and WS_RSV1 of the message that MSG_MORE left open, or 0
 * @cur: the segment that TCP takes next; offset and length are of what is left
 * @large: see @frame
 * @cut: TCP has some of the frame under way, but not all
 * @charged: what is left of the frame under way is charged to the socket
 * @held: segments of a frame that is still to grow, see
 *	ws_sendpage(); it has no header yet, and is not under way
 * @rec_pad: bytes to come behind those of @rec_left
 *
 * What is read or written without the lock has bytes of its own.
 */
struct ws_tx {
	union {
		struct bio_vec one;
		struct ws_frame *frame;
	};
	struct ws_pong *pong;
	u32 rec_left;
	union {
		u32 any;
		struct {
			u8 nseg;
			u8 npong;
			u8 close;
			u8 fin;
		};
	};
	u16 close_code:15;
	u16 rec_end:1;
	bool busy;
	bool sending;
	bool polled;
	u8 open;
	u8 cur:5;
	u8 large:1;
	u8 cut:1;
	u8 charged:1;
	u8 held:5;
	u8 rec_pad:3;
};

/* The segments of the frame on its way into TCP. */
static inline struct bio_vec *ws_tx_segs(struct ws_tx *tx)
{
	return tx->large ? tx->frame->seg : &tx->one;
}

/* Notified when its payload's pages are no longer needed, or NULL. */
static inline struct ubuf_info *ws_tx_uarg(const struct ws_tx *tx)
{
	return unlikely(tx->large) ? tx->frame->uarg : NULL;
}

/* Is a frame on its way into TCP? */
static inline bool ws_tx_pending(const struct ws_tx *tx)
{
	return tx->cur < tx->nseg;
}

/* Bytes of that frame that TCP has not taken. */
static inline u32 ws_tx_left(struct ws_tx *tx)
{
	u32 len = 0;
	int i;

	for (i = tx->cur; i < tx->nseg; i++)
		len += ws_tx_segs(tx)[i].bv_len;
	return len;
}

enum {
	WS_CLOSE_NONE,
	/* Asked for; goes out once the frame under way is in TCP's hands. */
	WS_CLOSE_WANTED,
	/* Built, so that nothing comes before it; or given up, or never due. */
	WS_CLOSE_DONE,
};

enum {
	WS_FIN_NONE,
	/* TCP's sending direction ends behind the Close. */
	WS_FIN_WANTED,
	WS_FIN_SENT,
};

#endif /* _WS_FRAME_H */
