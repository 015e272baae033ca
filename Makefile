# Everything that is needed beside Go and make is installed on Debian and Ubuntu
# as root; elsewhere scripts/need says what is missing.

RUN         ?=
GOTESTFLAGS ?=
PATHS       ?= .
DEMOFLAGS   ?=
BENCHFLAGS  ?=
FUZZTIME    ?= 1m

# Public modules with dependencies, in the build list of examples, whose tests make workloads runs.
MODULES = github.com/distribution/reference github.com/containerd/errdefs/pkg github.com/moby/term github.com/mattn/go-runewidth github.com/opencontainers/image-spec

ACTIONLINT  = go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
STATICCHECK = go run honnef.co/go/tools/cmd/staticcheck@v0.8.2

# An empty RUN runs every test.
run = $(if $(RUN),-run '$(RUN)')
# Most of a test is waiting for the engine. The packages share it: some tests need
# it for themselves, so one package is tested after the other.
onengine    = go test -p 1 -count=1 -parallel 4
enginetests = $(onengine) -tags docker -timeout 11m $(if $(RUN),-run "$(RUN)") $(GOTESTFLAGS)
# The one engine test with the race detector, which all the others would take too long with.
stress      = go test -race -count=1 -tags "docker stress" -timeout 5m -run TestStress $(GOTESTFLAGS)
# With a fault most of a run is waiting for a bound, so that many can wait at once.
faults      = $(enginetests) -parallel 10
workloads   = $(onengine) -tags "docker workloads" -timeout 10m -v $(GOTESTFLAGS)
# All that must be there before the engine's namespaces, which have no network.
downloads   = go mod download && for module in examples egress fleet cmd/sandbox; do (cd $$module && go mod download) || exit 1; done
suite       = $(enginetests) . ./integration/attacks ./integration/behaviour ./integration/chaos && \
	$(faults) -short ./integration/faults && \
	$(if $(RUN),,$(stress) -short ./integration/chaos && )(cd egress && $(enginetests) .) && (cd fleet && $(enginetests) .) && (cd cmd/sandbox && $(enginetests) .) && \
	cd examples && $(enginetests) ./...

# What Podman does not do, as SECURITY.md says: Limits.DiskMB; tell links in artifacts from
# files; send very deep files; have a network "host"; keep anything for network "none". SeccompProfileOfTheOwner and
# PrivateEngine start a Docker Engine. There the input is staged before the container is made, so
# that an endless one (MountOfAnAbsentSourceWithAnInput) ends at its own bound, after ten minutes. Whatever has a slash must come last: go test looks no
# further when the first part matches.
notpodman = Disk|CollectCounts|CollectFollows|CollectUnresolvable|CollectWithoutAMountPoint|CollectManyLevels|$\
	CollectBeyondPathMax|BadNetworkByTheHostsID|SeccompProfileOfTheOwner|PrivateEngine|Offline|MountOfAnAbsentSourceWithAnInput|$\
	/limits/disk|/bombs/(disk|inodes|sparse-file)$$|/setup/(nested-disk|disk-root)

# In an emulated machine a bound on time tells nothing, and half a gigabyte of output takes a
# quarter of an hour.
slow = TimeoutIsNoOOM|SiblingsShareQuotasByUser|HugeOutputAndArtifact

# What rootless Docker does not do, as SECURITY.md says, or its tests do not: it has a network
# of its own, which does not reach their registries and servers, and to start an engine, make
# a device or mount something one must be root.
notrootless = $(slow)|Undelegated|Disk|CollectCounts|PullErrors|PullOf(AnAbsent|APrivate)Image|PullPolicies|PullOnceForAll|Progress$$|$\
	Credential|EngineOverSSH|SeccompProfileOfTheOwner|PrivateEngine|MountDoesNotPassOnSubmounts|CollectFollowsNothing|CollectReadsNoDevice|$\
	/limits/disk|/bombs/(disk|inodes|sparse-file)$$|/setup/(nested-disk|disk-root)|/bombs/memory-udp$$|$\
	CollectManyLevels/disk|CollectBeyondPathMax/disk

# Tests in the machine of scripts/with-vm, two at a time: with more, each takes longer than its
# bounds allow. Undelegated is for that of ROOTLESS=undelegated. With
# cgroup v2, runc does not enter a hierarchy in which a file hides a controller (WithoutDefences);
# Undelegated shows the same. A bound on time is also what ends memory-udp, which gets half a
# megabyte a second there.
onvm  = CGO_ENABLED=0 scripts/with-vm $(onengine) -exec "'$(CURDIR)/scripts/in-vm'" -parallel 2 -tags 'docker vm' -timeout 100m $(GOTESTFLAGS)
notvm = $(slow)|Undelegated|Rootless|PrivateEngineWithoutDefences|/bombs/memory-udp$$

