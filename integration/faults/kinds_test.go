//go:build docker

package faults_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// fault is something that goes wrong with a request, by its name in cases and tables.
type fault string

const (
	refuse     fault = "refuse"      // answered with 500, not forwarded
	dropAnswer fault = "drop answer" // forwarded, then the connection is closed
	late       fault = "late"        // forwarded, answered when the library has given up
	afterwards fault = "afterwards"  // held, and forwarded when the library has given up
	never      fault = "never"       // held, and neither forwarded nor answered
	html       fault = "html"        // answered with 200 and a page, not forwarded
	html404    fault = "html 404"    // answered with 404 and a page, not forwarded
	cutUp      fault = "cut up"      // half of the body is forwarded, then nothing
	reset      fault = "reset"       // closed at half of the body, not forwarded
	cutDown    fault = "cut down"    // closed after half of the answer's body
	cutJSON    fault = "cut json"    // half of the JSON, as if it were all
	cutTrailer fault = "cut trailer" // a tar without its trailer, as if it were all

	cancelBefore fault = "cancel before" // the caller's context ends as it arrives
	cancelAfter  fault = "cancel after"  // the caller's context ends with its answer
	cancelNever  fault = "cancel, never" // the caller's context ends as it arrives, and it is not answered
	cancelMute   fault = "cancel, mute"  // the same, and the engine answers nothing any more
	gone         fault = "gone"          // from it on nobody listens
	held         fault = "held"          // forwarded after Limits.Timeout

	streamEarly  fault = "right after its start"              // before there is output
	streamQuick  fault = "right after its start, a quick job" // which has ended soon after
	streamHeader fault = "inside a header"
	streamFrame  fault = "inside a frame"
	streamBorder fault = "at a border before the last write"
	streamEnd    fault = "at a border after the last write"
)

// requestFaults are the columns of the matrix.
var requestFaults = []fault{
	refuse, dropAnswer, late, afterwards, never, html, html404, cutUp, reset, cutDown, cutJSON, cutTrailer, cancelBefore, cancelAfter, cancelNever, cancelMute, gone,
}

// diskFaults are the columns of the matrix with a disk.
var diskFaults = []fault{refuse, dropAnswer, late, cutUp, cancelBefore, cancelAfter, cancelNever, cancelMute, gone}

var streamFaults = []fault{streamEarly, streamQuick, streamHeader, streamFrame, streamBorder, streamEnd}

const (
	faultTimeout = 800 * time.Millisecond // Limits.Timeout of a job that sleeps
	holdTime     = faultTimeout * 12 / 10 // how long a request is held
	stillRunning = 5 * time.Second        // how long a job goes on when its stream was cut
	quickDrain   = 300 * time.Millisecond // for a stream's end to be taken for lost output
	jobArtifact  = "/workspace/big"       // a file
	jobDirectory = "/workspace/out"       // a directory with two files
	artifactSize = 100_000                // of the file, in bytes
	inputSize    = 400_000                // in bytes: more than a socket holds
	faultAllowed = 10                     // times a clean run's duration, on a busy machine
	pauseEnv     = "PAUSE"                // seconds before the job's last write
)

// applies reports whether a fault makes sense for a request.
func (f fault) applies(x enginetest.Recorded) bool {
	isTar := strings.HasPrefix(x.Text, "GET ") && strings.HasSuffix(x.Text, "/archive")
	switch f {
	case cutUp, reset:
		return x.Up > 1
	case cutDown:
		return x.Down > 1
	case cutJSON:
		return x.Down > 1 && !isTar
	case cutTrailer:
		return isTar
	case afterwards:
		return strings.HasSuffix(x.Text, "s/create") && !strings.Contains(x.Text, "images")
	}
	return true
}

func (f fault) inStream() bool {
	switch f {
	case streamEarly, streamQuick, streamHeader, streamFrame, streamBorder, streamEnd:
		return true
	}
	return false
}

func (f fault) canceled() bool { return f == cancelBefore || f == cancelAfter || f == cancelNever }

// forGood tells whether the engine does not come back.
func (f fault) forGood() bool { return f == gone || f == cancelMute }

