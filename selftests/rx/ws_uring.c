// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring on a ws socket: multishot receives with buffers that the kernel
 * picks lose nothing, whatever ends them. The sends are in ws_uring_send.c.
 */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <liburing.h>

/* Linux 6.10. */
#ifndef IORING_RECVSEND_BUNDLE
#define IORING_RECVSEND_BUNDLE	(1U << 4)
#endif
#ifndef IORING_FEAT_RECVSEND_BUNDLE
#define IORING_FEAT_RECVSEND_BUNDLE (1U << 14)
#endif

#define BUFFERS		16
#define BUFFER_MAX	4096
#define ARMED		1	/* user data of the multishot */
#define CANCEL		2
#define STREAM_MAX	(1 << 20)

struct box {
	struct pair p;
	struct io_uring ring;
	struct io_uring_buf_ring *br;
	struct msghdr form;
	char *memory;
	char *stream;		/* what was received, one behind the other */
	size_t len;
	unsigned int size;	/* of a buffer */
	unsigned int group;	/* number of the ring of buffers */
	unsigned int features;
	bool armed;
	int last;		/* result of the multishot's last completion */
	int completions;
};

FIXTURE(uring)
{
	struct box box;
};

static void give(struct box *box, int buffer)
{
	io_uring_buf_ring_add(box->br, box->memory + buffer * BUFFER_MAX,
			      box->size, buffer, BUFFERS - 1, 0);
	io_uring_buf_ring_advance(box->br, 1);
}

/* Buffers of a test's own size, as many as it likes. */
static void give_all(struct box *box, unsigned int size, int n)
{
	int i;

	box->size = size;
	for (i = 0; i < n; i++)
		give(box, i);
}

/*
 * An empty ring of buffers, instead of one that there may be. With another
 * number: Linux 6.1 remembers how far the old one of the same was used.
 */
static bool new_buffers(struct box *box)
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

FIXTURE_SETUP(uring)
{
	struct box *box = &self->box;
	struct io_uring_params params = { 0 };

	ASSERT_TRUE(pair_open(&box->p, AF_INET, WS_ROLE_SERVER));
	ASSERT_EQ(0, io_uring_queue_init_params(64, &box->ring, &params));
	box->features = params.features;
	box->br = aligned_alloc(4096, 4096);
	box->memory = aligned_alloc(4096, BUFFERS * BUFFER_MAX);
	box->stream = malloc(STREAM_MAX);
	ASSERT_TRUE(box->br && box->memory && box->stream);
	ASSERT_TRUE(new_buffers(box));
	box->form.msg_controllen = CMSG_SPACE(sizeof(struct ws_msg));
}

FIXTURE_TEARDOWN(uring)
{
	struct box *box = &self->box;

	io_uring_queue_exit(&box->ring);
	pair_close(&box->p);
	free(box->br);
	free(box->memory);
	free(box->stream);
}

static bool set_flags(int fd, __u32 flags)
{
	struct ws_config c = ws_get_config(fd);

	c.flags = flags;
	return !ws_set(fd, WS_CONFIG, &c, sizeof(c));
}

static void arm(struct box *box, bool message, int bundle)
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

static void cancel(struct box *box)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&box->ring);

	io_uring_prep_cancel64(sqe, ARMED, 0);
	io_uring_sqe_set_data64(sqe, CANCEL);
	io_uring_submit(&box->ring);
}

/* Appends what a completion brought; its buffers go back if @back. */
static void take(struct box *box, const struct io_uring_cqe *cqe,
		 bool back)
{
	int buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT, left = cqe->res;

	do {
		int n = left < (int)box->size ? left : (int)box->size;

		memcpy(box->stream + box->len,
		       box->memory + buffer * BUFFER_MAX, n);
		box->len += n;
		left -= n;
		if (back)
			give(box, buffer);
		/* Of a bundle the next ones are those behind it in the ring. */
		buffer = (buffer + 1) % BUFFERS;
	} while (left > 0);
}

/*
 * Completions until the multishot has ended or, when @len is not 0, as many
 * bytes are there.
 */
static bool collect(struct box *box, size_t len, bool back)
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

