package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
)

// A job arrives as it was sent, whatever bytes its strings have.
func TestJob(t *testing.T) {
	j := sandbox.Job{
		Image: "image", Cmd: []string{"cat", "\xff\x00\n"}, Env: map[string]string{"A": "\xfe", "B": ""}, WorkDir: "/w\xff",
		Mounts:   []sandbox.Mount{{Source: "/s", Target: "/t", ReadOnly: true}},
		InputDir: "/in", Collect: []string{"/a", "/b\xff"},
		Limits: sandbox.Limits{CPUs: 1.5, MemoryMB: 1, PIDs: 2, Timeout: 3, Network: "none", LogBytes: 4, ArtifactBytes: 5, DiskMB: 6},
		Setup:  sandbox.Setup{Cmd: []string{"x"}, Env: map[string]string{"C": "\xfd"}, Network: "n", Timeout: 7},
	}
	sent := Job{
		Nonce: "n", Deadline: time.Now().UTC().Truncate(time.Second), Live: Live{Stdin: true, OutputTar: true}, Input: "object", Parts: 3,
		Small: []byte{}, Command: NewCommand(j),
	}
	data, err := sent.Marshal()
	require.NoError(t, err)
	got, err := UnmarshalJob(data)
	require.NoError(t, err)
	require.Equal(t, sent.Deadline.Unix(), got.Deadline.Unix())
	got.Deadline = sent.Deadline
	require.Equal(t, sent, got)
	require.NotNil(t, got.Small, "an input that is empty is one")
	require.Equal(t, j, got.Command.Job())
}

// No field of a job is left out: one that a worker does not see would not be obeyed.
func TestEveryFieldIsSent(t *testing.T) {
	elsewhere := map[string]bool{"InputTar": true, "Stdin": true, "Stdout": true, "Stderr": true, "OutputTar": true, "Output": true}
	compare := func(of, as reflect.Type) {
		for i := range of.NumField() {
			name := of.Field(i).Name
			if _, found := as.FieldByName(name); !found {
				require.True(t, elsewhere[name], "%s.%s is not sent", of, name)
			}
		}
	}
	compare(reflect.TypeFor[sandbox.Job](), reflect.TypeFor[Command]())
	compare(reflect.TypeFor[sandbox.Setup](), reflect.TypeFor[Setup]())
	for i := range reflect.TypeFor[sandbox.Result]().NumField() {
		name := reflect.TypeFor[sandbox.Result]().Field(i).Name
		_, found := reflect.TypeFor[Result]().FieldByName(name)
		require.True(t, found, "Result.%s is not sent", name)
	}
}

func TestUnknownFieldsAreRefused(t *testing.T) {
	data, err := encoding.Marshal(struct{ Image, NewLimit string }{"x", "y"})
	require.NoError(t, err)
	_, err = UnmarshalJob(data)
	require.ErrorContains(t, err, "client and worker must be of the same version")
}

// The digest is that of the command, which an ID stands for.
func TestDigest(t *testing.T) {
	digest := func(j sandbox.Job) string {
		d, err := NewCommand(j).Digest()
		require.NoError(t, err)
		return d
	}
	one := sandbox.Job{Image: "x", Env: map[string]string{"A": "1", "B": "2", "C": "3"}}
	for range 20 {
		require.Equal(t, digest(one), digest(sandbox.Job{Image: "x", Env: map[string]string{"C": "3", "B": "2", "A": "1"}}))
	}
	require.NotEqual(t, digest(one), digest(sandbox.Job{Image: "x"}))
}

func TestResult(t *testing.T) {
	sent := sandbox.Result{
		ExitCode: 3, Logs: []byte("logs\xff"), TimedOut: true, LogsDropped: 1, OOMKilled: true, Duration: time.Second, ImageID: "id", DiskFull: true,
		SetupFailed: true, SetupLogs: []byte("setup"), SetupLogsDropped: 2,
		Artifacts:   map[string][]byte{"/a": []byte("content"), "/b\xff": {}},
		Uncollected: map[string]error{"/c": fmt.Errorf("c: %w", fs.ErrNotExist), "/d": fmt.Errorf("d: %w", sandbox.ErrTooLarge)},
	}
	head := Head(sent, &sandbox.Error{Op: sandbox.OpCollect, Err: io.ErrUnexpectedEOF})
	data, err := head.Marshal()
	require.NoError(t, err)
	data = append(data, bytes.Join(Body(sent), nil)...)
	for _, cut := range []int{0, 3, 10, len(data) - 1} {
		head, body, err := UnmarshalResult(data[:cut])
		if err == nil {
			_, err = head.Result(bytes.NewReader(body), nil)
		}
		require.Error(t, err, "cut to %d", cut)
	}
	head, body, err := UnmarshalResult(data)
	require.NoError(t, err)
	got, err := head.Result(bytes.NewReader(body), nil)
	require.NoError(t, err)
	require.EqualError(t, head.Fault.Err(nil), "sandbox: collect: unexpected EOF")
	require.EqualError(t, got.Uncollected["/c"], "c: file does not exist")
	require.ErrorIs(t, got.Uncollected["/c"], fs.ErrNotExist)
	require.ErrorIs(t, got.Uncollected["/d"], sandbox.ErrTooLarge)
	got.Uncollected, sent.Uncollected = nil, nil
	require.Equal(t, sent, got)
}

