package registry

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const helperName, envFails = "docker-credential-test", "TEST_HELPER_FAILS"

// TestMain is also the credential helper: there need not be a shell where tests run.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) != helperName {
		os.Exit(m.Run())
	}
	var server string
	fmt.Scan(&server)
	switch {
	case os.Getenv(envFails) != "":
		fmt.Println("planted")
		fmt.Fprintln(os.Stderr, "planted")
		os.Exit(3)
	case server == Hub:
		fmt.Println(`{"Username":"hub","Secret":"word"}`)
	case server == "token.example":
		fmt.Println(`{"Username":"<token>","Secret":"word"}`)
	default:
		fmt.Println("credentials not found in native keychain")
		os.Exit(1)
	}
}

// helper puts a credential helper called test into PATH.
func helper(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Symlink(self, filepath.Join(dir, helperName)))
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func configured(t *testing.T, text string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600))
	return dir
}

func TestFromConfig(t *testing.T) {
	auth := base64.StdEncoding.EncodeToString([]byte("me:secret"))
	me := Credentials{Username: "me", Password: "secret"}
	helper(t)
	for name, c := range map[string]struct {
		config, env, registry string
		want                  Credentials
	}{
		"nothing":              {registry: "r.example"},
		"file":                 {config: `{"auths":{"r.example":{"auth":"` + auth + `"}}}`, registry: "r.example", want: me},
		"an old name":          {config: `{"auths":{"https://r.example/v1/":{"auth":"` + auth + `"}}}`, registry: "r.example", want: me},
		"the hub":              {config: `{"auths":{"https://index.docker.io/v1/":{"auth":"` + auth + `"}}}`, registry: "docker.io", want: me},
		"a token":              {config: `{"auths":{"r.example":{"registrytoken":"word"}}}`, registry: "r.example", want: Credentials{RegistryToken: "word"}},
		"another registry":     {config: `{"auths":{"r.example":{"auth":"` + auth + `"}}}`, registry: "evil.example"},
		"store":                {config: `{"credsStore":"test"}`, registry: "docker.io", want: Credentials{Username: "hub", Password: "word"}},
		"store, unknown":       {config: `{"credsStore":"test"}`, registry: "r.example"},
		"store, token":         {config: `{"credsStore":"test"}`, registry: "token.example", want: Credentials{IdentityToken: "word"}},
		"helper of another":    {config: `{"credHelpers":{"r.example":"test"},"auths":{"o.example":{"auth":"` + auth + `"}}}`, registry: "o.example", want: me},
		"environment first":    {config: `{"credsStore":"test"}`, env: `{"auths":{"https://index.docker.io/v1/":{"auth":"` + auth + `"}}}`, registry: "docker.io", want: me},
		"environment, unknown": {config: `{"credsStore":"test"}`, env: `{"auths":{"r.example":{"auth":"` + auth + `"}}}`, registry: "docker.io", want: Credentials{Username: "hub", Password: "word"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("DOCKER_AUTH_CONFIG", c.env)
			dir := t.TempDir()
			if c.config != "" {
				dir = configured(t, c.config)
			}
			got, err := FromConfig(t.Context(), dir, c.registry)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

// No error has what a helper prints, or what the environment has, not even behind
// errors.As.
func TestErrorsHaveNoSecrets(t *testing.T) {
	helper(t)
	t.Setenv(envFails, "1")
	t.Setenv("DOCKER_AUTH_CONFIG", "")
	_, err := FromConfig(t.Context(), configured(t, `{"credsStore":"test"}`), "r.example")
	require.EqualError(t, err, "credential helper docker-credential-test for r.example: exit status 3")
	require.NotContains(t, fmt.Sprintf("%+v %#v", err, err), "planted")
	t.Setenv("DOCKER_AUTH_CONFIG", "planted")
	_, err = FromConfig(t.Context(), "", "r.example")
	require.EqualError(t, err, "DOCKER_AUTH_CONFIG is not understood")
}
