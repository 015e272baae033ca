package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// Record is one suite on one engine, a line of the file that SANDBOX_RECORD names.
type Record struct {
	Engine   string // such as "Docker 28.5.2"
	Runtime  string // such as "runc 1.3.6"
	Cgroups  string // "v1" or "v2"
	Rootless bool
	Kernel   string // such as "6.12"
	Suite    string // such as "behaviour"
	Without  string // the tests that were left out, as a regular expression
	Short    bool   // the suite was shortened, by -short
	Only     string // the tests that were asked for, as a regular expression, "" = all
	Passed   bool
	// Failed are the tests that failed, which the run itself does not know: they are added by
	// hand. The suite has passed all the same when each of them has, in a record with Only.
	Failed []string `json:",omitempty"`
}

// ran is set when a test uses the engine: a record of no test would say that all passed.
var ran atomic.Bool

// NoteTest notes that a test ran that makes no image of this package.
func NoteTest() { ran.Store(true) }

// record adds a line to the file that SANDBOX_RECORD names, if it does.
func record(passed bool) error {
	file := os.Getenv("SANDBOX_RECORD")
	if file == "" {
		return nil
	}
	if imagesMade.Load() == 0 && !ran.Load() {
		return errors.New("no test ran")
	}
	given := func(name string) string { return flag.Lookup(name).Value.String() }
	r := Record{Passed: passed, Short: testing.Short(), Without: given("test.skip"), Only: given("test.run")}
	ctx := context.Background()
	version, err := API.ServerVersion(ctx)
	if err != nil {
		return err
	}
	info, err := API.Info(ctx)
	if err != nil {
		return err
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	number := regexp.MustCompile(`\d+\.\d+(\.\d+)?`)
	r.Engine = "Docker " + number.FindString(version.Version)
	if Podman() {
		r.Engine = "Podman " + number.FindString(version.Version)
	}
	for _, c := range version.Components {
		if c.Name == "runc" || strings.HasSuffix(c.Name, "(runc)") {
			r.Runtime = "runc " + number.FindString(c.Version)
		}
	}
	r.Cgroups, r.Suite = "v"+info.CgroupVersion, "examples" // of the package at the top
	switch in, name := filepath.Base(filepath.Dir(dir)), filepath.Base(dir); {
	case in == "integration" || name == "egress" || name == "fleet":
		r.Suite = name
	case in == "cmd":
		r.Suite = "command"
	}
	r.Rootless = slices.Contains(info.SecurityOptions, "name=rootless")
	r.Kernel = strings.Join(strings.SplitN(number.FindString(info.KernelVersion), ".", 3)[:2], ".")
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = out.Write(append(line, '\n'))
	return errors.Join(err, out.Close())
}
