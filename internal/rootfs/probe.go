package rootfs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
)

// probePackage is the program that tests run in images without a shell.
const probePackage = "github.com/synchestra-io/sandbox/integration/attacks/probe/program"

// Probe returns a static binary of the probe for Linux on this machine's
// architecture. A process builds it once, with the go command, which must find
// this module from the working directory. Callers must not change the slice.
func Probe() ([]byte, error) { return builtProbe() }

var builtProbe = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "probe")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "probe")
	build := exec.Command("go", "build", "-o", file, probePackage)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH)
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the probe: %w\n%s", err, output)
	}
	return os.ReadFile(file)
})
