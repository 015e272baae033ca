package attacks

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/synchestra-io/sandbox/internal/rootfs"
)

// fixture is what all attacks share: an image with the probe and nothing else, in
// which anybody may write anywhere, so that the engine alone keeps the attacker
// out.
type fixture struct {
	image string // its name
	probe string // the probe on this machine
	api   *client.Client

	refused map[string]bool // the limits that are, by name
	gvisor  bool            // whether runs have gVisor's kernel
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	probe := filepath.Join(t.TempDir(), "probe")
	binary, err := rootfs.Probe()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(probe, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	api, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { api.Close() })
	g := fixture{image: fmt.Sprintf("sandboxtest-%d/probe:attack", os.Getpid()), probe: probe, api: api}
	body, err := api.ImageImport(t.Context(), image.ImportSource{Source: rootFiles(t, binary), SourceName: "-"}, g.image, image.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if answer, err := io.ReadAll(body); err != nil || strings.Contains(string(answer), "error") {
		t.Fatalf("importing the image: %v\n%s", err, answer)
	}
	t.Cleanup(func() {
		if _, err := api.ImageRemove(context.Background(), g.image, image.RemoveOptions{Force: true, PruneChildren: true}); err != nil {
			t.Errorf("the image of the attacks is left: %v", err)
		}
	})
	return g
}

// rootFiles are the image's. The probe is there with root's identity and with all
// capabilities too.
func rootFiles(t *testing.T, probe []byte) io.Reader {
	t.Helper()
	files := []*tar.Header{dir("./"), dir("bin/"), dir("etc/"), dir("sbin/"), dir("tmp/"),
		{Name: "probe", Mode: 0o777}, {Name: "setuid", Mode: 0o6755},
		{Name: "filecaps", Mode: 0o755, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": allCapabilities}}}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, h := range files {
		var content []byte
		if h.Typeflag != tar.TypeDir {
			h.Typeflag, h.Size, content = tar.TypeReg, int64(len(probe)), probe
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &archive
}

func dir(name string) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o777}
}

// allCapabilities is struct vfs_cap_data, revision 2, effective: the permitted
// and the inheritable ones, low halves first.
const allCapabilities = "\x01\x00\x00\x02" + "\xff\xff\xff\xff" + "\x00\x00\x00\x00" + "\xff\x01\x00\x00" + "\x00\x00\x00\x00"
