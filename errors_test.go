package sandbox

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/dockerx"
)

var errStep = errors.New("the step's own error")

func TestErrorText(t *testing.T) {
	for op, text := range map[Op]string{
		OpValidate: "validate", OpPull: "pull", OpStage: "stage", OpCreate: "create",
		OpStart: "start", OpWait: "wait", OpCollect: "collect", OpCleanup: "cleanup",
	} {
		err := error(&Error{Op: op, Err: errStep})
		require.EqualError(t, err, "sandbox: "+text+": the step's own error")
		require.ErrorIs(t, err, errStep)
	}
	require.ErrorIs(t, fmt.Errorf("engine: %w", dockerx.ErrUnsupported), ErrUnsupported)
}

// The caller's context comes first, whatever the step says.
func TestOpErrorPrecedence(t *testing.T) {
	reason := errors.New("the caller's own reason")
	live := context.Background()
	cancelled, cancel := context.WithCancel(live)
	cancel()
	expired, cancel := context.WithTimeout(live, -time.Second)
	defer cancel()
	withReason, cancelCause := context.WithCancelCause(live)
	cancelCause(reason)
	expiredWithReason, cancel := context.WithTimeoutCause(live, -time.Second, reason)
	defer cancel()
	for name, c := range map[string]struct {
		ctx      context.Context
		err      error
		text     string
		is, isnt []error
	}{
		"live": {live, errStep, "sandbox: wait: the step's own error", []error{errStep}, []error{context.Canceled, context.DeadlineExceeded}},
		"cancelled": {cancelled, errStep, "sandbox: wait: context canceled (the step's own error)",
			[]error{context.Canceled, errStep}, []error{context.DeadlineExceeded}},
		"cancelled, and the step says so": {cancelled, fmt.Errorf("step: %w", context.Canceled), "sandbox: wait: step: context canceled",
			[]error{context.Canceled}, []error{context.DeadlineExceeded}},
		"expired": {expired, errStep, "sandbox: wait: context deadline exceeded (the step's own error)",
			[]error{context.DeadlineExceeded, errStep}, []error{context.Canceled}},
		"expired, and the step says so": {expired, fmt.Errorf("step: %w", context.DeadlineExceeded), "sandbox: wait: step: context deadline exceeded",
			[]error{context.DeadlineExceeded}, []error{context.Canceled}},
		"expired, the step was cancelled": {expired, context.Canceled, "sandbox: wait: context deadline exceeded (context canceled)",
			[]error{context.DeadlineExceeded}, nil},
		"own reason": {withReason, errStep, "sandbox: wait: context canceled: the caller's own reason (the step's own error)",
			[]error{context.Canceled, reason, errStep}, []error{context.DeadlineExceeded}},
		"own reason, and the step says so": {withReason, fmt.Errorf("step: %w", reason), "sandbox: wait: context canceled: step: the caller's own reason",
			[]error{context.Canceled, reason}, []error{context.DeadlineExceeded}},
		"own reason, and the step says the other": {withReason, context.Canceled, "sandbox: wait: the caller's own reason (context canceled)",
			[]error{context.Canceled, reason}, []error{context.DeadlineExceeded}},
		"expired with own reason": {expiredWithReason, errStep, "sandbox: wait: context deadline exceeded: the caller's own reason (the step's own error)",
			[]error{context.DeadlineExceeded, reason, errStep}, []error{context.Canceled}},
	} {
		t.Run(name, func(t *testing.T) {
			err := joinErrors(c.ctx.Err(), context.Cause(c.ctx), fail(OpWait, c.err), nil)
			require.EqualError(t, err, c.text)
			requireOp(t, OpWait, err)
			for _, target := range c.is {
				require.ErrorIs(t, err, target)
			}
			for _, target := range c.isnt {
				require.NotErrorIs(t, err, target)
			}
			require.NoError(t, joinErrors(c.ctx.Err(), context.Cause(c.ctx), fail(OpWait, nil), nil), "a step that succeeded is no error")
		})
	}
}

// Each pair of what can go wrong at once, in the order in which it is reported.
func TestJoinErrorsOfPairs(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	closed, end := context.WithCancelCause(context.Background())
	end(ErrClosed)
	expired, stop := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer stop()
	left := errors.New("container c may be left")
	const leftText = "sandbox: cleanup: clean-up failed: container c may be left"

	for name, c := range map[string]struct {
		ctx           context.Context
		step, cleanup error
		op            Op
		text          string
		is            []error
	}{
		"cancel, step": {cancelled, fail(OpStart, errStep), nil, OpStart,
			"sandbox: start: context canceled (the step's own error)", []error{context.Canceled, errStep}},
		"deadline, step": {expired, fail(OpStage, errStep), nil, OpStage,
			"sandbox: stage: context deadline exceeded (the step's own error)", []error{context.DeadlineExceeded, errStep}},
		"Close, step": {closed, fail(OpWait, errStep), nil, OpWait,
			"sandbox: wait: context canceled: runner closed (the step's own error)", []error{context.Canceled, ErrClosed, errStep}},
		"cancel, output lost": {cancelled, fail(OpWait, errors.Join(context.Canceled, ErrOutputLost)), nil, OpWait,
			"sandbox: wait: context canceled\noutput lost", []error{context.Canceled, ErrOutputLost}},
		"cancel, clean-up": {cancelled, fail(OpWait, context.Canceled), left, OpWait,
			"sandbox: wait: context canceled\n" + leftText, []error{context.Canceled, ErrCleanup, left}},
		"Close, clean-up": {closed, fail(OpWait, ErrClosed), left, OpWait,
			"sandbox: wait: context canceled: runner closed\n" + leftText, []error{context.Canceled, ErrClosed, ErrCleanup}},
		"step, clean-up": {context.Background(), fail(OpStart, errStep), left, OpStart,
			"sandbox: start: the step's own error\n" + leftText, []error{errStep, ErrCleanup, left}},
		"clean-up alone":                {context.Background(), nil, left, OpCleanup, leftText, []error{ErrCleanup, left}},
		"cancel too late, and clean-up": {cancelled, nil, left, OpCleanup, leftText, []error{ErrCleanup, left}},
	} {
		t.Run(name, func(t *testing.T) {
			err := joinErrors(c.ctx.Err(), context.Cause(c.ctx), c.step, c.cleanup)
			require.EqualError(t, err, c.text)
			requireOp(t, c.op, err)
			if c.op != OpCleanup && c.cleanup != nil {
				var second *Error
				require.ErrorAs(t, errors.Unwrap(err), &second)
				require.EqualError(t, second, leftText)
			}
			for _, target := range c.is {
				require.ErrorIs(t, err, target)
			}
		})
	}
	require.NoError(t, joinErrors(context.Canceled, context.Canceled, nil, nil), "cancelled too late")
	require.NoError(t, joinErrors(nil, nil, nil, nil))
}

// Every error is an *Error, also of a run that cannot begin.
func TestConfigurationError(t *testing.T) {
	t.Setenv("DOCKER_HOST", "no address")
	res, err := RunOnce(context.Background(), Job{})
	requireOp(t, OpPull, err)
	require.Equal(t, Result{ExitCode: -1}, res)
}
