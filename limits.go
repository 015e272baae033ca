package sandbox

import (
	"math"
	"time"

	"github.com/synchestra-io/sandbox/internal/validate"
)

// DefaultNetwork is the network of a job that names none.
const DefaultNetwork = "bridge"

// Limits bounds what a run may use.
type Limits struct {
	// CPUs is the CPU quota in CPUs, fractions included, such as 1.5;
	// 0 = unlimited. The least is 0.01. More than the engine has means all.
	CPUs float64
	// MemoryMB caps RAM in MiB, without swap; 0 = unlimited. The least is 6.
	// Files on tmpfs count; each tmpfs holds up to half of the cap, 2 GiB
	// when there is none.
	MemoryMB int64
	// PIDs caps processes and threads, the init included; 0 = unlimited. The
	// least is 2.
	PIDs int64
	// Timeout kills the command this long after its start; 0 = no timeout. See
	// Result.TimedOut.
	Timeout time.Duration
	// Network is "none", "bridge" or the name of a user-defined network;
	// "" = DefaultNetwork.
	//
	// Security: on "bridge" the command reaches whatever the host can reach,
	// by NAT: the internet, the host itself, other containers on the bridge,
	// and a cloud's metadata service. Use "none" unless it needs that.
	Network string
	// LogBytes caps Result.Logs in bytes; 0 = 64 MiB. The first and the last
	// half of it are kept.
	LogBytes int64
	// ArtifactBytes caps Result.Artifacts in bytes, in sum; 0 = 256 MiB. Out of
	// directories at most 100,000 files, directories and links are read.
	ArtifactBytes int64
	// DiskMB caps, in MiB, all files that the command has at a time, in all
	// directories that it can write to, InputDir and /dev/shm included, and the
	// input too; 0 = no cap. They share one file system of this size, with an
	// inode for every 8 KiB, and at least 1024: what exceeds it gets ENOSPC. A
	// single file that exceeds it, sparse files and those in memory (memfd_create)
	// too, gets EFBIG and the signal SIGXFSZ. The file system is in memory, and what the command writes counts
	// against MemoryMB. An input that does not fit is an error.
	DiskMB int64
}

const (
	defaultLogBytes      = 64 << 20
	defaultArtifactBytes = 256 << 20

	minCPUs     = 0.01 // the kernel's least quota is 1 ms in 100 ms
	minMemoryMB = 6    // the engine refuses less
	minPIDs     = 2    // the init, and the command
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
		p.Network(l.Network)
	}
}

// userDefined tells whether the engine has to be asked about the network.
func (l Limits) userDefined() bool { return l.Network != "none" && l.Network != DefaultNetwork }
