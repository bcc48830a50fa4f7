// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin for QEMU: counts the instructions that the guest executes between
 * two marks, by the block of code they are in and by address space. The marks
 * are no-operations that nothing else uses, see selftests/bench/load/profile.c; the
 * process that executes them is the client. With one of them the whole machine counts.
 * A kernel thread runs in the address space
 * of who ran before it and is counted there.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"

#define SHOWN __attribute__((visibility("default")))

/* Address spaces that are told apart; the last is all others. */
#define SPACES		64

/**
 * struct block - code that runs from its beginning to its end
 * @counts: how often, by address space
 */
struct block {
	struct block *next;
	uint64_t at;
	size_t insns;
	uint64_t counts[SPACES];
};

static struct block *blocks;
static struct qemu_plugin_register *registers[16];
static uint64_t spaces[SPACES];
static unsigned int space, client, windows;
static bool on, all;
static FILE *out;

SHOWN int qemu_plugin_version = 4;

static void find_registers(uint64_t id, unsigned int cpu)
{
	static const char *const names[16] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
	};
	struct array *all = qemu_plugin_get_registers();
	const struct descriptor *d = all->data;
	unsigned int i, k;

	(void)id;
	(void)cpu;
	for (i = 0; i < all->len; i++)
		for (k = 0; k < 16; k++)
			if (!strcmp(d[i].name, names[k]))
				registers[k] = d[i].handle;
}

static void on_block(unsigned int cpu, void *data)
{
	struct block *b = data;

	(void)cpu;
	if (on)
		b->counts[space]++;
}

/* A register goes to CR3: bits 12 to 51 say which address space is next. */
static void on_switch(unsigned int cpu, void *data)
{
	struct qemu_plugin_register *from = registers[(uintptr_t)data];
	static struct array *value;
	uint64_t root = 0;

	(void)cpu;
	if (!value)
		value = g_byte_array_new();
	g_byte_array_set_size(value, 0);
	if (!from || qemu_plugin_read_register(from, value) != 8)
		abort();
	memcpy(&root, value->data, 8);
	root &= 0xffffffffff000;
	for (space = 0; space < SPACES - 1; space++) {
		if (!spaces[space])
			spaces[space] = root;
		if (spaces[space] == root)
			return;
	}
}

static void on_start(unsigned int cpu, void *data)
{
	struct block *b;

	(void)cpu;
	(void)data;
	for (b = blocks; b; b = b->next)
		memset(b->counts, 0, sizeof(b->counts));
	client = space;
	all = data;
	on = true;
}

/* Who was busiest beside the client is the server. */
static unsigned int busiest(void)
{
	uint64_t sums[SPACES] = { 0 };
	unsigned int i, best = !client;
	struct block *b;

	for (b = blocks; b; b = b->next)
		for (i = 0; i < SPACES; i++)
			sums[i] += b->counts[i] * b->insns;
	for (i = 0; i < SPACES; i++)
		if (i != client && sums[i] > sums[best])
			best = i;
	return best;
}

static void on_stop(unsigned int cpu, void *data)
{
	unsigned int server = busiest();
	struct block *b;

	(void)cpu;
	(void)data;
	if (!on)
		return;
	on = false;
	windows++;
	for (b = blocks; b; b = b->next) {
		uint64_t n = b->counts[server];
		unsigned int i;

		for (i = 0; all && i < SPACES; i++)
			n += i == server ? 0 : b->counts[i];
		if (n)
			fprintf(out, "%u %llx %llu\n", windows,
				(unsigned long long)b->at,
				(unsigned long long)(n * b->insns));
	}
	fflush(out);
}

/* What is to be looked at when an instruction is executed. */
static void look(struct qemu_plugin_insn *insn)
{
	static const uint8_t start[] = { 0x0f, 0x1f, 0x80, 'k', 'w', 's', '1' };
	static const uint8_t both[] = { 0x0f, 0x1f, 0x80, 'k', 'w', 's', '2' };
	static const uint8_t stop[] = { 0x0f, 0x1f, 0x80, 'k', 'w', 's', '0' };
	uint8_t bytes[16] = { 0 };
	uintptr_t high = 0;
	uint8_t *p = bytes;

	qemu_plugin_insn_data(insn, bytes, sizeof(bytes));
	if (!memcmp(bytes, start, sizeof(start)))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_start,
						       NO_REGISTERS, NULL);
	if (!memcmp(bytes, both, sizeof(both)))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_start,
						       NO_REGISTERS, &all);
	if (!memcmp(bytes, stop, sizeof(stop)))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_stop,
						       NO_REGISTERS, NULL);
	if ((*p & 0xf0) == 0x40)
		high = *p++ & 1 ? 8 : 0;
	if (p[0] == 0x0f && p[1] == 0x22 && (p[2] & 0x38) == 0x18)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_switch,
						       READ_REGISTERS,
						       (void *)(high | (p[2] & 7)));
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
	struct block *b = calloc(1, sizeof(*b));
	size_t i;

	(void)id;
	if (!b)
		abort();
	b->at = qemu_plugin_tb_vaddr(tb);
	b->insns = qemu_plugin_tb_n_insns(tb);
	b->next = blocks;
	blocks = b;
	for (i = 0; i < b->insns; i++)
		look(qemu_plugin_tb_get_insn(tb, i));
	qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, NO_REGISTERS, b);
}

/* -plugin FILE,out=FILE */
SHOWN int qemu_plugin_install(uint64_t id, const void *info, int argc,
			      char **argv);
SHOWN int qemu_plugin_install(uint64_t id, const void *info, int argc,
			      char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4))
		return -1;
	out = fopen(argv[0] + 4, "we");
	if (!out)
		return -1;
	qemu_plugin_register_vcpu_init_cb(id, find_registers);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
