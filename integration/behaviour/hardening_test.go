//go:build docker

package behaviour_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// openFiles is an image in which anybody may write anywhere, so that only the engine
// keeps a job out.
func openFiles() []tarball.File {
	return []tarball.File{
		{Name: "./", Mode: 0o777}, {Name: "bin/", Mode: 0o777}, {Name: "etc/", Mode: 0o777}, {Name: "usr/", Mode: 0o777},
		{Name: "probe", Body: enginetest.ProbeFile().Body, Mode: 0o777},
	}
}

// hardened is what the probe reports from every container on network "none" with 64
// MiB of memory. writable are additional paths that the job may write to.
func hardened(writable map[string]string) map[string]string {
	want := map[string]string{
		"Uid": "65532 65532 65532 65532", "Gid": "65532 65532 65532 65532", "all groups": "65532",
		"CapInh": "0000000000000000", "CapPrm": "0000000000000000", "CapEff": "0000000000000000",
		"CapBnd": "0000000000000000", "CapAmb": "0000000000000000",
		"NoNewPrivs": "1", "Seccomp": "2", "core limit": "0 0",
		"pid 1": initProgram(), "parent": "1", "processes": "",
		"cgroup": "/", "interfaces": "lo", "unmasked": "", "not readonly": "",
		"write to /":    "read-only file system",
		"write to /bin": "read-only file system",
		"write to /etc": "read-only file system",
		"write to /usr": "read-only file system",

		"writable /dev/full": "", "writable /dev/random": "", "writable /dev/tty": "",
		"writable /dev/urandom": "", "writable /dev/zero": "", "writable /dev/pts/ptmx": "",
		"writable /dev/mqueue": "mqueue",
		"writable /dev/shm":    "tmpfs of 64 MiB",
		"writable /tmp":        "tmpfs of 32 MiB, exec",
		"writable /workspace":  "tmpfs of 32 MiB, exec",
	}
	for path, what := range writable {
		want["writable "+path] = what
	}
	return want
}

// initProgram is where the engine has its init in a container.
func initProgram() string {
	if enginetest.Podman() {
		return "/run/podman-init"
	}
	return "/sbin/docker-init"
}

// requireHardened runs the probe, or the job's own command, and compares the report.
func requireHardened(t *testing.T, j sandbox.Job, want map[string]string) {
	t.Helper()
	if j.Cmd == nil {
		j.Cmd = []string{"/probe", "report"}
	}
	j.Limits.MemoryMB, j.Limits.Timeout = 64, time.Minute
	if j.Limits.Network == "" {
		j.Limits.Network = "none"
	}
	report := probeOutput(t, j)
	for _, kind := range []string{"cgroup", "ipc", "mnt", "net", "pid", "uts"} {
		ours, err := os.Readlink("/proc/self/ns/" + kind)
		require.NoError(t, err)
		require.NotEmpty(t, report["namespace "+kind])
		require.NotEqual(t, ours, report["namespace "+kind])
		delete(report, "namespace "+kind)
	}
	require.Equal(t, want, report)
}

func probeOutput(t *testing.T, j sandbox.Job) map[string]string {
	t.Helper()
	var report map[string]string
	require.NoError(t, json.Unmarshal([]byte(runtest.Output(t, j)), &report))
	return report
}

func TestHardeningWhateverTheImageHolds(t *testing.T) {
	t.Parallel()
	for name, files := range map[string][]tarball.File{
		"no-tmp": nil,
		"users": {
			{Name: "etc/passwd", Body: "root:x:0:0::/:/bin/sh\nroot2:x:65532:0::/:/bin/sh\n65532:x:0:0::/:/bin/sh\n"},
			{Name: "etc/group", Body: "root:x:0:root2\nwheel:x:10:root2,65532\nown:x:65532:root\n"},
		},
		"roots-directories":   {{Name: "tmp/"}, {Name: "workspace/"}, {Name: "workspace/file", Body: "hidden"}},
		"private-directories": {{Name: "tmp/", Mode: 0o700}, {Name: "workspace/", Mode: 0o700}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image := enginetest.MakeImage(t, name, append(openFiles(), files...))
			requireHardened(t, sandbox.Job{Image: image}, hardened(nil))
		})
	}
}

