/* SPDX-License-Identifier: MIT */
/*
 * libkws: the WebSocket opening handshake (RFC 6455 section 4) for both
 * sides, the hand-over of the socket to the kernel, and the same messages
 * from user space where the kernel module is not loaded.
 *
 * With the module, after kws_accept() or kws_connect() and kws_attach(), the
 * socket is used with recvmsg() and sendmsg() alone; see ws(7). struct
 * kws_conn is for programs that must also run without it.
 *
 * Functions return -1 and set errno where nothing else is said. None of them
 * may be used on the same object from two threads at once; different objects
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

/* ws_info::rule beside enum ws_rule: compressed data is corrupt, 1007. */
#define KWS_RULE_DEFLATE	0x100

/**
 * struct kws_deflate - permessage-deflate (RFC 7692): wishes, or what was
 *	agreed on
 * @server_no_context_takeover: the server compresses every message for
 *	itself. A wish of the server's is a promise, one of the client's a
 *	demand.
 * @client_no_context_takeover: the same for what the client sends
 * @server_max_window_bits: the server's window is 2^8 to 2^15 bytes; as a
 *	wish 0 means any. A client that wishes one is refused by servers that
 *	cannot limit theirs.
 * @client_max_window_bits: the same for what the client sends. A server that
 *	wishes less than 15 declines offers of clients that cannot limit theirs.
 * @level: how hard we try to compress, 1 (fastest) to 9; 0 for
 *	KWS_DEFLATE_LEVEL
 * @memory: zlib's memLevel for what we send, 1 to 9; 0 for KWS_DEFLATE_MEMORY
 * @threshold: shorter messages are sent as they are; 0 for
 *	KWS_DEFLATE_THRESHOLD, 1 to compress all but empty ones
 *
 * Memory of a connection: what it sends takes 2^(bits + 2) + 2^(@memory + 9)
 * and some 6000 bytes, 268 KiB by default, what it receives 2^bits and some
 * 7500 bytes, 40 KiB. Both are taken with the first compressed message of a
 * direction and kept, or, without context takeover, given back after every
 * message.
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
 * struct kws_result - what an opening handshake came to
 * @status: the HTTP status sent (server) or received (client), 101 for an
 *	upgrade, 0 when it did not get that far
 * @error: in a few words why there was no upgrade, or NULL. A static string.
 * @target: server: the request target, as "/chat?room=1"
 * @host: server: the Host header
 * @origin: server: the Origin header, NULL if there was none
 * @offered: server: the client's subprotocols, comma separated, or NULL
 * @protocol: the subprotocol agreed on, NULL for none
 * @deflate: the compression agreed on, for kws_deflate(); NULL for none
 * @location: client: where a 3xx answer points, or NULL
 * @tls: the version of TLS, as "TLSv1.3", or NULL without
 * @cipher: its cipher suite
 * @ktls: the kernel does the records of both directions: the socket can be
 *	used without kws_handshake_open()
 * @ktls_error: with TLS: why not
 * @surplus: bytes that were read beyond the handshake. They belong to the
 *	WebSocket stream: give them to kws_attach() or kws_open().
 * @surplus_len: how many, at most kws_options::head_max
 *
 * All of it belongs to the handshake and goes with it.
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
 * enum kws_ktls - who encrypts and decrypts
 * @KWS_KTLS_AUTO: the kernel (kTLS), if it and OpenSSL can do that with what is
 *	negotiated; otherwise OpenSSL. With TLS 1.3 it takes OpenSSL 3.2.
 * @KWS_KTLS_ALWAYS: the kernel or nobody. Only what it can do is negotiated:
 *	no TLS 1.3 with OpenSSL before 3.2, AES-GCM and ChaCha20-Poly1305 only.
 *	Framing in the kernel needs this, or luck with KWS_KTLS_AUTO.
 * @KWS_KTLS_NEVER: OpenSSL
 */
enum kws_ktls {
	KWS_KTLS_AUTO,
	KWS_KTLS_ALWAYS,
	KWS_KTLS_NEVER,
};

/**
 * struct kws_tls_options - for kws_tls_new()
 * @certificate: server: a PEM file with its certificate, then those between it
 *	and the root
 * @key: server: a PEM file with its private key
 * @ca: client: a PEM file with the certificates to be trusted instead of those
 *	of the system, or NULL
 * @insecure: client: trust everybody. For tests only.
 * @ktls: who encrypts and decrypts
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
 * struct kws_options - how to shake hands; all zero is a good choice
 * @protocols: NULL-terminated list of subprotocols, best first (RFC 6455
 *	sections 1.9 and 11.3.4), or NULL. A client offers all of them; a
 *	server takes the first one that the client offers too.
 * @choose: server: decides instead of @protocols. Returns the subprotocol,
 *	which must be one of those offered, or NULL for none. To refuse, set
 *	*status to an HTTP status of 400 to 599.
 * @arg: for @choose
 * @deflate: accept or offer permessage-deflate; NULL for no compression
 * @deflate_count: client: @deflate points to so many offers, the best first,
 *	at most 8; 0 counts as 1. A server looks at the first only, and takes
 *	the client's first offer that fits it.
 * @headers: further header lines for our request or our 101 answer, each
 *	ended by CRLF, or NULL
 * @head_max: the longest HTTP head that is accepted, in bytes from 256 to
 *	65536; 0 for KWS_HEAD_MAX
 * @timeout_ms: time for the whole handshake, in milliseconds; 0 for
 *	KWS_TIMEOUT_MS, -1 for no limit
 * @tls: server: TLS comes first. Client: for wss:// addresses; NULL is what
 *	kws_tls_new() makes without options, made for every connection anew.
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
 * @msg: what it is
 * @data: its payload, @msg.len bytes
 */
struct kws_record {
	struct ws_msg msg;
	void *data;
};

/**
 * kws_record_size() - bytes that a record takes
 * @len: of its payload
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
 * enum kws_framing - who does the framing of a connection
 * @KWS_AUTO: the kernel, or user space where the module is not loaded
 * @KWS_KERNEL: the kernel or nobody
 * @KWS_USER: user space
 */
enum kws_framing {
	KWS_AUTO,
	KWS_KERNEL,
	KWS_USER,
};

/**
 * struct kws_message - one message from the peer
 * @data: the payload, unmasked, not NUL-terminated. It may be written to;
 *	it is good until the next call on the connection.
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
