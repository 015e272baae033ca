package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
)

// said is what a command line says that comes to no engine.
func said(t *testing.T, args ...string) (out, err string, status int) {
	t.Helper()
	c := newCommand()
	var stdout, stderr bytes.Buffer
	c.SetOut(&stdout)
	c.SetErr(&stderr)
	c.SetArgs(args)
	if failed := c.ExecuteContext(t.Context()); failed != nil {
		return stdout.String(), stderr.String() + trimName(failed), exitNotRun
	}
	return stdout.String(), stderr.String(), 0
}

// Every message says what to do next.
func TestMistakes(t *testing.T) {
	t.Setenv("SANDBOX_IMAGE", "")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(t.TempDir(), "no.sock"))
	for want, args := range map[string][]string{
		"there is no image; name one by --image or SANDBOX_IMAGE":                 {"run", "ls"},
		"there is no command; add it behind the flags":                            {"run", "--image", "x"},
		"want a size such as 512m or 2g":                                          {"run", "--memory", "x", "--image", "x", "ls"},
		"want missing, always or never":                                           {"run", "--pull", "x", "--image", "x", "ls"},
		"--mount /data: want SOURCE:TARGET":                                       {"run", "--mount", "/data", "--image", "x", "ls"},
		"--input: stat no-such-directory":                                         {"run", "--input", "no-such-directory", "--image", "x", "ls"},
		"unknown command \"start\" for \"sandbox\"":                               {"start"},
		"pull: engine at unix:///":                                                {"run", "--no-input", "--image", "x", "ls"},
		"engine at unix:///":                                                      {"doctor"},
		"--setup-network and --setup-timeout are for --setup":                     {"run", "--setup-timeout", "1s", "--image", "x", "ls"},
		"--egress-image is for --allow":                                           {"run", "--egress-image", "y", "--image", "x", "ls"},
		"--log-bytes is for --json":                                               {"run", "--log-bytes", "1k", "--image", "x", "ls"},
		"--git and --with-git exclude each other":                                 {"run", "--git", "--with-git", "--image", "x", "ls"},
		`"0.5" for "-m, --memory" flag: want a size`:                              {"run", "--memory", "0.5", "--image", "x", "ls"},
		`validate: Limits.CPUs -1`:                                                {"run", "--no-input", "--cpus", "-1", "--image", "x", "ls"},
		"without --config everyone who reaches it could run jobs here":            {"fleet", "serve", "--listen", "0.0.0.0:4222"},
		"--listen x: want an address with its port":                               {"fleet", "serve", "--listen", "x"},
		"sandbox fleet serve starts one, and --nats names another":                {"fleet", "status", "--nats", "nats://127.0.0.1:1"},
		"--tls-cert and --tls-key belong together":                                {"fleet", "worker", "--tls-cert", "x"},
		"there are 0 clients; name one by --client":                               {"fleet", "permissions"},
		"WorkerOptions.Lease 1ms: want a second or more":                          {"fleet", "serve", "--listen", "127.0.0.1:0", "--lease", "1ms"},
		"Config.Clients \"a.b\": want 1 to 64 letters":                            {"fleet", "serve", "--listen", "127.0.0.1:0", "--client", "a.b"},
		"Options.Host \"unix:///x\" and Options.Context \"y\" exclude each other": {"--host", "unix:///x", "--context", "y", "sweep"},
	} {
		_, err, status := said(t, args...)
		require.Contains(t, err, want)
		require.Equal(t, exitNotRun, status)
	}
}

func TestHelp(t *testing.T) {
	out, _, status := said(t, "run", "--help")
	require.Zero(t, status)
	require.Contains(t, out, "sandbox run --image golang:1.26 -- go test ./...")
	out, _, status = said(t, "completion", "bash")
	require.Zero(t, status)
	require.Contains(t, out, "__start_sandbox")
	out, _, _ = said(t, "version")
	require.Regexp(t, `^sandbox \S+, go\S+, \w+/\w+\n$`, out)
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"512m": 512 << 20, "2g": 2 << 30, "1.5k": 1536, "0": 0, "7": 7} {
		var s size
		require.NoError(t, s.Set(text))
		require.EqualValues(t, want, s)
		require.Equal(t, text, s.String())
	}
	var s size
	require.NoError(t, s.Set("1k"))
	require.EqualValues(t, 1, s.mebibytes())
	require.Error(t, s.Set("-1"))
}

