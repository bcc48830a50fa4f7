/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What count.c uses of QEMU's plugin interface, version 4, and of glib, which
 * QEMU is linked with. Debian has QEMU with the interface, but no header.
 */
#ifndef PROFILE_PLUGIN_H
#define PROFILE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_register;

struct descriptor {
	struct qemu_plugin_register *handle;
	const char *name;
	const char *feature;
};

struct array {
	void *data;
	unsigned int len;
};

enum { NO_REGISTERS, READ_REGISTERS };

typedef void (*exec_fn)(unsigned int cpu, void *data);

void qemu_plugin_register_vcpu_init_cb(uint64_t id, void (*f)(uint64_t id,
							      unsigned int cpu));
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
					   void (*f)(uint64_t id,
						     struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, exec_fn f,
					  int registers, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    exec_fn f, int registers,
					    void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *
qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to,
			     size_t len);
struct array *qemu_plugin_get_registers(void);
int qemu_plugin_read_register(struct qemu_plugin_register *handle,
			      struct array *to);
struct array *g_byte_array_new(void);
struct array *g_byte_array_set_size(struct array *a, unsigned int len);

#endif /* PROFILE_PLUGIN_H */
