# SPDX-License-Identifier: MIT
"""Values of uapi/linux/ws.h, written by userspace/tools/constants."""

SOL_WS = 22355
WS_ATTACH = 22355
WS_CONFIG = 1
WS_INFO = 2
WS_RX_PREFIX = 3
WS_MSG = 1
WS_RX_PREFIX_MAX = 0x10000
WS_BATCH_MAX = 256
WS_OP_CONT = 0
WS_OP_TEXT = 1
WS_OP_BINARY = 2
WS_OP_CLOSE = 8
WS_OP_PING = 9
WS_OP_PONG = 10
WS_MSG_END = 1
WS_MSG_RSV1 = 2
WS_MSG_MORE = 4
WS_F_RECORDS = 1
WS_F_BATCH = 2
WS_F_CLOSE = 4
WS_ROLE_SERVER = 0
WS_ROLE_CLIENT = 1
WS_RSV1 = 64
WS_MAX_MESSAGE_DEFAULT = 0x4000000
WS_MAX_MESSAGE_NONE = 0xffffffffffffffff
WS_CLOSE_TIMEOUT_DEFAULT = 10000
WS_TIME_MIN = 100
WS_TIME_MAX = 0x5265c00
WS_STATE_CLOSE_SENT = 1
WS_STATE_CLOSE_RECEIVED = 2
WS_STATE_FAILED = 4
WS_STATE_EOF = 8
WS_RULE_NONE = 0
WS_RULE_RSV = 1
WS_RULE_OPCODE = 2
WS_RULE_LENGTH = 3
WS_RULE_UNMASKED = 4
WS_RULE_MASKED = 5
WS_RULE_CONTROL_LENGTH = 6
WS_RULE_CONTROL_FRAGMENT = 7
WS_RULE_CONTINUATION = 8
WS_RULE_INTERLEAVED = 9
WS_RULE_CLOSE_LENGTH = 10
WS_RULE_CLOSE_CODE = 11
WS_RULE_CLOSE_UTF8 = 12
WS_RULE_UTF8 = 13
WS_RULE_TOO_BIG = 14
WS_RULE_TRUNCATED = 15
WS_RULE_STREAM = 16
WS_RULE_PING_TIMEOUT = 17
WS_RULE_ASSEMBLY_TIMEOUT = 18
WS_RULE_CLOSE_TIMEOUT = 19
WS_RULE_MAX = 20

WS_MSG_FORMAT = "=IBBH"
WS_MSG_MEMBERS = (
    "len",
    "opcode",
    "flags",
    "code",
)

WS_CONFIG_FORMAT = "=IIQIIIIII"
WS_CONFIG_MEMBERS = (
    "role",
    "flags",
    "max_message",
    "send_opcode",
    "rsv",
    "ping_interval",
    "ping_timeout",
    "assembly_timeout",
    "close_timeout",
)

WS_INFO_FORMAT = "=IIIHHQQQQQIIIIIIQQ"
WS_INFO_MEMBERS = (
    "role",
    "state",
    "rule",
    "close_sent",
    "close_received",
    "fault_offset",
    "rx_messages",
    "rx_bytes",
    "tx_messages",
    "tx_bytes",
    "rx_pings",
    "tx_pongs",
    "rx_pongs",
    "wakeups",
    "tx_pings",
    "reserved",
    "rx_calls",
    "tx_calls",
)