// The flags are the job's fields.
func TestJob(t *testing.T) {
	f := &runFlags{
		image: "busybox", inputDir: "/in", collect: []string{"out", "/in/x"}, env: []string{"A=b=c"}, mounts: []string{"/data:/mnt", "/w:/w:rw", "/r:/r:ro"},
		memory: 100, disk: 1 << 20, artifactsBytes: 5, logBytes: 6, json: true, network: "none", setup: "make", setupTimeout: time.Minute,
		limits: sandbox.Limits{CPUs: 1.5, PIDs: 7, Timeout: time.Second},
	}
	j, err := f.job([]string{"ls", "-l"})
	require.NoError(t, err)
	require.Equal(t, sandbox.Job{
		Image: "busybox", Cmd: []string{"ls", "-l"}, Env: map[string]string{"A": "b=c"}, WorkDir: "/in", InputDir: "/in",
		Mounts:  []sandbox.Mount{{Source: "/data", Target: "/mnt", ReadOnly: true}, {Source: "/w", Target: "/w"}, {Source: "/r", Target: "/r", ReadOnly: true}},
		Collect: []string{"/in/out", "/in/x"}, Setup: sandbox.Setup{Cmd: []string{"sh", "-c", "make"}, Timeout: time.Minute},
		Limits: sandbox.Limits{CPUs: 1.5, MemoryMB: 1, PIDs: 7, Timeout: time.Second, Network: "none", LogBytes: 6, ArtifactBytes: 5, DiskMB: 1},
	}, j)
}

// unpack writes an archive's files below a directory.
func unpack(t *testing.T, dir string, force bool, headers ...tar.Header) error {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, h := range headers {
		h.Typeflag, h.Size, h.Mode = tar.TypeReg, 3, 0o644
		require.NoError(t, w.WriteHeader(&h))
		io.WriteString(w, "new")
	}
	require.NoError(t, w.Close())
	o := &output{dir: dir, force: force, names: map[string]string{}, links: map[string]bool{}}
	return o.unpack(&archive)
}

// Whatever an archive says, nothing is written elsewhere.
func TestUnpackStaysBelow(t *testing.T) {
	dir := t.TempDir()
	below := filepath.Join(dir, "below")
	require.NoError(t, os.Mkdir(below, 0o755))
	require.NoError(t, os.Symlink("..", filepath.Join(below, "up")))
	require.NoError(t, os.Symlink("../target", filepath.Join(below, "link")))
	for _, name := range []string{"../x", "/x", "up/x", "a/../../x"} {
		require.Error(t, unpack(t, below, true, tar.Header{Name: name}), name)
	}
	require.NoError(t, unpack(t, below, true, tar.Header{Name: "link"}), "the link is replaced")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.ErrorContains(t, unpack(t, below, false, tar.Header{Name: "link"}), "exists; use --force")
}

// A file that breaks off is not left in part.
func TestUnpackOfWhatBreaksOff(t *testing.T) {
	dir := t.TempDir()
	f := &runFlags{output: dir, collect: []string{"x"}}
	o, err := f.openOutput()
	require.NoError(t, err)
	w := tar.NewWriter(o.writer())
	require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "x", Size: 10}))
	io.WriteString(w, "12345")
	own := errors.New("lost")
	require.Equal(t, own, o.close(own))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "x"), []byte("old"), 0o644))
	_, err = f.openOutput()
	require.ErrorContains(t, err, "exists; use --force", "it is known before the run")
	f.force = true
	o, err = f.openOutput()
	require.NoError(t, err)
	w = tar.NewWriter(o.writer())
	require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "x", Size: 10}))
	io.WriteString(w, "12345")
	require.Equal(t, own, o.close(own))
	content, err := os.ReadFile(filepath.Join(dir, "x"))
	require.NoError(t, err)
	require.Equal(t, "old", string(content), "what it was to replace is still there")
}

// Nothing comes back by which a job could have this machine's git run a program.
func TestFilesOfGit(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, unpack(t, dir, false, tar.Header{Name: ".git/hooks/post-checkout"}, tar.Header{Name: "a/.GIT/config"}, tar.Header{Name: "b"}))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	for name, want := range map[string]bool{
		".git": true, "a/.git/b": true, "GIT~1/config": true, ".git. /x": true, ".g\u200cit/config": true, `a\.git\config`: true, ".git::$INDEX_ALLOCATION/x": true,
		".gitignore": false, "git/config": false, "a.git/b": false, ".github/x": false,
	} {
		require.Equal(t, want, ofGit(name), name)
	}
}

// Nor through a link that was there, and leads to no other place than below the directory.
func TestNothingIsWrittenThroughALink(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, ".git/hooks"), 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "build"), 0o755))
	require.NoError(t, os.Symlink("../.git/hooks", filepath.Join(dir, "build/x")))
	for _, force := range []bool{false, true} {
		require.ErrorContains(t, unpack(t, dir, force, tar.Header{Name: "build/x/post-checkout"}), "is below a link")
	}
	entries, err := os.ReadDir(filepath.Join(dir, ".git/hooks"))
	require.NoError(t, err)
	require.Empty(t, entries)
}

