# The commands of this project. `make` alone lists them.
# Only Go, git and make are needed; test-real also needs a browser (it says which).

GO      ?= go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
TOOL    := $(GO) tool -modfile=tools/go.mod

# The race detector needs cgo, which go turns off where there is no C compiler.
RACE := $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)

# How long each fuzz target runs after the tests of `make test`.
FUZZ ?= 1s

# The packages with tests that need real programs (files with //go:build real, tests named TestReal…).
REAL = $(sort $(dir $(shell grep -rlE --include='*_test.go' '^//go:build real( |$$)' .)))

.DEFAULT_GOAL := help
.PHONY: help demo build test test-real check measure generate FORCE

help: ## list these commands
	@echo 'bongsu $(VERSION)'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: build ## lose a data centre on this machine and get the services back; ARGS='--help' shows the options
	bin/bongsu demo $(ARGS)

build: bin/bongsu ## build bin/bongsu

bin/bongsu: FORCE
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-X main.version=$(VERSION)' -o $@ ./cmd/bongsu

bin/gotest: FORCE
	@$(GO) build -C tools -trimpath -o ../bin/gotest ./gotest

test: bin/gotest ## all tests, then each fuzz target for a few seconds; what needs a browser is in test-real
	@$(if $(RACE),,echo 'no C compiler found: testing without the race detector';) \
	bin/gotest -fuzz $(FUZZ) $(RACE) -shuffle=on -timeout 25m ./...
	@cd tools && $(GO) test ./...

test-real: bin/gotest ## the tests that need real programs, such as a browser; installs them when it may
	@sh tools/real-deps.sh
	@bin/gotest -tags real -run '^TestReal' -count=1 $(or $(REAL),$(error no test file has the build tag real))

check: build ## static checks: format, vet, lint, fix, tidy, dead code, generated files
	@GO='$(GO)' sh tools/check.sh

generate: build ## write the generated files anew
	bin/bongsu reference > docs/commands.md

measure: ## run the benchmarks; docs/benchmarks.md says how the figures there were made
	$(GO) test -run '^$$' -bench . -benchmem -timeout 60m $(or $(PKG),./...)
	$(GO) test -tags measure -run 'TestMeasure|TestRealSCRAM' -v -timeout 120m -p 1 $(or $(PKG),./...) # wants scram, time, nginx and wrk from Debian

FORCE:
