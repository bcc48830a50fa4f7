/* SPDX-License-Identifier: GPL-2.0-only */
/* recv() and the vector registers of the task that calls it. */
#ifndef _WS_UNMASK_REGISTERS_H
#define _WS_UNMASK_REGISTERS_H

#include <stddef.h>

#ifdef __x86_64__
#define REGISTERS_SIZE	(16 * 32)

/*
 * The system call with all vector registers loaded from @regs before, and stored
 * there behind it; bytes or a negated errno.
 */
long recv_registers(int fd, void *buf, size_t len, int flags,
		    unsigned char *regs);
#endif

#endif /* _WS_UNMASK_REGISTERS_H */
