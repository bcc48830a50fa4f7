// SPDX-License-Identifier: MIT
/*
 * kws-bench: the load generator and its table; and as "kws-bench echo" the
 * server of kws with what only a benchmark asks for.
 */
#include <string.h>

#include "bench.h"
#include "server.h"

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "echo"))
		return serve(argc - 1, argv + 1);
	return bench_main(argc, argv);
}
