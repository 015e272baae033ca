package dockerx

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Image is what a run needs to know about an image.
type Image struct {
	ID         string   // opaque, such as "sha256:…"
	Env        []string // "KEY=value"
	Entrypoint []string // of its ENTRYPOINT
	Volumes    []string // clean paths of the VOLUME instructions, sorted
	WorkDir    string   // clean and absolute; "/" if the image has no WORKDIR
	// Platform is what was asked for, for the containers made of the image; "" = the
	// engine's own.
	Platform string
}

// Policy says when an image is pulled.
type Policy int

const (
	PullMissing Policy = iota // if the engine does not have it
	PullAlways
	PullNever
)

// Want is the image that a run needs.
type Want struct {
	Ref      string
	ID       bool // Ref is an ID, which no registry knows
	Policy   Policy
	Platform string                               // such as "linux/arm64"; "" = the engine's own
	Login    func(context.Context) (Login, error) // asked before a pull; nil = nobody
	Report   func(Progress)                       // nil = nobody listens
}

// EnsureImage resolves an image that is present, pulling it as the policy says. Everything
// after runs by its ID, so that a tag which moves meanwhile changes nothing.
func (c *Client) EnsureImage(ctx context.Context, want Want, engine Engine) (Image, error) {
	ref := want.Ref
	found, err := c.inspectImage(ctx, want)
	missing := errdefs.IsNotFound(err) || err == nil && !want.matches(found)
	switch {
	case want.ID || want.Policy == PullNever:
		if errdefs.IsNotFound(err) && want.ID {
			err = fmt.Errorf("the engine has no image with this ID, and IDs are never pulled; use the image's name, or pull it beforehand: %w", err)
		} else if errdefs.IsNotFound(err) {
			err = fmt.Errorf("the engine has no such image, and Options.Pull forbids pulling; pull it beforehand: %w", err)
		}
	case missing || err == nil && want.Policy == PullAlways:
		if err := c.pullOnce(ctx, want); err != nil {
			return Image{}, fmt.Errorf("%q: %w", ref, err)
		}
		// A cut stream also ends without an error: the image decides.
		found, err = c.inspectImage(ctx, want)
	}
	if err != nil {
		return Image{}, fmt.Errorf("%q: %w", ref, err)
	}
	if err := want.checkPlatform(found, engine); err != nil {
		return Image{}, fmt.Errorf("%q: %w", ref, err)
	}
	im := Image{ID: found.ID, WorkDir: "/", Platform: want.Platform}
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

// pullOnce pulls the image, once for all who want it in this process.
func (c *Client) pullOnce(ctx context.Context, want Want) error {
	var login Login
	if want.Login != nil {
		var err error
		if login, err = want.Login(ctx); err != nil {
			return err
		}
	}
	report := want.Report
	if report == nil {
		report = func(Progress) {}
	}
	key := flightKey{c.host, want.Ref, want.Platform, login.header()}
	return share(ctx, key, report, func(ctx context.Context, report func(Progress)) error {
		return c.pull(ctx, want.Ref, want.Platform, login, report)
	})
}

func (c *Client) inspectImage(ctx context.Context, want Want) (image.InspectResponse, error) {
	ctx, cancel := c.short(ctx)
	defer cancel()
	var options []client.ImageInspectOption
	if want.Platform != "" && !versions.LessThan(c.api().ClientVersion(), platformAPI) {
		options = append(options, client.ImageInspectWithPlatform(parsePlatform(want.Platform)))
	}
	ref := want.Ref
	if want.ID && len(ref) < len("sha256:")+64 && c.podman.Load() { // which finds a short ID without the prefix alone
		ref = strings.TrimPrefix(ref, "sha256:")
	}
	found, err := c.api().ImageInspect(ctx, ref, options...)
	if err == nil && found.ID == "" {
		err = errors.New("the engine's answer names no image ID")
	}
	return found, cause(ctx, err)
}

// checkPlatform refuses what would fail as "exec format error" inside the
// container, where the init reports it as the job's own exit status 1.
func (w Want) checkPlatform(im image.InspectResponse, engine Engine) error {
	if w.Platform != "" {
		if w.matches(im) {
			return nil
		}
		return fmt.Errorf("image is for platform %s, and Options.Platform is %q; use an image built for it", platformOf(im), w.Platform)
	}
	native := im.Architecture == "" || im.Architecture == engine.Architecture ||
		im.Architecture == "386" && engine.Architecture == "amd64" ||
		im.Architecture == "arm" && engine.Architecture == "arm64"
	if im.Os == "linux" && native {
		return nil
	}
	return fmt.Errorf("image is for platform %s, the engine runs linux/%s; use an image built for it", platformOf(im), engine.Architecture)
}

// platformAPI is the first API version whose engines can keep one image for several
// platforms, and tell about each.
const platformAPI = "1.49"

// parsePlatform reads a platform such as "linux/arm/v7"; "" is nil.
func parsePlatform(platform string) *ocispec.Platform {
	if platform == "" {
		return nil
	}
	parts := append(strings.Split(platform, "/"), "", "")
	return &ocispec.Platform{OS: parts[0], Architecture: parts[1], Variant: parts[2]}
}

func platformOf(im image.InspectResponse) string {
	return strings.TrimSuffix(im.Os+"/"+im.Architecture+"/"+im.Variant, "/")
}

// matches tells whether an image is for the platform that was asked for. An image that
// was imported names none. A variant is compared if both have one: with v7 of arm come
// those before it.
func (w Want) matches(im image.InspectResponse) bool {
	if w.Platform == "" || im.Architecture == "" {
		return true
	}
	want, have := canonical(w.Platform), canonical(platformOf(im))
	if want.OS != have.OS || want.Architecture != have.Architecture {
		return false
	}
	return want.Variant == "" || have.Variant == "" || have.Variant == want.Variant || want.Architecture == "arm" && have.Variant < want.Variant
}

// canonical is a platform under the name that images have. The variants are those that
// the names without one stand for.
func canonical(platform string) ocispec.Platform {
	p := *parsePlatform(platform)
	switch p.Architecture {
	case "x86_64", "x86-64":
		p.Architecture = "amd64"
	case "aarch64":
		p.Architecture = "arm64"
	case "i386", "i686":
		p.Architecture = "386"
	}
	if p.Architecture == "arm64" && p.Variant == "v8" || p.Architecture == "amd64" && p.Variant == "v1" {
		p.Variant = ""
	}
	return p
}
