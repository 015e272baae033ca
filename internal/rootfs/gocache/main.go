// Gocache is a program for GOCACHEPROG, see go help cacheprog. It finds what is in the
// directory that it is started with, which nobody may be able to write to, and keeps
// what comes new in a directory for temporary files.
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
)

type request struct {
	ID                 int64
	Command            string
	ActionID, OutputID []byte
	BodySize           int64
}

type answer struct {
	ID            int64
	Err           string   `json:",omitempty"`
	KnownCommands []string `json:",omitempty"`
	Miss          bool     `json:",omitempty"`
	OutputID      []byte   `json:",omitempty"`
	Size          int64    `json:",omitempty"`
	DiskPath      string   `json:",omitempty"`
}

func main() {
	if err := serve(os.Args[1], os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func serve(old string, in io.Reader, out io.Writer) error {
	added, err := os.MkdirTemp("", "gocache")
	if err != nil {
		return err
	}
	defer os.RemoveAll(added)
	requests, answers := json.NewDecoder(bufio.NewReader(in)), json.NewEncoder(out)
	known := map[string]answer{}
	if err := answers.Encode(answer{KnownCommands: []string{"get", "put", "close"}}); err != nil {
		return err
	}
	for {
		var r request
		if err := requests.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var a answer
		switch r.Command {
		case "get":
			var found bool
			if a, found = known[string(r.ActionID)]; !found {
				a = look(old, r.ActionID)
			}
		case "put":
			var body []byte
			if r.BodySize > 0 {
				if err := requests.Decode(&body); err != nil {
					return err
				}
			}
			a = answer{OutputID: r.OutputID, Size: r.BodySize, DiskPath: filepath.Join(added, hex.EncodeToString(r.OutputID))}
			if err := os.WriteFile(a.DiskPath, body, 0o600); err != nil {
				a = answer{Err: err.Error()}
			} else {
				known[string(r.ActionID)] = a
			}
		}
		a.ID = r.ID
		if err := answers.Encode(a); err != nil {
			return err
		}
	}
}

// look reads an entry that the go command wrote: see cmd/go/internal/cache.
func look(dir string, action []byte) answer {
	name := func(id, kind string) string { return filepath.Join(dir, id[:2], id+"-"+kind) }
	id := hex.EncodeToString(action)
	text, err := os.ReadFile(name(id, "a"))
	if err != nil {
		return answer{Miss: true}
	}
	var output string
	var size, time int64
	if _, err := fmt.Sscanf(string(text), "v1 "+id+" %s %d %d", &output, &size, &time); err != nil {
		return answer{Miss: true}
	}
	content, err := hex.DecodeString(output)
	if err != nil {
		return answer{Miss: true}
	}
	return answer{OutputID: content, Size: size, DiskPath: name(output, "d")}
}
