//go:build docker

package behaviour_test

import (
	"testing"

	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// runHuge is a task of a child process.
const runHuge = "run huge"

var tasks = enginetest.Tasks{runHuge: childHuge}

func TestMain(m *testing.M) { enginetest.Main(m, tasks) }
