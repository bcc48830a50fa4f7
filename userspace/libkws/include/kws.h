/* SPDX-License-Identifier: MIT */
/*
 * libkws: the WebSocket opening handshake (RFC 6455 section 4) for both
 * sides, attaching the socket to the kernel, and the same messages by user
 * space where the kernel module is not loaded.
 *
 * With the module, after kws_accept() or kws_connect() and kws_attach(), use
 * the socket with recvmsg() and sendmsg() alone; see ws(7). struct
 * kws_conn is for programs that must also run without it.
 *
 * Unless documented otherwise, functions return -1 and set errno on failure.
 * An object must not be used by two threads at the same time; different objects
 * are independent.
 */
#ifndef KWS_H
#define KWS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/ws.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

#define KWS_VERSION		"0.1.0"

#define KWS_HEAD_MAX		16384	/* default of kws_options::head_max */
#define KWS_TIMEOUT_MS		10000	/* default of kws_options::timeout_ms */

#define KWS_BATCH_MAX		256	/* messages of one batch */

#define KWS_DEFLATE_LEVEL	1	/* default of kws_deflate::level */
#define KWS_DEFLATE_MEMORY	8	/* default of kws_deflate::memory */
#define KWS_DEFLATE_THRESHOLD	64	/* default of kws_deflate::threshold */

/* A further value of ws_info::rule: compressed data is corrupt, 1007. */
#define KWS_RULE_DEFLATE	0x100

/**
 * struct kws_deflate - parameters of permessage-deflate (RFC 7692): requested
 *	or agreed ones
 * @server_no_context_takeover: the server compresses every message on its own.
 *	A server that requests this promises it, a client demands it.
 * @client_no_context_takeover: the same for the messages of the client
 * @server_max_window_bits: the server's window is 2^8 to 2^15 bytes; in a
 *	request 0 means any. Servers that cannot limit their window refuse a
 *	client that requests a limit.
 * @client_max_window_bits: the same for the messages of the client. A server
 *	that requests less than 15 declines offers of clients that cannot limit
 *	their window.
 * @level: effort of our compression, 1 (fastest) to 9; 0 for
 *	KWS_DEFLATE_LEVEL
 * @memory: zlib's memLevel of our compression, 1 to 9; 0 for
 *	KWS_DEFLATE_MEMORY
 * @threshold: shorter messages are sent uncompressed; 0 for
 *	KWS_DEFLATE_THRESHOLD, 1 to compress all but empty ones
 *
 * Memory of a connection: sending takes 2^(bits + 2) + 2^(@memory + 9) and
 * about 6000 bytes, 268 KiB by default; receiving takes 2^bits and about 7500
 * bytes, 40 KiB. It is allocated with the first compressed message of a
 * direction and kept, or, without context takeover, freed after every message.
 */
struct kws_deflate {
	uint8_t server_no_context_takeover;
	uint8_t client_no_context_takeover;
	uint8_t server_max_window_bits;
	uint8_t client_max_window_bits;
	uint8_t level;
	uint8_t memory;
	uint32_t threshold;
};

/**
 * struct kws_result - the result of an opening handshake
 * @status: the HTTP status sent (server) or received (client), 101 for an
 *	upgrade, 0 before there was one
 * @error: why there was no upgrade, a static string, or NULL
 * @target: server: the request target, such as "/chat?room=1"
 * @host: server: the Host header
 * @origin: server: the Origin header, NULL if there was none
 * @offered: server: the client's subprotocols, comma separated, or NULL
 * @protocol: the agreed subprotocol, NULL for none
 * @deflate: the agreed compression, for kws_deflate(); NULL for none
 * @location: client: the Location of a 3xx answer, or NULL
 * @tls: the version of TLS, such as "TLSv1.3"; NULL without TLS
 * @cipher: its cipher suite
 * @ktls: the kernel does the records of both directions: the socket can be
 *	used without kws_handshake_open()
 * @ktls_error: with TLS: why @ktls is 0
 * @surplus: bytes that were read beyond the handshake. They belong to the
 *	WebSocket stream: pass them to kws_attach() or kws_open().
 * @surplus_len: how many, at most kws_options::head_max
 *
 * The handshake owns all of it: kws_handshake_free() frees it.
 */
