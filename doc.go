// Package sandbox runs one untrusted command to completion in a locked-down,
// one-shot Docker container, returns its exit status, output and files, and
// leaves nothing behind.
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
// A run is eight steps: plan the job, ensure the image, stage the input, harden,
// create the container, run it, collect the artifacts, fill the [Result].
//
// # Security model
//
// The command, the input and everything that the command writes are hostile;
// the image, the mounts and the caller are trusted. Every container gets the
// preset of package isolation, and no field of [Job] can weaken it: user and
// group 65532 with no other group, all capabilities dropped, no new privileges,
// a seccomp profile, a read-only root filesystem, no swap, no core dumps, 1024
// open files that can be raised to 4096, private namespaces, a raised OOM score,
// an init as PID 1, log driver "none". The image's
// USER, HEALTHCHECK and VOLUMEs have no effect; its ENV, ENTRYPOINT and WORKDIR
// keep Docker's meaning: ENV under [Job.Env], ENTRYPOINT put before [Job.Cmd].
//
// What it does not protect from: kernel and runtime vulnerabilities; on network
// "bridge" (the default) whatever the host can reach, its neighbours and cloud
// metadata included, so prefer "none"; a full disk, or a tree too deep to be
// removed, unless [Limits.DiskMB] is set; host files handed out by [Job.Mounts].
//
// # Input
//
// [Job.InputTar] is unpacked into an ephemeral volume at [Job.InputDir]; all of
// it is writable by the command. Nothing runs for that: the engine unpacks into
// a container that never starts, so the image needs no shell and may be built
// from scratch. Entries are accepted, rewritten or refused so:
//
//	regular files, directories    owner 65532:65532, permission bits plus u+rw (directories u+rwx)
//	symbolic links                as they are, wherever they point
//	hard links                    to a regular file earlier in the archive
//	setuid, setgid, sticky, xattr dropped
//	pax global headers            skipped; git archive writes one
//	devices, fifos, sparse files  refused, as are all other types
//	absolute names, ".." in names refused, as are entries below a symbolic link
//
// A refused or damaged archive is an error and nothing runs.
//
// /workspace, /tmp and InputDir are always writable, and files in them may be
// executed. They are tmpfs, whose content counts against [Limits.MemoryMB],
// unless input goes in or an artifact comes out. HOME is a writable directory
// outside InputDir; GOMODCACHE is below it if the image sets GOPATH. An image
// whose own /tmp or /workspace its owner may not write to gives the tmpfs that
// mode under runc 1.1; the command owns the directory and may change it.
//
// With [Limits.DiskMB] they are parts of one file system of that size, in memory,
// whatever goes in or comes out, and so are /dev/shm and the image's VOLUMEs. It is
// a volume of type tmpfs, whose content lasts while a running container has it
// mounted: a second container, hardened like the first and without network, runs
// a program of this package that waits, and nothing of the image. The
// engine must be amd64 or arm64. Such a run takes twice as long as one that only
// stages input.
//
// # Output
//
// stdout and stderr are in [Result.Logs], up to [Limits.LogBytes], and go to
// [Job.Stdout] and [Job.Stderr] as they come, all of them. None of it is on the
// engine's disk. An output that breaks off is [ErrOutputLost]: at a frame's border
// that is told from the command's exit by the time that the command ran, so that
// only a cut in its last second goes unseen.
//
// # Artifacts
//
// [Job.Collect] names files, or directories whose regular files come with their
// full paths as keys. Links are never followed, nothing but regular files is
// read, and nothing is extracted on the host. What is missing is simply absent
// from [Result.Artifacts]; [Result.Uncollected] says why. Out of a directory the
// engine leaves, without a word, sockets and what it cannot read, such as paths
// of more than 4096 bytes.
//
// # Timeouts and cancellation
//
// [Limits.Timeout] covers the command, from its start to its exit: at expiry
// everything in the container is killed, [Result.TimedOut] is set, output and
// artifacts up to then are kept, and the error is nil. The context bounds
// everything else. When it ends the run ends with an error that wraps the
// context's error; Result holds the output up to then and no artifacts. Calls
// to the engine that should be short have bounds of their own.
//
// # Many jobs
//
// [RunOnce] is a [Runner] used once. A program with many jobs makes one with
// [New], which keeps connections, and closes it at its end.
//
// # What is left behind
//
// Nothing, when RunOnce returns without an error that wraps [ErrCleanup]: every
// container and volume has a name that is chosen before it is made, so that it can
// be removed although the engine's answer is lost. A clean-up that fails, as when
// the engine is gone, is an error that names what may be left.
//
// A process that is killed leaves its run behind. [Runner.Sweep] removes that: all
// objects carry labels that tell the run, the process, and, if the context has a
// deadline, when the run must have ended. Other processes on the machine sweep at
// once what an ended one left; other machines and other PID namespaces after the
// deadline only, so give the context one.
//
// # Errors
//
// A command that fails is no error: its status is in [Result.ExitCode]. With the
// init, a command that does not exist or cannot be executed ends with 127 or
// 126 and a line of the init's in [Result.Logs], as in a shell. Every error is
// an [*Error] that names the step. The first of these that applies is reported:
// the end of the context, by the caller or by [Runner.Close], if it broke the run
// off; a failure of a step; a failed clean-up. Beside the first two a failed
// clean-up is joined.
//
// # Engine requirements
//
// A Docker Engine with API 1.40 or later that runs Linux containers with seccomp,
// found by DOCKER_HOST, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH and
// DOCKER_API_VERSION, by default the local socket. Limits that it does not enforce
// are refused with [ErrUnsupported], and before each start what it says of the
// container is compared with what it was sent. Memory without swap needs swap
// accounting in the kernel; where it is missing, the engine limits RAM alone.
// [Options.Runtime] chooses another OCI runtime, such as gVisor's.
//
// The seccomp profile comes with the job: Docker's newest built-in one, of package
// moby/profiles/seccomp, with sockets of four families only: UNIX, IPv4, IPv6 and
// netlink. That one and the engines' own allow most others, and by the 32-bit call
// socketcall all of them; here 32-bit x86 programs that know no other call, such as
// Go's for 386, get ENOSYS. A profile that the engine's owner chose stays, and so
// does Podman's; a client that does not run on Linux asks for the engine's built-in
// one. An engine of a version before 23
// that was started without seccomp is refused.
package sandbox
