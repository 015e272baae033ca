package sandbox

import (
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/dockerx"
)

// goodJob is accepted; each bad job differs from it in one thing.
func goodJob() Job {
	return Job{Image: "busybox", Cmd: []string{"true"}}
}

// refusal runs a job against an engine that is not there, so that any answer but
// a refusal would be another step's error, and returns the refusal's text.
func refusal(t *testing.T, j Job) string {
	t.Helper()
	res, err := RunOnce(context.Background(), j)
	var step *Error
	require.ErrorAs(t, err, &step)
	require.Equal(t, OpValidate, step.Op, "%v", err)
	require.Equal(t, Result{ExitCode: -1}, res)
	text, found := strings.CutPrefix(err.Error(), "sandbox: validate: ")
	require.True(t, found, err.Error())
	return text
}

// noEngine is an address where nobody listens.
func noEngine(t *testing.T) string {
	return "unix://" + filepath.Join(t.TempDir(), "no.sock")
}

func TestBadJobs(t *testing.T) {
	t.Setenv("DOCKER_HOST", noEngine(t))
	id := strings.Repeat("0123456789abcdef", 4)
	mount := func(source, target string) func(*Job) {
		return func(j *Job) { j.Mounts = []Mount{{Source: source, Target: target, ReadOnly: true}} }
	}
	for name, c := range map[string]struct {
		edit func(*Job)
		want string // what the refusal begins with: the field, and the value
	}{
		"no image":             {func(j *Job) { j.Image = "" }, "Image is empty"},
		"upper case image":     {func(j *Job) { j.Image = "Busybox" }, `Image "Busybox"`},
		"image with a space":   {func(j *Job) { j.Image = "busy box" }, `Image "busy box"`},
		"image with a NUL":     {func(j *Job) { j.Image = "busy\x00box" }, `Image "busy\x00box"`},
		"image as a flag":      {func(j *Job) { j.Image = "-busybox" }, `Image "-busybox"`},
		"image, short digest":  {func(j *Job) { j.Image = "busybox@sha256:12" }, `Image "busybox@sha256:12"`},
		"no command":           {func(j *Job) { j.Cmd = nil }, "Cmd is empty"},
		"NUL in command":       {func(j *Job) { j.Cmd = []string{"a", "b\x00"} }, `Cmd[1] "b\x00"`},
		"empty env name":       {func(j *Job) { j.Env = map[string]string{"": "x"} }, "Env has an empty name;"},
		"env name with =":      {func(j *Job) { j.Env = map[string]string{"A=B": ""} }, `Env name "A"… contains "="`},
		"env name with NUL":    {func(j *Job) { j.Env = map[string]string{"A\x00": ""} }, `Env name "A\x00"`},
		"Cmd, no UTF-8":        {func(j *Job) { j.Cmd = []string{"\xff"} }, `Cmd[0] "\xff" is not valid UTF-8`},
		"path, no UTF-8":       {func(j *Job) { j.InputDir = "/\xff" }, `InputDir "/\xff" is not valid UTF-8`},
		"env value with NUL":   {func(j *Job) { j.Env = map[string]string{"A": "\x00"} }, `Env["A"] has a value that contains a NUL byte`},
		"argument too long":    {func(j *Job) { j.Cmd = []string{"a", strings.Repeat("x", 128<<10)} }, `Cmd[1] "xxxxxxxxxxxxxxxxxxxx"… has 131072 bytes`},
		"variable too long":    {func(j *Job) { j.Env = map[string]string{"A": strings.Repeat("x", 128<<10-2)} }, `Env["A"] has, with its name, 131072 bytes`},
		"arguments too long":   {func(j *Job) { j.Cmd = slices.Repeat([]string{strings.Repeat("x", 100<<10)}, 21) }, "Cmd and Env have 2150"},
		"too many arguments":   {func(j *Job) { j.Cmd = slices.Repeat([]string{""}, 250_000) }, "Cmd and Env have 2250"},
		"relative WorkDir":     {func(j *Job) { j.WorkDir = "src" }, `WorkDir "src"`},
		"root WorkDir":         {func(j *Job) { j.WorkDir = "/" }, `WorkDir "/"`},
		"WorkDir of a process": {func(j *Job) { j.WorkDir = "/proc/self/fd/7" }, `WorkDir "/proc/self/fd/7"`},
		"WorkDir with NUL":     {func(j *Job) { j.WorkDir = "/a\x00" }, `WorkDir "/a\x00"`},
		"relative InputDir":    {func(j *Job) { j.InputDir = "./src" }, `InputDir "./src"`},
		"root InputDir":        {func(j *Job) { j.InputDir = "//" }, `InputDir "//"`},
		"unclean InputDir":     {func(j *Job) { j.InputDir = "/a/../b" }, `InputDir "/a/../b" is not clean; write "/b"`},
		"two slashes":          {func(j *Job) { j.InputDir = "/a//" }, `InputDir "/a//" is not clean; write "/a"`},
		"InputDir in /sys":     {func(j *Job) { j.InputDir = "/sys/" }, `InputDir "/sys/"`},
		"relative Collect":     {func(j *Job) { j.Collect = []string{"/a", "b"} }, `Collect[1] "b"`},
		"Collect outside":      {func(j *Job) { j.Collect, j.OutputTar = []string{"/workspace/a", "/workspaces"}, io.Discard }, `Collect[1] "/workspaces" is outside of InputDir "/workspace"`},
		"empty Collect":        {func(j *Job) { j.Collect = []string{""} }, `Collect[0] ""`},
		"Collect in /dev":      {func(j *Job) { j.Collect = []string{"/dev/shm/a"} }, `Collect[0] "/dev/shm/a"`},
		"Collect twice":        {func(j *Job) { j.Collect = []string{"/a", "/a/"} }, `Collect[1] "/a" is listed twice`},
		"target relative":      {mount("/srv/x", "x"), `Mounts[0].Target "x"`},
		"target is root":       {mount("/srv/x", "/"), `Mounts[0].Target "/"`},
		"target in /proc":      {mount("/srv/x", "/proc/1"), `Mounts[0].Target "/proc/1"`},
		"target twice": {func(j *Job) { j.Mounts = []Mount{{"/srv/x", "/m", true}, {"/srv/y", "/m/", true}} },
			`Mounts[1].Target "/m" is also Mounts[0].Target`},
		"target in target": {func(j *Job) { j.Mounts = []Mount{{"/srv/x", "/m/a", true}, {"/srv/y", "/m", true}} },
			`Mounts[1].Target "/m" overlaps Mounts[0].Target "/m/a"`},
		"target over input": {func(j *Job) {
			j.InputTar, j.Mounts = strings.NewReader(""), []Mount{{"/srv/x", "/workspace", true}}
		}, `InputDir "/workspace" is covered by Mounts[0].Target "/workspace"`},
		"source relative":   {mount("srv", "/m"), `Mounts[0].Source "srv"`},
		"source empty":      {mount("", "/m"), `Mounts[0].Source ""`},
		"source is root":    {mount("/", "/m"), `Mounts[0].Source "/"`},
		"source unclean":    {mount("/srv/../etc", "/m"), `Mounts[0].Source "/srv/../etc" is not clean`},
		"source with NUL":   {mount("/srv\x00", "/m"), `Mounts[0].Source "/srv\x00"`},
		"source in /proc":   {mount("/proc/1/root", "/m"), `Mounts[0].Source "/proc/1/root"`},
		"source is /sys":    {mount("/sys/", "/m"), `Mounts[0].Source "/sys"`},
		"source in /dev":    {mount("/dev/sda", "/m"), `Mounts[0].Source "/dev/sda"`},
		"engine's data":     {mount("/var/lib/docker/volumes", "/m"), `Mounts[0].Source "/var/lib/docker/volumes"`},
		"above engine data": {mount("/var", "/m"), `Mounts[0].Source "/var"`},
		"engine's socket":   {mount("/var/run/docker.sock", "/m"), `Mounts[0].Source "/var/run/docker.sock"`},
		"the same, by link": {mount("/run/docker.sock", "/m"), `Mounts[0].Source "/run/docker.sock"`},
		"containerd":        {mount("/run/containerd", "/m"), `Mounts[0].Source "/run/containerd"`},
		"CPUs negative":     {func(j *Job) { j.Limits.CPUs = -1 }, "Limits.CPUs -1"},
		"CPUs NaN":          {func(j *Job) { j.Limits.CPUs = math.NaN() }, "Limits.CPUs NaN"},
		"CPUs infinite":     {func(j *Job) { j.Limits.CPUs = math.Inf(1) }, "Limits.CPUs +Inf"},
		"CPUs overflow":     {func(j *Job) { j.Limits.CPUs = 1e10 }, "Limits.CPUs 1e+10"},
		"CPUs too few":      {func(j *Job) { j.Limits.CPUs = 0.009 }, "Limits.CPUs 0.009"},
		"memory negative":   {func(j *Job) { j.Limits.MemoryMB = -1 }, "Limits.MemoryMB -1"},
		"memory overflow":   {func(j *Job) { j.Limits.MemoryMB = 1 << 43 }, "Limits.MemoryMB 8796093022208"},
		"memory too little": {func(j *Job) { j.Limits.MemoryMB = 5 }, "Limits.MemoryMB 5: the minimum is 6"},
		"PIDs negative":     {func(j *Job) { j.Limits.PIDs = -1 }, "Limits.PIDs -1"},
		"one PID":           {func(j *Job) { j.Limits.PIDs = 1 }, "Limits.PIDs 1: the minimum is 2"},
		"too many PIDs":     {func(j *Job) { j.Limits.PIDs = 4<<20 + 1 }, "Limits.PIDs 4194305: the kernel's maximum is 4194304"},
		"timeout negative":  {func(j *Job) { j.Limits.Timeout = -time.Second }, "Limits.Timeout -1s"},
		"logs negative":     {func(j *Job) { j.Limits.LogBytes = -1 }, "Limits.LogBytes -1"},
		"artifacts neg.":    {func(j *Job) { j.Limits.ArtifactBytes = -1 }, "Limits.ArtifactBytes -1"},
		"host network":      {func(j *Job) { j.Limits.Network = "host" }, `Limits.Network "host" is not isolated`},
		"another's network": {func(j *Job) { j.Limits.Network = "container:x" }, `Limits.Network "container:x" is not isolated`},
		"a namespace":       {func(j *Job) { j.Limits.Network = "ns:/proc/1/ns/net" }, `Limits.Network "ns:/proc/1/ns/net" is not isolated`},
		"default network":   {func(j *Job) { j.Limits.Network = "default" }, `Limits.Network "default" is not isolated`},
		"network by ID":     {func(j *Job) { j.Limits.Network = id }, `Limits.Network "` + id + `" is an ID`},
		"malformed network": {func(j *Job) { j.Limits.Network = "a b" }, `Limits.Network "a b" is malformed`},
	} {
		t.Run(name, func(t *testing.T) {
			j := goodJob()
			c.edit(&j)
			text := refusal(t, j)
			require.True(t, strings.HasPrefix(text, c.want), "got %q, want it to begin with %q", text, c.want)
			require.NotContains(t, text, "\n", "one problem, one line")
		})
	}
}

