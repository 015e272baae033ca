//go:build linux && (amd64 || arm64)

package probe

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
)

func init() {
	modes["fill"] = fill
	modes["sparse"] = sparse
	modes["inodes"] = inodes
}

var writableDirs = []string{"/tmp", "/workspace", "/dev/shm", os.Getenv("HOME")}

// fill writes files in all writable directories until they are full, or hold more than
// LIMIT MiB together.
func fill(args []string) {
	limit, _ := strconv.Atoi(args[0])
	block := make([]byte, mib)
	var written int
	for i, dir := range writableDirs {
		f, err := os.Create(filepath.Join(dir, fmt.Sprint("fill", i)))
		if err != nil {
			try("a file in "+dir, err)
			continue
		}
		for err == nil {
			var n int
			n, err = f.Write(block)
			if written += n; written > limit*mib {
				got("more than %d MiB, in %s", limit, dir)
				return
			}
		}
		say("denied", "%s, with %d KiB in all: %v", dir, written>>10, err)
	}
}

// sparse creates a file that takes no space and is huge for its reader.
func sparse([]string) {
	signal.Ignore(syscall.SIGXFSZ)
	for _, dir := range writableDirs {
		f, err := os.Create(filepath.Join(dir, "sparse"))
		if err != nil {
			try("a file in "+dir, err)
			continue
		}
		try("a file of 1 TiB in "+dir, f.Truncate(1<<40))
	}
}

func inodes(args []string) {
	limit, _ := strconv.Atoi(args[0])
	var made int
	for _, dir := range writableDirs {
		for i := 0; ; i++ {
			err := syscall.Mkdir(fmt.Sprintf("%s/i%d", dir, i), 0o755)
			if errors.Is(err, syscall.EEXIST) {
				continue
			}
			if err != nil {
				say("denied", "file %d, in %s: %v", made+1, dir, err)
				break
			}
			if made++; made > limit {
				got("more than %d files", limit)
				return
			}
		}
	}
}