struct kws_result {
	int status;
	const char *error;
	const char *target;
	const char *host;
	const char *origin;
	const char *offered;
	const char *protocol;
	const struct kws_deflate *deflate;
	const char *location;
	const char *tls;
	const char *cipher;
	int ktls;
	const char *ktls_error;
	const void *surplus;
	size_t surplus_len;
};

/**
 * enum kws_ktls - encryption by the kernel or by OpenSSL
 * @KWS_KTLS_AUTO: the kernel (kTLS), if it and OpenSSL can do the negotiated
 *	version and cipher; otherwise OpenSSL. For TLS 1.3 this needs OpenSSL
 *	3.2.
 * @KWS_KTLS_ALWAYS: the kernel, or the handshake fails. Nothing else is
 *	negotiated: no TLS 1.3 with OpenSSL before 3.2, AES-GCM and
 *	ChaCha20-Poly1305 only. Framing in the kernel is certain only with this.
 * @KWS_KTLS_NEVER: OpenSSL
 */
enum kws_ktls {
	KWS_KTLS_AUTO,
	KWS_KTLS_ALWAYS,
	KWS_KTLS_NEVER,
};

/**
 * struct kws_tls_options - for kws_tls_new()
 * @certificate: server: a PEM file with its certificate, then the intermediate
 *	ones
 * @key: server: a PEM file with its private key
 * @ca: client: a PEM file with the certificates to be trusted instead of those
 *	of the system, or NULL
 * @insecure: client: do not check certificates. For tests only.
 * @ktls: encryption by the kernel or by OpenSSL
 */
struct kws_tls_options {
	const char *certificate;
	const char *key;
	const char *ca;
	int insecure;
	enum kws_ktls ktls;
};

struct kws_tls;

struct kws_tls *kws_tls_new(unsigned int role,
			    const struct kws_tls_options *options,
			    const char **why);
void kws_tls_free(struct kws_tls *tls);

/**
 * struct kws_options - options of a handshake; all zero is a good choice
 * @protocols: NULL-terminated list of subprotocols, best first (RFC 6455
 *	sections 1.9 and 11.3.4), or NULL. A client offers all of them; a
 *	server takes the first one that the client offers too.
 * @choose: server: called instead of using @protocols. Returns the subprotocol,
 *	which must be an offered one, or NULL for none. To refuse, set
 *	*status to an HTTP status of 400 to 599.
 * @arg: for @choose
 * @deflate: accept or offer permessage-deflate; NULL for no compression
 * @deflate_count: client: number of offers at @deflate, the best first, at most
 *	8; 0 counts as 1. A server uses the first element only, and accepts the
 *	client's first offer that fits.
 * @headers: further header lines for our request or our 101 answer, each
 *	ended by CRLF, or NULL
 * @head_max: the longest HTTP head accepted, 256 to 65536 bytes; 0 for
 *	KWS_HEAD_MAX
 * @timeout_ms: time for the whole handshake, in milliseconds; 0 for
 *	KWS_TIMEOUT_MS, -1 for no limit
 * @tls: server: do the handshake of TLS first. Client: for wss:// addresses;
 *	with NULL each connection calls kws_tls_new() without options.
 */
struct kws_options {
	const char *const *protocols;
	const char *(*choose)(void *arg, const struct kws_result *request,
			      int *status);
	void *arg;
	const struct kws_deflate *deflate;
	unsigned int deflate_count;
	const char *headers;
	size_t head_max;
	int timeout_ms;
	struct kws_tls *tls;
};

struct kws_handshake;

