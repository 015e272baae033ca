package registry

import (
	"io"
	"os/exec"
)

// program is a credential helper that ends with a context. It keeps its failure, since
// the package that asks it mixes that with what it prints.
type program struct {
	*exec.Cmd
	failed *error
}

func (p *program) Input(in io.Reader) { p.Stdin = in }

func (p *program) Output() ([]byte, error) {
	out, err := p.Cmd.Output()
	if err != nil {
		*p.failed = err
	}
	return out, err
}
