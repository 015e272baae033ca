package sandbox

import (
	"context"
	"log/slog"
	"regexp"

	"github.com/synchestra-io/sandbox/internal/discover"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/registry"
	"github.com/synchestra-io/sandbox/internal/validate"
)

// Options configures a Runner. The zero value is ready to use.
type Options struct {
	// Host is the engine's address, such as "unix:///run/docker.sock",
	// "tcp://10.0.0.7:2376" or "ssh://me@build.example.com". If Host and Context are
	// empty, the engine is found as the docker command finds it: by DOCKER_HOST,
	// DOCKER_CONTEXT or the current docker context, else at the first socket that
	// exists of Docker, rootless Docker, Docker Desktop and Podman. DOCKER_TLS_VERIFY
	// and DOCKER_CERT_PATH apply to addresses over TCP that are not a context's,
	// DOCKER_API_VERSION to all.
	Host string
	// Runtime is the OCI runtime that runs the commands, by the engine's name for
	// it, such as "runsc" for gVisor; "" = the engine's default. A job fails with
	// ErrUnsupported if the engine does not know the runtime, or if the runtime
	// would not enforce one of the job's limits. gVisor applies the seccomp profile
	// only if the engine starts it with --oci-seccomp.
	Runtime string
	// Context is the name of a docker context, as "docker context ls" lists them;
	// "" = none. It excludes Host.
	Context string
	// Pull says when an image is pulled; the zero value is PullMissing. Image IDs are
	// never pulled.
	Pull PullPolicy
	// Platform is the platform of the images, such as "linux/arm64" or "linux/arm/v7";
	// "" = the engine's own. An image for another platform is pulled again, or refused.
	// Whether the engine's host can run a foreign one is not checked.
	Platform string
	// Credentials returns what a registry, such as "docker.io" or
	// "registry.example.com:5000", wants to know before a pull; the zero value is
	// nobody. An error ends the run. nil = as the docker command does: by its
	// configuration, the credential helpers that this names, and DOCKER_AUTH_CONFIG.
	Credentials func(ctx context.Context, registry string) (Credentials, error)
	// Progress is called while images are pulled and inputs are uploaded, by the goroutine
	// that called RunOnce, and never twice at once; nil = nobody is told. Reports that
	// come too fast, or while another run's is being told, are left out. The run waits
	// for it, so it should return soon, and a panic in it is RunOnce's.
	// It must not call [Runner.Close], which waits for the run.
	Progress func(Progress)
	// Logger gets one line at the end of a run, at level Info, with its ID, image, outcome,
	// exit status, durations by step, bytes of output and error; a line at level Warn if
	// something may be left on the engine; and one for each step, at level Debug. None has
	// output, variables' values or credentials. nil = silent. It is called by the goroutine
	// that called RunOnce, with its context; a panic in it is RunOnce's, which then removes
	// everything all the same.
	//
	// Spans and metrics need no option. They go to the providers that the program has set with
	// OpenTelemetry, if any: a span for the run, below the context's, one for each step, and
	// below these one for each request to the engine; the metrics sandbox.run.active,
	// sandbox.run.duration and sandbox.cleanup.failures.
	Logger *slog.Logger
}

// PullPolicy says when an image is pulled.
type PullPolicy int

const (
	PullMissing PullPolicy = iota // if the engine does not have it
	PullAlways                    // before every run; layers that the engine has are not transferred again
	PullNever                     // an absent image is an error
)

// Credentials are those of a user of a registry; the zero value is nobody. No error,
// label or log of this package contains them. The engine gets them with the pull.
type Credentials struct {
	// Username and Password are those of a login, or of an access token.
	Username, Password string
	// IdentityToken takes the place of both, for registries with OAuth.
	IdentityToken string
}

var platforms = regexp.MustCompile(`^linux/[a-z0-9_-]+(/[a-z0-9.]+)?$`)

// check reports what is wrong with o, but for its engine.
func (o Options) check() error {
	var bad validate.FieldErrors
	if why := validate.NotText(o.Runtime); why != "" {
		bad.Add("Options.Runtime %q %s", o.Runtime, why)
	}
	if o.Pull < PullMissing || o.Pull > PullNever {
		bad.Add("Options.Pull %d: want PullMissing, PullAlways or PullNever", o.Pull)
	}
	if o.Platform != "" && !platforms.MatchString(o.Platform) {
		bad.Add(`Options.Platform %q: want a platform such as "linux/arm64"`, o.Platform)
	}
	return bad.Err()
}

// want is how a run's image is to be had.
func (r *Runner) want(p plan) dockerx.Want {
	return dockerx.Want{
		Ref: p.image, ID: !p.pull, Policy: dockerx.Policy(r.options.Pull), Platform: r.options.Platform,
		Login: func(ctx context.Context) (dockerx.Login, error) { return r.login(ctx, validate.Registry(p.image)) },
		Report: func(at dockerx.Progress) {
			r.report(Progress{Op: OpPull, Image: p.image, Layer: at.Layer, Status: at.Status, Done: at.Done, Total: at.Total})
		},
	}
}

// login asks for the credentials of a registry. If the docker command's cannot be had,
// the registry may not want any: it decides.
func (r *Runner) login(ctx context.Context, from string) (dockerx.Login, error) {
	if ask := r.options.Credentials; ask != nil {
		c, err := ask(ctx, from)
		return dockerx.Login{Server: registry.Server(from), Username: c.Username, Password: c.Password, IdentityToken: c.IdentityToken}, err
	}
	c, err := registry.FromConfig(ctx, discover.ConfigDir(), from)
	return dockerx.Login{
		Server: registry.Server(from), Username: c.Username, Password: c.Password,
		IdentityToken: c.IdentityToken, RegistryToken: c.RegistryToken, Missing: err,
	}, nil
}
