// Package discover finds the engine as the docker command does: by a host or a context
// that the caller names, by the environment, by the current context, and else by the
// local sockets that exist.
package discover

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/user"
	"path/filepath"

	"github.com/docker/cli/cli/config"
)

// Request names an engine; with both fields empty the environment does.
type Request struct{ Host, Context string }

// Engine is where an engine is. It need not be running.
type Engine struct {
	Host    string      // such as "unix:///run/docker.sock"
	Context bool        // it is that of a docker context, so DOCKER_TLS_VERIFY and DOCKER_CERT_PATH do not apply
	TLS     *tls.Config // of the context; nil = it has none
	Origin  string      // what chose it, such as "DOCKER_HOST"
	// Sockets are the sockets on this host that exist or were chosen. None of them may
	// be mounted.
	Sockets []string

	tried []string // if nothing chose an engine: the places without one, and why
}

const (
	envHost    = "DOCKER_HOST"
	envContext = "DOCKER_CONTEXT"
	builtin    = "default" // the name of the context that stands for the environment and the local sockets
)

// Find returns the engine that the request, the environment and the docker command's
// configuration select. What is named explicitly, or is the current context, is never
// replaced by something else. Find reads files, and connects to nothing.
func Find(r Request) (Engine, error) {
	local := localPlaces()
	e, err := find(r, local)
	if err != nil {
		return Engine{}, err
	}
	for _, p := range local {
		if p.missing() == "" {
			e.Sockets = append(e.Sockets, p.path)
		}
	}
	if u, err := url.Parse(e.Host); err == nil && u.Scheme == "ssh" && u.Path != "" {
		e.Sockets = append(e.Sockets, u.Path) // where the other end may be this host, too
	}
	return e, nil
}

func find(r Request, local []place) (Engine, error) {
	if r.Host != "" && r.Context != "" {
		return Engine{}, fmt.Errorf("Options.Host %q and Options.Context %q exclude each other; set one of them", r.Host, r.Context)
	}
	if r.Host != "" {
		return Engine{Host: r.Host, Origin: "Options.Host"}, nil
	}
	if r.Context != "" && r.Context != builtin {
		return fromContext(r.Context, "Options.Context")
	}
	if host := os.Getenv(envHost); host != "" {
		return Engine{Host: host, Origin: envHost}, nil
	}
	if r.Context == "" {
		name, origin, err := chosenContext()
		if err != nil {
			return Engine{}, err
		}
		if name != "" && name != builtin {
			return fromContext(name, origin)
		}
	}
	var tried []string
	for _, p := range local {
		why := p.missing()
		if why == "" {
			return Engine{Host: p.host(), Origin: "the first local socket that exists"}, nil
		}
		tried = append(tried, fmt.Sprintf("%s (%s): %s", p.host(), p.of, why))
	}
	return Engine{Host: local[0].host(), Origin: "the default", tried: tried}, nil
}

// chosenContext returns the name of the context that the environment or the docker
// command's configuration selects, and which of them.
func chosenContext() (name, origin string, err error) {
	if name := os.Getenv(envContext); name != "" {
		return name, envContext, nil
	}
	dir := ConfigDir()
	if dir == "" {
		return "", "", nil
	}
	file, err := config.Load(dir)
	if err != nil {
		return "", "", fmt.Errorf("the docker command's configuration: %w; repair it, or set DOCKER_HOST", err)
	}
	return file.CurrentContext, "the current context in " + file.Filename, nil
}

// ConfigDir is where the docker command keeps its configuration, "" = nowhere.
func ConfigDir() string {
	if dir := os.Getenv(config.EnvOverrideConfigDir); dir != "" {
		return dir
	}
	if home := homeDir(); home != "" {
		return filepath.Join(home, ".docker")
	}
	return ""
}

// homeDir is the home of this user, also for a service without HOME; "" = none.
func homeDir() string {
	if home, err := os.UserHomeDir(); err == nil && home != "" {
		return home
	}
	if me, err := user.Current(); err == nil {
		return me.HomeDir
	}
	return ""
}

// Explain adds to an error of the engine's who chose it. If nobody answers, it says what
// else was tried, and what to do.
func (e Engine) Explain(err error, nobody bool) error {
	if !nobody {
		return fmt.Errorf("%w (chosen by %s)", err, e.Origin)
	}
	if len(e.tried) == 0 {
		return fmt.Errorf("%w (chosen by %s)%s", err, e.Origin, advice(e.Host, err))
	}
	errs := []error{err, errors.New("neither Options, nor DOCKER_HOST, nor DOCKER_CONTEXT, nor a current docker context chooses an engine, and none was found")}
	for _, place := range e.tried {
		errs = append(errs, errors.New(place))
	}
	errs = append(errs, errors.New("start an engine, or name one by DOCKER_HOST or a docker context"))
	return errors.Join(errs...)
}
