package runtest

import (
	"testing"

	"github.com/synchestra-io/sandbox"
)

// Starved is OK for a job of which the kernel must kill a process for memory. A busy
// engine loses the kernel's report, or has it too late; see sandbox.Result.OOMKilled.
// Then the job is run again.
func Starved(t testing.TB, j sandbox.Job) sandbox.Result {
	t.Helper()
	res := OK(t, j)
	for again := 0; !res.OOMKilled && again < 5; again++ {
		res = OK(t, j)
	}
	return res
}
