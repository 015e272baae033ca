package pause

import (
	"bytes"
	"debug/elf"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProgram(t *testing.T) {
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		t.Run(arch, func(t *testing.T) {
			program, known := Program(arch)
			require.True(t, known)
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
func TestProgramForARM(t *testing.T) {
	program, known := Program("arm64")
	require.True(t, known)
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

func TestProgramUnknown(t *testing.T) {
	for _, arch := range []string{"", "x86_64", "386", "arm", "riscv64", "AMD64"} {
		program, known := Program(arch)
		require.False(t, known, "%q", arch)
		require.Nil(t, program)
	}
}
