//go:build unix

package registry

import (
	"os/exec"
	"syscall"
)

// ownGroup has a command end together with what it has started.
func ownGroup(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
}
