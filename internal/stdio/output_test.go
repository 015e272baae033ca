package stdio

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// writeFunc is a caller's writer.
type writeFunc func([]byte) (int, error)

func (f writeFunc) Write(p []byte) (int, error) { return f(p) }

// ends are the two ends of an outlet's streams.
func ends(stdout, stderr io.Writer) (o *Output, out, err io.Writer) {
	o = NewOutput(1000, stdout, stderr)
	return o, o.Stdout(), o.Stderr()
}

// emit writes as a stream does, whose Writes must never fail.
func emit(t *testing.T, to io.Writer, text string) {
	t.Helper()
	n, err := to.Write([]byte(text))
	require.NoError(t, err)
	require.Equal(t, len(text), n)
}

func logsOf(o *Output) string {
	logs, _ := o.logs.result()
	return string(logs)
}

// In a bubble a goroutine that the outlet leaves behind fails the test.
func TestOutput(t *testing.T) {
	for name, c := range map[string]struct{ stdout, stderr bool }{
		"both": {true, true}, "stdout": {true, false}, "stderr": {false, true}, "none": {false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var stdout, stderr bytes.Buffer
				var w [2]io.Writer
				if c.stdout {
					w[0] = &stdout
				}
				if c.stderr {
					w[1] = &stderr
				}
				o, out, err := ends(w[0], w[1])
				emit(t, out, "one ")
				emit(t, err, "two ")
				emit(t, out, "")
				emit(t, out, "three")
				o.End()
				o.CutOff()
				require.NoError(t, o.Err())
				require.Equal(t, "one two three", logsOf(o))
				require.Equal(t, map[bool]string{true: "one three"}[c.stdout], stdout.String())
				require.Equal(t, map[bool]string{true: "two "}[c.stderr], stderr.String())
				if c.stdout && c.stderr {
					require.EqualValues(t, 3, o.Writes(), "an empty frame is no Write")
				}
			})
		})
	}
}

// One writer for both streams gets the bytes in the order of the logs, and more
// of them than the logs keep.
func TestOutputWithOneWriterForBoth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all bytes.Buffer
		o, out, err := ends(&all, &all)
		var want strings.Builder
		for i := range 1000 {
			text := strings.Repeat("x", i%7) + "\n"
			want.WriteString(text)
			emit(t, []io.Writer{out, err}[i%2], text)
		}
		o.End()
		require.NoError(t, o.Err())
		require.Equal(t, want.String(), all.String())
		_, dropped := o.logs.result()
		require.Positive(t, dropped)
	})
}

// A writer that failed is not called again, nor is the other; the logs go on.
func TestOutputWriterThatFails(t *testing.T) {
	full := errors.New("full")
	for _, c := range []struct {
		write writeFunc
		want  string
		is    error
	}{
		{func([]byte) (int, error) { return 0, full }, "Stdout: full", full},
		{func(p []byte) (int, error) { return len(p), full }, "Stdout: full", full},
		{func(p []byte) (int, error) { return len(p) - 1, nil }, "Stdout: short write", io.ErrShortWrite},
		{func(p []byte) (int, error) { return 0, nil }, "Stdout: short write", io.ErrShortWrite},
		{func(p []byte) (int, error) { return -1, nil }, "Stdout: short write", io.ErrShortWrite},
		{func(p []byte) (int, error) { return len(p) + 1, nil }, "Stdout: short write", io.ErrShortWrite},
		{func([]byte) (int, error) { panic("out of order") }, "Stdout: Write panicked: out of order", nil},
		{func([]byte) (int, error) { panic(full) }, "Stdout: Write panicked: full", nil},
	} {
		t.Run(c.want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				failing := writeFunc(func(p []byte) (int, error) {
					calls++
					return c.write(p)
				})
				o, out, err := ends(failing, writeFunc(func([]byte) (int, error) {
					require.Fail(t, "called after the end")
					return 0, nil
				}))
				emit(t, out, "one ")
				emit(t, out, "two ")
				emit(t, err, "three")
				o.End()
				failed := o.Err()
				require.EqualError(t, failed, c.want)
				if c.is != nil {
					require.ErrorIs(t, failed, c.is)
				}
				require.NotErrorIs(t, failed, ErrWriterBlocked)
				require.Equal(t, 1, calls)
				require.Equal(t, "one two three", logsOf(o))
			})
		})
	}
}

// The run learns of a failed Write at once, before the stream's end.
func TestOutputTellsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, out, _ := ends(writeFunc(func([]byte) (int, error) { return 0, io.ErrClosedPipe }), nil)
		emit(t, out, "one")
		select {
		case err := <-o.failed:
			require.ErrorIs(t, err, io.ErrClosedPipe)
		default:
			require.Fail(t, "not told")
		}
		o.End()
		require.NoError(t, o.Err(), "it was told before")
	})
}

// A Write that does not return holds up the stream until it is cut off. What it
// was given stays as it was, whatever comes after.
func TestOutputWriterThatBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var held, other []byte
		o, out, err := ends(writeFunc(func(p []byte) (int, error) {
			held = p
			<-release
			return len(p), nil
		}), writeFunc(func(p []byte) (int, error) {
			other = append(other, p...)
			return len(p), nil
		}))
		emit(t, err, "before ")
		frame := []byte("held ")
		returned := make(chan struct{})
		go func() { out.Write(frame); close(returned) }()
		synctest.Wait()
		select {
		case <-returned:
			require.Fail(t, "a slow Write must slow the job")
		default:
		}
		require.EqualValues(t, 1, o.Writes(), "of Writes that have returned")

		o.CutOff()
		o.CutOff()
		<-returned
		copy(frame, "XXXXX") // the stream reads on, into the same buffer
		emit(t, out, "lost ")
		emit(t, err, "late")
		o.End()
		blocked := o.Err()
		require.ErrorIs(t, blocked, ErrWriterBlocked)
		require.ErrorContains(t, blocked, "14 bytes of output") // held, lost and late
		require.Equal(t, "before held lost late", logsOf(o))
		require.Equal(t, "before ", string(other), "nothing is handed over any more")
		require.Equal(t, "held ", string(held))
		close(release)
		synctest.Wait() // the goroutine ends with the Write
		require.Equal(t, "held ", string(held))
		require.Empty(t, o.failed)
	})
}

// A cut-off before anything was written is no loss by itself.
func TestOutputCutOffAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stdout bytes.Buffer
		o, _, err := ends(&stdout, nil)
		o.CutOff()
		emit(t, err, "nobody wants it")
		o.End()
		require.NoError(t, o.Err())
		require.Equal(t, "nobody wants it", logsOf(o))
	})
}

// A cut-off that comes when a Write returns finds it complete, or counts it whole.
func TestOutputCutOffAsAWriteReturns(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			o, out, _ := ends(writeFunc(func(p []byte) (int, error) {
				<-time.After(time.Second)
				return len(p), nil
			}), nil)
			time.AfterFunc(time.Second, o.CutOff)
			emit(t, out, "twelve bytes")
			o.End()
			if err := o.Err(); err != nil {
				require.ErrorContains(t, err, "12 bytes of output")
			}
		})
	}
}
