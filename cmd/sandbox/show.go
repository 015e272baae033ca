package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/docker/go-units"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/synchestra-io/sandbox"
)

// show tells how far pulls and uploads are: by a bar on a terminal, else by lines.
type show struct {
	to       io.Writer
	lines    io.Writer // for where there is no terminal
	terminal bool
	quiet    bool

	mu     sync.Mutex
	bar    *progressbar.ProgressBar // nil = none is shown
	of     sandbox.Op               // what the bar, or the last line, is about
	layers map[string][2]int64      // of a pull: bytes that are done, and in all
	next   time.Time                // of a line
}

func newShow(to io.Writer, quiet bool) *show {
	file, is := to.(*os.File)
	return &show{to: to, lines: to, quiet: quiet, terminal: is && term.IsTerminal(int(file.Fd())), layers: map[string][2]int64{}}
}

// lineEvery is how often a line is written where there is no terminal.
const lineEvery = 5 * time.Second

// progress is for Options.Progress.
func (s *show) progress(p sandbox.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.quiet {
		return
	}
	done, total, what := p.Done, p.Total, "upload"
	if p.Op == sandbox.OpPull {
		done, total = s.pulled(p)
		what = "pull " + p.Image
	}
	if !s.terminal {
		s.line(p.Op, what, done, total)
		return
	}
	if s.bar == nil || s.of != p.Op {
		s.clear()
		s.of = p.Op
		s.bar = progressbar.NewOptions64(-1, progressbar.OptionSetWriter(s.to), progressbar.OptionShowBytes(true), progressbar.OptionSetDescription(what),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetRenderBlankState(true), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth(),
			progressbar.OptionSpinnerType(14), progressbar.OptionSetSpinnerChangeInterval(0)) // nobody draws but who calls it
	}
	if total = max(total, done) + 1; s.bar.GetMax64() != total && p.Total > 0 {
		s.bar.ChangeMax64(total) // more than it comes to: a bar that is full never moves again
	}
	s.bar.Set64(done)
}

// pulled adds up the layers of a pull, as far as they are known.
func (s *show) pulled(p sandbox.Progress) (done, total int64) {
	if p.Status == "Downloading" && p.Layer != "" {
		s.layers[p.Layer] = [2]int64{p.Done, p.Total}
	}
	if last := s.layers[p.Layer]; p.Status == "Download complete" || p.Status == "Pull complete" {
		s.layers[p.Layer] = [2]int64{last[1], last[1]}
	}
	for _, l := range s.layers {
		done, total = done+l[0], total+l[1]
	}
	return done, total
}

// line writes one at the beginning of each thing, and then from time to time.
func (s *show) line(op sandbox.Op, what string, done, total int64) {
	now := time.Now()
	if s.of == op && now.Before(s.next) {
		return
	}
	s.of, s.next = op, now.Add(lineEvery)
	text := fmt.Sprintf("sandbox: %s: %s", what, bytesText(done))
	if total > 0 {
		text += " of " + bytesText(total)
	}
	fmt.Fprintln(s.lines, text)
}

func bytesText(n int64) string { return units.BytesSize(float64(n)) }

// clear removes the bar.
func (s *show) clear() {
	if s.bar != nil {
		s.bar.Clear()
		s.bar = nil
	}
}

// end removes the bar. It may be called more than once.
func (s *show) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
}

// before returns a writer to w that removes the bar first, which is on the same terminal.
func (s *show) before(w io.Writer) io.Writer { return cleared{s, w} }

type cleared struct {
	show *show
	to   io.Writer
}

func (c cleared) Write(p []byte) (int, error) {
	c.show.end()
	return c.to.Write(p)
}
