//go:build linux

package probe

// System calls that package syscall does not name on this architecture.
const (
	sysNameToHandleAt = 303
	sysOpenByHandleAt = 304
	sysSetns          = 308
	sysFinitModule    = 313
	sysRenameat2      = 316
	sysMemfdCreate    = 319
	sysBPF            = 321
	sysUserfaultfd    = 323
)
