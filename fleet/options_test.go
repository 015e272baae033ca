package fleet

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
)

// Each mistake is named, with its value.
func TestOptions(t *testing.T) {
	nc := new(nats.Conn)
	for want, err := range map[string]error{
		`Options.Name "a.b": want 1 to 64 letters`:       second(NewClient(nc, Options{Name: "a.b"})),
		`Options.Queue "*": want 1 to 64 letters`:        second(NewClient(nc, Options{Queue: "*"})),
		`Options.MaxInputBytes -1: want a number`:        second(NewClient(nc, Options{MaxInputBytes: -1})),
		`WorkerOptions.Queue ">": want 1 to 64`:          second(NewWorker(nc, nil, WorkerOptions{Queue: ">"})),
		`WorkerOptions.Concurrency -1: want a number`:    second(NewWorker(nc, nil, WorkerOptions{Concurrency: -1})),
		`WorkerOptions.Lease 1ms: want a second or more`: second(NewWorker(nc, nil, WorkerOptions{Lease: time.Millisecond})),
		`WorkerOptions.Lease 1h0m0s: want`:               second(NewWorker(nc, nil, WorkerOptions{Lease: time.Hour})),
		`WorkerOptions.MaxDeliver -1: want a number`:     second(NewWorker(nc, nil, WorkerOptions{MaxDeliver: -1})),
		`WorkerOptions.Drain -1ns: want a positive`:      second(NewWorker(nc, nil, WorkerOptions{Drain: -1})),
		`Config.Clients "": want 1 to 64`:                Provision(t.Context(), nc, Config{Clients: []string{""}}),
		`Config.MaxQueued -1: want a number`:             Provision(t.Context(), nc, Config{MaxQueued: -1}),
		`Config.MaxStoreBytes -1: want a number`:         Provision(t.Context(), nc, Config{MaxStoreBytes: -1}),
		`Config.Keep 1s: want 10m0s or more`:             Provision(t.Context(), nc, Config{Keep: time.Second}),
		`Config.KeepInput 1m0s: want at least Keep`:      Provision(t.Context(), nc, Config{KeepInput: time.Minute}),
		`Config.Replicas 6: want 1 to 5`:                 Provision(t.Context(), nc, Config{Replicas: 6}),
	} {
		require.ErrorContains(t, err, want)
	}
}

func second[T any](_ T, err error) error { return err }

// An input has as many bytes as it may, and not one more.
func TestBounded(t *testing.T) {
	for _, c := range []struct {
		bound int64
		is    error
	}{{4, ErrInputTooLarge}, {5, nil}, {math.MaxInt64, nil}} {
		r := fullReads{&bounded{strings.NewReader("input"), c.bound}}
		_, err := r.Read(make([]byte, 100))
		if c.is != nil {
			require.ErrorIs(t, err, c.is)
		} else {
			require.False(t, errors.As(err, new(*readError)), "%v", err)
		}
	}
}

// What a worker does not allow is named, each thing once, and no more of them than one reads.
func TestAllow(t *testing.T) {
	o := WorkerOptions{
		Mounts: []string{"/a", "/b:rw"}, Networks: []string{"none"},
		Limits: sandbox.Limits{MemoryMB: 100, Timeout: time.Minute, LogBytes: 1 << 20},
	}.withDefaults()
	fine := sandbox.Job{
		Mounts: []sandbox.Mount{{Source: "/a", ReadOnly: true}, {Source: "/b"}},
		Limits: sandbox.Limits{Network: "none", MemoryMB: 100, Timeout: time.Minute, LogBytes: 1000},
	}
	require.NoError(t, o.allow(fine))
	for want, edit := range map[string]func(*sandbox.Job){
		`Mounts source "/a" is read-only`:                 func(j *sandbox.Job) { j.Mounts[0].ReadOnly = false },
		`Mounts source "/b:rw" is not in`:                 func(j *sandbox.Job) { j.Mounts[1].Source = "/b:rw" },
		`Limits.Network "bridge" is not in`:               func(j *sandbox.Job) { j.Limits.Network = "" },
		`Setup.Network "bridge" is not in`:                func(j *sandbox.Job) { j.Setup.Cmd = []string{"x"} },
		`Setup.Timeout 0s: want at most 1m0s`:             func(j *sandbox.Job) { j.Setup.Cmd = []string{"x"} },
		`Limits.MemoryMB 0: want at most 100`:             func(j *sandbox.Job) { j.Limits.MemoryMB = 0 },
		`Limits.Timeout 1h0m0s: want at most 1m0s`:        func(j *sandbox.Job) { j.Limits.Timeout = time.Hour },
		`Limits.LogBytes 67108864: want at most 1048576`:  func(j *sandbox.Job) { j.Limits.LogBytes = 0 },
		`Limits.ArtifactBytes 2147483648: want at most 1`: func(j *sandbox.Job) { j.Limits.ArtifactBytes = 2 << 30 },
	} {
		j := fine
		j.Mounts = append([]sandbox.Mount{}, fine.Mounts...)
		edit(&j)
		err := o.allow(j)
		require.ErrorIs(t, err, ErrNotAllowed)
		require.ErrorContains(t, err, want)
	}
	fine.Mounts = make([]sandbox.Mount, 1<<20)
	require.Less(t, len(o.allow(fine).Error()), 4000)
}