.NOTPARALLEL:
.PHONY: help test lint systems unit engine faults stress test-26 test-28 test-podman test-vm clean demo bench bench-quick soak attack fuzz \
	test-gvisor workloads egress-image importer fleet-chaos fleet-behaviour bench-fleet

help:
	@echo 'make test    everything below: the one command that decides'
	@echo 'make lint    go vet, gofmt, staticcheck and actionlint'
	@echo 'make unit    the tests that need no engine, with the race detector'
	@echo 'make engine  the tests on a Docker engine; a private one is started if none answers'
	@echo
	@echo 'make demo          the coverage of this module, or of those in PATHS, measured in the sandbox'
	@echo 'make bench-quick   RunOnce against docker run, the bare SDK and docker cp, as ratios'
	@echo 'make bench         the same and more on two engines, an hour on a quiet machine; writes docs/BENCHMARKS.md'
	@echo 'make test-gvisor   a job and the attacks in gVisor, on a private engine'
	@echo 'make workloads     test suites in Go, Python, Node and Java, which pass in the sandbox'
	@echo 'make fuzz          every fuzz target for FUZZTIME, a minute each; findings become seeds in testdata'
	@echo 'make systems       go build and go vet for macOS and Windows'
	@echo 'make faults        every fault in every request, where make engine has a third of these pairs'
	@echo 'make stress        200 callers of one Runner for a minute, where make engine takes a quarter of it'
	@echo 'make soak          500 mixed runs, 8 at a time, and 2 GB of artifacts: every result right, and nothing grows'
	@echo 'make attack        the attacks of the conformance suite, as a table'
	@echo 'make test-26       the tests on a Docker engine again, with that of Debian 13; also test-28, of Debian sid'
	@echo 'make test-podman   behaviour and attacks on Podman, of Debian sid'
	@echo 'make test-vm       behaviour and attacks with cgroup v2 and on rootless Docker, in an emulated machine; an hour'
	@echo 'make fleet-chaos   500 jobs on three workers, while workers, engines and NATS servers are killed; ten minutes'
	@echo 'make fleet-behaviour  the tests of behaviour, through module fleet'
	@echo 'make bench-fleet   what a run costs more through a fleet'
	@echo 'make egress-image  the image of module egress, on the engine that answers'
	@echo 'make importer      a program outside of this checkout that imports modules egress and fleet, from a GOPROXY of files'
	@echo 'make clean         removes what is kept between runs: bin, and the engines and the machine of these tests'
	@echo 'make help          this list'
	@echo
	@echo 'RUN=regexp selects tests; GOTESTFLAGS=flags are passed on to go test.'
	@echo 'DEMOFLAGS and BENCHFLAGS are passed on to the programs; -help lists their flags.'

test: lint unit engine

lint:
	@scripts/need build
	go vet -tags 'docker soak stress gvisor podman vm workloads' ./...
	@echo gofmt -l .
	@files=$$(gofmt -l .) && if [ "$$files" ]; then echo "not formatted:" $$files; exit 1; fi
	$(STATICCHECK) -tags 'docker soak stress gvisor podman vm workloads' ./...
	$(ACTIONLINT)
	@for module in bench examples egress fleet cmd/sandbox; do \
		echo "go vet and staticcheck in $$module"; \
		(cd $$module && go vet -tags docker ./... && $(STATICCHECK) -tags docker ./...) || exit 1; \
	done

# The workflow does this on these systems themselves.
systems:
	@scripts/need build
	@for system in darwin windows; do \
		echo "go build and go vet with GOOS=$$system"; \
		GOOS=$$system go build ./... && GOOS=$$system go vet ./... && \
			(cd egress && GOOS=$$system go build . && GOOS=$$system go vet .) && \
			(cd fleet && GOOS=$$system go build . && GOOS=$$system go vet .) && \
			(cd cmd/sandbox && GOOS=$$system go build -o /dev/null . && GOOS=$$system go vet .) || exit 1; \
	done

unit:
	@scripts/need build
	go test -race -timeout 2m $(run) $(GOTESTFLAGS) ./...
	cd egress && go test -race -timeout 2m $(run) $(GOTESTFLAGS) ./...
	cd fleet && go test -race -timeout 2m $(run) $(GOTESTFLAGS) ./...
	cd cmd/sandbox && go test -race -timeout 2m $(run) $(GOTESTFLAGS) ./...

engine:
	@scripts/need build suite engine
	$(downloads)
	scripts/with-engine sh -c '$(suite)'

test-26 test-28: test-%:
	@scripts/need build suite
	$(downloads)
	scripts/other-engine $* sh -c '$(suite)'

test-podman:
	@scripts/need build suite
	go mod download
	scripts/other-engine podman $(enginetests) -timeout 20m -tags 'docker podman' -skip '$(notpodman)' ./integration/attacks ./integration/behaviour

