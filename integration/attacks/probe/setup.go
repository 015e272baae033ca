//go:build linux && (amd64 || arm64)

package probe

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func init() {
	modes["plant"] = plant
	modes["each"] = each
	modes["find-name"] = findName
	modes["file-is"] = fileIs
}

// plant changes the file system before another command is started: each argument is one
// of move,FROM,TO and directory,PATH and link,PATH,TARGET and file,PATH.
func plant(args []string) {
	for _, arg := range args {
		part := strings.Split(arg, ",")
		var err error
		switch part[0] {
		case "move":
			err = os.Rename(part[1], part[2])
		case "directory":
			err = os.MkdirAll(part[1], 0o777)
		case "link":
			err = os.Symlink(part[2], part[1])
		case "file":
			err = os.WriteFile(part[1], []byte("forged"), 0o666)
		}
		must(err)
		say("looked", "%s", arg)
	}
}

// each is several modes, one after the other.
func each(args []string) {
	for _, arg := range args {
		mode := strings.Split(arg, ",")
		do(mode[0], mode[1:])
	}
}

// findName looks for a name that only the host has.
func findName(args []string) {
	seen := 0
	filepath.WalkDir("/", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if path == "/proc" || path == "/sys" {
			return fs.SkipDir
		}
		if seen++; strings.Contains(d.Name(), args[0]) {
			got("%s", path)
		}
		return nil
	})
	say("looked", "%d names", seen)
}

// fileIs looks for a file whose content it knows.
func fileIs(args []string) {
	content, err := os.ReadFile(args[0])
	say("looked", "%s: %q, %v", args[0], content, err)
	if string(content) != args[1] {
		got("%s is %q, %v", args[0], content, err)
	}
}
