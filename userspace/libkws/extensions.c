// SPDX-License-Identifier: MIT
/*
 * Negotiating permessage-deflate, RFC 7692 sections 5 and 7.1: the offers of a
 * client, the answer of a server, and the check of that answer.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "extensions.h"
#include "list.h"

#define NAME		"permessage-deflate"
#define OFFERS_MAX	8

/* The window size of a parameter without a value. */
#define NO_VALUE	0xff

/**
 * struct terms - the parameters of one offer or answer
 * @server_reset: server_no_context_takeover is present
 * @client_reset: client_no_context_takeover is present
 * @server_bits: server_max_window_bits, 0 if absent
 * @client_bits: client_max_window_bits, 0 if absent, or NO_VALUE
 */
struct terms {
	bool server_reset;
	bool client_reset;
	unsigned char server_bits;
	unsigned char client_bits;
};

static bool is_valid_bits(unsigned int bits)
{
	return !bits || (bits >= 8 && bits <= 15);
}

/**
 * extensions_options_ok() - are the caller's parameters in range?
 * @o: the options
 */
bool extensions_options_ok(const struct kws_options *o)
{
	unsigned int i;

	if (!o->deflate)
		return !o->deflate_count;
	if (o->deflate_count > OFFERS_MAX)
		return false;
	for (i = 0; i < o->deflate_count || !i; i++) {
		const struct kws_deflate *d = &o->deflate[i];

		if (!is_valid_bits(d->server_max_window_bits) ||
		    !is_valid_bits(d->client_max_window_bits) ||
		    d->level > 9 || d->memory > 9)
			return false;
	}
	return true;
}

/* Does not change the window sizes. */
static struct kws_deflate fill_defaults(const struct kws_deflate *own)
{
	struct kws_deflate d = *own;

	if (!d.level)
		d.level = KWS_DEFLATE_LEVEL;
	if (!d.memory)
		d.memory = KWS_DEFLATE_MEMORY;
	if (!d.threshold)
		d.threshold = KWS_DEFLATE_THRESHOLD;
	return d;
}

/* Returns the end of the text. */
static char *write_terms(char *p, const struct terms *t)
{
	p += sprintf(p, NAME);
	if (t->server_reset)
		p += sprintf(p, "; server_no_context_takeover");
	if (t->client_reset)
		p += sprintf(p, "; client_no_context_takeover");
	if (t->server_bits)
		p += sprintf(p, "; server_max_window_bits=%u", t->server_bits);
	if (t->client_bits == NO_VALUE)
		p += sprintf(p, "; client_max_window_bits");
	else if (t->client_bits)
		p += sprintf(p, "; client_max_window_bits=%u", t->client_bits);
	return p;
}

/*
 * The answer may contain client_max_window_bits only if the offer did. We can
 * use any size, so it is always offered.
 */
static struct terms make_offer(const struct kws_deflate *own)
{
	struct terms t = {
		.server_reset = own->server_no_context_takeover,
		.client_reset = own->client_no_context_takeover,
		.server_bits = own->server_max_window_bits,
		.client_bits = own->client_max_window_bits ?
			own->client_max_window_bits : NO_VALUE,
	};

	return t;
}

/**
 * extensions_offer() - write the offers of a client
 * @o: the options
 *
 * Return: the value of Sec-WebSocket-Extensions, empty for none, which the
 * caller frees; NULL with ENOMEM.
 */
char *extensions_offer(const struct kws_options *o)
{
	char *text = calloc(OFFERS_MAX, EXTENSION_SIZE), *p = text;
	unsigned int i;

	if (!text || !o->deflate)
		return text;
	for (i = 0; i < o->deflate_count || !i; i++) {
		struct terms t = make_offer(&o->deflate[i]);

		p += sprintf(p, i ? ", " : "");
		p = write_terms(p, &t);
	}
	return text;
}

/* Returns 8 to 15, written without leading zeros; 0 for everything else. */
static unsigned char parse_bits(const struct list_param *param)
{
	const char *v = param->value;

	if (param->value_len == 1 && (*v == '8' || *v == '9'))
		return *v - '0';
	if (param->value_len == 2 && *v == '1' && v[1] >= '0' && v[1] <= '5')
		return 10 + v[1] - '0';
	return 0;
}

static bool read_flag(const struct list_param *param, bool *flag)
{
	if (*flag || param->has_value)
		return false;
	*flag = true;
	return true;
}

static bool read_bits(const struct list_param *param, unsigned char *bits)
{
	if (*bits || !param->has_value)
		return false;
	*bits = parse_bits(param);
	return *bits;
}

/* Only an offer may have client_max_window_bits without a value. */
static bool read_client_bits(const struct list_param *param, bool offer,
			     unsigned char *bits)
{
	if (!offer || param->has_value)
		return read_bits(param, bits);
	if (*bits)
		return false;
	*bits = NO_VALUE;
	return true;
}

/*
 * Returns false for an unknown or repeated parameter or a wrong value: such an
 * offer is declined, such an answer fails the connection (section 7.1).
 */
static bool read_terms(const struct list_element *e, bool offer,
		       struct terms *t)
{
	unsigned int i;

