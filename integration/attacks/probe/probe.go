//go:build linux && (amd64 || arm64)

// Package probe is the hostile program of package attacks. Each mode makes one attempt with
// system calls and prints what became of it, one line for each fact:
//
//	got:     the attacker got something that it wanted
//	denied:  the kernel refused something
//	looked:  where the attacker searched
//	broken:  the attempt itself was wrong, so it tells nothing
//
// The last line is "done". It also has tasks for other tests of the module.
package probe

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
		if onGVisor() {
			say("looked", "gVisor")
		} else {
			say("looked", "Linux")
		}
	}
}

// onGVisor tells whether the kernel is gVisor's, which names itself the same in every
// version.
func onGVisor() bool {
	version, err := os.ReadFile("/proc/version")
	must(err)
	return strings.HasSuffix(string(version), "#1 SMP Sun Jan 10 15:06:54 PST 2016\n")
}

// Marker is a variable by which the attacks tell a program that carries the probe to be it.
const Marker = "SANDBOX_PROBE"

// Is tells whether a program is to be the probe: where the attack image has it, or by the marker.
func Is(path string) bool {
	return slices.Contains([]string{"/probe", "/setuid", "/filecaps"}, path) || os.Getenv(Marker) != ""
}

// Main is the probe. It takes its mode and that one's arguments from the command line.
func Main() {
	os.Setenv(Marker, "1") // for its children, which have other names
	if len(os.Args) < 2 {
		say("broken", "no mode")
		os.Exit(2)
	}
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

// unlessGVisor ignores an error on gVisor's kernel, for features that it lacks.
func unlessGVisor(err error) error {
	if onGVisor() {
		return nil
	}
	return err
}

// must reports an error in the preparation of an attempt.
func must(err error) {
	if err != nil {
		say("broken", "%v", err)
	}
}

func got(format string, args ...any) { say("got", format, args...) }

// refusals are the errors by which a kernel refuses. Others, such as EINVAL, more likely
// show a mistake in the probe.
var refusals = []error{
	syscall.EPERM, syscall.EACCES, syscall.EROFS, syscall.ENOSYS, syscall.ENOENT, syscall.ESRCH, syscall.ENXIO, syscall.ENODEV,
	syscall.EAFNOSUPPORT, syscall.EPROTONOSUPPORT, syscall.ESOCKTNOSUPPORT, syscall.ENETUNREACH, syscall.EHOSTUNREACH,
	syscall.ECONNREFUSED, syscall.ENOTDIR, syscall.EMFILE, syscall.ENOSPC, syscall.EAGAIN, syscall.EFBIG, syscall.ENOMEM,
	syscall.ETXTBSY, syscall.EXDEV, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.EOPNOTSUPP, syscall.ENOKEY, syscall.ETOOMANYREFS,
}

// try reports that the attacker got something, or why it did not.
func try(what string, err error) bool {
	switch {
	case err == nil:
		got("%s", what)
	case slices.ContainsFunc(refusals, func(refusal error) bool { return errors.Is(err, refusal) }):
		say("denied", "%s: %v", what, err)
	case onGVisor() && slices.ContainsFunc([]error{syscall.EINVAL, syscall.ENOTTY, syscall.ENOPROTOOPT, syscall.EBADF}, func(unknown error) bool { return errors.Is(err, unknown) }):
		say("denied", "%s: unknown to gVisor: %v", what, err)
	default:
		say("broken", "%s: %v", what, err)
	}
	return err == nil
}

// tryPrivilege is try for a call with arguments that no kernel accepts, so that it does
// no harm. Any other error than a refusal means that the attacker has the privilege.
func tryPrivilege(what string, err error) {
	for _, refusal := range []error{syscall.EPERM, syscall.EACCES, syscall.ENOSYS} {
		if errors.Is(err, refusal) {
			say("denied", "%s: %v", what, err)
			return
		}
	}
	got("%s: %v", what, err)
}
