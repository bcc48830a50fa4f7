// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The Close frame's body, RFC 6455 sections 5.5.1 and 7.4, and what a broken
 * rule is called.
 */
#ifdef __KERNEL__
#include <linux/errno.h>
#else
#include <errno.h>
#endif
#include "core.h"

/**
 * ws_close_code_ok() - may this status code stand in a Close frame?
 * @code: in host byte order
 *
 * Section 7.4.1 and the IANA registry: 1000 to 1014 without those that must
 * not be sent (1004 is reserved; 1005 and 1006 are for reporting only, as is
 * 1015), and 3000 to 4999.
 */
bool ws_close_code_ok(u16 code)
{
	if (code >= 3000)
		return code <= 4999;
	return code >= 1000 && code <= 1014 &&
	       code != 1004 && code != 1005 && code != 1006;
}

/**
 * ws_close_parse() - check the body of a Close frame
 * @p: the body, unmasked
 * @n: its length, 0 to WS_CTRL_MAX
 * @code: set to the status code, 1005 for an empty body
 *
 * The reason, if any, is @p + 2.
 *
 * Return: WS_RULE_NONE or the rule that the body breaks.
 */
enum ws_rule ws_close_parse(const u8 *p, size_t n, u16 *code)
{
	*code = 1005;
	if (!n)
		return WS_RULE_NONE;
	if (n == 1)
		return WS_RULE_CLOSE_LENGTH;
	*code = p[0] << 8 | p[1];
	if (!ws_close_code_ok(*code))
		return WS_RULE_CLOSE_CODE;
	if (ws_utf8(WS_UTF8_OK, p + 2, n - 2, 0) != WS_UTF8_OK)
		return WS_RULE_CLOSE_UTF8;
	return WS_RULE_NONE;
}

static const struct {
	const char *name;
	u16 code;
	u8 err;
} rules[WS_RULE_MAX] = {
	[WS_RULE_NONE]			= { "None",		1000, 0 },
	[WS_RULE_RSV]			= { "Rsv",		1002, EPROTO },
	[WS_RULE_OPCODE]		= { "Opcode",		1002, EPROTO },
	[WS_RULE_LENGTH]		= { "Length",		1002, EPROTO },
	[WS_RULE_UNMASKED]		= { "Unmasked",		1002, EPROTO },
	[WS_RULE_MASKED]		= { "Masked",		1002, EPROTO },
	[WS_RULE_CONTROL_LENGTH]	= { "ControlLength",	1002, EPROTO },
	[WS_RULE_CONTROL_FRAGMENT]	= { "ControlFragment",	1002, EPROTO },
	[WS_RULE_CONTINUATION]		= { "Continuation",	1002, EPROTO },
	[WS_RULE_INTERLEAVED]		= { "Interleaved",	1002, EPROTO },
	[WS_RULE_CLOSE_LENGTH]		= { "CloseLength",	1002, EPROTO },
	[WS_RULE_CLOSE_CODE]		= { "CloseCode",	1002, EPROTO },
	[WS_RULE_CLOSE_UTF8]		= { "CloseUtf8",	1007, EILSEQ },
	[WS_RULE_UTF8]			= { "Utf8",		1007, EILSEQ },
	[WS_RULE_TOO_BIG]		= { "TooBig",		1009, EMSGSIZE },
	[WS_RULE_TRUNCATED]		= { "Truncated",	1006, EPROTO },
	[WS_RULE_STREAM]		= { "Stream",		1011, EPROTO },
	[WS_RULE_PING_TIMEOUT]		= { "PingTimeout",	1006, ETIMEDOUT },
	[WS_RULE_ASSEMBLY_TIMEOUT]	= { "AssemblyTimeout",	1008, ETIMEDOUT },
	[WS_RULE_CLOSE_TIMEOUT]		= { "CloseTimeout",	1006, ETIMEDOUT },
};

/**
 * ws_rule_code() - the status code that answers a broken rule, section 7.4.1
 * @rule: below WS_RULE_MAX
 *
 * Return: the code; 1006 means that no Close is sent.
 */
u16 ws_rule_code(enum ws_rule rule)
{
	return rules[rule].code;
}

/**
 * ws_rule_errno() - what the application gets for a broken rule
 * @rule: below WS_RULE_MAX
 *
 * Return: a negated errno, 0 for WS_RULE_NONE.
 */
int ws_rule_errno(enum ws_rule rule)
{
	return -rules[rule].err;
}

/**
 * ws_rule_name() - the rule in the words of the statistics
 * @rule: below WS_RULE_MAX
 *
 * Return: a static string in camel case, as "ControlLength".
 */
const char *ws_rule_name(enum ws_rule rule)
{
	return rules[rule].name;
}
