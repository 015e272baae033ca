//go:build docker

package sandbox

// The images that this package's tests make, for the tests in sandbox_test.
var (
	BusyboxImage = busybox
	GolangImage  = golang
)