func TestHardeningWhateverTheJobWants(t *testing.T) {
	t.Parallel()
	image := enginetest.MakeImage(t, "open", openFiles())
	bridged := hardened(nil)
	bridged["interfaces"] = "lo eth0"
	for name, c := range map[string]struct {
		job  sandbox.Job
		want map[string]string
	}{
		"bridge":    {sandbox.Job{Limits: sandbox.Limits{Network: "bridge"}}, bridged},
		"input":     {sandbox.Job{InputTar: bytes.NewReader(tarball.Of(tarball.File{Name: "d/", Mode: 0o500}))}, hardened(map[string]string{"/workspace": "disk, exec", "/workspace/d": "disk, exec"})},
		"input dir": {sandbox.Job{InputDir: "/usr/src"}, hardened(map[string]string{"/usr/src": "tmpfs of 32 MiB, exec"})},
		"artifact":  {sandbox.Job{Collect: []string{"/tmp/file"}}, hardened(map[string]string{"/tmp": "disk, exec"})},
		"env":       {sandbox.Job{Env: map[string]string{"HOME": "/etc", "USER": "root"}}, hardened(nil)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.job.Image = image
			requireHardened(t, c.job, c.want)
		})
	}
}

func TestLimitsAsTheContainerSeesThem(t *testing.T) {
	t.Parallel()
	info, err := enginetest.API.Info(t.Context())
	require.NoError(t, err)
	unlimited := map[string]string{"cpus": "max", "memory": "max", "swap": "max", "pids": "max"}
	for name, c := range map[string]struct {
		limits sandbox.Limits
		want   map[string]string
	}{
		"none":          {sandbox.Limits{}, nil},
		"half a CPU":    {sandbox.Limits{CPUs: 0.5}, map[string]string{"cpus": "0.5"}},
		"1.5 CPUs":      {sandbox.Limits{CPUs: 1.5}, map[string]string{"cpus": fmt.Sprint(min(1.5, float64(info.NCPU)))}},
		"too many CPUs": {sandbox.Limits{CPUs: 1e6}, map[string]string{"cpus": fmt.Sprint(info.NCPU)}},
		"memory":        {sandbox.Limits{MemoryMB: 64}, map[string]string{"memory": "67108864", "swap": "0"}},
		"processes":     {sandbox.Limits{PIDs: 33}, map[string]string{"pids": "33"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := maps.Clone(unlimited)
			maps.Copy(want, c.want)
			if !info.SwapLimit {
				delete(want, "swap")
			}
			c.limits.Network = "none"
			got := probeOutput(t, sandbox.Job{Image: enginetest.Scratch(), Cmd: []string{"/probe", "limits"}, Limits: c.limits})
			if c.limits.PIDs == 0 && len(got["pids"]) >= len("1000") { // systemd's own, see Limits.PIDs
				got["pids"] = "max"
			}
			require.Equal(t, want, got)
		})
	}
}

// A shell that cannot fork ends, so the loop has a shell of its own. The commands
// after it are built in and take no process.
func TestForkLoopMeetsTheLimit(t *testing.T) {
	t.Parallel()
	j := runtest.Shell("exec 2>&1; list=$(seq 100); (for i in $list; do sleep 1000 & done); set -- /proc/[0-9]*; echo $# processes")
	j.Limits.PIDs = 10
	j.Limits.Timeout = time.Minute
	text := runtest.Output(t, j)
	require.Contains(t, text, "can't fork: Resource temporarily unavailable")
	require.True(t, strings.HasSuffix(text, "\n9 processes\n"), text)
}

// tail keeps all of its input, because it has no newline.
func TestMemoryHogIsKilled(t *testing.T) {
	t.Parallel()
	j := runtest.Shell("head -c 200000000 /dev/zero | tail >/dev/null")
	j.Limits.MemoryMB = 32
	j.Limits.Timeout = time.Minute
	res := runtest.OK(t, j)
	require.Equal(t, 137, res.ExitCode)
	require.False(t, res.TimedOut)
}
