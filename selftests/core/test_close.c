// SPDX-License-Identifier: GPL-2.0-only
/* Tests of kmod/core/close.c: RFC 6455 sections 5.5.1 and 7.4. */
#include <errno.h>

#include "core_test.h"

/* The registered codes that an endpoint may send, one by one. */
static bool allowed(unsigned int code)
{
	static const u16 registered[] = {
		1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011,
		1012, 1013, 1014,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(registered); i++)
		if (code == registered[i])
			return true;
	return code >= 3000 && code < 5000;
}

static void close_code_ok__all(void)
{
	unsigned int code;

	for (code = 0; code < 65536; code++)
		CHECK_MSG(ws_close_code_ok(code) == allowed(code), "%u", code);
}

static void close_parse__every_code(void)
{
	unsigned int code;

	for (code = 0; code < 65536; code++) {
		u8 p[4] = { code >> 8, code, 'o', 'k' };
		enum ws_rule want = allowed(code) ? WS_RULE_NONE
						  : WS_RULE_CLOSE_CODE;
		u16 got = 0;

		CHECK(ws_close_parse(p, 2, &got) == want);
		CHECK(got == code);
		CHECK(ws_close_parse(p, 4, &got) == want);
	}
}

static void close_parse__lengths(void)
{
	u8 body[WS_CTRL_MAX] = { 1000 >> 8, 1000 & 0xff };
	u16 code = 0;
	size_t n;

	memset(body + 2, 'r', sizeof(body) - 2);
	for (n = 0; n <= WS_CTRL_MAX; n++) {
		u8 *p = exact(body, n);
		enum ws_rule want = n == 1 ? WS_RULE_CLOSE_LENGTH
					   : WS_RULE_NONE;

		CHECK(ws_close_parse(p, n, &code) == want);
		CHECK(code == (n < 2 ? 1005 : 1000));
		free(p);
	}
}

/* Section 5.5.1: the reason is UTF-8, and whole. */
static void close_parse__reason(void)
{
	static const struct {
		const char *reason;
		bool ok;
	} cases[] = {
		{ "", true }, { "bye", true }, { "\xe2\x82\xac", true },
		{ "\xe2\x82", false }, { "\xff", false }, { "x\xc3", false },
		{ "\xed\xa0\x80", false }, { "\xc0\x80", false },
		{ "long enough for the wide path \xf5", false },
		{ "long enough for the wide path \xf4\x8f\xbf\xbf", true },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		u8 body[64] = { 3000 >> 8, 3000 & 0xff };
		size_t n = strlen(cases[i].reason);
		u16 code;

		memcpy(body + 2, cases[i].reason, n);
		CHECK_MSG(!ws_close_parse(body, n + 2, &code) == cases[i].ok,
			  "case %zu", i);
		CHECK(code == 3000);
	}
}

/* A bad code is the first thing wrong with a Close. */
static void close_parse__code_before_reason(void)
{
	u8 body[3] = { 0x03, 0xed, 0xff };
	u16 code;

	CHECK(ws_close_parse(body, 3, &code) == WS_RULE_CLOSE_CODE);
	CHECK(code == 1005);
}

static const struct {
	enum ws_rule rule;
	u16 code;
	int err;
	const char *name;
} rules[] = {
	{ WS_RULE_NONE, 1000, 0, "None" },
	{ WS_RULE_RSV, 1002, -EPROTO, "Rsv" },
	{ WS_RULE_OPCODE, 1002, -EPROTO, "Opcode" },
	{ WS_RULE_LENGTH, 1002, -EPROTO, "Length" },
	{ WS_RULE_UNMASKED, 1002, -EPROTO, "Unmasked" },
	{ WS_RULE_MASKED, 1002, -EPROTO, "Masked" },
	{ WS_RULE_CONTROL_LENGTH, 1002, -EPROTO, "ControlLength" },
	{ WS_RULE_CONTROL_FRAGMENT, 1002, -EPROTO, "ControlFragment" },
	{ WS_RULE_CONTINUATION, 1002, -EPROTO, "Continuation" },
	{ WS_RULE_INTERLEAVED, 1002, -EPROTO, "Interleaved" },
	{ WS_RULE_CLOSE_LENGTH, 1002, -EPROTO, "CloseLength" },
	{ WS_RULE_CLOSE_CODE, 1002, -EPROTO, "CloseCode" },
	{ WS_RULE_CLOSE_UTF8, 1007, -EILSEQ, "CloseUtf8" },
	{ WS_RULE_UTF8, 1007, -EILSEQ, "Utf8" },
	{ WS_RULE_TOO_BIG, 1009, -EMSGSIZE, "TooBig" },
	{ WS_RULE_TRUNCATED, 1006, -EPROTO, "Truncated" },
	{ WS_RULE_STREAM, 1011, -EPROTO, "Stream" },
	{ WS_RULE_PING_TIMEOUT, 1006, -ETIMEDOUT, "PingTimeout" },
	{ WS_RULE_ASSEMBLY_TIMEOUT, 1008, -ETIMEDOUT, "AssemblyTimeout" },
	{ WS_RULE_CLOSE_TIMEOUT, 1006, -ETIMEDOUT, "CloseTimeout" },
};

static void rule_code__all(void)
{
	size_t i;

	CHECK(ARRAY_SIZE(rules) == WS_RULE_MAX);
	for (i = 0; i < ARRAY_SIZE(rules); i++)
		CHECK_MSG(ws_rule_code(rules[i].rule) == rules[i].code,
			  "%s", rules[i].name);
}

static void rule_errno__all(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rules); i++)
		CHECK_MSG(ws_rule_errno(rules[i].rule) == rules[i].err,
			  "%s", rules[i].name);
}

static void rule_name__all(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rules); i++)
		CHECK_MSG(!strcmp(ws_rule_name(rules[i].rule), rules[i].name),
			  "%s", rules[i].name);
}

#define T(name) { #name, name }

const struct core_test close_tests[] = {
	T(close_code_ok__all),
	T(close_parse__every_code),
	T(close_parse__lengths),
	T(close_parse__reason),
	T(close_parse__code_before_reason),
	T(rule_code__all),
	T(rule_errno__all),
	T(rule_name__all),
	{ NULL, NULL },
};
