//go:build docker

package behaviour_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/archive"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// archiving is a script in InputDir, whose files go into an archive.
func archiving(script string, paths ...string) (sandbox.Job, *bytes.Buffer) {
	j, out := collecting(script, paths...), &bytes.Buffer{}
	j.WorkDir, j.OutputTar = "/workspace", out
	return j, out
}

// unpacked is a complete archive's content: by name, the mode and the body of each file.
func unpacked(t testing.TB, from io.Reader) map[string]string {
	t.Helper()
	files, in := map[string]string{}, archive.NewReader(from)
	for {
		h, err := in.Next()
		if err == io.EOF {
			return files
		}
		require.NoError(t, err)
		require.EqualValues(t, tar.TypeReg, h.Typeflag, h.Name)
		require.NotContains(t, files, h.Name)
		body, err := io.ReadAll(in)
		require.NoError(t, err)
		files[h.Name] = fmt.Sprintf("%o %s", h.Mode, body)
	}
}

// The archive has what Result.Artifacts would have, and the same is missing from it.
func TestOutputTar(t *testing.T) {
	t.Parallel()
	j, out := archiving(`mkdir -p out/deep; echo 1 >out/a; ln out/a out/deep/again; : >out/empty; echo 2 >run; chmod 4711 run
		ln -s a out/link; mkfifo out/fifo; head -c 2000 /dev/zero >out/large; printf odd >"out/$(printf 'new\nline\377')"
		mkdir kept; echo 3 >kept/f; touch -d '2001-02-03 04:05:06' out/a`, "/workspace/run", "/workspace/out", "/workspace/out/a", "/workspace/none", "/workspace/kept/f")
	j.Limits.ArtifactBytes = 1000
	res := runtest.OK(t, j)
	require.Nil(t, res.Artifacts)
	first := bytes.NewReader(out.Bytes())
	require.Equal(t, map[string]string{
		"run": "755 2\n", "out/a": "644 1\n", "out/deep/again": "644 1\n", "out/empty": "644 ", "out/new\nline\xff": "644 odd", "kept/f": "644 3\n",
	}, unpacked(t, first))
	require.ErrorIs(t, res.Uncollected["/workspace/none"], fs.ErrNotExist)
	require.ErrorIs(t, res.Uncollected["/workspace/out/large"], sandbox.ErrTooLarge)
	for _, name := range []string{"link", "fifo"} {
		require.ErrorIs(t, res.Uncollected["/workspace/out/"+name], sandbox.ErrNotRegular)
	}
	require.Len(t, res.Uncollected, 4)
	require.True(t, strings.Contains(out.String(), fmt.Sprintf("%011o", 981173106)), "the time of out/a")
}

// What one run puts out is the next one's input, as often as one likes.
func TestOutputTarIsAnInput(t *testing.T) {
	t.Parallel()
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	defer r.Close()
	var last io.Reader = bytes.NewReader(tarball.Of(tarball.File{Name: "log", Body: "0\n"}, tarball.File{Name: "tool", Mode: 0o755, Body: "#!/bin/sh\nn=$(wc -l <log); echo $n >>log; mkdir -p deep/$n; echo $n >deep/$n/f\n"}))
	const times = 20
	for range times {
		j, out := archiving("./tool", "/workspace")
		j.InputTar = last
		res, id, err := runtest.RunWith(t.Context(), r, j)
		require.NoError(t, err)
		require.Zero(t, res.ExitCode, "%s", res.Logs)
		require.Nil(t, res.Uncollected)
		enginetest.AssertNothingLeft(t, id)
		last = out
	}
	files := unpacked(t, last)
	require.Len(t, files, 2+times)
	require.Equal(t, times+1, strings.Count(files["log"], "\n"))
}

// One that is complete has an end also if nothing is in it; where Cmd was not started, there
// is none.
func TestOutputTarWithNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		setup string
		paths []string
		size  int
	}{
		"absent":       {"", []string{"/workspace/none"}, archive.Trailer},
		"no Collect":   {"", nil, archive.Trailer},
		"failed Setup": {"exit 1", []string{"/workspace"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j, out := archiving("true", c.paths...)
			if c.setup != "" {
				j.Setup = sandbox.Setup{Cmd: []string{"sh", "-c", c.setup}, Network: "none"}
			}
			runtest.OK(t, j)
			require.Equal(t, c.size, out.Len())
		})
	}
}

// A writer that fails spoils the archive and nothing else.
func TestOutputTarWriterThatFails(t *testing.T) {
	t.Parallel()
	eachBadWriter(t, func(t *testing.T, name string, w runtest.WriterFunc) {
		j, _ := archiving("echo said; echo 1 >a; exit 3", "/workspace/a")
		require.False(t, badWriter(t, j, name, w).DiskFull)
	})
}

