package isolation

import (
	"github.com/docker/docker/api/types/container"

	"github.com/synchestra-io/sandbox/internal/verify"
)

// Verify compares the configuration that an engine reports for a container with the
// one it was sent. The error names every field in which they differ. An engine may
// discard a limit that it does not support and only warn about it, and something
// between the client and the engine may edit a request. got and gotConfig are what
// the engine's inspect call returns.
//
// Verify knows neither the image nor the engine. So it lets pass what an image may add
// where nothing was sent: environment variables, ENTRYPOINT, WORKDIR and VOLUMEs. It
// also accepts any runtime where none was sent, and -1 for MemorySwap, which is what
// an engine reports that cannot limit swap. A run compares these, too, and the
// networks that the container is attached to.
func Verify(sent, got *container.HostConfig, sentConfig, gotConfig *container.Config) error {
	return verify.Configuration(verify.Sent{Host: sent, Config: sentConfig}, got, gotConfig)
}
