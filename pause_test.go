package sandbox

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPauseProgram(t *testing.T) {
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		t.Run(arch, func(t *testing.T) {
			program, err := pauseProgram(arch)
			require.NoError(t, err)
			f, err := elf.NewFile(bytes.NewReader(program))
			require.NoError(t, err)
			require.Equal(t, elf.ELFCLASS64, f.Class)
			require.Equal(t, elf.ELFDATA2LSB, f.Data)
			require.Equal(t, elf.ET_EXEC, f.Type)
			require.Equal(t, machine, f.Machine)
			require.Empty(t, f.Sections)

			// One segment, which is the file: no interpreter, and nothing to write to.
			require.Len(t, f.Progs, 1)
			s := f.Progs[0]
			require.Equal(t, elf.PT_LOAD, s.Type)
			require.Equal(t, elf.PF_R|elf.PF_X, s.Flags)
			require.Zero(t, s.Off)
			require.EqualValues(t, len(program), s.Filesz)
			require.EqualValues(t, len(program), s.Memsz)
			require.Zero(t, s.Vaddr%s.Align, "the kernel maps whole pages of at most this size")
			require.GreaterOrEqual(t, s.Align, uint64(64<<10), "the largest page of arm64")

			code := int(f.Entry - s.Vaddr)
			require.Equal(t, 64+56, code, "it begins behind the headers")
			require.Less(t, code, len(program))
			require.Less(t, len(program), 256)
		})
	}
}

// An instruction of arm64 is a word, so the program can be read here.
func TestPauseProgramForARM(t *testing.T) {
	program, err := pauseProgram("arm64")
	require.NoError(t, err)
	var words []uint32
	for code := program[64+56:]; len(code) > 0; code = code[4:] {
		require.GreaterOrEqual(t, len(code), 4)
		words = append(words, uint32(code[0])|uint32(code[1])<<8|uint32(code[2])<<16|uint32(code[3])<<24)
	}
	registers := map[uint32]uint32{}
	for _, w := range words[:len(words)-2] {
		require.EqualValues(t, 0b110100101_00, w>>21, "MOVZ, 64 bits, not shifted: %08x", w)
		registers[w&0x1f] = w >> 5 & 0xffff
	}
	require.Equal(t, map[uint32]uint32{0: 0, 1: 0, 2: 0, 3: 0, 8: 73}, registers, "ppoll(NULL, 0, NULL, NULL)")
	require.EqualValues(t, 0xd4000001, words[len(words)-2], "SVC 0")
	branch := words[len(words)-1]
	require.EqualValues(t, 0b000101, branch>>26, "B")
	require.EqualValues(t, -(len(words) - 1), int32(branch<<6)>>6, "to the first instruction")
}

func TestPauseProgramUnknown(t *testing.T) {
	for _, arch := range []string{"", "x86_64", "386", "arm", "riscv64", "AMD64"} {
		program, err := pauseProgram(arch)
		require.ErrorIs(t, err, ErrUnsupported, "%q", arch)
		require.ErrorContains(t, err, `"`+arch+`"`)
		require.Nil(t, program)
	}
}

// It runs without anything of a system, sleeps, also after a signal, and ends with
// SIGKILL.
func TestPauseProgramRuns(t *testing.T) {
	program, err := pauseProgram(runtime.GOARCH)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "pause")
	require.NoError(t, os.WriteFile(path, program, 0o755))
	cmd := exec.Command(path)
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill() })

	sleeps := func() bool { return stateOf(t, cmd.Process.Pid) == "S (sleeping)" }
	require.Eventually(t, sleeps, 5*time.Second, time.Millisecond)
	require.NoError(t, cmd.Process.Signal(syscall.SIGSTOP))
	stopped := func() bool { return stateOf(t, cmd.Process.Pid) == "T (stopped)" }
	require.Eventually(t, stopped, 5*time.Second, time.Millisecond)
	require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))
	require.Eventually(t, sleeps, 5*time.Second, time.Millisecond)
	tasks, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "task"))
	require.NoError(t, err)
	require.Len(t, tasks, 1)

	require.NoError(t, cmd.Process.Kill())
	select {
	case err = <-ended:
	case <-time.After(5 * time.Second):
		require.Fail(t, "it lives on")
	}
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	status := exit.Sys().(syscall.WaitStatus)
	require.True(t, status.Signaled() && status.Signal() == syscall.SIGKILL, "%v", err)
}

// stateOf is a process's state as its status file has it.
func stateOf(t *testing.T, pid int) string {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(status), "State:")
	require.True(t, found)
	state, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(state)
}
