package dockerx

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// Podman reports limits also where it does not enforce them, and says that elsewhere.
func TestPodmanWithoutCgroups(t *testing.T) {
	for mode, refused := range map[string]bool{"default": false, "": false, "disabled": true, "no-conmon": true} {
		c := fakeEngine(t, routes{inspectRoute: func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"Id": "c", "State": {"Status": "created"}, "HostConfig": {"Memory": 1, "Cgroups": %q}}`, mode)
		}})
		_, err := c.Inspect(context.Background(), "c")
		require.NoError(t, err, "Docker has no such word")
		c.podman.Store(true)
		if _, err = c.Inspect(context.Background(), "c"); refused {
			require.ErrorIs(t, err, ErrUnsupported)
			require.ErrorContains(t, err, mode)
		} else {
			require.NoError(t, err)
		}
	}
}
