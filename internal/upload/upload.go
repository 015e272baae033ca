// Package upload streams a tar into a container while it is being written.
package upload

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/stdio"
)

// Tar unpacks in a directory of a container the tar that write makes, from input if it is
// not nil. An error of write's is returned as it is. No Read of input begins after Tar has
// returned; one that is under way then is not waited for, and keeps one goroutine.
func Tar(ctx context.Context, client *dockerx.Client, container, dir string, input *stdio.Source, write func(io.Writer) error) error {
	read, out := io.Pipe()
	body := pipeEnd{read}
	written := make(chan error, 1)
	go func() {
		err := fmt.Errorf("InputTar: %w", stdio.ErrGoexit)
		defer func() {
			out.CloseWithError(err)
			written <- err
		}()
		err = write(out)
	}()
	err := client.Upload(ctx, container, dir, body)
	body.Close()
	input.Shut()
	writeErr := errEnded
	if !input.Busy() {
		writeErr = <-written
	}
	switch {
	case writeErr != nil && !errors.Is(writeErr, errEnded) && !errors.Is(writeErr, stdio.ErrShut):
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
