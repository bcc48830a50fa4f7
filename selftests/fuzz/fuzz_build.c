// SPDX-License-Identifier: GPL-2.0-only
/*
 * There and back: messages that the input describes are framed by the core,
 * byte for byte as wslay would, and read again from pieces. And a header that
 * the core takes is built again as it was, whatever bytes it was in.
 */
#include <wslay/wslay.h>

#include "fuzz.h"

#define MESSAGES	12
#define WIRE_MAX	(1 << 20)

struct source {
	const u8 *p;
	size_t n;
};

/* What a frame looks like to wslay. */
struct written {
	const u8 *want;
	size_t at, n;
	u32 key;
};

static u8 wire[WIRE_MAX], text[8 * 65536];

static u8 take(struct source *src)
{
	if (!src->n)
		return 0;
	src->n--;
	return *src->p++;
}

static size_t take_length(struct source *src)
{
	u8 kind = take(src);

	if (kind < 0xf0)
		return kind;
	if (kind < 0xfe)
		return (take(src) & 0x0f) << 8 | take(src);
	return 65536 - 4 + take(src) % 8;
}

static ssize_t on_send(const uint8_t *data, size_t len, int flags, void *arg)
{
	struct written *w = arg;

	if (len > w->n - w->at || memcmp(data, w->want + w->at, len))
		DIE("wslay writes something else at %zu of %zu", w->at, w->n);
	w->at += len;
	return len;
}

static int on_mask(uint8_t *buf, size_t len, void *arg)
{
	struct written *w = arg;

	memcpy(buf, &w->key, len);
	return 0;
}

static void compare_with_wslay(const struct ws_hdr *hdr, const u8 *payload,
			       size_t len, const u8 *frame, size_t n)
{
	static const struct wslay_frame_callbacks callbacks = {
		.send_callback = on_send, .genmask_callback = on_mask,
	};
	struct wslay_frame_iocb iocb = {
		.fin = hdr->fin, .rsv = hdr->rsv >> 4, .opcode = hdr->opcode,
		.payload_length = hdr->len, .mask = hdr->masked,
		.data = payload, .data_length = len,
	};
	struct written w = { .want = frame, .n = n, .key = hdr->key };
	wslay_frame_context_ptr ctx;

	if (wslay_frame_context_init(&ctx, &callbacks, &w))
		DIE("no memory");
	if (wslay_frame_send(ctx, &iocb) != (ssize_t)len || w.at != n)
		DIE("wslay wrote %zu bytes, not %zu", w.at, n);
	wslay_frame_context_free(ctx);
}

/* The payload is masked in two parts, as it is when it comes in two. */
static size_t put_frame(struct source *src, u8 *p, struct ws_hdr *hdr,
			const u8 *payload)
{
	size_t head, cut = take(src);
	int i;

	for (i = 0; i < 4 && hdr->masked; i++)
		((u8 *)&hdr->key)[i] = take(src);
	head = ws_hdr_build(p, hdr);
	if (head != ws_hdr_size(hdr->len, hdr->masked))
		DIE("a header of %zu bytes for %llu", head, hdr->len + 0ULL);
	if (cut > hdr->len)
		cut = hdr->len;
	ws_mask_copy(p + head, payload, cut, hdr->key);
	ws_mask_copy(p + head + cut, payload + cut, hdr->len - cut,
		     ws_key_rotate(hdr->key, cut));
	compare_with_wslay(hdr, payload, hdr->len, p, head + hdr->len);
	return head + hdr->len;
}

/* Characters of every length, whole ones, as many as there is room for. */
static void write_text(size_t n, u8 kind)
{
	static const char *const letters[] = { "a", "\xc3\xa9", "\xe2\x82\xac",
					       "\xf0\x9f\x98\x80" };
	size_t at = 0, i;

	for (i = kind; at < n; i++) {
		const char *letter = letters[i * i / 3 & 3];
		size_t len = strlen(letter);

		if (len > n - at) {
			letter = "x";
			len = 1;
		}
		memcpy(text + at, letter, len);
		at += len;
	}
}

static size_t put_control(struct source *src, u8 *p, bool masked,
			  struct stream *log, u8 opcode)
{
	struct ws_hdr hdr = {
		.fin = true, .opcode = opcode, .len = take(src) % 126,
		.masked = masked,
	};
	u8 body[WS_CTRL_MAX];

	memset(body, 0x80 | opcode, sizeof(body));
	stream_log(log, opcode == WS_OP_PING ? "ping" : "pong", body, hdr.len);
	return put_frame(src, p, &hdr, body);
}

static size_t put_message(struct source *src, u8 *p, bool masked,
			  struct stream *log)
{
	static const char *const names[] = { "binary", "text", "binary+rsv1",
					     "text+rsv1" };
	u8 kind = take(src);
	bool is_text = kind & 1;
	size_t lengths[4], total = 0, n = 0, done = 0;
	int i, fragments = 1 + (kind >> 2 & 3);

	for (i = 0; i < fragments; i++) {
		lengths[i] = take_length(src);
		total += lengths[i];
	}
	if (is_text)
		write_text(total, kind);
	else
		memset(text, kind, total);
	for (i = 0; i < fragments; i++) {
		struct ws_hdr hdr = {
			.len = lengths[i], .masked = masked,
			.fin = i == fragments - 1,
			.opcode = i ? WS_OP_CONT : is_text ? WS_OP_TEXT
							   : WS_OP_BINARY,
			.rsv = !i && kind & 2 ? WS_RSV1 : 0,
		};

		if (kind & 0x10)
			n += put_control(src, p + n, masked, log,
					 kind & 0x20 ? WS_OP_PING : WS_OP_PONG);
		n += put_frame(src, p + n, &hdr, text + done);
		done += lengths[i];
	}
	stream_log(log, names[kind & 3], text, total);
	return n;
}

static void there_and_back(struct source *src)
{
	u8 first = take(src);
	u32 role = first & 1, seed = first;
	struct stream want, got;
	size_t n = 0, at, piece;
	int messages = 0;

	stream_init(&want, role, 0, 0);
	while (src->n && messages++ < MESSAGES && n < WIRE_MAX / 2)
		n += put_message(src, wire + n, role == WS_ROLE_SERVER, &want);
	stream_init(&got, role, WS_RSV1, WS_MAX_MESSAGE_NONE);
	for (at = 0; at < n; at += piece) {
		seed = seed * 1664525 + 1013904223;
		piece = first & 2 ? seed >> 28 : seed >> 20;
		if (piece > n - at)
			piece = n - at;
		stream_feed(&got, wire + at, piece);
	}
	if (strcmp(stream_end(&got), want.log))
		DIE("\"%s\", not \"%s\"", got.log, want.log);
	stream_free(&want);
	stream_free(&got);
}

static void header_again(const u8 *data, size_t size)
{
	u8 again[WS_HDR_MAX];
	struct ws_hdr hdr, shorter;
	int n, i;

	n = ws_hdr_parse(data, size, &hdr);
	if (n <= 0)
		return;
	if (ws_hdr_build(again, &hdr) != n || memcmp(again, data, n))
		DIE("a header is not what it was");
	for (i = 0; i < n; i++)
		if (ws_hdr_parse(data, i, &shorter))
			DIE("%d bytes are enough for a header of %d", i, n);
	compare_with_wslay(&hdr, NULL, 0, data, n);
}

int fuzz_one(const u8 *data, size_t size)
{
	struct source src = { data, size };
	size_t i;

	for (i = 0; i < size && i < 4; i++)
		header_again(data + i, size - i);
	there_and_back(&src);
	return 0;
}
