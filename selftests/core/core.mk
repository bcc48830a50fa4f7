# SPDX-License-Identifier: GPL-2.0-only
# The native tests of kmod/core, once with each compiler. Included by
# ../Makefile.

core_compilers := gcc clang
core_programs := $(core_compilers:%=$(out)/core/core_test-%)
core_sources := $(wildcard $(top)/kmod/core/*.c $(top)/selftests/core/*.c)
core_headers := $(wildcard $(top)/kmod/core/*.h $(top)/selftests/core/*.h \
	$(top)/uapi/linux/*.h)
core_flags := -std=gnu11 -O1 -g -Wall -Wextra -Werror -Wno-sign-compare \
	-Wno-missing-field-initializers \
	-fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -I$(top)/uapi -I$(top)/kmod/core

.PHONY: core core-check
core: $(core_programs)

$(out)/core/core_test-%: $(core_sources) $(core_headers) $(top)/selftests/core/core.mk
	@mkdir -p $(@D)
	$* $(core_flags) -o $@ $(core_sources)

core-check: $(core_programs)
	@for cc in $(core_compilers); do \
		$(out)/core/core_test-$$cc $$cc || exit 1; \
	done
