package names

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFull(t *testing.T) {
	full, err := Full("golang")
	if err != nil || full != "docker.io/library/golang:latest" {
		t.Fatal(full, err)
	}
}

// Tests write beside their source and into temporary directories.
func TestWrite(t *testing.T) {
	for _, dir := range []string{".", t.TempDir()} {
		if err := os.WriteFile(filepath.Join(dir, "written"), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
