package dockerx

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const downloadRoute = "GET /containers/c/archive"

func TestDownload(t *testing.T) {
	content := strings.Repeat("0123456789", 10<<10)
	body, err := fakeEngine(t, routes{downloadRoute: withStat(0, 1, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, content)
	})}).Download(context.Background(), "c", "/a b/c")
	require.NoError(t, err)
	got, err := io.ReadAll(body)
	require.NoError(t, err)
	require.Equal(t, content, string(got))
	require.NoError(t, body.Close())
}

func TestDownloadRefused(t *testing.T) {
	for name, c := range map[string]struct {
		engine http.HandlerFunc
		ctx    context.Context
		err    string
	}{
		"absent": {inTurn(notFound).serve, ample, "no such thing"},
		"fails":  {inTurn(failed).serve, ample, "device or resource busy"},
		"silent": {silent, brief, "download: no progress from the engine for 100ms"},
	} {
		t.Run(name, func(t *testing.T) {
			engine := fakeEngine(t, routes{downloadRoute: c.engine})
			inTime(t, func() {
				_, err := engine.Download(c.ctx, "c", "/a b/c")
				require.ErrorContains(t, err, `"/a b/c": `)
				require.ErrorContains(t, err, c.err)
			})
		})
	}
}

// begun sends the first bytes of a download before next.
func begun(next http.HandlerFunc) http.HandlerFunc {
	return withStat(0, 1, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "begin")
		w.(http.Flusher).Flush()
		next(w, r)
	})
}

func TestDownloadBreaksOff(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	for name, c := range map[string]struct {
		engine http.HandlerFunc
		ctx    context.Context
		check  func(error)
	}{
		"cut": {
			func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, ample,
			func(err error) { require.ErrorIs(t, err, io.ErrUnexpectedEOF) },
		},
		"silent": {
			silent, brief,
			func(err error) { require.ErrorContains(t, err, "download: no progress from the engine for 100ms") },
		},
		"caller's end": {
			func(w http.ResponseWriter, r *http.Request) { cancel(); silent(w, r) }, ctx,
			func(err error) { require.ErrorIs(t, err, context.Canceled) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			engine := fakeEngine(t, routes{downloadRoute: begun(c.engine)})
			inTime(t, func() {
				body, err := engine.Download(c.ctx, "c", "/a b/c")
				if err == nil {
					defer body.Close()
					_, err = io.ReadAll(body)
				}
				c.check(err)
			})
		})
	}
}

// The engine keeps the container locked for as long as it sends.
func TestDownloadIsHungUp(t *testing.T) {
	ended := make(chan struct{})
	sends := func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "begin")
		w.(http.Flusher).Flush()
		silent(w, r)
		ended <- struct{}{}
	}
	for name, c := range map[string]struct {
		engine http.HandlerFunc
		err    string
	}{
		"closed early":   {withStat(0, 1, sends), ""},
		"no description": {sends, "path stat"},
	} {
		t.Run(name, func(t *testing.T) {
			body, err := fakeEngine(t, routes{downloadRoute: c.engine}).Download(context.Background(), "c", "/a b/c")
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
			} else {
				require.NoError(t, err)
				require.NoError(t, body.Close())
			}
			inTime(t, func() { <-ended })
		})
	}
}
