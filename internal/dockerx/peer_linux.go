package dockerx

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// peer is who listens at a local socket: a process, and the file that it made.
type peer struct {
	process  int32
	dev, ino uint64
	made     syscall.Timespec
}

// peerAt tells who listens at an address, if that is a Docker Engine itself, and not a
// proxy, or an init that starts it: the kernel names the process that made the socket.
func peerAt(ctx context.Context, address string) (peer, bool) {
	path, local := strings.CutPrefix(address, "unix://")
	if !local {
		return peer{}, false
	}
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", path)
	if err != nil {
		return peer{}, false
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return peer{}, false
	}
	var by *syscall.Ucred
	if controlErr := raw.Control(func(fd uintptr) {
		by, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); controlErr != nil || err != nil {
		return peer{}, false
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", by.Pid))
	var file syscall.Stat_t
	if err != nil || strings.TrimSpace(string(name)) != "dockerd" || syscall.Stat(path, &file) != nil {
		return peer{}, false
	}
	return peer{by.Pid, uint64(file.Dev), file.Ino, file.Ctim}, true
}
