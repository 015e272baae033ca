package dockerx

import (
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/stretchr/testify/require"
)

func TestPlatformsMatch(t *testing.T) {
	im := func(arch, variant string) image.InspectResponse {
		return image.InspectResponse{Os: "linux", Architecture: arch, Variant: variant}
	}
	for _, c := range []struct {
		want  string
		image image.InspectResponse
		match bool
	}{
		{"", im("s390x", ""), true},
		{"linux/amd64", im("amd64", ""), true},
		{"linux/x86_64", im("amd64", ""), true},
		{"linux/aarch64", im("arm64", "v8"), true},
		{"linux/arm64/v8", im("arm64", ""), true},
		{"linux/arm/v7", im("arm", "v6"), true},
		{"linux/arm/v6", im("arm", "v7"), false},
		{"linux/arm", im("arm", "v7"), true},
		{"linux/arm64", im("amd64", ""), false},
		{"linux/amd64", im("", ""), true},
	} {
		require.Equal(t, c.match, Want{Platform: c.want}.matches(c.image), "%s, %v", c.want, c.image)
	}
}
