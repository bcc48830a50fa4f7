// SPDX-License-Identifier: GPL-2.0-only
/* The notation in which vectors.h writes streams. */
#include <stdlib.h>

#include "stream.h"

/* Bytes of the notation of vectors.h; only counts them when p is NULL. */
size_t vector_decode(u8 *p, const char *in)
{
	size_t n = 0;

	while (*in) {
		char *end = NULL;
		size_t count = 0;
		u8 byte;

		if (*in == ' ') {
			in++;
			continue;
		}
		if (*in == '\'') {
			for (in++; *in && *in != '\''; in++, n++)
				if (p)
					p[n] = *in;
			in += *in == '\'';
			continue;
		}
		if (*in == 'x') {
			byte = 'x';
			count = strtoul(in + 2, &end, 10);
		} else {
			count = 1;
			byte = strtoul(in, &end, 16);
			if (end != in + 2)
				abort();
		}
		if (p)
			memset(p + n, byte, count);
		n += count;
		in = end;
	}
	return n;
}
