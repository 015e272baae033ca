//go:build docker

package behaviour_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// withSetup adds a Setup to a job.
func withSetup(j sandbox.Job, script string) sandbox.Job {
	j.Setup = sandbox.Setup{Cmd: []string{"sh", "-c", script}, Network: "none"}
	return j
}

// Setup does not decide where a mount, a directory of the run's or the working directory of
// Cmd is, whatever it renames: what is no directory there ends the run.
func TestSetupOnClaimedPaths(t *testing.T) {
	t.Parallel()
	dir := graderDir(t)
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("grader\n"), 0o644))
	volume := enginetest.MakeImage(t, "setup-volume", enginetest.BusyboxFiles(), `VOLUME ["/workspace/a/b"]`)
	mounted := func(source, target string) func(*sandbox.Job) {
		return func(j *sandbox.Job) { j.Mounts = []sandbox.Mount{{Source: source, Target: target, ReadOnly: true}} }
	}
	for name, c := range map[string]struct {
		setup string
		edit  func(*sandbox.Job)
		want  string // of the error, "" = it runs
		plain bool   // nothing has to be looked at; everything else Podman refuses
	}{
		"a mount moved away":      {"mv a c", mounted(dir, "/workspace/a/b"), "", false},
		"a link above a mount":    {"mv a c; ln -s c a", mounted(dir, "/workspace/a/b"), `"/workspace/a" is a symbolic link, but Mounts[0].Target "/workspace/a/b" is below it`, false},
		"a link at a mount":       {"mv a c; mkdir a; ln -s ../c a/b", mounted(dir, "/workspace/a/b"), `"/workspace/a/b" is a symbolic link, but Mounts[0].Target "/workspace/a/b" is there`, false},
		"a link into nothing":     {"mv a c; ln -s /no/such a", mounted(dir, "/workspace/a/b"), `"/workspace/a" is a symbolic link`, false},
		"a fifo at a mount":       {"mv a c; mkdir a; mkfifo a/b", mounted(dir, "/workspace/a/b"), `"/workspace/a/b" is a special file`, false},
		"a file that is a mount":  {"true", mounted(file, "/workspace/a/b"), "", false},
		"a link at such a file":   {"mv a c; mkdir a; ln -s /etc/passwd a/b", mounted(file, "/workspace/a/b"), `"/workspace/a/b" is a symbolic link`, false},
		"a link at a VOLUME":      {"mv a c; mkdir a; ln -s .. a/b", func(j *sandbox.Job) { j.Image = volume }, `"/workspace/a/b" is a symbolic link, but the image's VOLUME "/workspace/a/b" is there`, false},
		"a link above a VOLUME":   {"mv a c; ln -s /tmp a", func(j *sandbox.Job) { j.Image = volume }, `"/workspace/a" is a symbolic link`, false},
		"a VOLUME moved away":     {"mv a c", func(j *sandbox.Job) { j.Image = volume }, "", false},
		"a link in a VOLUME":      {"mv a/b/c a/b/z; ln -s /tmp a/b/c", func(j *sandbox.Job) { j.Image = volume; mounted(dir, "/workspace/a/b/c/d")(j) }, `"/workspace/a/b/c" is a symbolic link`, false},
		"the same, at its mount":  {"mv a c; mkdir a; ln -s ../../tmp/v a/b; mkdir a/b/x || true", func(j *sandbox.Job) { j.Image = volume }, `"/workspace/a/b" is a symbolic link`, false},
		"a link for WorkDir":      {"cd /; rmdir /tmp/w; ln -s /proc/self/fd /tmp/w", func(j *sandbox.Job) { j.WorkDir = "/tmp/w" }, `"/tmp/w" is a symbolic link, but WorkDir "/tmp/w" is there`, false},
		"a link above WorkDir":    {"cd /; mv /tmp/w /tmp/x; ln -s x /tmp/w", func(j *sandbox.Job) { j.WorkDir = "/tmp/w/x" }, `"/tmp/w" is a symbolic link`, false},
		"a file for WorkDir":      {"cd /; rmdir /tmp/w; echo >/tmp/w", func(j *sandbox.Job) { j.WorkDir = "/tmp/w" }, `"/tmp/w" is a regular file, but WorkDir`, false},
		"no WorkDir":              {"cd /; rmdir /tmp/w", func(j *sandbox.Job) { j.WorkDir = "/tmp/w" }, "", false},
		"a link above Collect":    {"ln -s /tmp out", func(j *sandbox.Job) { j.Collect = []string{"/workspace/out/x"} }, `"/workspace/out" is a symbolic link, but the directory of Collect[0] "/workspace/out" is there`, true},
		"a link at Collect":       {"ln -s /tmp out", func(j *sandbox.Job) { j.Collect = []string{"/workspace/out"} }, "", true},
		"the next InputDir":       {"cd /; mv /workspace/a /workspace/c; ln -s c /workspace/a", func(j *sandbox.Job) { j.InputDir = "/workspace/a/b" }, `"/workspace/a" is a symbolic link, but the writable directory "/workspace/a/b" is below it`, false},
		"a long name for Collect": {"true", func(j *sandbox.Job) { j.Collect = []string{"/workspace/" + strings.Repeat("x", 300) + "/x"} }, "", true},
		"no rights":               {"chmod 0 /workspace /tmp", func(*sandbox.Job) {}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withAndWithoutDisk(t, func(t *testing.T, megabytes int64) {
				j := withSetup(runtest.Shell("echo ran"), "set -e; cd /workspace; "+c.setup)
				j.Limits.DiskMB = megabytes
				c.edit(&j)
				res, err := runtest.Do(t, j)
				if enginetest.Podman() && !c.plain {
					runtest.RequireOwnError(t, err, sandbox.OpStage)
					require.ErrorIs(t, err, sandbox.ErrUnsupported)
					require.Nil(t, res.SetupLogs)
					return
				}
				require.False(t, res.SetupFailed, "%s", res.SetupLogs)
				if c.want == "" || enginetest.Podman() {
					require.NoError(t, err)
					require.Equal(t, "ran\n", string(res.Logs))
					return
				}
				runtest.RequireOwnError(t, err, sandbox.OpStage)
				require.ErrorContains(t, err, "Setup: "+c.want)
				require.Equal(t, -1, res.ExitCode)
				require.Nil(t, res.Logs)
			})
		})
	}
}

