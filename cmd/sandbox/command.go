package main

import (
	"github.com/spf13/cobra"

	"github.com/synchestra-io/sandbox"
)

// engineFlags are those of all commands.
type engineFlags struct{ host, context string }

func (f *engineFlags) options() sandbox.Options {
	return sandbox.Options{Host: f.host, Context: f.context}
}

func newCommand() *cobra.Command {
	engine := new(engineFlags)
	c := &cobra.Command{
		Use:           "sandbox",
		Short:         "Run one untrusted command in a locked-down, one-shot container",
		Long:          "Sandbox runs one untrusted command in a locked-down, one-shot Docker container, returns its exit\nstatus, output and files, and leaves nothing behind.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
	}
	flags := c.PersistentFlags()
	flags.StringVarP(&engine.host, "host", "H", "", "engine's `address`; else DOCKER_HOST, the docker context or a local socket decides")
	flags.StringVarP(&engine.context, "context", "c", "", "`name` of the docker context with the engine")
	c.AddCommand(newRun(engine), newDoctor(engine), newSweep(engine), newFleet(engine), newVersion())
	return c
}
