// SPDX-License-Identifier: GPL-2.0-only
/*
 * kTLS below: what its records may hold and how they may be cut; where what is
 * read ahead ends; and that close_notify is sent once.
 */
#include "kselftest_harness.h"
#include "ws_tls_pair.h"
#include "ws_ways.h"

#define TLS_DATA	23

/* A session ticket of 300 bytes. */
static const char ticket[304] = { 4, 0, 1, 44 };

static bool cut_ticket(struct pair *p, size_t len)
{
	return raw_frame(p, TEXT, "whole", 5) &&
	       tls_send(p->raw, TLS_HANDSHAKE, ticket, len) == (ssize_t)len;
}

static bool is_broken(struct pair *p, int err)
{
	long long errors = ws_stat("WsTlsErrors");

	/* Whatever was complete before it is delivered. */
	return expect_text(p->ws, "whole") &&
	       poll_for(p->ws, POLLIN, WS_TEST_MS) & POLLIN &&
	       expect_error(p->ws, err) && expect_eof(p->ws) &&
	       ws_stat("WsTlsErrors") - errors <= 1;
}

/* RFC 8446 section 5.1: nothing may come between the parts of a ticket. */
TEST_F(tls, ticket_cut_by_data)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(cut_ticket(p, 100));
	ASSERT_TRUE(raw_frame(p, TEXT, "bad", 3));
	EXPECT_TRUE(is_broken(p, EBADMSG));
}

TEST_F(tls, ticket_head_cut_by_data)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(cut_ticket(p, 1));
	ASSERT_TRUE(raw_frame(p, TEXT, "bad", 3));
	EXPECT_TRUE(is_broken(p, EBADMSG));
}

TEST_F(tls, ticket_head_of_three_cut_by_data)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(cut_ticket(p, 3));
	ASSERT_TRUE(raw_frame(p, TEXT, "bad", 3));
	EXPECT_TRUE(is_broken(p, EBADMSG));
}

TEST_F(tls, ticket_cut_by_an_alert)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(cut_ticket(p, 303));
	ASSERT_EQ(2, tls_send(p->raw, TLS_ALERT, "\1\0", 2));
	EXPECT_TRUE(is_broken(p, EBADMSG));
}

TEST_F(tls, ticket_head_cut_by_an_alert)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(cut_ticket(p, 4));
	ASSERT_EQ(2, tls_send(p->raw, TLS_ALERT, "\1\132", 2));
	EXPECT_TRUE(is_broken(p, EBADMSG));
}

/* ... but a ticket may be cut anywhere, and then data comes. */
TEST_F(tls, ticket_in_two)
{
	struct pair *p = &self->p;
	size_t cut;

	for (cut = 1; cut < sizeof(ticket); cut += cut < 6 ? 1 : 149) {
		ASSERT_EQ((ssize_t)cut, tls_send(p->raw, TLS_HANDSHAKE, ticket,
						 cut));
		ASSERT_EQ((ssize_t)(sizeof(ticket) - cut),
			  tls_send(p->raw, TLS_HANDSHAKE, ticket + cut,
				   sizeof(ticket) - cut));
		ASSERT_TRUE(raw_frame(p, TEXT, "good", 4));
		EXPECT_TRUE(expect_text(p->ws, "good"));
	}
	/* One of no length, and one behind a whole one in the same record. */
	ASSERT_EQ(4, tls_send(p->raw, TLS_HANDSHAKE, "\4\0\0\0", 4));
	ASSERT_TRUE(raw_frame(p, TEXT, "good", 4));
	EXPECT_TRUE(expect_text(p->ws, "good"));
	ASSERT_EQ(9, tls_send(p->raw, TLS_HANDSHAKE, "\4\0\0\1x\4\0\0\0", 9));
	ASSERT_TRUE(raw_frame(p, TEXT, "good", 4));
	EXPECT_TRUE(expect_text(p->ws, "good"));
	/* Lengths of two and three bytes are read as such. */
	ASSERT_EQ(4, tls_send(p->raw, TLS_HANDSHAKE, "\4\0\100\0", 4));
	ASSERT_EQ(16384, tls_send(p->raw, TLS_HANDSHAKE, pattern(0, 16384),
				  16384));
	ASSERT_TRUE(raw_frame(p, TEXT, "good", 4));
	EXPECT_TRUE(expect_text(p->ws, "good"));
	EXPECT_EQ(0, ws_get_info(p->ws).state);
}

/* Behind a ticket, in the same record, what may not come. */
TEST_F(tls, key_update_behind_a_ticket)
{
	struct pair *p = &self->p;
	char both[sizeof(ticket) + 5];

	memcpy(both, ticket, sizeof(ticket));
	memcpy(both + sizeof(ticket), "\30\0\0\1\0", 5);
	ASSERT_TRUE(raw_frame(p, TEXT, "whole", 5));
	ASSERT_EQ((ssize_t)sizeof(both), tls_send(p->raw, TLS_HANDSHAKE, both,
						  sizeof(both)));
	EXPECT_TRUE(is_broken(p, EKEYEXPIRED));
}

