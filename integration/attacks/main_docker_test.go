//go:build docker

package attacks_test

import (
	"testing"

	"github.com/synchestra-io/sandbox/internal/enginetest"
)

func TestMain(m *testing.M) { enginetest.Main(m, nil) }
