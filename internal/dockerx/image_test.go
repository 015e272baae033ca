package dockerx

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/bounds"
)

const (
	ref      = "registry.example/tool:1"
	imageID  = "sha256:0123"
	goodPull = `{"status":"Pulling"}` + "\n" + `{"status":"Downloaded","progressDetail":{"current":1}}` + "\n"
)

var (
	amd64Engine = Engine{Architecture: "amd64"}
	present     = imageOf("linux", "amd64")
)

func imageOf(os, arch string) answer {
	return answer{200, fmt.Sprintf(`{"Id":%q,"Os":%q,"Architecture":%q,
		"Config":{"Env":["A=1"],"Volumes":{"/z/":{},"/a":{}},"WorkingDir":"src/"}}`, imageID, os, arch)}
}

// imageEngine answers questions about the image ref and, if pull is set, a
// pull of it.
func imageEngine(t *testing.T, inspects *script, pull http.HandlerFunc) *Client {
	t.Helper()
	r := routes{"GET /images/registry.example/tool:1/json": inspects.serve}
	if pull != nil {
		r["POST /images/create"] = func(w http.ResponseWriter, req *http.Request) {
			if image, tag := req.FormValue("fromImage"), req.FormValue("tag"); image+":"+tag != ref {
				t.Errorf("pulled %q, tag %q", image, tag)
			}
			pull(w, req)
		}
	}
	return fakeEngine(t, r)
}

func TestEnsureImage(t *testing.T) {
	want := Image{ID: imageID, Env: []string{"A=1"}, Volumes: []string{"/a", "/z"}, WorkDir: "/src"}
	pull := inTurn(answer{200, goodPull}).serve
	for name, c := range map[string]struct {
		inspects *script
		pull     http.HandlerFunc
	}{
		"present": {inTurn(present), nil},
		"pulled":  {inTurn(notFound, present), pull},
		// The image decides, whatever the stream's end was.
		"pulled, nothing said": {inTurn(notFound, present), inTurn(answer{200, ""}).serve},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := imageEngine(t, c.inspects, c.pull).EnsureImage(context.Background(), Want{Ref: ref}, amd64Engine)
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
}

func TestEnsureImageWithoutConfig(t *testing.T) {
	bare := answer{200, `{"Id":"sha256:0123","Os":"linux","Architecture":"amd64"}`}
	got, err := imageEngine(t, inTurn(bare), nil).EnsureImage(context.Background(), Want{Ref: ref}, amd64Engine)
	require.NoError(t, err)
	require.Equal(t, Image{ID: imageID, WorkDir: "/"}, got)
}

func TestEnsureImageFails(t *testing.T) {
	pull := func(status int, body string) http.HandlerFunc { return inTurn(answer{status, body}).serve }
	for name, c := range map[string]struct {
		first  answer // to the question whether the image is there
		pull   http.HandlerFunc
		noPull bool
		err    string
	}{
		"unknown whether it is there": {first: refused(500, "boom"), err: "boom"},
		"engine's answer is no image": {first: answer{200, "{}"}, err: "no image ID"},
		"an ID":                       {first: notFound, noPull: true, err: "the engine has no image with this ID, and IDs are never pulled; use the image's name, or pull it beforehand"},
		"pull refused":                {first: notFound, pull: pull(404, `{"message":"manifest unknown"}`), err: "manifest unknown"},
		"error in the stream":         {first: notFound, pull: pull(200, goodPull+`{"errorDetail":{"message":"denied"},"error":"old"}`+"\n"), err: "denied"},
		"legacy error":                {first: notFound, pull: pull(200, goodPull+`{"error":"denied"}`+"\n"), err: "denied"},
		"empty detail":                {first: notFound, pull: pull(200, `{"errorDetail":{},"error":"denied"}`+"\n"), err: "denied"},
		"ends too early":              {first: notFound, pull: pull(200, goodPull), err: "no such thing"},
		"cut in a message":            {first: notFound, pull: pull(200, goodPull+`{"stat`), err: "unexpected EOF"},
		"cut by the network":          {first: notFound, pull: cutPull, err: "unexpected EOF"},
		"a web page":                  {first: notFound, pull: page, err: "was answered with a web page (200 OK)"},
	} {
		t.Run(name, func(t *testing.T) {
			engine := imageEngine(t, inTurn(c.first), c.pull)
			_, err := engine.EnsureImage(context.Background(), Want{Ref: ref, ID: c.noPull}, amd64Engine)
			require.ErrorContains(t, err, c.err)
			require.ErrorContains(t, err, `"`+ref+`": `)
		})
	}
}

func cutPull(w http.ResponseWriter, _ *http.Request) {
	io.WriteString(w, goodPull)
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func TestPlatforms(t *testing.T) {
	for name, c := range map[string]struct {
		os, arch, engine string
		good             bool
	}{
		"same":                {"linux", "amd64", "amd64", true},
		"not said":            {"linux", "", "amd64", true},
		"32 bit on 64":        {"linux", "386", "amd64", true},
		"32 bit on 64, arm":   {"linux", "arm", "arm64", true},
		"64 bit on 32":        {"linux", "amd64", "386", false},
		"another":             {"linux", "arm64", "amd64", false},
		"Windows":             {"windows", "amd64", "amd64", false},
		"32 bit of the other": {"linux", "arm", "amd64", false},
	} {
		t.Run(name, func(t *testing.T) {
			engine := imageEngine(t, inTurn(imageOf(c.os, c.arch)), nil)
			_, err := engine.EnsureImage(context.Background(), Want{Ref: ref}, Engine{Architecture: c.engine})
			if c.good {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, fmt.Sprintf("image is for platform %s/%s, the engine runs linux/%s", c.os, c.arch, c.engine))
		})
	}
}

// flood is an answer of many megabytes, which goes on while it is read.
func flood(first, piece string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, first)
		chunk := strings.Repeat(piece, 1<<20/len(piece))
		for range 8 {
			io.WriteString(w, chunk)
		}
	}
}

// The engine passes on what a registry says. None of it may fill the memory.
func TestPullMessagesAreBounded(t *testing.T) {
	for name, pull := range map[string]http.HandlerFunc{
		"string without end":   flood(goodPull+`{"status":"`, "x"),
		"empty lines":          flood(goodPull, "\n"),
		"list over many lines": flood(goodPull+"[", "0,\n"),
	} {
		t.Run(name, func(t *testing.T) {
			engine := imageEngine(t, inTurn(notFound), pull)
			_, err := engine.EnsureImage(context.Background(), Want{Ref: ref}, amd64Engine)
			require.ErrorContains(t, err, "longer than 1048576 bytes")
		})
	}
}

func TestPullWatchdog(t *testing.T) {
	stalled := func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, goodPull)
		w.(http.Flusher).Flush()
		silent(w, r)
	}
	ctx := bounds.With(ample, bounds.Bounds{Call: time.Minute, Stall: briefly})
	for name, pull := range map[string]http.HandlerFunc{"stalled": stalled, "silent": silent} {
		t.Run(name, func(t *testing.T) {
			engine := imageEngine(t, inTurn(notFound), pull)
			inTime(t, func() {
				_, err := engine.EnsureImage(ctx, Want{Ref: ref}, amd64Engine)
				require.ErrorContains(t, err, "pull: no progress from the engine for 100ms")
			})
		})
	}
}