// What is mounted for Cmd is what was asked for, at its place, whatever Setup made there.
func TestSetupLeavesMountsInPlace(t *testing.T) {
	t.Parallel()
	dir := graderDir(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "f"), []byte("grader\n"), 0o644))
	withAndWithoutDisk(t, func(t *testing.T, megabytes int64) {
		j := withSetup(runtest.Shell("cat /workspace/a/b/f; cat /workspace/c/b/f; grep -c /workspace/ /proc/mounts"),
			"cd /workspace && mv a c && mkdir -p a/b && echo forged >a/b/f && echo kept >other")
		j.Limits.DiskMB = megabytes
		j.Mounts = []sandbox.Mount{{Source: dir, Target: "/workspace/a/b", ReadOnly: true}}
		j.Collect = []string{"/workspace/other", "/workspace/a/b/f"}
		if enginetest.Podman() {
			refused(t, j, sandbox.OpStage, `"/workspace/a": `+sandbox.ErrUnsupported.Error())
			return
		}
		res := runtest.OK(t, j)
		require.Contains(t, string(res.Logs), "grader\n")
		require.NotContains(t, string(res.Logs), "forged")
		require.Contains(t, string(res.Logs), "\n1\n", "there is one mount inside: %s", res.Logs)
		require.Equal(t, "kept\n", string(res.Artifacts["/workspace/other"]))
	})
}

