package sandbox

import "time"

// Result is the outcome of a run. If RunOnce returns an error as well, the Result
// is filled in as far as the run got.
type Result struct {
	// ExitCode is the exit status of the container: 137 after a kill, -1 if there
	// is none.
	ExitCode int
	// Logs is the command's output, stdout and stderr in order of arrival. The order
	// is exact within each of the two, but not between them. If the output exceeds
	// Limits.LogBytes, a line that says how many bytes are missing replaces its
	// middle.
	Logs []byte
	// Artifacts maps the path of each collected file to its content: the files that
	// Job.Collect names, and the files below the directories that it names. Missing
	// paths are omitted. It is nil if there are none, and with Job.OutputTar.
	Artifacts map[string][]byte
	// TimedOut is true if the container was killed at Limits.Timeout. If the command
	// ended first, TimedOut is false and ExitCode is the command's own.
	TimedOut bool

	// LogsDropped is the number of bytes of output that are missing from Logs.
	LogsDropped int64
	// Uncollected says why a path of Job.Collect, or a file below it, is missing
	// from Artifacts, or from Job.OutputTar. Each value wraps fs.ErrNotExist, [ErrNotRegular] or
	// [ErrTooLarge], unless RunOnce failed with [OpCollect]. It is nil if there are
	// none.
	Uncollected map[string]error
	// OOMKilled is true if the engine reported that the kernel killed a process of
	// Cmd's container because the run had reached Limits.MemoryMB. If that was the command
	// itself, ExitCode is 137; if it was a child, ExitCode can be anything. Before
	// containerd 2.3 the report is lost if the container ends before it is read: when
	// a child is killed right before the exit, and on a busy machine sometimes when
	// the command itself is.
	OOMKilled bool
	// Duration is how long the command ran, from its start to its exit, by the
	// engine's clock. It is 0 if there is no exit status.
	Duration time.Duration
	// ImageID is the engine's ID of the image, "" if the run ended before it was
	// known. Used as Job.Image, it selects exactly this image again.
	ImageID string
	// DiskFull is true if Limits.DiskMB was used up when the command ended. It is
	// false if the command reached the cap but made room again.
	DiskFull bool
	// SetupFailed is true if Cmd was not started, because Job.Setup exited with another
	// status than 0 or was killed. ExitCode, TimedOut, OOMKilled, Duration and DiskFull
	// are then Setup's, and Logs, Artifacts and Uncollected are empty.
	SetupFailed bool
	// SetupLogs is Setup's output, as Logs is Cmd's, with a cap of Limits.LogBytes of its
	// own.
	SetupLogs []byte
	// SetupLogsDropped is the number of bytes of output that are missing from SetupLogs.
	SetupLogsDropped int64
}
