// SPDX-License-Identifier: MIT
/* Records: building them, walking through them, and what is not one. */
#include <errno.h>
#include <string.h>

#include "kws.h"
#include "test.h"

static void test_walk(void)
{
	static const unsigned int sizes[] = { 0, 1, 7, 8, 9, 32, 125, 1000 };
	char payload[1000], buf[4096];
	struct kws_record r;
	size_t at = 0, end, i;
	bool good = true;

	for (i = 0; i < sizeof(payload); i++)
		payload[i] = i * 13;
	memset(buf, 0x55, sizeof(buf));
	for (i = 0; i < 8; i++) {
		struct ws_msg m = { sizes[i], WS_OP_TEXT, WS_MSG_END, i };

		good &= !kws_record_put(buf, sizeof(buf), &at, &m, payload);
		good &= at % 8 == 0;
	}
	end = at;
	at = 0;
	for (i = 0; kws_record_next(buf, end, &at, &r) == 1; i++) {
		size_t pad = -r.msg.len & 7;

		good &= i < 8 && r.msg.len == sizes[i] && r.msg.code == i &&
			r.msg.opcode == WS_OP_TEXT &&
			r.msg.flags == WS_MSG_END &&
			!memcmp(r.data, payload, r.msg.len) &&
			!memcmp((char *)r.data + r.msg.len,
				"\0\0\0\0\0\0\0", pad);
	}
	result(good && i == 8 && at == end && (unsigned char)buf[end] == 0x55,
	       "records: what is built is found, padding is 0");
	for (i = 0; i <= 40; i++)
		good &= kws_record_size(i) == 8 + (i + 7) / 8 * 8;
	result(good, "records: sizes");
}

/* Every prefix of two records: whole ones are found, cut ones are EBADMSG. */
static void test_cut(void)
{
	struct ws_msg m = { 5, WS_OP_BINARY, WS_MSG_END, 0 };
	char buf[64], copy[64];
	struct kws_record r;
	size_t at = 0, end, n;
	bool good = true;

	kws_record_put(buf, sizeof(buf), &at, &m, "hello");
	m.len = 8;
	kws_record_put(buf, sizeof(buf), &at, &m, "12345678");
	end = at;
	for (n = 0; n <= end; n++) {
		int last, found = 0;

		/* At an odd address, too. */
		memcpy(copy + n % 8, buf, n);
		at = 0;
		errno = 0;
		while ((last = kws_record_next(copy + n % 8, n, &at, &r)) > 0)
			found++;
		good &= found == (n >= 16) + (n >= 32);
		good &= n == 0 || n == 16 || n == 32 ? last == 0 :
			last < 0 && errno == EBADMSG;
	}
	result(good && end == 32, "records: a cut one is EBADMSG");
}

static void test_room(void)
{
	struct ws_msg m = { 9, WS_OP_BINARY, WS_MSG_END, 0 };
	struct ws_msg huge = { 0xffffffff, WS_OP_BINARY, WS_MSG_END, 0 };
	char buf[32] = "";
	struct kws_record r;
	size_t size, at;
	bool good = true;

	for (size = 0; size < 24; size++) {
		at = 0;
		errno = 0;
		good &= kws_record_put(buf, size, &at, &m, "123456789") < 0 &&
			errno == ENOBUFS && !at;
	}
	at = 0;
	good &= kws_record_put(buf, sizeof(buf), &at, &huge, buf) < 0 && !at;
	memcpy(buf, &huge, sizeof(huge));
	good &= kws_record_next(buf, sizeof(buf), &at, &r) < 0 && !at;
	result(good, "records: ENOBUFS, and lengths that cannot be");
	/* Payload that is at its place already. */
	at = 8;
	memcpy(buf + 16, "123456789", 9);
	good = !kws_record_put(buf, sizeof(buf), &at, &m, NULL) && at == 32;
	at = 8;
	good &= kws_record_next(buf, sizeof(buf), &at, &r) == 1 &&
		r.msg.len == 9 && !memcmp(r.data, "123456789", 9) && at == 32;
	result(good, "records: built around a payload");
}

static void test_batches(void)
{
	struct ws_msg m[1] = { { 0 } };

	errno = 0;
	result(kws_batch_send(-1, "", 0, m, 0, 0) < 0 && errno == EINVAL &&
	       kws_batch_send(-1, "", 0, m, WS_BATCH_MAX + 1, 0) < 0 &&
	       errno == EINVAL, "batches: none and too many");
}

void test_records(void)
{
	test_walk();
	test_cut();
	test_room();
	test_batches();
}