/* user_canceled says nothing by itself; every other alert ends it. */
TEST_F(tls, alerts)
{
	static const unsigned char fatal[] = { 10, 20, 22, 40, 80, 86, 91, 255 };
	struct pair *p = &self->p;
	unsigned char alert[2] = { 2 };
	size_t i;

	ASSERT_EQ(2, tls_send(p->raw, TLS_ALERT, "\1\132", 2));
	ASSERT_EQ(2, tls_send(p->raw, TLS_ALERT, "\2\132", 2));
	ASSERT_TRUE(raw_frame(p, TEXT, "on", 2));
	EXPECT_TRUE(expect_text(p->ws, "on"));
	ASSERT_EQ(3, ws_send(p->ws, WS_OP_TEXT, "out", 3, 0));
	EXPECT_TRUE(expect_frame(p, TEXT, "out", 3));
	EXPECT_EQ(0, ws_get_info(p->ws).state);
	for (i = 0; i < ARRAY_SIZE(fatal); i++) {
		pair_close(p);
		ASSERT_TRUE(pair_open(p, AF_INET, variant->role));
		alert[1] = fatal[i];
		ASSERT_TRUE(raw_frame(p, TEXT, "whole", 5));
		ASSERT_EQ(2, tls_send(p->raw, TLS_ALERT, alert, 2));
		EXPECT_TRUE(is_broken(p, ECONNABORTED));
	}
}

TEST_F(tls, alert_of_three_bytes)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_frame(p, TEXT, "whole", 5));
	ASSERT_EQ(3, tls_send(p->raw, TLS_ALERT, "\1\0\0", 3));
	EXPECT_TRUE(is_broken(p, EBADMSG));
}

/* Empty records anywhere: in a message, between, at the end. */
TEST_F(tls, empty_records_between)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	size_t i;

	bytes_frame(&b, p, TEXT, pattern(0, 200), 200);
	for (i = 0; i < b.n; i += b.n / 4) {
		size_t n = b.n - i < b.n / 4 ? b.n - i : b.n / 4;

		ASSERT_TRUE(raw_send(p, b.p + i, n));
		ASSERT_EQ(0, tls_send(p->raw, TLS_DATA, "", 0));
		ASSERT_EQ(0, tls_send(p->raw, TLS_DATA, "", 0));
	}
	bytes_free(&b);
	EXPECT_TRUE(expect_message(p->ws, WS_OP_TEXT, pattern(0, 200), 200));
	/* More than are read at a time. */
	for (i = 0; i < 200; i++)
		ASSERT_EQ(0, tls_send(p->raw, TLS_DATA, "", 0));
	ASSERT_TRUE(raw_frame(p, TEXT, "behind", 6));
	EXPECT_TRUE(poll_for(p->ws, POLLIN, WS_TEST_MS) & POLLIN);
	EXPECT_TRUE(expect_text(p->ws, "behind"));
	ASSERT_EQ(0, tls_send(p->raw, TLS_DATA, "", 0));
	ASSERT_EQ(2, tls_send(p->raw, TLS_ALERT, "\1\0", 2));
	EXPECT_TRUE(expect_eof(p->ws));
}

/*
 * Records that end where a page does, or a little before: what the page has room
 * for, and what not, is in order, and alerts behind it are whole.
 */
TEST_F(tls, ends_of_pages)
{
	struct pair *p = &self->p;
	int page = sysconf(_SC_PAGESIZE), i;
	struct bytes b = { 0 };

	/* Nobody reads while they come. */
	EXPECT_EQ(0, poll_now(p->ws, POLLIN));
	for (i = -70; i <= 4; i++) {
		size_t len = page + i - 8, at = b.n;

		bytes_frame(&b, p, BINARY, pattern(i + 70, len), len);
		ASSERT_TRUE(raw_send(p, b.p + at, page + i <= (int)(b.n - at) ?
				     (size_t)(page + i) : b.n - at));
		if (page + i < (int)(b.n - at))
			ASSERT_TRUE(raw_send(p, b.p + at + page + i,
					     b.n - at - page - i));
		ASSERT_EQ(2, tls_send(p->raw, TLS_ALERT, "\1\132", 2));
		EXPECT_TRUE(expect_message(p->ws, WS_OP_BINARY,
					   pattern(i + 70, len), len));
		/* A small one, so that the next begins inside a page. */
		ASSERT_TRUE(raw_frame(p, TEXT, pattern(0, 3), 3));
		EXPECT_TRUE(expect_message(p->ws, WS_OP_TEXT, pattern(0, 3), 3));
	}
	bytes_free(&b);
}