func TestBadJobsReportEverythingAtOnce(t *testing.T) {
	t.Setenv("DOCKER_HOST", noEngine(t))
	text := refusal(t, Job{WorkDir: "x", Collect: []string{"y"}, Limits: Limits{PIDs: 1, MemoryMB: 1, Network: "host"}})
	for _, field := range []string{"Image", "Cmd", "WorkDir", "Collect[0]", "Limits.PIDs", "Limits.MemoryMB", "Limits.Network"} {
		require.Contains(t, text, field)
	}
	require.Equal(t, 6, strings.Count(text, "\n"))
}

// A value can be a secret, and an error is often logged.
func TestErrorsHaveNoValuesOfEnv(t *testing.T) {
	t.Setenv("DOCKER_HOST", noEngine(t))
	for name, value := range map[string]string{"": "secret", "A": "secret\x00", "B": "secret\xff", "C=secret": "", "D": strings.Repeat("secret", 30_000)} {
		j := goodJob()
		j.Env = map[string]string{name: value}
		require.NotContains(t, refusal(t, j), "secret")
	}
}

// What the image adds counts, too: its variables but for those that the job replaces,
// and its ENTRYPOINT.
func TestArgumentsWithTheImages(t *testing.T) {
	t.Setenv("DOCKER_HOST", noEngine(t))
	long := strings.Repeat("x", 120<<10)
	j := goodJob()
	j.Cmd, j.Env = slices.Repeat([]string{long}, 15), map[string]string{"A": long}
	p, err := newPlan(j, noEngine(t))
	require.NoError(t, err)
	for want, image := range map[string]dockerx.Image{
		"":                             {Env: []string{"A=" + long, "PATH=/bin"}},
		"the image and the engine add": {Env: []string{"B=" + long}, Entrypoint: []string{"/bin/env"}},
	} {
		_, err := p.directories(image)
		if want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
		}
	}
}

