package dockerx

import (
	"errors"
	"net/http"
	"os"
	"strings"

	"github.com/docker/cli/cli/connhelper"
	"github.com/docker/docker/client"
)

// over is the way to an engine by its address. The environment's certificates are not
// for sockets, as with the docker command.
func (c *Client) over(a Address) client.Opt {
	return func(api *client.Client) error {
		socket := strings.HasPrefix(c.host, "unix:") || strings.HasPrefix(c.host, "npipe:")
		var err error
		switch {
		case a.TLS != nil && !socket:
			err = client.WithHTTPClient(&http.Client{Transport: &http.Transport{TLSClientConfig: a.TLS}, CheckRedirect: client.CheckRedirect})(api)
		case a.Fixed || socket:
		case os.Getenv(client.EnvTLSVerify) != "" && os.Getenv(client.EnvOverrideCertPath) == "":
			// The SDK would speak plain HTTP to the engine.
			err = errors.New("DOCKER_TLS_VERIFY is set but DOCKER_CERT_PATH is not; set it, or unset both")
		default:
			err = client.WithTLSClientConfigFromEnv()(api)
		}
		if err != nil {
			return err
		}
		return client.WithHost(c.host)(api)
	}
}

// overSSH is the way through the docker command at the other end of an SSH connection.
// That is the ssh command's, with its configuration and its agent.
func (c *Client) overSSH(api *client.Client) error {
	helper, err := connhelper.GetConnectionHelper(c.host)
	if err != nil {
		return err
	}
	c.address = helper.Host
	if err := errors.Join(client.WithHost(c.address)(api), client.WithDialContext(helper.Dialer)(api)); err != nil {
		return err
	}
	tr, err := transport(api)
	if err == nil {
		tr.Proxy = nil // it would be asked through the wrong connection
	}
	return err
}