// An error arrives with its text, and errors.Is and errors.As find in it what they found before.
func TestFault(t *testing.T) {
	boom := errors.New("boom")
	local := func(name string) error { return fmt.Errorf("%s: %w", name, boom) }
	for _, err := range []error{
		&sandbox.Error{Op: sandbox.OpWait, Err: fmt.Errorf("%w: %w", context.Canceled, sandbox.ErrOutputLost)},
		&sandbox.Error{Op: sandbox.OpStage, Err: errors.Join(io.ErrUnexpectedEOF, &sandbox.Error{Op: sandbox.OpCleanup, Err: fmt.Errorf("%w: x", sandbox.ErrCleanup)})},
		&fs.PathError{Op: "open", Path: "/x", Err: syscall.ENOENT},
		fmt.Errorf("%w", os.ErrPermission),
		errors.New("bytes: \xff"),
	} {
		f := NewFault(err)
		data, failed := encoding.Marshal(f)
		require.NoError(t, failed)
		var arrived *Fault
		require.NoError(t, unmarshal("fault", data, &arrived))
		got := arrived.Err(local)
		require.EqualError(t, got, err.Error())
		for name, sentinel := range known {
			require.Equal(t, errors.Is(err, sentinel), errors.Is(got, sentinel), "%v: %s", err, name)
		}
		var sent, back *sandbox.Error
		require.Equal(t, errors.As(err, &sent), errors.As(got, &back))
		require.Equal(t, sent != nil && sent.Op == sandbox.OpStage, back != nil && back.Op == sandbox.OpStage)
	}
	got := NewFault(&sandbox.Error{Op: sandbox.OpWait, Err: fmt.Errorf("Stdout: %w", &LocalError{"stdout", "boom"})}).Err(local)
	require.EqualError(t, got, "sandbox: wait: Stdout: boom")
	require.ErrorIs(t, got, boom)
	got = NewFault(fmt.Errorf("%w: %w", context.Canceled, sandbox.ErrWriterBlocked)).ErrOf(local, context.DeadlineExceeded)
	require.EqualError(t, got, "context deadline exceeded: writer blocked")
	require.NotErrorIs(t, got, context.Canceled)
	require.ErrorIs(t, got, sandbox.ErrWriterBlocked)
	require.NoError(t, NewFault(nil).Err(local))
}

// However large an error is, and however deep, what is sent is bounded.
func TestFaultIsBounded(t *testing.T) {
	deep := errors.New("x")
	for range 10_000 {
		deep = fmt.Errorf("%w", deep)
	}
	var wide []error
	for range 10_000 {
		wide = append(wide, errors.New(strings.Repeat("x", 100)))
	}
	for _, err := range []error{deep, errors.Join(wide...), errors.New(strings.Repeat("x", 10<<20))} {
		data, failed := encoding.Marshal(NewFault(err))
		require.NoError(t, failed)
		require.Less(t, len(data), 1<<20)
		require.NoError(t, unmarshal("fault", data, new(Fault)))
	}
}

func FuzzJob(f *testing.F) {
	data, err := Job{Nonce: "n", Command: Command{Image: "x", Cmd: []string{"y"}}}.Marshal()
	require.NoError(f, err)
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		j, err := UnmarshalJob(data)
		if err == nil {
			_, err = j.Command.Digest()
			require.NoError(t, err)
		}
	})
}

func FuzzResult(f *testing.F) {
	head := Head(sandbox.Result{Logs: []byte("x")}, io.EOF)
	data, err := head.Marshal()
	require.NoError(f, err)
	f.Add(append(data, 'x'))
	f.Fuzz(func(t *testing.T, data []byte) {
		head, body, err := UnmarshalResult(data)
		if err != nil {
			return
		}
		for _, size := range []int{head.Logs, head.SetupLogs} {
			if size > 1<<20 {
				return // a worker is trusted with the memory of its client
			}
		}
		head.Artifacts = nil
		head.Result(bytes.NewReader(body), func(string) error { return io.EOF })
		head.Fault.Err(func(string) error { return io.EOF })
	})
}
