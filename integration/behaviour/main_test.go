//go:build docker

package behaviour_test

import (
	"testing"

	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// runHuge is a task of a child process.
const runHuge = "run huge"

// runHugeTar is another one.
const runHugeTar = "run huge tar"

func TestMain(m *testing.M) {
	enginetest.Main(m, enginetest.Tasks{runHuge: childHuge, runHugeTar: childHugeTar})
}