// Setup can write to a mount that is not read-only, and the working directory of Cmd may be
// in it.
func TestSetupAndWorkDirInAMount(t *testing.T) {
	t.Parallel()
	// On a rootless engine a job's files are nobody's that can remove them, but a job's.
	empty := func(dir string) {
		j := runtest.Shell("rm -rf /m/*")
		j.Mounts = []sandbox.Mount{{Source: dir, Target: "/m"}}
		runtest.OK(t, j)
	}
	for setup, want := range map[string]string{
		"true": "", "mkdir /m/a /m/a/b": "", "ln -s /proc/self/fd /m/a": `"/m/a" is a symbolic link, but the working directory "/m/a/b" is below it`,
		"mkdir /m/a; ln -s / /m/a/b": `"/m/a/b" is a symbolic link, but the working directory "/m/a/b" is there`,
	} {
		dir := sharedDir(t)
		require.NoError(t, os.Chmod(dir, 0o777))
		j := withSetup(runtest.Shell("pwd"), "cd /; rm -rf /m/a 2>/dev/null; mv /m/a /m/old; "+setup)
		j.WorkDir = "/m/a/b"
		j.Mounts = []sandbox.Mount{{Source: dir, Target: "/m"}}
		res, err := runtest.Do(t, j)
		empty(dir)
		if enginetest.Podman() {
			runtest.RequireOwnError(t, err, sandbox.OpStage)
			require.ErrorIs(t, err, sandbox.ErrUnsupported)
			continue
		}
		if want == "" {
			require.NoError(t, err, setup)
			require.Equal(t, "/m/a/b\n", string(res.Logs), "%s: %s", setup, res.SetupLogs)
			continue
		}
		runtest.RequireOwnError(t, err, sandbox.OpCreate)
		require.ErrorContains(t, err, want)
	}
	if enginetest.Podman() {
		return
	}

	// The image's WORKDIR, and the same directory by a mount that is read-only.
	dir := sharedDir(t)
	require.NoError(t, os.Chmod(dir, 0o777))
	j := withSetup(runtest.Shell("pwd"), "cd /; rm -rf /m/a; ln -s /proc/self/fd /m/a")
	j.Image = enginetest.MakeImage(t, "setup-workdir", enginetest.BusyboxFiles(), "WORKDIR /r/a/b")
	j.Mounts = []sandbox.Mount{{Source: dir, Target: "/m"}, {Source: dir, Target: "/r", ReadOnly: true}}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "a", "b"), 0o777))
	require.NoError(t, os.Chmod(filepath.Join(dir, "a"), 0o777))
	_, err := runtest.Do(t, j)
	empty(dir)
	runtest.RequireOwnError(t, err, sandbox.OpCreate)
	require.ErrorContains(t, err, `"/r/a" is a symbolic link, but the working directory "/r/a/b" is below it`)
}

// An image whose own links lead to what is claimed is refused: they can lead through what
// Setup can write to, and what is mounted there for Cmd would be where Setup wants it.
func TestSetupAndLinksOfTheImage(t *testing.T) {
	t.Parallel()
	dir := graderDir(t)
	for name, c := range map[string]struct {
		link map[string]string
		edit func(*sandbox.Job)
		want string // "" = it runs
	}{
		"WorkDir":             {map[string]string{"app": "/workspace/app"}, func(j *sandbox.Job) { j.WorkDir = "/app/src" }, `WorkDir "/app/src"`},
		"InputDir":            {map[string]string{"app": "/workspace"}, func(j *sandbox.Job) { j.InputDir = "/app/data" }, `the writable directory "/app/data"`},
		"a mount":             {map[string]string{"app": "workspace/x"}, func(j *sandbox.Job) { j.Mounts = []sandbox.Mount{{Source: dir, Target: "/app/data", ReadOnly: true}} }, `Mounts[0].Target "/app/data"`},
		"by another name":     {map[string]string{"tmp": "var/tmp"}, func(j *sandbox.Job) { j.WorkDir = "/var/tmp/w" }, `"/tmp"`},
		"the directory moved": {map[string]string{"tmp": "var/tmp"}, func(j *sandbox.Job) { j.WorkDir = "/tmp/w" }, `"/tmp"`},
		"a link elsewhere":    {map[string]string{"app": "/srv"}, func(j *sandbox.Job) { j.WorkDir = "/app/src" }, `WorkDir "/app/src"`},
		"two links":           {map[string]string{"app": "/workspace/x/y", "workspace/x": "/srv"}, func(j *sandbox.Job) { j.WorkDir = "/app" }, `WorkDir "/app"`},
		"no link on the way":  {map[string]string{"app": "/srv"}, func(j *sandbox.Job) { j.WorkDir = "/workspace/w" }, ""},
		"hidden by a mount":   {map[string]string{"app": "/workspace"}, func(j *sandbox.Job) { j.Mounts = []sandbox.Mount{{Source: dir, Target: "/app", ReadOnly: true}} }, `Mounts[0].Target "/app"`},
	} {
		if enginetest.Podman() && c.link["tmp"] != "" {
			continue // see TestPodmanRefusesLinksOfTheImage
		}
		if enginetest.Podman() && c.want == "" {
			c.want = `"/workspace/w"` // in which it would not tell a link
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withAndWithoutDisk(t, func(t *testing.T, megabytes int64) {
				j := withSetup(runtest.Shell("echo ran"), "true")
				j.Image, j.Limits.DiskMB = linkedImage(t, c.link), megabytes
				c.edit(&j)
				_, err := runtest.Do(t, j)
				if c.want == "" {
					require.NoError(t, err)
					return
				}
				runtest.RequireOwnError(t, err, sandbox.OpStage)
				require.ErrorIs(t, err, sandbox.ErrUnsupported)
				require.ErrorContains(t, err, c.want)
			})
		})
	}
}

