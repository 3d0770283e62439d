# On Debian or Ubuntu, as root: demo, test and lint first install the packages they need.
# The rest of a machine needs Go, git and make. docs/testing.md tells more about the tests.

GO ?= go

# Test binaries that run at the same time. Those that make hosts wait for them as often as they work.
P ?= 4
# Those that take longest, to be begun first: at the end nothing is left that mostly waits.
LONG := ./internal/commit ./internal/e2e ./cmd/fwpush/verbtest ./internal/rollout ./cmd/fwpush ./transport ./internal/agree \
	./transport/sshconfig ./internal/lab ./render ./internal/probe ./internal/simhost ./cmd/fwpush/hostiletest ./internal/journal \
	./roles/meaning ./internal/model ./roles/verdict ./inventory
# With the race detector, but for the arithmetic of one curve, which shares nothing: watched too, key
# exchanges are a fifth of what tests compute. (A package that uses sync or generics must not be left
# out: its copy of their code would be everybody's.) make lint vets, not make test.
RACE := -race -gcflags=crypto/internal/fips140/edwards25519/field=-race=false
# For one test binary.
TIMEOUT ?= 25m
# How gotestsum shows results: a line for each package as soon as it is done.
FORMAT ?= standard-quiet
# For each fuzz target.
FUZZTIME ?= 10s
# For each long test: the first that is reached ends it. Unset, each has bounds of its own.
COUNT ?=
TIME ?=
SEED ?=
# Of each benchmark that compares programs.
ROUNDS ?= 7

# Tools have a module of their own, so that fwpush does not depend on them.
TOOL := $(GO) tool -modfile=tools/go.mod

# The version comes from git. Where git does not speak about this directory (no repository,
# somebody else's), Go would fail to build rather than leave it out.
VCS := $(shell git status >/dev/null 2>&1 && echo auto || echo false)
export GOFLAGS := $(shell $(GO) env GOFLAGS) -buildvcs=$(VCS)

PREFIX ?= /usr/local

.PHONY: build install demo test lint fuzz chaos bench clean

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/fwpush ./cmd/fwpush

# After build, which may have been done by somebody who is not root.
install:
	install -D bin/fwpush $(DESTDIR)$(PREFIX)/bin/fwpush
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 docs/man/*.1

demo:
	tools/deps demo
	$(MAKE) --no-print-directory build
	bin/fwpush demo

# The first tests use every root tree there is. Where they have to be made yet that takes minutes,
# which should not count against the time limits of other tests. All is compiled before, so that
# tests have the machine to themselves, by a compiler that is done a seventh sooner because it
# collects less; tests have the usual GOGC.
test:
	tools/deps test
	$(GO) test $(RACE) -vet=off -count=1 -timeout $(TIMEOUT) -run '^Test(ReleasesHaveTheirOwnTools|TreesOfOtherKinds)$$' ./internal/lab
	GOGC=400 $(GO) list -export -deps -test $(RACE) ./... >/dev/null
	GOGC=400 $(TOOL) gotestsum --format $(FORMAT) -- $(RACE) -vet=off -exec 'env -u GOGC' -count=1 -p $(P) -timeout $(TIMEOUT) $(LONG) ./...

lint:
	tools/deps lint
	@echo gofmt -l .; unformatted=$$("$$($(GO) env GOROOT)/bin/gofmt" -l .) && \
		if [ -n "$$unformatted" ]; then echo "run gofmt -w on:" $$unformatted >&2; exit 1; fi
	$(GO) mod tidy -diff
	$(GO) vet ./...
	$(GO) vet -tags fwpushtest,chaos ./...
	$(TOOL) staticcheck ./...
	$(TOOL) staticcheck -tags fwpushtest,chaos ./...
	$(GO) test ./internal/archtest

fuzz:
	tools/deps test
	tools/fuzz $(FUZZTIME)

chaos:
	tools/deps test
	FWPUSH_CHAOS_COUNT=$(COUNT) FWPUSH_CHAOS_TIME=$(TIME) FWPUSH_SEED=$(SEED) tools/chaos

bench:
	tools/deps bench
	$(GO) test -run '^$$' -bench . -benchtime $(ROUNDS)x -timeout 0 ./internal/bench
	$(GO) test -run '^$$' -bench . -timeout 0 ./cmd/fwpush/internal/plan ./internal/sandbox

clean:
	rm -rf bin
