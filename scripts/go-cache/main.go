// Go-cache prints the directory of the build cache of the tests' Go image, which it makes
// if there is none yet.
package main

import (
	"fmt"
	"os"

	"github.com/synchestra-io/sandbox/internal/rootfs"
)

func main() {
	dir, err := rootfs.GoCache()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(dir)
}
