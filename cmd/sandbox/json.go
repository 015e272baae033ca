package main

import (
	"encoding/json"
	"io"

	"github.com/synchestra-io/sandbox"
)

// result is a sandbox.Result as JSON.
type result struct {
	ExitCode         int               `json:"exit_code"` // -1 = there is none
	Error            string            `json:"error,omitempty"`
	TimedOut         bool              `json:"timed_out,omitempty"`
	OOMKilled        bool              `json:"oom_killed,omitempty"`
	DiskFull         bool              `json:"disk_full,omitempty"`
	SetupFailed      bool              `json:"setup_failed,omitempty"`
	Seconds          float64           `json:"seconds"`
	ImageID          string            `json:"image_id,omitempty"`
	Logs             string            `json:"logs"` // what is no UTF-8 in it is replaced
	LogsDropped      int64             `json:"logs_dropped,omitempty"`
	SetupLogs        string            `json:"setup_logs,omitempty"`
	SetupLogsDropped int64             `json:"setup_logs_dropped,omitempty"`
	Artifacts        []file            `json:"artifacts,omitempty"`
	Uncollected      map[string]string `json:"uncollected,omitempty"`
}

func writeJSON(w io.Writer, res sandbox.Result, err error, out *output) error {
	r := result{
		ExitCode: res.ExitCode, TimedOut: res.TimedOut, OOMKilled: res.OOMKilled, DiskFull: res.DiskFull, SetupFailed: res.SetupFailed,
		Seconds: res.Duration.Seconds(), ImageID: res.ImageID, Logs: string(res.Logs), LogsDropped: res.LogsDropped,
		SetupLogs: string(res.SetupLogs), SetupLogsDropped: res.SetupLogsDropped,
	}
	if out != nil {
		r.Artifacts = out.files
	}
	if err != nil {
		r.Error = trimName(err)
	}
	for path, why := range res.Uncollected {
		if r.Uncollected == nil {
			r.Uncollected = map[string]string{}
		}
		r.Uncollected[path] = why.Error()
	}
	text := json.NewEncoder(w)
	text.SetIndent("", "  ")
	text.SetEscapeHTML(false)
	return text.Encode(r)
}
