//go:build docker

package faults_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
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
	"HostConfig.MemorySwap":          func(_, h map[string]any) { h["MemorySwap"] = 1 << 40 },
	"HostConfig.OomKillDisable":      func(_, h map[string]any) { h["OomKillDisable"] = true },
	"HostConfig.CgroupParent":        func(_, h map[string]any) { h["CgroupParent"] = "evil.slice" },
	"HostConfig.UsernsMode":          func(_, h map[string]any) { h["UsernsMode"] = "host" },
	"HostConfig.Runtime":             func(_, h map[string]any) { h["Runtime"] = "io.containerd.runc.v2" },
	"HostConfig.MaskedPaths lacks":   func(_, h map[string]any) { h["MaskedPaths"] = []string{"/proc/kcore"} },
	"HostConfig.ReadonlyPaths lacks": func(_, h map[string]any) { h["ReadonlyPaths"] = []string{"/proc/sys"} },
	"Config.User":                    func(b, _ map[string]any) { b["User"] = "0:0" },
	"Config.Cmd":                     func(b, _ map[string]any) { b["Cmd"] = []string{"sleep", "1000"} },
	"Config.Image":                   func(b, _ map[string]any) { b["Image"] = enginetest.Scratch() },
	"Config.Entrypoint":              func(b, _ map[string]any) { b["Entrypoint"] = []string{"/evil"} },
	"Config.Env":                     func(b, _ map[string]any) { b["Env"] = append(b["Env"].([]any), "LD_PRELOAD=/evil.so") },
	"Config.Volumes":                 func(b, _ map[string]any) { b["Volumes"] = map[string]any{"/evil": map[string]any{}} },
	"Config.WorkingDir":              func(b, _ map[string]any) { b["WorkingDir"] = "/tmp" },
	"Config.Labels":                  func(b, _ map[string]any) { b["Labels"] = nil },
	"Config.AttachStdin":             func(b, _ map[string]any) { b["AttachStdin"] = true },
	"Config.Domainname":              func(b, _ map[string]any) { b["Domainname"] = "evil" },
	"Config.Healthcheck":             func(b, _ map[string]any) { b["Healthcheck"] = map[string]any{"Test": []string{"CMD", "/evil"}} },
	"Config.Hostname":                func(b, _ map[string]any) { b["Hostname"] = "evil" },
	"Config.NetworkDisabled":         func(b, _ map[string]any) { b["NetworkDisabled"] = false },
	"NetworkSettings.Networks was": func(b, _ map[string]any) {
		b["NetworkDisabled"], b["NetworkingConfig"] = false, endpoints("bridge", map[string]any{})
	},
	"NetworkSettings.Networks.bridge.DriverOpts": func(b, _ map[string]any) {
		b["NetworkingConfig"] = endpoints("bridge", map[string]any{"DriverOpts": map[string]string{"x": "y"}})
	},
}

// endpoints is the part of a create request that attaches to a network.
func endpoints(name string, settings map[string]any) map[string]any {
	return map[string]any{"EndpointsConfig": map[string]any{name: settings}}
}

// An edited create request is detected before anything runs.
func TestEditedCreateNeverStarts(t *testing.T) {
	t.Parallel()
	enginetest.Busybox()
	enginetest.Scratch()
	for field, edit := range edits {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			p := enginetest.NewProxy(t, enginetest.API, editCreate("job", edit))
			r, err := sandbox.New(sandbox.Options{Host: p.Host})
			require.NoError(t, err)
			j := runtest.Shell("echo ran")
			j.Limits.CPUs, j.Limits.MemoryMB, j.Limits.PIDs = 0.5, 64, 16
			if strings.Contains(field, ".bridge.") {
				j.Limits.Network = "bridge"
			}
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

// So is an edited create request of the container that holds a disk.
func TestEditedHolderNeverStarts(t *testing.T) {
	t.Parallel()
	for field, edit := range map[string]func(body, host map[string]any){
		"HostConfig.Memory ":   func(_, h map[string]any) { h["Memory"], h["MemorySwap"] = 0, 0 },
		"HostConfig.PidsLimit": func(_, h map[string]any) { h["PidsLimit"] = 0 },
		"HostConfig.Mounts":    func(_, h map[string]any) { h["Mounts"] = h["Mounts"].([]any)[:1] },
		"Config.Entrypoint":    func(b, _ map[string]any) { b["Entrypoint"] = []string{"/bin/sh"} },
		"Config.Cmd":           func(b, _ map[string]any) { b["Cmd"] = []string{"evil"} },
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			p := enginetest.NewProxy(t, enginetest.API, editCreate("job-stage", edit))
			r, err := sandbox.New(sandbox.Options{Host: p.Host})
			require.NoError(t, err)
			_, id, err := runtest.RunWith(context.Background(), r, runtest.ShellWithDisk("echo ran", 16))
			require.NoError(t, r.Close())
			enginetest.AssertNothingLeft(t, id)
			assertNeverStarted(t, owner.NamePrefix+id+"-stage", begin)
			if field == "HostConfig.Mounts" {
				require.Error(t, err, "the upload of the program fails before")
				return
			}
			require.ErrorContains(t, err, field)
			require.ErrorIs(t, err, sandbox.ErrUnsupported)
		})
	}
}

// editCreate changes the body of the create request for a container.
func editCreate(name string, edit func(body, host map[string]any)) func(*enginetest.Exchange) {
	return func(x *enginetest.Exchange) {
		if r := x.Request; x.Name == name && x.Text == "POST /containers/create" {
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
