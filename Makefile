# SPDX-License-Identifier: GPL-2.0-only
# "make help" says what there is. Kbuild is what the kernel's build reads.

# As an external module directory the kernel's makefiles include this file
# when there is no Kbuild; there is one, so everything here is for people.
KDIR ?= /lib/modules/$(shell uname -r)/build
KERNEL ?= 6.1
export KERNEL QUICK HOST V

MAKEFLAGS += --no-print-directory

# selftests/vm/lib.sh says the same to scripts that are called by themselves.
ifneq ($(words $(subst :, ,$(CURDIR))),1)
$(error Kbuild takes no blank and no colon in the path of a module. Please move "$(CURDIR)")
endif

.PHONY: modules modules_install clean distclean userspace selftests check \
	check-more check-all check-debug check-quick bench bench-native bench-core \
	bench-python conformance coverage mutants style style-all fuzz soak vm vm-shell setup help

modules:
	@test -e $(KDIR)/Makefile || { \
		echo "No kernel headers at $(KDIR). On Debian:"; \
		echo "  sudo apt-get install linux-headers-$$(uname -r)"; \
		echo "To try it in a virtual machine instead: make check, make vm-shell"; \
		exit 1; } >&2
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

modules_install: modules
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules_install

# Of kmod/ only: kbuild looks for *.ko and *.o everywhere below, build/ too.
clean:
	@if [ -e $(KDIR)/Makefile ]; then \
		$(MAKE) -C $(KDIR) M=$(CURDIR)/kmod clean; fi
	rm -f modules.order Module.symvers .module-common.o
	rm -f .*.cmd .module-common.o.d
	rm -rf build/selftests build/userspace* build/kmod-* build/planted build/kselftest-tree

distclean: clean
	rm -rf build

userspace:
	@selftests/vm/setup --no-vm userspace
	$(MAKE) -C userspace

selftests:
	@selftests/vm/setup
	$(MAKE) -C selftests

check:
	@selftests/vm/check

check-more:
	@selftests/vm/check --more

check-all:
	@selftests/vm/check-all

check-debug:
	@selftests/vm/check-all debug kcsan

check-quick:
	@KERNEL=uml-kasan HOST= selftests/vm/check kselftest

bench:
	@selftests/bench/run

bench-native:
	@selftests/bench/run --native

bench-core:
	@selftests/bench/core/run

bench-python:
	@selftests/python/bench

conformance:
	@selftests/conformance/run $(if $(MESSAGES),--messages $(MESSAGES))

style:
	@selftests/style/run

style-all:
	@selftests/style/run --all

fuzz:
	@selftests/vm/setup --no-vm core userspace bench
	@selftests/fuzz/run $(SECONDS)

coverage:
	@selftests/coverage/run

mutants:
	@KERNEL=$(if $(filter uml%,$(KERNEL)),$(KERNEL),uml) selftests/mutants/run

soak:
	@selftests/soak/run $(MINUTES)

# The module for the virtual machine's kernel.
vm:
	@selftests/vm/setup
	@selftests/vm/build-module

vm-shell:
	@selftests/vm/run --shell --net

setup:
	@selftests/vm/setup userspace style

help:
	@echo 'Build and install (running kernel):'
	@echo '  make                  kmod/ws.ko for the running kernel'
	@echo '  make modules_install  installs it (as root)'
	@echo '  make userspace        libkws and the kws command'
	@echo '  make clean, distclean (distclean also removes build/)'
	@echo 'Test and measure in a virtual machine, nothing else needed:'
	@echo '  make check            every test; last line is the count'
	@echo '  make check-more       what is not for every run: fuzzing for a minute a'
	@echo '                        target; networks that hurt, races and ends for'
	@echo '                        WS_TEST_SECONDS=30 each'
	@echo '  make check-all        the same on Linux 6.1, 6.12 and 7.x, one table'
	@echo '  make check-debug      debug kernels: KASAN, lockdep, leaks, faults, races'
	@echo '  make check-quick      the kselftests natively, with KASAN and lockdep'
	@echo '  make bench            the comparison; writes build/bench.json'
	@echo '  make bench-native     its rows of many bytes, in real time'
	@echo '  make bench-core       masking and text checks alone, no machine, 1 min'
	@echo '  make bench-python     servers in Python: the package kws, and websockets'
	@echo '  make conformance      every public case, each role; the table and a page'
	@echo '  make fuzz SECONDS=60  the fuzz targets, each for so long'
	@echo '  make coverage         lines of the module that the kselftests reach'
	@echo '  make mutants          small mistakes in the module, and whether the tests'
	@echo '                        notice: N=20 SEED=1 FILES="ws_scan.c ws_recv.c"'
	@echo '  make soak MINUTES=2   mixed load; fails when memory grows; a picture'
	@echo '  make vm-shell         a shell in the machine, module loaded'
	@echo '  make vm               the module for its kernel only'
	@echo '  make style            checkpatch, sparse, W=1, kernel-doc, shellcheck: of'
	@echo '                        what has changed; style-all: everything, all kernels'
	@echo '  make setup            downloads and installs what these need'
	@echo 'Variables:'
	@echo '  KERNEL=6.1|6.12|7.x|debug|kcsan  kernel of the virtual machine; uml and'
	@echo '                             uml-kasan are User Mode Linux, without one'
	@echo '  QUICK=1                    bench: a short run of our own servers; bench-core'
	@echo '  HOST=1                     check, bench: the running kernel (root)'
	@echo '  V=1                        shows the kernel log of the machine'
