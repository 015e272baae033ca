package discover

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// place is where an engine on this host would be.
type place struct {
	of   string // whose it is
	path string // of the socket; on Windows of the pipe
}

// defaultPlace is the one that the docker command uses if nothing else is said.
func defaultPlace() place {
	if runtime.GOOS == "windows" {
		return place{"Docker", "//./pipe/docker_engine"}
	}
	return place{"Docker", "/var/run/docker.sock"}
}

// localPlaces returns where engines on this host are by default, the first choice first.
func localPlaces() []place {
	places := []place{defaultPlace()}
	if runtime.GOOS == "windows" {
		return places
	}
	private := os.Getenv("XDG_RUNTIME_DIR")
	if private == "" {
		private = fmt.Sprintf("/run/user/%d", os.Getuid())
	}
	places = append(places, place{"rootless Docker", filepath.Join(private, "docker.sock")})
	if home := homeDir(); home != "" {
		places = append(places, place{"Docker Desktop", filepath.Join(home, ".docker/run/docker.sock")})
	}
	return append(places,
		place{"rootless Podman", filepath.Join(private, "podman/podman.sock")},
		place{"Podman", "/run/podman/podman.sock"})
}

func (p place) host() string {
	if strings.HasPrefix(p.path, "//./pipe/") {
		return "npipe://" + p.path
	}
	return "unix://" + p.path
}

// missing says why there is no engine for this user, "" = there is a socket, whether or
// not somebody listens or it may be used.
func (p place) missing() string {
	_, err := os.Stat(p.path)
	switch {
	case err == nil:
		return ""
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		return "does not exist"
	}
	return err.Error() // the directory may not be looked at
}

// advice says what to do about an engine that does not answer.
func advice(host string, err error) string {
	socket, local := strings.CutPrefix(host, "unix://")
	if !local {
		return ""
	}
	info, statErr := os.Stat(socket)
	switch {
	case errors.Is(err, fs.ErrPermission) || errors.Is(statErr, fs.ErrPermission):
		return "; this user may not connect to the socket: add it to the group docker, which makes it root on the host, or use a rootless engine"
	case errors.Is(statErr, fs.ErrNotExist):
		return "; the socket does not exist: start the engine, or correct the address"
	case statErr == nil && info.Mode()&fs.ModeSocket == 0:
		return "; that is not a socket: correct the address"
	case statErr == nil:
		return "; nobody listens at the socket: start the engine"
	}
	return ""
}