// faultBounds are short, but long enough for a busy engine.
func faultBounds() bounds.Bounds {
	b := bounds.Default() // OOM is a busy machine's, not a fault's
	b.Call, b.Slow, b.Stall = 8*time.Second, 15*time.Second, 10*time.Second
	b.Drain, b.Writer, b.Ending = time.Second, time.Second, 12*time.Second
	b.Rest, b.Settle = 500*time.Millisecond, 200*time.Millisecond
	return b
}

// bounds shrinks the bound that the fault will exceed, and no other.
func (f fault) bounds(request string) bounds.Bounds {
	b := faultBounds()
	method, path, _ := strings.Cut(request, " ")
	switch {
	case f == gone:
		b.Call, b.Ending = time.Second, 3*time.Second // shared by four removals
	case f == cancelMute:
		b.Ending = 3 * time.Second // as well
	case f == cancelNever && (strings.HasSuffix(path, "/kill") || method == "DELETE"):
		b.Slow = 4 * time.Second // it is asked for again
	case f.inStream():
		b.Drain = quickDrain
	case f != late && f != never && f != afterwards:
	case path == "/images/create", method == "PUT", method == "GET" && strings.HasSuffix(path, "/archive"):
		b.Stall = 3 * time.Second
	case strings.HasSuffix(path, "/create"), strings.HasSuffix(path, "/start"):
		b.Slow, b.Settle = 4*time.Second, 800*time.Millisecond // a disk's start comes before
	case strings.HasSuffix(path, "/kill"), method == "DELETE":
		b.Slow = 4 * time.Second // a start comes before, and takes its time
	default:
		b.Call = 1500 * time.Millisecond
	}
	return b
}

// stepsOf lists the steps that an error about a request may name.
func stepsOf(request string) []sandbox.Op {
	_, path, _ := strings.Cut(request, " ")
	switch path {
	case "/_ping", "/info", "/images/create", "/images/ref/json":
		return []sandbox.Op{sandbox.OpPull}
	case "/containers/job-stage/start":
		return []sandbox.Op{sandbox.OpStage}
	case "/volumes/create":
		return []sandbox.Op{sandbox.OpStage, sandbox.OpCreate} // for the input, for /etc/hosts
	case "/containers/job-host/archive", "/containers/job-host/json":
		return []sandbox.Op{sandbox.OpCreate}
	case "/containers/job-stage/archive":
		return []sandbox.Op{sandbox.OpStage, sandbox.OpCollect} // the input, the question whether the disk is full
	case "/containers/create":
		return []sandbox.Op{sandbox.OpStage, sandbox.OpCreate} // the staging container's, the job's
	case "/containers/job-stage/json":
		return []sandbox.Op{sandbox.OpStage, sandbox.OpCreate, sandbox.OpCollect} // before its start, after the job's create, at the end
	case "/containers/job/attach", "/containers/job/start", "/containers/job-setup/attach", "/containers/job-setup/start":
		return []sandbox.Op{sandbox.OpStart}
	case "/containers/job/wait", "/containers/job-setup/wait":
		return []sandbox.Op{sandbox.OpStart, sandbox.OpWait} // its registration, its answer
	case "/containers/job-setup/json":
		return []sandbox.Op{sandbox.OpStart, sandbox.OpWait} // before the start, at the exit
	case "/containers/job-setup":
		return []sandbox.Op{sandbox.OpWait} // if the engine does not come back
	case "/containers/job/json":
		return []sandbox.Op{sandbox.OpStart, sandbox.OpWait, sandbox.OpCollect} // before the start, at the exit, after the artifacts
	case "/containers/job/kill":
		return []sandbox.Op{sandbox.OpWait}
	case "/containers/job/archive":
		return []sandbox.Op{sandbox.OpCreate, sandbox.OpCollect} // before the start, after the exit
	}
	return nil // removal is repeated: no failure is expected
}

// caseName names a case as text, such as "07 PUT containers job-stage archive refuse".
func caseName(i int, request string, f fault) string {
	parts := strings.FieldsFunc(request, func(r rune) bool { return r == '/' || r == ' ' })
	return fmt.Sprintf("%02d %s %s", i, strings.Join(parts, " "), f)
}
