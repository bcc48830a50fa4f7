// SPDX-License-Identifier: MIT
/* Sec-WebSocket-Key and -Accept, RFC 6455 section 4, with OpenSSL. */
#include <errno.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "key.h"

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/**
 * key_new() - make a random key, section 4.1
 * @key: the result
 *
 * Return: 0, or -1 with EIO without randomness.
 */
int key_new(char key[KEY_SIZE])
{
	unsigned char nonce[16];

	if (RAND_bytes(nonce, sizeof(nonce)) != 1) {
		errno = EIO;
		return -1;
	}
	EVP_EncodeBlock((unsigned char *)key, nonce, sizeof(nonce));
	return 0;
}

/**
 * key_ok() - is a key 16 bytes in base64, section 4.2.1?
 * @key: the key, without white space around it
 */
bool key_ok(const char *key)
{
	unsigned char nonce[KEY_SIZE];
	size_t len = strlen(key);

	if (len != KEY_SIZE - 1 || strcspn(key, "=") != len - 2)
		return false;
	return EVP_DecodeBlock(nonce, (const unsigned char *)key, len) == 18;
}

/**
 * key_accept() - compute the answer to a key, section 4.2.2
 * @key: KEY_SIZE - 1 characters
 * @accept: the result
 *
 * Return: 0, or -1 with EIO when libcrypto fails.
 */
int key_accept(const char *key, char accept[ACCEPT_SIZE])
{
	char text[KEY_SIZE - 1 + sizeof(guid)];
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len;

	memcpy(text, key, KEY_SIZE - 1);
	memcpy(text + KEY_SIZE - 1, guid, sizeof(guid));
	if (EVP_Digest(text, sizeof(text) - 1, digest, &len, EVP_sha1(),
		       NULL) != 1) {
		errno = EIO;
		return -1;
	}
	EVP_EncodeBlock((unsigned char *)accept, digest, len);
	return 0;
}
