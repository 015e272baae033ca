package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/synchestra-io/sandbox"
)

func newSweep(engine *engineFlags) *cobra.Command {
	var dry bool
	c := &cobra.Command{
		Use: "sweep", Short: "Remove what killed runs have left on the engine", Args: cobra.NoArgs,
		Long: "Sweep removes the containers and volumes of runs whose process was killed. It touches only what\n" +
			"carries this program's labels and names, and nothing of a run that may be under way.",
		Example: "  sandbox sweep --dry-run",
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := sandbox.New(engine.options())
			if err != nil {
				return err
			}
			defer r.Close()
			sweep, verb := r.Sweep, "removed"
			if dry {
				sweep, verb = r.Leftovers, "would remove"
			}
			report, err := sweep(c.Context()) // which keeps nothing on the engine
			for _, object := range report.Removed {
				fmt.Fprintln(c.OutOrStdout(), verb, object)
			}
			for _, object := range report.Left {
				fmt.Fprintln(c.OutOrStdout(), "left", object)
			}
			if err == nil && len(report.Removed)+len(report.Left) == 0 {
				fmt.Fprintln(c.OutOrStdout(), "nothing is left over")
			}
			return err
		},
	}
	c.Flags().BoolVar(&dry, "dry-run", false, "say what would be removed, and remove nothing")
	return c
}
