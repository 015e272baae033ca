package stdio

import (
	"errors"
	"fmt"
	"io"
)

// ErrShut is what a Source returns once it is shut.
var ErrShut = errors.New("nothing is read any more")

// maxEmptyReads is how many Reads in a row may bring neither data nor an error.
const maxEmptyReads = 100

// Source is a caller's reader. Its panic, its wrong count or its lack of progress
// becomes an error: a goroutine that the caller does not know about must neither
// crash its process nor go round for ever. A nil Source can be shut, too.
type Source struct {
	r     io.Reader
	gate  gate
	empty int // Reads in a row that brought nothing
}

// NewSource returns a Source of r, nil for nil.
func NewSource(r io.Reader) *Source {
	if r == nil {
		return nil
	}
	return &Source{r: r}
}

func (s *Source) Read(p []byte) (n int, err error) {
	if !s.gate.enter() {
		return 0, ErrShut
	}
	defer s.gate.leave()
	defer func() {
		if r := recover(); r != nil {
			n, err = 0, fmt.Errorf("Read panicked: %v", r)
		}
	}()
	n, err = s.r.Read(p)
	if n < 0 || n > len(p) {
		return 0, fmt.Errorf("Read returned %d for a buffer of %d bytes", n, len(p))
	}
	if n > 0 || err != nil || len(p) == 0 {
		s.empty = 0
	} else if s.empty++; s.empty >= maxEmptyReads {
		return 0, io.ErrNoProgress
	}
	return n, err
}

// Shut makes sure that no Read of the caller's begins any more.
func (s *Source) Shut() {
	if s != nil {
		s.gate.close()
	}
}

// Busy tells whether a Read of the caller's is under way. After Shut, false is final.
func (s *Source) Busy() bool { return s != nil && s.gate.occupied() }
