package behaviour

import (
	"bytes"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/synchestra-io/sandbox"
)

var outputCases = []Case{{
	Name:    "exit/status",
	Promise: "A command that fails is no error: its exit status is in the Result.",
	check: func(t trial) error {
		var errs []error
		for _, status := range []int{0, 1, 2, 125, 126, 127, 137, 255} {
			res, err := t.do(t.shell(fmt.Sprintf("exit %d", status)))
			errs = append(errs, noError(err), equal("exit status", res.ExitCode, status), equal("TimedOut", res.TimedOut, false),
				equal("output", string(res.Logs), ""), equal("ImageID has a digest", strings.Contains(res.ImageID, "sha256:"), true))
		}
		return errors.Join(errs...)
	},
}, {
	Name:    "exit/missing-command",
	Promise: "A command that does not exist ends with 127, as in a shell, and the output says so.",
	check: func(t trial) error {
		return errors.Join(t.cannotExecute("/no/such/command", 127), t.cannotExecute("no-such-command", 127))
	},
}, {
	Name:    "exit/not-executable",
	Promise: "A command that cannot be executed ends with 126, as in a shell, and the output says so.",
	check:   func(t trial) error { return t.cannotExecute("/etc/hosts", 126) },
}, {
	Name:    "exit/duration",
	Promise: "Duration is how long the command ran.",
	check: func(t trial) error {
		res, err := t.do(t.shell("sleep 2")) // a busy engine notes the start late
		seconds := res.Duration.Seconds()
		return errors.Join(noError(err), equal(fmt.Sprintf("Duration %v is between 1s and 10s", res.Duration), seconds >= 1 && seconds < 10, true))
	},
}, {
	Name:    "output/exact-within-streams",
	Promise: "Output is complete, and in its order within stdout and within stderr.",
	check:   exactWithinStreams,
}, {
	Name:    "output/bytes",
	Promise: "Bytes of the output are kept as they are.",
	check: func(t trial) error {
		return t.prints(t.shell(`printf 'a\000b\377\r\n\033[0m'`), "a\x00b\xff\r\n\x1b[0m")
	},
}, {
	Name:    "output/cap",
	Promise: "Of output over Limits.LogBytes the first and the last half are kept, and a line says how much is missing.",
	check: func(t trial) error {
		j := t.shell("seq 100000")
		j.Limits.LogBytes = 26
		res, err := t.do(j)
		return errors.Join(noError(err), equal("LogsDropped", res.LogsDropped, int64(588869)),
			equal("output", string(res.Logs), "1\n2\n3\n4\n5\n6\n7\n[sandbox: 588869 bytes dropped]\n99999\n100000\n"))
	},
}}

func (t trial) cannotExecute(command string, status int) error {
	j := t.shell("")
	j.Cmd = []string{command}
	res, err := t.do(j)
	// Podman's init says why, and no more.
	says := bytes.Contains(res.Logs, []byte(command)) || bytes.Contains(res.Logs, []byte("failed to exec"))
	return errors.Join(noError(err), equal("exit status", res.ExitCode, status),
		equal(fmt.Sprintf("output %q says that %s cannot be executed", res.Logs, command), says, true))
}

// exactWithinStreams has lower case letters on stdout and upper case ones on stderr,
// so that the two can be told apart however they are interleaved.
func exactWithinStreams(t trial) error {
	const pairs = 20000
	res, err := t.do(t.shell(fmt.Sprintf(`awk 'BEGIN { for (i = 0; i < %d; i++) {
		printf "%%c%%c\n", 97+i%%26, 97+int(i/26)%%26
		printf "%%c%%c\t", 65+i%%26, 65+int(i/26)%%26 > "/dev/stderr" } }'`, pairs)))
	var stdout, stderr strings.Builder
	for i := range pairs {
		fmt.Fprintf(&stdout, "%c%c\n", 97+i%26, 97+i/26%26)
		fmt.Fprintf(&stderr, "%c%c\t", 65+i%26, 65+i/26%26)
	}
	only := func(chars string) string {
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune(chars, r) {
				return r
			}
			return -1
		}, string(res.Logs))
	}
	return errors.Join(noError(err), equal("bytes of output", len(res.Logs), stdout.Len()+stderr.Len()),
		equal("stdout", only("abcdefghijklmnopqrstuvwxyz\n"), stdout.String()),
		equal("stderr", only("ABCDEFGHIJKLMNOPQRSTUVWXYZ\t"), stderr.String()))
}

