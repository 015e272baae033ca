package dockerx

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

const (
	statRoute   = "HEAD /containers/c/archive"
	uploadRoute = "PUT /containers/c/archive"
)

// withStat answers an archive call about a path with its description.
func withStat(mode fs.FileMode, size int64, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("path") != "/a b/c" {
			http.Error(w, "not the path that was asked for", http.StatusBadRequest)
			return
		}
		stat := fmt.Sprintf(`{"name":"c","size":%d,"mode":%d}`, size, mode)
		w.Header().Set("X-Docker-Container-Path-Stat", base64.StdEncoding.EncodeToString([]byte(stat)))
		if next != nil {
			next(w, r)
		}
	}
}

func TestStat(t *testing.T) {
	for _, want := range []fs.FileMode{0o640, fs.ModeDir | 0o755, fs.ModeSymlink | 0o777, fs.ModeNamedPipe | fs.ModeSetuid} {
		info, err := fakeEngine(t, routes{statRoute: withStat(want, 5<<30, nil)}).Stat(context.Background(), "c", "/a b/c")
		require.NoError(t, err)
		require.Equal(t, want, info.Mode)
		require.EqualValues(t, 5<<30, info.Size)
	}
}

// The engine says 404 for both an absent path and an absent container.
func TestStatAbsent(t *testing.T) {
	for name, c := range map[string]struct {
		inspect answer
		want    error
	}{
		"path":                    {state("exited", 0), fs.ErrNotExist},
		"container":               {notFound, ErrGone},
		"container being removed": {state("removing", 0), ErrGone},
	} {
		t.Run(name, func(t *testing.T) {
			engine := fakeEngine(t, routes{statRoute: status(404), inspectRoute: inTurn(c.inspect).serve})
			_, err := engine.Stat(context.Background(), "c", "/p")
			require.ErrorIs(t, err, c.want)
			require.Equal(t, c.want == fs.ErrNotExist, errors.Is(err, fs.ErrNotExist))
		})
	}
}

func TestStatFails(t *testing.T) {
	for name, r := range map[string]routes{
		"engine fails":                           {statRoute: status(500)},
		"no description":                         {statRoute: status(200)},
		"unknown whether the container is there": {statRoute: status(404), inspectRoute: inTurn(failed).serve},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := fakeEngine(t, r).Stat(context.Background(), "c", "/p")
			require.Error(t, err)
			require.NotErrorIs(t, err, fs.ErrNotExist)
			require.NotErrorIs(t, err, ErrGone)
		})
	}
}

// An upload is the reader's bytes, whole, however they come.
func TestUpload(t *testing.T) {
	tar := strings.Repeat("0123456789", 10<<10)
	for name, r := range map[string]io.Reader{"whole": strings.NewReader(tar), "byte by byte": iotest.OneByteReader(strings.NewReader(tar))} {
		t.Run(name, func(t *testing.T) {
			var got []byte
			engine := fakeEngine(t, routes{uploadRoute: func(_ http.ResponseWriter, r *http.Request) {
				require.Equal(t, "/", r.FormValue("path"))
				require.Empty(t, r.FormValue("copyUIDGID"))
				got, _ = io.ReadAll(r.Body) // what is missing shows in the comparison
			}})
			require.NoError(t, engine.Upload(context.Background(), "c", "/", io.NopCloser(r)))
			require.Equal(t, tar, string(got))
		})
	}
}

func TestUploadFails(t *testing.T) {
	unreadable := errors.New("unreadable")
	engine := fakeEngine(t, routes{uploadRoute: func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }})
	require.ErrorIs(t, engine.Upload(context.Background(), "c", "/", io.NopCloser(iotest.ErrReader(unreadable))), unreadable)

	// The answer counts, also while the reader has more to give.
	refusing := fakeEngine(t, routes{uploadRoute: inTurn(refused(400, "rootfs is read-only")).serve})
	inTime(t, func() {
		require.ErrorContains(t, refusing.Upload(context.Background(), "c", "/", io.NopCloser(zeros{})), "rootfs is read-only")
	})
}

// The caller's Read does not return, and the engine goes: whoever reads is told.
func TestUploadToAnEngineThatGoes(t *testing.T) {
	engine := fakeEngine(t, routes{uploadRoute: func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		require.NoError(t, err)
		conn.Close()
	}})
	never, _ := io.Pipe()
	inTime(t, func() { require.Error(t, engine.Upload(context.Background(), "c", "/", never)) })
	_, err := never.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.ErrClosedPipe)
}

// zeros is a reader without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestUploadWatchdog(t *testing.T) {
	drain := func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); silent(w, r) }
	for name, c := range map[string]struct {
		engine http.HandlerFunc
		tar    io.Reader
	}{
		"reads nothing":  {silent, zeros{}},
		"answers not":    {drain, strings.NewReader("tar")},
		"reads not even": {silent, strings.NewReader("tar")},
	} {
		t.Run(name, func(t *testing.T) {
			engine := fakeEngine(t, routes{uploadRoute: c.engine})
			inTime(t, func() {
				err := engine.Upload(brief, "c", "/", io.NopCloser(c.tar))
				require.ErrorContains(t, err, "upload: no progress from the engine for 100ms")
			})
		})
	}
}
