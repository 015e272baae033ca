package sandbox

import (
	"cmp"
	"context"

	"github.com/synchestra-io/sandbox/internal/artifacts"
	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/stdio"
)

// output is Job.OutputTar on its way; nil = the caller wants the artifacts in memory.
type output struct {
	to      *stdio.Writer
	archive *artifacts.Archive
}

// newOutput writes until ctx ends.
func newOutput(ctx context.Context, p plan, b bounds.Bounds) *output {
	if p.output == nil {
		return nil
	}
	to := stdio.NewWriter(ctx, "OutputTar", p.output, b.Writer)
	return &output{to, artifacts.NewArchive(to, p.inputDir)}
}

// failed is the error of the caller's writer, which spoils nothing else.
func (o *output) failed() error {
	if o == nil {
		return nil
	}
	return o.to.Err()
}

// finish writes the archive's end, now that it is sure that nobody has started the container
// again meanwhile.
func (o *output) finish() error {
	if o == nil || o.failed() != nil {
		return o.failed()
	}
	err := o.archive.Close()
	return cmp.Or(o.failed(), err)
}

// files is how many are in the archive.
func (o *output) files() int {
	if o == nil {
		return 0
	}
	return o.archive.Files()
}

func (o *output) close() {
	if o != nil {
		o.to.Close()
	}
}
