package stdio

import (
	"errors"
	"fmt"
	"io"
)

// stdinField is how the caller knows the reader.
const stdinField = "Stdin"

// Feed copies the caller's reader to the command's input in a goroutine, and calls end
// when the reader ends. The channel then gets the reader's error, if there is one, and
// is closed. It is not an error if the command stops reading or has ended. A Read that
// never returns keeps the goroutine.
func Feed(to io.Writer, end func() error, from io.Reader) <-chan error {
	fed := make(chan error, 1)
	go func() {
		defer close(fed)
		err := ErrGoexit
		defer func() {
			if err != nil {
				fed <- fmt.Errorf("%s: %w", stdinField, err)
			}
		}()
		err = copyInput(to, end, safeReader{from})
	}()
	return fed
}

func copyInput(to io.Writer, end func() error, from io.Reader) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
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

// ErrGoexit reports that a Read or Write of the caller's ended the goroutine that
// called it, as a test's FailNow does.
var ErrGoexit = errors.New("runtime.Goexit was called")

// safeReader is a caller's reader. Its panic or wrong count becomes an error: a
// goroutine that the caller does not know about must not crash its process.
type safeReader struct{ io.Reader }

// SafeReader returns a reader of r that turns a panic or a wrong count into an error.
func SafeReader(r io.Reader) io.Reader { return safeReader{r} }

func (g safeReader) Read(p []byte) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			n, err = 0, fmt.Errorf("Read panicked: %v", r)
		}
	}()
	n, err = g.Reader.Read(p)
	if n < 0 || n > len(p) {
		return 0, fmt.Errorf("Read returned %d for a buffer of %d bytes", n, len(p))
	}
	return n, err
}
