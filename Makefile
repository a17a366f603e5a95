# SPDX-License-Identifier: Apache-2.0
# The front door. Meson and Ninja do the building; everything longer than a line is in scripts/.
BUILD ?= build
FUZZ_SECONDS ?= 60
export BUILD FUZZ_SECONDS

.PHONY: build setup demo test bench chaos lint fuzz reproduce dist clean help

build: setup       # what plain `make` does: install what is missing, configure and build, into build/
	ninja -C $(BUILD)

setup:             # install what is missing (Debian packages, blst) and configure
	scripts/setup

demo: build        # seal keys, boot an attested enclave, sign, be refused; under a minute
	scripts/demo

test:              # everything: unit, integration, end to end, sanitizers; says "N passed, N failed" last
	scripts/test

bench: build       # signatures, bursts, start-up, memory, slashing protection, relay, TLS; docs/performance.md; ten minutes
	bench/run

chaos:             # clients race conflicting duties while everything fails; a referee reads every signature
	scripts/chaos

lint:              # clang with warnings as errors, clang-format, clang-tidy, shellcheck, floors
	scripts/lint

fuzz:              # every fuzz target for FUZZ_SECONDS (60)
	scripts/fuzz

reproduce:         # build image and archive twice, in different surroundings; the files have to be the same
	scripts/reproduce

dist: build        # a release, in dist/; CONFIG=enclave.json: with the enclave's image (docs/dist.md)
	scripts/get-kernel
	scripts/dist

clean:             # remove what was built here, dist/ too
	rm -rf $(BUILD) build-asan build-tsan build-lint build-fuzz dist

help:
	@sed -n 's/^\([a-z]*\):[^#]*#/make \1\t/p' Makefile