// The time for checking paths grows with their number, and not with its square.
func TestManyPaths(t *testing.T) {
	t.Setenv("DOCKER_HOST", noEngine(t))
	took := func(n int) time.Duration {
		j := goodJob()
		j.Image = "" // so that all the rest is checked, and nothing more is done
		for i := range n {
			j.Collect = append(j.Collect, fmt.Sprintf("/workspace/%d", i))
			j.Mounts = append(j.Mounts, Mount{"/srv/x", fmt.Sprintf("/m/%d", i), true})
		}
		start := time.Now()
		require.Contains(t, refusal(t, j), "Image")
		return time.Since(start)
	}
	few := min(took(1000), took(1000), took(1000))
	require.Less(t, min(took(16_000), took(16_000)), 160*few, "16 times as many")
}

// What must not be refused ends at the engine that is not there.
func TestGoodJobs(t *testing.T) {
	t.Setenv("DOCKER_HOST", noEngine(t))
	for name, edit := range map[string]func(*Job){
		"plain":           func(*Job) {},
		"by digest":       func(j *Job) { j.Image = "busybox@sha256:" + strings.Repeat("0", 64) },
		"by ID":           func(j *Job) { j.Image = "sha256:" + strings.Repeat("0", 64) },
		"registry, port":  func(j *Job) { j.Image = "127.0.0.1:5000/a/b:v1" },
		"trailing slash":  func(j *Job) { j.InputDir, j.WorkDir, j.Collect = "/work/", "/work/", []string{"/work/"} },
		"odd names":       func(j *Job) { j.InputDir = `/a b/"c"/$(d)` },
		"least limits":    func(j *Job) { j.Limits = Limits{CPUs: 0.01, MemoryMB: 6, PIDs: 2, Network: "none"} },
		"most arguments":  func(j *Job) { j.Cmd = []string{"echo", strings.Repeat("x", 128<<10-1)} },
		"most PIDs":       func(j *Job) { j.Limits.PIDs = 4 << 20 },
		"empty argument":  func(j *Job) { j.Cmd = []string{"echo", ""} },
		"own network":     func(j *Job) { j.Limits.Network = "my_net-1.a" },
		"mount on a side": func(j *Job) { j.Mounts = []Mount{{"/srv/x:y", "/m:n", true}, {"/srv/x", "/mm", false}} },
	} {
		t.Run(name, func(t *testing.T) {
			j := goodJob()
			edit(&j)
			_, err := RunOnce(context.Background(), j)
			var step *Error
			require.ErrorAs(t, err, &step)
			require.Equal(t, OpPull, step.Op, "%v", err)
		})
	}
}
