package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/synchestra-io/sandbox"
)

// Result is what came of a job.
type Result struct {
	Nonce    string // the job's
	Digest   string // the command's
	Delivery uint64 // how often the job had been given to a worker
	Worker   string // its name
	Object   string // the object with all of this, "" = the body follows
	Parts    int    // of this object

	ExitCode                                   int
	TimedOut, OOMKilled, DiskFull, SetupFailed bool
	LogsDropped, SetupLogsDropped              int64
	Duration                                   time.Duration
	ImageID                                    string
	Uncollected                                map[string]*Fault
	Fault                                      *Fault

	Logs, SetupLogs int // the lengths of parts of the body
	Artifacts       []File
	None            bool // there are artifacts, and no file among them
}

// File is an artifact: a part of the body.
type File struct {
	Path string
	Size int
}

// Head describes a result; Body has the rest of it.
func Head(res sandbox.Result, err error) Result {
	r := Result{
		ExitCode: res.ExitCode, TimedOut: res.TimedOut, OOMKilled: res.OOMKilled, DiskFull: res.DiskFull,
		SetupFailed: res.SetupFailed, LogsDropped: res.LogsDropped, SetupLogsDropped: res.SetupLogsDropped,
		Duration: res.Duration, ImageID: res.ImageID, Fault: NewFault(err),
		Logs: len(res.Logs), SetupLogs: len(res.SetupLogs),
	}
	for _, path := range slices.Sorted(maps.Keys(res.Artifacts)) {
		r.Artifacts = append(r.Artifacts, File{path, len(res.Artifacts[path])})
	}
	r.None = res.Artifacts != nil && len(res.Artifacts) == 0
	if res.Uncollected != nil {
		r.Uncollected = map[string]*Fault{}
		for path, err := range res.Uncollected {
			r.Uncollected[path] = NewFault(err)
		}
	}
	return r
}

// Body returns the parts of a result whose lengths its head has, in their order.
func Body(res sandbox.Result) [][]byte {
	parts := [][]byte{res.Logs, res.SetupLogs}
	for _, path := range slices.Sorted(maps.Keys(res.Artifacts)) {
		parts = append(parts, res.Artifacts[path])
	}
	return parts
}

// maxAhead is how much memory a part gets before it comes.
const maxAhead = 64 << 20

// Result reads the body, and returns the result. The error is of the body, not of the job.
func (r Result) Result(body io.Reader, local func(name string) error) (sandbox.Result, error) {
	res := sandbox.Result{
		ExitCode: r.ExitCode, TimedOut: r.TimedOut, OOMKilled: r.OOMKilled, DiskFull: r.DiskFull,
		SetupFailed: r.SetupFailed, LogsDropped: r.LogsDropped, SetupLogsDropped: r.SetupLogsDropped,
		Duration: r.Duration, ImageID: r.ImageID,
	}
	if r.Uncollected != nil {
		res.Uncollected = map[string]error{}
		for path, fault := range r.Uncollected {
			res.Uncollected[path] = fault.Err(local)
		}
	}
	var err error
	part := func(size int) (p []byte) {
		if size == 0 || err != nil {
			return nil
		}
		if size < 0 {
			err = errors.New("a negative length")
			return nil
		}
		// What is said to come is believed as far as it has come.
		b := bytes.NewBuffer(make([]byte, 0, min(size, maxAhead)))
		if _, err = io.CopyN(b, body, int64(size)); err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return b.Bytes()
	}
	res.Logs, res.SetupLogs = part(r.Logs), part(r.SetupLogs)
	if len(r.Artifacts) > 0 || r.None {
		res.Artifacts = map[string][]byte{}
	}
	for _, f := range r.Artifacts {
		content := part(f.Size)
		if content == nil {
			content = []byte{}
		}
		res.Artifacts[f.Path] = content
	}
	if err != nil {
		return sandbox.Result{ExitCode: -1}, fmt.Errorf("the result's content: %w", err)
	}
	return res, nil
}

// Marshal returns the head as it is sent: its length, and itself. The body follows, if Object is
// empty.
func (r Result) Marshal() ([]byte, error) {
	head, err := encoding.Marshal(r)
	if err != nil {
		return nil, err
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(head))), head...), nil
}

// maxHead is more than the names of all artifacts can take.
const maxHead = 512 << 20

// ReadResult reads a head. The body follows in r.
func ReadResult(r io.Reader) (head Result, err error) {
	size := make([]byte, 4)
	if _, err := io.ReadFull(r, size); err != nil {
		return head, fmt.Errorf("the result: %w", err)
	}
	n := binary.BigEndian.Uint32(size)
	if n > maxHead {
		return head, fmt.Errorf("the result cannot be read: its head would have %d bytes", n)
	}
	b, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err == nil && len(b) < int(n) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return head, fmt.Errorf("the result: %w", err)
	}
	return head, unmarshal("the result", b, &head)
}

// UnmarshalResult returns the head, and what follows it.
func UnmarshalResult(b []byte) (Result, []byte, error) {
	rest := bytes.NewReader(b)
	head, err := ReadResult(rest)
	return head, b[len(b)-rest.Len():], err
}
