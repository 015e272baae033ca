package sandbox

import (
	"errors"

	"github.com/synchestra-io/sandbox/internal/telemetry"
)

// The steps as spans and log lines name them. The input is uploaded in the one that follows
// stepStage.
const (
	stepValidate = "validate"
	stepPull     = "pull"
	stepStage    = "stage"
	stepSetup    = "setup"
	stepCreate   = "create"
	stepRun      = "run"
	stepCollect  = "collect"
	stepCleanup  = "cleanup"
)

// outcome is what is told of a run that has ended.
func outcome(res Result, err error) telemetry.Outcome {
	o := telemetry.Outcome{
		Exit: res.ExitCode, TimedOut: res.TimedOut, OOMKilled: res.OOMKilled, Err: err, Left: errors.Is(err, ErrCleanup),
		Output: int64(len(res.Logs)) + res.LogsDropped, Dropped: res.LogsDropped, Artifacts: len(res.Artifacts),
	}
	var failed *Error
	if errors.As(err, &failed) {
		o.Step = string(failed.Op)
	}
	return o
}

// panicked is the outcome of a run that a panic of the caller's ended.
var panicked = telemetry.Outcome{Exit: -1, Step: stepRun, Err: errors.New("a function of the caller's panicked")}