// Where a mount covers the directory for an input, everything else is as it would be.
func TestMountOverInputDir(t *testing.T) {
	t.Parallel()
	dir := graderDir(t)
	withAndWithoutDisk(t, func(t *testing.T, megabytes int64) {
		for _, setup := range []sandbox.Setup{{}, {Cmd: []string{"true"}, Network: "none"}} {
			j := runtest.Shell("echo x >/tmp/x; ls /workspace")
			j.Limits.DiskMB, j.Setup = megabytes, setup
			j.Mounts, j.Collect = []sandbox.Mount{{Source: dir, Target: "/workspace", ReadOnly: true}}, []string{"/tmp/x"}
			res := runtest.OK(t, j)
			require.Equal(t, "sub\n", string(res.Logs))
			require.Equal(t, "x\n", string(res.Artifacts["/tmp/x"]))
		}
	})
}

// The source of a mount that Setup could replace by a link is refused.
func TestSetupAndNestedSources(t *testing.T) {
	t.Parallel()
	j := withSetup(runtest.Shell("echo ran"), "true")
	j.Mounts = []sandbox.Mount{{Source: "/srv/a", Target: "/a"}, {Source: "/srv/a/b", Target: "/b", ReadOnly: true}}
	refused(t, j, sandbox.OpValidate, `Mounts[1].Source "/srv/a/b" is inside the source "/srv/a", which Setup can write to`)
	j.Mounts[0].ReadOnly = true
	refused(t, j, sandbox.OpCreate, `"/srv/a`) // they do not exist
}

// Setup and Cmd share the disk, and it is told when Setup has filled it.
func TestSetupAndDisk(t *testing.T) {
	t.Parallel()
	fill := func(mib int) string { return fmt.Sprintf("dd if=/dev/zero of=$HOME/big bs=1M count=%d", mib) }
	j := withSetup(runtest.ShellWithDisk("stat -c %s $HOME/big; cat /dev/shm/x; "+strings.Replace(fill(6), "big", "more", 1), 16), "echo x >/dev/shm/x; "+fill(12))
	res := runtest.OK(t, j)
	require.Equal(t, 1, res.ExitCode)
	require.Contains(t, string(res.Logs), "12582912\n")
	require.Contains(t, string(res.Logs), "x\n")
	require.True(t, res.DiskFull)

	j = withSetup(runtest.ShellWithDisk("echo ran", 16), fill(20))
	res = runtest.OK(t, j)
	require.True(t, res.SetupFailed)
	require.True(t, res.DiskFull)
	require.Nil(t, res.Logs)
}