	memset(t, 0, sizeof(*t));
	if (e->count > LIST_PARAMS_MAX)
		return false;
	for (i = 0; i < e->count; i++) {
		const struct list_param *p = &e->params[i];
		bool good = false;

		if (list_name_is(p->name, p->name_len,
				 "server_no_context_takeover"))
			good = read_flag(p, &t->server_reset);
		else if (list_name_is(p->name, p->name_len,
				      "client_no_context_takeover"))
			good = read_flag(p, &t->client_reset);
		else if (list_name_is(p->name, p->name_len,
				      "server_max_window_bits"))
			good = read_bits(p, &t->server_bits);
		else if (list_name_is(p->name, p->name_len,
				      "client_max_window_bits"))
			good = read_client_bits(p, offer, &t->client_bits);
		if (!good)
			return false;
	}
	return true;
}

/* The smaller of two windows, where 0 and NO_VALUE mean any size. */
static unsigned char pick_smaller(unsigned char a, unsigned char b)
{
	if (!a || a > 15)
		a = 15;
	if (!b || b > 15)
		b = 15;
	return a < b ? a : b;
}

/* Can the server accept this offer? Then sets @agreed. */
static bool accept_offer(const struct terms *t, const struct kws_deflate *own,
			 struct kws_deflate *agreed)
{
	unsigned char limit = own->client_max_window_bits;

	/* The client would not understand the limit (section 7.1.2.2). */
	if (limit && limit < 15 && !t->client_bits)
		return false;
	*agreed = fill_defaults(own);
	agreed->server_no_context_takeover |= t->server_reset;
	agreed->client_no_context_takeover |= t->client_reset;
	agreed->server_max_window_bits =
		pick_smaller(own->server_max_window_bits, t->server_bits);
	agreed->client_max_window_bits = pick_smaller(limit, t->client_bits);
	return true;
}

/*
 * A window of the full size is not mentioned, unless the client asked for a
 * confirmation; the client's window only if the offer mentioned it.
 */
static void write_answer(const struct terms *offer,
			 const struct kws_deflate *agreed,
			 char text[EXTENSION_SIZE])
{
	struct terms t = {
		.server_reset = agreed->server_no_context_takeover,
		.client_reset = agreed->client_no_context_takeover,
	};

	if (offer->server_bits || agreed->server_max_window_bits < 15)
		t.server_bits = agreed->server_max_window_bits;
	if (agreed->client_max_window_bits < 15)
		t.client_bits = agreed->client_max_window_bits;
	write_terms(text, &t);
}

/**
 * extensions_accept() - choose among a client's offers
 * @offers: Sec-WebSocket-Extensions, or NULL
 * @o: the server's options
 * @agreed: set when 1 is returned
 * @answer: set when 1 is returned, the value of our Sec-WebSocket-Extensions
 *
 * The first acceptable offer is accepted; other extensions are ignored.
 *
 * Return: 1, 0 for none, or -1 if @offers is not a list of extensions (RFC 6455
 * section 9.1: fail the connection).
 */
int extensions_accept(const char *offers, const struct kws_options *o,
		      struct kws_deflate *agreed, char answer[EXTENSION_SIZE])
{
	struct list_element e;
	struct terms t;
	int found = 0, r;

	if (!offers)
		return 0;
	/* The whole list is checked, also behind the chosen offer. */
	while ((r = list_next(&offers, &e)) > 0) {
		if (!o->deflate || found ||
		    !list_name_is(e.name, e.name_len, NAME) ||
		    !read_terms(&e, true, &t) ||
		    !accept_offer(&t, o->deflate, agreed))
			continue;
		write_answer(&t, agreed, answer);
		found = 1;
	}
	return r < 0 ? -1 : found;
}

/* Does the server's answer accept this offer? Then sets @agreed. */
static bool match_answer(const struct terms *t, const struct kws_deflate *own,
			 struct kws_deflate *agreed)
{
	struct terms offer = make_offer(own);

	/* An answer without a demanded parameter did not accept the offer. */
	if (offer.server_reset && !t->server_reset)
		return false;
	if (offer.server_bits &&
	    (!t->server_bits || t->server_bits > offer.server_bits))
		return false;
	if (t->client_bits > offer.client_bits)
		return false;
	*agreed = fill_defaults(own);
	agreed->server_no_context_takeover = t->server_reset;
	agreed->client_no_context_takeover |= t->client_reset;
	agreed->server_max_window_bits = pick_smaller(t->server_bits, 0);
	agreed->client_max_window_bits =
		pick_smaller(own->client_max_window_bits, t->client_bits);
	return true;
}

/**
 * extensions_check() - does a server's answer fit an offer?
 * @answer: Sec-WebSocket-Extensions, or NULL
 * @o: the client's options
 * @agreed: set when 1 is returned
 * @why: set to a message when -1 is returned
 *
 * Return: 1, 0 for no extension, or -1: fail the connection.
 */
int extensions_check(const char *answer, const struct kws_options *o,
		     struct kws_deflate *agreed, const char **why)
{
	struct list_element e, next;
	struct terms t;
	unsigned int i;

	if (!answer)
		return 0;
	*why = "the answer's Sec-WebSocket-Extensions is not a list of extensions";
	if (list_next(&answer, &e) <= 0)
		return -1;
	*why = "the server chose an extension that was not offered";
	if (!o->deflate || !list_name_is(e.name, e.name_len, NAME))
		return -1;
	if (list_next(&answer, &next))
		return -1;
	*why = "the server's parameters of permessage-deflate are wrong";
	if (!read_terms(&e, false, &t))
		return -1;
	for (i = 0; i < o->deflate_count || !i; i++)
		if (match_answer(&t, &o->deflate[i], agreed))
			return 1;
	*why = "the server's permessage-deflate is not what was offered";
	return -1;
}
