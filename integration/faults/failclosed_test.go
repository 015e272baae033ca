//go:build docker

package faults_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// edits are changes that somebody between the library and the engine could make to
// a create request. The key is the field that the error must name.
var edits = map[string]func(body, host map[string]any){
	"HostConfig.Privileged":     func(_, h map[string]any) { h["Privileged"] = true },
	"HostConfig.CapAdd":         func(_, h map[string]any) { h["CapAdd"] = []string{"SYS_ADMIN"} },
	"HostConfig.CapDrop":        func(_, h map[string]any) { h["CapDrop"] = nil },
	"HostConfig.SecurityOpt":    func(_, h map[string]any) { h["SecurityOpt"] = []string{"seccomp=unconfined"} },
	"HostConfig.ReadonlyRootfs": func(_, h map[string]any) { h["ReadonlyRootfs"] = false },
	"HostConfig.NetworkMode":    func(_, h map[string]any) { h["NetworkMode"] = "host" },
	"HostConfig.PidMode":        func(_, h map[string]any) { h["PidMode"] = "host" },
	"HostConfig.IpcMode":        func(_, h map[string]any) { h["IpcMode"] = "host" },
	"HostConfig.CgroupnsMode":   func(_, h map[string]any) { h["CgroupnsMode"] = "host" },
	"HostConfig.Binds":          func(_, h map[string]any) { h["Binds"] = []string{"/:/host"} },
	"HostConfig.GroupAdd":       func(_, h map[string]any) { h["GroupAdd"] = []string{"0"} },
	"HostConfig.MaskedPaths":    func(_, h map[string]any) { h["MaskedPaths"] = []string{} },
	"HostConfig.Memory ":        func(_, h map[string]any) { h["Memory"], h["MemorySwap"] = 0, 0 },
	"HostConfig.PidsLimit":      func(_, h map[string]any) { h["PidsLimit"] = 0 },
	"HostConfig.NanoCpus":       func(_, h map[string]any) { h["NanoCpus"] = 0 },
	"HostConfig.Ulimits":        func(_, h map[string]any) { h["Ulimits"] = nil },
	"HostConfig.LogConfig.Type": func(_, h map[string]any) { h["LogConfig"] = map[string]any{"Type": "json-file"} },
	"HostConfig.Init":           func(_, h map[string]any) { h["Init"] = false },
	"HostConfig.Devices": func(_, h map[string]any) {
		h["Devices"] = []map[string]any{{"PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "rwm"}}
	},
	"HostConfig.Mounts": func(_, h map[string]any) {
		h["Mounts"] = []map[string]any{{"Type": "bind", "Source": "/", "Target": "/host"}}
	},
	"Config.User": func(b, _ map[string]any) { b["User"] = "0:0" },
	"Config.Cmd":  func(b, _ map[string]any) { b["Cmd"] = []string{"sleep", "1000"} },
}

// An edited create request is detected before anything runs.
func TestEditedCreateNeverStarts(t *testing.T) {
	t.Parallel()
	enginetest.Busybox()
	for field, edit := range edits {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			p := enginetest.NewProxy(t, enginetest.API, editCreate(edit))
			r, err := sandbox.New(sandbox.Options{Host: p.Host})
			require.NoError(t, err)
			j := runtest.Shell("echo ran")
			j.Limits.CPUs, j.Limits.MemoryMB, j.Limits.PIDs = 0.5, 64, 16
			res, id, err := runtest.RunWith(context.Background(), r, j)
			require.NoError(t, r.Close())
			shown := strings.Replace(strings.TrimSpace(field), "NanoCpus", "NanoCPUs", 1)
			require.ErrorContains(t, err, shown)
			require.ErrorIs(t, err, sandbox.ErrUnsupported)
			require.Empty(t, res.Logs)
			require.Equal(t, -1, res.ExitCode)
			enginetest.AssertNothingLeft(t, id)
			assertNeverStarted(t, owner.NamePrefix+id, begin)
		})
	}
}

