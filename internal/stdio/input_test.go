package stdio

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// What a caller's Read returns is passed on, and its panic is an error: the
// caller's process must not go down in a goroutine that it does not know.
func TestSource(t *testing.T) {
	for name, c := range map[string]struct {
		r    io.Reader
		n    int
		want string // the error
	}{
		"data":           {strings.NewReader("data"), 4, ""},
		"end":            {strings.NewReader(""), 0, "EOF"},
		"data and end":   {readFunc(func(p []byte) (int, error) { return copy(p, "last"), io.EOF }), 4, "EOF"},
		"data and error": {readFunc(func(p []byte) (int, error) { return copy(p, "half"), io.ErrClosedPipe }), 4, io.ErrClosedPipe.Error()},
		"nothing yet":    {readFunc(func([]byte) (int, error) { return 0, nil }), 0, ""},
		"panic":          {readFunc(func([]byte) (int, error) { panic("no more") }), 0, "Read panicked: no more"},
		"panic halfway":  {readFunc(func(p []byte) (int, error) { copy(p, "half"); panic(io.EOF) }), 0, "Read panicked: EOF"},
		"too much":       {readFunc(func(p []byte) (int, error) { return len(p) + 1, nil }), 0, "Read returned 17 for a buffer of 16 bytes"},
		"less than none": {readFunc(func([]byte) (int, error) { return -1, nil }), 0, "Read returned -1 for a buffer of 16 bytes"},
		"typed nil":      {(*strings.Reader)(nil), 0, "Read panicked: runtime error: invalid memory address or nil pointer dereference"},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := NewSource(c.r).Read(make([]byte, 16))
			require.Equal(t, c.n, n)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, c.want)
			if name == "panic halfway" {
				require.NotErrorIs(t, err, io.EOF, "it is no end")
			}
		})
	}
}

// A reader that brings nothing again and again is not asked for ever; one that takes
// its time is.
func TestSourceWithoutProgress(t *testing.T) {
	empty := 0
	s := NewSource(readFunc(func(p []byte) (int, error) {
		if empty++; empty%50 == 0 {
			return copy(p, "x"), nil
		}
		return 0, nil
	}))
	n, err := io.CopyN(io.Discard, s, 10)
	require.NoError(t, err)
	require.EqualValues(t, 10, n)

	s = NewSource(readFunc(func([]byte) (int, error) { return 0, nil }))
	_, err = io.Copy(io.Discard, s)
	require.ErrorIs(t, err, io.ErrNoProgress)
	_, err = s.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.ErrNoProgress)
}
