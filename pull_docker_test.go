//go:build docker

package sandbox

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/tarball"
)

// probeImage is an image of its own with the static helper.
func probeImage(t testing.TB, name string) string {
	return makeImage(t, name, []tarball.File{
		{Name: "probe", Body: probeBinary(), Mode: 0o755}, {Name: "which", Body: name},
	}, `ENTRYPOINT ["/probe"]`)
}

func probeJob(ref string) Job {
	return Job{Image: ref, Cmd: []string{"cat", "/which"}, Limits: Limits{Network: "none"}}
}

func TestPullOfAnAbsentImage(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	ref, digest := r.push(t, probeImage(t, "pulled"), "pulled")

	first := ok(t, probeJob(ref))
	require.Equal(t, "pulled", string(first.Logs))
	asked := r.count()

	require.Equal(t, first.ImageID, ok(t, probeJob(ref)).ImageID)
	require.Equal(t, first.ImageID, ok(t, probeJob(first.ImageID)).ImageID, "by ID")
	require.Equal(t, first.ImageID, ok(t, probeJob(strings.TrimPrefix(first.ImageID, "sha256:"))).ImageID, "by bare ID")
	byDigest := strings.TrimSuffix(ref, ":v1") + "@" + digest
	require.Equal(t, first.ImageID, ok(t, probeJob(byDigest)).ImageID, "by digest")
	require.Equal(t, asked, r.count(), "a present image is not asked for again")

	removeImage(t, first.ImageID)
	require.Equal(t, first.ImageID, ok(t, probeJob(byDigest)).ImageID, "pulled by digest")
	require.Greater(t, r.count(), asked)
	removeImage(t, first.ImageID)
}

func TestPullNeverByID(t *testing.T) {
	t.Parallel()
	res, err := do(t, probeJob("sha256:"+strings.Repeat("0123456789abcdef", 4)))
	requirePullError(t, err, "No such image")
	require.Equal(t, Result{ExitCode: -1}, res)
}

func requirePullError(t *testing.T, err error, text string) {
	t.Helper()
	var step *Error
	require.ErrorAs(t, err, &step)
	require.Equal(t, OpPull, step.Op, "%v", err)
	require.ErrorContains(t, err, text)
}

func TestPullErrors(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	ref, _ := r.push(t, probeImage(t, "broken"), "broken")

	_, err := do(t, probeJob(r.addr+"/absent:v1"))
	requirePullError(t, err, "/absent:v1")
	_, err = do(t, probeJob("127.0.0.1:1/nobody:v1"))
	requirePullError(t, err, "connection refused")

	// The layer cannot be had: the pull has begun, so the error comes inside
	// the stream, after a 200.
	r.refuseIf(func(q *http.Request) bool {
		return q.Method == http.MethodGet && strings.Contains(q.URL.Path, "/blobs/")
	})
	_, err = do(t, probeJob(ref))
	requirePullError(t, err, "500 Internal Server Error")
}

// The image that runs is the one that was found, although its name moves on.
func TestRunIsByID(t *testing.T) {
	t.Parallel()
	ref := probeImage(t, "moving")
	old, err := api.ImageInspect(context.Background(), ref)
	require.NoError(t, err)
	j := probeJob(ref)
	moved := false
	j.InputTar = readerFunc(func(p []byte) (int, error) { // it is read after the image was resolved
		if !moved {
			moved = true
			require.NoError(t, api.ImageTag(context.Background(), old.ID, testImages+"kept:test"))
			require.NoError(t, api.ImageTag(context.Background(), probeImage(t, "other"), ref))
		}
		return 0, bytes.ErrTooLarge
	})
	res, err := do(t, j)
	require.ErrorIs(t, err, bytes.ErrTooLarge)
	require.Equal(t, old.ID, res.ImageID)
	require.NotEqual(t, old.ID, ok(t, probeJob(ref)).ImageID)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestPullOfTheWrongPlatform(t *testing.T) {
	t.Parallel()
	ref := loadImage(t, "foreign", "s390x", []tarball.File{{Name: "probe", Mode: 0o755}}, container.Config{})
	_, err := do(t, probeJob(ref))
	requirePullError(t, err, "image is for platform linux/s390x, the engine runs linux/")
}