// Nor does it hide that the disk is full.
func TestDiskAndOutputTarWriterThatFails(t *testing.T) {
	t.Parallel()
	eachBadWriter(t, func(t *testing.T, name string, w runtest.WriterFunc) {
		j, _ := archiving("echo said; echo 1 >a; cat /dev/zero >full 2>/dev/null; exit 3", "/workspace/a")
		j.Limits.DiskMB = 20
		require.True(t, badWriter(t, j, name, w).DiskFull)
	})
}

func eachBadWriter(t *testing.T, test func(t *testing.T, name string, w runtest.WriterFunc)) {
	for name, w := range map[string]runtest.WriterFunc{
		"OutputTar: disk full":                      func([]byte) (int, error) { return 0, errors.New("disk full") },
		"OutputTar: file does not exist":            func([]byte) (int, error) { return 0, fs.ErrNotExist },
		"OutputTar: short write":                    func(p []byte) (int, error) { return len(p) - 1, nil },
		"OutputTar: Write panicked: no more":        func([]byte) (int, error) { panic("no more") },
		"OutputTar: " + "runtime.Goexit was called": func([]byte) (int, error) { runtime.Goexit(); return 0, nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, name, w)
		})
	}
}

// badWriter runs a job whose archive goes to w, which fails.
func badWriter(t *testing.T, j sandbox.Job, name string, w runtest.WriterFunc) sandbox.Result {
	t.Helper()
	calls := 0
	j.OutputTar = runtest.WriterFunc(func(p []byte) (int, error) { calls++; return w(p) })
	res, err := runtest.Do(t, j)
	require.ErrorContains(t, err, name)
	runtest.RequireStep(t, err, sandbox.OpCollect)
	require.Equal(t, 3, res.ExitCode)
	require.Equal(t, "said\n", string(res.Logs))
	require.Equal(t, 1, calls)
	return res
}

// A writer that never returns is waited for as Stdout's is, and the end of the context does not
// change that.
func TestOutputTarWriterThatNeverReturns(t *testing.T) {
	t.Parallel()
	for _, cancelled := range []bool{false, true} {
		t.Run(fmt.Sprint("cancelled ", cancelled), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			j, _ := archiving("echo 1 >a", "/workspace/a")
			w, entered := blocked(t)
			j.OutputTar = w
			began := make(chan time.Time, 1)
			go func() {
				<-entered
				began <- time.Now()
				if cancelled {
					cancel()
				}
			}()
			res, err := runtest.DoContext(t, ctx, j)
			require.Less(t, time.Since(<-began), 20*time.Second)
			require.Zero(t, res.ExitCode)
			runtest.RequireStep(t, err, sandbox.OpCollect)
			if cancelled {
				require.ErrorIs(t, err, context.Canceled)
				return
			}
			require.ErrorIs(t, err, sandbox.ErrWriterBlocked)
		})
	}
}

// When the context has ended, a slow writer gets no more, whatever has been read already.
func TestOutputTarSlowWriterAndACancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	j, _ := archiving("for n in $(seq 2000); do : >$n; done; head -c 3000000 /dev/zero >z", "/workspace")
	calls, cancelled := 0, time.Time{}
	j.OutputTar = runtest.WriterFunc(func(p []byte) (int, error) {
		if calls++; calls == 2 {
			cancel()
			cancelled = time.Now()
		}
		<-time.After(time.Second)
		return len(p), nil
	})
	_, err := runtest.DoContext(t, ctx, j)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, sandbox.ErrCleanup)
	require.Less(t, time.Since(cancelled), 7*time.Second)
	require.Equal(t, 2, calls)
}

// A slow writer gets all of it: each Write has its own five seconds.
func TestOutputTarSlowWriter(t *testing.T) {
	t.Parallel()
	j, out := archiving("head -c 3000000 /dev/zero >a", "/workspace")
	j.OutputTar = runtest.WriterFunc(func(p []byte) (int, error) {
		<-time.After(10 * time.Millisecond)
		return out.Write(p)
	})
	runtest.OK(t, j)
	require.Equal(t, []string{"a"}, slices.Collect(maps.Keys(unpacked(t, out))))
}

// The artifacts of a job that was killed at its Timeout come, too.
func TestOutputTarAfterATimeout(t *testing.T) {
	t.Parallel()
	j, out := archiving("echo 1 >a; while :; do sleep 1; done", "/workspace")
	j.Limits.Timeout = time.Second
	require.True(t, runtest.OK(t, j).TimedOut)
	require.Equal(t, map[string]string{"a": "644 1\n"}, unpacked(t, out))
}

// More hard links than are read again are named.
func TestOutputTarOfManyHardLinks(t *testing.T) {
	t.Parallel()
	j, out := archiving("mkdir out; echo 1 >out/a; for n in $(seq 103); do ln out/a out/l$n; done", "/workspace/out")
	res := runtest.OK(t, j)
	require.Len(t, unpacked(t, out), 101)
	require.Len(t, res.Uncollected, 3)
	for _, why := range res.Uncollected {
		require.ErrorIs(t, why, sandbox.ErrTooLarge)
	}
}
