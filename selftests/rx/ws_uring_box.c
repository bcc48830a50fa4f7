// SPDX-License-Identifier: GPL-2.0-only
/* See ws_uring_box.h. */
#include "ws_uring_box.h"

void box_give(struct box *box, int buffer)
{
	io_uring_buf_ring_add(box->br, box->memory + buffer * BUFFER_MAX,
			      box->size, buffer, BUFFERS - 1, 0);
	io_uring_buf_ring_advance(box->br, 1);
}

void box_give_all(struct box *box, unsigned int size, int n)
{
	int i;

	box->size = size;
	for (i = 0; i < n; i++)
		box_give(box, i);
}

bool box_new_buffers(struct box *box)
{
	struct io_uring_buf_reg reg = {
		.ring_addr = (uintptr_t)box->br,
		.ring_entries = BUFFERS,
		.bgid = box->group + 1,
	};

	if (box->group++)
		io_uring_unregister_buf_ring(&box->ring, box->group - 1);
	if (io_uring_register_buf_ring(&box->ring, &reg, 0))
		return complain("no ring of buffers");
	io_uring_buf_ring_init(box->br);
	return true;
}

void box_arm(struct box *box, bool message, int bundle)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&box->ring);

	if (message)
		io_uring_prep_recvmsg_multishot(sqe, box->p.ws, &box->form, 0);
	else
		io_uring_prep_recv_multishot(sqe, box->p.ws, NULL, 0, 0);
	sqe->ioprio |= bundle;
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = box->group;
	io_uring_sqe_set_data64(sqe, ARMED);
	io_uring_submit(&box->ring);
	box->armed = true;
}

void box_cancel(struct box *box)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&box->ring);

	io_uring_prep_cancel64(sqe, ARMED, 0);
	io_uring_sqe_set_data64(sqe, CANCEL);
	io_uring_submit(&box->ring);
}

/* Appends what a completion brought; its buffers go back if @back. */
static void take(struct box *box, const struct io_uring_cqe *cqe, bool back)
{
	int buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT, left = cqe->res;

	do {
		int n = left < (int)box->size ? left : (int)box->size;

		memcpy(box->stream + box->len,
		       box->memory + buffer * BUFFER_MAX, n);
		box->len += n;
		left -= n;
		if (back)
			box_give(box, buffer);
		/* Of a bundle the next ones are those behind it in the ring. */
		buffer = (buffer + 1) % BUFFERS;
	} while (left > 0);
}

bool box_collect(struct box *box, size_t len, bool back)
{
	while (box->armed && (!len || box->len < len)) {
		struct __kernel_timespec ts = { .tv_sec = WS_TEST_MS / 1000 };
		struct io_uring_cqe *cqe;

		if (io_uring_wait_cqe_timeout(&box->ring, &cqe, &ts))
			return complain("no completion; %zu bytes so far",
					box->len);
		if (io_uring_cqe_get_data64(cqe) == ARMED) {
			box->completions++;
			box->armed = cqe->flags & IORING_CQE_F_MORE;
			if (!box->armed)
				box->last = cqe->res;
			if (cqe->flags & IORING_CQE_F_BUFFER)
				take(box, cqe, back);
		}
		io_uring_cqe_seen(&box->ring, cqe);
	}
	return true;
}

bool box_expect(struct box *box, size_t *at, int opcode,
		const void *data, size_t len)
{
	size_t done = 0;
	struct ws_msg m;

	do {
		if (*at + sizeof(m) > box->len)
			return complain("the stream ends at %zu", box->len);
		memcpy(&m, box->stream + *at, sizeof(m));
		if (m.opcode != opcode || m.len > len - done ||
		    memcmp(box->stream + *at + sizeof(m),
			   (const char *)data + done, m.len))
			return complain("at %zu opcode %d, %u bytes", *at,
					m.opcode, m.len);
		done += m.len;
		*at += WS_RECORD_SIZE(m.len);
	} while (!(m.flags & WS_MSG_END));
	return done == len || complain("%zu bytes instead of %zu", done, len);
}
