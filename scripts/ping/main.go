// Ping tells whether the engine that the environment names is one that this
// module can use.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/synchestra-io/sandbox/internal/dockerx"
)

func main() {
	if err := ping(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func ping() error {
	engine, err := dockerx.New(dockerx.Address{})
	if err != nil {
		return err
	}
	defer engine.Close()
	if _, err := engine.Connect(context.Background()); err != nil {
		return err
	}
	fmt.Println("engine at", engine.Host(), "answers")
	return nil
}
