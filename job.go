package sandbox

import "io"

// DefaultInputDir is where InputTar is unpacked when Job.InputDir is empty.
const DefaultInputDir = "/workspace"

// Job is one command and what it needs. RunOnce reads it once, at its start,
// and keeps nothing of it but its readers and writers.
type Job struct {
	// Image names the image that carries the toolchain: a name with a tag or
	// digest ("latest" if it has neither), or an image ID. It is pulled,
	// anonymously, if the engine does not have it; an ID is never pulled.
	Image string
	// Cmd is the command and its arguments; no shell is involved. An image's
	// ENTRYPOINT is put before it. It must not be empty.
	Cmd []string
	// Env adds to the image's environment and wins over it. HOME is set to a
	// writable directory unless it is here.
	Env map[string]string
	// WorkDir is the absolute directory that the command starts in;
	// "" = the image's WORKDIR. One that does not exist is made, empty and
	// not writable, by the engine as root; below a writable mount that leaves
	// a directory on the host.
	WorkDir string
	// Mounts are bind mounts of the engine's host, for trusted data.
	//
	// Security: the command reads all of it, and writes it if ReadOnly is
	// false. That is discouraged, and the one way to hand out host files.
	Mounts []Mount
	// InputTar is the source tree, a plain tar; nil = none. It is read once, as
	// a stream, and not closed. See the package's comment for what is accepted.
	// A Read that never returns keeps one goroutine after RunOnce has returned.
	InputTar io.Reader
	// InputDir is the absolute directory that InputTar is unpacked into;
	// "" = DefaultInputDir. It is writable also without InputTar.
	InputDir string
	// Collect are the absolute paths, in the container, of files to copy out
	// after the command's end, and of directories whose regular files to copy.
	// A file whose name is not valid UTF-8 comes with its directory only.
	Collect []string
	// Limits bounds the run; its zero value leaves most of it unlimited.
	Limits Limits

	// Stdin is the command's standard input; nil = empty. Its end is passed on;
	// an error of its Read other than io.EOF ends the run. A command that does
	// not read it, or ends first, is no error. A Read that never returns keeps
	// one goroutine after RunOnce has returned.
	Stdin io.Reader
	// Stdout and Stderr get the command's output as it comes, all of it; nil =
	// none. Result.Logs is filled all the same. Both are written to by one
	// goroutine, so they may be the same writer. A slow Write slows the command;
	// one that fails, or panics, ends the run with its error. Five seconds after
	// a kill no Write is waited for any more, nor after the command's own exit a
	// Write that has taken so long: what is missing then is ErrWriterBlocked, and
	// a Write that never returns keeps one goroutine. As long as a Write blocks
	// while more than a megabyte of output is waiting, the engine cannot tell the
	// command's own exit: give such a job a Timeout.
	Stdout, Stderr io.Writer
}

// Mount is a bind mount. Mounts below its source are not passed on.
type Mount struct {
	// Source is an absolute path on the engine's host. It must exist. The
	// engine's own directories and socket, /proc, /sys and /dev are refused.
	Source string
	// Target is an absolute path in the container.
	Target string
	// ReadOnly keeps the command from writing to it. False is discouraged.
	ReadOnly bool
}
