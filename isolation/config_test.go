package isolation

import (
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"
)

func maximalConfig() *container.Config {
	return Config("sha256:0123", []string{"go", "test"}, []string{"A=1"}, "/workspace", map[string]string{"run": "1"}, true)
}

func maximalProgram() *container.Config {
	return Program("sha256:0123", "/pause", map[string]string{"run": "1"})
}

// An image's ENTRYPOINT counts for a job, and never for a program of ours. The
// engine drops the image's CMD where an entrypoint is given.
func TestEntrypoint(t *testing.T) {
	require.Nil(t, maximalConfig().Entrypoint)
	program := maximalProgram()
	require.Equal(t, []string{"/pause"}, []string(program.Entrypoint))
	require.Empty(t, program.Cmd)
	require.Empty(t, program.Env)
	require.Equal(t, "/", program.WorkingDir, "the image's may not exist")
	require.Equal(t, NonRootUser, program.User)
	require.False(t, program.OpenStdin || program.AttachStdin || program.StdinOnce)
}

// Without input the job's end of it is closed; with it the first client to go
// closes it.
func TestStdin(t *testing.T) {
	for _, stdin := range []bool{false, true} {
		c := Config("image", []string{"cat"}, nil, "", nil, stdin)
		require.Equal(t, []bool{stdin, stdin, stdin}, []bool{c.AttachStdin, c.OpenStdin, c.StdinOnce})
		require.False(t, c.Tty, "it would merge the streams, and turn bytes into signals")
	}
}
