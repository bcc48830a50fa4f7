// SPDX-License-Identifier: MIT
/*
 * The fastest way of taking uploads in user space that we can write, to compare
 * with: large reads, every piece of a message unmasked by AVX2 in place and
 * then done with, no message put together, and one send() for the answers of a
 * read. It takes unfragmented binary frames, which are all that the load sends.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo_fast.h"
#include "echo_send.h"
#include "echo_unmask.h"
#include "server.h"

/**
 * struct upload - a connection of upload_user
 * @unsent: answers that the socket had no room for
 * @left: received bytes of a header that is not complete
 * @missing: payload bytes of the current message that have not arrived
 * @key: its masking key, rotated to the next byte
 */
struct upload {
	struct held unsent;
	struct held left;
	u64 missing;
	u32 key;
};

static int user_open(struct server *s, struct peer *p,
		     const struct kws_result *result)
{
	struct upload *up;

	if (result->tls && !result->ktls) {
		p->framing = &upload_library;
		return upload_library.open(s, p, result);
	}
	up = calloc(1, sizeof(*up));
	p->state = up;
	if (up && result->surplus_len)
		return hold_bytes(&up->left, result->surplus,
				  result->surplus_len);
	return up ? 0 : -1;
}

#if defined(__x86_64__)
__attribute__((target("avx2")))
static void unmask_avx2(u8 *p, size_t n, u32 key)
{
	unmask_wide(p, p, n, key);
}
#endif

static void unmask_in_place(u8 *p, size_t n, u32 key)
{
#if defined(__x86_64__)
	if (has_avx2()) {
		unmask_avx2(p, n, key);
		return;
	}
#endif
	unmask(p, p, n, key);
}

static bool is_simple(const struct ws_hdr *hdr, u64 max)
{
	return hdr->fin && hdr->masked && !hdr->rsv && hdr->len <= max &&
	       hdr->opcode == WS_OP_BINARY;
}

/* Takes payload, at most up to the end of the message. Returns how much. */
static size_t take_payload(struct server *s, struct upload *up, u8 *p, size_t n)
{
	if (n > up->missing)
		n = up->missing;
	unmask_in_place(p, n, up->key);
	up->key = ws_key_rotate(up->key, n);
	up->missing -= n;
	s->bytes += n;
	return n;
}

/* Takes the bytes at @f->in. Return: 0, or -1 at a frame of another kind. */
static int take_frames(struct server *s, struct upload *up, struct frames *f)
{
	u64 max = s->max_message ? s->max_message : WS_MAX_MESSAGE_DEFAULT;
	u8 *p = f->in, *end = f->in + f->in_len;

	while (p < end) {
		struct ws_hdr hdr;
		int size;

		if (!up->missing) {
			size = ws_hdr_parse(p, end - p, &hdr);
			if (!size)
				break;
			if (size < 0 || !is_simple(&hdr, max))
				return -1;
			up->missing = hdr.len;
			up->key = hdr.key;
			p += size;
		}
		p += take_payload(s, up, p, end - p);
		f->messages += !up->missing;
	}
	f->left = p;
	f->left_len = end - p;
	return 0;
}

static enum next answer_frames(struct server *s, struct peer *p, size_t len)
{
	struct frames f = { .in = (u8 *)s->buffer, .in_len = len };
	struct upload *up = p->state;
	size_t i;

	if (take_frames(s, up, &f))
		return NEXT_CLOSE;
	s->messages += f.messages;
	if (f.left_len && hold_bytes(&up->left, f.left, f.left_len))
		return NEXT_CLOSE;
	for (i = 0; i < f.messages; i++)
		memcpy(s->buffer + 2 * i, "\x82", 2);
	return i ? send_or_hold(p, &up->unsent, s->buffer, 2 * i) : NEXT_READ;
}

static enum next user_readable(struct server *s, struct peer *p)
{
	struct upload *up = p->state;
	size_t had = up->left.len;
	ssize_t n;

	if (had) {
		memcpy(s->buffer, up->left.data, had);
		drop_held(&up->left);
	}
	n = recv(p->fd, s->buffer + had, s->read_size, 0);
	if (n > 0 || (had && n < 0 && errno == EAGAIN))
		return answer_frames(s, p, n > 0 ? had + n : had);
	return n < 0 && (errno == EAGAIN || errno == EINTR) ?
		NEXT_READ : NEXT_CLOSE;
}

static void user_close(struct peer *p)
{
	struct upload *up = p->state;

	if (up)
		drop_held(&up->left);
	bytes_close(p);
}

const struct framing upload_user = {
	.name = "user space, empty answers",
	.any_tls = true,
	.open = user_open,
	.readable = user_readable,
	.writable = bytes_writable,
	.finish = finish_socket,
	.close = user_close,
};
