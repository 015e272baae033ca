package dockerx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
)

// Image is what a run needs to know about an image.
type Image struct {
	ID         string   // opaque, such as "sha256:…"
	Env        []string // "KEY=value"
	Entrypoint []string // of its ENTRYPOINT
	Volumes    []string // clean paths of the VOLUME instructions, sorted
	WorkDir    string   // clean and absolute; "/" if the image has no WORKDIR
}

// EnsureImage resolves ref to an image that is present, pulling it when the
// engine does not have it and pull is set. Everything after runs by its ID, so
// that a tag which moves meanwhile changes nothing.
func (c *Client) EnsureImage(ctx context.Context, ref string, pull bool, engine Engine) (Image, error) {
	found, err := c.inspectImage(ctx, ref)
	if errdefs.IsNotFound(err) && pull {
		if err := c.pull(ctx, ref); err != nil {
			return Image{}, fmt.Errorf("%q: %w", ref, err)
		}
		// A cut stream also ends without an error: the image decides.
		found, err = c.inspectImage(ctx, ref)
	} else if errdefs.IsNotFound(err) {
		err = fmt.Errorf("the engine has no image with this ID, and IDs are never pulled; use the image's name, or pull it beforehand: %w", err)
	}
	if err != nil {
		return Image{}, fmt.Errorf("%q: %w", ref, err)
	}
	if err := checkPlatform(found, engine); err != nil {
		return Image{}, fmt.Errorf("%q: %w", ref, err)
	}
	im := Image{ID: found.ID, WorkDir: "/"}
	if found.Config != nil {
		im.Env, im.Entrypoint = found.Config.Env, found.Config.Entrypoint
		im.WorkDir = path.Join("/", found.Config.WorkingDir)
		for v := range found.Config.Volumes {
			// Only a clean path covers a VOLUME on the engine.
			im.Volumes = append(im.Volumes, path.Clean(v))
		}
		slices.Sort(im.Volumes)
	}
	return im, nil
}

func (c *Client) inspectImage(ctx context.Context, ref string) (image.InspectResponse, error) {
	ctx, cancel := c.short(ctx)
	defer cancel()
	found, err := c.api().ImageInspect(ctx, ref)
	if err == nil && found.ID == "" {
		err = errors.New("the engine's answer names no image ID")
	}
	return found, cause(ctx, err)
}

// checkPlatform refuses what would fail as "exec format error" inside the
// container, where the init reports it as the job's own exit status 1.
func checkPlatform(im image.InspectResponse, engine Engine) error {
	native := im.Architecture == "" || im.Architecture == engine.Architecture ||
		im.Architecture == "386" && engine.Architecture == "amd64" ||
		im.Architecture == "arm" && engine.Architecture == "arm64"
	if im.Os == "linux" && native {
		return nil
	}
	return fmt.Errorf("image is for platform %s/%s, the engine runs linux/%s; use an image built for it",
		im.Os, im.Architecture, engine.Architecture)
}

// pull reads the pull's stream to its end: closing it early would cancel the
// pull, and errors come inside it, after a 200.
func (c *Client) pull(ctx context.Context, ref string) error {
	ctx, dog := watch(ctx, "pull")
	defer dog.stop()
	body, err := c.api().ImagePull(ctx, ref, image.PullOptions{})
	if err != nil {
		return cause(ctx, err)
	}
	defer body.Close()
	limited := &io.LimitedReader{R: dog.reader(body)}
	messages := json.NewDecoder(limited)
	for {
		limited.N = maxPullMessage
		var m struct {
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
			return errors.New(m.ErrorDetail.Message[:min(len(m.ErrorDetail.Message), maxSystemError)])
		case m.Error != "":
			return errors.New(m.Error)
		}
	}
}

// maxPullMessage bounds one JSON message of a pull; real ones have some hundred
// bytes, and a decoder alone would hold any length.
const maxPullMessage = 1 << 20
