package sandbox

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzCollect reads what an engine could send of a directory. Whatever it is, the
// artifacts are below that directory, within the caps, and nothing is invented.
func FuzzCollect(f *testing.F) {
	f.Add(tarOf(f, file{name: "out/"}, file{name: "out/a", body: "content"}, file{name: "out/b/c", body: "more"}))
	f.Add(tarOf(f, file{name: "out/a", body: "x"}, file{name: "out/link", link: "out/a", kind: '1'}, file{name: "out/sym", link: "/etc", kind: '2'}))
	f.Add(tarOf(f, file{name: "elsewhere/a"}))
	f.Add(tarOf(f, file{name: "out/../../etc/passwd", body: "x"}))
	f.Add(tarOf(f, file{name: "out/big", body: strings.Repeat("x", 3000)}))
	whole := tarOf(f, file{name: "out/a", body: strings.Repeat("x", 600)})
	f.Add(whole[:700])
	f.Add(whole[:1024])
	const limit, names = 2048, 1024
	f.Fuzz(func(t *testing.T, archive []byte) {
		c := &collector{left: limit, names: names}
		err := c.tree("/workspace/out", bytes.NewReader(archive))
		sum, text := 0, 0
		for path, content := range c.files {
			require.True(t, within(path, "/workspace/out"), "%q", path)
			require.NotContains(t, strings.Split(path, "/"), "..")
			require.True(t, len(content) == 0 || bytes.Contains(archive, content), "%q", content)
			sum += len(content)
			text += len(path)
		}
		require.LessOrEqual(t, sum, limit)
		require.LessOrEqual(t, text, names+maxInputPath+len(archive), "the last name may exceed the cap")
		if err == nil && len(c.missed) == 0 {
			in := newTarReader(bytes.NewReader(archive))
			for {
				if _, err := in.next(); err != nil {
					require.ErrorContains(t, err, "EOF", "an incomplete archive was taken for a complete one")
					break
				}
			}
		}
	})
}
