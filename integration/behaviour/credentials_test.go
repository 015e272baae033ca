//go:build docker

package behaviour_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// privateImage is an image that only its registry has, and only for those who log in.
func privateImage(t *testing.T, name string, secure bool) (*enginetest.Registry, string) {
	t.Helper()
	r := enginetest.NewPrivateRegistry(t, secure)
	ref, _ := r.Move(t, probeImage(t, name), name)
	return r, ref
}

// runWith runs a job with options, and removes its image.
func runWith(t *testing.T, ctx context.Context, o sandbox.Options, j sandbox.Job) (sandbox.Result, error) {
	t.Helper()
	r, err := sandbox.New(o)
	require.NoError(t, err)
	res, id, err := runtest.RunWith(ctx, r, j)
	require.NoError(t, r.Close())
	enginetest.AssertNothingLeft(t, id)
	if res.ImageID != "" {
		enginetest.RemoveImage(t, res.ImageID)
	}
	return res, err
}

// configure writes a configuration of the docker command's, and a credential helper
// called test, which knows no registry but that one, and prints answer for it.
func configure(t *testing.T, config map[string]any, registry, answer string) {
	t.Helper()
	dir := t.TempDir()
	text, err := json.Marshal(config)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), text, 0o600))
	script := "#!/bin/sh\nread registry\ncase $registry in\n" + registry + ") " + answer + ";;\n*) echo 'credentials not found in native keychain'; exit 1;;\nesac\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "docker-credential-test"), []byte(script), 0o755))
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("DOCKER_AUTH_CONFIG", "")
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// A private image is pulled with the credentials that the docker command would use, or
// with the caller's. Without them, and with wrong ones, the error says what to do.
func TestPullOfAPrivateImage(t *testing.T) {
	for _, secure := range []bool{true, false} {
		t.Run(fmt.Sprintf("TLS %t", secure), func(t *testing.T) { testPrivateImage(t, secure) })
	}
}

// testPrivateImage has the cases with a refusal for a registry without TLS only.
func testPrivateImage(t *testing.T, secure bool) {
	reg, ref := privateImage(t, "private", secure)
	login := base64.StdEncoding.EncodeToString([]byte(reg.Username + ":" + reg.Password))
	auths := func(auth string) map[string]any {
		return map[string]any{"auths": map[string]any{reg.Addr: map[string]string{"auth": auth}}}
	}
	hit := fmt.Sprintf(`echo '{"ServerURL":"%s","Username":"%s","Secret":"%s"}'`, reg.Addr, reg.Username, reg.Password)
	for name, c := range map[string]struct {
		config map[string]any
		helper string
		ask    func(context.Context, string) (sandbox.Credentials, error)
		want   string // in the error; "" = none
	}{
		"config file":    {config: auths(login)},
		"store":          {config: map[string]any{"credsStore": "test"}, helper: hit},
		"helper":         {config: map[string]any{"credHelpers": map[string]string{reg.Addr: "test"}}, helper: hit},
		"helper, not us": {config: map[string]any{"credHelpers": map[string]string{"example.com": "test"}}, helper: hit, want: "use docker login or Options.Credentials"},
		"nobody":         {want: "use docker login or Options.Credentials"},
		"wrong password": {config: auths(base64.StdEncoding.EncodeToString([]byte("tester:wrong-secret"))), want: `refuses the credentials for user "tester"`},
		"helper fails":   {config: map[string]any{"credsStore": "test"}, helper: "echo wrong-secret; echo wrong-secret >&2; exit 3", want: "credential helper docker-credential-test for " + reg.Addr + ": exit status 3"},
		"helper babbles": {config: map[string]any{"credsStore": "test"}, helper: "echo wrong-secret", want: "its answer is not understood"},
		"no such helper": {config: map[string]any{"credsStore": "absent"}, want: "docker-credential-absent"},
		"callback": {ask: func(_ context.Context, from string) (sandbox.Credentials, error) {
			if from != reg.Addr {
				return sandbox.Credentials{}, fmt.Errorf("asked for %q", from)
			}
			return sandbox.Credentials{Username: reg.Username, Password: reg.Password}, nil
		}},
		"callback refuses": {ask: func(context.Context, string) (sandbox.Credentials, error) {
			return sandbox.Credentials{}, errors.New("the vault is locked")
		}, want: "the vault is locked"},
		"callback, wrong": {ask: func(context.Context, string) (sandbox.Credentials, error) {
			return sandbox.Credentials{Username: "tester", Password: "wrong-secret"}, nil
		}, want: `refuses the credentials for user "tester"`},
	} {
		if secure && c.want != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			configure(t, c.config, reg.Addr, c.helper)
			res, err := runWith(t, context.Background(), sandbox.Options{Credentials: c.ask}, probeJob(ref))
			if c.want == "" {
				require.NoError(t, err)
				require.Equal(t, "private", string(res.Logs))
				return
			}
			requirePullError(t, err, c.want)
			require.NotContains(t, err.Error(), "-secret")
			require.NotContains(t, err.Error(), login)
		})
	}
}

