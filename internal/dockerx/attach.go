package dockerx

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
)

// Attachment is a container's live output and, if asked for, input. Whoever holds
// it drains it without pause or closes it: an undrained stream blocks every other
// call about the container, kill and remove included (moby#41827).
type Attachment struct {
	conn  types.HijackedResponse
	r     *bufio.Reader
	input *podmanInput // nil = input goes the same way
}

// streamBuffer holds a few of the engine's frames of up to 32 KiB, so that a
// frame does not take several reads.
const streamBuffer = 128 << 10

// Attach connects to the output of a container that has not started, so that
// not one byte is missed, and to its input. The attachment outlives ctx.
func (c *Client) Attach(ctx context.Context, name string, stdin bool) (*Attachment, error) {
	if stdin && c.podman.Load() {
		return c.attachPodman(ctx, name)
	}
	return c.attach(ctx, name, stdin)
}

func (c *Client) attach(ctx context.Context, name string, stdin bool) (*Attachment, error) {
	return c.hijack(ctx, name, func(ctx context.Context) (types.HijackedResponse, error) {
		return c.api().ContainerAttach(ctx, name, container.AttachOptions{Stream: true, Stdin: stdin, Stdout: true, Stderr: true})
	})
}

// hijack makes an attachment of a connection that attach makes.
func (c *Client) hijack(ctx context.Context, name string, attach func(context.Context) (types.HijackedResponse, error)) (*Attachment, error) {
	call, cancel := c.short(ctx)
	defer cancel()
	// The SDK hands its context to the dialer only; a context that is marked
	// closes the connection for the whole life of the attachment.
	conn, abort := context.WithCancel(context.WithValue(context.WithoutCancel(ctx), hijacking{}, true))
	stop := context.AfterFunc(call, abort)
	attached, err := attach(conn)
	if !stop() {
		err = cause(call, context.Cause(call))
	}
	if err != nil {
		abort()
		return nil, c.explainAttach(ctx, name, err)
	}
	return &Attachment{conn: attached, r: bufio.NewReaderSize(attached.Reader, streamBuffer)}, nil
}

// explainAttach names what the SDK's error leaves out: it hides the engine's
// status and text behind "unable to upgrade".
func (c *Client) explainAttach(ctx context.Context, name string, err error) error {
	if state, inspectErr := c.Inspect(ctx, name); inspectErr == nil && state.Gone {
		return fmt.Errorf("attach: %w", ErrGone)
	}
	if c.podman.Load() {
		err = cmp.Or(c.initFailure(ctx, name), err)
	}
	return fmt.Errorf("attach: %w", err)
}

// Demultiplex copies the output to stdout and stderr until the stream ends. It
// returns nil at an end on a frame's border, which is how a container's exit
// looks and an engine's death may look. Neither writer may wait for anybody.
func (a *Attachment) Demultiplex(stdout, stderr io.Writer) error {
	return demultiplex(stdout, stderr, a.r)
}

// Write sends input. It waits for a job that does not read, until Close.
func (a *Attachment) Write(p []byte) (int, error) {
	if a.input != nil {
		return a.input.conn.Conn.Write(p)
	}
	return a.conn.Conn.Write(p)
}

// CloseWrite ends the input.
func (a *Attachment) CloseWrite() error {
	if a.input != nil {
		return a.input.conn.CloseWrite()
	}
	return a.conn.CloseWrite()
}

// InputEnded is closed when a connection for the input alone has ended; nil = there is
// none. The engine ends it with the container, and not because the command has closed its
// input.
func (a *Attachment) InputEnded() <-chan struct{} {
	if a.input == nil {
		return nil
	}
	return a.input.ended
}

// Close ends the stream; a Demultiplex or Write under way returns.
func (a *Attachment) Close() {
	a.conn.Close()
	if a.input != nil {
		a.input.close()
	}
}
