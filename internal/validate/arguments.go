package validate

import "fmt"

// The kernel's bounds on what a process is started with, see execve(2). Beyond them the
// init says so in the command's place, and exits as if it were the command.
const (
	maxString    = 128<<10 - 1     // bytes of one argument or variable, without its NUL; less than on kernels with larger pages
	maxArguments = 2<<20 - reserve // bytes of all: a quarter of the stack, which usually has 8 MiB
	// reserve is for the program's path, which counts too, for the interpreter that a
	// script names, and for what else the engine may add.
	reserve = 12 << 10
	pointer = 8 // what each of them takes beside its text
)

func tooLong(bytes int) string {
	return fmt.Sprintf("%d bytes, and the kernel passes on at most %d; put it into a file of the input, or into Stdin", bytes, maxString)
}

// Arguments checks the sum of what the command is started with. others are the arguments
// and variables that do not come from the Job, fields the names of those that do.
func (p *FieldErrors) Arguments(fields string, cmd, env, others []string) {
	size := func(list []string) (bytes int) {
		for _, s := range list {
			bytes += len(s) + 1 + pointer
		}
		return bytes
	}
	ours, rest := size(cmd)+size(env), size(others)
	if ours+rest > maxArguments {
		p.Add("%s have %d bytes, and the image and the engine add %d; the kernel passes on at most %d in all: put them into a file of the input, or into Stdin",
			fields, ours, rest, maxArguments)
	}
}
