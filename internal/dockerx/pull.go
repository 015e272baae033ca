package dockerx

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"
)

// Progress is how far the pull of one layer is, in bytes; 0 = not known.
type Progress struct {
	Layer       string // the start of its digest
	Status      string // the engine's word for it, such as "Downloading"
	Done, Total int64
}

// Login is who pulls.
type Login struct {
	Server                                           string // the registry's name, as engines want it
	Username, Password, IdentityToken, RegistryToken string
	// Missing says why there are no credentials although some are configured.
	Missing error
}

// header is the login as the engine takes it, "" = none.
func (l Login) header() string {
	if l.Username == "" && l.Password == "" && l.IdentityToken == "" && l.RegistryToken == "" {
		return ""
	}
	text, _ := json.Marshal(registry.AuthConfig{
		ServerAddress: l.Server, Username: l.Username, Password: l.Password, IdentityToken: l.IdentityToken, RegistryToken: l.RegistryToken,
	})
	return base64.URLEncoding.EncodeToString(text)
}

// pull reads the pull's stream to its end: closing it early would cancel the
// pull, and errors come inside it, after a 200.
func (c *Client) pull(ctx context.Context, ref, platform string, login Login, report func(Progress)) error {
	ctx, dog := watch(ctx, "pull")
	defer dog.stop()
	body, err := c.api().ImagePull(ctx, ref, image.PullOptions{RegistryAuth: login.header(), Platform: platform})
	if err != nil {
		if Unreachable(err) {
			return err
		}
		return login.explain(cause(ctx, err))
	}
	defer body.Close()
	limited := &io.LimitedReader{R: dog.reader(body)}
	messages := json.NewDecoder(limited)
	for {
		limited.N = maxPullMessage
		var m struct {
			ID       string `json:"id"`
			Status   string `json:"status"`
			Progress struct {
				Current int64 `json:"current"`
				Total   int64 `json:"total"`
			} `json:"progressDetail"`
			Error       string `json:"error"`
			ErrorDetail *struct {
				Message string `json:"message"`
			} `json:"errorDetail"`
		}
		switch err := messages.Decode(&m); {
		case err != nil && limited.N == 0:
			return fmt.Errorf("reading the pull's progress: a message is longer than %d bytes", maxPullMessage)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading the pull's progress: %w", cause(ctx, err))
		case m.ErrorDetail != nil && m.ErrorDetail.Message != "":
			return login.explain(errors.New(m.ErrorDetail.Message[:min(len(m.ErrorDetail.Message), maxSystemError)]))
		case m.Error != "":
			return login.explain(errors.New(m.Error[:min(len(m.Error), maxSystemError)]))
		case m.ID != "" && m.Status != "" && !strings.HasPrefix(m.Status, "Pulling from "): // there the ID is the tag
			report(Progress{m.ID, m.Status, m.Progress.Current, m.Progress.Total})
		}
	}
}

// maxPullMessage bounds one JSON message of a pull; real ones have some hundred
// bytes, and a decoder alone would hold any length.
const maxPullMessage = 1 << 20

// explain says what to do about the refusal of a registry. Engines pass on its text,
// and have no code for it.
func (l Login) explain(err error) error {
	says := func(texts ...string) bool {
		for _, text := range texts {
			if strings.Contains(strings.ToLower(err.Error()), text) {
				return true
			}
		}
		return false
	}
	switch {
	case says("toomanyrequests", "too many requests", "rate limit"):
		return fmt.Errorf("%w; the registry limits how much may be pulled: log in with docker login or Options.Credentials, or wait", err)
	case says("unauthorized", "authentication required", "access denied", "denied: ", "no basic auth credentials", "403 forbidden"):
		if l.header() != "" {
			return fmt.Errorf("%w; the registry refuses the credentials for user %q, or has no such image: check both", err, l.Username)
		}
		if l.Missing != nil {
			return fmt.Errorf("%w; the registry wants credentials, or has no such image, and there are none: %w", err, l.Missing)
		}
		return fmt.Errorf("%w; the registry wants credentials, or has no such image: check the name, and use docker login or Options.Credentials", err)
	case says("manifest unknown", "not found", "no matching manifest"):
		return fmt.Errorf("%w; check the image's name, tag and platform", err)
	case says("no such host", "connection refused", "i/o timeout", "handshake timeout", "client.timeout", "deadline exceeded", "no progress", "x509", "network is unreachable", "server gave http response"):
		return fmt.Errorf("%w; the engine cannot reach the registry: check its name, and the engine's network, proxy and certificates", err)
	}
	return err
}