/* Are the next bytes of the stream these messages? Moves @at behind them. */
static bool expect_record(struct box *box, size_t *at, int opcode,
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

static size_t length_of(int i)
{
	return i % 3 ? i * 7 % 40 : 0;
}

/* Messages number @from to @to, every third one empty. */
static bool send_numbered(struct box *box, int from, int to)
{
	int i;

	for (i = from; i < to; i++)
		if (!raw_frame(&box->p, TEXT, pattern(i, length_of(i)),
			       length_of(i)))
			return false;
	return settle(&box->p);
}

static size_t size_of(int from, int to)
{
	size_t n = 0;

	for (; from < to; from++)
		n += WS_RECORD_SIZE(length_of(from));
	return n;
}

static bool expect_numbered(struct box *box, int to)
{
	size_t at = 0;
	int i;

	for (i = 0; i < to; i++)
		if (!expect_record(box, &at, WS_OP_TEXT,
				   pattern(i, length_of(i)), length_of(i)))
			return complain("message %d", i);
	return at == box->len || complain("%zu bytes too many",
					   box->len - at);
}

/* Empty messages are records, and only the end ends the multishot. */
TEST_F(uring, records)
{
	struct box *box = &self->box;
	struct bytes b = { 0 };
	size_t at = size_of(0, 30);

	ASSERT_TRUE(set_flags(box->p.ws, WS_F_RECORDS));
	give_all(box, BUFFER_MAX, BUFFERS);
	arm(box, false, 0);
	ASSERT_TRUE(send_numbered(box, 0, 10));
	ASSERT_TRUE(collect(box, size_of(0, 10), true));
	ASSERT_TRUE(box->armed);
	ASSERT_TRUE(send_numbered(box, 10, 20));
	ASSERT_TRUE(collect(box, size_of(0, 20), true));
	ASSERT_TRUE(send_numbered(box, 20, 30));
	ASSERT_TRUE(collect(box, at, true));
	ASSERT_TRUE(box->armed);
	ASSERT_TRUE(expect_numbered(box, 30));
	bytes_close(&b, &box->p, 1000, "bye");
	ASSERT_TRUE(raw_send_bytes(&box->p, &b));
	ASSERT_TRUE(collect(box, 0, true));
	EXPECT_EQ(0, box->last);
	EXPECT_TRUE(expect_record(box, &at, WS_OP_CLOSE, "bye", 3));
	EXPECT_EQ(at, box->len);
	bytes_free(&b);
}

/* With WS_F_CLOSE what was read ahead of the Close is still answered. */
TEST_F(uring, replies_behind_the_close)
{
	struct box *box = &self->box;
	struct bytes b = { 0 };

	ASSERT_TRUE(set_flags(box->p.ws, WS_F_RECORDS | WS_F_CLOSE));
	give_all(box, BUFFER_MAX, BUFFERS);
	arm(box, false, 0);
	ASSERT_TRUE(raw_frame(&box->p, TEXT, "question", 8));
	bytes_close(&b, &box->p, 1000, "bye");
	ASSERT_TRUE(raw_send_bytes(&box->p, &b));
	ASSERT_TRUE(collect(box, 0, true));
	EXPECT_EQ(0, box->last);
	/* The Close is the last record of what goes back. */
	ASSERT_EQ(box->len, send(box->p.ws, box->stream, box->len, 0));
	EXPECT_TRUE(expect_frame(&box->p, TEXT, "question", 8));
	EXPECT_TRUE(expect_close(&box->p, 1000, "bye"));
	bytes_free(&b);
}

/* A message larger than the buffers comes in pieces, a buffer each. */
TEST_F(uring, short_buffers)
{
	struct box *box = &self->box;
	unsigned int sizes[] = { 16, 24, 64, 1000 };
	size_t at = 0, i;

	ASSERT_TRUE(set_flags(box->p.ws, WS_F_RECORDS));
	for (i = 0; i < 4; i++) {
		give_all(box, sizes[i], BUFFERS);
		ASSERT_TRUE(raw_frame(&box->p, TEXT, pattern(i, 2000), 2000));
		ASSERT_TRUE(raw_frame(&box->p, TEXT, "", 0));
		ASSERT_TRUE(raw_frame(&box->p, TEXT, "end", 3));
		arm(box, false, 0);
		/* Until all is there and every buffer used up: re-armed. */
		while (!(box->len > at &&
			 !memcmp(box->stream + box->len - 8, "end", 4))) {
			if (!box->armed) {
				ASSERT_EQ(-ENOBUFS, box->last);
				arm(box, false, 0);
			}
			ASSERT_TRUE(collect(box, box->len + 1, true));
		}
		ASSERT_TRUE(expect_record(box, &at, WS_OP_TEXT,
					  pattern(i, 2000), 2000));
		ASSERT_TRUE(expect_record(box, &at, WS_OP_TEXT, "", 0));
		ASSERT_TRUE(expect_record(box, &at, WS_OP_TEXT, "end", 3));
		ASSERT_EQ(at, box->len);
		cancel(box);
		ASSERT_TRUE(collect(box, 0, true));
		ASSERT_TRUE(new_buffers(box));
	}
}

/* No buffer left: the multishot ends, and what is there stays there. */
TEST_F(uring, no_buffers)
{
	struct box *box = &self->box;
	int i;

	ASSERT_TRUE(set_flags(box->p.ws, WS_F_RECORDS));
	give_all(box, 48, 4);
	arm(box, false, 0);
	ASSERT_TRUE(send_numbered(box, 0, 30));
	ASSERT_TRUE(collect(box, 0, false));
	ASSERT_EQ(-ENOBUFS, box->last);
	ASSERT_LT(box->len, size_of(0, 30));
	/* Again and again, a few buffers at a time. */
	for (i = 0; box->len < size_of(0, 30) && i < 100; i++) {
		give(box, i % BUFFERS);
		give(box, (i + 1) % BUFFERS);
		arm(box, false, 0);
		ASSERT_TRUE(collect(box, size_of(0, 30), false));
	}
	EXPECT_TRUE(expect_numbered(box, 30));
}

/* Cancelled at any moment; what follows is for the next receive. */
TEST_F(uring, cancelled)
{
	struct box *box = &self->box;
	int i;

	ASSERT_TRUE(set_flags(box->p.ws, WS_F_RECORDS));
	give_all(box, BUFFER_MAX, BUFFERS);
	for (i = 0; i < 20; i++) {
		arm(box, false, 0);
		ASSERT_TRUE(send_numbered(box, i * 5, i * 5 + 3));
		if (i % 2)
			ASSERT_TRUE(collect(box, size_of(0, i * 5 + 3), true));
		cancel(box);
		ASSERT_TRUE(send_numbered(box, i * 5 + 3, i * 5 + 5));
		ASSERT_TRUE(collect(box, 0, true));
		ASSERT_EQ(-ECANCELED, box->last);
	}
	arm(box, false, 0);
	ASSERT_TRUE(collect(box, size_of(0, 100), true));
	EXPECT_TRUE(expect_numbered(box, 100));
}

/* Bundles: where the kernel has them one completion is of many buffers. */
TEST_F(uring, bundles)
{
	struct box *box = &self->box;

	ASSERT_TRUE(set_flags(box->p.ws, WS_F_RECORDS));
	give_all(box, 64, BUFFERS);
	ASSERT_TRUE(send_numbered(box, 0, 30));
	arm(box, false, IORING_RECVSEND_BUNDLE);
	if (!(box->features & IORING_FEAT_RECVSEND_BUNDLE)) {
		ASSERT_TRUE(collect(box, 0, true));
		ASSERT_EQ(-EINVAL, box->last);
		return;
	}
	while (box->len < size_of(0, 30)) {
		if (!box->armed) {
			ASSERT_EQ(-ENOBUFS, box->last);
			arm(box, false, IORING_RECVSEND_BUNDLE);
		}
		ASSERT_TRUE(collect(box, box->len + 1, true));
	}
	EXPECT_TRUE(expect_numbered(box, 30));
	EXPECT_LT(box->completions, 30);
}

/* The one message that a recvmsg() multishot put into a buffer. */
static bool expect_form(struct box *box, int opcode,
			const char *text)
{
	struct io_uring_recvmsg_out *out;
	struct cmsghdr *cm;
	struct ws_msg m;
	size_t len;

	out = io_uring_recvmsg_validate(box->stream, box->len, &box->form);
	cm = out ? io_uring_recvmsg_cmsg_firsthdr(out, &box->form) : NULL;
	if (!cm || cm->cmsg_level != SOL_WS || cm->cmsg_type != WS_MSG)
		return complain("no control message in %zu bytes", box->len);
	memcpy(&m, CMSG_DATA(cm), sizeof(m));
	len = io_uring_recvmsg_payload_length(out, box->len, &box->form);
	box->len = 0;
	return (m.opcode == opcode && m.len == strlen(text) && m.len == len &&
		out->flags & MSG_EOR &&
		!memcmp(io_uring_recvmsg_payload(out, &box->form), text,
			len)) || complain("opcode %d, %zu bytes", m.opcode, len);
}

/* An empty message ends the multishot, and nothing but that. */
TEST_F(uring, control_messages)
{
	struct box *box = &self->box;
	static const char *const texts[] = { "one", "", "three", "", "", "six" };
	struct bytes b = { 0 };
	size_t i;

	give_all(box, 256, BUFFERS);
	arm(box, true, 0);
	for (i = 0; i < 6; i++)
		bytes_frame(&b, &box->p, TEXT, texts[i], strlen(texts[i]));
	bytes_close(&b, &box->p, 1000, "");
	ASSERT_TRUE(raw_send_bytes(&box->p, &b));
	for (i = 0; i < 6; i++) {
		ASSERT_TRUE(collect(box, 1, true));
		ASSERT_TRUE(expect_form(box, WS_OP_TEXT, texts[i]));
		if (!box->armed)
			arm(box, true, 0);
		else
			ASSERT_NE(0, strlen(texts[i]));
	}
	ASSERT_TRUE(collect(box, 1, true));
	ASSERT_TRUE(expect_form(box, WS_OP_CLOSE, ""));
	bytes_free(&b);
}

/* RECV without records cannot tell an empty message from the end. */
TEST_F(uring, plain)
{
	struct box *box = &self->box;

	give_all(box, 256, BUFFERS);
	arm(box, false, 0);
	ASSERT_TRUE(raw_frame(&box->p, TEXT, "one", 3));
	ASSERT_TRUE(collect(box, 3, true));
	ASSERT_TRUE(raw_frame(&box->p, TEXT, "", 0));
	ASSERT_TRUE(raw_frame(&box->p, TEXT, "two", 3));
	ASSERT_TRUE(collect(box, 0, true));
	ASSERT_EQ(0, box->last);
	arm(box, false, 0);
	ASSERT_TRUE(collect(box, 6, true));
	EXPECT_EQ(0, memcmp(box->stream, "onetwo", 6));
}

TEST_HARNESS_MAIN
