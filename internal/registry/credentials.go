// Package registry gets the credentials with which an engine pulls from a registry, as
// the docker command has them.
package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	store "github.com/docker/cli/cli/config/credentials"
	"github.com/docker/docker-credential-helpers/client"
	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/synchestra-io/sandbox/internal/bounds"
)

// Credentials are what a registry wants of a user; the zero value is none.
type Credentials struct{ Username, Password, IdentityToken, RegistryToken string }

// Hub is the name under which docker.io's credentials are kept, and sent.
const Hub = "https://index.docker.io/v1/"

// Server is the name under which the credentials of a registry, such as "docker.io", are
// kept, and sent.
func Server(registry string) string {
	if registry == "docker.io" {
		return Hub
	}
	return registry
}

// tokenUser is the user name that a credential helper gives an identity token.
const tokenUser = "<token>"

// FromConfig returns the credentials that the docker command would use for a registry,
// such as "docker.io" or "registry.example.com:5000": by DOCKER_AUTH_CONFIG, or else by
// its configuration in dir, "" = none. A helper that it names is run, for as long as a
// slow call to an engine may take.
func FromConfig(ctx context.Context, dir, registry string) (Credentials, error) {
	server := Server(registry)
	if text := os.Getenv(configfile.DockerEnvConfigKey); text != "" {
		file := configfile.New("")
		if file.LoadFromReader(strings.NewReader(text)) != nil {
			return Credentials{}, errors.New(configfile.DockerEnvConfigKey + " is not understood") // and can be a secret
		}
		if found := fromFile(file, server); found != (Credentials{}) {
			return found, nil
		}
	}
	if dir == "" {
		return Credentials{}, nil
	}
	file, err := config.Load(dir)
	if err != nil {
		return Credentials{}, fmt.Errorf("the docker command's configuration: %w", err)
	}
	helper := file.CredentialsStore
	if helper == "" && !file.ContainsAuth() {
		helper = store.DetectDefaultStore("")
	}
	if own, named := file.CredentialHelpers[server]; named {
		helper = own
	}
	if helper == "" {
		return fromFile(file, server), nil
	}
	return fromHelper(ctx, "docker-credential-"+helper, server)
}

func fromFile(file *configfile.ConfigFile, server string) Credentials {
	found, _ := store.NewFileStore(file).Get(server) // it never fails
	return Credentials{found.Username, found.Password, found.IdentityToken, found.RegistryToken}
}

// fromHelper runs a credential helper. What it prints can be a secret, so no error has
// it.
func fromHelper(ctx context.Context, helper, server string) (Credentials, error) {
	bound := bounds.From(ctx).Slow
	ctx, cancel := context.WithTimeoutCause(ctx, bound, fmt.Errorf("no answer within %v", bound))
	defer cancel()
	var failed error
	found, err := client.Get(func(args ...string) client.Program {
		command := exec.CommandContext(ctx, helper, args...)
		command.Stderr = io.Discard
		command.WaitDelay = bounds.From(ctx).Rest // for what outlives it
		ownGroup(command)
		return &program{command, &failed}
	}, server)
	switch {
	case credentials.IsErrCredentialsNotFound(err):
		return Credentials{}, nil
	case ctx.Err() != nil:
		return Credentials{}, fmt.Errorf("credential helper %s for %s: %w", helper, server, context.Cause(ctx))
	case failed != nil:
		return Credentials{}, fmt.Errorf("credential helper %s for %s: %w", helper, server, failed)
	case err != nil:
		return Credentials{}, fmt.Errorf("credential helper %s for %s: its answer is not understood", helper, server)
	case found.Username == tokenUser:
		return Credentials{IdentityToken: found.Secret}, nil
	}
	return Credentials{Username: found.Username, Password: found.Secret}, nil
}
