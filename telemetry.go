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
func (r *run) outcome(res Result, err error) telemetry.Outcome {
	o := telemetry.Outcome{
		Exit: res.ExitCode, TimedOut: res.TimedOut, OOMKilled: res.OOMKilled, Err: err, Left: errors.Is(err, ErrCleanup),
		Output: r.said, Dropped: res.LogsDropped + res.SetupLogsDropped, Artifacts: len(res.Artifacts) + r.archived,
	}
	var failed *Error
	if errors.As(err, &failed) {
		o.Step = string(failed.Op)
	}
	return o
}

// panicked is what is told of a run that a panic in a function of the caller's ended.
func panicked(cleanup error) telemetry.Outcome {
	err := errors.New("a function of the caller's panicked")
	return telemetry.Outcome{Exit: -1, Step: "panic", Err: errors.Join(err, cleanup), Left: cleanup != nil}
}
