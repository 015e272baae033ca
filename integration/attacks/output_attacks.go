package attacks

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

var outputAttacks = []Attack{
	{
		Name: "frames", Tries: "prints the frame headers of the engine's stream, for every stream", Expected: "they arrive as plain bytes, each as often as printed",
		attempt: func(e *attackEnv) (got []string) {
			res := e.result(e.job("frames"))
			for stream := range byte(4) {
				header := [8]byte{stream}
				binary.BigEndian.PutUint32(header[4:], 0xfffffff0)
				if n := bytes.Count(res.Logs, header[:]); n != 2 {
					got = append(got, fmt.Sprintf("the header of stream %d arrived %d times instead of twice", stream, n))
				}
			}
			return append(got, mismatch("the length of the output", len(res.Logs), 4*2*8+1+len("done\n"))...)
		},
	},
	{
		Name: "marker", Tries: "prints the line that stands for dropped output", Expected: "nothing counts as dropped",
		attempt: func(e *attackEnv) []string {
			res := e.result(e.job("marker"))
			return slices.Concat(
				mismatch("the output", string(res.Logs), "HEAD\n[sandbox: 123456 bytes dropped]\nTAIL\ndone\n"),
				mismatch("LogsDropped", res.LogsDropped, 0))
		},
	},
	{
		Name: "held-open", Tries: "leaves a process that keeps the output open", Expected: "the run ends with the command",
		attempt: func(e *attackEnv) (got []string) {
			j := e.job("daemon", newToken())
			j.Limits.Timeout = time.Minute
			begin := time.Now()
			res := e.result(j)
			e.report(res.Logs)
			if took := time.Since(begin); res.TimedOut || took > 40*time.Second {
				got = append(got, fmt.Sprintf("the run took %v", took))
			}
			return got
		},
	},
	{
		Name: "false-status", Tries: `prints "Killed" and exits with 137`, Expected: "the result reports neither a timeout nor a lack of memory",
		attempt: func(e *attackEnv) []string {
			res := e.result(e.job("exit", "137"))
			return slices.Concat(
				mismatch("TimedOut", res.TimedOut, false),
				mismatch("OOMKilled", res.OOMKilled, false),
				mismatch("ExitCode", res.ExitCode, 137))
		},
	},
}

// mismatch is what the attacker got if a value is not the right one.
func mismatch[T comparable](what string, value, right T) []string {
	if value == right {
		return nil
	}
	return []string{fmt.Sprintf("%s is %v instead of %v", what, value, right)}
}
