package enginetest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// StartSSHD starts an SSH server on loopback with keys of its own, and makes the ssh
// command of this process use them. It returns the server's HOST:PORT.
func StartSSHD(t *testing.T) string {
	t.Helper()
	sshd, err := exec.LookPath("sshd")
	if err != nil {
		sshd = "/usr/sbin/sshd"
	}
	ssh, err := exec.LookPath("ssh")
	require.NoError(t, err)
	dir := t.TempDir()
	for _, key := range []string{"host", "client"} {
		out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, key)).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := free.Addr().String()
	require.NoError(t, free.Close())
	host, port, _ := net.SplitHostPort(addr)
	write := func(name, format string, args ...any) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o700))
		return path
	}
	require.NoError(t, os.MkdirAll("/run/sshd", 0o755)) // for its unprivileged part
	server := write("sshd_config", "ListenAddress %s\nPort %s\nHostKey %s/host\nAuthorizedKeysFile %[3]s/client.pub\n"+
		"StrictModes no\nUsePAM no\nPermitRootLogin yes\nPidFile none\n", host, port, dir)
	client := write("ssh_config", "IdentityFile %s/client\nIdentitiesOnly yes\nBatchMode yes\nStrictHostKeyChecking no\nUserKnownHostsFile %[1]s/known\nLogLevel ERROR\n", dir)
	bin := filepath.Join(dir, "bin")
	require.NoError(t, os.Mkdir(bin, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(bin, "ssh"), fmt.Appendf(nil, "#!/bin/sh\nexec %s -F %s \"$@\"\n", ssh, client), 0o755))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))

	cmd := exec.Command(sshd, "-D", "-e", "-f", server)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, 10*time.Second, 20*time.Millisecond, "sshd does not listen")
	return addr
}
