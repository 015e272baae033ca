package sandbox

import (
	"math"
	"time"

	"github.com/synchestra-io/sandbox/internal/validate"
)

// DefaultNetwork is the network of a job whose [Limits.Network] is empty.
const DefaultNetwork = "bridge"

// noNetwork is the network that has nothing but the loopback interface.
const noNetwork = "none"

// Limits bounds what a run may use. A negative value is an error. A limit that the
// engine would not enforce is refused with [ErrUnsupported].
type Limits struct {
	// CPUs is the CPU quota in CPUs, such as 1.5; 0 = unlimited. The minimum is
	// 0.01. A quota above what the engine has means all of its CPUs.
	CPUs float64
	// MemoryMB caps RAM in MiB, without swap; 0 = unlimited. The minimum is 6.
	// The runtime needs some of it to start the command: runc 1.1 with cgroup v2 up to
	// 16 MiB. Files on tmpfs count. Each tmpfs can hold half of the cap, or 2 GiB if there
	// is none. Some of the kernel's own memory does not count, with cgroup v1 more
	// of it; SECURITY.md says which.
	MemoryMB int64
	// PIDs caps the number of processes and threads, including the init;
	// 0 = unlimited, but for a cap that the host may have, such as systemd's
	// DefaultTasksMax. The minimum is 2. Threads of the runtime count at the start until
	// the kernel has ended them. So with fewer than 32, on a busy machine, the init may
	// fail to start the command: the exit status is 1 then, and the output is the
	// init's.
	PIDs int64
	// Timeout is how long the command may run before it is killed; 0 = no timeout.
	// See [Result.TimedOut]. With it, a run whose process was killed can be swept from
	// everywhere: see [Runner.Sweep]. A Setup has a Timeout of its own.
	Timeout time.Duration
	// Network is "none", "bridge" or the name of a user-defined network;
	// "" = [DefaultNetwork].
	//
	// Security: on "bridge" the command can reach, through NAT, whatever the host
	// can reach: the internet, the host itself, other containers on the bridge and
	// a cloud's metadata service. Use "none" unless the command needs this.
	Network string
	// LogBytes caps Result.Logs in bytes; 0 = 64 MiB. The beginning and the end of
	// the output are kept, half of the cap each.
	LogBytes int64
	// ArtifactBytes caps the total size of Result.Artifacts, or of the files in
	// Job.OutputTar, in bytes; 0 = 256 MiB.
	// A file in a directory that does not fit is skipped. What is skipped in all of
	// Collect is limited to ArtifactBytes, too, but not to less than 256 MiB: a
	// directory is read no further than a file that exceeds it. Independently of
	// both, at most 100,000 files, directories and links are read from directories.
	ArtifactBytes int64
	// DiskMB caps, in MiB, the total size of the files that the command has at any
	// one time; 0 = no cap. It covers the input and every directory that the
	// command can write to except Mounts; InputDir and /dev/shm are included. These
	// directories share one file system of this size, with one inode for every
	// 8 KiB and at least 1024. A write that exceeds it fails with ENOSPC. A single
	// file more than 1 MiB larger than the cap fails with EFBIG and the signal
	// SIGXFSZ, even if it is sparse or in memory (memfd_create). The file system is
	// in memory, and what the command writes counts against MemoryMB. An input that
	// does not fit is an error.
	DiskMB int64
}

const (
	defaultLogBytes      = 64 << 20
	defaultArtifactBytes = 256 << 20

	minCPUs     = 0.01    // the kernel's minimum is 1 ms in 100 ms
	minMemoryMB = 6       // the engine refuses less
	minPIDs     = 2       // the init, and the command
	maxPIDs     = 4 << 20 // the kernel's maximum, PID_MAX_LIMIT
)

// withDefaults returns l without ambiguous zeros. Zero stays where it means
// "unlimited".
func (l Limits) withDefaults() Limits {
	if l.Network == "" {
		l.Network = DefaultNetwork
	}
	if l.LogBytes == 0 {
		l.LogBytes = defaultLogBytes
	}
	if l.ArtifactBytes == 0 {
		l.ArtifactBytes = defaultArtifactBytes
	}
	return l
}

// check reports what is wrong with l, each error naming its field and value.
func (l Limits) check(p *validate.FieldErrors) {
	switch {
	case math.IsNaN(l.CPUs) || l.CPUs < 0 || l.CPUs > math.MaxInt64/1e9:
		p.Add("Limits.CPUs %v: want a number of CPUs such as 1.5, or 0 for no limit", l.CPUs)
	case l.CPUs > 0 && l.CPUs < minCPUs:
		p.Add("Limits.CPUs %v: the minimum is %v; 0 means no limit", l.CPUs, minCPUs)
	}
	switch {
	case l.MemoryMB < 0 || l.MemoryMB > math.MaxInt64>>20:
		p.Add("Limits.MemoryMB %d: want a number of MiB, or 0 for no limit", l.MemoryMB)
	case l.MemoryMB > 0 && l.MemoryMB < minMemoryMB:
		p.Add("Limits.MemoryMB %d: the minimum is %d; 0 means no limit", l.MemoryMB, minMemoryMB)
	}
	switch {
	case l.PIDs < 0:
		p.Add("Limits.PIDs %d: want a number of processes, or 0 for no limit", l.PIDs)
	case l.PIDs > 0 && l.PIDs < minPIDs:
		p.Add("Limits.PIDs %d: the minimum is %d, for the init and the command; 0 means no limit", l.PIDs, minPIDs)
	case l.PIDs > maxPIDs:
		p.Add("Limits.PIDs %d: the kernel's maximum is %d; 0 means no limit", l.PIDs, maxPIDs)
	}
	if l.Timeout < 0 {
		p.Add("Limits.Timeout %v: want a positive duration, or 0 for no timeout", l.Timeout)
	}
	if l.LogBytes < 0 {
		p.Add("Limits.LogBytes %d: want a number of bytes, or 0 for the default, %d", l.LogBytes, defaultLogBytes)
	}
	if l.ArtifactBytes < 0 {
		p.Add("Limits.ArtifactBytes %d: want a number of bytes, or 0 for the default, %d", l.ArtifactBytes, defaultArtifactBytes)
	}
	if l.DiskMB < 0 || l.DiskMB >= math.MaxInt64>>20 {
		p.Add("Limits.DiskMB %d: want a number of MiB, or 0 for no cap", l.DiskMB)
	}
	if l.Network != "" {
		p.Network("Limits.Network", l.Network)
	}
}
