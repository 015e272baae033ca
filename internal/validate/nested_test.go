package validate

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A source is nested if any link on its way is in what Setup can write to, whatever both
// ends are called. What is on another machine is compared by its name.
func TestNestedSources(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	in := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.MkdirAll(in("work/sub"), 0o755))
	require.NoError(t, os.MkdirAll(in("releases/1/z"), 0o755))
	for name, target := range map[string]string{
		"work/current": in("releases/1"), "config": in("work/current"), "relative": "work/current", "to-work": "work",
		"work/loop": "loop", "elsewhere": "releases",
	} {
		require.NoError(t, os.Symlink(target, in(name)))
	}
	for source, nested := range map[string]bool{
		"work": false, "work/sub": true, "config": true, "config/z": true, "relative": true, "to-work": false, "to-work/sub": true,
		"work/loop": true, "elsewhere": false, "elsewhere/1": false, "releases/1": false, "worker": false, "absent": false,
	} {
		for _, writable := range []string{"work", "to-work"} {
			var bad FieldErrors
			bad.NestedSources([]string{in(source)}, []string{in(writable)}, "unix:///run/docker.sock")
			require.Equal(t, nested, bad.Err() != nil, "%s in %s: %v", source, writable, bad.Err())
		}
		var bad FieldErrors
		bad.NestedSources([]string{in(source)}, []string{in("work")}, "tcp://192.0.2.1:2376")
		require.Equal(t, source == "work/sub" || source == "work/loop", bad.Err() != nil, "%s on another machine: %v", source, bad.Err())
	}
}
