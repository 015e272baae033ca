package dockerx

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/docker/docker/api"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/leaktest"
)

const linuxInfo = `{"OSType":"linux","ServerVersion":"25.0.3","NCPU":4,"Architecture":"x86_64","DockerRootDir":"/var/lib/docker",` +
	`"SecurityOptions":["name=seccomp,profile=builtin"],"MemoryLimit":true,"Runtimes":{"runsc":{"path":"runsc","runtimeArgs":["--ignore-cgroups"]}}}`

// page is what a web server answers that is no engine.
func page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	w.Write([]byte("<html>welcome</html>"))
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func TestConnect(t *testing.T) {
	linux := inTurn(answer{200, linuxInfo}).serve
	for name, c := range map[string]struct {
		version string // of the API, that the engine has
		info    http.HandlerFunc
		env     []string
		path    string // of the question, when it comes to that
	}{
		"oldest":             {version: "1.41", info: linux, path: "/v1.41/info"},
		"newer than the SDK": {version: "1.999", info: linux, path: "/v" + api.DefaultVersion + "/info"},
		"pinned":             {version: "1.44", info: linux, env: []string{pinned}, path: "/v1.41/info"},
	} {
		t.Run(name, func(t *testing.T) {
			var path string
			engine := pinged(t, ping(c.version), func(w http.ResponseWriter, r *http.Request) { path = r.URL.Path; c.info(w, r) }, c.env...)
			got, err := engine.Connect(context.Background())
			require.NoError(t, err)
			require.Equal(t, Engine{
				CPUs: 4, Architecture: "amd64", RootDir: "/var/lib/docker",
				Enforces: Limits{Memory: true}, Runtimes: map[string][]string{"runsc": {"--ignore-cgroups"}},
				Seccomp: "builtin", TakesProfile: true, KnowsBuiltin: name == "newer than the SDK", KnowsSubpath: name == "newer than the SDK",
			}, got)
			require.Equal(t, c.path, path)
		})
	}
}

// Podman is known by a header of its answers. It takes no profile, whatever its version is.
func TestConnectToPodman(t *testing.T) {
	libpod := func(next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Libpod-Api-Version", "19.0.0")
			next(w, r)
		}
	}
	engine := pinged(t, libpod(ping("1.44")), libpod(inTurn(answer{200, linuxInfo}).serve))
	got, err := engine.Connect(context.Background())
	require.NoError(t, err)
	require.True(t, got.Podman)
	require.False(t, got.TakesProfile || got.KnowsBuiltin)
}

func TestConnectRefuses(t *testing.T) {
	const unsupported = true
	info := func(status int, body string) http.HandlerFunc { return inTurn(answer{status, body}).serve }
	for name, c := range map[string]struct {
		ping, info  http.HandlerFunc
		env         string
		err         string
		unsupported bool
	}{
		"too old":          {ping("1.40"), nil, "", "API version 1.40, at least 1.41 is needed", unsupported},
		"pinned too low":   {ping("1.44"), nil, "DOCKER_API_VERSION=1.40", "API version 1.40, at least 1.41 is needed", unsupported},
		"pinned too high":  {ping("1.41"), info(400, `{"message":"too new"}`), "DOCKER_API_VERSION=1.99", "too new", false},
		"Windows":          {ping("1.41"), info(200, `{"OSType":"windows"}`), "", `runs "windows" containers`, unsupported},
		"/info of nothing": {ping("1.41"), info(200, "{}"), "", `runs "" containers`, unsupported},
		"/info fails":      {ping("1.41"), info(500, `{"message":"boom"}`), "", "boom", false},
		"/info is a page":  {ping("1.41"), page, "", "engine information: ", false},
		"ping fails":       {status(500), nil, "", "does not answer: ", false},
		"ping is missing":  {status(404), nil, "", "does not answer: ", false},
		"ping is a page":   {page, nil, "", "is this a Docker Engine?", false},
	} {
		t.Run(name, func(t *testing.T) {
			engine := pinged(t, c.ping, c.info, strings.Fields(c.env)...)
			_, err := engine.Connect(context.Background())
			require.ErrorContains(t, err, c.err)
			require.Equal(t, c.unsupported, errors.Is(err, ErrUnsupported), "%v", err)
		})
	}
}

// pinged is an engine that is asked for its version and for /info.
func pinged(t *testing.T, ping, info http.HandlerFunc, env ...string) *Client {
	t.Helper()
	leaktest.Check(t)
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", ping)
	if info != nil {
		mux.HandleFunc("GET /{version}/info", info)
	}
	return clientOf(t, "tcp://"+serve(t, mux).Listener.Addr().String(), env...)
}

func TestConnectWithNobodyThere(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		leaktest.Check(t)
		l, host := listen(t, network)
		require.NoError(t, l.Close())
		_, err := clientOf(t, host).Connect(context.Background())
		require.ErrorContains(t, err, "engine at "+host+" does not answer")
		require.NotErrorIs(t, err, ErrUnsupported)
	}
}

// Images name platforms as Go does, /info as the kernel does.
func TestGoArch(t *testing.T) {
	for machine, want := range map[string]string{
		"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "i386": "386", "armv7l": "arm", "armv6l": "arm",
		"riscv64": "riscv64", "s390x": "s390x", "ppc64le": "ppc64le", "loongarch64": "loong64",
		"amd64": "amd64", "arm64": "arm64", // Podman speaks as Go does
	} {
		require.Equal(t, want, goArch(machine), machine)
	}
}
