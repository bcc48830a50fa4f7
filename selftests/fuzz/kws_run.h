/* SPDX-License-Identifier: GPL-2.0-only */
/* What libkws makes of an input, for fuzz_kws and fuzz_deflate. */
#ifndef _WS_KWS_RUN_H
#define _WS_KWS_RUN_H

#include "fuzz.h"
#include "kws.h"

/**
 * struct outcome - what came of it
 * @app: log of the messages that the application got
 * @wire: reads what the peer got
 * @error: errno of the one failed kws_recv(), 0 for none
 * @info: at the end
 */
struct outcome {
	struct stream app;
	struct stream wire;
	int error;
	struct ws_info info;
};

void kws_run(const struct input *in, const struct kws_deflate *agreed,
	     struct outcome *o);
void kws_run_free(struct outcome *o);

#endif /* _WS_KWS_RUN_H */
