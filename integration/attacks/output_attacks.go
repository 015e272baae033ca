package attacks

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"
)

var outputAttacks = []Attack{
	{
		Name: "frames", Tries: "prints headers of the engine's own stream, for every stream", Seen: "they come as bytes, each as often as printed",
		try: func(a *attackEnv) []string {
			res := a.do(a.job("frames"))
			var won []string
			for stream := range byte(4) {
				header := [8]byte{stream}
				binary.BigEndian.PutUint32(header[4:], 0xfffffff0)
				if n := bytes.Count(res.Logs, header[:]); n != 2 {
					won = append(won, fmt.Sprintf("the header of stream %d is there %d times, not twice", stream, n))
				}
			}
			return append(won, differs("the output's length", len(res.Logs), 4*2*8+1+len("done\n"))...)
		},
	},
	{
		Name: "marker", Tries: "prints the line that stands for dropped output", Seen: "nothing counts as dropped",
		try: func(a *attackEnv) []string {
			res := a.do(a.job("marker"))
			won := differs("output", string(res.Logs), "HEAD\n[sandbox: 123456 bytes dropped]\nTAIL\ndone\n")
			return append(won, differs("bytes dropped", res.LogsDropped, 0)...)
		},
	},
	{
		Name: "held-open", Tries: "leaves a process that holds the output open", Seen: "the run ends with the command",
		try: func(a *attackEnv) (won []string) {
			j := a.job("daemon", newToken())
			j.Limits.Timeout = time.Minute
			begin := time.Now()
			res := a.do(j)
			a.parse(string(res.Logs), true)
			if took := time.Since(begin); res.TimedOut || took > 40*time.Second {
				won = append(won, fmt.Sprintf("the run lasted %v", took))
			}
			return won
		},
	},
	{
		Name: "false-status", Tries: "prints \"Killed\" and exits with 137", Seen: "neither a timeout nor a lack of memory is reported",
		try: func(a *attackEnv) []string {
			res := a.do(a.job("exit", "137"))
			won := differs("TimedOut", res.TimedOut, false)
			won = append(won, differs("OOMKilled", res.OOMKilled, false)...)
			return append(won, differs("ExitCode", res.ExitCode, 137)...)
		},
	},
}

// differs is what the attacker won if a value is not what it should be.
func differs[T comparable](what string, value T, want any) []string {
	if fmt.Sprint(value) == fmt.Sprint(want) {
		return nil
	}
	return []string{fmt.Sprintf("%s: %v, not %v", what, value, want)}
}
