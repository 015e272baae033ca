//go:build linux && (amd64 || arm64)

// Probe is the attacker of package sandboxtest. Each mode tries one thing with
// the kernel's own calls and says what came of it, a line each:
//
//	got:     the attacker has what it wanted
//	denied:  it was refused
//	looked:  where it searched
//	broken:  the try was wrong in itself and tells nothing
//
// The last line is "done". Besides it has tasks for other tests.
package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
)

var modes = map[string]func(args []string){}

func init() {
	modes["nothing"] = func([]string) {}
	modes["kernel"] = func([]string) {
		if gvisor() {
			say("looked", "gVisor")
		} else {
			say("looked", "Linux")
		}
	}
}

// gvisor tells whether the kernel is gVisor's, which calls itself the same in
// every version.
func gvisor() bool {
	version, err := os.ReadFile("/proc/version")
	must(err)
	return strings.HasSuffix(string(version), "#1 SMP Sun Jan 10 15:06:54 PST 2016\n")
}

func main() {
	name, args := os.Args[1], os.Args[2:]
	task := tasks[name]
	if task == nil {
		do(name, args)
		fmt.Println("done")
		return
	}
	if err := task(args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func do(mode string, args []string) {
	f := modes[mode]
	if f == nil {
		say("broken", "no mode %q", mode)
		os.Exit(2)
	}
	f(args)
}

func say(kind, format string, args ...any) {
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " ")
	fmt.Printf("%s: %s\n", kind, text)
}

// unlessGVisor is for what gVisor's kernel does not have.
func unlessGVisor(err error) error {
	if gvisor() {
		return nil
	}
	return err
}

// must is for what comes before the try.
func must(err error) {
	if err != nil {
		say("broken", "%v", err)
	}
}

func got(format string, args ...any) { say("got", format, args...) }

// refusals are the errors by which the kernel says no. Others, such as EINVAL,
// are more likely a fault of the probe.
var refusals = []error{
	syscall.EPERM, syscall.EACCES, syscall.EROFS, syscall.ENOSYS, syscall.ENOENT, syscall.ESRCH, syscall.ENXIO, syscall.ENODEV,
	syscall.EAFNOSUPPORT, syscall.EPROTONOSUPPORT, syscall.ESOCKTNOSUPPORT, syscall.ENETUNREACH, syscall.EHOSTUNREACH,
	syscall.ECONNREFUSED, syscall.ENOTDIR, syscall.EMFILE, syscall.ENOSPC, syscall.EAGAIN, syscall.EFBIG, syscall.ENOMEM,
	syscall.ETXTBSY, syscall.EXDEV, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.EOPNOTSUPP, syscall.ENOKEY,
}

// try says that the attacker has got what, or why not.
func try(what string, err error) bool {
	switch {
	case err == nil:
		got("%s", what)
	case slices.ContainsFunc(refusals, func(refusal error) bool { return errors.Is(err, refusal) }):
		say("denied", "%s: %v", what, err)
	case gvisor() && (errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTTY)):
		say("denied", "%s: unknown to gVisor: %v", what, err)
	default:
		say("broken", "%s: %v", what, err)
	}
	return err == nil
}

// tryPrivilege is for calls with arguments that no kernel takes, so that they do
// no harm: whoever gets past the check of the privilege has it.
func tryPrivilege(what string, err error) {
	for _, refusal := range []error{syscall.EPERM, syscall.EACCES, syscall.ENOSYS} {
		if errors.Is(err, refusal) {
			say("denied", "%s: %v", what, err)
			return
		}
	}
	got("%s: %v", what, err)
}

// call is a system call; its result is -1 beside an error.
func call(number uintptr, args ...uintptr) (int, error) {
	a := [6]uintptr{}
	copy(a[:], args)
	result, _, errno := syscall.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno != 0 {
		return -1, errno
	}
	return int(result), nil
}

// failed is the error alone.
func failed(_ int, err error) error { return err }