// A helper that waits for somebody at a keyboard is ended with all that it has started,
// as soon as the context ends.
func TestCredentialHelperThatHangs(t *testing.T) {
	reg, ref := privateImage(t, "hanging", true)
	marker := filepath.Join(t.TempDir(), "marker")
	configure(t, map[string]any{"credsStore": "test"}, reg.Addr, "sleep 1000 & echo $! >"+marker+"; wait")
	enginetest.CheckGoroutines(t)
	ctx, cancel := context.WithCancel(context.Background())
	var canceled time.Time
	var sleeper string
	looked := make(chan struct{})
	go func() {
		defer close(looked)
		for sleeper == "" && ctx.Err() == nil {
			text, _ := os.ReadFile(marker)
			sleeper = strings.TrimSpace(string(text))
			<-time.After(10 * time.Millisecond)
		}
		canceled = time.Now()
		cancel()
	}()
	bound := promptly(t)
	_, err := runWith(t, ctx, sandbox.Options{}, probeJob(ref))
	cancel()
	<-looked
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, time.Since(canceled), bound)
	require.NotEmpty(t, sleeper, "the helper was run")
	require.Eventually(t, func() bool {
		state, err := os.ReadFile("/proc/" + sleeper + "/stat")
		return err != nil || strings.Contains(string(state), ") Z ")
	}, 5*time.Second, 10*time.Millisecond, "what the helper started is left")
}

// Credentials go to the engine with the pull, and nowhere else.
func TestCredentialsAreNowhere(t *testing.T) {
	reg, ref := privateImage(t, "nowhere", true)
	configure(t, nil, reg.Addr, "")
	r, err := sandbox.New(sandbox.Options{Credentials: func(context.Context, string) (sandbox.Credentials, error) {
		return sandbox.Credentials{Username: reg.Username, Password: reg.Password}, nil
	}})
	require.NoError(t, err)
	_, err = r.RunOnce(t.Context(), sandbox.Job{Image: ref, Cmd: []string{"nothing"}, Limits: sandbox.Limits{Network: "none"}})
	require.NoError(t, err)
	inspected, err := enginetest.API.ImageInspect(t.Context(), ref)
	require.NoError(t, err)

	// The run beside which everything is looked at has the same image, and the login.
	j := runtest.WaitingJob(enginetest.Busybox())
	id, ended := runtest.Start(t.Context(), r, j)
	name := owner.NamePrefix + id
	require.NoError(t, enginetest.WaitStarted(t.Context(), enginetest.API, name))
	var found []any
	for _, container := range []string{name, name + "-stage"} {
		c, err := enginetest.API.ContainerInspect(t.Context(), container)
		require.NoError(t, err)
		found = append(found, c)
	}
	v, err := enginetest.API.VolumeInspect(t.Context(), name+"-0")
	require.NoError(t, err)
	enginetest.Release(t.Context(), enginetest.API, name)
	end := <-ended
	require.NoError(t, end.Err)
	require.NoError(t, r.Close())
	text, err := json.Marshal(append(found, v, inspected, end))
	require.NoError(t, err)
	require.Contains(t, string(text), id)
	for _, secret := range []string{reg.Password, base64.StdEncoding.EncodeToString([]byte(reg.Password)), base64.StdEncoding.EncodeToString([]byte(reg.Username + ":" + reg.Password))} {
		require.NotContains(t, string(text), secret)
	}
	enginetest.RemoveImage(t, ref)
}
