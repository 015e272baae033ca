//go:build docker

package attacks

import (
	"context"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
)

// Close removes the image that Open imported, and no other.
func TestFixtureImage(t *testing.T) {
	open := func(image string) *Fixture {
		f, err := Open(t.Context(), Options{Run: sandbox.RunOnce, Image: image})
		require.NoError(t, err)
		return f
	}
	first := open("")
	second := open(first.image)
	require.NoError(t, second.Close())
	api, err := newClient("")
	require.NoError(t, err)
	defer api.Close()
	_, err = api.ImageInspect(t.Context(), first.image)
	require.NoError(t, err)
	require.NoError(t, first.Close())
	_, err = api.ImageInspect(t.Context(), first.image)
	require.True(t, errdefs.IsNotFound(err), "%v", err)
}

// Open leaves nothing behind if the sandbox does not work.
func TestOpenFails(t *testing.T) {
	var image string
	_, err := Open(t.Context(), Options{Run: func(_ context.Context, j sandbox.Job) (sandbox.Result, error) {
		image = j.Image
		return sandbox.Result{}, context.DeadlineExceeded
	}})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotEmpty(t, image)
	api, err := newClient("")
	require.NoError(t, err)
	defer api.Close()
	_, err = api.ImageInspect(t.Context(), image)
	require.True(t, errdefs.IsNotFound(err), "%v", err)

	_, err = Open(t.Context(), Options{})
	require.ErrorContains(t, err, "Options.Run is missing")
}