struct kws_handshake *kws_handshake_server(const struct kws_options *options);
struct kws_handshake *kws_handshake_client(const char *url,
					   const struct kws_options *options);
int kws_handshake_step(struct kws_handshake *hs, int fd);
short kws_handshake_events(const struct kws_handshake *hs);
int kws_handshake_timeout(const struct kws_handshake *hs);
const struct kws_result *kws_handshake_result(const struct kws_handshake *hs);
const char *kws_handshake_header(const struct kws_handshake *hs,
				 const char *name);
void kws_handshake_free(struct kws_handshake *hs);

int kws_accept(int fd, const struct kws_options *options,
	       struct kws_handshake **hs);
int kws_connect(const char *url, const struct kws_options *options,
		struct kws_handshake **hs);

int kws_attach(int fd, unsigned int role, const void *prefix, size_t len);
int kws_kernel_ready(void);

/**
 * struct kws_record - one record of a buffer, see WS_F_RECORDS in ws(7)
 * @msg: opcode, flags, code and length
 * @data: the payload, @msg.len bytes
 */
struct kws_record {
	struct ws_msg msg;
	void *data;
};

/**
 * kws_record_size() - size of a record
 * @len: bytes of its payload
 *
 * Return: a multiple of 8.
 */
static inline size_t kws_record_size(size_t len)
{
	return sizeof(struct ws_msg) + ((len + 7) & ~(size_t)7);
}

int kws_set_flags(int fd, uint32_t flags);
int kws_record_next(const void *buf, size_t len, size_t *at,
		    struct kws_record *record);
int kws_record_put(void *buf, size_t size, size_t *at,
		   const struct ws_msg *msg, const void *data);
ssize_t kws_batch_recv(int fd, void *buf, size_t size, struct ws_msg *msgs,
		       unsigned int *count, int *flags);
ssize_t kws_batch_send(int fd, const void *buf, size_t len,
		       const struct ws_msg *msgs, unsigned int count,
		       int flags);

/**
 * enum kws_framing - framing by the kernel or in user space
 * @KWS_AUTO: the kernel, or user space where the module is not loaded
 * @KWS_KERNEL: the kernel, or the call fails
 * @KWS_USER: user space
 */
enum kws_framing {
	KWS_AUTO,
	KWS_KERNEL,
	KWS_USER,
};

/**
 * struct kws_message - one message from the peer
 * @data: the payload, unmasked, not NUL-terminated. It may be modified, and is
 *	valid until the next call on the connection.
 * @len: payload bytes
 * @opcode: WS_OP_TEXT (checked to be UTF-8), WS_OP_BINARY or WS_OP_CLOSE,
 *	whose @data is the reason
 * @code: for WS_OP_CLOSE the status code, 1005 for none; else 0
 */
struct kws_message {
	void *data;
	size_t len;
	uint8_t opcode;
	uint16_t code;
};

struct kws_conn;

struct kws_conn *kws_open(int fd, unsigned int role, const void *prefix,
			  size_t len, enum kws_framing framing);
struct kws_conn *kws_handshake_open(struct kws_handshake *hs, int fd,
				    enum kws_framing framing);
int kws_deflate(struct kws_conn *conn, const struct kws_deflate *agreed);
int kws_max_message(struct kws_conn *conn, uint64_t bytes);
int kws_recv(struct kws_conn *conn, struct kws_message *message);
int kws_send(struct kws_conn *conn, const struct ws_msg *msg,
	     const void *data, size_t len, int flags);
int kws_flush(struct kws_conn *conn);
size_t kws_pending(const struct kws_conn *conn);
int kws_info(struct kws_conn *conn, struct ws_info *info);
int kws_is_kernel(const struct kws_conn *conn);
int kws_finish(struct kws_conn *conn);
void kws_close(struct kws_conn *conn);

const char *kws_rule_text(unsigned int rule);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* KWS_H */
