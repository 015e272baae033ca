package dockerx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/client"
)

// initFailed is all that Podman's init writes if it cannot execute the command. Its status
// is 1 then.
var initFailed = regexp.MustCompile(`^ERROR \(catatonit:\d+\): failed to exec pid1: (.*)\n$`)

// CommandStatus is the exit status of a command that never ran, as shells and Docker's init
// have it: 127 if it does not exist, 126 if it cannot be executed. Any other status stays
// as it is.
func (e Engine) CommandStatus(status int, output []byte) int {
	if !e.Podman || status != 1 {
		return status
	}
	switch found := initFailed.FindSubmatch(output); {
	case found == nil:
		return status
	case string(found[1]) == "No such file or directory":
		return 127
	}
	return 126
}

// podmanInput is a connection for the input alone. If the command leaves some of it unread,
// Podman loses what it has yet to send on that connection, and says nothing.
type podmanInput struct {
	conn  types.HijackedResponse
	ended chan struct{}
}

// attachPodman attaches twice: for the output, and for the input.
func (c *Client) attachPodman(ctx context.Context, name string) (*Attachment, error) {
	a, err := c.attach(ctx, name, false)
	if err != nil {
		return nil, err
	}
	second, err := c.hijack(ctx, name, func(ctx context.Context) (types.HijackedResponse, error) {
		// The output comes there, too, and is thrown away: unread, it would block the
		// command. Podman takes some keys in the input for an order to detach, unless it is
		// told that there are none; the SDK leaves out what is empty.
		at := "http://" + client.DummyHost + "/v" + c.api().ClientVersion() + "/containers/" + name +
			"/attach?stream=1&stdin=1&stdout=1&stderr=1&detachKeys="
		conn, err := c.api().DialHijack(ctx, at, "tcp", nil)
		if err != nil {
			return types.HijackedResponse{}, err
		}
		return types.NewHijackedResponse(conn, ""), nil
	})
	if err != nil {
		a.Close()
		return nil, err
	}
	a.input = &podmanInput{second.conn, make(chan struct{})}
	go func() { // close waits for it
		defer close(a.input.ended)
		io.Copy(io.Discard, second.r)
	}()
	return a, nil
}

func (p *podmanInput) close() {
	p.conn.Close()
	<-p.ended
}

// initFailure tells why Podman cannot prepare a container for its start, nil = it can.
// Podman prepares it when a client attaches, and the SDK drops what it says then. Nothing
// of the container runs.
func (c *Client) initFailure(ctx context.Context, name string) error {
	ctx, cancel := c.short(ctx)
	defer cancel()
	at, err := client.ParseHostURL(c.address)
	if err != nil {
		return err
	}
	at.Scheme = "http"                      // TLS is the dialer's
	if at.Host == "" || at.Host[0] == '/' { // a socket's path
		at.Host = client.DummyHost
	}
	at.Path = "/v4.0.0/libpod/containers/" + name + "/init"
	ask, err := http.NewRequestWithContext(ctx, http.MethodPost, at.String(), nil)
	if err != nil {
		return err
	}
	answer, err := c.calls.Do(ask)
	if err != nil {
		return cause(ctx, err)
	}
	defer answer.Body.Close()
	var said struct{ Message string }
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxSystemError)).Decode(&said); err != nil || said.Message == "" {
		return nil
	}
	return errors.New(said.Message)
}

// checkPodmanCgroups refuses a container for which Podman enforces no limits, although it
// reports them. It says so at a place that Docker does not have.
func checkPodmanCgroups(answer []byte) error {
	var said struct{ HostConfig struct{ Cgroups string } }
	err := json.Unmarshal(answer, &said)
	if mode := said.HostConfig.Cgroups; mode != "" && mode != "default" {
		err = fmt.Errorf(`%w: cgroups are %q in Podman's containers.conf; want "enabled"`, ErrUnsupported, mode)
	}
	return err
}

// describeLinks makes of Podman's description of a path one like Docker's: it has another
// alphabet, and that of a link that leads nowhere comes with "not found".
type describeLinks struct{ next http.RoundTripper }

const pathStat = "X-Docker-Container-Path-Stat"

func (d describeLinks) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := d.next.RoundTrip(r)
	if err != nil || answer.Header.Get(pathStat) == "" || answer.Header.Get("Libpod-Api-Version") == "" {
		return answer, err
	}
	answer.Header.Set(pathStat, strings.NewReplacer("-", "+", "_", "/").Replace(answer.Header.Get(pathStat)))
	if r.Method == http.MethodHead && answer.StatusCode == http.StatusNotFound {
		answer.StatusCode, answer.Status = http.StatusOK, "200 OK"
	}
	return answer, nil
}
