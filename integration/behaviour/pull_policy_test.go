//go:build docker

package behaviour_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

func TestPullPolicies(t *testing.T) {
	t.Parallel()
	reg := enginetest.NewRegistry(t)
	ref, _ := reg.Move(t, probeImage(t, "policy"), "policy")
	manifests := func() int { return reg.Asked("/manifests/v1") }
	run := func(policy sandbox.PullPolicy) error {
		r, err := sandbox.New(sandbox.Options{Pull: policy})
		require.NoError(t, err)
		defer func() { require.NoError(t, r.Close()) }()
		_, _, err = runtest.RunWith(t.Context(), r, probeJob(ref))
		return err
	}
	before := manifests()
	requirePullError(t, run(sandbox.PullNever), "Options.Pull forbids pulling")
	require.Equal(t, before, manifests())
	require.NoError(t, run(sandbox.PullMissing))
	pulled := manifests()
	require.Greater(t, pulled, before)
	require.NoError(t, run(sandbox.PullMissing))
	require.NoError(t, run(sandbox.PullNever))
	require.Equal(t, pulled, manifests())
	require.NoError(t, run(sandbox.PullAlways))
	require.Greater(t, manifests(), pulled)
	enginetest.RemoveImage(t, ref)
}

// Runs that need one absent image pull it once, and one that gives up harms no other.
func TestPullOnceForAll(t *testing.T) {
	reg := enginetest.NewRegistry(t)
	ref, _ := reg.Move(t, probeImage(t, "shared"), "shared")
	p := enginetest.NewProxy(t, enginetest.API, nil)
	one, err := sandbox.New(sandbox.Options{Host: p.Host})
	require.NoError(t, err)
	two, err := sandbox.New(sandbox.Options{Host: p.Host})
	require.NoError(t, err)
	canceled, cancel := context.WithCancel(context.Background())
	begun, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	reg.Hold(func() { once.Do(func() { close(begun) }); <-release })
	pulls := reg.Asked("/manifests/v1")

	errs := make(chan error, 20)
	for i := range 20 {
		ctx, r := context.Background(), one
		if i%2 == 1 {
			r = two
		}
		if i < 5 {
			ctx = canceled
		}
		go func() {
			_, err := r.RunOnce(ctx, probeJob(ref))
			errs <- err
		}()
	}
	<-begun
	// All have asked for the image, and the pull is held by the registry.
	require.Eventually(t, func() bool {
		asked := 0
		for _, request := range p.Requests() {
			if request == "GET /images/ref/json" {
				asked++
			}
		}
		return asked == 20
	}, time.Minute, 10*time.Millisecond)
	<-time.After(500 * time.Millisecond) // for the answers
	cancel()
	for range 5 {
		require.ErrorIs(t, <-errs, context.Canceled)
	}
	close(release)
	for range 15 {
		require.NoError(t, <-errs)
	}
	require.LessOrEqual(t, reg.Asked("/manifests/v1")-pulls, 2, "a HEAD and a GET of one pull")
	creates := 0
	for _, request := range p.Requests() {
		if request == "POST /images/create" {
			creates++
		}
	}
	require.Equal(t, 1, creates)
	require.NoError(t, one.Close())
	require.NoError(t, two.Close())
	enginetest.RemoveImage(t, ref)
}

func TestPlatform(t *testing.T) {
	t.Parallel()
	ref := enginetest.LoadImage(t, "foreign-platform", "s390x", []tarball.File{{Name: "probe", Mode: 0o755}}, container.Config{})
	_, err := runWith(t, t.Context(), sandbox.Options{Platform: "linux/arm64", Pull: sandbox.PullNever}, probeJob(ref))
	requirePullError(t, err, "linux/s390x") // newer engines say so themselves
	require.ErrorContains(t, err, "linux/arm64")
	// The image for the platform is taken, and what its program does is the host's matter.
	_, err = runWith(t, t.Context(), sandbox.Options{Platform: "linux/s390x", Pull: sandbox.PullNever}, probeJob(ref))
	if step, failed := runtest.AsError(err); failed {
		require.Equal(t, sandbox.OpStart, step.Op, "%v", err)
	}
	for _, platform := range []string{"arm64", "windows/amd64", "linux/amd64/", "linux/a b"} {
		_, err := sandbox.New(sandbox.Options{Platform: platform})
		require.ErrorContains(t, err, "Options.Platform")
	}
	_, err = sandbox.New(sandbox.Options{Pull: 3})
	require.ErrorContains(t, err, "Options.Pull 3")
}

// Progress is told of the pull's layers and of the input, in bytes, one call at a time.
func TestProgress(t *testing.T) {
	t.Parallel()
	reg := enginetest.NewRegistry(t)
	ref, _ := reg.Move(t, probeImage(t, "progress"), "progress")
	var busy sync.Mutex
	var told []sandbox.Progress
	o := sandbox.Options{Progress: func(p sandbox.Progress) {
		require.True(t, busy.TryLock(), "two calls at once")
		defer busy.Unlock()
		told = append(told, p)
	}}
	j := probeJob(ref)
	j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "big", Body: string(make([]byte, 3<<20))}))
	_, err := runWith(t, t.Context(), o, j)
	require.NoError(t, err)
	layers, largest, uploaded := map[string]bool{}, int64(0), int64(0)
	for _, p := range told {
		switch p.Op {
		case sandbox.OpPull:
			require.Equal(t, ref, p.Image)
			layers[p.Layer] = true
			largest = max(largest, p.Total)
		case sandbox.OpStage:
			require.GreaterOrEqual(t, p.Done, uploaded)
			uploaded = p.Done
		}
	}
	require.NotEmpty(t, layers)
	if !enginetest.Podman() { // which tells of layers, and of no bytes
		require.Greater(t, largest, int64(1<<20), "the layer with the probe")
	}
	require.GreaterOrEqual(t, uploaded, int64(3<<20))

}

// The caller's function runs in the caller's goroutine. Its panic is the caller's, after
// the clean-up; it may run another job, and a run that it holds up holds up no other.
func TestProgressIsTheCallers(t *testing.T) {
	big := tarball.Of(tarball.File{Name: "big", Body: string(make([]byte, 3<<20))})
	job := func() sandbox.Job {
		j := runtest.Shell("true")
		j.InputTar = bytes.NewReader(big)
		return j
	}
	act := func(sandbox.Progress) {}
	r, err := sandbox.New(sandbox.Options{Progress: func(p sandbox.Progress) { act(p) }})
	require.NoError(t, err)
	id := owner.RandomID()
	act = func(sandbox.Progress) { panic("as ordered") }
	require.PanicsWithValue(t, "as ordered", func() { r.RunOnce(owner.WithID(t.Context(), id), job()) })
	enginetest.AssertNothingLeft(t, id)

	nested := 0
	act = func(sandbox.Progress) {
		if nested++; nested > 1 {
			return
		}
		_, err := r.RunOnce(t.Context(), job())
		require.NoError(t, err)
	}
	_, err = r.RunOnce(t.Context(), job())
	require.NoError(t, err)
	require.Positive(t, nested)

	called, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	act = func(sandbox.Progress) { once.Do(func() { close(called) }); <-release }
	held := make(chan error, 1)
	go func() {
		_, err := r.RunOnce(t.Context(), job())
		held <- err
	}()
	<-called
	_, err = r.RunOnce(t.Context(), job())
	require.NoError(t, err)
	close(release)
	require.NoError(t, <-held)
	require.NoError(t, r.Close())
}
