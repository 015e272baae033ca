package artifacts

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/archive"
	"github.com/synchestra-io/sandbox/internal/tarball"
	"github.com/synchestra-io/sandbox/internal/validate"
)

// FuzzCollect reads what an engine could send of a directory. Whatever it is, the
// artifacts are below that directory, within the caps, and nothing is invented.
func FuzzCollect(f *testing.F) {
	f.Add(tarball.Of(tarball.File{Name: "out/"}, tarball.File{Name: "out/a", Body: "content"}, tarball.File{Name: "out/b/c", Body: "more"}))
	f.Add(tarball.Of(tarball.File{Name: "out/a", Body: "x"}, tarball.File{Name: "out/link", Link: "out/a", Kind: '1'}, tarball.File{Name: "out/sym", Link: "/etc", Kind: '2'}))
	f.Add(tarball.Of(tarball.File{Name: "elsewhere/a"}))
	f.Add(tarball.Of(tarball.File{Name: "out/../../etc/passwd", Body: "x"}))
	f.Add(tarball.Of(tarball.File{Name: "out/big", Body: strings.Repeat("x", 3000)}))
	whole := tarball.Of(tarball.File{Name: "out/a", Body: strings.Repeat("x", 600)})
	f.Add(whole[:700])
	f.Add(whole[:1024])
	const limit, skip, names = 2048, 4096, 1024
	f.Fuzz(func(t *testing.T, sent []byte) {
		c := &collector{left: limit, skip: skip, names: names}
		err := c.tree("/workspace/out", bytes.NewReader(sent))
		sum, text := 0, 0
		for path, content := range c.files {
			require.True(t, validate.Within(path, "/workspace/out"), "%q", path)
			require.NotContains(t, strings.Split(path, "/"), "..")
			require.True(t, len(content) == 0 || bytes.Contains(sent, content), "%q", content)
			sum += len(content)
			text += len(path)
		}
		require.LessOrEqual(t, sum, limit)
		require.GreaterOrEqual(t, c.skip, int64(0))
		require.LessOrEqual(t, text, names+archive.MaxPath+len(sent), "the last name may exceed the cap")
		if err == nil && len(c.missed) == 0 {
			in := archive.NewReader(bytes.NewReader(sent))
			for {
				if _, err := in.Next(); err != nil {
					require.ErrorContains(t, err, "EOF", "an incomplete archive was taken for a complete one")
					break
				}
			}
		}
	})
}
