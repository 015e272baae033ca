package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// gitFiles lists what git tracks in a directory, and what it would: all but what .gitignore names.
// Programs that the repository's own configuration names are not run.
func gitFiles(ctx context.Context, dir string, root *os.Root, add func(name string) error, s streams) error {
	list := exec.CommandContext(ctx, "git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath="+os.DevNull, "-C", dir,
		"ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
	list.Env = append(os.Environ(), "GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=none")
	list.WaitDelay = time.Second
	var said bytes.Buffer
	list.Stderr = &said
	names, err := list.Output()
	if err != nil {
		return fmt.Errorf("--git: git ls-files: %w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	links := map[string]bool{} // directories: whether they are links
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		if name == "" || belowLink(root, path.Dir(name), links) {
			continue
		}
		info, err := root.Lstat(filepath.FromSlash(name))
		switch {
		case gone(err): // deleted, and still tracked
		case err == nil && info.IsDir():
			s.say("not copied in: %s is another git repository", name)
		case err != nil:
			return err
		default:
			if err := add(name); err != nil && !gone(err) {
				return err
			}
		}
	}
	return nil
}

// belowLink tells whether a directory is a link, or below one: what git tracks there is elsewhere
// now.
func belowLink(root *os.Root, dir string, known map[string]bool) bool {
	if dir == "." || dir == "/" {
		return false
	}
	is, have := known[dir]
	if !have {
		info, err := root.Lstat(filepath.FromSlash(dir))
		is = belowLink(root, path.Dir(dir), known) || err == nil && info.Mode()&fs.ModeSymlink != 0
		known[dir] = is
	}
	return is
}
