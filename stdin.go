package sandbox

import (
	"errors"
	"fmt"
	"io"
)

const fieldStdin = "Stdin"

// feed copies the caller's Stdin to the job. A job that reads no more, or has
// ended, is no error.
func (p *process) feed(stdin io.Reader) {
	defer close(p.fed)
	ended := false
	defer func() {
		if !ended {
			p.fed <- fmt.Errorf("%s: %w", fieldStdin, errGoexit)
		}
	}()
	in := guarded{stdin}
	buf := make([]byte, 32<<10)
	for {
		ended = false
		n, err := in.Read(buf)
		ended = true
		if _, refused := p.stream.Write(buf[:n]); refused != nil {
			return
		}
		if err == io.EOF {
			p.stream.CloseWrite()
			return
		}
		if err != nil {
			p.fed <- fmt.Errorf("%s: %w", fieldStdin, err)
			return
		}
	}
}

// errGoexit is what is left to say of a caller's Read or Write that ended the
// goroutine that called it, as a test's FailNow does.
var errGoexit = errors.New("it called runtime.Goexit")

// guarded is a caller's reader whose panic, or wrong count, is an error: a
// goroutine that the caller does not know must not take its process down.
type guarded struct{ io.Reader }

func (g guarded) Read(p []byte) (n int, err error) {
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
