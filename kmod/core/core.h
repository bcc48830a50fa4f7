/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * RFC 6455 as pure functions: no allocation, no I/O, no kernel service. The
 * same sources are built into the module, libkws, the native tests and the
 * fuzzers. All of it may be called in any context; nothing here sleeps and
 * nothing keeps state but the structures that the caller passes.
 */
#ifndef _WS_CORE_H
#define _WS_CORE_H

#include "port.h"
#include <linux/ws.h>

/* The longest frame header: 2 + 8 + 4 bytes, RFC 6455 section 5.2. */
#define WS_HDR_MAX		14
/* The longest payload of a control frame, section 5.5. */
#define WS_CTRL_MAX		125

#define WS_RSV_MASK		0x70

/**
 * struct ws_hdr - one frame header, RFC 6455 section 5.2
 * @len: payload bytes, 0 to 2^63 - 1
 * @key: masking key in the byte order of the wire (the first key byte is at
 *	the lowest address); 0 when @masked is false
 * @opcode: 0x0 to 0xf
 * @rsv: the three reserved bits as on the wire, a subset of WS_RSV_MASK
 * @fin: last or only frame of the message
 * @masked: the MASK bit
 */
struct ws_hdr {
	u64 len;
	u32 key;
	u8 opcode;
	u8 rsv;
	bool fin;
	bool masked;
};

int ws_hdr_parse(const u8 *p, size_t n, struct ws_hdr *hdr);
size_t ws_hdr_build(u8 *p, const struct ws_hdr *hdr);

/**
 * ws_hdr_size() - bytes that ws_hdr_build() will write
 * @len: payload bytes of the frame, below 2^63
 * @masked: whether there is a key
 *
 * Return: 2 to WS_HDR_MAX.
 */
static inline size_t ws_hdr_size(u64 len, bool masked)
{
	return 2 + (len > 65535 ? 8 : len > 125 ? 2 : 0) + (masked ? 4 : 0);
}

static inline bool ws_op_is_control(u8 opcode)
{
	return opcode & 0x8;
}

/**
 * struct ws_seq - where a direction stands between frames, section 5.4
 * @len: payload bytes of the open message so far
 * @opcode: WS_OP_TEXT or WS_OP_BINARY while a message is open, else 0
 */
struct ws_seq {
	u64 len;
	u8 opcode;
};

enum ws_rule ws_seq_check(const struct ws_seq *seq, const struct ws_hdr *hdr,
			  u32 role, u8 rsv, u64 max_message);
void ws_seq_frame(struct ws_seq *seq, const struct ws_hdr *hdr);

/**
 * ws_key_rotate() - the key as it stands after @n more payload bytes
 * @key: key whose first byte belongs to the current payload byte
 * @n: payload bytes to go on by
 *
 * Return: the key whose first byte belongs to the byte @n further on.
 */
static inline u32 ws_key_rotate(u32 key, u64 n)
{
	unsigned int shift = (n & 3) * 8;

	/* One instruction where there is one to rotate; never a shift by 32. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return key >> shift | key << (-shift & 31);
#else
	return key << shift | key >> (-shift & 31);
#endif
}

void ws_mask_copy(u8 *dst, const u8 *src, size_t n, u32 key);

/*
 * UTF-8 state: 0 (WS_UTF8_OK) at a character boundary, WS_UTF8_BAD after an
 * invalid sequence, anything else inside a character.
 */
#define WS_UTF8_OK		0
#define WS_UTF8_BAD		0xff

u8 ws_utf8(u8 state, const u8 *p, size_t n, u32 key);

bool ws_close_code_ok(u16 code);
enum ws_rule ws_close_parse(const u8 *p, size_t n, u16 *code);

u16 ws_rule_code(enum ws_rule rule);
int ws_rule_errno(enum ws_rule rule);
const char *ws_rule_name(enum ws_rule rule);

#endif /* _WS_CORE_H */
