package sandbox

import (
	"context"
	"io"

	"github.com/synchestra-io/sandbox/internal/task"
	"github.com/synchestra-io/sandbox/internal/upload"
)

// Progress is one report of how far a pull or an upload is.
type Progress struct {
	// Op is OpPull or OpStage.
	Op Op
	// Image is the image's full name, of a pull.
	Image string
	// Layer is the start of a layer's digest, and Status the engine's word for what
	// happens to it, such as "Downloading"; of a pull.
	Layer, Status string
	// Done is how many bytes have been dealt with: of the layer, in what Status says,
	// such as "Downloading" and then "Extracting"; or of the input, as the tar that is
	// uploaded. Total is how many there will be; 0 = not known.
	Done, Total int64
}

// report tells the caller how far something is.
func (r *Runner) report(at Progress) {
	if r.options.Progress == nil {
		return
	}
	if !r.reporting.TryLock() {
		return
	}
	defer r.reporting.Unlock()
	r.options.Progress(at)
}

// reportEvery is how many bytes of an input go between two reports.
const reportEvery = 1 << 20

// upload runs the upload of a run's input, and reports how far it is.
func (r *run) upload(ctx context.Context, p plan, container, dir string, write func(io.Writer) error) error {
	if p.input == nil {
		return upload.Tar(ctx, r.client, container, dir, nil, write)
	}
	ctx, cancel := context.WithCancel(ctx)
	reports := make(chan Progress, 64)
	sent := task.Begin(func() error {
		return upload.Tar(ctx, r.client, container, dir, p.input, func(w io.Writer) error {
			return write(&uploadCounter{w: w, reports: reports})
		})
	})
	defer func() { cancel(); <-sent.Ended() }() // after a panic of the caller's, too
	for {
		select {
		case at := <-reports:
			r.report(at)
		case <-sent.Ended():
			for len(reports) > 0 {
				r.report(<-reports)
			}
			return sent.Wait()
		}
	}
}

// uploadCounter counts what is written. Reports that nobody takes are left out.
type uploadCounter struct {
	w          io.Writer
	reports    chan<- Progress
	done, told int64
}

func (c *uploadCounter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if c.done += int64(n); c.done-c.told >= reportEvery {
		c.told = c.done
		select {
		case c.reports <- Progress{Op: OpStage, Done: c.done}:
		default:
		}
	}
	return n, err
}
