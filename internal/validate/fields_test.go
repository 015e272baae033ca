package validate

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// An ID is looked for on the engine only, in any of the forms that docker images
// prints. To a registry it would be the name of somebody's image.
func TestImage(t *testing.T) {
	const digits = "b5fdecf6bf4e"
	whole := strings.Repeat("0123456789abcdef", 4)
	for image, want := range map[string]struct {
		ref  string
		pull bool
	}{
		digits:               {digits, false},
		"000000000000":       {"000000000000", false},
		"sha256:" + digits:   {"sha256:" + digits, false},
		"sha256:b5f":         {"sha256:b5f", false},
		whole:                {"sha256:" + whole, false},
		"sha256:" + whole:    {"sha256:" + whole, false},
		"cafe":               {"docker.io/library/cafe:latest", true},
		digits[1:]:           {"docker.io/library/" + digits[1:] + ":latest", true},
		digits + "0":         {"docker.io/library/" + digits + "0:latest", true},
		digits + ":v1":       {"docker.io/library/" + digits + ":v1", true},
		digits + ":latest":   {"docker.io/library/" + digits + ":latest", true},
		"a/" + digits:        {"docker.io/a/" + digits + ":latest", true},
		"library/" + digits:  {"docker.io/library/" + digits + ":latest", true},
		"b5fdecf6bf4g":       {"docker.io/library/b5fdecf6bf4g:latest", true},
		"sha256:latest":      {"docker.io/library/sha256:latest", true},
		"a/sha256:" + digits: {"docker.io/a/sha256:" + digits, true},
		"x@sha256:" + whole:  {"docker.io/library/x@sha256:" + whole, true},
	} {
		var bad FieldErrors
		ref, pull := bad.Image(image)
		require.NoError(t, bad.Err())
		require.Equal(t, want.ref, ref, image)
		require.Equal(t, want.pull, pull, image)
	}
}
