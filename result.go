package sandbox

import "time"

// Result is what a run brought back. Beside an error it is filled as far as the
// run got.
type Result struct {
	// ExitCode is the container's exit status, 137 after a kill. It is -1 while
	// there is none.
	ExitCode int
	// Logs is the command's output, stdout and stderr in order of arrival:
	// exact within each of the two, not between them. Over Limits.LogBytes its
	// middle is replaced by a line that says how much is missing.
	Logs []byte
	// Artifacts maps the paths of Job.Collect, and of the files below those that
	// are directories, to the files' content. Missing paths are omitted. It is
	// nil when there are none.
	Artifacts map[string][]byte
	// TimedOut is set if the container was killed at Limits.Timeout. A job that
	// ended first has its own status and no TimedOut.
	TimedOut bool

	// LogsDropped is the number of bytes of output that are not in Logs.
	LogsDropped int64
	// Uncollected says why a path of Job.Collect, or a file below it, is not in
	// Artifacts: the values wrap fs.ErrNotExist, ErrNotRegular or ErrTooLarge.
	// It is nil when there are none.
	Uncollected map[string]error
	// OOMKilled is set if the kernel killed a process of the run because the run
	// had reached Limits.MemoryMB: the command, which ends it with status 137, or
	// a child, whatever the status then is. The engine's report counts; before
	// containerd 2.3 that of a child's kill right before the exit can be lost.
	OOMKilled bool
	// Duration is how long the command ran, from its start to its exit, by the
	// engine's clock; 0 while there is no exit status.
	Duration time.Duration
	// ImageID is the engine's ID of the image that was run, "" before it is
	// known. As an image reference it names exactly this image again.
	ImageID string
	// DiskFull is set if Limits.DiskMB was used up at the command's end. It says
	// nothing of a command that met the cap and made room again.
	DiskFull bool
}
