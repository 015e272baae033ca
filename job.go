package sandbox

import "io"

// DefaultInputDir is the directory that InputTar is unpacked into if
// [Job.InputDir] is empty.
const DefaultInputDir = "/workspace"

// Job is one command and what it needs. RunOnce reads a Job once, at its start,
// and keeps nothing of it but the readers and writers. All problems that it can find
// without the engine are reported at once, by an error with Op [OpValidate].
type Job struct {
	// Image is the image that contains the toolchain: a name with a tag or a
	// digest ("latest" if it has neither), or an image ID. It must not be empty.
	// If the engine does not have the image, it pulls it; see [Options.Pull]. An
	// ID is never pulled. IDs are 64 or 12 hexadecimal digits without a tag, and
	// "sha256:" followed by digits.
	Image string
	// Cmd is the command and its arguments. It must not be empty. No shell is
	// involved. If the image has an ENTRYPOINT, that is put before Cmd. An argument
	// has less than 128 KiB; Cmd and Env together, with what the image adds, have
	// almost 2 MiB: more would be refused by the kernel (execve(2)) in the command's
	// place, if its stack has the usual 8 MiB.
	Cmd []string
	// Env adds variables to the image's environment and overrides those of the
	// same name; nil = none. HOME is set to a writable directory unless Env sets
	// it. A variable, with its name, has less than 128 KiB. No error contains a
	// value.
	Env map[string]string
	// WorkDir is the absolute path of the directory that the command starts in;
	// "" = the image's WORKDIR. If it does not exist, the engine creates it as
	// root, empty and not writable by the command. Below a writable mount, this
	// leaves a directory on the host. An input that has a link or a file there, or
	// above it, is refused.
	WorkDir string
	// Mounts are bind mounts from the engine's host, for trusted data; nil = none.
	//
	// Security: mounts are the only way to expose host files. The command can read
	// everything in a mount, and write to it if ReadOnly is false, which is
	// discouraged.
	Mounts []Mount
	// InputTar is the source tree, as an uncompressed tar archive; nil = none. It
	// is read once, as a stream, and not closed. After the archive's end, up to 1 MiB
	// of padding is read. The package documentation says which entries are accepted;
	// an archive that is refused or damaged is an error. No Read begins after the
	// input has been staged. A Read that is under way when the run fails or is cut off is not
	// waited for: until it returns, one goroutine remains.
	InputTar io.Reader
	// InputDir is the absolute path of the directory that InputTar is unpacked
	// into; "" = [DefaultInputDir]. It is writable even without InputTar.
	InputDir string
	// Collect lists the absolute paths, in the container, of files to copy out
	// after the command has ended, and of directories whose regular files to copy;
	// nil = none. A path that cannot be copied is not an error: see
	// [Result.Uncollected]. A file whose name is not valid UTF-8 can be copied only
	// with its directory.
	Collect []string
	// Limits bounds the run. The zero value leaves most resources unlimited.
	Limits Limits

	// Stdin is the command's standard input; nil = empty. The command sees its
	// end. An error from Read other than io.EOF ends the run with that error. It is
	// not an error if the command does not read Stdin or exits first. No Read begins
	// after the command has ended. One that is under way then is not waited for:
	// until it returns, one goroutine remains, even after RunOnce has returned.
	Stdin io.Reader
	// Stdout and Stderr receive all of the command's output as it is produced;
	// nil = none. Result.Logs is filled in either case. One goroutine writes to
	// both, so they may be the same writer.
	//
	// A slow Write slows the command down. A Write that fails or panics while the
	// command runs ends the run with an error, and no artifacts are collected. When
	// a run is cut off, RunOnce waits five seconds for outstanding Writes; after the
	// command's own exit, it waits until a single Write takes that long. Output that
	// is then missing is reported as [ErrWriterBlocked].
	//
	// A Write that fails or blocks when the command has ended by itself, or that
	// blocks at a timeout, spoils nothing else: the Result, with its artifacts, is
	// complete beside the error, which has Op [OpWait]. No Write begins after RunOnce
	// has returned. A Write that never returns leaves one goroutine behind.
	//
	// While a Write blocks and more than a megabyte of output is waiting, the
	// engine cannot report the command's own exit: give such a job a Timeout.
	Stdout, Stderr io.Writer
	// Setup is a command that runs first, with a network of its own; the zero value is
	// none.
	Setup Setup
	// OutputTar receives the files of Collect as an uncompressed tar archive, while they
	// are read, in place of [Result.Artifacts]; nil = they are kept in memory. Every path of
	// Collect must then be InputDir or inside it. The archive has regular files alone: their
	// names relative to InputDir, their times in whole seconds, mode 0755 if their owner may
	// execute them and else 0644. So it can be the InputTar of another job, within the bounds
	// of these. Its end is written
	// only when all of it is there; what is in [Result.Uncollected] is left out. Further names
	// of a file (hard links) get a copy of it each, a hundred of them at most. Nothing is
	// written if Cmd was not started.
	//
	// RunOnce waits for a Write for five seconds. One that takes longer, fails or panics
	// breaks the archive off, and is an error with Op [OpCollect]; the rest of the Result is
	// complete. No Write begins after RunOnce has returned.
	OutputTar io.Writer
}

// Mount is a bind mount. File systems mounted below its source are not included.
type Mount struct {
	// Source is an absolute path on the engine's host. It must exist. The engine's
	// own directories, its socket, /proc, /sys and /dev are refused, and so is
	// everything below and above them.
	Source string
	// Target is an absolute path in the container. It must not overlap the Target
	// of another mount. If it does not exist, the engine creates it, and the
	// directories above it, as root. An input that has a link or a file there, or
	// above it, is refused, even if Source is a file.
	Target string
	// ReadOnly keeps the command from writing to the mount. The zero value, false,
	// is discouraged.
	ReadOnly bool
}
