package stdio

import (
	"errors"
	"fmt"
	"io"
)

// stdinField is how the caller knows the reader.
const stdinField = "Stdin"

// ErrGoexit reports that a Read or Write of the caller's ended the goroutine that
// called it, as a test's FailNow does.
var ErrGoexit = errors.New("runtime.Goexit was called")

// Feed copies the caller's reader to the command's input in a goroutine, and calls end
// when the reader ends. The channel then gets the reader's error, if there is one, and
// is closed. It is not an error if the command stops reading or has ended, or if from
// is shut. A Read that never returns keeps the goroutine.
func Feed(to io.Writer, end func() error, from *Source) <-chan error {
	fed := make(chan error, 1)
	go func() {
		defer close(fed)
		err := ErrGoexit
		defer func() {
			if err != nil {
				fed <- fmt.Errorf("%s: %w", stdinField, err)
			}
		}()
		err = copyInput(to, end, from)
	}()
	return fed
}

func copyInput(to io.Writer, end func() error, from *Source) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if errors.Is(err, ErrShut) {
			return nil
		}
		if _, refused := to.Write(buf[:n]); refused != nil {
			return nil
		}
		if err == io.EOF {
			end() // which fails if the command has ended
			return nil
		}
		if err != nil {
			return err
		}
	}
}
