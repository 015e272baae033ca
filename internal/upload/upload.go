// Package upload streams a tar into a container while it is being written.
package upload

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/stdio"
)

// Tar unpacks at "/" of a container the tar that write makes. An error of write's is
// returned as it is. A Read that never returns in write keeps one goroutine.
func Tar(ctx context.Context, client *dockerx.Client, container string, write func(io.Writer) error) error {
	read, out := io.Pipe()
	body := pipeEnd{read}
	written := make(chan error, 1)
	go func() {
		err := stdio.ErrGoexit
		defer func() {
			out.CloseWithError(err)
			written <- err
		}()
		err = write(out)
	}()
	err := client.Upload(ctx, container, body)
	body.Close()
	writeErr := errEnded
	select {
	case writeErr = <-written:
	case <-time.After(bounds.From(ctx).Reader):
		// A Read of the caller's does not return. Its goroutine ends when it does.
	}
	switch {
	case writeErr != nil && !errors.Is(writeErr, errEnded):
		return writeErr
	case writeErr != nil && err == nil:
		return errors.New("the engine reported the upload as complete before it was")
	}
	return err
}

// errEnded is what write sees when the engine wants no more. A caller's own reader
// can fail with io.ErrClosedPipe.
var errEnded = errors.New("upload ended")

type pipeEnd struct{ *io.PipeReader }

func (b pipeEnd) Close() error { return b.CloseWithError(errEnded) }
