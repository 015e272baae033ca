//go:build docker

package faults_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// push puts the job's image into a registry. The engine keeps the image under
// another tag, so that later pulls transfer no layers.
func (m *matrix) push(t *testing.T) {
	t.Helper()
	r := enginetest.NewRegistry(t)
	m.name = r.Addr + "/faults"
	t.Cleanup(func() {
		list, err := enginetest.API.ImageList(context.Background(), image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", m.name))})
		require.NoError(t, err)
		for _, im := range list {
			for _, ref := range im.RepoTags {
				enginetest.RemoveImage(t, ref)
			}
		}
	})
	r.Push(t, enginetest.MakeImage(t, "faults", enginetest.BusyboxFiles()), "faults", "kept")
	get, err := http.NewRequest(http.MethodGet, m.manifest("kept"), nil)
	require.NoError(t, err)
	get.Header.Set("Accept", manifestType)
	m.stored = send(t, get, http.StatusOK)
}

const manifestType = "application/vnd.docker.distribution.manifest.v2+json"

// newJob returns the job with an image that the engine does not have: one more tag in
// the registry. Call it before a case runs in parallel with others: reading the
// files of the registry while they are written is not safe.
func (m *matrix) newJob(t *testing.T) sandbox.Job {
	t.Helper()
	tag := owner.RandomID()
	put, err := http.NewRequest(http.MethodPut, m.manifest(tag), bytes.NewReader(m.stored))
	require.NoError(t, err)
	put.Header.Set("Content-Type", manifestType)
	send(t, put, http.StatusCreated)
	j := m.job
	j.Image = m.name + ":" + tag
	return j
}

func (m *matrix) manifest(tag string) string {
	host, repository, _ := strings.Cut(m.name, "/")
	return "http://" + host + "/v2/" + repository + "/manifests/" + tag
}

func send(t *testing.T, r *http.Request, want int) []byte {
	t.Helper()
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, want, answer.StatusCode, "%s", body)
	return body
}
