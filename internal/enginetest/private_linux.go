package enginetest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/client"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// PrivateEngine is a dockerd of a test's own, which may be killed. It lives in
// network, mount and PID namespaces of its own, so it disturbs no other engine,
// and what it made ends with the first process there. That is a shell, which
// takes orders; the end of its input is the end of everything.
type PrivateEngine struct {
	Host string
	API  *client.Client

	dir     string
	holder  *exec.Cmd
	orders  io.WriteCloser
	answers *bufio.Reader
}

// Setup is what is special about a private engine.
type Setup struct {
	HideController string   // a cgroup controller that it does not see
	Config         string   // daemon.json
	Flags          []string // of dockerd
}

// holderScript gets the directory and the parts of a Setup. Engines also write to
// fixed places below /run, /etc and /opt. bash reaps orphaned processes.
const holderScript = `set -eu
dir=$1 hidden=$2 config=$3; shift 3
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
for at in /etc /opt; do
	mkdir -p "$dir/upper$at" "$dir/work$at"
	mount -t overlay -o "lowerdir=$at,upperdir=$dir/upper$at,workdir=$dir/work$at" overlay "$at"
done
v2=/sys/fs/cgroup/cgroup.controllers
if [ "$hidden" ] && [ -e $v2 ]; then
	sed "s/$hidden//" $v2 >"$dir/controllers"
	mount --bind "$dir/controllers" $v2
elif [ "$hidden" ]; then
	umount "/sys/fs/cgroup/$hidden"
fi
ip link set lo up
echo "${config:-{\}}" >"$dir/daemon.json"
while read -r order; do
	case $order in
	start)
		rm -f "$dir/pid"
		dockerd --config-file "$dir/daemon.json" --host "unix://$dir/docker.sock" --pidfile "$dir/pid" \
			--data-root "$dir/data" --exec-root "$dir/exec" --storage-driver overlay2 \
			--exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/${dir##*/}" "$@" \
			>>"$dir/log" 2>&1 </dev/null &
		engine=$! ;;
	kill)
		kill -KILL "$engine"
		wait "$engine" 2>/dev/null || true ;;
	*)
		kill -"$order" "$engine" ;;
	esac
	echo done
done`

// NewPrivateEngine starts an engine, which ends with the test. It needs root.
func NewPrivateEngine(t testing.TB, s Setup) *PrivateEngine {
	t.Helper()
	base := os.Getenv("TMPDIR")
	if base == "" {
		base = "/var/tmp" // the engine's data is no overlay on an overlay there
	}
	dir, err := os.MkdirTemp(base, "sandbox-engine.")
	require.NoError(t, err)
	e := &PrivateEngine{dir: dir, Host: "unix://" + filepath.Join(dir, "docker.sock")}
	e.holder = exec.Command("bash", append([]string{"-c", holderScript, "bash", dir, s.HideController, s.Config}, s.Flags...)...)
	e.holder.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Setpgid:    true, // an interrupt is for the test
	}
	e.holder.Stderr = os.Stderr
	e.orders, err = e.holder.StdinPipe()
	require.NoError(t, err)
	answers, err := e.holder.StdoutPipe()
	require.NoError(t, err)
	e.answers = bufio.NewReader(answers)
	e.API, err = client.NewClientWithOpts(client.WithHost(e.Host), client.WithAPIVersionNegotiation())
	require.NoError(t, err)
	require.NoError(t, e.holder.Start(), "namespaces need root")
	t.Cleanup(func() { e.close(t) })
	e.Start(t)
	return e
}

// Order has something done to the engine: "start", "kill", or a signal by its name.
func (e *PrivateEngine) Order(t testing.TB, what string) {
	t.Helper()
	_, err := fmt.Fprintln(e.orders, what)
	require.NoError(t, err)
	answer, err := e.answers.ReadString('\n')
	require.NoError(t, err, "the holder of the engine has ended")
	require.Equal(t, "done\n", answer)
}

// Configure replaces the daemon.json that the engine reads when it starts.
func (e *PrivateEngine) Configure(t testing.TB, config string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(e.dir, "daemon.json"), []byte(config), 0o600))
}

// Start starts the engine and returns when it answers.
func (e *PrivateEngine) Start(t testing.TB) {
	t.Helper()
	e.Order(t, "start")
	deadline := time.Now().Add(45 * time.Second)
	for {
		_, err := e.API.Ping(context.Background())
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(e.dir, "log"))
			t.Fatalf("dockerd does not answer: %v; the end of its log:\n%s", err, log[max(0, len(log)-3000):])
		}
		<-time.After(50 * time.Millisecond)
	}
}

// close ends everything in the namespaces and removes what is left in files.
func (e *PrivateEngine) close(t testing.TB) {
	e.API.Close()
	e.orders.Close()
	e.holder.Process.Kill() // it may be busy
	e.holder.Wait()
	var cgroups []string
	filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.Contains(path, "/"+filepath.Base(e.dir)) {
			cgroups = append(cgroups, path)
		}
		return nil
	})
	for _, dir := range slices.Backward(cgroups) {
		os.Remove(dir)
	}
	if err := os.RemoveAll(e.dir); err != nil {
		t.Error(err)
	}
}

// Busybox makes the image of that name on the engine.
func (e *PrivateEngine) Busybox(t testing.TB) string {
	t.Helper()
	return importAs(t, e.API, "busybox:test", bytes.NewReader(tarball.Of(BusyboxFiles()...)))
}

// Left lists what the engine has of all runs.
func (e *PrivateEngine) Left(t testing.TB) []string {
	t.Helper()
	return Objects(t, e.API, owner.LabelRun)
}

// GVisor is an engine that has gVisor's runtime. Where machines are nested or have
// hybrid cgroups it runs without cgroups, and so without limits. It applies the
// seccomp profile only with --oci-seccomp.
var GVisor = Setup{Config: `{"runtimes": {"runsc": {"path": "runsc",
	"runtimeArgs": ["--platform=ptrace", "--ignore-cgroups", "--network=none", "--oci-seccomp"]}}}`}
