//go:build docker

package behaviour_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// probeImage is a new image with the probe.
func probeImage(t testing.TB, name string) string {
	return enginetest.MakeImage(t, name, []tarball.File{
		enginetest.ProbeFile(), {Name: "which", Body: name},
	}, `ENTRYPOINT ["/probe"]`)
}

func probeJob(ref string) sandbox.Job {
	return sandbox.Job{Image: ref, Cmd: []string{"cat", "/which"}, Limits: sandbox.Limits{Network: "none"}}
}

func TestPullOfAnAbsentImage(t *testing.T) {
	t.Parallel()
	r := enginetest.NewRegistry(t)
	ref, digest := r.Move(t, probeImage(t, "pulled"), "pulled")

	first := runtest.OK(t, probeJob(ref))
	require.Equal(t, "pulled", string(first.Logs))
	asked := r.Requests()

	require.Equal(t, first.ImageID, runtest.OK(t, probeJob(ref)).ImageID)
	require.Equal(t, first.ImageID, runtest.OK(t, probeJob(first.ImageID)).ImageID, "by ID")
	require.Equal(t, first.ImageID, runtest.OK(t, probeJob(strings.TrimPrefix(first.ImageID, "sha256:"))).ImageID, "by bare ID")
	for _, short := range []string{first.ImageID[len("sha256:"):][:12], first.ImageID[:len("sha256:")+12]} {
		require.Equal(t, first.ImageID, runtest.OK(t, probeJob(short)).ImageID, "by short ID")
	}
	byDigest := strings.TrimSuffix(ref, ":v1") + "@" + digest
	require.Equal(t, first.ImageID, runtest.OK(t, probeJob(byDigest)).ImageID, "by digest")
	require.Equal(t, asked, r.Requests(), "a present image is not asked for again")

	enginetest.RemoveImage(t, first.ImageID)
	require.Equal(t, first.ImageID, runtest.OK(t, probeJob(byDigest)).ImageID, "pulled by digest")
	require.Greater(t, r.Requests(), asked)
	enginetest.RemoveImage(t, first.ImageID)
}

func TestPullNeverByID(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"sha256:" + strings.Repeat("0123456789abcdef", 4), "0123456789ab", "sha256:0123456789ab"} {
		p := enginetest.NewProxy(t, enginetest.API, nil)
		r, err := sandbox.New(sandbox.Options{Host: p.Host})
		require.NoError(t, err)
		res, err := r.RunOnce(context.Background(), probeJob(id))
		require.NoError(t, r.Close())
		requirePullError(t, err, "No such image")
		require.ErrorContains(t, err, "IDs are never pulled")
		require.Equal(t, sandbox.Result{ExitCode: -1}, res)
		for _, request := range p.Requests() {
			require.NotContains(t, request, "/images/create")
		}
	}
}

func requirePullError(t *testing.T, err error, text string) {
	t.Helper()
	var step *sandbox.Error
	require.ErrorAs(t, err, &step)
	require.Equal(t, sandbox.OpPull, step.Op, "%v", err)
	require.ErrorContains(t, err, text)
}

func TestPullErrors(t *testing.T) {
	t.Parallel()
	r := enginetest.NewRegistry(t)
	ref, _ := r.Move(t, probeImage(t, "broken"), "broken")

	_, err := runtest.Do(t, probeJob(r.Addr+"/absent:v1"))
	requirePullError(t, err, "/absent:v1")
	_, err = runtest.Do(t, probeJob("127.0.0.1:1/nobody:v1"))
	requirePullError(t, err, "connection refused")

	// The registry refuses the layer. By then the pull has begun, so the error comes
	// inside the stream, after a 200.
	r.RefuseIf(func(q *http.Request) bool {
		return q.Method == http.MethodGet && strings.Contains(q.URL.Path, "/blobs/")
	})
	_, err = runtest.Do(t, probeJob(ref))
	requirePullError(t, err, "500 Internal Server Error")
}

// The image that was resolved runs, even if its name is moved to another one.
func TestRunIsByID(t *testing.T) {
	t.Parallel()
	ref := probeImage(t, "moving")
	old, err := enginetest.API.ImageInspect(context.Background(), ref)
	require.NoError(t, err)
	j := probeJob(ref)
	moved := false
	j.InputTar = runtest.ReaderFunc(func(p []byte) (int, error) { // it is read after the image was resolved
		if !moved {
			moved = true
			require.NoError(t, enginetest.API.ImageTag(context.Background(), old.ID, enginetest.ImagePrefix+"kept:test"))
			require.NoError(t, enginetest.API.ImageTag(context.Background(), probeImage(t, "other"), ref))
		}
		return 0, bytes.ErrTooLarge
	})
	res, err := runtest.Do(t, j)
	require.ErrorIs(t, err, bytes.ErrTooLarge)
	require.Equal(t, old.ID, res.ImageID)
	require.NotEqual(t, old.ID, runtest.OK(t, probeJob(ref)).ImageID)
}

func TestPullOfTheWrongPlatform(t *testing.T) {
	t.Parallel()
	ref := enginetest.LoadImage(t, "foreign", "s390x", []tarball.File{{Name: "probe", Mode: 0o755}}, container.Config{})
	_, err := runtest.Do(t, probeJob(ref))
	requirePullError(t, err, "image is for platform linux/s390x, the engine runs linux/")
}