test-vm:
	@scripts/need build suite vm
	go test -count=1 -tags vm $(GOTESTFLAGS) ./internal/pause
	$(onvm) $(run) -skip '$(notvm)' ./integration/attacks ./integration/behaviour
	ROOTLESS=delegated $(onvm) $(run) -skip '$(notrootless)' ./integration/attacks ./integration/behaviour
	ROOTLESS=undelegated $(onvm) -run Undelegated ./integration/behaviour

clean:
	@! grep -F " $$(scripts/kept)/" /proc/self/mountinfo || { echo "something is mounted there" && exit 1; }
	rm -rf --one-file-system bin "$$(scripts/kept)"

# The engine's namespaces have no network, so all that must be downloaded is
# downloaded before.
demo:
	@scripts/need build
	cd examples && go build -o ../bin/coverage ./coverage && CGO_ENABLED=0 go build -o ../bin github.com/synchestra-io/sandbox/egress/cmd/sandbox-egress
	@for path in $(PATHS); do echo "go mod download in $$path"; (cd "$$path" && go mod download) || exit 1; done
	scripts/with-engine bin/coverage $(DEMOFLAGS) $(PATHS)

bench-quick:
	@scripts/need build suite
	cd bench && go build -o ../bin/bench .
	scripts/with-engine bin/bench $(BENCHFLAGS)

# The quiet machine that this needs is nobody else's.
bench:
	@scripts/need build suite
	cd bench && go build -o ../bin/bench .
	scripts/with-engine bin/bench -page docs $(BENCHFLAGS)
	scripts/other-engine 28 bin/bench -page docs $(BENCHFLAGS)

egress-image:
	@scripts/need build suite
	scripts/egress-image

# In the time of these tests everything is killed again and again.
fleet-chaos:
	@scripts/need build suite
	$(downloads)
	scripts/with-engine sh -c 'cd fleet && go test -count=1 -tags "docker soak" -timeout 30m -v $(if $(RUN),-run "$(RUN)",-run "TestChaos|TestCancelOfASuspendedWorker") $(GOTESTFLAGS) .'

# What module fleet does in another way, as docs/fleet.md says: it reads an input before the image
# is known and the container made, and its own process allocates memory for what it passes on.
notfleet = MountOfAnAbsentSourceWithAnInput|RunIsByID|InputIsStreamed|OutputOverTheCap

fleet-behaviour:
	@scripts/need build suite
	$(downloads)
	scripts/with-engine scripts/with-nats $(enginetests) -timeout 20m -overlay bin/fleet-overlay.json -skip '$(notfleet)' ./integration/behaviour

bench-fleet:
	@scripts/need build suite
	$(downloads)
	scripts/with-engine sh -c 'cd fleet && go test -tags docker -run "^$$" -bench Overhead -benchtime 15x .'

importer:
	@scripts/need build
	scripts/importer

test-gvisor:
	@scripts/need build suite engine gvisor
	go mod download
	scripts/with-engine $(onengine) -tags 'docker gvisor' -timeout 10m -run GVisor $(GOTESTFLAGS) ./integration/...

workloads:
	@scripts/need build images
	$(downloads)
	for dir in $$(cd examples && go list -m -f '{{.Dir}}' $(MODULES)); do (cd "$$dir" && go mod download) || exit 1; done
	scripts/with-images scripts/with-engine sh -c '$(workloads) -run "TestWorkloads|TestDependencies" ./integration/behaviour && \
		cd examples && SANDBOX_MODULES="$(MODULES)" $(workloads) -run TestPublicModules ./coverage'

faults:
	@scripts/need build suite
	go mod download
	scripts/with-engine $(faults) ./integration/faults

stress:
	@scripts/need build suite
	go mod download
	scripts/with-engine $(stress) -v ./integration/chaos

soak:
	@scripts/need build suite
	go mod download
	scripts/with-engine go test -p 1 -tags 'docker soak' -count=1 -timeout 30m -run 'TestSoak|TestHugeOutputTar' -v $(GOTESTFLAGS) ./integration/chaos ./integration/behaviour

fuzz:
	@scripts/need build
	@for target in .:FuzzPlan ./internal/artifacts:FuzzCollect ./internal/archive:FuzzRewriter ./internal/archive:FuzzClaims \
		./internal/dockerx:FuzzDemultiplex ./internal/owner:FuzzOver ./internal/owner:FuzzSum .:FuzzExpiry; do \
		go test -run '^$$' -fuzz "^$${target##*:}$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x "$${target%%:*}" || exit 1; \
	done

# Without a list of packages go test shows what a test prints.
attack:
	@scripts/need build suite
	go mod download
	scripts/with-engine go test -C integration/attacks -tags docker -count=1 -parallel 4 -timeout 5m -run 'TestAttacks$(if $(RUN),/$(RUN))' $(GOTESTFLAGS)