var streamCases = []Case{{
	Name:    "streams/stdout-and-stderr",
	Promise: "Stdout and Stderr get all of the output, each its own, and Logs has both.",
	check: func(t trial) error {
		const zeros = 300_000
		var stdout, stderr bytes.Buffer
		j := t.shell(fmt.Sprintf("for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done; head -c %d /dev/zero", zeros))
		j.Stdout, j.Stderr = &stdout, &stderr
		res, err := t.do(j)
		return errors.Join(noError(err),
			equal("Stdout", stdout.String(), "out 1\nout 2\nout 3\nout 4\nout 5\n"+strings.Repeat("\x00", zeros)),
			equal("Stderr", stderr.String(), "err 1\nerr 2\nerr 3\nerr 4\nerr 5\n"),
			equal("bytes of Logs", len(res.Logs), stdout.Len()+stderr.Len()))
	},
}, {
	Name:    "streams/live",
	Promise: "Output comes while the command runs: the caller can answer it on Stdin.",
	check: func(t trial) error {
		answer, ask := io.Pipe()
		defer ask.Close()
		var all bytes.Buffer
		j := t.shell("echo question; read x; echo got $x")
		j.Stdin = answer
		j.Stdout = writerFunc(func(p []byte) (int, error) {
			if all.Len() == 0 {
				go func() { io.WriteString(ask, "an answer\n"); ask.Close() }()
			}
			return all.Write(p)
		})
		_, err := t.do(j)
		return errors.Join(noError(err), equal("Stdout", all.String(), "question\ngot an answer\n"))
	},
}, {
	Name:    "streams/one-writer",
	Promise: "Stdout and Stderr may be one writer: there is one Write at a time.",
	check: func(t trial) error {
		var inside, atOnce, size atomic.Int64
		w := writerFunc(func(p []byte) (int, error) {
			if inside.Add(1) != 1 {
				atOnce.Add(1)
			}
			size.Add(int64(len(p)))
			inside.Add(-1)
			return len(p), nil
		})
		j := t.shell("yes | head -c 500000 & yes | head -c 500000 >&2; wait")
		j.Stdout, j.Stderr = w, w
		_, err := t.do(j)
		return errors.Join(noError(err), equal("Writes at the same time", atOnce.Load(), int64(0)), equal("bytes written", size.Load(), int64(1_000_000)))
	},
}, {
	Name:    "streams/failing-writer",
	Promise: "A Write that fails ends the run with its error.",
	check: func(t trial) error {
		full := errors.New("no room for output")
		j := t.shell("yes")
		j.Stdout = writerFunc(func([]byte) (int, error) { return 0, full })
		j.Limits.LogBytes = 1000
		res, err := t.do(j)
		return errors.Join(step(err, sandbox.OpWait), wraps("error", err, full), equal("exit status", res.ExitCode, 137))
	},
}, {
	Name:    "streams/stdin",
	Promise: "Stdin reaches the command, and so does its end.",
	check: func(t trial) error {
		data := strings.Repeat("0123456789", 300_000)
		j := t.shell("md5sum; wc -c")
		j.Stdin = strings.NewReader(data)
		return t.prints(j, fmt.Sprintf("%x  -\n0\n", md5.Sum([]byte(data))))
	},
}, {
	Name:    "streams/no-stdin",
	Promise: "Without Stdin the command's standard input is empty.",
	check:   func(t trial) error { return t.prints(t.shell("wc -c"), "0\n") },
}, {
	Name:    "streams/unread-stdin",
	Promise: "A command may end without having read its standard input, which may never end.",
	check: func(t trial) error {
		never, w := io.Pipe()
		defer w.Close()
		j := t.shell("exit 3")
		j.Stdin = never
		res, err := t.do(j)
		return errors.Join(noError(err), equal("exit status", res.ExitCode, 3))
	},
}}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
