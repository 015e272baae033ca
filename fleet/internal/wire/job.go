package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"time"

	"github.com/synchestra-io/sandbox"
)

// Job is a sandbox.Job without its readers and writers.
type Job struct {
	Nonce    string    // of the call that sent it, which alone knows its readers and writers
	Deadline time.Time // of its context; the zero time is none
	Live     Live      // which of its readers and writers there are
	Input    string    // the object with the input, "" = there is none
	Parts    int       // of this object
	Small    []byte    // the input, if it is small; no object then

	Command Command
	Object  string // the object with all of this, if it is large
}

// Command is what makes one job differ from another, but for its input.
type Command struct {
	Image    string
	Cmd      []string
	Env      map[string]string
	WorkDir  string
	Mounts   []sandbox.Mount
	InputDir string
	Collect  []string
	Limits   sandbox.Limits
	Setup    Setup
}

// Setup is a sandbox.Setup without its writer.
type Setup struct {
	Cmd     []string
	Env     map[string]string
	Network string
	Timeout time.Duration
}

// Live says which readers and writers of a job are the client's, who is asked for each Read and
// Write.
type Live struct{ Stdin, Stdout, Stderr, Setup, OutputTar bool }

// Any tells whether there is one.
func (l Live) Any() bool { return l != Live{} }

// NewCommand returns what a job says.
func NewCommand(j sandbox.Job) Command {
	return Command{
		Image: j.Image, Cmd: j.Cmd, Env: j.Env, WorkDir: j.WorkDir, Mounts: j.Mounts, InputDir: j.InputDir,
		Collect: j.Collect, Limits: j.Limits,
		Setup: Setup{Cmd: j.Setup.Cmd, Env: j.Setup.Env, Network: j.Setup.Network, Timeout: j.Setup.Timeout},
	}
}

// Job returns the job, which has no readers and writers yet.
func (c Command) Job() sandbox.Job {
	return sandbox.Job{
		Image: c.Image, Cmd: c.Cmd, Env: c.Env, WorkDir: c.WorkDir, Mounts: c.Mounts, InputDir: c.InputDir,
		Collect: c.Collect, Limits: c.Limits,
		Setup: sandbox.Setup{Cmd: c.Setup.Cmd, Env: c.Setup.Env, Network: c.Setup.Network, Timeout: c.Setup.Timeout},
	}
}

// Digest tells one command from another.
func (c Command) Digest() (string, error) {
	b, err := encoding.Marshal(c)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16]), nil
}

// Marshal returns the job as it is sent.
func (j Job) Marshal() ([]byte, error) { return encoding.Marshal(j) }

// nonce is what a nonce can be: it is part of subjects and keys.
var nonce = regexp.MustCompile(`^[A-Za-z0-9]{1,64}$`)

// maxParts is more than the largest input has.
const maxParts = 1 << 16

// UnmarshalJob is the opposite of Marshal.
func UnmarshalJob(b []byte) (Job, error) {
	var j Job
	if err := unmarshal("the job", b, &j); err != nil {
		return Job{}, err
	}
	if !nonce.MatchString(j.Nonce) {
		return Job{}, fmt.Errorf("the job cannot be read: its nonce is %.100q", j.Nonce)
	}
	if j.Parts < 0 || j.Parts > maxParts {
		return Job{}, fmt.Errorf("the job cannot be read: its object would have %d parts", j.Parts)
	}
	return j, nil
}
