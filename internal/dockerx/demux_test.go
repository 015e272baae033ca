package dockerx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// frame is a frame of the attach stream.
func frame(kind byte, payload string) string {
	header := binary.BigEndian.AppendUint32([]byte{kind, 0, 0, 0}, uint32(len(payload)))
	return string(header) + payload
}

var errReset = errors.New("connection reset by peer")

func TestDemultiplex(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 8<<10) // longer than any buffer
	both := frame(1, "out") + frame(2, "err") + frame(1, "")
	for name, c := range map[string]struct {
		in             string
		stdout, stderr string
		err            string // part of the error's text, "" = none
	}{
		"nothing":             {},
		"both streams":        {in: both, stdout: "out", stderr: "err"},
		"long frames":         {in: frame(2, long) + frame(1, long), stdout: long, stderr: long},
		"cut in a header":     {in: both + "\x01\x00\x00", stdout: "out", stderr: "err", err: "unexpected EOF"},
		"cut after a header":  {in: both + frame(1, "x")[:8], stdout: "out", stderr: "err", err: "unexpected EOF"},
		"cut in a payload":    {in: both + frame(2, "lost")[:10], stdout: "out", stderr: "errlo", err: "unexpected EOF"},
		"4 GiB, cut":          {in: "\x01\x00\x00\x00\xff\xff\xff\xffabc", stdout: "abc", err: "unexpected EOF"},
		"unknown type":        {in: both + frame(9, "x") + both, stdout: "out", stderr: "err", err: "frame of unknown type 9"},
		"a terminal's output": {in: "plain text, no frames", err: "frame of unknown type 112"},
		"the engine's error":  {in: both + frame(3, "disk full") + both, stdout: "out", stderr: "err", err: `"disk full"`},
	} {
		for reader, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "one byte": iotest.OneByteReader, "data with EOF": iotest.DataErrReader,
		} {
			t.Run(name+"/"+reader, func(t *testing.T) {
				var stdout, stderr bytes.Buffer
				err := demultiplex(&stdout, &stderr, wrap(strings.NewReader(c.in)))
				require.Equal(t, c.stdout, stdout.String())
				require.Equal(t, c.stderr, stderr.String())
				if c.err == "" {
					require.NoError(t, err)
					return
				}
				require.ErrorContains(t, err, c.err)
				require.Equal(t, c.err == "unexpected EOF", errors.Is(err, io.ErrUnexpectedEOF))
			})
		}
	}
}

func TestDemultiplexBrokenConnection(t *testing.T) {
	for name, in := range map[string]string{"on a border": frame(1, "x"), "in a header": "\x01", "in a payload": frame(1, "xy")[:9]} {
		broken := io.MultiReader(strings.NewReader(in), iotest.ErrReader(errReset))
		require.ErrorIs(t, demultiplex(io.Discard, io.Discard, broken), errReset, name)
	}
}

type failingWriter struct{ error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.error }

func TestDemultiplexWriterError(t *testing.T) {
	full := errors.New("disk full")
	in := frame(1, "a") + frame(2, "b")
	require.ErrorIs(t, demultiplex(failingWriter{full}, io.Discard, strings.NewReader(in)), full)
	require.ErrorIs(t, demultiplex(io.Discard, failingWriter{full}, strings.NewReader(in)), full)
}

// The lengths in the stream are the engine's word, and no more.
func TestDemultiplexBelievesNoLength(t *testing.T) {
	for name, kind := range map[string]byte{"stdout": 1, "stderr": 2, "the engine's error": 3} {
		in := string([]byte{kind, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}) + strings.Repeat("x", 1<<20)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := demultiplex(io.Discard, io.Discard, strings.NewReader(in))
		runtime.ReadMemStats(&after)
		require.Error(t, err)
		require.Less(t, len(err.Error()), 20<<10, name)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), name)
	}
}

// No byte is invented or lost: what is written are the payloads in the input up
// to where it is cut, and only an end on a frame's border is no error.
func FuzzDemultiplex(f *testing.F) {
	for _, seed := range []string{
		"", frame(1, "out") + frame(2, "err"), frame(1, ""), frame(3, "text"), frame(0, "stdin"), frame(2, "cut")[:10],
		"\x01\x00\x00\x00\xff\xff\xff\xffabc", "\x02\x00", frame(1, strings.Repeat("x", 100<<10)),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		wantOut, wantErr, whole := payloads(in)
		for _, r := range []io.Reader{bytes.NewReader(in), iotest.OneByteReader(bytes.NewReader(in))} {
			var stdout, stderr bytes.Buffer
			err := demultiplex(&stdout, &stderr, r)
			require.Equal(t, string(wantOut), stdout.String())
			require.Equal(t, string(wantErr), stderr.String())
			require.Equal(t, whole, err == nil, "%v", err)
		}
	})
}

// payloads splits a stream that is held whole.
func payloads(in []byte) (stdout, stderr []byte, whole bool) {
	for len(in) >= 8 && (in[0] == 1 || in[0] == 2) {
		payload := in[8:]
		if size := uint64(binary.BigEndian.Uint32(in[4:8])); size < uint64(len(payload)) {
			payload = payload[:size]
		}
		if in[0] == 1 {
			stdout = append(stdout, payload...)
		} else {
			stderr = append(stderr, payload...)
		}
		if uint64(len(payload)) < uint64(binary.BigEndian.Uint32(in[4:8])) {
			return stdout, stderr, false
		}
		in = in[8+len(payload):]
	}
	return stdout, stderr, len(in) == 0
}
