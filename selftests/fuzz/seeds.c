// SPDX-License-Identifier: GPL-2.0-only
/*
 * seeds FOLDER vectors		an input for each vector of the core's tests
 * seeds FOLDER hex FILE	one for each line of FILE, in hexadecimal; words
 *				behind a # are for people
 */
#include "fuzz.h"

#include "../core/vectors.h"

#define LARGEST		4096

static u8 input[LARGEST + INPUT_HEAD];

static void save(const char *folder, const char *kind, size_t i, size_t n)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s-%03zu", folder, kind, i);
	f = fopen(path, "wb");
	if (!f || fwrite(input, 1, n, f) != n || fclose(f))
		DIE("cannot write %s", path);
}

static void save_vectors(const char *folder)
{
	size_t i, n;

	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vector *v = &vectors[i];

		n = vector_decode(NULL, v->in);
		if (n > LARGEST)
			continue;
		vector_decode(input + INPUT_HEAD, v->in);
		input[0] = (v->role == WS_ROLE_CLIENT) | (v->rsv ? 2 : 0) |
			   (v->max_message == 4 ? 3 << 2 : 0);
		input[1] = 0;
		save(folder, "vector", i, n + INPUT_HEAD);
	}
}

static void save_lines(const char *folder, const char *path)
{
	char line[2 * sizeof(input) + 256];
	FILE *f = fopen(path, "r");
	size_t i;

	if (!f)
		DIE("cannot read %s", path);
	for (i = 0; fgets(line, sizeof(line), f); i++) {
		const char *p = line;
		unsigned int byte;
		size_t n = 0;
		int used;

		while (n < sizeof(input) &&
		       sscanf(p, " %2x%n", &byte, &used) == 1) {
			input[n++] = byte;
			p += used;
		}
		if (n)
			save(folder, "line", i, n);
	}
	fclose(f);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[2], "vectors"))
		save_vectors(argv[1]);
	else if (argc == 4 && !strcmp(argv[2], "hex"))
		save_lines(argv[1], argv[3]);
	else
		DIE("seeds FOLDER vectors | seeds FOLDER hex FILE");
	return 0;
}
