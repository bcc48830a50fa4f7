/* SPDX-License-Identifier: MIT */
#ifndef KWS_KEY_H
#define KWS_KEY_H

#include <stdbool.h>

#define KEY_SIZE	25	/* 16 bytes in base64, and NUL */
#define ACCEPT_SIZE	29	/* 20 bytes in base64, and NUL */

int key_new(char key[KEY_SIZE]);
bool key_ok(const char *key);
int key_accept(const char *key, char accept[ACCEPT_SIZE]);

#endif /* KWS_KEY_H */
