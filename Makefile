# Everything that is needed beside Go and make is installed on Debian and Ubuntu
# as root; elsewhere scripts/need says what is missing.

RUN         ?=
GOTESTFLAGS ?=

STATICCHECK = go run honnef.co/go/tools/cmd/staticcheck@v0.8.2

# An empty RUN runs every test.
run = $(if $(RUN),-run '$(RUN)')

.NOTPARALLEL:
.PHONY: help test lint unit engine

help:
	@echo 'make test    everything below: the one command that decides'
	@echo 'make lint    go vet, gofmt and staticcheck'
	@echo 'make unit    the tests that need no engine, with the race detector'
	@echo 'make engine  the tests on a Docker engine; a private one is started if none answers'
	@echo 'make help    this list'
	@echo
	@echo 'RUN=regexp selects tests; GOTESTFLAGS=flags are passed on to go test.'

test: lint unit engine

lint:
	@scripts/need build
	go vet ./...
	go vet -tags docker ./...
	@echo gofmt -l .
	@files=$$(gofmt -l .) && if [ "$$files" ]; then echo "not formatted:" $$files; exit 1; fi
	$(STATICCHECK) ./...
	$(STATICCHECK) -tags docker ./...

unit:
	@scripts/need build
	go test -race -timeout 2m $(run) $(GOTESTFLAGS) ./...

engine:
	@scripts/need build suite
	go mod download
	scripts/with-engine go test -tags docker -count=1 -timeout 6m $(run) $(GOTESTFLAGS) ./...
