# SPDX-License-Identifier: Apache-2.0
#
# The front door: each target is a few plain commands over Meson and ninja. `make help` lists them.

PREFIX ?= /usr/local
DESTDIR ?=
FUZZ_SECONDS ?= 60
PYTHON ?= python3
DATA ?=
EVAL_OPTIONS ?=
DEMO_DATA = var/demo

RELEASE = build/release
INSTALL_ROOT = $(DESTDIR)$(PREFIX)

.PHONY: all help deps demo check fuzz bench bench-servers eval install clean format

all: deps build/precis

help:
	@echo 'make                 build the program: build/precis'
	@echo 'make demo            build it, load sample data into $(DEMO_DATA) and build a context from it'
	@echo 'make check           build and test in every variant; the last line says how it went'
	@echo 'make fuzz            run each fuzz target for FUZZ_SECONDS ($(FUZZ_SECONDS))'
	@echo 'make bench           run the side-by-side benchmarks'
	@echo 'make bench-servers   those on real servers, which are fetched and started for it'
	@echo 'make eval DATA=PATH  retrieval quality on questions with known evidence (docs/evaluation.md)'
	@echo 'make install         install below PREFIX ($(PREFIX)), staged in DESTDIR'
	@echo 'make format          lay the sources out with clang-format'
	@echo 'make clean           remove build/ and the sample data'

deps:
	@tools/install-deps.sh build

$(RELEASE)/build.ninja:
	@echo 'build: setting up $(RELEASE)'
	@meson setup $(RELEASE) -Dbuildtype=release -Dtests=false >/dev/null

# Always asks ninja, which knows what has changed; the copy at build/precis is what people run.
.PHONY: build/precis
build/precis: | deps $(RELEASE)/build.ninja
	@if [ -t 1 ]; then ninja -C $(RELEASE) precis; else ninja --quiet -C $(RELEASE) precis; fi
	@cmp -s $(RELEASE)/precis $@ || install -m 755 $(RELEASE)/precis $@

demo: all
	@tools/demo.sh build/precis $(DEMO_DATA)

check:
	@tools/install-deps.sh check
	@python3 tools/run_checks.py

fuzz:
	@tools/install-deps.sh fuzz
	@python3 tools/run_fuzz.py $(FUZZ_SECONDS)

bench: all
	@tools/install-deps.sh bench
	@python3 bench/bench.py build/precis
	@bench/keyword.sh $(RELEASE) 800 38000
	@python3 bench/whole.py build/precis --more-items 30000

bench-servers: all
	@tools/install-deps.sh bench
	@ninja --quiet -C $(RELEASE) bench_device
	@python3 bench/servers.py build/precis --device $(RELEASE)/bench_device

eval:
	@[ -n '$(DATA)' ] || { echo 'eval: say on which data: make eval DATA=FILE_OR_FOLDER (docs/evaluation.md)' >&2; exit 2; }
	@$(MAKE) --no-print-directory all
	@$(PYTHON) bench/eval.py '$(DATA)' --program build/precis $(EVAL_OPTIONS)

install: all
	install -D -s -m 755 build/precis $(INSTALL_ROOT)/bin/precis
	install -D -m 644 -t $(INSTALL_ROOT)/share/precis/recipes recipes/*.yaml
	cd data && find assistant device postgres -type f -exec install -D -m 644 {} $(INSTALL_ROOT)/share/precis/data/{} \;
	chmod 755 $(INSTALL_ROOT)/share/precis/data/postgres/embed.sh
	install -D -m 644 -t $(INSTALL_ROOT)/share/man/man1 packaging/precis.1
	install -D -m 644 -t $(INSTALL_ROOT)/share/doc/precis README.md LICENSE CHANGELOG.md docs/*.md
	install -d $(INSTALL_ROOT)/lib/systemd/system
	sed 's|@PREFIX@|$(PREFIX)|' packaging/precis.service > $(INSTALL_ROOT)/lib/systemd/system/precis.service

format:
	find src tests -name '*.[ch]' -exec clang-format-14 -i {} +

clean:
	rm -rf build $(DEMO_DATA)