// Setup's memory has the same cap as Cmd's, and its end makes room.
func TestSetupAndMemory(t *testing.T) {
	j := withSetup(runtest.Shell("echo ran"), "exec tail -c 200000000 /dev/zero")
	j.Limits.MemoryMB = 32
	res := runtest.OK(t, j)
	for again := 0; !res.OOMKilled && again < 5; again++ { // a busy engine loses reports
		res = runtest.OK(t, j)
	}
	require.True(t, res.SetupFailed)
	require.True(t, res.OOMKilled)
	require.Equal(t, 137, res.ExitCode)
	require.Nil(t, res.Logs)
}

// A run that is cut off while Setup runs ends as any other, and Cmd never starts.
func TestSetupIsCutOff(t *testing.T) {
	t.Parallel()
	errWriter := errors.New("the writer's own error")
	b := bounds.Default()
	b.Writer, b.Ending = time.Second, 10*time.Second
	for name, c := range map[string]struct {
		output func(cancel func()) io.Writer
		want   error
	}{
		"cancel":            {func(cancel func()) io.Writer { return writes(func() error { cancel(); return nil }) }, context.Canceled},
		"a writer fails":    {func(func()) io.Writer { return writes(func() error { return errWriter }) }, errWriter},
		"cancel and a hang": {func(cancel func()) io.Writer { return writes(func() error { cancel(); select {} }) }, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(bounds.With(context.Background(), b))
			defer cancel()
			j := withSetup(runtest.Shell("echo ran"), "echo begun; sleep 60; echo later")
			j.Setup.Output = c.output(cancel)
			j.InputTar, j.Collect = bytes.NewReader(tarball.Of()), []string{"/workspace/x"}
			start := time.Now()
			res, err := runtest.DoContext(t, ctx, j)
			require.Less(t, time.Since(start), 30*time.Second)
			// The engine can be slower with its answer to the start than with the output.
			step := runtest.RequireStep(t, err, sandbox.OpStart, sandbox.OpWait)
			require.ErrorIs(t, err, c.want)
			require.Equal(t, step.Op == sandbox.OpWait, res.SetupFailed)
			require.Equal(t, step.Op == sandbox.OpWait, res.ExitCode == 137)
			require.Equal(t, "begun\n", string(res.SetupLogs))
			require.Nil(t, res.Logs)
			require.Nil(t, res.Artifacts)
		})
	}
}

// A writer that fails when Setup has ended leaves Cmd without a start, too.
func TestSetupUndelivered(t *testing.T) {
	t.Parallel()
	errWriter := errors.New("the writer's own error")
	b := bounds.Default()
	j := withSetup(runtest.Shell("echo ran"), "echo last")
	j.Setup.Output = writes(func() error { <-time.After(time.Second); return errWriter })
	res, err := runtest.DoContext(t, bounds.With(context.Background(), b), j)
	runtest.RequireOwnError(t, err, sandbox.OpWait)
	require.ErrorIs(t, err, errWriter)
	require.ErrorContains(t, err, "Setup: ")
	require.Nil(t, res.Logs)
	require.Equal(t, "last\n", string(res.SetupLogs))
}

func writes(f func() error) io.Writer {
	return runtest.WriterFunc(func(p []byte) (int, error) {
		if err := f(); err != nil {
			return 0, err
		}
		return len(p), nil
	})
}

// Processes that Setup leaves behind are gone before Cmd starts.
func TestSetupLeavesNoProcess(t *testing.T) {
	t.Parallel()
	j := withSetup(runtest.Shell("sleep 2; test -s /tmp/ticks || exit 1; cat /tmp/ticks | wc -l >/tmp/a; sleep 2; cat /tmp/ticks | wc -l >/tmp/b; cmp /tmp/a /tmp/b && echo still"),
		"touch /tmp/ticks; (trap '' TERM HUP; setsid sh -c 'while :; do echo x >>/tmp/ticks; usleep 1000; done' >/dev/null 2>&1) & sleep 1")
	require.Equal(t, "still\n", runtest.Output(t, j))
}
