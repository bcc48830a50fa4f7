# SPDX-License-Identifier: GPL-2.0-only
# The fuzz targets, with clang's libFuzzer, ASan and UBSan. FUZZ_CORE=folder
# takes another core than kmod/core and FUZZ_OUT=folder puts the result
# elsewhere: "mutants" does.
#
# Included by ../Makefile.

FUZZ_CORE ?= $(top)/kmod/core
FUZZ_OUT ?= $(out)/fuzz
fuzz := $(top)/selftests/fuzz
fuzz_targets := fuzz_cuts fuzz_wslay fuzz_kws fuzz_deflate fuzz_build
fuzz_san := -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
fuzz_flags := -std=gnu11 -O1 -g -Wall -Wextra -Werror -Wno-sign-compare \
	-Wno-missing-field-initializers -Wno-unused-parameter \
	$(fuzz_san) -fsanitize=fuzzer-no-link \
	-I$(top)/uapi -I$(FUZZ_CORE) -I$(top)/selftests/core \
	-I$(top)/userspace/libkws/include
fuzz_core := $(patsubst $(FUZZ_CORE)/%.c,$(FUZZ_OUT)/core-%.o,$(wildcard $(FUZZ_CORE)/*.c))
fuzz_common := $(FUZZ_OUT)/input.o $(FUZZ_OUT)/stream.o
fuzz_headers := $(wildcard $(FUZZ_CORE)/*.h $(fuzz)/*.h $(top)/selftests/core/*.h \
	$(top)/uapi/linux/*.h $(top)/userspace/libkws/include/*.h)
# The whole of libkws, built by its own makefile.
fuzz_libkws := $(out)/fuzz-libkws

.PHONY: fuzz fuzz-libkws
fuzz: $(fuzz_targets:%=$(FUZZ_OUT)/%) $(FUZZ_OUT)/seeds

$(FUZZ_OUT):
	@mkdir -p $@

$(FUZZ_OUT)/core-%.o: $(FUZZ_CORE)/%.c $(fuzz_headers) | $(FUZZ_OUT)
	clang $(fuzz_flags) -c -o $@ $<

$(FUZZ_OUT)/stream.o: $(top)/selftests/core/stream.c $(fuzz_headers) | $(FUZZ_OUT)
	clang $(fuzz_flags) -c -o $@ $<

$(FUZZ_OUT)/%.o: $(fuzz)/%.c $(fuzz_headers) | $(FUZZ_OUT)
	clang $(fuzz_flags) -c -o $@ $<

$(FUZZ_OUT)/seeds: $(fuzz)/seeds.c $(top)/selftests/core/vectors.c $(fuzz_headers) | $(FUZZ_OUT)
	clang $(filter-out -fsanitize=fuzzer-no-link,$(fuzz_flags)) -o $@ \
		$(filter %.c,$^)

fuzz_link = clang $(fuzz_san) -fsanitize=fuzzer -o $@ $(filter %.o %.a,$^)

$(FUZZ_OUT)/fuzz_cuts: $(FUZZ_OUT)/fuzz_cuts.o $(FUZZ_OUT)/frames.o $(fuzz_common) $(fuzz_core)
	$(fuzz_link)

$(FUZZ_OUT)/fuzz_wslay: $(FUZZ_OUT)/fuzz_wslay.o $(FUZZ_OUT)/frames.o $(fuzz_common) \
		$(fuzz_core)
	$(fuzz_link) -lwslay

$(FUZZ_OUT)/fuzz_build: $(FUZZ_OUT)/fuzz_build.o $(fuzz_common) $(fuzz_core)
	$(fuzz_link) -lwslay

$(FUZZ_OUT)/fuzz_kws $(FUZZ_OUT)/fuzz_deflate: $(FUZZ_OUT)/%: $(FUZZ_OUT)/%.o \
		$(FUZZ_OUT)/kws_run.o $(FUZZ_OUT)/frames.o $(fuzz_common) \
		$(fuzz_core) $(fuzz_libkws)/libkws.a
	$(fuzz_link) $$(sed -n '/^Requires.private: */{s///; s/,/ /g; \
		s/libssl/-lssl/; s/libcrypto/-lcrypto/; s/zlib/-lz/; p}' $(fuzz_libkws)/kws.pc)

# The command makes make look at the library's time again.
$(fuzz_libkws)/libkws.a: fuzz-libkws
	@:
fuzz-libkws:
	@$(MAKE) -C $(top)/userspace OUT=$(fuzz_libkws) CC=clang \
		CFLAGS="-O1 -g $(fuzz_san) -fsanitize=fuzzer-no-link" \
		$(fuzz_libkws)/libkws.a $(fuzz_libkws)/kws.pc