// editCreate changes the body of a create request.
func editCreate(edit func(body, host map[string]any)) func(*enginetest.Exchange) {
	return func(x *enginetest.Exchange) {
		if r := x.Request; x.Text == "POST /containers/create" {
			text := edited(r.Body, func(body map[string]any) { edit(body, body["HostConfig"].(map[string]any)) })
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
		}
		x.Forward()
	}
}

// edited applies a change to a JSON object. Anything else stays as it is.
func edited(r io.Reader, change func(map[string]any)) []byte {
	text, err := io.ReadAll(r)
	body := map[string]any{}
	if err == nil && json.Unmarshal(text, &body) == nil {
		change(body)
		text, _ = json.Marshal(body) // of what was JSON before
	}
	return text
}

// A limit or a protection that the engine would accept but not enforce is refused
// before the engine is asked for it.
func TestEngineWithoutDefences(t *testing.T) {
	t.Parallel()
	j := runtest.Shell("echo ran")
	j.Limits.CPUs, j.Limits.MemoryMB, j.Limits.PIDs = 0.5, 64, 16
	for name, c := range map[string]struct {
		info map[string]any
		want string
	}{
		"no seccomp":   {map[string]any{"SecurityOptions": []string{"name=apparmor"}}, "has no seccomp"},
		"no CPU quota": {map[string]any{"CpuCfsQuota": false}, "Limits.CPUs 0.5: not supported by this engine"},
		"no memory":    {map[string]any{"MemoryLimit": false}, "Limits.MemoryMB 64: not supported by this engine"},
		"no PIDs":      {map[string]any{"PidsLimit": false}, "Limits.PIDs 16: not supported by this engine"},
		"no cgroups":   {map[string]any{"CgroupDriver": "none"}, "Limits.PIDs 16: not supported by this engine"},
		"unconfined": {map[string]any{"SecurityOptions": []string{"name=seccomp,profile=unconfined"}},
			"runs containers without seccomp"},
		"Windows": {map[string]any{"OSType": "windows"}, "Linux containers are needed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := enginetest.NewProxy(t, enginetest.API, editInfo(c.info))
			r, err := sandbox.New(sandbox.Options{Host: p.Host})
			require.NoError(t, err)
			known, err := describe(p.Host)
			if err == nil && known.KnowsBuiltin && known.Seccomp == "unconfined" {
				// There the built-in profile is asked for, and the job is confined.
				j.Cmd[2] = "grep Seccomp: /proc/self/status"
				require.Contains(t, runtest.Output(t, j), "2")
				return
			}
			_, err = r.RunOnce(context.Background(), j)
			require.NoError(t, r.Close())
			require.ErrorIs(t, err, sandbox.ErrUnsupported)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// describe returns the engine's description of itself.
func describe(host string) (dockerx.Engine, error) {
	c, err := dockerx.New(host)
	if err != nil {
		return dockerx.Engine{}, err
	}
	defer c.Close()
	return c.Connect(context.Background())
}

// editInfo changes fields of the engine's description of itself.
func editInfo(fields map[string]any) func(*enginetest.Exchange) {
	return func(x *enginetest.Exchange) {
		answer := x.Ask()
		if x.Text == "GET /info" {
			text := edited(answer.Body, func(info map[string]any) { maps.Copy(info, fields) })
			answer.Body = io.NopCloser(bytes.NewReader(text))
			answer.Header.Set("Content-Length", strconv.Itoa(len(text)))
		}
		x.PassOn(answer)
	}
}

// assertNeverStarted looks for a start among the engine's events.
func assertNeverStarted(t *testing.T, name string, since time.Time) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	started, errs := enginetest.API.Events(ctx, events.ListOptions{
		Since: strconv.FormatInt(since.Add(-time.Minute).Unix(), 10), Until: strconv.FormatInt(time.Now().Add(time.Second).Unix(), 10),
		Filters: filters.NewArgs(filters.Arg("container", name), filters.Arg("event", "start")),
	})
	select {
	case e := <-started:
		require.Failf(t, "started", "%v", e)
	case err := <-errs:
		require.ErrorIs(t, err, io.EOF)
	}
}
