// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring on a ws socket: multishot receives with buffers that the kernel
 * picks lose nothing, whatever ends them. The sends are in ws_uring_send.c.
 */
#include "kselftest_harness.h"
#include "ws_uring_box.h"

FIXTURE(uring)
{
	struct box box;
};

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
	ASSERT_TRUE(box_new_buffers(box));
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
		if (!box_expect(box, &at, WS_OP_TEXT,
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

	ASSERT_EQ(0, set_flags(box->p.ws, WS_F_RECORDS));
	box_give_all(box, BUFFER_MAX, BUFFERS);
	box_arm(box, false, 0);
	ASSERT_TRUE(send_numbered(box, 0, 10));
	ASSERT_TRUE(box_collect(box, size_of(0, 10), true));
	ASSERT_TRUE(box->armed);
	ASSERT_TRUE(send_numbered(box, 10, 20));
	ASSERT_TRUE(box_collect(box, size_of(0, 20), true));
	ASSERT_TRUE(send_numbered(box, 20, 30));
	ASSERT_TRUE(box_collect(box, at, true));
	ASSERT_TRUE(box->armed);
	ASSERT_TRUE(expect_numbered(box, 30));
	bytes_close(&b, &box->p, 1000, "bye");
	ASSERT_TRUE(raw_send_bytes(&box->p, &b));
	ASSERT_TRUE(box_collect(box, 0, true));
	EXPECT_EQ(0, box->last);
	EXPECT_TRUE(box_expect(box, &at, WS_OP_CLOSE, "bye", 3));
	EXPECT_EQ(at, box->len);
	bytes_free(&b);
}

/* With WS_F_CLOSE what was read ahead of the Close is still answered. */
TEST_F(uring, replies_behind_the_close)
{
	struct box *box = &self->box;
	struct bytes b = { 0 };

	ASSERT_EQ(0, set_flags(box->p.ws, WS_F_RECORDS | WS_F_CLOSE));
	box_give_all(box, BUFFER_MAX, BUFFERS);
	box_arm(box, false, 0);
	ASSERT_TRUE(raw_frame(&box->p, TEXT, "question", 8));
	bytes_close(&b, &box->p, 1000, "bye");
	ASSERT_TRUE(raw_send_bytes(&box->p, &b));
	ASSERT_TRUE(box_collect(box, 0, true));
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

	ASSERT_EQ(0, set_flags(box->p.ws, WS_F_RECORDS));
	for (i = 0; i < 4; i++) {
		box_give_all(box, sizes[i], BUFFERS);
		ASSERT_TRUE(raw_frame(&box->p, TEXT, pattern(i, 2000), 2000));
		ASSERT_TRUE(raw_frame(&box->p, TEXT, "", 0));
		ASSERT_TRUE(raw_frame(&box->p, TEXT, "end", 3));
		box_arm(box, false, 0);
		/* Until all is there and every buffer used up: re-armed. */
		while (!(box->len > at &&
			 !memcmp(box->stream + box->len - 8, "end", 4))) {
			if (!box->armed) {
				ASSERT_EQ(-ENOBUFS, box->last);
				box_arm(box, false, 0);
			}
			ASSERT_TRUE(box_collect(box, box->len + 1, true));
		}
		ASSERT_TRUE(box_expect(box, &at, WS_OP_TEXT,
				       pattern(i, 2000), 2000));
		ASSERT_TRUE(box_expect(box, &at, WS_OP_TEXT, "", 0));
		ASSERT_TRUE(box_expect(box, &at, WS_OP_TEXT, "end", 3));
		ASSERT_EQ(at, box->len);
		box_cancel(box);
		ASSERT_TRUE(box_collect(box, 0, true));
		ASSERT_TRUE(box_new_buffers(box));
	}
}

/* No buffer left: the multishot ends, and what is there stays there. */
TEST_F(uring, no_buffers)
{
	struct box *box = &self->box;
	int i;

	ASSERT_EQ(0, set_flags(box->p.ws, WS_F_RECORDS));
	box_give_all(box, 48, 4);
	box_arm(box, false, 0);
	ASSERT_TRUE(send_numbered(box, 0, 30));
	ASSERT_TRUE(box_collect(box, 0, false));
	ASSERT_EQ(-ENOBUFS, box->last);
	ASSERT_LT(box->len, size_of(0, 30));
	/* Again and again, a few buffers at a time. */
	for (i = 0; box->len < size_of(0, 30) && i < 100; i++) {
		box_give(box, i % BUFFERS);
		box_give(box, (i + 1) % BUFFERS);
		box_arm(box, false, 0);
		ASSERT_TRUE(box_collect(box, size_of(0, 30), false));
	}
	EXPECT_TRUE(expect_numbered(box, 30));
}

/* Cancelled at any moment; what follows is for the next receive. */
TEST_F(uring, cancelled)
{
	struct box *box = &self->box;
	int i;

	ASSERT_EQ(0, set_flags(box->p.ws, WS_F_RECORDS));
	box_give_all(box, BUFFER_MAX, BUFFERS);
	for (i = 0; i < 20; i++) {
		box_arm(box, false, 0);
		ASSERT_TRUE(send_numbered(box, i * 5, i * 5 + 3));
		if (i % 2)
			ASSERT_TRUE(box_collect(box, size_of(0, i * 5 + 3), true));
		box_cancel(box);
		ASSERT_TRUE(send_numbered(box, i * 5 + 3, i * 5 + 5));
		ASSERT_TRUE(box_collect(box, 0, true));
		ASSERT_EQ(-ECANCELED, box->last);
	}
	box_arm(box, false, 0);
	ASSERT_TRUE(box_collect(box, size_of(0, 100), true));
	EXPECT_TRUE(expect_numbered(box, 100));
}

/* Bundles: where the kernel has them one completion is of many buffers. */
TEST_F(uring, bundles)
{
	struct box *box = &self->box;

	ASSERT_EQ(0, set_flags(box->p.ws, WS_F_RECORDS));
	box_give_all(box, 64, BUFFERS);
	ASSERT_TRUE(send_numbered(box, 0, 30));
	box_arm(box, false, IORING_RECVSEND_BUNDLE);
	if (!(box->features & IORING_FEAT_RECVSEND_BUNDLE)) {
		ASSERT_TRUE(box_collect(box, 0, true));
		ASSERT_EQ(-EINVAL, box->last);
		return;
	}
	while (box->len < size_of(0, 30)) {
		if (!box->armed) {
			ASSERT_EQ(-ENOBUFS, box->last);
			box_arm(box, false, IORING_RECVSEND_BUNDLE);
		}
		ASSERT_TRUE(box_collect(box, box->len + 1, true));
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

	box_give_all(box, 256, BUFFERS);
	box_arm(box, true, 0);
	for (i = 0; i < 6; i++)
		bytes_frame(&b, &box->p, TEXT, texts[i], strlen(texts[i]));
	bytes_close(&b, &box->p, 1000, "");
	ASSERT_TRUE(raw_send_bytes(&box->p, &b));
	for (i = 0; i < 6; i++) {
		ASSERT_TRUE(box_collect(box, 1, true));
		ASSERT_TRUE(expect_form(box, WS_OP_TEXT, texts[i]));
		if (!box->armed)
			box_arm(box, true, 0);
		else
			ASSERT_NE(0, strlen(texts[i]));
	}
	ASSERT_TRUE(box_collect(box, 1, true));
	ASSERT_TRUE(expect_form(box, WS_OP_CLOSE, ""));
	bytes_free(&b);
}

/* RECV without records cannot tell an empty message from the end. */
TEST_F(uring, plain)
{
	struct box *box = &self->box;

	box_give_all(box, 256, BUFFERS);
	box_arm(box, false, 0);
	ASSERT_TRUE(raw_frame(&box->p, TEXT, "one", 3));
	ASSERT_TRUE(box_collect(box, 3, true));
	ASSERT_TRUE(raw_frame(&box->p, TEXT, "", 0));
	ASSERT_TRUE(raw_frame(&box->p, TEXT, "two", 3));
	ASSERT_TRUE(box_collect(box, 0, true));
	ASSERT_EQ(0, box->last);
	box_arm(box, false, 0);
	ASSERT_TRUE(box_collect(box, 6, true));
	EXPECT_EQ(0, memcmp(box->stream, "onetwo", 6));
}

TEST_HARNESS_MAIN
