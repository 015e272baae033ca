//go:build docker

package sandbox

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

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// privateEngine is a dockerd of a test's own, which may be killed. It lives in
// network, mount and PID namespaces of its own, so it disturbs no other engine,
// and what it made ends with the first process there. That is a shell, which
// takes orders; the end of its input is the end of everything.
type privateEngine struct {
	dir, host string
	api       *client.Client
	holder    *exec.Cmd
	orders    io.WriteCloser
	answers   *bufio.Reader
}

// engineSetup is what is special about a private engine.
type engineSetup struct {
	hidden string   // a cgroup controller that it does not see
	config string   // daemon.json
	flags  []string // of dockerd
}

// holderScript gets the directory and a setup's parts. Engines also write to fixed places below /run, /etc
// and /opt. bash reaps what is orphaned.
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

func newPrivateEngine(t *testing.T, s engineSetup) *privateEngine {
	t.Helper()
	base := os.Getenv("TMPDIR")
	if base == "" {
		base = "/var/tmp" // the engine's data is no overlay on an overlay there
	}
	dir, err := os.MkdirTemp(base, "sandbox-engine.")
	require.NoError(t, err)
	e := &privateEngine{dir: dir, host: "unix://" + filepath.Join(dir, "docker.sock")}
	e.holder = exec.Command("bash", append([]string{"-c", holderScript, "bash", dir, s.hidden, s.config}, s.flags...)...)
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
	e.api, err = client.NewClientWithOpts(client.WithHost(e.host), client.WithAPIVersionNegotiation())
	require.NoError(t, err)
	require.NoError(t, e.holder.Start(), "namespaces need root")
	t.Cleanup(func() { e.close(t) })
	e.start(t)
	return e
}

// order makes the holder do something: start, kill, or send a signal.
func (e *privateEngine) order(t *testing.T, what string) {
	t.Helper()
	_, err := fmt.Fprintln(e.orders, what)
	require.NoError(t, err)
	answer, err := e.answers.ReadString('\n')
	require.NoError(t, err, "the holder of the engine has ended")
	require.Equal(t, "done\n", answer)
}

// start returns when the engine answers.
func (e *privateEngine) start(t *testing.T) {
	t.Helper()
	e.order(t, "start")
	deadline := time.Now().Add(45 * time.Second)
	for {
		_, err := e.api.Ping(context.Background())
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
func (e *privateEngine) close(t *testing.T) {
	e.api.Close()
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

// busybox makes the image of that name on the engine.
func (e *privateEngine) busybox(t *testing.T) string {
	t.Helper()
	source := image.ImportSource{Source: bytes.NewReader(tarball.Of(busyboxFiles()...)), SourceName: "-"}
	body, err := e.api.ImageImport(context.Background(), source, "busybox:test", image.ImportOptions{})
	require.NoError(t, err)
	defer body.Close()
	_, err = io.Copy(io.Discard, body)
	require.NoError(t, err)
	return "busybox:test"
}

// left lists the objects of all runs on the engine, as errors name them.
func (e *privateEngine) left(t *testing.T) []string {
	t.Helper()
	runs := filters.NewArgs(filters.Arg("label", owner.LabelRun))
	containers, err := e.api.ContainerList(context.Background(), container.ListOptions{All: true, Filters: runs})
	require.NoError(t, err)
	volumes, err := e.api.VolumeList(context.Background(), volume.ListOptions{Filters: runs})
	require.NoError(t, err)
	var left []string
	for _, c := range containers {
		left = append(left, "container "+strings.TrimPrefix(c.Names[0], "/"))
	}
	for _, v := range volumes.Volumes {
		left = append(left, "volume "+v.Name)
	}
	return left
}
