//go:build docker

package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// removeImages removes the images that the command made for itself.
func removeImages(t testing.TB, repository string) {
	t.Helper()
	list, err := enginetest.API.ImageList(t.Context(), image.ListOptions{All: true})
	require.NoError(t, err)
	for _, im := range list {
		for _, tag := range im.RepoTags {
			if strings.HasPrefix(tag, repository+":") {
				enginetest.RemoveImage(t, tag)
			}
		}
	}
}

// What is not allowed is refused, and told; the proxy is this program.
func TestAllow(t *testing.T) {
	removeImages(t, "sandbox-egress") // of a run that was killed
	defer removeImages(t, "sandbox-egress")
	script := "wget -q -O - http://evil.test/ || cat /proc/net/dev | grep -c :"
	got := run(t, t.TempDir(), nil, "run", "--no-input", "--allow", "good.test:443", "--", "sh", "-c", script)
	require.Contains(t, got.err, "sandbox: the image sandbox-egress:")
	require.Contains(t, got.err, "403 Forbidden")
	require.Contains(t, got.err, "sandbox: denied: evil.test:80, 1 times: it is not in the allow-list\n")
	require.Equal(t, "1\n", got.out, "there is the loopback interface alone")
	got = run(t, t.TempDir(), nil, "run", "--no-input", "--allow", "good.test:443", "--setup", script, "--", "sh", "-c", "env | grep -i http_proxy || echo sealed")
	require.Contains(t, got.err, "denied: evil.test:80")
	require.Equal(t, "sealed\n", got.out)
	got = run(t, t.TempDir(), nil, "run", "--allow", "good.test:443", "--network", "bridge", "true")
	require.Equal(t, ended{"", "sandbox: --allow is the network, and \"bridge\" is another one; use one of them\n", 125}, got)
}

// Doctor finds that this engine keeps what is promised, and leaves nothing.
func TestDoctor(t *testing.T) {
	got := run(t, t.TempDir(), nil, "doctor", "--json")
	require.Equal(t, 0, got.status, got.err+got.out)
	var found []Finding
	require.NoError(t, json.Unmarshal([]byte(got.out), &found))
	said := map[string]string{}
	for _, f := range found {
		require.False(t, f.Bad, f.What)
		require.NotContains(t, f.Value, "NOT MADE", f.What)
		said[f.What] = f.Value
	}
	require.Contains(t, said["engine"], "chosen by DOCKER_HOST")
	require.Equal(t, "runs", said["a job"])
	for _, group := range []string{"escape", "network", "leaks", "persistence", "setup"} {
		require.Regexp(t, `^\d+ defended`, said["attacks: "+group])
	}
	list, err := enginetest.API.ImageList(t.Context(), image.ListOptions{All: true})
	require.NoError(t, err)
	for _, im := range list {
		for _, tag := range im.RepoTags {
			require.False(t, strings.HasPrefix(tag, "sandbox-doctor"), tag)
		}
	}
	got = run(t, t.TempDir(), nil, "doctor", "--image", enginetest.Busybox())
	require.Equal(t, 0, got.status)
	require.Regexp(t, `a job +runs`, got.out)
	got = run(t, t.TempDir(), nil, "doctor", "--image", "127.0.0.1:1/nobody:v1")
	require.Equal(t, 1, got.status)
	require.Regexp(t, `! a job +pull: `, got.out)
}