// Two names that are one on this disk do not replace each other.
func TestNamesThatFoldTogether(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		require.NoError(t, unpack(t, dir, true, tar.Header{Name: "a"}, tar.Header{Name: "A"}), "they are two here")
	}
	require.ErrorContains(t, unpack(t, dir, true, tar.Header{Name: "b"}, tar.Header{Name: "b"}), "are one file on this disk")
}

// A bar adds up the layers of a pull.
func TestPulled(t *testing.T) {
	s := newShow(new(bytes.Buffer), false)
	for _, p := range []sandbox.Progress{
		{Layer: "a", Status: "Downloading", Done: 1, Total: 10}, {Layer: "b", Status: "Downloading", Done: 2, Total: 20},
		{Layer: "a", Status: "Download complete"}, {Layer: "a", Status: "Extracting", Done: 5, Total: 10},
	} {
		s.pulled(p)
	}
	done, total := s.pulled(sandbox.Progress{Layer: "c", Status: "Waiting"})
	require.Equal(t, []int64{12, 30}, []int64{done, total})
	var text bytes.Buffer
	s = newShow(&text, false)
	s.progress(sandbox.Progress{Op: sandbox.OpStage, Done: 3 << 20})
	s.progress(sandbox.Progress{Op: sandbox.OpStage, Done: 4 << 20})
	require.Equal(t, "sandbox: upload: 3MiB\n", text.String())
}

// An error before the run is JSON, too.
func TestJSONOfAnError(t *testing.T) {
	out, err, status := said(t, "run", "--json", "--image", "x", "--input", "no-such-directory", "ls")
	require.Equal(t, exitNotRun, status)
	require.Contains(t, out, `"error": "--input: stat no-such-directory`)
	require.Contains(t, out, `"exit_code": -1`)
	require.Equal(t, "exit status 125", err)
}

// What came of a run decides the status.
func TestStatuses(t *testing.T) {
	killed := sandbox.Result{ExitCode: 137, TimedOut: true, SetupFailed: true}
	left := &sandbox.Error{Op: sandbox.OpCleanup, Err: sandbox.ErrCleanup}
	missed := map[string]error{"/workspace/x": errors.New("no such file")}
	for name, c := range map[string]struct {
		res    sandbox.Result
		err    error
		flags  runFlags
		status int
		says   string
	}{
		"success":          {status: 0},
		"failure":          {res: sandbox.Result{ExitCode: 3}, status: 3},
		"missed":           {res: sandbox.Result{Uncollected: missed}, status: 125, says: "not collected: no such file"},
		"failed, missed":   {res: sandbox.Result{ExitCode: 3, Uncollected: missed}, status: 3, says: "not collected: no such file"},
		"left":             {res: sandbox.Result{ExitCode: 0}, err: left, status: 0, says: "cleanup: clean-up failed"},
		"not run":          {res: sandbox.Result{ExitCode: -1}, err: &sandbox.Error{Op: sandbox.OpPull, Err: errors.New("no")}, status: 125, says: "pull: no"},
		"stopped":          {res: sandbox.Result{ExitCode: 137}, err: &sandbox.Error{Op: sandbox.OpWait, Err: context.Canceled}, status: 130},
		"timeout and more": {res: sandbox.Result{ExitCode: 137, TimedOut: true}, err: &sandbox.Error{Op: sandbox.OpCollect, Err: errors.New("full")}, status: 125, says: "the command was killed after"},
		"setup's timeout":  {res: killed, flags: runFlags{setupTimeout: time.Minute}, status: 125, says: "--setup was killed after 1m0s (--setup-timeout)"},
		"memory":           {res: sandbox.Result{ExitCode: 137, OOMKilled: true}, flags: runFlags{memory: 1 << 20}, status: 137, says: "more than --memory 1m"},
		"the machine's":    {res: sandbox.Result{ExitCode: 137, OOMKilled: true}, status: 137, says: "the engine's machine had no more memory"},
	} {
		t.Run(name, func(t *testing.T) {
			var text bytes.Buffer
			err := c.flags.conclude(c.res, c.err, streams{err: &text, out: io.Discard}, nil)
			var status exit
			if c.status == 0 {
				require.NoError(t, err)
			} else {
				require.ErrorAs(t, err, &status)
				require.EqualValues(t, c.status, status)
			}
			require.Contains(t, text.String(), c.says)
		})
	}
}
