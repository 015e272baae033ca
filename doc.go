// Package sandbox runs one untrusted command to completion in a locked-down, one-shot
// Docker container. It returns the exit status, the output and the files that the
// command produced, and leaves nothing behind.
//
//	res, err := sandbox.RunOnce(ctx, sandbox.Job{
//		Image:    "golang:1.26",
//		Cmd:      []string{"go", "test", "-coverprofile=cover.out", "./..."},
//		WorkDir:  "/workspace",
//		InputTar: archive, // the output of git archive, as it is
//		Collect:  []string{"/workspace/cover.out"},
//		Limits:   sandbox.Limits{CPUs: 1, MemoryMB: 2048, PIDs: 256, Timeout: 5 * time.Minute, Network: "none"},
//	})
//
// A run has eight steps: plan the job, ensure the image, stage the input, harden,
// create the container, run it, collect the artifacts, fill in the [Result]. With
// [Job.Setup] another command runs before, in a container of its own.
//
// # Security model
//
// The command, the input and everything that the command writes are hostile. The
// image, the mounts and the caller are trusted. Every container gets the preset of
// package isolation, and no field of [Job] can weaken it: user and group 65532 with
// no other group, all capabilities dropped, no new privileges, a seccomp profile, a
// read-only root filesystem, no swap if [Limits.MemoryMB] is set, no core dumps, 1024
// open files that the command can raise to 4096, private namespaces, a raised OOM
// score, an init as PID 1 and log driver "none". The image's USER and HEALTHCHECK
// have no effect, and its VOLUMEs are empty directories of the run. Its ENV,
// ENTRYPOINT and WORKDIR keep Docker's meaning: [Job.Env] overrides ENV, and
// [Job.Cmd] follows ENTRYPOINT.
//
// The package does not protect against:
//   - vulnerabilities of the kernel and the container runtime;
//   - on network "bridge", the default, access to whatever the host can reach,
//     including its neighbours and cloud metadata, so prefer "none";
//   - without [Limits.DiskMB], a full disk, or a directory tree that is too deep to
//     be removed;
//   - access to the host files that [Job.Mounts] exposes.
//
// # Input
//
// [Job.InputTar] is unpacked into an ephemeral volume at [Job.InputDir], and the
// command can write to all of it. Nothing of the image runs to unpack it: the engine
// unpacks into a container that never starts or, with [Limits.DiskMB], only waits. So
// the image needs no shell and may be built from scratch. Entries are accepted,
// rewritten or refused as follows:
//
//	regular files, directories    owner 65532:65532, permission bits plus u+rw (directories u+rwx)
//	symbolic links                unchanged, wherever they point
//	hard links                    accepted if they link to a regular file earlier in the archive
//	setuid, setgid, sticky, xattr dropped
//	pax global headers            skipped; git archive writes one
//	devices, fifos, sparse files  refused, as are all other types
//	absolute names, ".." in names refused, as are entries below a symbolic link
//	more than 300,000 entries     refused, as are more than 60,000 directories
//	more than 32 MiB of names     refused, as are names of more than 3072 bytes or 128 components
//
// The directories that only the names of others imply count as entries, and the targets
// of links as names. These bounds leave room for a checkout of the Linux kernel and for a
// node_modules of 200,000 files. No input costs the caller more than 128 MiB of memory.
//
// A refused or damaged archive is an error, and nothing runs.
//
// The input does not decide where anything else is. On and above the targets of
// [Job.Mounts], the working directory, the image's VOLUMEs and what the engine mounts
// itself, such as /etc/hosts, it may have directories only, and a regular file where
// the engine mounts one: a link there would be followed, as root, before the command
// starts. Paths are compared as they are spelled; links of the image are not resolved.
// What [Job.Collect] names is not restricted: nothing looks at it before the command has
// ended, and links are not followed then.
//
// # Writable directories
//
// /workspace, /tmp, InputDir and the image's VOLUMEs are writable unless a mount
// covers them, and files in them can be executed. If input goes into a directory or
// an artifact comes out of it, or if there is a [Job.Setup], it is a volume; otherwise
// it is tmpfs, and its content counts against [Limits.MemoryMB]. HOME is a writable
// directory outside InputDir. If the image sets GOPATH, GOMODCACHE is below HOME. If the
// owner of the image's own /tmp or /workspace may not write to it, runc 1.1 gives the
// tmpfs the same mode; the command owns the directory and can change that.
//
// With [Limits.DiskMB], all of these directories and /dev/shm share one file system
// of that size, in memory. It is a volume of type tmpfs, whose content lasts only
// while a running container has it mounted. A second container does that. It runs a
// program of this package that only waits, and nothing of the image. It has the job's
// hardening, no network, and limits of its own: 32 MiB of memory, a quarter of a CPU
// and two processes, as far as the engine enforces such limits. The engine must be
// amd64 or arm64. Such a run takes twice as long as one that only stages input.
//
// # Output
//
// stdout and stderr go to [Result.Logs], up to [Limits.LogBytes], and in full to
// [Job.Stdout] and [Job.Stderr] as they are produced. None of it is written to the
// engine's disk.
//
// A broken stream is reported as [ErrOutputLost]: one that breaks off inside a frame of
// the engine's protocol or with an error, one that ended before the start, one that
// ended although the container is still running five seconds later, and one that does
// not end with the container. So is a stream that ended while, or before, the
// connection on which the run waits for the exit broke, as it does when the engine
// dies. An end between two frames has no other mark: if somebody cuts the stream there,
// and nothing else, in the last five seconds of the command, this goes unnoticed. No
// clocks are compared, so a step of a clock or a suspended machine is not taken for a
// loss.
//
// # Artifacts
//
// [Job.Collect] names files and directories. The regular files below a directory are
// collected with their full paths as keys. Links are never followed, nothing but
// regular files is read, and nothing is extracted on the host. A path that is missing
// is absent from [Result.Artifacts], and [Result.Uncollected] says why. The engine
// silently skips sockets in a directory and whatever it cannot read there, such as
// paths of more than 4096 bytes.
//
// A file that does not fit into [Limits.ArtifactBytes] is absent as well. In a
// directory it is skipped, and what comes after it is collected. The engine sends a
// skipped file all the same, so at most as many bytes as ArtifactBytes, or 256 MiB if
// that is more, are skipped in a run. At the first file beyond that, the directory is
// read no further, and Uncollected names both.
//
// # Timeouts and cancellation
//
// [Limits.Timeout] covers the command, from its start to its exit. When it expires,
// everything in the container is killed and [Result.TimedOut] is set. The output and
// the artifacts produced so far are kept, and the error is nil.
//
// The context bounds everything else, after the command's exit as well. When it ends,
// the run ends with an error that wraps the context's error; the Result holds the
// output produced so far and no artifacts. Calls to the engine that should be short
// have bounds of their own.
//
// Whatever cuts a run off has one ending of at most 30 seconds: a timeout, the end of
// the context, [Runner.Close], and a reader or writer that fails. It covers the kill,
// the rest of the output, the artifacts after a timeout, and the clean-up. Readers are
// not read any more, and outstanding Writes have five seconds. So RunOnce returns
// within 30 seconds of the end of its context whatever the engine does, and within 7
// if the engine answers promptly. If artifacts cannot be read in the ending of a
// timeout, the error has Op [OpCollect].
//
// A command that ends by itself cuts nothing off: a slow writer and a large artifact
// are waited for as long as they make progress and the context has not ended.
//
// # Many jobs
//
// [RunOnce] creates a [Runner] and uses it once. A program with many jobs creates one
// with [New], which keeps its connections, and closes it at the end. It can outlive its
// engine: when the connections are lost, the next run asks the engine again what it is.
//
// # Clean-up
//
// Nothing of a run is left behind when RunOnce returns, unless its error wraps
// [ErrCleanup]. What a [Runner] keeps for network "none" goes with [Runner.Close].
// Every container and volume gets its name before it is created, so it can be removed
// even if the engine's answer is lost. If the clean-up fails, for example because the
// engine is gone, the error names what may be left.
//
// A process that is killed leaves its run behind, and [Runner.Sweep] removes it. All
// objects carry labels that identify the run and the process. They also carry the time
// at which the run must have ended, if the context has a deadline, and how long the
// command may run, if it has a [Limits.Timeout]. Other processes on the machine can
// sweep the run as soon as its process has ended. Other machines and other PID
// namespaces, such as those of containers, can sweep it only after the deadline, or
// when the engine says that the command was started longer ago than it may run. If the
// job has neither, nothing ever proves to them that the run is over: give every job a
// Timeout.
//
// # Errors
//
// A command that fails is not an error: [Result.ExitCode] is its status. If the
// command does not exist or cannot be executed, the status is 127 or 126, as in a
// shell, and the init writes a line to [Result.Logs]. (Podman's init has status 1 for both;
// if its line is all of the output, it becomes 127 or 126.)
//
// Every error is an [*Error], which names the failed step. The first of these that
// applies is reported:
//
//  1. the end of the context, by the caller or by [Runner.Close], if it interrupted
//     the run;
//  2. the failure of a step;
//  3. a failed clean-up.
//
// A failed clean-up is joined to the cause of either of the first two, so that
// errors.Is(err, ErrCleanup) is true whenever something may be left.
//
// # Engine requirements
//
// The engine must be a Docker Engine with API 1.41 or later that runs Linux
// containers with seccomp. It is found as the docker command finds it, see
// [Options.Host]. [Options.Runtime] selects another OCI runtime, such as gVisor's.
//
// Limits that the engine does not enforce are refused with [ErrUnsupported]. Before
// each start, all that the engine reports of the container is compared with what it was
// sent: the configuration, with what the image adds to it, the mounts and the attached
// networks. Memory without swap needs swap accounting in the kernel; without it, the
// engine limits RAM alone.
//
// A seccomp profile comes with the job: Docker's newest built-in one, from package
// moby/profiles/seccomp, restricted to the sockets that programs need: UNIX sockets;
// IPv4 and IPv6 sockets of TCP, MPTCP, UDP and ICMP; and netlink's route sockets, by
// which programs list interfaces. Pairs made by socketpair are UNIX sockets only.
// Docker's own profiles allow most other families and protocols, whose modules the
// kernel loads for whoever asks. With this profile, 32-bit x86 programs that know no
// other call than socketcall, such as Go's for 386, get ENOSYS.
//
// A profile that the engine's owner chose stays in place. A client that does not run on
// Linux asks for the engine's built-in profile, and Podman for none. An engine
// before version 23 that was started without seccomp is refused.
//
// Podman 5 is an engine, too, by its Docker-compatible service. It refuses
// [Limits.DiskMB], and artifacts are not as exact there: some links are followed inside
// the run's own directories, and some files with odd names are missing. SECURITY.md has it
// all.
package sandbox
