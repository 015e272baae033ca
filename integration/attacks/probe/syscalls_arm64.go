//go:build linux

package probe

// System calls that package syscall does not name on every architecture.
const (
	sysNameToHandleAt = 264
	sysOpenByHandleAt = 265
	sysSetns          = 268
	sysFinitModule    = 273
	sysRenameat2      = 276
	sysMemfdCreate    = 279
	sysBPF            = 280
	sysUserfaultfd    = 282
)