/* What nobody reads is read ahead up to a limit, and all of it is given back. */
TEST_F(tls, read_ahead)
{
	long page = sysconf(_SC_PAGESIZE), before = ws_stat("WsCurrTlsPages");
	struct pair *p = &self->p;
	long pages, most = 0;
	int i;

	EXPECT_EQ(0, poll_now(p->ws, POLLIN));
	for (i = 0; i < 40; i++) {
		ASSERT_TRUE(raw_frame(p, BINARY, pattern(i, 8000), 8000));
		pages = ws_stat("WsCurrTlsPages") - before;
		most = pages > most ? pages : most;
	}
	ASSERT_TRUE(wait_until(ws_stat("WsCurrTlsPages") - before >=
			       65536 / page));
	usleep(100000);
	most = ws_stat("WsCurrTlsPages") - before;
	/* 64 KiB and what the last record had more, in buffers half full. */
	EXPECT_GE(65536 / page + 2 * 16384 / page, most);
	for (i = 0; i < 20; i++)
		EXPECT_TRUE(expect_message(p->ws, WS_OP_BINARY,
					   pattern(i, 8000), 8000));
	EXPECT_LT(before, ws_stat("WsCurrTlsPages"));
	for (; i < 40; i++)
		EXPECT_TRUE(expect_message(p->ws, WS_OP_BINARY,
					   pattern(i, 8000), 8000));
	EXPECT_TRUE(stat_becomes("WsCurrTlsPages", before));
	/* Unread when it is closed. */
	for (i = 0; i < 3; i++)
		ASSERT_TRUE(raw_frame(p, BINARY, pattern(i, 8000), 8000));
	EXPECT_EQ(POLLIN, poll_for(p->ws, POLLIN, WS_TEST_MS));
	close(p->ws);
	p->ws = -1;
	EXPECT_TRUE(stat_becomes("WsCurrTlsPages", before));
}

/* How many alerts come, and whether FIN follows; other records are skipped. */
static int count_alerts(struct pair *p, bool *fin)
{
	unsigned char buf[2000];
	int type, n = 0;

	for (;;) {
		memset(buf, 0xff, sizeof(buf));
		type = tls_recv(p->raw, buf, sizeof(buf));
		if (type == TLS_DATA)
			continue;
		if (type != TLS_ALERT)
			break;
		n += buf[1] == 0;
	}
	*fin = !type;
	return n;
}

/* close_notify is sent once, by whoever is first. */
TEST_F(tls, one_close_notify)
{
	int way;

	for (way = 0; way < 6; way++) {
		struct pair *p = &self->p;
		struct bytes b = { 0 };
		bool fin;

		if (way) {
			pair_close(p);
			ASSERT_TRUE(pair_open(p, AF_INET, variant->role));
		}
		switch (way) {
		case 0:		/* the library, then close() */
			EXPECT_EQ(0, shutdown(p->ws, SHUT_WR));
			EXPECT_EQ(2, tls_send(p->ws, TLS_ALERT, "\1\0", 2));
			break;
		case 1:		/* the library twice */
			EXPECT_EQ(0, ws_send_close(p->ws, 1000, ""));
			EXPECT_EQ(2, tls_send(p->ws, TLS_ALERT, "\1\0", 2));
			EXPECT_EQ(2, tls_send(p->ws, TLS_ALERT, "\1\0", 2));
			break;
		case 2:		/* the kernel, then the library */
			EXPECT_EQ(0, shutdown(p->ws, SHUT_RDWR));
			tls_send(p->ws, TLS_ALERT, "\1\0", 2);
			break;
		case 3:		/* close() alone */
			break;
		case 4:		/* shutdown() twice */
			EXPECT_EQ(0, shutdown(p->ws, SHUT_RDWR));
			EXPECT_EQ(0, shutdown(p->ws, SHUT_RDWR));
			break;
		case 5:		/* another alert is not one */
			EXPECT_EQ(0, shutdown(p->ws, SHUT_WR));
			EXPECT_EQ(2, tls_send(p->ws, TLS_ALERT, "\1\132", 2));
			break;
		}
		close(p->ws);
		p->ws = -1;
		bytes_close(&b, p, 1000, "");
		raw_send_bytes(p, &b);
		shutdown(p->raw, SHUT_WR);
		EXPECT_EQ(1, count_alerts(p, &fin)) {
			TH_LOG("way %d", way);
		}
		EXPECT_TRUE(fin);
	}
}

/* What the library asks for and may not have changes nothing. */
TEST_F(tls, refused_alerts)
{
	struct pair *p = &self->p;

	EXPECT_EQ(-EBUSY, tls_send(p->ws, TLS_ALERT, "\1\0", 2));
	EXPECT_EQ(-EBUSY, tls_send(p->ws, TLS_ALERT, "\2\50", 2));
	EXPECT_EQ(-EINVAL, tls_send(p->ws, TLS_ALERT, "\1", 1));
	EXPECT_EQ(-EINVAL, tls_send(p->ws, TLS_ALERT, "\1\0\0", 3));
	EXPECT_EQ(-EINVAL, tls_send(p->ws, TLS_DATA, "\1\0", 2));
	EXPECT_EQ(-EINVAL, tls_send(p->ws, TLS_HANDSHAKE, "\1\0", 2));
	EXPECT_EQ(-EFAULT, tls_send(p->ws, TLS_ALERT, (void *)8, 2));
	EXPECT_TRUE(expect_silence(p));
	ASSERT_EQ(2, ws_send(p->ws, WS_OP_TEXT, "on", 2, 0));
	EXPECT_TRUE(expect_frame(p, TEXT, "on", 2));
}

TEST_HARNESS_MAIN
